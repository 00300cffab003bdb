"""Going on with a job, whichever verb it is of: an import where it was, an export or an undo from its start."""

from __future__ import annotations

from wellprod.export import ExportResult, resume_export, trigger_export_again
from wellprod.ingest import ImportSummary, UndoSummary, resume_import, trigger_resume, undo_import
from wellprod.jobs import Ledger
from wellprod.settings import Settings


def resume_job(
    job_id: str, settings: Settings, *, accept_restatements: bool = False, accept_drift: bool = False
) -> ImportSummary | ExportResult | UndoSummary:
    """Go on with a stopped or killed job in this process, and give what it did; see `resume_import`.

    Raises
    ------
    JobNotFound, BusinessRuleViolation
        There is no such job; it runs, or another import does.
    """
    job = Ledger(settings.jobs_path).get(job_id)
    if job.kind == "undo":
        return undo_import(job.job_id, settings)
    if job.kind == "export":
        return resume_export(job.job_id, settings)
    return resume_import(job.job_id, settings, accept_restatements=accept_restatements, accept_drift=accept_drift)


def trigger_job_again(
    job_id: str, settings: Settings, *, accept_restatements: bool = False, accept_drift: bool = False
) -> str:
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
    if job.kind == "export":
        return trigger_export_again(job.job_id, settings)
    return trigger_resume(job.job_id, settings, accept_restatements=accept_restatements, accept_drift=accept_drift)
