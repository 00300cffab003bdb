"""The pages of one import, from a feed or a file, each read as the profile says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from wellprod.errors import FeedRefused, FeedUnreadable, unmask_secrets
from wellprod.feed.files import FeedFile, open_file
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import FAULT, Content, FailedPage, Page, Place, first_rows, read_content
from wellprod.feed.profile import Profile, find_profile, load_profiles, recognise_profile
from wellprod.ingest.kept import KeptPages
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.state import ImportState
from wellprod.settings import Settings

_LINK_GONE = {400, 404, 410}
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
    is_restarted
        Whether the feed is read again from page one instead of from where the import stopped.
    """

    def __init__(self, request: ImportRequest, settings: Settings, notify: Callable[[str], None]) -> None:
        self._warnings: list[str] = []
        self.is_restarted = False
        self._request = request
        self._settings = settings
        self._notify = notify
        self._feed: ODataFeed | None = None
        self._file: FeedFile | None = None
        self._is_checked = False
        self.profile: Profile | None = None
        self.file_mark: str | None = None

    @property
    def profile_name(self) -> str | None:
        """What the profile is called, so that it is found again."""
        return self._request.profile or (self.profile.name if self.profile else None)

    @property
    def count(self) -> int | None:
        """How many records the feed says there are."""
        return self._feed.count if self._feed else None

    @property
    def warnings(self) -> list[str]:
        """What was noticed so far."""
        noticed = self._feed.warnings if self._feed else self._file.warnings if self._file else ()
        return [*self._warnings, *noticed]

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
        ProfileError
            No profile fits, or the one that was asked for does not.
        """
        place = state.place
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
        if self.profile is None and (self._request.paging == "skip" or self._request.first_month):
            with closing(self._opened()) as feed:
                self._recognise(feed.sample())
        self._feed = feed = self._opened()
        if self._request.paging == "skip":
            order_by = self.profile.order_by if self.profile else ()
            yield from self._from_saved_link(place, lambda p: feed.windows(self._read, p, order_by))
        else:
            yield from self._from_saved_link(place, lambda p: feed.pages(self._read, p))

    def _kept_pages(self, folder: Path, place: Place) -> Iterator[Page]:
        kept = KeptPages(folder)
        if self.profile is None and kept.profile:
            self.profile = find_profile(kept.profile, self._settings.profiles_path)
        yield from kept.pages(self._read, place)

    def _opened(self) -> ODataFeed:
        known = [self.profile] if self.profile else load_profiles(self._settings.profiles_path).values()
        since = self._request.first_month
        return ODataFeed(
            self._request.source,
            self._settings,
            entity_sets=[profile.entity_set for profile in known],
            filter=self.profile.since_filter(since) if self.profile and since else None,
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
            if given or place.link is None or error.details.get("status") not in _LINK_GONE:
                raise
            yield from pages(self._from_page_one("The saved next link has expired"))

    def _from_page_one(self, reason: str) -> Place:
        self._warnings.append(f"{reason}; all is read again from page one, and what is stored counts as duplicate.")
        self.is_restarted = True
        return first_place(self._request)

    # Which profile

    def _read(self, body: bytes) -> Content:
        """Read a page as the profile says; the first page with records decides on it."""
        if not self._is_checked:
            self._recognise(first_rows(body))
        faults = (FAULT,) if self._request.is_file else ()
        return read_content(body, (*self.profile.properties, *faults) if self.profile else ("value",))

    def _recognise(self, rows: list[Any]) -> None:
        found = {name for row in rows if isinstance(row, dict) for name in row}
        if not found:
            return
        if self.profile is None:
            self.profile = recognise_profile(rows, self._settings.profiles_path)
        self._warnings += self.profile.check(found)
        self._is_checked = True


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
