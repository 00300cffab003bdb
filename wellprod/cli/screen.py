"""What the command line shows: tables and messages for people on stdout, progress on stderr."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from wellprod.text import duration, figure, heading, moment, number, size

if TYPE_CHECKING:
    import polars as pl

    from wellprod.analysis.measures import Measure
    from wellprod.analysis.saved import SavedSelections
    from wellprod.export import Preset
    from wellprod.ingest import ImportSummary
    from wellprod.ingest import Progress as ImportProgress
    from wellprod.jobs import Job
    from wellprod.reports import Report, ReportResult

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_WIDE = 100  # columns from which a job id is shown whole; its first eight characters name it too
_NAME = 8  # columns that a name keeps in a narrow window
_COLOURS = {
    "COMPLETED": "green",
    "RUNNING": "cyan",
    "PENDING": "cyan",
    "FAILED": "red",
    "CANCELLED": "yellow",
}


def show_error(error: Mapping[str, Any]) -> None:
    """Say on stderr what happened and what to do next."""
    _say(err, f"[bold red]Error:[/] {escape(str(error['message']))}")
    if error.get("next"):
        _say(err, f"[bold]Next:[/] {escape(str(error['next']))}")


def say(text: str) -> None:
    """Say on stderr what is beside the matter."""
    _say(err, escape(text))


def _say(console: Console, text: str) -> None:
    """Print a sentence: wrapped between words for people, on one line for files and programs."""
    console.print(text, soft_wrap=not console.is_terminal)


class _Bar:
    """One live line on stderr; where stderr is no terminal, nothing."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress = progress
        self._task = task

    def imported(self, now: ImportProgress) -> None:
        """Show how far an import is."""
        pages = f"page {number(now.current_page)}" + (f" of {number(now.total_pages)}" if now.total_pages else "")
        records = number(now.records_processed) + (f" of {number(now.estimated_total)}" if now.estimated_total else "")
        left = ""
        if now.records_per_second and now.estimated_total:
            seconds = max(now.estimated_total - now.records_processed, 0) / now.records_per_second
            left = f" · {duration(seconds)} left" if seconds else ""
        speed = f"{number(now.records_per_second)} records/s"
        text = f"{records} records · {pages} · {speed}{left}"
        if now.waiting_for:
            text = f"[yellow]{escape(now.waiting_for)}[/]"
        self._update(text, now.progress_percentage)

    def exported(self, done: int, total: int) -> None:
        """Show how far an export is."""
        self._update(f"{number(done)} of {number(total)} records", 100.0 * done / max(total, 1))

    def sent(self, done: int, total: int) -> None:
        """Show how much of a file is sent."""
        self._update(f"{size(done)} of {size(total)} sent", 100.0 * done / max(total, 1))

    def reported(self, done: int, total: int) -> None:
        """Show which cell of a notebook runs."""
        self._update(f"cell {number(done)} of {number(total)}", 100.0 * (done - 1) / total)

    def told(self, text: str, percentage: float | None) -> None:
        """Show what is being done, and how much of it is."""
        self._update(text, percentage)

    def _update(self, text: str, percentage: float | None) -> None:
        self._progress.update(
            self._task, total=100.0 if percentage is not None else None, completed=percentage or 0, text=text
        )


@contextmanager
def live_bar(title: str) -> Iterator[_Bar]:
    """Show a live line while the block runs."""
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=err, transient=True, refresh_per_second=8, disable=not err.is_terminal) as progress:
        yield _Bar(progress, progress.add_task(title, total=None, text="starting"))


def show_import(summary: ImportSummary, store: Path) -> None:
    """Show what an import did, and where the records are."""
    values = summary.as_dict()
    counts, pages, speed = values["import_summary"], values["pagination_summary"], values["performance"]
    status = values["status"]
    table = _grid()
    table.add_row("Status", f"[bold {_COLOURS[status]}]{status}[/]")
    table.add_row("Job", values["job_id"])
    table.add_row("Source", escape(values["source"]) + (f" (profile {values['profile']})" if values["profile"] else ""))
    if summary.request.changes:
        table.add_row("Read", escape(values["read"]["told"]))
    batch = values["batch_result"]
    table.add_row("Records", f"{number(batch['total_items'])} read, {number(batch['processed_items'])} stored")
    table.add_row(
        "",
        f"{number(counts['new_records'])} new · {number(counts['duplicate_records'])} duplicate ·"
        f" {number(counts['restated_records'])} restated · {number(counts['error_records'])} rejected",
    )
    if counts["deleted_records"]:
        table.add_row("", f"{number(counts['deleted_records'])} deleted, which the feed no longer has")
    failed = f", [red]{number(pages['failed_pages'])} failed[/]" if pages["failed_pages"] else ""
    table.add_row(
        "Pages",
        f"{number(pages['processed_pages'])}{failed}, asked for {number(pages['page_size'])} records each",
    )
    if values["kept_pages"]:
        table.add_row("Kept", escape(str(store.parent / values["kept_pages"])))
    table.add_row(
        "Time",
        f"{duration(speed['total_execution_time_seconds'])} · {number(speed['average_throughput_per_second'])}"
        f" records/s · {number(batch['memory_usage_mb'])} MB of memory at most",
    )
    table.add_row("Store", escape(str(store)))
    out.print(table)
    _list("Rejected", counts["rejects_by_reason"])
    _list("Quality findings", counts["quality_findings"])
    if unmapped := values["schema"].get("unmapped"):
        _say(out, f"[bold]Not mapped:[/] {escape(', '.join(unmapped))}")
    for warning in values["warnings"]:
        _say(out, f"[yellow]Warning:[/] {escape(warning)}")
    for error in values["errors"][:10]:
        page = f"page {error['page']}: " if error.get("page") else ""
        _say(out, f"[red]Error:[/] {page}{escape(error['message'])}")
        _say(out, f"[bold]Next:[/] {escape(error['next'])}")
    if len(values["errors"]) > 10:
        out.print(
            f"and {number(len(values['errors']) - 10)} more errors; all are in: wellprod jobs show {values['job_id']}"
        )


def show_jobs(jobs: list[Job], undone: Container[str], ledger: Path) -> None:
    """Show jobs, one a line, which imports were undone, and where they are kept."""
    if not jobs:
        _say(out, f"There are no jobs yet in {escape(str(ledger))}.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    narrow = out.width < _WIDE
    for title in ("job", "kind", "status", "started", "took", "records"):
        table.add_column(title, justify="right" if title in ("took", "records") else "left", no_wrap=True)
    for job in jobs:
        table.add_row(
            job.job_id[:8] if narrow else job.job_id,
            job.kind,
            f"[{_COLOURS[job.status]}]{job.status}[/]{', undone' if job.job_id in undone else ''}",
            moment(job.started_at),
            duration(job.execution_time_seconds),
            number(job.records),
        )
    out.print(table)
    _say(out, f"[dim]Kept in {escape(str(ledger))}[/]")


def show_job(job: Job, more: Mapping[str, str]) -> None:
    """Show one job whole, and what more is known of it."""
    table = _grid()
    for name, value in {**job.as_pairs(), **more}.items():
        is_status = name == "Status"
        table.add_row(name, f"[bold {_COLOURS[job.status]}]{value}[/]" if is_status else escape(value))
    out.print(table)


def show_report(result: ReportResult) -> None:
    """Show how a report ended, and its files; what failed goes to stderr, where cron looks."""
    colour = "yellow" if result.exit_code == 3 else _COLOURS[result.status]
    table = _grid()
    table.add_row("Status", f"[bold {colour}]{result.status}[/] ({result.outcome.lower()})")
    table.add_row("Time", duration(result.execution_time_seconds))
    table.add_row("Notebook", escape(str(result.notebook)))
    table.add_row("HTML", escape(str(result.html)))
    if result.pdf:
        table.add_row("PDF", escape(str(result.pdf)))
    out.print(table)
    if result.error:
        show_error(result.error)


def show_reports(reports: list[Report], folder: Path) -> None:
    """Show the notebooks that can be run, and what each can be given."""
    for report in reports:
        out.print(f"[bold]{escape(report.name)}[/]  {escape(report.title)}", soft_wrap=True)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for parameter in report.parameters:
            table.add_row("", *map(escape, (parameter.name, parameter.type, str(parameter.default), parameter.help)))
        if report.parameters:
            out.print(table)
    _say(out, f"[dim]{number(len(reports))} reports in {escape(str(folder))}[/]")


def show_measures(measures: Iterable[Measure]) -> None:
    """Show the measures: what each is, its column in both systems of units, and how it is made."""
    for measure in measures:
        columns = dict.fromkeys(f"{measure.column(units)}" for units in ("oilfield", "metric"))
        out.print(f"[bold]{escape(measure.name)}[/]  {escape(measure.title)} [dim]({escape(', '.join(columns))})[/]")
        for name, text in measure.told.items():
            if name in ("Formula", "Null"):
                out.print(Padding(f"[dim]{name}:[/] {escape(text.strip())}", (0, 0, 0, 2)))


def show_presets(presets: list[Preset], folder: Path) -> None:
    """Show the layouts that an export can have, their columns, and where they were read."""
    for preset in presets:
        out.print(f"[bold]{escape(preset.name)}[/]  {escape(preset.title)}", soft_wrap=True)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for name, meaning in preset.meanings.items():
            table.add_row("", escape(name), escape(meaning))
        out.print(table)
        if preset.source:
            out.print(Padding(f"[dim]Read in: {escape(preset.source)}[/]", (0, 0, 1, 2)))
    _say(out, f"[dim]Your own go into {escape(str(folder))} as NAME.toml[/]")


def show_selections(selections: SavedSelections, folder: Path) -> None:
    """Show saved selections, one a line, what is wrong with some, and where they are kept."""
    if not selections:
        _say(out, f"No selection is saved in {escape(str(folder))}.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in selections.HEADINGS:
        table.add_column(title, overflow="fold")
    for saved in selections:
        if saved.selection:
            table.add_row(*map(escape, saved.as_row()))
    if table.row_count:
        out.print(table)
    for saved in selections:
        if saved.problem:
            show_error(saved.problem.as_dict())
    _say(out, f"[dim]Kept in {escape(str(folder))}[/]")


def show_table(title: str, frame: pl.DataFrame) -> None:
    """Show a frame as a table; names with a unit behind them are given it in their heading."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, header_style="bold", pad_edge=False)
    rows = [[_cell(value) for value in row] for row in frame.iter_rows()]
    headings = [_heading(name) for name in frame.columns]
    widths = [max(map(len, [*text.splitlines(), *(row[place] for row in rows)])) for place, text in enumerate(headings)]
    figures = [kind.is_numeric() for kind in frame.dtypes]
    gaps = 2 * (len(widths) - 1)
    while out.is_terminal and sum(widths) + gaps > out.width:  # a narrow window shortens names, never figures
        width, place = max((0 if figures[at] else width, at) for at, width in enumerate(widths))
        if width <= _NAME:
            break
        widths[place] = width - 1
    for text, width, is_figure in zip(headings, widths, figures, strict=True):
        justify: Literal["left", "right"] = "right" if is_figure else "left"
        table.add_column(text, justify=justify, overflow="ellipsis", no_wrap=True, width=width)
    for row in rows:
        table.add_row(*map(escape, row))
    Console(width=max(out.width, sum(widths) + gaps), highlight=False).print(table)


def show_lines(title: str, lines: Iterable[str]) -> None:
    """Show texts under a title, each on one line, cut where a window ends."""
    out.print(f"\n[bold]{escape(title)}[/]")
    for line in lines:
        cut = out.is_terminal
        out.print(escape(line), no_wrap=cut, overflow="ellipsis" if cut else "ignore", soft_wrap=not cut)


def show_pairs(pairs: Mapping[str, str]) -> None:
    """Show names with their values."""
    table = _grid()
    for name, value in pairs.items():
        table.add_row(name, escape(value))
    out.print(table)


def _cell(value: object) -> str:
    if isinstance(value, date):
        return f"{value:%Y-%m}"
    return figure(value) if isinstance(value, int | float) else str(value or "")


def _heading(name: str) -> str:
    words, unit = heading(name)
    return f"{words}\n({unit})" if unit else words


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _list(title: str, counts: Mapping[str, int]) -> None:
    if counts:
        _say(out, f"[bold]{title}:[/] {escape(_counts(counts))}")


def _counts(counts: Mapping[str, int] | int) -> str:
    """Give counts by name, the largest first; or one count."""
    if isinstance(counts, int):
        return number(counts)
    return ", ".join(f"{name} ({number(count)})" for name, count in sorted(counts.items(), key=lambda c: -c[1]))
