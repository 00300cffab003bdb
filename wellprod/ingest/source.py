"""The pages of one import, from a feed or a file, each read as the profile says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wellprod.errors import FeedRefused, FeedUnreadable, unmask_secrets
from wellprod.feed.delta import read_delta
from wellprod.feed.files import FeedFile, open_file
from wellprod.feed.metadata import EntityType
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import FAULT, Content, FailedPage, Page, Place, first_rows, read_content
from wellprod.feed.profile import Profile, find_profile, load_profiles, recognise_profile
from wellprod.ingest.drift import Described, check_drift, describe
from wellprod.ingest.kept import KeptPages
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.state import ImportState
from wellprod.settings import Settings

_LINK_GONE = {400, 404, 410}
_FILTER_REFUSED = {400, 404, 501}
_HEAD_BYTES = 4_000_000


class Source:
    """Where the pages of an import come from.

    Parameters
    ----------
    request, settings
        What to read, and how.
    notify
        Told in one line what is waited for.

    Attributes
    ----------
    profile
        The feed's profile, once it is known.
    part
        What is read of the feed; see `ImportState`.
    known_type
        The entity type at the import before, to compare with.
    described
        What the feed says of its records, once the first page came.
    """

    def __init__(self, request: ImportRequest, settings: Settings, notify: Callable[[str], None]) -> None:
        self._warnings: list[str] = []
        self._request = request
        self._settings = settings
        self._notify = notify
        self._feed: ODataFeed | None = None
        self._file: FeedFile | None = None
        self._is_checked = False
        self._found: set[str] = set()
        self.part = "all"
        self.known_type: EntityType | None = None
        self.described: Described | None = None
        self.profile: Profile | None = None
        self.file_mark: str | None = None

    @property
    def profile_name(self) -> str | None:
        """What the profile is called, so that it is found again."""
        return self._request.profile_told or (self.profile.name if self.profile else None)

    @property
    def count(self) -> int | None:
        """How many records the feed says there are."""
        return self._feed.count if self._feed else None

    @property
    def count_moved(self) -> bool:
        """Whether the feed has said one number of records and then another."""
        return self._feed is not None and self._feed.count_moved

    @property
    def warnings(self) -> list[str]:
        """What was noticed so far."""
        described = self.described.warnings() if self.described else []
        noticed = self._feed.warnings if self._feed else self._file.warnings if self._file else ()
        return [*self._warnings, *described, *noticed]

    @property
    def delta_link(self) -> str | None:
        """Where the feed tells what changes from here on, once its last page came."""
        return self._feed.delta_link if self._feed else None

    def close(self) -> None:
        """End any wait and close the connections."""
        if self._feed:
            self._feed.close()

    def pages(self, state: ImportState) -> Iterator[Page | FailedPage]:
        """Yield the pages from where the import stopped, which `state` says.

        Raises
        ------
        FeedError
            No further page can be had; those before it have been given.
        FeedDrift
            What the profile reads was removed or retyped since the import before; no page has been given.
        ProfileError
            No profile fits, or the one that was asked for does not.
        """
        place, self.part = state.place, state.part
        self._is_checked = self.part == "delta"  # its pages may hold removed entities alone
        if name := self._request.profile or state.profile:
            self.profile = find_profile(name, self._settings.profiles_path)
        if self._request.is_file:
            self.file_mark = _file_mark(Path(self._request.source).expanduser())
            if state.file_mark not in (None, self.file_mark):
                place = self._from_page_one("The file has changed since")
            if (folder := Path(self._request.source).expanduser()).is_dir():
                yield from self._kept_pages(folder, place)
                return
            self._file = file = _opened_file(self._request, self.profile, self._settings)
            self.profile = self.profile or file.profile
            self._recognise(file.first_records())
            yield from file.pages(self._read, place)
            return
        since = state.first_month or self._request.first_month
        if self.profile is None and (self._request.paging == "skip" or since):
            with closing(self._opened(since)) as feed:
                self._recognise(feed.sample())
        self._feed = self._opened(since)
        pages = self._from_saved_link(place, self._pages_of)
        for page in self._or_all(pages) if self.part == "window" and not state.pages else pages:
            if self.described is None and not state.schema and isinstance(page, Page):
                self._describe(self._feed)
            yield page

    def _kept_pages(self, folder: Path, place: Place) -> Iterator[Page]:
        kept = KeptPages(folder)
        self.part = kept.part
        self._is_checked = self.part == "delta"
        if self.profile is None and kept.profile:
            self.profile = find_profile(kept.profile, self._settings.profiles_path)
        yield from kept.pages(self._read, place)

    def _pages_of(self, place: Place) -> Iterator[Page | FailedPage]:
        assert self._feed is not None  # noqa: S101 - it is opened before
        if self._request.paging == "skip" and self.part != "delta":
            return self._feed.windows(self._read, place, self.profile.order_by if self.profile else ())
        return self._feed.pages(self._read, place)

    def _or_all(self, pages: Iterator[Page | FailedPage]) -> Iterator[Page | FailedPage]:
        """Give the pages of a window, or all of a feed that refuses to filter."""
        try:
            first = next(pages, None)
        except FeedRefused as error:
            if error.details.get("status") not in _FILTER_REFUSED:
                raise
            self._warnings.append("The feed refuses to filter by month; all of it is read.")
            self.part = "all"
            self._feed = self._opened(None)
            first, pages = None, self._pages_of(first_place(self._request))
        if first is not None:
            yield first
        yield from pages

    def _opened(self, since: str | None) -> ODataFeed:
        known = [self.profile] if self.profile else load_profiles(self._settings.profiles_path).values()
        return ODataFeed(
            self._request.source,
            self._settings,
            entity_sets=[profile.entity_set for profile in known],
            filter=self.profile.since_filter(since) if self.profile and since else None,
            track_changes=self._request.paging == "server" and since is None and not self._request.is_part,
            notify=self._notify,
        )

    # Where to begin

    def _from_saved_link(
        self, place: Place, pages: Callable[[Place], Iterator[Page | FailedPage]]
    ) -> Iterator[Page | FailedPage]:
        if place.link is not None:
            link = unmask_secrets(place.link, self._request.source)
            place = replace(place, link=link) if link else self._from_page_one("The saved next link had a secret part")
        given = 0
        try:
            for page in pages(place):
                given += 1
                yield page
        except FeedRefused as error:
            status = error.details.get("status")
            if place.link is None or status not in _LINK_GONE or (given and not self._is_delta_gone(status)):
                raise
            what = "delta" if self.part == "delta" else "next"
            self.part = "all" if self.part == "delta" else self.part  # a window is filtered from its first page on too
            yield from pages(self._from_page_one(f"The saved {what} link has expired"))

    def _is_delta_gone(self, status: int) -> bool:
        return self.part == "delta" and status == HTTPStatus.GONE

    def _from_page_one(self, reason: str) -> Place:
        self._warnings.append(f"{reason}; all is read again from page one, and what is stored counts as duplicate.")
        return first_place(self._request)

    # Which profile

    def _read(self, body: bytes) -> Content:
        """Read a page as the profile says; the first page with records decides on it."""
        if not self._is_checked:
            self._recognise(first_rows(body))
        if self.profile is None:
            return read_content(body, ("value",))
        if self.part == "delta":
            return read_delta(body, self.profile.properties)
        faults = (FAULT,) if self._request.is_file else ()
        return read_content(body, (*self.profile.properties, *faults))

    def _recognise(self, rows: list[Any]) -> None:
        found = {name for row in rows if isinstance(row, dict) for name in row}
        if not found:
            return
        self._found = found
        if self.profile is None:
            self.profile = recognise_profile(rows, self._settings.profiles_path)
        self._warnings += self.profile.check(found)
        self._is_checked = True

    def _describe(self, feed: ODataFeed) -> None:
        """Learn what the feed says of its records, before the first of them is given."""
        if self.profile is None:
            return
        entity_set = urlsplit(feed.url).path.rstrip("/").rpartition("/")[2]
        self.described = describe(feed.metadata(), entity_set, self.profile, self._found, self.known_type)
        if not self._request.accept_drift:
            check_drift(self.described, self.profile)


def check_file(request: ImportRequest, settings: Settings) -> None:
    """Look at the head of a file before an import of it is entered.

    Raises
    ------
    FeedUnreadable
        It holds no records.
    ProfileError
        No profile fits, or the one that was asked for does not.
    """
    named = find_profile(request.profile, settings.profiles_path) if request.profile else None
    file = _opened_file(request, named, settings)
    rows = file.first_records(_HEAD_BYTES)
    found = {name for row in rows if isinstance(row, dict) for name in row}
    if rows and not found:
        raise FeedUnreadable(
            f"The file {request.source} has rows without a single property.",
            next="Send records in the shape of a feed profile.",
        )
    if found:
        (named or file.profile or recognise_profile(rows, settings.profiles_path)).check(found)


def _opened_file(request: ImportRequest, profile: Profile | None, settings: Settings) -> FeedFile:
    profiles = [profile] if profile else load_profiles(settings.profiles_path).values()
    return open_file(Path(request.source).expanduser(), profiles, page_size=request.page_size)


def first_place(request: ImportRequest) -> Place:
    """Give the place where an import begins."""
    page = request.start_page
    return Place(page, skip=(page - 1) * request.page_size)


def _file_mark(path: Path) -> str | None:
    """Give what tells one version of a file from another."""
    return f"{path.stat().st_size} {path.stat().st_mtime_ns}" if path.exists() else None
