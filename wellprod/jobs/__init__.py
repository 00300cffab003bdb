"""Jobs: long work with a name, a state and a history."""

from wellprod.jobs.background import start_in_background
from wellprod.jobs.job import SENT, Job, Jobs, Status
from wellprod.jobs.ledger import SINGLE_IMPORT_RULE, SUMMARY_MIME, Ledger, Totals
from wellprod.jobs.process import ProcessMark, peak_memory_mb

__all__ = [
    "SENT",
    "SINGLE_IMPORT_RULE",
    "SUMMARY_MIME",
    "Job",
    "Jobs",
    "Ledger",
    "ProcessMark",
    "Status",
    "Totals",
    "peak_memory_mb",
    "start_in_background",
]
