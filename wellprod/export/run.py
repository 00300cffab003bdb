"""One export: a selection of records, in batches, in the order of the key, into a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import structlog

from wellprod.ahead import ReadAhead
from wellprod.errors import ExportError, WellprodError
from wellprod.export.request import ExportRequest
from wellprod.export.targets import replacing
from wellprod.jobs import Job, Ledger, Status
from wellprod.log import get_logger
from wellprod.settings import Settings
from wellprod.store import Store
from wellprod.text import duration, html_pairs, number, size


@dataclass(frozen=True, slots=True, repr=False)
class ExportResult:
    """A file that was written; sizes in bytes, times in seconds."""

    job_id: str
    status: Status
    format: str
    path: str
    file_name: str
    records: int
    size_bytes: int
    smallest_batch_records: int
    execution_time_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod export --json` prints it."""
        return {**asdict(self), "status": str(self.status)}

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it."""
        return {
            "Exported": f"{number(self.records)} records in {duration(self.execution_time_seconds)}",
            "File": f"{self.path} ({size(self.size_bytes)})",
        }

    def __repr__(self) -> str:
        return f"<ExportResult: {number(self.records)} records in {self.path} ({size(self.size_bytes)})>"

    def _repr_html_(self) -> str:
        return html_pairs(self.as_pairs())


_SORTING_SHARE = 0.6  # of the memory; the rest is for the batches and what runs them


class _Cancelled(Exception):
    """Somebody asked the export to stop."""


def run_export(
    job: Job,
    request: ExportRequest,
    settings: Settings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> ExportResult:
    """Run a job that this process has claimed, to its end, and write the end into the ledger.

    Raises
    ------
    StoreMissing, StoreBusy, StoreError, SelectionError
        The store cannot be read, or no longer has what was selected.
    ExportError
        The file cannot be written, the selection is empty, or the export was cancelled.
    """
    target = request.output or settings.downloads_path / f"{job.job_id}.{request.form.extension}"
    ledger = Ledger(settings.jobs_path)
    export = _Export(job.job_id, settings, ledger, on_progress or (lambda done, total: None))
    with structlog.contextvars.bound_contextvars(job_id=job.job_id), _ended(ledger, job.job_id, target):
        with replacing(target) as part:
            export.write(request, part)
        result = ExportResult(
            job_id=job.job_id,
            status=Status.COMPLETED,
            format=request.format,
            path=str(target),
            file_name=target.name if request.output else request.file_name,
            records=export.written,
            size_bytes=target.stat().st_size,
            smallest_batch_records=export.batch_records,
            execution_time_seconds=round(time.monotonic() - export.began, 3),
        )
        ledger.finish(job.job_id, Status.COMPLETED, summary=result.as_dict())
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

    def write(self, request: ExportRequest, path: Path) -> None:
        """Write the selected records; the next batch is read while one is written."""
        store = Store(self.settings.store_path, self.settings.store_wait_seconds)
        memory, threads = self.settings.export_memory, self.settings.export_threads
        with store.read(memory=memory, threads=threads, share=_SORTING_SHARE) as reading:
            condition, values = request.selection.condition(reading)
            total = reading.value(f"SELECT count(*) FROM production WHERE {condition}", values)
            if not total:
                raise ExportError("The selection holds no records; nothing was written.", next="Select more.")
            batches = reading.records(
                condition, values, batch_records=self.batch_records, on_smaller=self._note_smaller
            )
            ahead = ReadAhead(batches, depth=1)
            columns = request.columns_in_order
            try:
                request.form.write((batch.select(columns) for batch in self._watched(ahead, total)), path)
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
