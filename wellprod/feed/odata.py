"""The OData v4 client: pages of raw rows, by next links or by $skip and $top, none lost and none doubled.

Section numbers in the comments are those of OData 4.01 Part 1, Protocol.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import httpx
import polars as pl
import structlog
import tenacity

from wellprod.errors import (
    FeedError,
    FeedLinkRefused,
    FeedPageTooLarge,
    FeedRefused,
    FeedSignInRefused,
    FeedUnreachable,
    FeedUnreadable,
    UsageError,
    redact,
)
from wellprod.feed.page import Content, FailedPage, Page, Place, Reader, first_rows, is_service_document
from wellprod.settings import Settings

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_OPTION_REFUSED = {400, 404, 501}
_REDIRECTS = 5
_DEAD_PAGES = 3
_SAME_PAGES = 3


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    url: str
    content_type: str


class _Again(Exception):
    """An attempt that failed in a way that may pass; carries the error and the wait that the feed asked for."""

    def __init__(self, error: FeedError, wait: float | None = None) -> None:
        self.error = error
        self.wait = wait
        super().__init__(str(error))


class Stopped(Exception):
    """The caller asked the client to stop."""


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
        notify: Callable[[str], None] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{url!r} is no feed address.",
                next="Give one such as https://host/odata/WellProduction, or a file.",
            )
        if parts.username or parts.password:
            raise UsageError(
                "The feed address holds a user or a password.",
                next="Take them out and set WELLPROD_FEED_USER and WELLPROD_FEED_PASSWORD.",
            )
        self.url = url
        self.warnings: list[str] = []
        self.count: int | None = None
        self._settings = settings
        self._entity_sets = tuple(entity_sets)
        self._filter = filter
        self._notify = notify or (lambda text: None)
        self._stop = threading.Event()
        self._trusted = {_origin(url), *(_origin(allowed) for allowed in settings.feed_allowed_origins)}
        self._redirected: set[str] = set()
        self._refused_options: set[str] = set()
        self._options_accepted = False
        self._fetched_once = False
        self._client = httpx.Client(transport=transport, timeout=settings.feed_timeout_seconds)

    def close(self) -> None:
        """End any wait and close the connections."""
        self._stop.set()
        self._client.close()

    def sample(self) -> list[Any]:
        """Give the first record or records as plain values, to recognise a profile from."""
        self._find_entity_set()
        body = self._fetch(self._with_options(self.url, top=1), _loads).body
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
        while True:
            answer = self._fetch(link, read) if link else self._first_that_works(self._first_page_url, read)
            if answer.content.count is not None:
                self.count = answer.content.count
            link = self._next_link(answer, number)
            if link is not None and hash(link) in seen:
                raise FeedLinkRefused(
                    f"The next link of page {number} leads to a page that was read already ({redact(link)}).",
                    next="The feed turns in a circle; try --paging skip, or tell its operator.",
                )
            seen.add(hash(link))
            yield answer.page(number, Place(number + 1, link=link) if link else None)
            if link is None:
                return
            number += 1

    # Client-driven paging: windows of $skip and $top in the order of the key. What counts is the records that came,
    # not those that were asked for, so a server that caps $top or adds next links of its own loses nothing.

    def windows(self, read: Reader, place: Place, order_by: Sequence[str]) -> Iterator[Page | FailedPage]:
        """Yield the pages from `place` on, asking for `page_size` records at a time; a page that fails is passed by.

        Raises
        ------
        FeedError
            Sign-in was refused, the first page failed, or three pages in a row did.
        """
        size = self._settings.page_size
        self._find_entity_set()
        failed: list[FailedPage] = []
        link, skip, number = place.link, place.skip, place.page
        last: Content | None = None
        same, gave_any = 1, False
        while True:
            at_end = self.count is not None and skip >= self.count
            try:
                if link is not None:
                    answer = self._fetch(link, read)
                else:
                    answer = self._first_that_works(lambda: self._window_url(skip, order_by), read)  # noqa: B023
            except (FeedSignInRefused, FeedLinkRefused):
                raise
            except FeedError as error:
                if link is not None:  # the window that begins here has the same records
                    link = None
                    continue
                if at_end:
                    yield from failed
                    return
                if not gave_any and self.count is None:
                    raise
                skip += size
                failed.append(FailedPage(number, error, Place(number + 1, skip=skip)))
                if len(failed) == _DEAD_PAGES:
                    raise
                number += 1
                continue
            yield from failed
            failed.clear()
            gave_any = True
            content = answer.content
            self.count = content.count if content.count is not None else self.count
            link = self._next_link(answer, number)
            received = content.rows.height
            if received == 0 and link is None:
                if self.count is None or skip >= self.count:
                    return
                skip += size
                continue
            repeats = received > 1 and last is not None and last.rows.equals(content.rows)
            same = same + 1 if repeats else 1
            if repeats and at_end:
                self.warnings.append("The feed gives its last page again for any $skip beyond the end.")
                return
            if same == _SAME_PAGES:
                raise FeedLinkRefused(
                    f"Pages {number - same + 1} to {number} are the same: the feed seems to ignore $skip.",
                    next="Use server-driven paging: leave out --paging skip.",
                )
            last = content
            skip += received
            yield answer.page(number, Place(number + 1, link=link, skip=skip))
            number += 1

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
        if not self._entity_sets or urlsplit(self.url).path.rstrip("/").rpartition("/")[2] in self._entity_sets:
            return
        if not urlsplit(self.url).path.endswith("/"):
            return
        body = self._fetch(self.url, _loads).body
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

    def _next_link(self, answer: _Fetched, number: int) -> str | None:
        """Resolve a next link against the context URL, else the address of the page (JSON Format 4.3)."""
        link = answer.content.next_link
        if link is None:
            return None
        base = urljoin(answer.url, (answer.content.context or "").partition("#")[0].removesuffix("$metadata"))
        link = urljoin(base, link)
        if _origin(link) not in self._trusted | self._redirected:
            raise FeedLinkRefused(
                f"The next link of page {number} leads to another origin, {_origin(link)};"
                f" allowed: {', '.join(sorted(self._trusted))}.",
                next="If you trust it with your credentials, add it to WELLPROD_FEED_ALLOWED_ORIGINS.",
            )
        return link

    # One page: several attempts, each whole or nothing

    def _first_that_works(self, url: Callable[[], str], read: Reader) -> _Fetched:
        """Fetch, and where the service refuses $count or $orderby (400, 404, 501), do without (13.3 item 20)."""
        while True:
            try:
                fetched = self._fetch(url(), read)
                self._options_accepted = True
                return fetched
            except FeedRefused as error:
                asked = [o for o in ("count", "orderby") if f"${o}=" in url() and f"${o}=" not in self.url]
                if self._options_accepted or error.details.get("status") not in _OPTION_REFUSED or not asked:
                    raise
                self._refused_options.add(asked[0])
                self.warnings.append(
                    "The feed refuses $count; whether all records came cannot be checked."
                    if asked[0] == "count"
                    else "The feed refuses $orderby; records may be skipped if they change meanwhile."
                )

    def _fetch(self, url: str, read: Reader) -> _Fetched:
        if self._fetched_once and self._settings.feed_delay_seconds:
            self._pause(self._settings.feed_delay_seconds)
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._settings.feed_attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(_Again),
            sleep=self._pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            fetched = attempts(self._attempt, url, read)
        except _Again as again:
            raise again.error from None
        self._fetched_once = True
        return fetched

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        longest = self._settings.feed_retry_max_seconds
        if isinstance(error, _Again) and error.wait is not None:
            return min(max(error.wait, 0.0), longest)
        backoff = tenacity.wait_exponential_jitter(
            initial=self._settings.feed_retry_seconds, max=longest, jitter=self._settings.feed_retry_seconds
        )
        return backoff(state)

    def _tell(self, state: tenacity.RetryCallState) -> None:
        wait = state.next_action.sleep if state.next_action else 0.0
        reason = str(state.outcome.exception()) if state.outcome else ""
        attempt = f"attempt {state.attempt_number + 1} of {self._settings.feed_attempts}"
        self._notify(f"{attempt} in {wait:.1f} s: {reason}")
        structlog.get_logger().info("page_retry", attempt=attempt, wait_seconds=round(wait, 2), reason=reason)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _attempt(self, url: str, read: Reader) -> _Fetched:
        if self._stop.is_set():
            raise Stopped
        began = time.perf_counter()
        answer = self._get(url)
        seconds = time.perf_counter() - began
        try:
            content = read(answer.body)
        except FeedUnreadable as error:
            if "html" in answer.content_type or answer.body.lstrip()[:1] == b"<":
                raise FeedUnreadable(
                    f"{redact(url)} answered with a web page in place of records ({answer.content_type}).",
                    next="This is often a sign-in page: check the address and the WELLPROD_FEED_* credentials.",
                ) from None
            error.next = error.next or "Try again later; if it stays so, tell the feed's operator."
            raise _Again(error) from None
        return _Fetched(content, answer.body, answer.url, seconds)

    def _get(self, url: str) -> _Answer:
        """Get the whole body within the time-out, following redirects; credentials go to trusted origins only."""
        deadline = time.monotonic() + self._settings.feed_timeout_seconds
        for _ in range(_REDIRECTS + 1):
            trusted = _origin(url) in self._trusted
            try:
                with self._client.stream("GET", url, headers=self._headers(trusted), auth=self._auth(trusted)) as r:
                    if r.is_redirect and "location" in r.headers:
                        url = urljoin(url, r.headers["location"])
                        self._redirected.add(_origin(url))
                        continue
                    self._check_status(r, url, trusted)
                    return _Answer(self._body(r, url, deadline), url, r.headers.get("content-type", "no type"))
            except httpx.TimeoutException:
                raise self._too_slow(url) from None
            except (httpx.TransportError, httpx.DecodingError) as error:
                raise self._unreachable(url, error) from None
        raise FeedRefused(f"{redact(url)} redirects more than {_REDIRECTS} times.", next="Check the address.")

    def _body(self, response: httpx.Response, url: str, deadline: float) -> bytes:
        limit = self._settings.page_limit_mb * 1_000_000
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                raise FeedPageTooLarge(
                    f"A page of {redact(url)} is larger than {self._settings.page_limit_mb} MB.",
                    next="Ask for smaller pages with --page-size, or raise WELLPROD_PAGE_LIMIT_MB.",
                )
            if time.monotonic() > deadline:
                raise self._too_slow(url)
        return b"".join(chunks)

    def _headers(self, trusted: bool) -> dict[str, str]:
        headers = {
            "Accept": "application/json;odata.metadata=minimal",
            "OData-MaxVersion": "4.0",
            "Prefer": f"odata.maxpagesize={self._settings.page_size}",
            "User-Agent": "wellprod",
        }
        settings = self._settings
        if trusted and settings.feed_token:
            headers["Authorization"] = f"Bearer {settings.feed_token.get_secret_value()}"
        if trusted and settings.feed_api_key:
            headers[settings.feed_api_key_header] = settings.feed_api_key.get_secret_value()
        return headers

    def _auth(self, trusted: bool) -> httpx.Auth | None:
        settings = self._settings
        if trusted and settings.feed_user and not settings.feed_token:
            password = settings.feed_password.get_secret_value() if settings.feed_password else ""
            return httpx.BasicAuth(settings.feed_user, password)
        return None

    def _check_status(self, response: httpx.Response, url: str, trusted: bool) -> None:
        status = response.status_code
        if status == HTTPStatus.OK:
            return
        said = f"{redact(url)} answered {status} {response.reason_phrase}"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            settings = self._settings
            used = "a bearer token" if settings.feed_token else "user and password" if settings.feed_user else None
            used = used or ("an API key" if settings.feed_api_key else "no credentials")
            if not trusted:
                used = "no credentials, since a redirect led there from another origin"
            raise FeedSignInRefused(
                f"{said}; it was asked with {used}.",
                next="Check WELLPROD_FEED_USER and WELLPROD_FEED_PASSWORD, WELLPROD_FEED_TOKEN or"
                " WELLPROD_FEED_API_KEY, and the address.",
                status=status,
            )
        if status in _AGAIN:
            error = FeedRefused(f"{said}.", next="Try again later.", status=status)
            raise _Again(error, _retry_after(response.headers.get("retry-after")))
        raise FeedRefused(f"{said}.", next="Check the address and the options of the feed.", status=status)

    def _too_slow(self, url: str) -> _Again:
        limit = self._settings.feed_timeout_seconds
        return _Again(
            FeedUnreachable(
                f"{_origin(url)} did not answer whole within {limit:g} seconds.",
                next="Try again, ask for smaller pages with --page-size, or raise WELLPROD_FEED_TIMEOUT_SECONDS.",
            )
        )

    def _unreachable(self, url: str, error: Exception) -> Exception:
        unreachable = FeedUnreachable(
            f"{_origin(url)} cannot be reached: {str(error) or type(error).__name__}.",
            next="Check the address and the network, then try again.",
        )
        return unreachable if _is_unknown_host(error) and not self._fetched_once else _Again(unreachable)


@dataclass(frozen=True, slots=True)
class _Fetched:
    content: Content
    body: bytes
    url: str
    seconds: float

    def page(self, number: int, place: Place | None) -> Page:
        return Page(number, self.content, self.body, self.seconds, place)


def _loads(body: bytes) -> Content:
    first_rows(body)
    return Content(pl.DataFrame())


def _origin(url: str) -> str:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme.lower())
    return f"{parts.scheme.lower()}://{(parts.hostname or '').lower()}:{parts.port or default}"


def _is_unknown_host(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return error.errno == socket.EAI_NONAME
        error = error.__cause__ or error.__context__
    return False


def _retry_after(text: str | None) -> float | None:
    """Read Retry-After as seconds or as a date (RFC 9110, 10.2.3); None for anything else."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
