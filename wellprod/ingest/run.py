"""One import: page -> clean -> merge -> progress; killed at any moment it goes on after the last commit."""

from __future__ import annotations

import signal as signals
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import structlog

from wellprod.errors import FeedRefused, WellprodError, mask_secrets, unmask_secrets
from wellprod.feed.clean import Cleaned, check_rules, clean
from wellprod.feed.jsonfile import JsonFile
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import Content, FailedPage, Page, Place, first_rows, read_content
from wellprod.feed.profile import Profile, find_profile, load_profiles, recognise_profile
from wellprod.ingest.ahead import ReadAhead, Waiting
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.state import ImportState
from wellprod.ingest.summary import ImportSummary, Progress, progress_of
from wellprod.jobs import Job, Ledger, Status
from wellprod.log import get_logger
from wellprod.settings import Settings
from wellprod.store import Store, load_cursor

_TICK_SECONDS = 0.2
_REPORT_SECONDS = 0.5
_LINK_GONE = {400, 404, 410}


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


def start_import(request: ImportRequest, settings: Settings, **watching: Any) -> ImportSummary:
    """Enter an import into the ledger and run it in this process; `watching` as for `run_import`.

    Raises
    ------
    BusinessRuleViolation
        Another import runs; `details["job_id"]` is its id.
    ProfileError, SettingsError
        The profile that was asked for, or a rule that rejects, does not exist or is wrong.
    """
    check_rules(settings.reject_rules)
    if request.profile:
        find_profile(request.profile, settings.profiles_path)
    job = Ledger(settings.jobs_path).create("import", request.as_parameters())
    return run_import(job, request, settings, **watching)


def resume_import(job_id: str, settings: Settings, **watching: Any) -> ImportSummary:
    """Go on with an import after its last commit; a completed one is only told again.

    Raises
    ------
    JobNotFound, BusinessRuleViolation
        There is no such job, or an import runs.
    """
    ledger = Ledger(settings.jobs_path)
    request = ImportRequest.from_parameters(ledger.get(job_id).parameters, settings)
    job = ledger.claim(job_id)
    if job.status == Status.COMPLETED:
        return ImportSummary(job.job_id, job.status, request, _saved_state(settings, job.job_id) or ImportState())
    return run_import(job, request, settings, **watching)


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


@dataclass(slots=True)
class _Group:
    """Pages that become one transaction."""

    pages: list[tuple[Page, Cleaned]] = field(default_factory=list)
    failed: list[FailedPage] = field(default_factory=list)
    rows: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def next(self) -> Place | None:
        places = [*(page.next for page, _ in self.pages), *(page.next for page in self.failed)]
        known = [place for place in places if place is not None]
        return max(known, key=lambda place: place.page) if known else None


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
        self.profile: Profile | None = None
        self.properties_checked = False
        self.feed: ODataFeed | None = None
        self.waiting_for: str | None = None
        self.last_report = 0.0

    # The course of an import

    def run(self) -> ImportSummary:
        """Run to the end, whatever the end is."""
        status, error = Status.FAILED, None
        try:
            self._load_state()
            if not self.state.is_complete:
                finished = self._read_all()
                status = Status.COMPLETED if finished else Status.CANCELLED
            else:
                status = Status.COMPLETED
        except WellprodError as failure:
            error = failure.as_dict()
            error["next"] = f"{failure.next} {self._how_to_go_on()}".strip()
        except KeyboardInterrupt:
            status = Status.CANCELLED
            self.stop.ask(signals.SIGINT)
        except BaseException as failure:
            self._finish(
                Status.FAILED,
                {"code": "INTERNAL_ERROR", "message": repr(failure), "next": self._how_to_go_on()},
            )
            raise
        if status == Status.CANCELLED:
            error = {
                "code": "CANCELLED",
                "message": "The import was stopped on request.",
                "next": self._how_to_go_on(),
            }
        return self._finish(status, error)

    def _finish(self, status: Status, error: dict[str, Any] | None) -> ImportSummary:
        self.state.elapsed_seconds = self.before_run.elapsed_seconds + time.monotonic() - self.began
        summary = ImportSummary(self.job.job_id, status, self.request, self.state, error, self.stop.signal)
        self.log.info("import_ended", status=str(status), records=self.state.total, error=error)
        try:
            self.ledger.finish(self.job.job_id, status, summary=summary.as_dict(), error=error)
        except WellprodError as failure:  # the disk is full: who asks later sees that the process is gone
            self.state.warn(failure.message)
        return summary

    def _load_state(self) -> None:
        self.state = _saved_state(self.settings, self.job.job_id) or self._fresh_state()
        self.before_run = replace(self.state)
        name = self.request.profile or self.state.profile
        self.profile = find_profile(name, self.settings.profiles_path) if name else None

    def _fresh_state(self) -> ImportState:
        page = self.request.start_page
        return ImportState(place=Place(page, skip=(page - 1) * self.request.page_size))

    def _read_all(self) -> bool:
        """Read to the end of the feed; False when it was stopped before."""
        self._check_file()
        pages: ReadAhead[Page | FailedPage] = ReadAhead(self._pages())
        try:
            return self._store_pages(pages)
        finally:
            pages.stop()
            if self.feed:
                self.feed.close()

    def _store_pages(self, pages: ReadAhead[Page | FailedPage]) -> bool:
        group = _Group()
        try:
            while not self._is_stopped():
                try:
                    page = pages.next(_TICK_SECONDS)
                except Waiting:
                    self._report()
                    continue
                except StopIteration:
                    self._complete(group)
                    return True
                self.waiting_for = None
                self._add(group, page)
                if self._read_enough(group):
                    self._complete(group)
                    return True
                if (
                    group.rows >= self.settings.group_records
                    or time.monotonic() - group.began > self.settings.group_seconds
                ):
                    group = self._commit(group)
        except WellprodError as failure:
            if not failure.code.startswith("STORE"):
                self._commit(group)
            raise
        self._commit(group)
        return False

    def _read_enough(self, group: _Group) -> bool:
        waiting = len(group.pages) + len(group.failed)
        limit = self.request.max_pages
        return limit is not None and self.state.pages + self.state.failed_pages + waiting >= limit

    def _is_stopped(self) -> bool:
        return self.stop.is_asked or self.ledger.is_cancel_requested(self.job.job_id)

    def _how_to_go_on(self) -> str:
        stored = f"{self.state.processed:,} records of {self.state.pages:,} pages are stored."
        return f"{stored} Go on with: wellprod jobs resume {self.job.job_id}"

    # Where pages come from

    def _pages(self) -> Iterator[Page | FailedPage]:
        if self.request.is_file:
            file = JsonFile(Path(self.request.source), page_size=self.request.page_size)
            if self.profile is None:
                self._recognise(file.first_records())
            yield from file.pages(self._read, self.state.place)
            return
        if self.profile is None and (self.request.paging == "skip" or self.request.first_month):
            with closing(self._feed()) as feed:
                self._recognise(feed.sample())
        self.feed = feed = self._feed()
        place = self._place_with_secrets()
        if self.request.paging == "skip":
            order_by = self.profile.order_by if self.profile else ()
            yield from self._from_saved_link(place, lambda p: feed.windows(self._read, p, order_by))
        else:
            yield from self._from_saved_link(place, lambda p: feed.pages(self._read, p))

    def _feed(self) -> ODataFeed:
        known = [self.profile] if self.profile else load_profiles(self.settings.profiles_path).values()
        since = self.request.first_month
        return ODataFeed(
            self.request.source,
            self.settings,
            entity_sets=[profile.entity_set for profile in known],
            filter=self.profile.since_filter(since) if self.profile and since else None,
            notify=self._wait_for,
        )

    def _wait_for(self, text: str) -> None:
        self.waiting_for = text

    def _place_with_secrets(self) -> Place:
        place = self.state.place
        if place.link is None:
            return place
        link = unmask_secrets(place.link, self.request.source)
        return replace(place, link=link) if link else self._from_page_one("The saved next link had a secret part")

    def _from_saved_link(
        self, place: Place, pages: Callable[[Place], Iterator[Page | FailedPage]]
    ) -> Iterator[Page | FailedPage]:
        given = 0
        try:
            for page in pages(place):
                given += 1
                yield page
        except FeedRefused as error:
            if given or place.link is None or error.details.get("status") not in _LINK_GONE:
                raise
            yield from pages(self._from_page_one("The saved next link has expired"))

    def _from_page_one(self, reason: str) -> Place:
        self.state.warn(f"{reason}; the feed is read again from page one, and what is stored counts as duplicate.")
        self.state.pass_records = 0
        return self._fresh_state().place

    def _check_file(self) -> None:
        if not self.request.is_file:
            return
        path = Path(self.request.source)
        mark = f"{path.stat().st_size} {path.stat().st_mtime_ns}" if path.exists() else None
        if self.state.file_mark not in (None, mark):
            self.state.place = self._from_page_one("The file has changed since")
        self.state.file_mark = mark

    def _read(self, body: bytes) -> Content:
        """Read a page as the profile says; the first page with records decides on it."""
        if self.profile is None or not self.properties_checked:
            rows = first_rows(body)
            found = {name for row in rows if isinstance(row, dict) for name in row}
            if found:
                self._recognise(rows)
        return read_content(body, self.profile.properties if self.profile else ("value",))

    def _recognise(self, rows: list[Any]) -> None:
        if self.profile is None:
            if not rows:
                return
            self.profile = recognise_profile(rows, self.settings.profiles_path)
        self.state.profile = self.request.profile or self.profile.name
        found = {name for row in rows if isinstance(row, dict) for name in row}
        if found:
            for warning in self.profile.check(found):
                self.state.warn(warning)
            self.properties_checked = True

    # What becomes of them

    def _add(self, group: _Group, page: Page | FailedPage) -> None:
        if isinstance(page, FailedPage):
            group.failed.append(page)
            return
        if self.profile is None:
            lost = pl.DataFrame({"row_number": pl.int_range(page.rows.height, dtype=pl.Int32, eager=True)})
            lost = lost.with_columns(reason=pl.lit("the record is no object"))
            cleaned = Cleaned(pl.DataFrame(), lost, {})
        else:
            today = datetime.now(UTC).date()
            cleaned = clean(page.rows, self.profile, reject_rules=self.settings.reject_rules, today=today)
        group.pages.append((page, cleaned))
        group.rows += page.rows.height

    def _commit(self, group: _Group) -> _Group:
        """Store a group whole, with where to read on, in one transaction; give an empty one."""
        if not group.pages and not group.failed:
            return group
        began = time.monotonic()
        state = self._counted(group)
        with self.store.write() as writing:
            records = [
                c.records.with_columns(page=pl.lit(page.number, dtype=pl.Int32))
                for page, c in group.pages
                if not c.records.is_empty()
            ]
            rejects = self._rejects(group, {page.number: c.rejects for page, c in group.pages})
            if records and self.profile:
                merged = writing.merge(
                    pl.concat(records),
                    job_id=self.job.job_id,
                    well_in_one_field=self.profile.well_in_one_field,
                )
                state.new += merged.new
                state.duplicate += merged.duplicate
                state.restated += merged.restated
                by_page = {int(n): part for (n,), part in merged.rejects.group_by("page", maintain_order=True)}
                rejects += self._rejects(group, by_page)
            for part in rejects:
                writing.keep_rejects(part, job_id=self.job.job_id)
                state.add_rejects(part["reason"])
            state.elapsed_seconds = self.before_run.elapsed_seconds + time.monotonic() - self.began
            writing.save_cursor(self.job.job_id, state.to_text())
        self.state = state
        self.state.database_seconds += time.monotonic() - began
        self._report(force=True)
        return _Group()

    def _counted(self, group: _Group) -> ImportState:
        """Give the state as it will be when the group is stored, but for what the merge decides."""
        state = ImportState.from_text(self.state.to_text())
        for page, cleaned in group.pages:
            state.pages += 1
            state.total += page.rows.height
            state.pass_records += page.rows.height
            state.request_seconds += page.seconds
            state.add_findings(cleaned.findings)
        for failed in group.failed:
            state.failed_pages += 1
            start = f"--paging skip --page-size {self.request.page_size} --start-page {failed.number} --max-pages 1"
            state.add_error(
                {"page": failed.number, **failed.error.as_dict(), "next": f"Import this page again: {start}"}
            )
        if self.feed:
            state.expected_records = self.feed.count if self.feed.count is not None else state.expected_records
            for warning in self.feed.warnings:
                state.warn(warning)
        if group.next:
            state.place = replace(group.next, link=mask_secrets(group.next.link) if group.next.link else None)
        return state

    def _rejects(self, group: _Group, by_page: dict[int, pl.DataFrame]) -> list[pl.DataFrame]:
        """Give the rejected rows of each page with the raw row beside the reason."""
        found = []
        for page, _ in group.pages:
            part = by_page.get(page.number)
            if part is not None and not part.is_empty():
                raw = pl.Series("raw_row", page.raw_rows(part["row_number"].to_list()), dtype=pl.String)
                number = pl.lit(page.number, dtype=pl.Int32).alias("page")
                found.append(part.select(number, "row_number", "reason", raw))
        return found

    def _complete(self, group: _Group) -> None:
        """Store the last group and note that all was read."""
        self._commit(group)
        state = self.state
        whole = self.request.max_pages is None and self.request.start_page == 1
        if not whole:
            state.expected_records = None
        elif state.missing_records():
            state.warn(
                f"The feed counted {state.expected_records:,} records and gave {state.pass_records:,}:"
                f" {state.missing_records():,} are missing. Import again later, or ask its operator."
            )
        if state.total == 0:
            state.warn("The feed has no records.")
        state.is_complete = True
        state.place = Place(state.place.page)
        with self.store.write() as writing:
            writing.forget_confirmed(self.job.job_id)
            writing.save_cursor(self.job.job_id, state.to_text())
        self._report(force=True)

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
        self.ledger.report(self.job.job_id, asdict(progress))
        self.on_progress(progress)


def _saved_state(settings: Settings, job_id: str) -> ImportState | None:
    text = load_cursor(Store(settings.store_path, settings.store_wait_seconds), job_id)
    return ImportState.from_text(text) if text else None
