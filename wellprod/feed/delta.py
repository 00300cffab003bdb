"""Answers to a delta link: what changed, and what the source no longer has (OData 4.01 Part 1, 11.3; JSON Format, 15).

A removed entity comes as an entry among the records, with `@removed` (4.01) or a context that ends in
`$deletedEntity` (4.0). It tells which one it is by its key properties or, when it has none, by its id, whose key
predicate names them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import polars as pl

from wellprod.feed.page import Content, first_rows, read_content

ENTRY = "#entry"
"""The column of a delta page that says what a row is: a record, or one of `REMOVED` and `LINK`."""
REMOVED = "removed"
LINK = "link"

_IDS = ("@id", "@odata.id", "id")
_CONTEXTS = ("@odata.context", "@context")
_PREDICATE = re.compile(r"\((.+)\)\s*$", re.DOTALL)
_KEY = re.compile(r"\s*(\w+)\s*=\s*('(?:[^']|'')*'|[^,']+)\s*(?:,|$)")


def read_delta(body: bytes, properties: Sequence[str]) -> Content:
    """Read a page of changes: as `read_content`, with `ENTRY` and, for what was removed, the key that its id names.

    Raises
    ------
    FeedUnreadable
        As for `read_content`.
    """
    content = read_content(body, properties)
    entries = first_rows(body)
    kinds = [_kind(entry) for entry in entries]
    if not any(kinds):
        return replace(content, rows=content.rows.with_columns(pl.lit(None, dtype=pl.String).alias(ENTRY)))
    rows = content.rows.rows(named=True)
    for row, entry, kind in zip(rows, entries, kinds, strict=True):
        if kind == REMOVED:
            named = _key_of(entry)
            row.update({name: named.get(name) for name in properties if row[name] is None})
    frame = pl.DataFrame(rows, schema=content.rows.schema, orient="row")
    return replace(content, rows=frame.with_columns(pl.Series(ENTRY, kinds, dtype=pl.String)))


def _kind(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return None
    context = next((str(entry[name]) for name in _CONTEXTS if name in entry), "")
    if "@removed" in entry or "@odata.removed" in entry or context.endswith("$deletedEntity"):
        return REMOVED
    return LINK if context.endswith(("$link", "$deletedLink")) else None


def _key_of(entry: dict[str, Any]) -> dict[str, str]:
    """Give the key that an entity's id names, such as ``Wells(well_code=7,month=2024-01-01)``."""
    identity = next((str(entry[name]) for name in _IDS if entry.get(name) is not None), "")
    predicate = _PREDICATE.search(unquote(identity))
    found = _KEY.findall(predicate[1]) if predicate else []
    return {name: _unquoted(text.strip()) for name, text in found}


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'") if text[:1] == "'" else text
