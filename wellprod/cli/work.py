"""Long work from the command line: with a live line, and stopped by signals in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from wellprod.cli import screen
from wellprod.cli.options import print_json
from wellprod.errors import WellprodError

if TYPE_CHECKING:
    from wellprod.export import ExportRequest, ExportResult
    from wellprod.ingest import StopRequest
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


def export(request: ExportRequest, settings: Settings) -> ExportResult:
    """Export with a live line."""
    from wellprod.export import export_records

    with screen.live_bar("Exporting") as bar:
        return export_records(request, settings, on_progress=bar.exported)


def end_import(summary: Any, settings: Settings, as_json: bool) -> int:
    """Refresh the CSV where the settings ask for it, and show what the import did."""
    from wellprod.export import ExportRequest

    if settings.export_after_import and str(summary.status) == "COMPLETED" and summary.state.processed:
        try:
            export(ExportRequest(), settings)
        except WellprodError as error:
            summary.state.warn(f"The import is whole, but its CSV could not be refreshed: {error}")
    if as_json:
        print_json(summary.as_dict())
    else:
        screen.show_import(summary, settings.store_path)
    return int(summary.exit_code)


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
