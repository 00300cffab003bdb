"""Scheduled reports: a parameterized notebook, run by papermill, kept with its HTML."""

from wellprod.reports.notebook import Parameter, Report, find_report, list_reports
from wellprod.reports.run import ReportResult, run_report
from wellprod.reports.stop import StopReport

__all__ = ["Parameter", "Report", "ReportResult", "StopReport", "find_report", "list_reports", "run_report"]
