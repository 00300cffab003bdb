"""Going on with a job, whichever of the two verbs it is of: an import where it was, an export from its start."""

from __future__ import annotations

from wellprod.export import ExportResult, resume_export, trigger_export_again
from wellprod.ingest import ImportSummary, resume_import, trigger_resume
from wellprod.jobs import Ledger
from wellprod.settings import Settings


def resume_job(job_id: str, settings: Settings) -> ImportSummary | ExportResult:
    """Go on with a stopped or killed job in this process, and give what it did.

    Raises
    ------
    JobNotFound, BusinessRuleViolation
        There is no such job; it runs, or another import does.
    """
    job = Ledger(settings.jobs_path).get(job_id)
    verb = resume_export if job.kind == "export" else resume_import
    return verb(job.job_id, settings)


def trigger_job_again(job_id: str, settings: Settings) -> str:
    """Go on with a stopped or killed job in a process of its own, and give its whole job id.

    Raises
    ------
    JobNotFound, BusinessRuleViolation
        As for `resume_job`.
    UsageError
        It is an export that is done.
    JobError
        No process can be started.
    """
    job = Ledger(settings.jobs_path).get(job_id)
    verb = trigger_export_again if job.kind == "export" else trigger_resume
    return verb(job.job_id, settings)
