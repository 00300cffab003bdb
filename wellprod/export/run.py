"""One export: a selection of records, in batches, in the order of the key, into a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import structlog

from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError, WellprodError
from wellprod.export.formats import find_format
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
    target = (request.output or settings.home / f"wells_prod.{form.extension}").expanduser().resolve()
    store = Store(settings.store_path, settings.store_wait_seconds, settings.store_memory)
    with store.read() as reading:
        request.selection.condition(reading)
    ledger = Ledger(settings.jobs_path)
    parameters = {"selection": request.selection.as_dict(), "format": request.format, "path": str(target)}
    job = ledger.create("export", parameters)
    with structlog.contextvars.bound_contextvars(job_id=job.job_id):
        export = _Export(job.job_id, settings, ledger, on_progress or (lambda done, total: None))
        try:
            with (
                replacing(target) as part,
                store.read(memory=settings.export_memory, threads=settings.export_threads) as reading,
            ):
                condition, values = request.selection.condition(reading)
                total = reading.value(f"SELECT count(*) FROM production WHERE {condition}", values)
                if not total:
                    raise ExportError("The selection holds no records; nothing was written.", next="Select more.")
                batches = reading.records(
                    condition,
                    values,
                    batch_records=settings.export_batch_records,
                    on_smaller=export.note_smaller,
                )
                form.write(export.watched(batches, total), part)
        except (_Cancelled, KeyboardInterrupt) as stopped:
            error = ExportError(f"The export was stopped on request; {target} is unchanged.", next="Export again.")
            ledger.finish(job.job_id, Status.CANCELLED, error=error.as_dict())
            if isinstance(stopped, KeyboardInterrupt):
                raise
            raise error from None
        except BaseException as failure:
            known = isinstance(failure, WellprodError)
            error = failure if known else ExportError(repr(failure))  # type: ignore[assignment]
            ledger.finish(job.job_id, Status.FAILED, error=error.as_dict())
            raise
        result = ExportResult(
            job_id=job.job_id,
            status=Status.COMPLETED,
            format=request.format,
            path=str(target),
            records=export.written,
            size_bytes=target.stat().st_size,
            smallest_batch_records=export.batch_records,
            execution_time_seconds=round(time.monotonic() - export.began, 3),
        )
        ledger.finish(job.job_id, Status.COMPLETED, summary=result.as_dict())
        return result


class _Export:
    """What one export has written so far."""

    def __init__(
        self, job_id: str, settings: Settings, ledger: Ledger, on_progress: Callable[[int, int], None]
    ) -> None:
        self.job_id = job_id
        self.ledger = ledger
        self.on_progress = on_progress
        self.batch_records = settings.export_batch_records
        self.written = 0
        self.began = time.monotonic()

    def note_smaller(self, batch_records: int) -> None:
        get_logger().warning("export_batch_halved", reason="memory ran short", batch_records=batch_records)
        self.batch_records = batch_records

    def watched(self, batches: Iterator[pl.DataFrame], total: int) -> Iterator[pl.DataFrame]:
        for batch in batches:
            if self.ledger.is_cancel_requested(self.job_id):
                raise _Cancelled
            yield batch
            self.written += batch.height
            percent = round(100.0 * self.written / total, 1)
            self.ledger.report(
                self.job_id,
                {"records_processed": self.written, "estimated_total": total, "progress_percentage": percent},
            )
            self.on_progress(self.written, total)
