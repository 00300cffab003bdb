"""One import: page -> clean -> merge -> progress; killed at any moment it goes on after the last commit."""

from __future__ import annotations

import signal as signals
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import polars as pl
import structlog

from wellprod.ahead import ReadAhead, Waiting
from wellprod.errors import FeedDrift, ImportFailed, JobError, TooManyRestatements, WellprodError
from wellprod.feed.page import FailedPage, Page, Place
from wellprod.ingest.changes import part_to_read
from wellprod.ingest.drift import known_type
from wellprod.ingest.group import CleanPage, Group, GroupStore
from wellprod.ingest.kept import PageKeeper
from wellprod.ingest.mapping import cleaned
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.source import Source, first_place
from wellprod.ingest.state import ImportState, saved_state
from wellprod.ingest.summary import ImportSummary, Progress, progress_of
from wellprod.ingest.undo import check_not_undone
from wellprod.ingest.uploads import forget_imported
from wellprod.jobs import Job, Ledger, Status, peak_memory_mb
from wellprod.log import get_logger
from wellprod.settings import Settings
from wellprod.store import Store
from wellprod.text import duration

_TICK_SECONDS = 0.2
_REPORT_SECONDS = 0.5
_CANCEL_SECONDS = 0.05
_OF_NO_PAGE = (ImportFailed, TooManyRestatements, FeedDrift)
_PAGES_AHEAD = 4  # nearly a group, so that one is read while another is stored


class StopRequest:
    """A wish to stop, from a signal or a caller; the import ends after the group it is at."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._event = threading.Event()

    def ask(self, signal: int | None = None) -> None:
        """Ask the import to stop."""
        self.signal = signal
        self._event.set()

    @property
    def is_asked(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()


def run_import(
    job: Job,
    request: ImportRequest,
    settings: Settings,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    stop: StopRequest | None = None,
) -> ImportSummary:
    """Run a job that this process has claimed, to its end, and write the end into the ledger."""
    with structlog.contextvars.bound_contextvars(job_id=job.job_id):
        return _Import(job, request, settings, on_progress or (lambda _: None), stop or StopRequest()).run()


class _Import:
    def __init__(
        self,
        job: Job,
        request: ImportRequest,
        settings: Settings,
        on_progress: Callable[[Progress], None],
        stop: StopRequest,
    ) -> None:
        self.job = job
        self.request = request
        self.settings = settings.model_copy(update={"page_size": request.page_size})
        self.on_progress = on_progress
        self.stop = stop
        self.ledger = Ledger(settings.jobs_path)
        self.store = Store(settings.store_path, settings.store_wait_seconds, settings.store_memory)
        self.log = get_logger()
        self.began = time.monotonic()
        self.state = ImportState()
        self.before_run = ImportState()
        self.source = Source(request, self.settings, self._wait_for)
        self.groups = GroupStore(job, request, self.settings, self.store, self.source, self._measure)
        self.keeper = PageKeeper(job.job_id, request, settings) if settings.keep_pages else None
        self.waiting_for: str | None = None
        self.last_report = self.last_asked = 0.0
        self.storer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    # The course of an import

    def run(self) -> ImportSummary:
        """Run to the end, whatever the end is."""
        status, error = Status.FAILED, None
        try:
            self._load_state()
            is_at_end = self.state.is_complete or self._read_all()
            status = Status.COMPLETED if is_at_end else Status.CANCELLED
        except WellprodError as failure:
            for warning in self.source.warnings:
                self.state.warn(warning)
            told = {**failure.as_dict(), "next": f"{failure.next} {self._how_to_go_on(failure)}".strip()}
            at_page = not (self.state.is_complete or isinstance(failure, _OF_NO_PAGE))
            error = {**told, "failed_page": self.state.place.page} if at_page else told
        except KeyboardInterrupt:
            status = Status.CANCELLED
            self.stop.ask(signals.SIGINT)
        except BaseException as failure:
            self._finish(status, self._error("INTERNAL_ERROR", type(failure).__name__))
            raise
        if status == Status.CANCELLED:
            error = self._error("CANCELLED", "The import was stopped on request.")
        return self._finish(status, error)

    def _error(self, code: str, message: str) -> dict[str, Any]:
        return {"code": code, "message": message, "next": self._how_to_go_on()}

    def _finish(self, status: Status, error: dict[str, Any] | None) -> ImportSummary:
        self._measure(self.state)
        summary = ImportSummary(self.job.job_id, status, self.request, self.state, error, self.stop.signal)
        told = {"code": error["code"], "error": error["message"]} if error else {}
        seconds = round(self.state.elapsed_seconds, 3)
        self.log.info(
            "import_ended", status=str(status), runs=self.job.runs, **_counts(self.state), seconds=seconds, **told
        )
        try:
            self.ledger.finish(self.job.job_id, status, summary=summary.as_dict(), error=error)
            forget_imported(self.settings)
        except WellprodError as failure:  # the disk is full: who asks later sees that the process is gone
            self.state.warn(failure.message)
        return summary

    def _load_state(self) -> None:
        check_not_undone(self.job.job_id, self.settings)
        saved = saved_state(self.store, self.job.job_id)
        self.state = saved or self._fresh_state()
        self.before_run = replace(self.state)
        self.source.known_type = known_type(self.store, self.request)
        self.log.info(
            "import_started",
            source=self.request.as_parameters()["source"],
            paging=self.request.paging,
            part=self.state.part_told,
            page_size=self.request.page_size,
            first_page=self.state.place.page,
            run=self.job.runs,
        )
        if saved:
            self._report(force=True)  # what was stored and, when the last run was killed, not told

    def _fresh_state(self) -> ImportState:
        part = part_to_read(self.request, self.settings, self.store)
        kind = "delta" if part.delta_link else "window" if part.first_month else "all"
        place = Place(link=part.delta_link) if part.delta_link else first_place(self.request)
        return ImportState(place, kind, part.why, part.first_month, self.request.profile or part.profile)

    def _read_all(self) -> bool:
        """Read to the end of the feed; False when it was stopped before."""
        pages = ReadAhead(self._clean_pages(), depth=_PAGES_AHEAD)
        try:
            return self._store_pages(pages)
        finally:
            pages.stop()
            self.source.close()
            self.storer.shutdown()

    def _wait_for(self, text: str) -> None:
        self.waiting_for = text

    def _store_pages(self, pages: ReadAhead[CleanPage | FailedPage]) -> bool:
        group = Group()
        try:
            while group.is_at_end or not self._is_stopped():
                if not group.is_at_end:  # else nothing is waited for any more
                    self._check_time()
                if self._is_due(group):
                    group = self._commit(group)
                try:
                    group.add(pages.next(_TICK_SECONDS))
                except Waiting:
                    self._report()
                    continue
                except StopIteration:
                    self._commit(group, is_last=True)
                    return True
                self.waiting_for = None
                if self._read_enough(group):
                    self._commit(group, is_last=True)
                    return True
        except WellprodError as failure:
            if not (failure.code.startswith("STORE") or isinstance(failure, TooManyRestatements)):
                self._commit(group)
            raise
        self._commit(group)
        return False

    def _is_due(self, group: Group) -> bool:
        if group.is_at_end:  # it is stored as the last one, so that nothing is read again if that is refused
            return False
        is_old = time.monotonic() - group.began > self.settings.group_seconds
        return group.rows >= self.settings.group_records or is_old

    def _read_enough(self, group: Group) -> bool:
        most, first, read = self.request.max_pages, self.request.start_page, group.numbers
        return most is not None and bool(read) and read[-1] - first + 1 >= most

    def _is_stopped(self) -> bool:
        now = time.monotonic()
        if not self.stop.is_asked and now - self.last_asked > _CANCEL_SECONDS:
            self.last_asked = now
            if self.ledger.is_cancel_requested(self.job.job_id):
                self.stop.ask()
        return self.stop.is_asked

    def _check_time(self) -> None:
        limit = self.settings.import_timeout_seconds
        if limit is not None and time.monotonic() - self.began > limit:
            raise ImportFailed(
                f"The import has not ended within {duration(limit)}, the longest time for one run.",
                next="Raise WELLPROD_IMPORT_TIMEOUT_SECONDS, or go on where it stopped.",
            )

    def _how_to_go_on(self, failure: WellprodError | None = None) -> str:
        stored = f"{self.state.processed:,} records of {self.state.pages:,} pages are stored."
        resume = f"wellprod jobs resume {self.job.job_id}"
        if isinstance(failure, FeedDrift):
            return f"Then go on with: {resume}; or take the feed as it is with: {resume} --accept-drift"
        if isinstance(failure, TooManyRestatements):
            undo = f" Else take them back with: wellprod jobs undo {self.job.job_id}" if self.state.processed else ""
            return f"If it is, accept it with: {resume} --accept-restatements. {stored}{undo}"
        return f"{stored} Go on with: {resume}"

    # What becomes of them

    def _clean_pages(self) -> Iterator[CleanPage | FailedPage]:
        """Yield the pages with what they give; this runs in the thread that reads ahead."""
        for page in self.source.pages(self.state):
            if isinstance(page, FailedPage):
                self.log.info("page_failed", page=page.number, code=page.error.code, error=page.error.message)
                yield page
            else:
                if self.keeper:
                    self.keeper.keep(page, self.source.profile_name, self.source.part)
                yield self._clean_page(page)

    def _clean_page(self, page: Page) -> CleanPage:
        began = time.monotonic()
        found = cleaned(page, self.source.profile, self.settings)
        seconds = time.monotonic() - began
        self.log.debug(
            "page_read",
            page=page.number,
            records=found.records.height,
            rejected=found.rejects.height,
            size_bytes=len(page.body),
            request_seconds=round(page.seconds, 3),
            clean_seconds=round(seconds, 3),
        )
        emptied = replace(page, content=replace(page.content, rows=pl.DataFrame()))
        return CleanPage(emptied, found, seconds)

    def _commit(self, group: Group, *, is_last: bool = False) -> Group:
        """Store a group whole; give an empty one."""
        if group.pages or group.failed or is_last:
            # In a thread of its own, since a signal breaks off the query of the main thread.
            before = self.state
            self.state = self.storer.submit(self.groups.stored, before, group, is_last=is_last).result()
            self._report(force=True)
            if group.numbers:
                self._log_group(group, before)
        return Group()

    def _log_group(self, group: Group, before: ImportState) -> None:
        self.log.info(
            "group_stored",
            first_page=group.numbers[0],
            last_page=group.numbers[-1],
            **{name: count - _counts(before)[name] for name, count in _counts(self.state).items()},
            request_seconds=round(self.state.request_seconds - before.request_seconds, 3),
            clean_seconds=round(sum(page.seconds for page in group.pages), 3),
            store_seconds=round(self.state.database_seconds - before.database_seconds, 3),
        )

    def _measure(self, state: ImportState) -> None:
        state.elapsed_seconds = self.before_run.elapsed_seconds + time.monotonic() - self.began
        state.peak_memory_mb = max(state.peak_memory_mb, peak_memory_mb())

    def _report(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self.last_report < _REPORT_SECONDS:
            return
        self.last_report = now
        progress = progress_of(
            self.state,
            run_seconds=now - self.began,
            run_records=self.state.total - self.before_run.total,
            waiting_for=self.waiting_for,
        )
        try:
            self.ledger.report(self.job.job_id, asdict(progress))
        except JobError as failure:  # the records are stored; only the telling failed
            self.log.warning("progress_not_written", reason=failure.message)
        self.on_progress(progress)


def _counts(state: ImportState) -> dict[str, int]:
    return {
        "pages": state.pages,
        "failed_pages": state.failed_pages,
        "records": state.total,
        "new": state.new,
        "duplicate": state.duplicate,
        "restated": state.restated,
        "deleted": state.deleted,
        "rejected": state.failed,
    }
