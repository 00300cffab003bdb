"""The OData v4 client: pages of raw rows, by next links or by $skip and $top, none lost and none doubled.

Section numbers in the comments are those of OData 4.01 Part 1, Protocol.
"""

from __future__ import annotations

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
from wellprod.feed.page import Content, FailedPage, Page, Place, Reader, first_rows, is_service_document
from wellprod.feed.wire import Fetched, Wire, check_address, origin_of
from wellprod.log import get_logger
from wellprod.settings import Settings

_OPTION_REFUSED = {400, 404, 501}
_OPTION_LOST = {
    "count": "The feed refuses $count; whether all records came cannot be checked.",
    "orderby": "The feed refuses $orderby; records may be skipped if they change meanwhile.",
}
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
        self.delta_link: str | None = None
        self._context: str | None = None
        self._settings = settings
        self._entity_sets = tuple(entity_sets)
        self._filter = filter
        self._preferences = "odata.track-changes" if track_changes else ""
        self._refused_options: set[str] = set()
        self._options_accepted = False
        self._wire = Wire(url, settings, notify, transport)

    def close(self) -> None:
        """End any wait and close the connections."""
        self._wire.close()

    def sample(self) -> list[Any]:
        """Give the first record or records as plain values, to recognise a profile from."""
        self._find_entity_set()
        body = self._wire.fetch(self._with_options(self.url, top=1), _loads).body
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
        seen = {hash(link)}
        if link is None:
            self._find_entity_set()
        else:
            self._wire.redirected.add(origin_of(link))  # it was allowed when it came, if only by a redirect
        while True:
            answer = self._wire.fetch(link, read) if link else self._first_that_works(self._first_page_url, read)
            self._context = self._context or self._base(answer)
            if answer.content.count is not None:
                self.count = answer.content.count
            try:
                self.delta_link = self._link(answer, answer.content.delta_link, f"The delta link of page {number}")
                link = self._next_link(answer, number)
                if link is not None and hash(link) in seen:
                    raise FeedLinkRefused(
                        f"The next link of page {number} leads to a page that was read already ({redact(link)}).",
                        next="The feed turns in a circle; try --paging skip, or tell its operator.",
                    )
            except FeedLinkRefused:
                yield answer.page(number, None)
                raise
            seen.add(hash(link))
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
        if place.link is not None:
            answer = self._wire.fetch(place.link, read)
        elif (ahead := lanes.take(place.skip)) is not None:
            answer = ahead
        else:
            answer = self._first_that_works(lambda: self._window_url(place.skip, order_by), read)
        self._context = self._context or self._base(answer)
        if answer.content.count is not None:
            self.count = answer.content.count
        return answer

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
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name, value in options.items():
            if name not in self._refused_options and value not in (None, ""):
                fresh = f"${name}" not in query or name in ("skip", "top")
                if fresh:
                    query[f"${name}"] = "true" if value is True else str(value)
        if self._filter:
            given = query.get("$filter")
            query["$filter"] = f"({given}) and ({self._filter})" if given else self._filter
        text = "&".join(f"{quote(k, safe='$')}={quote(v, safe='$,:()')}" for k, v in query.items())
        return parts._replace(query=text).geturl()

    def _find_entity_set(self) -> None:
        """Where the address is a service root, go on to the entity set that a profile names."""
        path = urlsplit(self.url).path
        name = path.rstrip("/").rpartition("/")[2]
        if not self._entity_sets or name in self._entity_sets or not path.endswith("/"):
            return
        body = self._wire.fetch(self.url, _loads).body
        if not is_service_document(body):
            return
        listed = {row.get("name"): row.get("url") or row.get("name") for row in first_rows(body)}
        wanted = next((name for name in self._entity_sets if name in listed), None)
        if wanted is None:
            raise FeedUnreadable(
                f"{redact(self.url)} is a service root; it lists {', '.join(map(str, listed))}.",
                next="Give the address of the entity set that holds the production.",
            )
        self.url = urljoin(self.url, str(listed[wanted]))

    def _next_link(self, answer: Fetched, number: int) -> str | None:
        return self._link(answer, answer.content.next_link, f"The next link of page {number}")

    def _link(self, answer: Fetched, link: str | None, name: str) -> str | None:
        """Resolve a link against the context URL, else the address of the page (JSON Format 4.3)."""
        if link is None:
            return None
        base = urljoin(answer.url, (answer.content.context or "").partition("#")[0].removesuffix("$metadata"))
        try:
            link = urljoin(base, link)
            origin = origin_of(link)
        except ValueError:
            raise FeedLinkRefused(f"{name} is no address.", next="Tell the feed's operator.") from None
        if origin not in self._wire.trusted | self._wire.redirected:
            raise FeedLinkRefused(
                f"{name} leads to another origin, {origin}; allowed: {', '.join(sorted(self._wire.trusted))}.",
                next="If you trust it with your credentials, add it to WELLPROD_FEED_ALLOWED_ORIGINS.",
            )
        return link

    def _base(self, answer: Fetched) -> str | None:
        """Give the address of `$metadata`: what the page names, else that beside the entity set."""
        named = (answer.content.context or "").partition("#")[0]
        address = urljoin(answer.url, named or "$metadata")
        return address if origin_of(address) in self._wire.trusted else None

    def _first_that_works(self, url: Callable[[], str], read: Reader) -> Fetched:
        """Fetch, and where the service refuses $count or $orderby (400, 404, 501), do without (13.3 item 20)."""
        asked = [o for o in _OPTION_LOST if f"${o}=" in url() and f"${o}=" not in self.url]
        attempts: list[set[str]] = [set(), *({option} for option in asked), set(asked)]
        for dropped in attempts:
            self._refused_options |= dropped
            try:
                fetched = self._wire.fetch(url(), read, self._preferences)
            except FeedRefused as error:
                self._refused_options -= dropped
                refused = error.details.get("status") in _OPTION_REFUSED
                if self._options_accepted or not refused or dropped == attempts[-1]:
                    raise
            else:
                self._options_accepted = True
                self.warnings += [_OPTION_LOST[option] for option in asked if option in dropped]
                return fetched
        raise AssertionError("the last attempt returns or raises")


def _loads(body: bytes) -> Content:
    first_rows(body)
    return Content(pl.DataFrame())
