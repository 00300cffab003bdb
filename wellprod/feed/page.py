"""One page of a feed: its JSON text read whole into columns of text, as the profile names them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from wellprod.errors import FeedError, FeedUnreadable

FAULT = "#fault"
"""The property of a row of a file that says why it is none, such as a line of a CSV with a cell too many."""

LINE = "#line"
"""The property of such a row that has the line as it came."""

_NEXT = ("@odata.nextLink", "@nextLink", "odata.nextLink")
_COUNT = ("@odata.count", "@count", "odata.count")
_CONTEXT = ("@odata.context", "@context", "odata.metadata")
_ENVELOPE = dict.fromkeys((*_NEXT, *_COUNT, *_CONTEXT, "error"), pl.String)


@dataclass(frozen=True, slots=True)
class Content:
    """What a page's body says: rows as text columns, one for each property asked for, and the envelope."""

    rows: pl.DataFrame
    next_link: str | None = None
    count: int | None = None
    context: str | None = None


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
            rows = orjson.loads(self.body)["value"]
            return [_json_text(rows[number]) for number in numbers]
        except (ValueError, IndexError):  # text that polars reads and the standard forbids, such as half a character
            rows = json.loads(self.body)["value"]
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
    """Read a page's JSON whole: an object whose `value` holds the records.

    The quick way lets polars read the columns; whatever it refuses (records that are no objects, nested values, an
    error object) is read value by value.

    Raises
    ------
    FeedUnreadable
        The text is no whole JSON, holds an error object, or has no `value`.
    """
    if body.lstrip()[:1] != b"{":
        return _read_slowly(body, properties)
    row = pl.Struct({name: pl.String() for name in properties})
    try:
        page = pl.read_json(body, schema={**_ENVELOPE, "value": pl.List(row)})
    except pl.exceptions.PolarsError:
        return _read_slowly(body, properties)
    records = page["value"][0] if page.height == 1 else None
    if records is None or page["error"][0] is not None:
        return _read_slowly(body, properties)
    return Content(records.struct.unnest(), *_read_envelope(page.drop("value").row(0, named=True)))


def first_rows(body: bytes) -> list[Any]:
    """Give the records of a page as plain values, to learn the shape of a feed from."""
    return _records(_loaded(body))


def is_service_document(body: bytes) -> bool:
    """Tell whether this is the list of a service's entity sets rather than a page of records."""
    page = _loaded(body)
    rows = page.get("value") if isinstance(page, dict) else None
    return (
        isinstance(rows, list)
        and bool(rows)
        and all(isinstance(r, dict) and r.keys() <= {"name", "kind", "url", "title"} for r in rows)
    )


def _read_slowly(body: bytes, properties: Sequence[str]) -> Content:
    page = _loaded(body)
    rows = _records(page)
    columns = {name: [_text(row.get(name)) if isinstance(row, dict) else None for row in rows] for name in properties}
    frame = pl.DataFrame(columns, schema=dict.fromkeys(properties, pl.String))
    return Content(frame, *_read_envelope({name: _text(page.get(name)) for name in _ENVELOPE}))


def _loaded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        start = bytes(body[:40]).decode("utf-8", "replace")
        raise FeedUnreadable(
            f"The page is no whole JSON: {error.msg} (it begins {start!r}, {len(body):,} bytes)."
        ) from None


def _records(page: Any) -> list[Any]:
    if isinstance(page, dict) and page.get("error") is not None:
        error = page["error"]
        text = f"{error.get('code', '')} {error.get('message', '')}".strip() if isinstance(error, dict) else str(error)
        raise FeedUnreadable(f"The feed answered with an error in place of a page: {text[:300]}.")
    if not isinstance(page, dict) or not isinstance(page.get("value"), list):
        keys = ", ".join(list(page)[:10]) if isinstance(page, dict) else type(page).__name__
        raise FeedUnreadable(
            f"The JSON has no records: expected an object with a list in 'value', found {keys or 'an empty object'}."
        )
    return list(page["value"])


def _read_envelope(envelope: dict[str, str | None]) -> tuple[str | None, int | None, str | None]:
    link, count, context = (
        next((text for name in names if (text := envelope.get(name))), None) for names in (_NEXT, _COUNT, _CONTEXT)
    )
    return link, int(count) if count and count.isdigit() else None, context


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else _json_text(value)


def _json_text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise FeedUnreadable(f"The page has a value that cannot be read: {error}.") from None
