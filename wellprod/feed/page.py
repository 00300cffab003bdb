"""One page of a feed: its JSON text read whole into columns of text, as the profile names them.

Of OData 4.0 and 4.01, of 3.0 in both its JSON forms, and of 2.0, which wraps a page in ``d``, gives numbers as text and
dates as ``/Date(milliseconds)/``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

import orjson
import polars as pl

from wellprod.errors import FeedError, FeedUnreadable

FAULT = "#fault"
"""The property of a row of a file that says why it is none, such as a line of a CSV with a cell too many."""

LINE = "#line"
"""The property of such a row that has the line as it came."""

_NEXT = ("@odata.nextLink", "@nextLink", "odata.nextLink", "__next")
_COUNT = ("@odata.count", "@count", "odata.count", "__count")
_CONTEXT = ("@odata.context", "@context", "odata.metadata")
_DELTA = ("@odata.deltaLink", "@deltaLink")
_ENVELOPE = dict.fromkeys((*_NEXT, *_COUNT, *_CONTEXT, *_DELTA, "error"), pl.String)
_VERBOSE = re.compile(rb'\s*\{\s*"d"\s*:\s*([\[{])')  # a page of version 2, or of 3 in its long form
_VERBOSE_ENVELOPE = dict.fromkeys((*_NEXT[-1:], *_COUNT[-1:]), pl.String)
_VERBOSE_DATE = r"^/Date\((-?\d{1,15})([+-]\d{1,4})?\)/$"
_OF_ENTITY_SETS = {"name", "kind", "url", "title"}


@dataclass(frozen=True, slots=True)
class Content:
    """What a page's body says: rows as text columns, one for each property asked for, and the envelope.

    `is_verbose` tells a page in the form of version 2.
    """

    rows: pl.DataFrame
    next_link: str | None = None
    count: int | None = None
    context: str | None = None
    delta_link: str | None = None
    is_verbose: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a feed is to be read on: the number of the page, and a next link or the records before it."""

    page: int = 1
    link: str | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """One page as it came; `next` is where to read on, None at the end of the feed."""

    number: int
    content: Content
    body: bytes
    seconds: float
    next: Place | None

    @property
    def rows(self) -> pl.DataFrame:
        """The rows, as text."""
        return self.content.rows

    def numbered(self) -> pl.DataFrame:
        """Give the rows with the number of the page and of the row in it, from 0, as `#page` and `#row`."""
        place = pl.lit(self.number, dtype=pl.Int32).alias("#page"), pl.int_range(pl.len(), dtype=pl.Int32).alias("#row")
        return self.content.rows.with_columns(*place)

    def raw_rows(self, numbers: Sequence[int]) -> list[str]:
        """Give the JSON text of the rows with these numbers, from 0."""
        try:
            rows = _records(orjson.loads(self.body))
            return [_json_text(rows[number]) for number in numbers]
        except (ValueError, IndexError):  # text that polars reads and the standard forbids, such as half a character
            rows = _records(json.loads(self.body))
            return [json.dumps(rows[number]) for number in numbers if number < len(rows)]


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page that could not be had for good, where to read on after it, and how many records lie before it."""

    number: int
    error: FeedError
    next: Place
    skip: int


Reader = Callable[[bytes], Content]
"""Reads the body of a page; raises FeedUnreadable when it is none."""


def read_content(body: bytes, properties: Sequence[str]) -> Content:
    """Read a page's JSON whole: an object whose `value`, or in version 2 `d` or `d.results`, holds the records.

    The quick way lets polars read the columns; whatever it refuses (records that are no objects, nested values, an
    error object) is read value by value. Dates of version 2 are given as ISO 8601 (see `_dated`).

    Raises
    ------
    FeedUnreadable
        The text is no whole JSON, holds an error object, or has no records.
    """
    verbose = _VERBOSE.match(body)
    content = _read_quickly(body, properties, verbose[1] if verbose else b"") or _read_slowly(body, properties)
    return replace(content, rows=_dated(content.rows)) if content.is_verbose else content


def _read_quickly(body: bytes, properties: Sequence[str], verbose: bytes) -> Content | None:
    if body.lstrip()[:1] != b"{":
        return None
    rows = pl.List(pl.Struct({name: pl.String() for name in properties}))
    shape: dict[str, Any]
    if verbose == b"{":
        shape = {"d": pl.Struct({**_VERBOSE_ENVELOPE, "results": rows}), "error": pl.String}
    else:
        shape = {"d": rows, "error": pl.String} if verbose else {**_ENVELOPE, "value": rows}
    try:
        page = pl.read_json(body, schema=shape)
    except pl.exceptions.PolarsError:
        return None
    if verbose:
        page = page.unnest("d").rename({"results": "value"}) if verbose == b"{" else page.rename({"d": "value"})
    records = page["value"][0] if page.height == 1 else None
    if records is None or page["error"][0] is not None:
        return None
    envelope = _read_envelope(page.drop("value").row(0, named=True))
    return Content(records.struct.unnest(), *envelope, is_verbose=bool(verbose))


def _dated(rows: pl.DataFrame) -> pl.DataFrame:
    """Give the dates of version 2 as ISO 8601: milliseconds since 1970 in UTC, and minutes to add for a local time.

    (OData 2.0, JSON Format, "Primitive Types"; a date without minutes has no zone, and is given as it was written.)
    """
    names = [name for name in rows.columns if rows[name].str.starts_with("/Date(").any()]
    parts = {name: pl.col(name).str.extract_groups(_VERBOSE_DATE) for name in names}
    local = {
        name: part.struct.field("1").cast(pl.Int64) + part.struct.field("2").cast(pl.Int64).fill_null(0) * 60_000
        for name, part in parts.items()
    }
    return rows.with_columns(
        pl.coalesce(at.cast(pl.Datetime("ms")).dt.to_string("%Y-%m-%dT%H:%M:%S"), name).alias(name)
        for name, at in local.items()
    )


def first_rows(body: bytes) -> list[Any]:
    """Give the records of a page as plain values, to learn the shape of a feed from."""
    return _records(_loaded(body))


def read_entity_sets(body: bytes) -> dict[str, str] | None:
    """Give the entity sets that a service document lists, with their addresses; None for any other answer."""
    page = _loaded(body)
    if not isinstance(page, dict):
        return None
    verbose = page.get("d")
    if isinstance(verbose, dict) and isinstance(verbose.get("EntitySets"), list):
        return {str(name): str(name) for name in verbose["EntitySets"]}
    rows = page.get("value")
    if not isinstance(rows, list) or not rows or not all(map(_is_of_service_document, rows)):
        return None
    context = next((str(page[name]) for name in _CONTEXT if name in page), "")
    root = context.partition("#")[0].removesuffix("$metadata")
    sets = (row for row in rows if row.get("kind", "EntitySet") == "EntitySet")
    return {str(row["name"]): urljoin(root, str(row.get("url") or row["name"])) for row in sets}


def _is_of_service_document(row: Any) -> bool:
    return isinstance(row, dict) and "name" in row and {n for n in row if "@" not in n} <= _OF_ENTITY_SETS


def _read_slowly(body: bytes, properties: Sequence[str]) -> Content:
    page = _loaded(body)
    rows = _records(page)
    verbose = _verbose(page)
    envelope = verbose if isinstance(verbose, dict) else page
    columns = {name: [_text(row.get(name)) if isinstance(row, dict) else None for row in rows] for name in properties}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(properties, pl.String))
    told = _read_envelope({name: _text(envelope.get(name)) for name in _ENVELOPE})
    return Content(frame, *told, is_verbose=verbose is not None)


def _verbose(page: Any) -> Any:
    """Give what a page of version 2 wraps, None for a page of another version."""
    return page["d"] if isinstance(page, dict) and "d" in page and "value" not in page else None


def _loaded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        start = bytes(body[:40]).decode("utf-8", "replace")
        raise FeedUnreadable(
            f"The page is no whole JSON: {error.msg} (it begins {start!r}, {len(body):,} bytes)."
        ) from None


def read_error(body: bytes) -> str | None:
    """Give what an error object says, None for any other answer."""
    try:
        page = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    error = page.get("error", page.get("odata.error")) if isinstance(page, dict) else None
    return _error_text(error) if error else None


def _error_text(error: Any) -> str:
    """Give code and message in one line; versions 2 and 3 wrap the message with its language."""
    if isinstance(error, dict):
        message = error.get("message", "")
        error = f"{error.get('code', '')} {message.get('value', '') if isinstance(message, dict) else message}"
    return "".join(c if c.isprintable() else " " for c in str(error).strip())[:300].rstrip(" .")


def _records(page: Any) -> list[Any]:
    if isinstance(page, dict) and page.get("error") is not None:
        raise FeedUnreadable(f"The feed answered with an error in place of a page: {_error_text(page['error'])}.")
    verbose = _verbose(page)
    wrapped = verbose.get("results") if isinstance(verbose, dict) else verbose
    rows = page.get("value") if isinstance(page, dict) and verbose is None else wrapped
    if not isinstance(rows, list):
        keys = ", ".join(list(page)[:10]) if isinstance(page, dict) else type(page).__name__
        raise FeedUnreadable(
            f"The JSON has no records: expected an object with a list in 'value', found {keys or 'an empty object'}."
        )
    return rows


def _read_envelope(envelope: dict[str, str | None]) -> tuple[str | None, int | None, str | None, str | None]:
    link, count, context, delta = (
        next((text for name in names if (text := envelope.get(name))), None)
        for names in (_NEXT, _COUNT, _CONTEXT, _DELTA)
    )
    return link, int(count) if count and count.isdigit() else None, context, delta


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else _json_text(value)


def _json_text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise FeedUnreadable(f"The page has a value that cannot be read: {error}.") from None
