"""One report for each of several fields: some at once, each kept or failed by itself."""

from __future__ import annotations

import signal
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

from wellprod.analysis.field.month import field_month, fields_of
from wellprod.analysis.selection import Selection
from wellprod.errors import ReportError, UsageError, WellprodError
from wellprod.jobs import Status
from wellprod.log import configure_logs, get_logger
from wellprod.reports.notebook import find_report
from wellprod.reports.run import ReportResult, run_report
from wellprod.reports.stop import StopReport
from wellprod.reports.subject import subject_of
from wellprod.settings import Settings
from wellprod.store import Store


@dataclass(frozen=True, slots=True)
class ReportsResult:
    """How the reports of several fields ended; `left_out` has those that were not run, with the reason."""

    name: str
    reports: tuple[ReportResult, ...]
    failures: Mapping[str, Mapping[str, Any]]
    left_out: Mapping[str, str]
    not_begun: tuple[str, ...]
    stopped_by: int | None
    execution_time_seconds: float

    @property
    def failed(self) -> dict[str, Mapping[str, Any]]:
        """The error of each field whose report failed."""
        of_cells = {str(report.field): report.error for report in self.reports if report.status == Status.FAILED}
        return {field: error for field, error in of_cells.items() if error} | dict(self.failures)

    @property
    def done(self) -> int:
        """The reports that came to their end."""
        return sum(report.status == Status.COMPLETED for report in self.reports)

    @property
    def status(self) -> Status:
        """Whether all were done, one failed, or they were stopped."""
        if self.stopped_by is not None or self.not_begun:
            return Status.CANCELLED
        return Status.FAILED if self.failed else Status.COMPLETED

    @property
    def exit_code(self) -> int:
        """0; 1 where one failed; 3 where one is done with rejects; 128 and the signal where they were stopped."""
        if self.status == Status.CANCELLED:
            return 128 + self.stopped_by if self.stopped_by else 1
        return 1 if self.failed else max((report.exit_code for report in self.reports), default=0)

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod report NAME --each-field --json` prints it."""
        return {
            "name": self.name,
            "status": str(self.status),
            "exit_code": self.exit_code,
            "done": self.done,
            "failed": [{"field": field, **error} for field, error in self.failed.items()],
            "left_out": [{"field": field, "reason": reason} for field, reason in self.left_out.items()],
            "not_begun": list(self.not_begun),
            "execution_time_seconds": self.execution_time_seconds,
            "reports": [report.as_dict() for report in self.reports],
        }


class Watch:
    """Told how reports go on; does nothing by itself."""

    def planned(self, count: int) -> None:
        """So many will be run."""

    def began(self, field: str) -> None:
        """The report of a field begins."""

    def cell(self, field: str, done: int, total: int) -> None:
        """A cell of it begins."""

    def ended(self, field: str, error: Mapping[str, Any] | None) -> None:
        """It has ended, well or not."""


def run_reports(
    name: str,
    parameters: Mapping[str, Any],
    selection: Selection,
    settings: Settings,
    *,
    at_once: int = 2,
    pdf: bool = True,
    watch: Watch | None = None,
    stop: StopReport | None = None,
) -> ReportsResult:
    """Run the notebook `name` for each field of a selection, `at_once` at a time, each in a process of its own.

    All is checked before the first kernel starts; a field without a record of the month that is asked for is left
    out. One that fails does not stop the others. Asked to stop, those that run are kept as stopped, and none begins.

    Raises
    ------
    UsageError
        The report takes no field, or a parameter is not known or not allowed.
    NotThere, StoreMissing
        A field or well is not in the store, or there is no store.
    """
    watch, stop, began = watch or Watch(), stop or StopReport(), time.monotonic()
    plan, left_out = _plan(name, parameters, selection, settings)
    watch.planned(len(plan))
    waiting, running = deque(plan), _Running(watch, stop)
    try:
        while (waiting and not stop.is_asked) or running:
            while waiting and len(running) < at_once and not stop.is_asked:
                field, values = waiting.popleft()
                running.start(field, (name, values, settings, pdf))
            if running:
                running.wait()
    finally:
        running.kill()
    reports = sorted(running.reports, key=lambda report: str(report.field))
    took = round(time.monotonic() - began, 3)
    not_begun = tuple(field for field, _ in waiting)
    return ReportsResult(name, tuple(reports), running.failures, left_out, not_begun, stop.signal, took)


class _Running:
    """The reports that run, each in a process of its own, so that none can harm another."""

    def __init__(self, watch: Watch, stop: StopReport) -> None:
        self.watch, self.stop = watch, stop
        self.reports: list[ReportResult] = []
        self.failures: dict[str, dict[str, Any]] = {}
        self._processes: dict[Connection, tuple[str, BaseProcess, ExitStack]] = {}

    def __len__(self) -> int:
        return len(self._processes)

    def start(self, field: str, asked: tuple[Any, ...]) -> None:
        """Start a report."""
        self.watch.began(field)
        ours, theirs = Pipe()
        process = get_context("spawn").Process(target=run_alone, args=(theirs, *asked), name=f"report of {field}")
        ends = ExitStack()
        ends.enter_context(self.stop.telling(partial(_tell, ours)))  # before it starts: the pipe keeps what is told
        process.start()
        theirs.close()
        self._processes[ours] = (field, process, ends)

    def wait(self) -> None:
        """Wait until one of them tells something, and take note of it."""
        for connection in wait([*self._processes]):
            assert isinstance(connection, Connection)  # noqa: S101 - we gave no other
            field, process, _ = self._processes[connection]
            try:
                told = connection.recv()
            except (EOFError, ConnectionResetError):
                process.join()
                told = _told_dead(process.exitcode)
            if isinstance(told, tuple):
                self.watch.cell(field, *told)
            else:
                self._end(connection, told)

    def _end(self, connection: Connection, told: ReportResult | dict[str, Any]) -> None:
        field, process, ends = self._processes.pop(connection)
        with ends:
            process.join()
            connection.close()
        if isinstance(told, ReportResult):
            self.reports.append(replace(told, field=field))
        else:
            self.failures[field] = told
        self.watch.ended(field, told.error if isinstance(told, ReportResult) else told)

    def kill(self) -> None:
        """End what still runs, where all is broken off; the kernels end with their processes."""
        for _, process, _ in self._processes.values():
            process.terminate()


def run_alone(connection: Connection, name: str, values: Mapping[str, Any], settings: Settings, pdf: bool) -> None:
    """Run one report in this process: tell each cell and, at the end, the result or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes to all processes: the one that started us tells
    configure_logs(settings.log_level, settings.log_format, request_id=settings.request_id)
    stop = StopReport()
    Thread(target=_listen, args=(connection, stop), daemon=True).start()
    told: ReportResult | dict[str, Any]
    try:
        told = run_report(name, values, settings, pdf=pdf, on_progress=lambda *cells: connection.send(cells), stop=stop)
    except Exception as problem:  # whatever it is, the others go on
        if not isinstance(problem, WellprodError):
            get_logger().exception("report_broke")
        told = _as_told(problem)
    connection.send(told)


def _tell(connection: Connection, signal_asked: int | None) -> None:
    with suppress(OSError):  # it has just ended
        connection.send(signal_asked)


def _listen(connection: Connection, stop: StopReport) -> None:
    """Stop when told to, and when who started us is gone."""
    try:
        stop.ask(connection.recv())
    except (EOFError, OSError):
        stop.ask()


def _told_dead(exitcode: int | None) -> dict[str, Any]:
    problem = ReportError(
        f"The process of the report ended before its time (exit code {exitcode}).",
        next="See whether the machine ran out of memory, and run it again with a smaller --at-once.",
    )
    return problem.as_dict()


def _as_told(problem: Exception) -> dict[str, Any]:
    """Give any failure as people are told it."""
    if isinstance(problem, WellprodError):
        return problem.as_dict()
    return ReportError(f"{type(problem).__name__}: {problem}", next="The log has the traceback.").as_dict()


def _plan(
    name: str, parameters: Mapping[str, Any], selection: Selection, settings: Settings
) -> tuple[list[tuple[str, dict[str, Any]]], dict[str, str]]:
    """Give each field's title, with its code where several bear it, and its values; and why others are left out."""
    report = find_report(name, settings)
    if "field" not in {parameter.name for parameter in report.parameters}:
        raise UsageError(f"The report {name} takes no field.", next="Run it once: leave out --each-field.")
    if "field" in parameters:
        raise UsageError("One field and each field are asked for.", next="Leave out -p field, or --each-field.")
    given = report.parse(parameters)
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        fields = fields_of(reading, selection)
        if selection.last_month and "as_of" not in given:
            ends = {field: field_month(reading, field, last_month=selection.last_month).month for field in fields}
        else:
            ends = {}
    plan, left_out, refusal = [], {}, None
    for field in fields:
        values = {**given, "field": field} | ({"as_of": f"{ends[field]:%Y-%m}"} if field in ends else {})
        try:
            subject = subject_of(report, report.parse(values), settings)
        except UsageError as error:
            refusal, left_out[field] = error, error.message
        else:
            plan.append((subject.title if subject else field, values))
    titles = Counter(title for title, _ in plan)
    plan = [(f"{title} ({values['field']})" if titles[title] > 1 else title, values) for title, values in plan]
    if not plan:
        raise refusal or UsageError("The selection has no field.", next="Give other fields or months.")
    return plan, left_out
