"""The report of one field at the end of one month: what it produced, why that changed, and what the data are worth."""
