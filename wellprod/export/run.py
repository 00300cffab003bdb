"""One export: a selection of records, in batches, in the order of the key, into a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import structlog

from wellprod.ahead import ReadAhead
from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError, WellprodError
from wellprod.export.formats import Format, find_format
from wellprod.export.targets import replacing
from wellprod.jobs import Ledger, Status
from wellprod.log import get_logger
from wellprod.settings import Settings
from wellprod.store import Store


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One export: which records, in which form, into which file; None for the default file."""

    selection: Selection = field(default_factory=Selection)
    format: str = "csv"
    output: Path | None = None


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A file that was written; sizes in bytes, times in seconds."""

    job_id: str
    status: Status
    format: str
    path: str
    records: int
    size_bytes: int
    smallest_batch_records: int
    execution_time_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod export --json` prints it."""
        return {**asdict(self), "status": str(self.status)}


_SORTING_SHARE = 0.6  # of the memory; the rest is for the batches and what runs them


class _Cancelled(Exception):
    """Somebody asked the export to stop."""


def export_records(
    request: ExportRequest,
    settings: Settings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExportResult:
    """Write the selected records to a file, which is whole or not there.

    Parameters
    ----------
    on_progress
        Told the records written and the records there are.

    Raises
    ------
    UsageError
        The format, a field, a well or a month is not known; no job was made.
    StoreMissing, StoreBusy, StoreError
        The store cannot be read.
    ExportError
        The file cannot be written, the selection is empty, or the export was cancelled.
    """
    form = find_format(request.format)
    target = (request.output or settings.csv_path.with_suffix(f".{form.extension}")).expanduser().resolve()
    store = Store(settings.store_path, settings.store_wait_seconds)
    with store.read() as reading:
        request.selection.condition(reading)
    ledger = Ledger(settings.jobs_path)
    parameters = {"selection": request.selection.as_dict(), "format": request.format, "path": str(target)}
    job_id = ledger.create("export", parameters).job_id
    export = _Export(job_id, settings, ledger, on_progress or (lambda done, total: None))
    with structlog.contextvars.bound_contextvars(job_id=job_id), _ended(ledger, job_id, target):
        with replacing(target) as part:
            export.write(store, request.selection, form, part)
        result = ExportResult(
            job_id=job_id,
            status=Status.COMPLETED,
            format=request.format,
            path=str(target),
            records=export.written,
            size_bytes=target.stat().st_size,
            smallest_batch_records=export.batch_records,
            execution_time_seconds=round(time.monotonic() - export.began, 3),
        )
        ledger.finish(job_id, Status.COMPLETED, summary=result.as_dict())
        return result


@contextmanager
def _ended(ledger: Ledger, job_id: str, target: Path) -> Iterator[None]:
    """Write into the ledger how the export ended when it does not end well."""
    try:
        yield
    except (_Cancelled, KeyboardInterrupt) as stopped:
        error = ExportError(f"The export was stopped on request; {target} is unchanged.", next="Export again.")
        ledger.finish(job_id, Status.CANCELLED, error=error.as_dict())
        if isinstance(stopped, KeyboardInterrupt):
            raise
        raise error from None
    except BaseException as failure:
        told = failure if isinstance(failure, WellprodError) else ExportError(repr(failure))
        with suppress(WellprodError):  # the disk is full: who asks later sees that the process is gone
            ledger.finish(job_id, Status.FAILED, error=told.as_dict())
        raise


class _Export:
    """One export: what it has written so far, and in which batches."""

    def __init__(
        self, job_id: str, settings: Settings, ledger: Ledger, on_progress: Callable[[int, int], None]
    ) -> None:
        self.job_id = job_id
        self.settings = settings
        self.ledger = ledger
        self.on_progress = on_progress
        self.batch_records = settings.export_batch_records
        self.written = 0
        self.began = time.monotonic()

    def write(self, store: Store, selection: Selection, form: Format, path: Path) -> None:
        """Write the selected records; the next batch is read while one is written."""
        memory, threads = self.settings.export_memory, self.settings.export_threads
        with store.read(memory=memory, threads=threads, share=_SORTING_SHARE) as reading:
            condition, values = selection.condition(reading)
            total = reading.value(f"SELECT count(*) FROM production WHERE {condition}", values)
            if not total:
                raise ExportError("The selection holds no records; nothing was written.", next="Select more.")
            batches = reading.records(
                condition, values, batch_records=self.batch_records, on_smaller=self._note_smaller
            )
            ahead = ReadAhead(batches, depth=1)
            try:
                form.write(self._watched(ahead, total), path)
            finally:
                ahead.stop(wait=True)

    def _note_smaller(self, batch_records: int) -> None:
        get_logger().warning("export_batch_halved", reason="memory ran short", batch_records=batch_records)
        self.batch_records = batch_records

    def _watched(self, batches: Iterable[pl.DataFrame], total: int) -> Iterator[pl.DataFrame]:
        """Give the batches on, counted, reported, and broken off when somebody asks for it."""
        for batch in batches:
            if self.ledger.is_cancel_requested(self.job_id):
                raise _Cancelled
            yield batch
            self.written += batch.height
            percent = round(100.0 * self.written / total, 1)
            done = {"records_processed": self.written, "estimated_total": total, "progress_percentage": percent}
            self.ledger.report(self.job_id, done)
            self.on_progress(self.written, total)
