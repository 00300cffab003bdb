"""Pages of records as JSON: rows cut from a frame and rendered, the last ones kept."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache, partial
from io import BytesIO

import orjson
import polars as pl

from wellprod.demo.query import Query, row_numbers
from wellprod.demo.records import ORIGINAL, edm_types


class Rows:
    """The records of one feed, in the order in which they are served unless a query says otherwise."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.properties = edm_types(frame)
        self._frame = frame
        self._original = frame[ORIGINAL] if ORIGINAL in frame.columns else None
        # The pages of one import share filter and order, which would cost most if done again for each page.
        self._row_numbers = lru_cache(maxsize=8)(partial(row_numbers, frame, self.properties))

    def count(self, query: Query) -> int:
        """Give how many records pass the filter of `query`, whatever it skips and takes."""
        matching = self._row_numbers(query.filter, query.orderby)
        return self._frame.height if matching is None else len(matching)

    def render(self, query: Query, first: int, stop: int) -> bytes:
        """Give the records from `first` up to `stop` of those that match `query`, as a JSON array."""
        matching = self._row_numbers(query.filter, query.orderby)
        place = slice(first, stop) if matching is None else matching[first:stop]
        if self._original is not None:
            return _render_original(self._original[place].to_list(), query.select)
        page = self._frame[place]
        if query.select:
            page = page.select(query.select)
        if page.is_empty():
            return b"[]"
        body = BytesIO()
        page.write_json(body)
        return body.getvalue()


def _render_original(rows: list[str], select: tuple[str, ...]) -> bytes:
    if not select:
        return f"[{','.join(rows)}]".encode()
    parsed = (orjson.loads(row) for row in rows)
    return orjson.dumps([{name: row.get(name) for name in select} for row in parsed])


class PageCache:
    """The bodies asked for last, up to `limit_bytes` together; a larger one is not kept."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._bodies: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def get(self, key: tuple[str, int]) -> bytes | None:
        """Give the body kept for the URL and page size of `key`, or None."""
        body = self._bodies.get(key)
        if body is not None:
            self._bodies.move_to_end(key)
        return body

    def keep(self, key: tuple[str, int], body: bytes) -> None:
        """Keep `body` for `key`, which has none yet, and let go of the bodies not asked for the longest."""
        if len(body) > self._limit:
            return
        self._bodies[key] = body
        self._size += len(body)
        while self._size > self._limit:
            self._size -= len(self._bodies.popitem(last=False)[1])
