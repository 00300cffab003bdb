"""Many reports on the screen: a live line for each that runs, and how they ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from wellprod.cli.screen import err, out, show_error
from wellprod.text import duration, number

if TYPE_CHECKING:
    from wellprod.reports import ReportsResult


class _Lines:
    """A line for all reports, and one for each that runs."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._failed = self._count = 0

    def planned(self, count: int) -> None:
        """Show how many there will be."""
        self._count = count
        self._all = self._progress.add_task("All fields", total=count, text=self._told(0))

    def began(self, field: str) -> None:
        """Show a line for a field."""
        self._tasks[field] = self._progress.add_task(escape(field), total=None, text="starts a kernel")

    def cell(self, field: str, done: int, total: int) -> None:
        """Show which cell runs."""
        words = f"cell {done} of {total}" if done < total else f"cell {done} of {total}, then its files"
        self._progress.update(self._tasks[field], total=total, completed=done - 1, text=words)

    def ended(self, field: str, error: Mapping[str, Any] | None) -> None:
        """Take the line away; say what went wrong."""
        self._progress.remove_task(self._tasks.pop(field))
        failed = error is not None and error["code"] != "CANCELLED"
        self._failed += failed
        if self._all is not None:
            self._progress.advance(self._all)
            self._progress.update(self._all, text=self._told(int(self._progress.tasks[0].completed)))
        if error and failed and not self._progress.disable:
            self._progress.console.print(f"[red]{escape(field)}:[/] {escape(str(error['message']))}")

    def _told(self, done: int) -> str:
        failed = f", [red]{number(self._failed)} failed[/]" if self._failed else ""
        return f"{number(done - self._failed)} of {number(self._count)} done{failed}"


@contextmanager
def live_reports() -> Iterator[_Lines]:
    """Show how reports go on while the block runs, and what went wrong; nothing where stderr is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[text]}", table_column=Column(min_width=24, no_wrap=True)),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=err, transient=True, refresh_per_second=4, expand=True, disable=not err.is_terminal
    ) as progress:
        yield _Lines(progress)


def show_reports(result: ReportsResult, folder: Path) -> None:
    """Show where the files of each field are, and what went wrong; the errors go to stderr, where cron looks."""
    for report in result.reports:
        colour = {0: "green", 3: "yellow"}.get(report.exit_code, "red")
        took = duration(report.execution_time_seconds)
        out.print(f"[{colour}]{report.outcome}[/]  {escape(str(report.field))} [dim]({took})[/]", soft_wrap=True)
        out.print(f"      {escape((report.pdf or report.html).name)}", soft_wrap=True)
    counts = {"done": result.done, "failed": len(result.failed), "left out": len(result.left_out)}
    counts["not begun"] = len(result.not_begun)
    told = " · ".join(f"{number(count)} {name}" for name, count in counts.items() if count or name == "done")
    took = duration(result.execution_time_seconds)
    out.print(f"[bold]{told}[/], in {took}", soft_wrap=True)
    if result.reports:
        out.print(f"[dim]Notebooks, HTML and PDF are in {escape(str(folder))}[/]", soft_wrap=True)
    reasons = list(result.left_out.values())
    if reasons:
        more = f" and {number(len(reasons) - 3)} more" if len(reasons) > 3 else ""
        out.print(f"[dim]Left out: {escape(' '.join(reasons[:3]))}{more}[/]", soft_wrap=True)
    for field, error in result.failed.items():
        show_error({**error, "message": f"{field}: {error['message']}"})
