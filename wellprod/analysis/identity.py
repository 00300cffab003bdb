"""Which field or well of the store a name, a reference or a code stands for, and which of them are one."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from wellprod.analysis.groups import Kind, groups_of
from wellprod.errors import NotThere
from wellprod.store import Reading
from wellprod.text import nearest

Key = tuple[str, int]
"""A data source and a code in it."""

_NAMES: dict[Kind, tuple[str, ...]] = {"field": ("field_name",), "well": ("well_name", "well_reference")}


def keys_of(
    reading: Reading, kind: Kind, text: str, *, data_source: str | None = None, renamed: bool = True
) -> list[Key]:
    """Give the data sources and codes of the field or well that a code, in whichever source, or a name stands for.

    Parameters
    ----------
    data_source
        The one source in which it is looked for; None for all.
    renamed
        Whether its other names, as `groups.toml` has them, are meant too.

    Raises
    ------
    NotThere
        It has no record; the message names the nearest ones.
    """
    found = _found(reading, kind, text, data_source) if renamed else _held(reading, kind, text, data_source)
    if not found:
        within = "the store" if data_source is None else f"the data source {data_source!r}"
        raise NotThere(f"There is no {kind} {text!r} in {within}.", next=_advice(reading, kind, text, data_source))
    return sorted(found)


def keys_held(reading: Reading, kind: Kind, texts: Iterable[str]) -> set[Key]:
    """Give the data sources and codes of the fields or wells, with their other names, that have records."""
    return {key for text in texts for key in _found(reading, kind, text, None)}


def same_codes(reading: Reading, kind: Kind) -> pl.DataFrame:
    """Give the fields or wells that `groups.toml` calls by several names, a row for each code held under one of them.

    Columns data_source, code, into_code (the code that stands for all: of those that bear the main name the one with
    the latest month, else of the others), into_name (the main name).
    """
    renamed = groups_of(reading).renamed(kind)
    given = [(name, main) for main, others in renamed.items() for name in dict.fromkeys((main, *others))]
    if not given:
        schema = {"data_source": pl.String, "code": pl.Int64, "into_code": pl.Int64, "into_name": pl.String}
        return pl.DataFrame(schema=schema)
    called = " OR ".join(f"lower(held.{column}) = lower(given.name)" for column in _NAMES[kind])
    return reading.table(
        f"WITH given(name, into_name) AS (VALUES {', '.join(['(?, ?)'] * len(given))}),"
        f" held AS (SELECT data_source, {kind}_code AS code, {', '.join(_NAMES[kind])}, max(production_period) AS last"
        " FROM production GROUP BY ALL),"
        " found AS (SELECT data_source, code, into_name, max(last) AS last,"
        " bool_or(lower(given.name) = lower(into_name)) AS is_main"
        f" FROM held JOIN given ON {called} OR held.code::VARCHAR = given.name GROUP BY ALL)"
        " SELECT DISTINCT ON (data_source, code) data_source, code, first_value(code) OVER ("
        "PARTITION BY data_source, into_name ORDER BY is_main DESC, last DESC, code) AS into_code, into_name"
        " FROM found ORDER BY data_source, code, into_name",
        [value for pair in given for value in pair],
    )


def _found(reading: Reading, kind: Kind, text: str, data_source: str | None) -> set[Key]:
    """Give what has records under a name or code, or under what `groups.toml` says is the same."""
    groups = groups_of(reading)
    found = {key for name in groups.names_of(kind, text) for key in _held(reading, kind, name, data_source)}
    if groups.renamed(kind):
        same = same_codes(reading, kind).rows()
        mains = {main for source, code, _, main in same if (source, code) in found}
        found |= {(source, code) for source, code, _, main in same if main in mains and data_source in (None, source)}
    return found


def _held(reading: Reading, kind: Kind, text: str, data_source: str | None) -> set[Key]:
    """Give what has records under a code or, where that is none, under a name."""
    within, source = ("data_source = ? AND", [data_source]) if data_source is not None else ("", [])
    query = f"SELECT DISTINCT data_source, {kind}_code FROM production WHERE {within}"
    if (code := _code(text)) is not None and (
        keys := set(reading.table(f"{query} {kind}_code = ?", [*source, code]).rows())
    ):
        return keys
    names = _NAMES[kind]
    named = " OR ".join(f"lower({name}) = lower(?)" for name in names)
    return set(reading.table(f"{query} ({named})", [*source, *[text] * len(names)]).rows())


def _advice(reading: Reading, kind: Kind, text: str, data_source: str | None) -> str:
    """Say what to give in place of a name or code that is not there."""
    within, source = ("data_source = ? AND", [data_source]) if data_source is not None else ("", [])
    known = reading.table(
        " UNION ".join(
            f"SELECT DISTINCT {name} AS name FROM production WHERE {within} {name} IS NOT NULL" for name in _NAMES[kind]
        ),
        source * len(_NAMES[kind]),
    )["name"].to_list()
    if near := nearest(text, known):
        return f"Near to it: {', '.join(near)}."
    if known:
        return f"Give a {kind} code or name that is there, such as {', '.join(sorted(known)[:3])}."
    sources = reading.table("SELECT DISTINCT data_source FROM production ORDER BY data_source")["data_source"]
    if sources.is_empty():
        return "Import a feed first: wellprod import URL, or wellprod demo."
    return f"Give a {kind} code that is there. Data sources: {', '.join(sources)}."


def _code(text: str) -> int | None:
    """Give the number that is written so and not otherwise, where it can be a code."""
    code = int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None
    return code if code is not None and str(code) == text and abs(code) < 2**63 else None
