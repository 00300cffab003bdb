"""Fields, wells and groups by what people call them, for a search on a page."""

from __future__ import annotations

import polars as pl

from wellprod.analysis.groups import groups_of
from wellprod.store import Reading

_WELL = "coalesce(well_name, well_reference, well_code::VARCHAR)"
_FIELD = "coalesce(field_name, field_code::VARCHAR)"
_FOUND = {
    "field": (_FIELD, ("field_name", "field_code::VARCHAR"), "NULL"),
    "well": (_WELL, ("well_name", "well_reference", "well_code::VARCHAR"), f"max_by({_FIELD}, production_period)"),
}


def find_names(reading: Reading, kind: str, text: str, *, limit: int = 50) -> pl.DataFrame:
    """Give the fields, wells or groups (`kind`) with `text` in their name, reference or code, in any letter case.

    Columns: name, code (as text; the name of a group), context (the field of a well, the kind of a group), months
    (null for a group); those that begin with `text` come first. A well or field with several names counts under its
    newest one.
    """
    if kind == "group":
        return _find_groups(reading, text, limit)
    name, searched, context = _FOUND[kind]
    found = " OR ".join(f"contains(lower({column}), lower(?))" for column in searched)
    return reading.table(
        f"SELECT max_by({name}, production_period) AS name, {kind}_code::VARCHAR AS code,"
        f" {context}::VARCHAR AS context, count(DISTINCT production_period) AS months"
        f" FROM production WHERE {found} GROUP BY {kind}_code"
        " ORDER BY NOT starts_with(lower(name), lower(?)), lower(name), code LIMIT ?",
        [*[text] * len(searched), text, limit],
    )


def _find_groups(reading: Reading, text: str, limit: int) -> pl.DataFrame:
    folded = text.casefold()
    found = [
        (name, name, group.kind or None, None)
        for name, group in groups_of(reading).groups.items()
        if folded in name.casefold()
    ]
    found.sort(key=lambda row: (not row[0].casefold().startswith(folded), row[0].casefold()))
    schema = {"name": pl.String, "code": pl.String, "context": pl.String, "months": pl.Int64}
    return pl.DataFrame(found[:limit], schema, orient="row")


def months_held(reading: Reading) -> list[str]:
    """Give the months from the first to the last one in the store as YYYY-MM, without a gap."""
    months = reading.table(
        "SELECT strftime(unnest(generate_series(min(production_period), max(production_period), INTERVAL 1 MONTH)),"
        " '%Y-%m') AS month FROM production"
    )
    return months["month"].to_list()
