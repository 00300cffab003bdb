"""How an import begins: in this process, or in one of its own that outlives this one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from wellprod.errors import BusinessRuleViolation, StoreError, UsageError
from wellprod.feed.clean import check_rules
from wellprod.feed.profile import find_profile
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.run import run_import
from wellprod.ingest.state import ImportState, saved_state
from wellprod.ingest.summary import ImportSummary
from wellprod.ingest.undo import undone_by
from wellprod.jobs import Job, Ledger, Status, start_in_background
from wellprod.settings import Settings
from wellprod.store import Store


def start_import(request: ImportRequest, settings: Settings, **watching: Any) -> ImportSummary:
    """Enter an import into the ledger and run it in this process; `watching` as for `run_import`.

    Raises
    ------
    BusinessRuleViolation
        Another import runs; `details["job_id"]` is its id.
    ProfileError, SettingsError
        The profile that was asked for, or a rule that rejects, does not exist or is wrong.
    """
    return run_import(_entered(request, settings, Status.RUNNING), request, settings, **watching)


def trigger_import(request: ImportRequest, settings: Settings) -> str:
    """Enter an import into the ledger, start it in a process of its own, and give its job id without waiting.

    Raises
    ------
    BusinessRuleViolation, ProfileError, SettingsError
        As for `start_import`.
    JobError
        No process can be started.
    """
    job = _entered(request, settings, Status.PENDING)
    _start(job, request, settings)
    return job.job_id


def resume_import(
    job_id: str,
    settings: Settings,
    *,
    accept_restatements: bool = False,
    accept_drift: bool = False,
    **watching: Any,
) -> ImportSummary:
    """Go on with an import after its last commit; a completed one is only told again.

    Parameters
    ----------
    accept_restatements
        Whether it may change any share of the months that the store holds from now on.
    accept_drift
        Whether it goes on though the feed changed what the profile reads.

    Raises
    ------
    JobNotFound, BusinessRuleViolation
        There is no such job, an import runs, or it was undone.
    """
    accepted = _accepted(restatements=accept_restatements, drift=accept_drift)
    request, job = _claimed(job_id, settings, Status.RUNNING, accepted)
    if job.status == Status.COMPLETED:
        state = saved_state(Store(settings.store_path, settings.store_wait_seconds), job.job_id)
        return ImportSummary(job.job_id, job.status, request, state or ImportState())
    return run_import(job, request, settings, **watching)


def trigger_resume(
    job_id: str, settings: Settings, *, accept_restatements: bool = False, accept_drift: bool = False
) -> str:
    """Go on with an import in a process of its own, and give its whole job id; a completed one stays as it is.

    Raises
    ------
    JobNotFound, BusinessRuleViolation, JobError
        There is no such job, an import runs, it was undone, or no process can be started.
    """
    accepted = _accepted(restatements=accept_restatements, drift=accept_drift)
    request, job = _claimed(job_id, settings, Status.PENDING, accepted)
    if job.status != Status.COMPLETED:
        _start(job, request, settings)
    return job.job_id


def _entered(request: ImportRequest, settings: Settings, status: Status) -> Job:
    check_rules(settings.reject_rules)
    if request.profile:
        find_profile(request.profile, settings.profiles_path)
    return Ledger(settings.jobs_path).create("import", request.as_parameters(), status=status)


def _accepted(**given: bool) -> dict[str, bool]:
    """Give what was accepted as the parameters of the job say it."""
    return {f"accept_{name}": True for name, is_given in given.items() if is_given}


def _claimed(job_id: str, settings: Settings, status: Status, accepted: dict[str, bool]) -> tuple[ImportRequest, Job]:
    ledger = Ledger(settings.jobs_path)
    job = ledger.get(job_id)
    if job.kind != "import":
        raise UsageError(f"The job {job_id} is no import but a job of the kind {job.kind}.", next="Start it again.")
    request = ImportRequest.from_parameters({**job.parameters, **accepted}, settings)
    undone = None
    with suppress(StoreError):  # the import itself tells it, as its end
        undone = undone_by(job.job_id, settings)
    if undone:
        raise BusinessRuleViolation(
            f"The import {job.job_id} was undone by the job {undone}, and cannot go on.",
            next="Import again.",
            rule="NOT_UNDONE",
            job_id=job.job_id,
        )
    return request, ledger.claim(job.job_id, status=status, parameters=accepted)


def _start(job: Job, request: ImportRequest, settings: Settings) -> None:
    # The address goes by the environment, since a job row does not keep the secrets in it.
    feed_url = None if request.is_file else request.source
    start_in_background(job, Ledger(settings.jobs_path), settings, feed_url=feed_url)
