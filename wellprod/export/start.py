"""How an export begins: in this process, or in one of its own that outlives this one."""

from __future__ import annotations

from wellprod.analysis.production import SelectedProduction
from wellprod.errors import BusinessRuleViolation, UsageError
from wellprod.export.request import ExportRequest
from wellprod.export.run import ExportResult, Progress, extension_of, preset_of, run_export
from wellprod.jobs import Job, Ledger, Status, start_in_background
from wellprod.settings import Settings
from wellprod.store import Store


def export_records(
    request: ExportRequest,
    settings: Settings,
    *,
    on_progress: Progress | None = None,
    on_sent: Progress | None = None,
) -> ExportResult:
    """Write the selected records to a file, which is whole or not there.

    Parameters
    ----------
    on_progress
        Told the records written and the records there are.
    on_sent
        Told the bytes sent and the bytes there are, where the target is not of this machine.

    Raises
    ------
    UsageError
        A field, a well, a month or a preset is not known, or the preset is wrong; no job was made.
    StoreMissing, StoreBusy, StoreError
        The store cannot be read.
    ExportError
        The file cannot be written, the selection is empty, or the export was cancelled.
    """
    request = _checked(request, settings, Status.RUNNING)
    job = Ledger(settings.jobs_path).create("export", request.as_parameters())
    return run_export(job, request, settings, on_progress=on_progress, on_sent=on_sent)


def trigger_export(request: ExportRequest, settings: Settings, *, wait_seconds: float | None = None) -> str:
    """Enter an export into the ledger, start it in a process of its own, and give its job id without waiting.

    Without an output it goes to the `export_target` of the settings, else to `downloads_path`, from where a page or a
    program fetches it.

    Parameters
    ----------
    wait_seconds
        Longest wait for the store here, where it is not that of the settings; that of the job is.

    Raises
    ------
    UsageError, StoreMissing, StoreBusy, StoreError, ExportError
        As for `export_records`.
    BusinessRuleViolation, JobError
        As for `begin_export`.
    """
    return begin_export(_checked(request, settings, Status.PENDING, wait_seconds), settings)


def begin_export(request: ExportRequest, settings: Settings) -> str:
    """Enter an export that can be made, start it in a process of its own, and give its job id.

    Raises
    ------
    BusinessRuleViolation
        As many exports as may run at once do.
    JobError
        No process can be started.
    """
    ledger = Ledger(settings.jobs_path)
    if (active := len(ledger.active_jobs(kind="export"))) >= settings.exports_at_once:
        raise BusinessRuleViolation(
            f"{active} exports are pending or running, and up to {settings.exports_at_once} may be at once.",
            next="Ask again when one of them has ended, or raise WELLPROD_EXPORTS_AT_ONCE.",
            rule="EXPORTS_AT_ONCE",
        )
    job = ledger.create("export", request.as_parameters(), status=Status.PENDING)
    start_in_background(job, ledger, settings)
    return job.job_id


def resume_export(
    job_id: str, settings: Settings, *, on_progress: Progress | None = None, on_sent: Progress | None = None
) -> ExportResult:
    """Run an export that is pending, or that stopped, from its beginning, under the job id it has.

    Raises
    ------
    JobNotFound, BusinessRuleViolation
        There is no such job, or it runs.
    UsageError
        It is no export, or is completed; or its preset is not there any more, or is wrong.
    """
    job = _claimed(job_id, settings, Status.RUNNING)
    request = ExportRequest.from_parameters(job.parameters)
    return run_export(job, request, settings, on_progress=on_progress, on_sent=on_sent)


def trigger_export_again(job_id: str, settings: Settings) -> str:
    """Run a stopped export again in a process of its own, and give its whole job id.

    Raises
    ------
    JobNotFound, BusinessRuleViolation, UsageError, JobError
        As for `resume_export`, or no process can be started.
    """
    job = _claimed(job_id, settings, Status.PENDING)
    start_in_background(job, Ledger(settings.jobs_path), settings)
    return job.job_id


def _checked(
    request: ExportRequest, settings: Settings, status: Status, wait_seconds: float | None = None
) -> ExportRequest:
    """Give a request that can be met, with the format and the output that it leaves open.

    Where no output is given, one that runs at once goes beside the store, any other to the target of the settings.
    """
    if preset := preset_of(request, settings):
        request = request.or_format(preset.format)
    store = Store(settings.store_path, wait_seconds or settings.store_wait_seconds)
    with store.read(as_known_on=request.known_until) as reading:
        extension = extension_of(request, SelectedProduction(reading, request.selection.condition(reading)))
    if not request.output:
        then = f"as_known_on_{request.as_known_on}" if request.as_known_on else None
        stem = "_".join(word for word in (settings.csv_path.stem, request.preset_name, then) if word)
        beside = settings.csv_path.with_name(f"{stem}.{extension}")
        if output := beside if status == Status.RUNNING else _as_folder(settings.export_target):
            request = request.to(output)
    return request


def _as_folder(target: str | None) -> str | None:
    """Give the path of a target so that it is a folder, though it may not be there yet."""
    return f"{target}/" if target and "://" not in target else target


def _claimed(job_id: str, settings: Settings, status: Status) -> Job:
    ledger = Ledger(settings.jobs_path)
    job = ledger.get(job_id)
    if job.kind != "export" or job.status == Status.COMPLETED:
        raise UsageError(
            f"The job {job_id} is a {job.status} {job.kind}; there is nothing to export again.",
            next="Make a new export of it, if need be.",
        )
    preset_of(ExportRequest.from_parameters(job.parameters), settings)
    return ledger.claim(job.job_id, status=status)
