"""Declines of wells: models, fits that say how they went, forecasts, and how well they would have foretold."""
