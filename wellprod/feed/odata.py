"""The OData client: pages of raw rows, by next links or by $skip and $top, none lost and none doubled.

For version 4, and 2 and 3 by their own options. Section numbers in the comments are those of OData 4.01 Part 1,
Protocol; `docs/odata.md` tells what is done about each duty of a client.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import httpx
import polars as pl

from wellprod.errors import (
    FeedError,
    FeedLinkRefused,
    FeedRefused,
    FeedSignInRefused,
    FeedUnreadable,
    redact,
)
from wellprod.feed.lanes import Lanes
from wellprod.feed.page import Content, FailedPage, Page, Place, Reader, first_rows, read_content, read_entity_sets
from wellprod.feed.wire import Fetched, Wire, check_address, is_local, origin_of
from wellprod.log import get_logger
from wellprod.settings import Settings

_OPTION_REFUSED = {400, 404, 501}
_OPTION_LOST = {
    "count": "The feed refuses $count; whether all records came cannot be checked.",
    "orderby": "The feed refuses $orderby; records may be skipped if they change meanwhile.",
}
_PLUS_OF_ZONE = re.compile(r"(T\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\+(?=\d\d:?\d\d)")
_BEYOND_END = {400, 404, 416}
_DEAD_PAGES = 3
_SAME_PAGES = 3


class ODataFeed:
    """One entity set of an OData service, read page by page.

    Parameters
    ----------
    url
        The entity set, with its own query options if need be; or the service root, when `entity_sets` names the set.
    settings
        Credentials, allowed origins, patience and limits (`feed_*`, `page_size`, `page_limit_mb`).
    entity_sets
        Names to look for when `url` answers with the list of its entity sets.
    filter
        A `$filter` to add, such as ``production_period ge 2024-01-01T00:00:00Z``.
    track_changes
        Ask for a link that tells later what has changed since, to be had as `delta_link` after the last page.
    notify
        Told in one line what the client waits for.
    transport
        Another wire than the network.

    Raises
    ------
    UsageError
        The address is none, or carries a password.
    """

    def __init__(
        self,
        url: str,
        settings: Settings,
        *,
        entity_sets: Sequence[str] = (),
        filter: str | None = None,
        track_changes: bool = False,
        notify: Callable[[str], None] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        check_address(url)
        self.url = url
        self.warnings: list[str] = []
        self.count: int | None = None
        self.count_moved = False
        self.delta_link: str | None = None
        self._context: str | None = None
        self._settings = settings
        self._entity_sets = tuple(entity_sets)
        self._filter = filter
        self._preferences = "odata.track-changes" if track_changes else ""
        self._refused_options: set[str] = set()
        self._options_accepted = False
        self._is_version_2 = False
        self._wants_format = False
        self._wire = Wire(url, settings, notify, transport)
        if urlsplit(url).scheme == "http" and settings.sign_in != "none" and not is_local(url):
            self.warnings.append(
                f"The credentials go to {origin_of(url)} without encryption, for all on the way to read; use https."
            )

    def close(self) -> None:
        """End any wait and close the connections."""
        self._wire.close()

    def sample(self) -> list[Any]:
        """Give the first record or records as plain values, to recognise a profile from."""
        self._find_entity_set()
        body = self._first_that_works(lambda: self._with_options(self.url, top=1), _loads).body
        self._options_accepted = False
        return first_rows(body)

    # Server-driven paging (11.2.6.7): the next link is opaque, and only its absence is the end.

    def pages(self, read: Reader, place: Place) -> Iterator[Page]:
        """Yield the pages from `place` on, following next links.

        Raises
        ------
        FeedError
            A page could not be had for good; those before it have been given.
        """
        link, number = place.link, place.page
        seen: set[int] = set()
        if link is None:
            self._find_entity_set()
        else:
            self._wire.redirected.add(origin_of(link))  # it was allowed when it came, if only by a redirect
        while True:
            self._check_ceiling(number)
            answer = self._wire.fetch(link, read) if link else self._first_that_works(self._first_page_url, read)
            self._context = self._context or self._base(answer)
            self._note_count(answer.content.count)
            try:
                seen |= {hash(link), hash(answer.url)}
                self.delta_link = self._delta_link(answer, number)
                link = self._next_link(answer, number)
                if link is not None and hash(link) in seen:
                    raise FeedLinkRefused(
                        f"The next link of page {number} leads to a page that was read already ({redact(link)}).",
                        next="The feed turns in a circle; try --paging skip, or tell its operator.",
                    )
            except FeedLinkRefused:
                yield answer.page(number, None)
                raise
            yield answer.page(number, Place(number + 1, link=link) if link else None)
            if link is None:
                return
            number += 1

    # Client-driven paging: windows of $skip and $top in the order of the key. What counts is the records that came,
    # not those that were asked for, so a server that caps $top or adds next links of its own loses nothing.

    def windows(self, read: Reader, place: Place, order_by: Sequence[str]) -> Iterator[Page | FailedPage]:
        """Yield the pages from `place` on, asking for `page_size` records at a time; a page that fails is passed by.

        Where the feed counts its records and heeds $skip, the windows to come are fetched on several lanes
        (`feed_lanes`); they are given in order all the same.

        Raises
        ------
        FeedError
            Sign-in was refused, the first page failed, or three pages in a row did.
        """
        self._find_entity_set()
        if place.link is not None:
            self._wire.redirected.add(origin_of(place.link))
        lanes = Lanes(lambda skip: self._wire.fetch(self._window_url(skip, order_by), read), self._settings.feed_lanes)
        try:
            yield from self._windows(read, place, order_by, lanes)
        finally:
            lanes.close()

    def _windows(
        self, read: Reader, place: Place, order_by: Sequence[str], lanes: Lanes
    ) -> Iterator[Page | FailedPage]:
        size = self._settings.page_size
        has_links = False
        failed: list[FailedPage] = []
        pages_before: list[pl.DataFrame] = []
        most = 0  # records in the largest window so far: what a server that caps $top gives
        while True:
            try:
                answer = self._window(place, read, order_by, lanes)
            except (FeedSignInRefused, FeedLinkRefused):
                raise
            except FeedError as error:
                if place.link is not None:  # the window that begins here has the same records
                    place = Place(place.page, skip=place.skip)
                    continue
                if self._is_past_count(place):
                    if error.details.get("status") not in _BEYOND_END:
                        self.warnings.append(f"Whether there is more than the count cannot be told: {error.message}")
                    yield from failed
                    return
                if place.page == 1 and self.count is None:
                    raise
                after = Place(place.page + 1, skip=place.skip + (most or size))
                failed.append(FailedPage(place.page, error, after, place.skip))
                if len(failed) == _DEAD_PAGES:
                    raise
                place = after
                continue
            yield from failed
            failed.clear()
            rows, link = answer.content.rows, self._next_link(answer, place.page)
            if rows.is_empty() and link is None:
                if self.count is None or self._is_past_count(place):
                    return
                place = Place(place.page, skip=place.skip + size)
                continue
            if self._is_past_count(place) and pages_before and rows.equals(pages_before[-1]):
                self.warnings.append("The feed gives its last page again for any $skip beyond the end.")
                return
            most = max(most, rows.height)
            pages_before = [*pages_before, rows][-_SAME_PAGES:]
            if rows.height > 1 and len(pages_before) == _SAME_PAGES and all(map(rows.equals, pages_before)):
                raise FeedLinkRefused(
                    f"Pages {place.page - _SAME_PAGES + 1} to {place.page} are the same:"
                    " the feed seems to ignore $skip.",
                    next="Use server-driven paging: leave out --paging skip.",
                )
            after = Place(place.page + 1, link=link, skip=place.skip + rows.height)
            has_links = has_links or link is not None
            heeds_skip = len(pages_before) > 1 and not rows.equals(pages_before[-2])
            if heeds_skip and not has_links and self.count is not None and self._settings.feed_lanes > 1:
                lanes.go_ahead(after.skip, rows.height, self.count)
            yield answer.page(place.page, after)
            place = after

    def _window(self, place: Place, read: Reader, order_by: Sequence[str], lanes: Lanes) -> Fetched:
        """Get the window that begins at a place, from a lane if one fetched it, or what a next link in it leads to."""
        self._check_ceiling(place.page)
        if place.link is not None:
            answer = self._wire.fetch(place.link, read)
        elif (ahead := lanes.take(place.skip)) is not None:
            answer = ahead
        else:
            answer = self._first_that_works(lambda: self._window_url(place.skip, order_by), read)
        self._context = self._context or self._base(answer)
        self._note_count(answer.content.count)
        return answer

    def _note_count(self, count: int | None) -> None:
        if count is not None:
            self.count_moved |= self.count not in (None, count)
            self.count = count

    def _check_ceiling(self, page: int) -> None:
        if page > self._settings.feed_pages_max:
            raise FeedLinkRefused(
                f"The feed goes on after page {page - 1:,}, which is where an import ends.",
                next="If it is as large as that, raise WELLPROD_FEED_PAGES_MAX, or ask for larger pages.",
            )

    def _is_past_count(self, place: Place) -> bool:
        return self.count is not None and place.skip >= self.count

    def metadata(self) -> bytes | None:
        """Give the service's description of its entities, once a page was read; None where it cannot be had."""
        if self._context is None:
            return None
        try:
            return self._wire.document(self._context)
        except FeedError as error:
            get_logger().info("metadata_not_had", reason=error.message)
            return None

    # Addresses

    def _first_page_url(self) -> str:
        return self._with_options(self.url, count=True)

    def _window_url(self, skip: int, order_by: Sequence[str]) -> str:
        return self._with_options(
            self.url, count=True, orderby=",".join(order_by), skip=skip, top=self._settings.page_size
        )

    def _with_options(self, url: str, **options: Any) -> str:
        """Give `url` with query options added, the `$` kept and every value percent-encoded, `+` too (4.02, 12)."""
        parts = urlsplit(url)
        given_options = parse_qsl(_PLUS_OF_ZONE.sub(r"\1%2B", parts.query), keep_blank_values=True)
        query = {name: value for name, value in given_options if name.startswith("$")}
        others = [(name, value) for name, value in given_options if not name.startswith("$")]
        for name, value in options.items():
            if name not in self._refused_options and value not in (None, ""):
                fresh = f"${name}" not in query or name in ("skip", "top")
                if fresh and name == "count" and self._is_version_2:
                    query.setdefault("$inlinecount", "allpages")
                elif fresh:
                    query[f"${name}"] = "true" if value is True else str(value)
        if self._wants_format:
            query.setdefault("$format", "json")
        if self._filter:
            given = query.get("$filter")
            query["$filter"] = f"({given}) and ({self._filter})" if given else self._filter
        text = "&".join(f"{quote(k, safe='$')}={quote(v, safe='$,:()')}" for k, v in [*others, *query.items()])
        return parts._replace(query=text).geturl()

    # A service root answers with the list of its entity sets: by one of a profile's names it goes on there.

    def _find_entity_set(self) -> None:
        """Ask an address that ends in a slash what it is; one without may turn out to be a root at its first page."""
        if urlsplit(self.url).path.endswith("/") and self._may_be_root():
            self._enter_root()

    def _may_be_root(self) -> bool:
        name = urlsplit(self.url).path.rstrip("/").rpartition("/")[2]
        return bool(self._entity_sets) and name not in self._entity_sets

    def _enter_root(self) -> bool:
        """Go on to the entity set, and tell whether the address was a service root."""
        try:
            self._fetch(self._root_url, _look_for_root)
        except _ServiceRoot as root:
            self._enter(root.entity_sets)
            return True
        return False

    def _root_url(self) -> str:
        """Give the address without the options of a page, which a root may refuse."""
        option = f"{'&' if urlsplit(self.url).query else '?'}$format=json"
        return f"{self.url}{option if self._wants_format else ''}"

    def _enter(self, listed: dict[str, str]) -> None:
        wanted = next((name for name in self._entity_sets if name in listed), None)
        if wanted is None:
            raise FeedUnreadable(
                f"{redact(self.url)} is a service root; it lists {', '.join(listed)}.",
                next="Give the address of the entity set that holds the production.",
            )
        root = urlsplit(self.url)._replace(query="", fragment="").geturl().rstrip("/") + "/"
        self.url = self._trusted(root, listed[wanted], f"The address of {wanted}")

    def _next_link(self, answer: Fetched, number: int) -> str | None:
        return self._link(answer, answer.content.next_link, f"The next link of page {number}")

    def _delta_link(self, answer: Fetched, number: int) -> str | None:
        """Resolve a delta link; one that must not be followed is told and passed by, since the pages are whole."""
        try:
            return self._link(answer, answer.content.delta_link, f"The delta link of page {number}")
        except FeedLinkRefused as refused:
            self.warnings.append(f"{refused.message} It is not kept.")
            return None

    def _link(self, answer: Fetched, link: str | None, name: str) -> str | None:
        """Resolve a link against the context URL, else the address of the page (JSON Format 4.3)."""
        if link is None:
            return None
        context = self._context_url(answer)
        return self._trusted(context.removesuffix("$metadata") if context else answer.url, link, name)

    def _context_url(self, answer: Fetched) -> str | None:
        """Give the address of `$metadata` that a page names, if it is at a known origin.

        A proxy may hide the host that the service knows itself by.
        """
        named = (answer.content.context or "").partition("#")[0]
        try:
            address = urljoin(answer.url, named)
            return address if named and origin_of(address) in self._known_origins else None
        except ValueError:
            return None

    @property
    def _known_origins(self) -> set[str]:
        return self._wire.trusted | self._wire.redirected

    def _trusted(self, base: str, link: str, name: str) -> str:
        """Resolve a link and see that it leads to a known origin."""
        try:
            link = urljoin(base, link)
            origin = origin_of(link)
        except ValueError:
            raise FeedLinkRefused(f"{name} is no address.", next="Tell the feed's operator.") from None
        if origin not in self._known_origins:
            raise FeedLinkRefused(
                f"{name} leads to another origin, {origin}; allowed: {', '.join(sorted(self._wire.trusted))}.",
                next="If you trust it with your credentials, add it to WELLPROD_FEED_ALLOWED_ORIGINS.",
            )
        return link

    def _base(self, answer: Fetched) -> str | None:
        """Give the address of `$metadata`: what the page names, else that beside the entity set."""
        address = self._context_url(answer) or urljoin(answer.url, "$metadata")
        return address if origin_of(address) in self._wire.trusted else None

    def _first_that_works(self, url: Callable[[], str], read: Reader) -> Fetched:
        """Fetch, and where the service refuses $count or $orderby, do without (13.3 item 20).

        Before $count is given up it is asked for as in versions 2 and 3 ($inlinecount).
        """
        if self._options_accepted:
            return self._fetch(url, read)
        asked = [option for option in _OPTION_LOST if self._asks(option, url())]
        manners = [(self._is_version_2, set[str]())]
        if "count" in asked and not self._is_version_2:
            manners.append((True, set()))
        manners += [(self._is_version_2, {option}) for option in asked]
        if len(asked) > 1:
            manners.append((self._is_version_2, set(asked)))
        for is_version_2, dropped in manners:
            before = self._is_version_2, self._refused_options
            self._is_version_2, self._refused_options = is_version_2, before[1] | dropped
            try:
                fetched = self._fetch(url, self._unless_root(read))
            except _ServiceRoot as root:
                self._is_version_2, self._refused_options = before
                self._enter(root.entity_sets)
                return self._first_that_works(url, read)
            except FeedRefused as error:
                self._is_version_2, self._refused_options = before
                if error.details.get("status") not in _OPTION_REFUSED:
                    raise
                if (is_version_2, dropped) == manners[-1]:
                    if not self._turns_out_root():
                        raise
                    return self._first_that_works(url, read)
            else:
                if fetched.content.is_verbose and not is_version_2:
                    self._is_version_2 = True
                    return self._first_that_works(url, read) if "count" in asked else fetched
                if is_version_2 and not fetched.content.is_verbose and fetched.content.count is None:
                    self._is_version_2, dropped = False, {"count"}  # it passes by what it does not know
                    self._refused_options = self._refused_options | dropped
                self._options_accepted = True
                self.warnings += [_OPTION_LOST[option] for option in asked if option in dropped]
                return fetched
        raise AssertionError("the last attempt returns or raises")

    def _asks(self, option: str, url: str) -> bool:
        names = {"count": ("$count=", "$inlinecount=")}.get(option, (f"${option}=",))
        return any(name in url and name not in self.url for name in names)

    def _fetch(self, url: Callable[[], str], read: Reader) -> Fetched:
        """Fetch, and where the service still gives no JSON, ask for it by $format too, as version 2 needs at times."""
        try:
            return self._wire.fetch(url(), read, self._preferences)
        except FeedError as error:
            if self._wants_format or not error.details.get("no_json"):
                raise
        self._wants_format = True
        return self._wire.fetch(url(), read, self._preferences)

    def _unless_root(self, read: Reader) -> Reader:
        def look(body: bytes) -> Content:
            _look_for_root(body)
            return read(body)

        return look if self._may_be_root() else read

    def _turns_out_root(self) -> bool:
        """Tell whether an address that refuses every option is a service root, and go on from there."""
        try:
            return self._may_be_root() and self._enter_root()
        except FeedRefused:
            return False


class _ServiceRoot(Exception):
    """The answer lists entity sets in place of records."""

    def __init__(self, entity_sets: dict[str, str]) -> None:
        self.entity_sets = entity_sets
        super().__init__()


def _look_for_root(body: bytes) -> Content:
    if (listed := read_entity_sets(body)) is not None:
        raise _ServiceRoot(listed)
    return Content(pl.DataFrame())


def _loads(body: bytes) -> Content:
    return read_content(body, ("value",))
