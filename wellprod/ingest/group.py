"""A group of pages into the store: records, rejects, removals and where to read on, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import polars as pl

from wellprod.errors import mask_secrets_of
from wellprod.feed.clean import Cleaned
from wellprod.feed.page import FailedPage, Page, Place
from wellprod.feed.profile import Profile
from wellprod.ingest.guard import check_restatements
from wellprod.ingest.mapping import basis_of, last_removed, with_raw_rows
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.source import Source
from wellprod.ingest.state import ImportState
from wellprod.jobs import Job
from wellprod.settings import Settings
from wellprod.store import ImportNote, Store, Writing


@dataclass(frozen=True, slots=True)
class CleanPage:
    """A page, without its text columns, and the records and rejects that they gave in so many seconds."""

    page: Page
    cleaned: Cleaned
    seconds: float

    @property
    def rows(self) -> int:
        """Give how many rows of the page count: a removed entity is none."""
        return self.cleaned.records.height + self.cleaned.rejects.height


@dataclass(slots=True)
class Group:
    """Pages that become one transaction."""

    pages: list[CleanPage] = field(default_factory=list)
    failed: list[FailedPage] = field(default_factory=list)
    next: Place | None = None
    rows: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, page: CleanPage | FailedPage) -> None:
        """Take the next page as it comes."""
        if isinstance(page, FailedPage):
            self.failed.append(page)
            self.next = page.next
        else:
            self.pages.append(page)
            self.rows += page.rows
            self.next = page.page.next or self.next

    @property
    def is_at_end(self) -> bool:
        """Whether it has the last page of the feed."""
        return any(page.page.next is None for page in self.pages)

    @property
    def numbers(self) -> list[int]:
        """Give the numbers of its pages in their order."""
        return sorted([*(page.page.number for page in self.pages), *(page.number for page in self.failed)])


class GroupStore:
    """Stores the groups of one import, and says at its end how much of the feed that was.

    Parameters
    ----------
    measure
        Puts into a state what the import has taken so far, of time and memory.
    """

    def __init__(
        self,
        job: Job,
        request: ImportRequest,
        settings: Settings,
        store: Store,
        source: Source,
        measure: Callable[[ImportState], None],
    ) -> None:
        self._job, self._request, self._settings = job, request, settings
        self._store, self._source, self._measure = store, source, measure
        self._began = datetime.fromtimestamp(job.created_at, UTC).replace(tzinfo=None)
        self._noted_sources: set[str] = set()

    def stored(self, state: ImportState, group: Group, *, is_last: bool) -> ImportState:
        """Store a group, with where to read on, in one transaction; give the state that it leads to."""
        state = self._counted(state, group)
        records = [page.cleaned.records for page in group.pages if not page.cleaned.records.is_empty()]
        rejects = pl.concat([page.cleaned.rejects for page in group.pages]) if group.pages else pl.DataFrame()
        began = time.monotonic()
        removed = pl.concat([page.cleaned.removed for page in group.pages]) if group.pages else pl.DataFrame()
        with self._store.write() as writing:
            if self._source.profile and records:
                in_one_field = self._source.profile.well_in_one_field
                given = pl.concat(records)
                merged = writing.merge(given, job_id=self._job.job_id, well_in_one_field=in_one_field)
                state.new += merged.new
                state.duplicate += merged.duplicate
                state.restated += merged.restated
                state.compared += merged.compared
                state.changed += merged.changed
                self._note_basis(writing, self._source.profile, given["data_source"].unique())
                rejects = pl.concat([rejects, merged.rejects])
            if self._source.profile and not removed.is_empty():
                state.deleted += writing.end_removed(
                    last_removed(removed, records),
                    job_id=self._job.job_id,
                    feed=None if self._request.is_file else self._request.feed,
                    profile=self._source.profile.name,
                )
            self._guard(writing, state)
            if not rejects.is_empty():
                pages = [page.page for page in group.pages]
                writing.keep_rejects(with_raw_rows(rejects, pages), job_id=self._job.job_id)
                state.add_rejects(rejects["reason"])
            if is_last:
                self._conclude(state)
                self._end_unmet(writing, state)
                self._guard(writing, state)
                writing.forget_confirmed(self._job.job_id)
            writing.note_import(self._note(writing, state), job_id=self._job.job_id)
            self._measure(state)
            writing.save_cursor(self._job.job_id, state.to_text())
        state.database_seconds += time.monotonic() - began
        return state

    def _guard(self, writing: Writing, state: ImportState) -> None:
        if not self._request.accept_restatements:
            # A delta link leaves out what has not changed, so it is compared with all that there is.
            profile = self._source.profile if state.part == "delta" else None
            check_restatements(
                self._job.job_id,
                compared=writing.records_of(profile.name) if profile else state.compared,
                changed=state.changed,
                deleted=state.deleted,
                allowed=self._settings.restated_share,
            )

    def _end_unmet(self, writing: Writing, state: ImportState) -> None:
        """Delete what the feed no longer has, where all it has was read and each row of it became a record.

        Where the feed's count moved meanwhile, a page may have begun after a record that is still there.
        """
        if self._note(writing, state).is_whole and state.is_steady and state.total and not state.failed:
            state.deleted += writing.end_unmet(self._request.feed, job_id=self._job.job_id, began=self._began)

    def _note_basis(self, writing: Writing, profile: Profile, data_sources: Iterable[str]) -> None:
        """Keep what the profile says of the figures, once in a run for each data source."""
        told = set(data_sources) - self._noted_sources
        writing.note_sources(basis_of(profile), told, job_id=self._job.job_id)
        self._noted_sources |= told

    def _note(self, writing: Writing, state: ImportState) -> ImportNote:
        # An undo takes along what was met unchanged before it.
        can_be_built_on = not self._request.is_part and not writing.undone_since(self._began)
        is_whole = state.read_all and can_be_built_on
        has_link = is_whole or (state.part == "delta" and state.is_complete and can_be_built_on)
        link = self._source.delta_link if has_link else None
        return ImportNote(
            self._request.feed,
            state.profile,
            state.entity_type,
            mask_secrets_of(self._request.source, link) if link else None,
            is_whole=is_whole,
            is_complete=state.is_complete,
        )

    def _counted(self, before: ImportState, group: Group) -> ImportState:
        """Give the state as it will be when the group is stored, but for what the merge decides."""
        state = ImportState.from_text(before.to_text())
        for page in group.pages:
            state.pages += 1
            state.total += page.rows
            if page.page.number == self._request.start_page:  # also where all is read again
                state.pass_records, state.expected_records, state.is_steady = 0, None, True
            state.pass_records += page.rows
            state.request_seconds += page.page.seconds
            state.add_findings(page.cleaned.findings)
        for failed in group.failed:
            state.failed_pages += 1
            size = self._request.page_size
            first, last = failed.skip // size + 1, (failed.next.skip - 1) // size + 1
            start = f"--paging skip --page-size {size} --start-page {first} --max-pages {last - first + 1}"
            state.add_error(
                {"page": failed.number, **failed.error.as_dict(), "next": f"Import this page again: {start}"}
            )
        self._note_source(state)
        if group.next:
            state.place = replace(group.next, link=mask_secrets_of(self._request.source, group.next.link or "") or None)
        return state

    def _note_source(self, state: ImportState) -> None:
        """Take over what the source has found out so far."""
        if self._source.count is not None:
            is_same = state.expected_records in (None, self._source.count) and not self._source.count_moved
            state.is_steady = state.is_steady and is_same
            state.expected_records = self._source.count
        for warning in self._source.warnings:
            state.warn(warning)
        if self._source.described:
            state.schema = self._source.described.as_dict()
            state.entity_type = self._source.described.as_text()
        state.part = self._source.part
        state.first_month = state.first_month if state.part == "window" else None
        state.profile = self._source.profile_name
        state.file_mark = self._source.file_mark
        if self._settings.keep_pages:
            state.kept_pages = f"pages/{self._job.job_id}"

    def _conclude(self, state: ImportState) -> None:
        """Note that all was read, and what is missing."""
        if self._request.max_pages is not None or self._request.start_page > 1 or state.part == "delta":
            state.expected_records = None
        elif state.missing_records():
            state.warn(
                f"The feed counted {state.expected_records:,} records and gave {state.pass_records:,}:"
                f" {state.missing_records():,} are missing. Import again later, or ask its operator."
            )
        if state.total == 0 and state.part != "delta":
            state.warn("The feed has no records.")
        state.is_complete = True
        state.place = Place(state.place.page)
