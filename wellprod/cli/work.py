"""Long work from the command line: with a live line, and stopped by signals in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from wellprod.cli import many, screen
from wellprod.cli.options import print_json
from wellprod.errors import WellprodError

if TYPE_CHECKING:
    from wellprod.export import ExportRequest, ExportResult
    from wellprod.ingest import ImportSummary, StopRequest
    from wellprod.reports import StopReport
    from wellprod.settings import Settings

Stop = TypeVar("Stop", "StopRequest", "StopReport")


@contextmanager
def watched_import() -> Iterator[dict[str, Any]]:
    """Give what an import is watched with: a live line, and a wish to stop at Ctrl-C or SIGTERM."""
    from wellprod.ingest import StopRequest

    with _stopping_on_signals(StopRequest()) as stop, screen.live_bar("Importing") as bar:
        yield {"on_progress": bar.imported, "stop": stop}


@contextmanager
def watched_report() -> Iterator[dict[str, Any]]:
    """Give what a report is watched with: a live line, and a wish to stop at Ctrl-C or SIGTERM."""
    from wellprod.reports import StopReport

    with _stopping_on_signals(StopReport()) as stop, screen.live_bar("Running") as bar:
        yield {"on_progress": bar.reported, "stop": stop}


@contextmanager
def watched_reports() -> Iterator[dict[str, Any]]:
    """Give what several reports are watched with: a live line for each that runs, and a wish to stop them all."""
    from wellprod.reports import StopReport

    with _stopping_on_signals(StopReport()) as stop, many.live_reports() as watch:
        yield {"watch": watch, "stop": stop}


def export(request: ExportRequest, settings: Settings) -> ExportResult:
    """Export with a live line."""
    from wellprod.export import export_records

    with _interrupted_on_sigterm(), screen.live_bar("Exporting") as bar:
        return export_records(request, settings, on_progress=bar.exported, on_sent=bar.sent)


def resume(
    job_id: str, settings: Settings, as_json: bool, *, accept_restatements: bool = False, accept_drift: bool = False
) -> int:
    """Go on with a stopped job, and show how it ends."""
    from wellprod.export import resume_export
    from wellprod.ingest import resume_import
    from wellprod.jobs import Ledger

    job = Ledger(settings.jobs_path).get(job_id)
    if job.kind == "export":
        with _interrupted_on_sigterm(), screen.live_bar("Exporting") as bar:
            result = resume_export(job.job_id, settings, on_progress=bar.exported, on_sent=bar.sent)
        return end_export(result, as_json)
    if job.kind == "undo":
        return undo(job.job_id, settings, as_json)
    with watched_import() as watching:
        accepted = {"accept_restatements": accept_restatements, "accept_drift": accept_drift}
        summary = resume_import(job.job_id, settings, **accepted, **watching)
    return end_import(summary, settings, as_json)


def undo(job_id: str, settings: Settings, as_json: bool) -> int:
    """Take an import back with a live line, and show what became of its records."""
    from wellprod.ingest import undo_import

    with _interrupted_on_sigterm(), screen.live_bar("Undoing") as bar:
        summary = undo_import(job_id, settings, on_progress=bar.exported)
    if as_json:
        print_json(summary.as_dict())
    else:
        screen.show_pairs(summary.as_pairs())
    return 0


def run_pending(job_id: str, settings: Settings) -> int:
    """Run a job that was triggered to run in the background, in this process."""
    from wellprod.export import resume_export
    from wellprod.ingest import StopRequest, resume_import
    from wellprod.jobs import Ledger, Status

    ledger = Ledger(settings.jobs_path)
    try:
        if ledger.get(job_id).kind == "export":
            with _interrupted_on_sigterm():
                resume_export(job_id, settings)
            return 0
        with _stopping_on_signals(StopRequest()) as stop:
            summary = resume_import(job_id, settings, stop=stop)
        _refresh_csv(summary, settings)
        return summary.exit_code
    except WellprodError as error:
        if ledger.get(job_id).status == Status.PENDING:  # it never began, so nobody else writes its end
            ledger.finish(job_id, Status.FAILED, error=error.as_dict())
        raise


def end_trigger(job_id: str, settings: Settings, as_json: bool) -> int:
    """Tell the id of a job that runs in the background, and how to follow it."""
    from wellprod.jobs import Ledger, Status

    job = Ledger(settings.jobs_path).get(job_id)
    if as_json:
        print_json(job.as_dict())
    else:
        screen.out.print(job_id)
        says = "It is done already; see it" if job.status == Status.COMPLETED else "It runs by itself; follow it"
        screen.err.print(f"{says} with: wellprod jobs show {job_id}", soft_wrap=True)
    return 0


def end_import(summary: ImportSummary, settings: Settings, as_json: bool) -> int:
    """Refresh the CSV where the settings ask for it, and show what the import did."""
    _refresh_csv(summary, settings)
    if as_json:
        print_json(summary.as_dict())
    else:
        screen.show_import(summary, settings.store_path)
    return summary.exit_code


def end_export(result: ExportResult, as_json: bool) -> int:
    """Show what an export wrote."""
    if as_json:
        print_json(result.as_dict())
    else:
        screen.show_pairs(result.as_pairs())
    return 0


def _refresh_csv(summary: ImportSummary, settings: Settings) -> None:
    from wellprod.export import ExportRequest

    if settings.export_after_import and str(summary.status) == "COMPLETED" and summary.state.processed:
        try:
            export(ExportRequest(), settings)
        except WellprodError as error:
            summary.state.warn(f"The import is whole, but its CSV could not be refreshed: {error}")


@contextmanager
def _interrupted_on_sigterm() -> Iterator[None]:
    """Take a SIGTERM as a Ctrl-C, so that the job is ended in order."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _stopping_on_signals(stop: Stop) -> Iterator[Stop]:
    """Turn the first Ctrl-C or SIGTERM into a wish to stop; the second one breaks off at once."""

    def ask(number: int, _: Any) -> None:
        if stop.is_asked:
            raise KeyboardInterrupt
        stop.ask(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
