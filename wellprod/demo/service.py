"""The demo feed: records of a frame as an OData v4 service, with limits and faults of real feeds."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import orjson
import polars as pl
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wellprod.demo.access import Gate, SignIn
from wellprod.demo.documents import ENTITY_SET, error_reply, json_reply, metadata_document, service_document
from wellprod.demo.faults import Fault, Faults, RateLimit, spoiled
from wellprod.demo.filters import QueryError
from wellprod.demo.pages import PageCache, Rows
from wellprod.demo.query import Query, parse_query
from wellprod.errors import UsageError

ROOT = "/odata/"
CACHE_BYTES = 64_000_000

_PREFERRED_SIZE = re.compile(r'(?i)(?:^|[,;])\s*(?:odata\.)?maxpagesize\s*=\s*"?([0-9]{1,9})"?\s*(?:[,;]|$)')


def create_app(
    frame: pl.DataFrame,
    *,
    page_size: int = 1000,
    max_page_size: int = 5000,
    basic_auth: tuple[str, str] | None = None,
    bearer: str | None = None,
    api_key: tuple[str, str] | None = None,
    delay_seconds: float = 0.0,
    rate_limit: float | None = None,
    faults: Iterable[Fault] = (),
    relative_links: bool = False,
    count_refused: bool = False,
    top_cap: int | None = None,
    gzip: bool = False,
) -> Starlette:
    """Make the service of the records in `frame`, one row a record, under `/odata/`.

    Parameters
    ----------
    page_size, max_page_size
        Records a page when the client does not say, and at most when it asks by `Prefer: odata.maxpagesize`.
    basic_auth, bearer, api_key
        User and password, token, or header and value; any one of those given lets a request in.
    delay_seconds
        Wait before each answer.
    rate_limit
        Requests a second; above it the answer is 429 with Retry-After.
    faults
        Which data requests fail, and how.
    relative_links
        Context and next links relative to the request instead of absolute.
    count_refused
        `$count=true` is answered with 501.
    top_cap
        A request with `$top` gets at most so many records, in one page and without a next link.
    gzip
        Answers are compressed for clients that accept it; a cut one then has no Content-Length.

    Raises
    ------
    UsageError
        A size, a limit or a wait is out of range.
    """
    if min(page_size, max_page_size, 1 if top_cap is None else top_cap) < 1 or delay_seconds < 0:
        raise UsageError(
            f"The feed cannot have page_size={page_size}, max_page_size={max_page_size}, top_cap={top_cap}, "
            f"delay_seconds={delay_seconds}.",
            next="Give sizes from 1 on, and a delay from 0 on.",
        )
    feed = _Feed(
        rows=Rows(frame),
        page_size=min(page_size, max_page_size),
        max_page_size=max_page_size,
        faults=Faults(faults),
        relative_links=relative_links,
        count_refused=count_refused,
        top_cap=top_cap,
    )
    gate = Middleware(
        Gate,
        sign_in=SignIn(basic_auth, bearer, api_key),
        rate_limit=None if rate_limit is None else RateLimit(rate_limit),
        delay_seconds=delay_seconds,
    )
    return Starlette(
        routes=[
            Route(ROOT, feed.service_document),
            Route(f"{ROOT}$metadata", feed.metadata),
            Route(f"{ROOT}{ENTITY_SET}", feed.records),
        ],
        middleware=[*([Middleware(GZipMiddleware, compresslevel=1)] if gzip else []), gate],
        exception_handlers={HTTPException: _http_error, QueryError: _query_error},
    )


@dataclass(frozen=True)
class _Feed:
    """The endpoints, over one set of rows."""

    rows: Rows
    page_size: int
    max_page_size: int
    faults: Faults
    relative_links: bool
    count_refused: bool
    top_cap: int | None
    cache: PageCache = field(default_factory=lambda: PageCache(CACHE_BYTES))

    async def service_document(self, request: Request) -> Response:
        return service_document(f"{self._root(request)}$metadata")

    async def metadata(self, request: Request) -> Response:
        return metadata_document(self.rows.properties)

    async def records(self, request: Request) -> Response:
        reply = self._page(request)
        kind = self.faults.next_kind(str(request.url))
        return reply if kind is None else await spoiled(kind, request, reply)

    def _page(self, request: Request) -> Response:
        query = parse_query(request.query_params.multi_items(), self.rows.properties)
        if query.count and self.count_refused:
            raise HTTPException(501, "$count is not supported by this feed.")
        preferred = self._preferred_size(request)
        given, size = _read_token(query.skiptoken) if query.skiptoken else (0, preferred or self.page_size)
        size = min(size, self.max_page_size)
        key = (str(request.url), size)
        body = self.cache.get(key)
        if body is None:
            body = self._body(request, query, given, size)
            self.cache.keep(key, body)
        applied = {"Preference-Applied": f"odata.maxpagesize={size}"} if preferred == size else {}
        return json_reply(body, applied)

    def _body(self, request: Request, query: Query, given: int, size: int) -> bytes:
        total = self.rows.count(query)
        first = query.skip + given
        end = total if query.top is None else min(total, query.skip + query.top)
        stop = min(first + size, end)
        if query.top is not None and self.top_cap is not None:
            stop = end = min(end, query.skip + self.top_cap)
        shape = f"({','.join(query.select)})" if query.select else ""
        context = f"{self._root(request)}$metadata#{ENTITY_SET}{shape}"
        parts = [b'{"@odata.context":', orjson.dumps(context)]
        if query.count:
            parts += [b',"@odata.count":', orjson.dumps(total)]
        parts += [b',"value":', self.rows.render(query, first, max(first, stop))]
        if stop < end:
            parts += [b',"@odata.nextLink":', orjson.dumps(self._next_link(request, stop - query.skip, size))]
        return b"".join([*parts, b"}"])

    def _next_link(self, request: Request, given: int, size: int) -> str:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "$skiptoken"]
        token = base64.urlsafe_b64encode(f"{given}.{size}".encode()).decode().rstrip("=")
        options = urlencode([*kept, ("$skiptoken", token)], safe="$", quote_via=quote)
        return f"{self._root(request)}{ENTITY_SET}?{options}"

    def _root(self, request: Request) -> str:
        return "" if self.relative_links else f"{request.url.scheme}://{request.url.netloc}{ROOT}"

    def _preferred_size(self, request: Request) -> int | None:
        # A preference that makes no sense is ignored, as the standard of preferences has it.
        match = _PREFERRED_SIZE.search(",".join(request.headers.getlist("prefer")))
        return min(int(match[1]), self.max_page_size) or None if match else None


def _read_token(text: str) -> tuple[int, int]:
    try:
        token = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        token = ""
    match = re.fullmatch(r"([1-9][0-9]{0,14})\.([1-9][0-9]{0,8})", token)
    if match is None:
        raise QueryError(f"$skiptoken is {text!r}, which this feed did not give; follow next links unchanged.")
    return int(match[1]), int(match[2])


def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    message = error.detail
    if error.status_code == 404:
        known = f"{ROOT}, {ROOT}$metadata and {ROOT}{ENTITY_SET}"
        message = f"{request.url.path} is not there; there are {known}."
    return error_reply(error.status_code, message, error.headers)


def _query_error(request: Request, error: Exception) -> Response:
    return error_reply(400, str(error))
