"""One report: parameters checked, the notebook run, its outcome read, pages made, old runs cleared, people told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from wellprod import errors
from wellprod.errors import ReportError, WellprodError
from wellprod.jobs import SUMMARY_MIME, Status
from wellprod.reports.files import prune, reserve
from wellprod.reports.notebook import find_report
from wellprod.reports.notify import notify
from wellprod.reports.stop import StopReport
from wellprod.reports.subject import subject_of
from wellprod.settings import Settings

_WORDS = {0: "Done", 3: "Done with rejects or missing records"}


@dataclass(frozen=True, slots=True)
class ReportResult:
    """One run of a report: how it ended, and the files it left; `error` has message and next where it failed.

    `field` is what it is about, where its parameters name one; `pdf` is None where none was asked for or made.
    """

    name: str
    status: Status
    notebook: Path
    html: Path
    pdf: Path | None
    exit_code: int
    execution_time_seconds: float
    error: dict[str, Any] | None = None
    field: str | None = None

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        return _WORDS.get(self.exit_code, "Stopped on request" if self.status == Status.CANCELLED else "Failed")

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod report NAME --json` prints it."""
        paths = {name: str(path) if (path := getattr(self, name)) else None for name in ("notebook", "html", "pdf")}
        return {**asdict(self), "status": str(self.status), "outcome": self.outcome, **paths}


def run_report(
    name: str,
    parameters: Mapping[str, Any],
    settings: Settings,
    *,
    pdf: bool = True,
    on_progress: Callable[[int, int], None] | None = None,
    stop: StopReport | None = None,
) -> ReportResult:
    """Run the notebook `name` of `settings.notebooks`; keep it in `settings.reports_path`, HTML and PDF beside it.

    A notebook that fails is no exception here: it is kept, its HTML says why, and the result has the error.

    Parameters
    ----------
    parameters
        Values by name; a text is read as the type that the notebook gives the parameter.
    pdf
        Whether to make a PDF.
    on_progress
        Told the number of the cell that begins, and of all cells.
    stop
        Asked to stop, it interrupts the notebook.

    Raises
    ------
    UsageError
        The report or a parameter is not known, or a value is not allowed; no kernel was started.
    NotThere, StoreMissing
        A field that it is about is not in the store, or there is no store; no kernel was started.
    ReportError
        The folder of the reports cannot be written.
    """
    report = find_report(name, settings)
    values = report.parse(parameters)
    subject = subject_of(report, values, settings)
    # Here, since they take seconds to load, and wrong use is told at once.
    from wellprod.reports.kernel import outputs_of, run_notebook
    from wellprod.reports.page import write_page
    from wellprod.reports.pdf import write_pdf
    from wellprod.reports.shown import as_shown

    stop = stop or StopReport()
    began, ran_at = time.monotonic(), datetime.now().astimezone()
    try:
        stem = f"{name}-{subject.label}" if subject else name
        path = reserve(settings.reports_path, stem, ran_at)
        notebook, failure = run_notebook(
            report.path,
            path,
            values,
            settings.as_environment(),
            on_progress=on_progress or (lambda done, total: None),
            stop=stop,
        )
        status, code, error = _ending(outputs_of(notebook), failure, stop)
        took = round(time.monotonic() - began, 3)
        files = (path, path.with_suffix(".html"), path.with_suffix(".pdf") if pdf else None)
        result = ReportResult(name, status, *files, code, took, error, subject.title if subject else None)
        title, shown = as_shown(notebook, report.title)
        told = {parameter.name: parameter.default for parameter in report.parameters} | values
        write_page(result.html, shown, title, ran_at=ran_at, parameters=told, result=result.as_dict())
        if result.pdf:
            write_pdf(result.pdf, shown, title, ran_at=ran_at, parameters=told, result=result.as_dict())
        prune(settings.reports_path, stem, settings.reports_kept)
    except OSError as problem:
        raise ReportError(
            f"The report {name} could not be kept in {settings.reports_path}: {problem.strerror or problem}.",
            next="Make room or make the folder writable, or set WELLPROD_REPORTS; then run it again.",
        ) from problem
    failed = status == Status.FAILED
    if settings.report_notify and (failed or settings.report_notify_on == "always"):
        notify(settings.report_notify.get_secret_value(), report.title, result.as_dict())
    return result


def _told(message: str, next: str) -> dict[str, Any]:
    return {**ReportError(message, next=next).as_dict(), "code": "NOTEBOOK_FAILED"}


def _ending(outputs: list[Any], failure: str | None, stop: StopReport) -> tuple[Status, int, dict[str, Any] | None]:
    """Tell how the run ended: its status, its exit code, and what to tell people."""
    summaries = [output.data[SUMMARY_MIME] for output in outputs if SUMMARY_MIME in output.get("data", ())]
    raised = next((output for output in outputs if output.output_type == "error"), None)
    codes = {summary["exit_code"] for summary in summaries}
    broken = next((summary for summary in summaries if summary["exit_code"] not in _WORDS), None)
    of_import = broken["errors"][-1] if broken and broken["errors"] else None  # says more than what came of it
    if stop.is_asked:
        told = _told("The report was stopped on request.", of_import["next"] if of_import else "Run it again.")
        return Status.CANCELLED, 128 + stop.signal if stop.signal else 1, {**told, "code": "CANCELLED"}
    if failure or raised or broken:
        told = of_import or (_of_kernel(failure) if failure else _of_cell(raised))
        return Status.FAILED, 1, {name: told[name] for name in ("code", "message", "next")}
    return Status.COMPLETED, max(codes, default=0), None


def _of_kernel(failure: str) -> dict[str, Any]:
    return _told(
        f"The kernel of the notebook ended before its time: {failure}.",
        "See whether the machine ran out of memory, and run it again.",
    )


def _of_cell(raised: Any) -> dict[str, Any]:
    """Tell the exception that ended the notebook; one of ours says by itself what to do."""
    ours = getattr(errors, raised.ename, None)
    if isinstance(ours, type) and issubclass(ours, WellprodError):
        return _told(raised.evalue, "")
    text = f"{raised.ename}: {raised.evalue}" if raised.evalue else raised.ename
    return _told(f"The notebook failed: {text}", "The traceback is in the notebook.")
