"""Reports: a parameterized notebook, run by papermill, kept with its HTML and PDF, for one field or for many."""

from wellprod.reports.many import ReportsResult, Watch, run_reports
from wellprod.reports.notebook import Parameter, Report, find_report, list_reports
from wellprod.reports.run import ReportResult, run_report
from wellprod.reports.stop import StopReport

__all__ = [
    "Parameter",
    "Report",
    "ReportResult",
    "ReportsResult",
    "StopReport",
    "Watch",
    "find_report",
    "list_reports",
    "run_report",
    "run_reports",
]
