"""One export: a selection of records, in batches, in the order of the key, into a file."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import polars as pl
import structlog

from wellprod.ahead import ReadAhead
from wellprod.analysis.production import SelectedProduction, Watch
from wellprod.analysis.selection import Condition
from wellprod.errors import ExportError, UsageError, WellprodError
from wellprod.export.formats import ExportData
from wellprod.export.formats.parquet import write_parquet
from wellprod.export.layout import Layout
from wellprod.export.preset import Preset, find_preset
from wellprod.export.request import ExportRequest
from wellprod.export.shelf import clear_shelf, settle, shelf_name
from wellprod.export.targets import Outgoing, Target, target_of
from wellprod.export.work import working_folder
from wellprod.jobs import Job, Ledger, Status
from wellprod.log import get_logger
from wellprod.schema import RECORD
from wellprod.settings import Settings, bytes_of
from wellprod.store import Limits, Reading, Store, read_copy
from wellprod.text import duration, html_pairs, number, size

Progress = Callable[[int, int], None]
"""Told the records written, or the bytes sent, and how many there are."""


@dataclass(frozen=True, slots=True, repr=False)
class ExportResult:
    """A file that was written; sizes in bytes, times in seconds.

    `path` is a path or an address, `key` its name in the folder or bucket of the target, `file_name` what people save
    it as, and `sha256` the digest of its bytes in hexadecimal.
    """

    job_id: str
    status: Status
    format: str
    preset: str | None
    selection: str
    path: str
    key: str
    file_name: str
    records: int
    size_bytes: int
    sha256: str
    warnings: tuple[str, ...]
    smallest_batch_records: int
    execution_time_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod export --json` prints it."""
        return {**asdict(self), "status": str(self.status), "warnings": list(self.warnings)}

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it."""
        pairs = {
            "Exported": f"{number(self.records)} records in {duration(self.execution_time_seconds)}",
            **({"Preset": self.preset} if self.preset else {}),
            "File": f"{self.path} ({size(self.size_bytes)})",
        }
        return {**pairs, "Note": " ".join(self.warnings)} if self.warnings else pairs

    def __repr__(self) -> str:
        return f"<ExportResult: {number(self.records)} records in {self.path} ({size(self.size_bytes)})>"

    def _repr_html_(self) -> str:
        return html_pairs(self.as_pairs())


_LOOK_SECONDS = 0.5
_SORTING_SHARE = 0.6  # of the memory; the rest is for the batches and what runs them

_COPY_MEMORY = 256_000_000  # bytes; what is slow to write needs no fast reading
_COPY_PART = 200_000  # records sorted at once
_COPY_BATCH = 20_000  # records; a wish to cancel is heard between two batches


class _Cancelled(Exception):
    """Somebody asked the export to stop."""


class _TookTooLong(Exception):
    """The time of the export is over."""


def extension_of(request: ExportRequest, production: SelectedProduction) -> str:
    """Give what the file ends in, once it is known that the selection can be exported as asked.

    Raises
    ------
    ExportError
        The selection is empty.
    UsageError
        It holds more records than the format takes, or does not fit the name of the output.
    """
    records, form = production.record_count, request.form
    if not records:
        raise ExportError(
            "The selection holds no records; nothing was written.", next="Select other months, fields or wells."
        )
    if form.most_records is not None and records > form.most_records:
        raise UsageError(
            f"The selection holds {number(records)} records; {request.format_name} takes {number(form.most_records)}.",
            next="Select fewer fields, wells or months, or export as excel, csv or parquet.",
        )
    endings = form.endings(len(production.months))
    named = request.named
    fitting = [ending for ending in form.extensions if named.lower().endswith(f".{ending}")]
    if fitting and not set(fitting) & set(endings):
        raise UsageError(
            f"{number(len(production.months))} months make a .{endings[0]} file; {named} is none.",
            next=f"Name it {PurePath(named).stem}.{endings[0]}, or select other months.",
        )
    return next((ending for ending in endings if ending in fitting), endings[0])


def preset_of(request: ExportRequest, settings: Settings) -> Preset | None:
    """Give the preset of a request, read and checked; None where it asks for none.

    Raises
    ------
    PresetError
        It is not there, or is wrong.
    """
    return find_preset(request.preset, settings.presets_path) if request.preset else None


def run_export(
    job: Job,
    request: ExportRequest,
    settings: Settings,
    *,
    on_progress: Progress | None = None,
    on_sent: Progress | None = None,
) -> ExportResult:
    """Run a job that this process has claimed, to its end, and write the end into the ledger.

    Raises
    ------
    StoreMissing, StoreBusy, StoreError, SelectionError, PresetError
        The store cannot be read, or no longer has what was selected; or the preset is gone or wrong.
    ExportError
        The file cannot be written, the selection is empty, or the export was cancelled or took too long.
    """
    target = target_of(request.output, settings)
    export = _Export(job.job_id, request, target, settings, on_progress or _untold, on_sent or _untold)
    with structlog.contextvars.bound_contextvars(job_id=job.job_id), export.ended():
        return export.run()


def _untold(done: int, total: int) -> None:
    """Hear of progress that nobody follows."""


class _Export:
    """One export: what it has written so far, and in which batches."""

    def __init__(
        self,
        job_id: str,
        request: ExportRequest,
        target: Target,
        settings: Settings,
        on_progress: Progress,
        on_sent: Progress,
    ) -> None:
        self.job_id, self.request, self.target, self.settings = job_id, request, target, settings
        self.ledger = Ledger(settings.jobs_path)
        self.on_progress, self.on_sent = on_progress, on_sent
        self.batch_records = settings.export_batch_records
        self.warnings = request.notices
        self.written = self.total = 0
        self.log = get_logger()
        self.began = time.monotonic()
        self.layout: Layout | None = None
        self.shelf_name = ""
        self._ahead: ReadAhead[pl.DataFrame] | None = None

    def run(self) -> ExportResult:
        """Write the file, put it in its place, and write the end into the ledger."""
        self.log.info(
            "export_started",
            format=self.request.format_name,
            preset=self.request.preset_name,
            selection=self.request.selection.name,
            target=self.target.address,
        )
        with ExitStack() as working:
            folder = working.enter_context(working_folder(self.settings, self.ledger, self.job_id))
            self._check()
            self.target.check()
            with self._production(folder) as production:
                extension = extension_of(self.request, production)
                key = self.request.key(self.job_id, extension)
                part = working.enter_context(self.target.receiving(key, folder))
                self.request.form.write(self._data(production, extension, folder), part)
            self._check()  # the store is free for others from here
            if self.shelf_name:
                key = f"{self.shelf_name}.{extension}"
                settle(part)
            place = self.target.place(key)
            file_name = self.request.file_name(extension) if place.endswith(key) else PurePath(place).name
            written, sha256 = part.stat().st_size, _sha256(part)
            self.target.put(part, Outgoing(key, file_name, written, sha256, self._seconds_left, self._sent_of(written)))
        if self.shelf_name:
            clear_shelf(Path(place))
        if self.layout:
            self.warnings += self.layout.notices
        result = ExportResult(
            job_id=self.job_id,
            status=Status.COMPLETED,
            format=self.request.format_name,
            preset=self.request.preset_name,
            selection=self.request.selection.name,
            path=place,
            key=key,
            file_name=file_name,
            records=self.written,
            size_bytes=written,
            sha256=sha256,
            warnings=tuple(self.warnings),
            smallest_batch_records=self.batch_records,
            execution_time_seconds=round(time.monotonic() - self.began, 3),
        )
        self.ledger.finish(self.job_id, Status.COMPLETED, summary=result.as_dict())
        self._log_end(Status.COMPLETED, size_bytes=written)
        return result

    @contextmanager
    def ended(self) -> Iterator[None]:
        """Write into the ledger how the export ended when it does not end well."""
        try:
            yield
        except BaseException as failure:
            left = " ".join([f"{self.target.address} is unchanged.", *getattr(failure, "__notes__", ())])
            if isinstance(failure, _Cancelled | KeyboardInterrupt):
                error = ExportError(f"The export was stopped on request; {left}", next="Export again.")
                self._log_end(Status.CANCELLED, code=error.code, error=error.message)
                self.ledger.finish(self.job_id, Status.CANCELLED, error=error.as_dict())
                if isinstance(failure, KeyboardInterrupt):
                    raise
                raise error from None
            if isinstance(failure, _TookTooLong):
                limit = duration(self.settings.export_timeout_seconds)
                told: WellprodError = ExportError(
                    f"The export took longer than {limit}; {left}",
                    next="Raise WELLPROD_EXPORT_TIMEOUT_SECONDS, or select less.",
                )
            else:
                told = failure if isinstance(failure, WellprodError) else ExportError(repr(failure))
            self._log_end(Status.FAILED, code=told.code, error=told.message)
            with suppress(WellprodError):  # the disk is full: who asks later sees that the process is gone
                self.ledger.finish(self.job_id, Status.FAILED, error=told.as_dict())
            if told is failure:
                raise
            raise told from failure

    def _log_end(self, status: Status, **more: Any) -> None:
        seconds = round(time.monotonic() - self.began, 3)
        self.log.info(
            "export_ended",
            status=str(status),
            format=self.request.format_name,
            records=self.written,
            seconds=seconds,
            **more,
        )

    def _data(self, production: SelectedProduction, extension: str, folder: Path) -> ExportData:
        columns, layout = self.request.columns_in_order, self.layout
        return ExportData(
            production=production,
            selection=self.request.selection,
            schema=layout.schema if layout else {name: RECORD[name] for name in columns},
            table=layout.table if layout else lambda batch: batch.select(columns),
            folder=folder,
            made_at=datetime.now(UTC),
            extension=extension,
            threads=self.settings.export_threads,
            formulas_as_text=self.request.formulas_as_text,
            warn=self.warnings.append,
            null_text=layout.preset.null if layout else "",
        )

    @contextmanager
    def _production(self, folder: Path) -> Iterator[SelectedProduction]:
        """Give what is to be written: from the store, or from a copy of it where writing takes long."""
        share, is_slow = _SORTING_SHARE, self.request.form.is_slow
        if is_slow:
            share = min(share, _COPY_MEMORY / bytes_of(self.settings.export_memory))
            self.batch_records = min(self.batch_records, _COPY_BATCH)
        limits = Limits(self.settings.export_memory, self.settings.export_threads, share)
        copy = folder / "records.parquet"
        store = Store(self.settings.store_path, self.settings.store_wait_seconds)
        with store.read(limits, as_known_on=self.request.known_until) as reading, self._interrupted_on_end(reading):
            condition = self.request.selection.condition(reading)
            if self.request.shelf_name:  # the records may have changed since it was asked for
                self.shelf_name = shelf_name(reading, condition)
            if preset := preset_of(self.request, self.settings):
                self.layout = Layout(preset, reading, condition, is_text=self.request.form.is_text)
            if not is_slow:
                yield self._selected(reading, condition, self._counted)
                return
            batches = self._selected(reading, condition, self._checked).batches_in_parts(_COPY_PART)
            write_parquet(batches, RECORD, copy)
        with read_copy(copy, limits) as reading, self._interrupted_on_end(reading):
            yield self._selected(reading, ("TRUE", ()), self._counted)

    def _selected(self, reading: Reading, condition: Condition, watch: Watch) -> SelectedProduction:
        production = SelectedProduction(
            reading,
            condition,
            batch_records=self.batch_records,
            on_smaller=self._note_smaller,
            watch=watch,
        )
        self.total = production.record_count
        return production

    @contextmanager
    def _interrupted_on_end(self, reading: Reading) -> Iterator[None]:
        """Break off a query that goes on when somebody asks for it or time is over; read no more after the block."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(min(_LOOK_SECONDS, max(self._seconds_left, 0.05))):
                with suppress(WellprodError):  # the ledger may be asked again
                    if self._reason_to_stop():
                        reading.interrupt()  # again and again: there may be no query just now

        looking = threading.Thread(target=look, name="export-watch", daemon=True)
        looking.start()
        try:
            yield
        except Exception:
            with suppress(WellprodError):  # a full disk keeps the ledger from being read, too
                self._check()  # which tells why it was broken off
            raise
        finally:
            ended.set()
            looking.join()
            reading.interrupt()
            if self._ahead:
                self._ahead.stop(wait=True)

    def _note_smaller(self, batch_records: int) -> None:
        self.log.warning("export_batch_halved", reason="memory ran short", batch_records=batch_records)
        self.batch_records = batch_records

    def _checked(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Give the batches on, the next one read meanwhile; broken off when somebody asks for it or time is over."""
        self._ahead = ReadAhead(batches, depth=1)
        for batch in self._ahead:
            self._check()
            yield batch

    def _counted(self, batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Give the batches on as `_checked` does, counted and reported."""
        for batch in self._checked(batches):
            yield batch
            self.written += batch.height
            percent = round(100.0 * self.written / self.total, 1)
            done = {"records_processed": self.written, "estimated_total": self.total, "progress_percentage": percent}
            self.ledger.report(self.job_id, done)
            self.on_progress(self.written, self.total)

    def _sent_of(self, total: int) -> Callable[[int], None]:
        """Give what a target tells the bytes sent, of so many."""

        def sent(count: int) -> None:
            self._check()
            done = {"records_processed": self.written, "estimated_total": self.total, "stage": "upload"}
            bytes_sent = {"bytes_sent": count, "bytes_total": total}
            percent = {"progress_percentage": round(100.0 * count / total, 1) if total else 100.0}
            self.ledger.report(self.job_id, {**done, **bytes_sent, **percent})
            self.on_sent(count, total)

        return sent

    def _check(self) -> None:
        if reason := self._reason_to_stop():
            raise reason

    def _reason_to_stop(self) -> Exception | None:
        if self._seconds_left <= 0:
            return _TookTooLong()
        return _Cancelled() if self.ledger.is_cancel_requested(self.job_id) else None

    @property
    def _seconds_left(self) -> float:
        return self.began + self.settings.export_timeout_seconds - time.monotonic()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
