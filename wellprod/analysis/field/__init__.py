"""The report of one field at the end of one month: what it produced, why that changed, and what the data are worth."""

from wellprod.analysis.field.facts import FieldFacts, field_facts
from wellprod.analysis.field.month import FieldMonth, field_month, fields_of
from wellprod.analysis.field.report import FieldReport, field_report

__all__ = ["FieldFacts", "FieldMonth", "FieldReport", "field_facts", "field_month", "field_report", "fields_of"]
