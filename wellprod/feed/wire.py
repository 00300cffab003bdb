"""One page over HTTP: several attempts within the time given, each whole or nothing.

The only importer of httpx. Credentials go to trusted origins and nowhere else.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import httpx
import tenacity

from wellprod.errors import (
    FeedError,
    FeedPageTooLarge,
    FeedRefused,
    FeedSignInRefused,
    FeedUnreachable,
    FeedUnreadable,
    UsageError,
    redact,
)
from wellprod.feed.page import Content, Page, Place, Reader
from wellprod.feed.throttle import Throttle
from wellprod.log import get_logger
from wellprod.settings import Settings

_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTS = 5
_NO_SUCH_FORMAT = {406, 415}
_TOLD_WAIT_SECONDS = 0.2
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_JSON_OF_VERSION_4 = "application/json;odata.metadata=minimal"
_ANY_JSON = "application/json"


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


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page that came whole: what it says, from which address, in how many seconds."""

    content: Content
    body: bytes
    url: str
    seconds: float

    def page(self, number: int, place: Place | None) -> Page:
        """Give it as page `number`, after which the feed goes on at `place`."""
        return Page(number, self.content, self.body, self.seconds, place)


class Wire:
    """The way to one feed.

    Parameters
    ----------
    url
        Its address; it and the origins that the settings allow are trusted with the credentials.
    settings
        Credentials, patience and limits (`feed_*`, `page_size`, `page_limit_mb`).
    notify
        Told in one line what is waited for.
    transport
        Another wire than the network.
    """

    def __init__(
        self,
        url: str,
        settings: Settings,
        notify: Callable[[str], None] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.trusted = {origin_of(url), *(origin_of(allowed) for allowed in settings.feed_allowed_origins)}
        self.redirected: set[str] = set()
        self._settings = settings
        self._notify = notify or (lambda text: None)
        self._stop = threading.Event()
        self._fetched_once = False
        self._accept = _JSON_OF_VERSION_4
        self._throttle = Throttle(settings.feed_delay_seconds)
        self._client = httpx.Client(transport=transport, timeout=settings.feed_timeout_seconds, verify=_certificates())

    def close(self) -> None:
        """End any wait and close the connections."""
        self._stop.set()
        self._client.close()

    def document(self, url: str) -> bytes:
        """Get what is no page of records, such as `$metadata`, in a single attempt.

        Raises
        ------
        FeedError
            It could not be had.
        """
        self._await_turn()
        try:
            return self._get(url, {"Accept": "application/xml"}).body
        except _Again as again:
            raise again.error from None

    def fetch(self, url: str, read: Reader, preferences: str = "") -> Fetched:
        """Get and read one page; `preferences` are added to those that every request has.

        Raises
        ------
        FeedUnreachable, FeedRefused, FeedUnreadable, FeedPageTooLarge
            The last attempt failed, or one failed in a way that another would not mend.
        Stopped
            The wire was closed.
        """
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._settings.feed_attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(_Again),
            sleep=self._pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            fetched = attempts(self._attempt, url, read, preferences)
        except _Again as again:
            raise again.error from None
        self._fetched_once = True
        return fetched

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        longest = self._settings.feed_retry_max_seconds
        first = self._settings.feed_retry_seconds
        wait = (tenacity.wait_exponential(multiplier=first, max=longest) + tenacity.wait_random(0, first))(state)
        if isinstance(error, _Again):
            if error.wait is not None:
                wait = min(max(error.wait, 0.0), longest)
            if error.wait is not None or error.error.details.get("status") == HTTPStatus.TOO_MANY_REQUESTS:
                self._throttle.hold(wait)
        return wait

    def _await_turn(self) -> None:
        while wait := self._throttle.turn():
            if wait >= _TOLD_WAIT_SECONDS:
                self._notify(f"next request in {wait:.1f} s: {self._throttle.reason}")
            self._pause(wait)

    def _tell(self, state: tenacity.RetryCallState) -> None:
        wait = state.next_action.sleep if state.next_action else 0.0
        reason = str(state.outcome.exception()) if state.outcome else ""
        attempt, attempts = state.attempt_number + 1, self._settings.feed_attempts
        self._notify(f"attempt {attempt} of {attempts} in {wait:.1f} s: {reason}")
        get_logger().info("page_retry", attempt=attempt, attempts=attempts, wait_seconds=round(wait, 3), reason=reason)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _attempt(self, url: str, read: Reader, preferences: str) -> Fetched:
        if self._stop.is_set():
            raise Stopped
        self._await_turn()
        began = time.perf_counter()
        size = f"odata.maxpagesize={self._settings.page_size}"
        answer = self._get_json(url, f"{size}, {preferences}" if preferences else size)
        seconds = time.perf_counter() - began
        self._throttle.answered(seconds)
        try:
            content = read(answer.body)
        except FeedUnreadable as error:
            error.next = error.next or "Try again later; if it stays so, tell the feed's operator."
            raise _Again(error) from None
        return Fetched(content, answer.body, answer.url, seconds)

    def _get_json(self, url: str, preferences: str) -> _Answer:
        """Get what may be JSON; a service that does not know the type of version 4 is asked for any from then on."""
        try:
            return _checked_json(self._get(url, {"Accept": self._accept, "Prefer": preferences}))
        except FeedError as error:
            if self._fetched_once or self._accept == _ANY_JSON or not error.details.get("no_json"):
                raise
        self._accept = _ANY_JSON
        return _checked_json(self._get(url, {"Accept": self._accept, "Prefer": preferences}))

    def _get(self, url: str, headers: dict[str, str]) -> _Answer:
        """Get the whole body within the time-out, following redirects; credentials go to trusted origins only."""
        deadline = time.monotonic() + self._settings.feed_timeout_seconds
        for _ in range(_REDIRECTS + 1):
            trusted = origin_of(url) in self.trusted
            try:
                with self._client.stream(
                    "GET", url, headers={**self._headers(trusted), **headers}, auth=self._auth(trusted)
                ) as r:
                    if r.is_redirect and "location" in r.headers:
                        url = urljoin(url, r.headers["location"])
                        self.redirected.add(origin_of(url))
                        continue
                    self._check_status(r, url, trusted)
                    return _Answer(self._body(r, url, deadline), url, r.headers.get("content-type", "no type"))
            except (ValueError, httpx.InvalidURL, httpx.UnsupportedProtocol):
                raise FeedRefused(f"{redact(url)} redirects to no address.", next="Check the address.") from None
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
                is_applied = "maxpagesize" in response.headers.get("preference-applied", "")
                smaller = "smaller pages with --page-size" if is_applied else "pages with --paging skip --page-size"
                raise FeedPageTooLarge(
                    f"A page of {redact(url)} is larger than {self._settings.page_limit_mb} MB.",
                    next=f"Ask for {smaller}, or raise WELLPROD_PAGE_LIMIT_MB.",
                )
            if time.monotonic() > deadline:
                raise self._too_slow(url)
        return b"".join(chunks)

    def _headers(self, trusted: bool) -> dict[str, str]:
        headers = {
            "OData-MaxVersion": "4.0",
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
        no_json = {"no_json": True} if status in _NO_SUCH_FORMAT else {}
        raise FeedRefused(f"{said}.", next="Check the address and the options of the feed.", status=status, **no_json)

    def _too_slow(self, url: str) -> _Again:
        limit = self._settings.feed_timeout_seconds
        return _Again(
            FeedUnreachable(
                f"{origin_of(url)} did not answer whole within {limit:g} seconds.",
                next="Try again, ask for smaller pages with --page-size, or raise WELLPROD_FEED_TIMEOUT_SECONDS.",
            )
        )

    def _unreachable(self, url: str, error: Exception) -> Exception:
        unreachable = FeedUnreachable(
            f"{origin_of(url)} cannot be reached: {str(error) or type(error).__name__}.",
            next="Check the address and the network, then try again.",
        )
        return unreachable if _is_unknown_host(error) and not self._fetched_once else _Again(unreachable)


def check_address(url: str) -> None:
    """Check that `url` is an address that can be read.

    Raises
    ------
    UsageError
        It is none, or carries a user or a password.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        is_address = False
    if not is_address:
        raise UsageError(
            f"{url!r} is no feed address.", next="Give one such as https://host/odata/WellProduction, or a file."
        )
    if parts.username or parts.password:
        raise UsageError(
            "The feed address holds a user or a password.",
            next="Take them out and set WELLPROD_FEED_USER and WELLPROD_FEED_PASSWORD.",
        )


@cache
def _certificates() -> ssl.SSLContext:
    """Give what a server is trusted by; read once, because that takes 40 ms."""
    return httpx.create_ssl_context()


def origin_of(url: str) -> str:
    """Give scheme, host and port of an address, the part that credentials are trusted to."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme.lower())
    return f"{parts.scheme.lower()}://{(parts.hostname or '').lower()}:{parts.port or default}"


def is_local(url: str) -> bool:
    """Tell whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked_json(answer: _Answer) -> _Answer:
    """Give an answer that may be JSON, without a byte order mark; raises FeedUnreadable for a web page or XML."""
    body = answer.body.removeprefix(_BYTE_ORDER_MARK)
    begins = body.lstrip()[:1]
    if begins != b"<" and (begins in (b"{", b"[") or "html" not in answer.content_type):
        return replace(answer, body=body)
    url = redact(answer.url)
    if "xml" in answer.content_type and "xhtml" not in answer.content_type:
        raise FeedUnreadable(
            f"{url} answered with XML in place of JSON ({answer.content_type}).",
            next="Only JSON is read: see whether the feed gives it, at another address or by $format=json.",
            no_json=True,
        )
    raise FeedUnreadable(
        f"{url} answered with a web page in place of records ({answer.content_type}).",
        next="This is often a sign-in page: check the address and the WELLPROD_FEED_* credentials.",
    )


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
