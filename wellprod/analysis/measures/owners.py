"""What a table of measures has rows for: everything together, or each field, well or group; or the largest of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from wellprod.analysis.groups import GROUPS_FILE, Kind, groups_of
from wellprod.analysis.identity import same_codes
from wellprod.analysis.selection import Condition, Selection, all_of, group_condition
from wellprod.errors import NotThere, UsageError
from wellprod.store import Reading

By = Literal["all", "field", "well", "group"]

KEYS: dict[By, tuple[str, ...]] = {
    "all": (),
    "field": ("data_source", "field_code", "field"),
    "well": ("data_source", "well_code", "well", "field"),
    "group": ("group",),
}
"""What stands before the month in a row: codes and titles."""

OTHERS = "Others"
"""The title of all but the largest."""

_LATEST = "max_by({0}, production_period)"
_NAMES: dict[Kind, dict[str, str]] = {
    "field": {"field": f"coalesce({_LATEST.format('field_name')}, field_code::VARCHAR)"},
    "well": {
        "well": f"coalesce({_LATEST.format('well_name')}, {_LATEST.format('well_reference')}, well_code::VARCHAR)",
        "in_field": "max_by(field_code, (production_period, field_code))",
    },
}
_NAMED: dict[Kind, tuple[str, ...]] = {"field": ("field_name",), "well": ("well_name", "well_reference")}


@dataclass(frozen=True, slots=True)
class Owners:
    """The owners of rows, by numbers in their order.

    Parameters
    ----------
    titles
        One row each: owner, and the columns of the key.
    records
        Gives, for a condition on `production`, the SQL of the records that meet it, with their owner, and its values.
    frames
        The tables that this SQL needs beside.
    """

    titles: pl.DataFrame
    records: Callable[[Condition], Condition]
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Largest:
    """The `count` largest by the SQL of their size over the records of a selection; all others are one."""

    count: int
    size: str


def owners_of(reading: Reading, selection: Selection, by: By, largest: Largest | None = None) -> Owners:
    """Give the owners of rows for a selection.

    Raises
    ------
    NotThere
        A field, well or group is not there.
    UsageError
        There are no groups.
    """
    if by == "all":
        return Owners(pl.DataFrame({"owner": [1]}), lambda condition: _of_owner("1", condition))
    if by == "group":
        return _groups(reading, selection)
    return _fields_or_wells(reading, selection, by, largest)


def _of_owner(owner: str, condition: Condition, members: str = "") -> Condition:
    where, values = condition
    return f"SELECT *, {owner} AS owner FROM production {members} WHERE {where}", values


def _groups(reading: Reading, selection: Selection) -> Owners:
    """Give the groups of a selection, or all that have a record; a record may be of several."""
    known = groups_of(reading)
    conditions: dict[str, Condition] = {}
    for name in selection.groups or known.groups:
        try:
            conditions[known.find(name)[0]] = group_condition(reading, name)
        except NotThere:
            if selection.groups:
                raise
    if not conditions:
        raise UsageError(
            "There is no group of which a field or well is in the store.",
            next=f"Write one into {GROUPS_FILE} beside the store, as the README shows.",
        )

    def records(condition: Condition) -> Condition:
        parts = [_of_owner(str(owner), all_of(condition, own)) for owner, own in enumerate(conditions.values(), 1)]
        return " UNION ALL ".join(part for part, _ in parts), [value for _, values in parts for value in values]

    return Owners(_numbered(pl.DataFrame({"group": [*conditions]})), records)


def _fields_or_wells(reading: Reading, selection: Selection, kind: Kind, largest: Largest | None = None) -> Owners:
    """Give the fields or wells of a selection; those that `groups.toml` calls one are one owner."""
    code = f"{kind}_code"
    held = _held(reading, kind, selection)
    if largest:
        where, values = selection.condition(reading)
        sizes = f"SELECT data_source, {code}, {largest.size} AS size FROM production WHERE {where} GROUP BY ALL"
        held = held.join(reading.table(sizes, values), on=["data_source", code])
    one = held.sort("last").group_by("data_source", "into").agg(pl.last(*_NAMES[kind]), *([_SIZE] if largest else []))
    if largest:
        one = one.sort("size", "data_source", "into", descending=[True, False, False], nulls_last=True)
    titles = _numbered(one.sort("data_source", "into", maintain_order=True) if not largest else one)
    members = held.join(titles, on=["data_source", "into"]).select("data_source", code, "owner")
    titles = _told_apart(titles.rename({"into": code}), kind, code)
    if kind == "well":
        titles = _with_fields(titles, _fields_or_wells(reading, selection, "field"))
    titles = titles.select("owner", *KEYS[kind])
    if largest and titles.height > largest.count:
        rest = largest.count + 1
        members = members.with_columns(pl.col("owner").clip(upper_bound=rest))
        others = pl.DataFrame({"owner": [rest], kind: [OTHERS]}, schema_overrides={"owner": pl.Int32})
        titles = pl.concat([titles.head(largest.count), others], how="diagonal")
    join = f"JOIN members USING (data_source, {code})"
    return Owners(titles, lambda condition: _of_owner("owner", condition, join), {"members": members})


_SIZE = pl.when(pl.col("size").count() > 0).then(pl.col("size").sum()).alias("size")


def _numbered(titles: pl.DataFrame) -> pl.DataFrame:
    return titles.with_row_index("owner", 1).with_columns(pl.col("owner").cast(pl.Int32))


def _held(reading: Reading, kind: Kind, selection: Selection) -> pl.DataFrame:
    """Give each field or well: data_source and code, `into` (the code that it counts as), its titles, last month."""
    code = f"{kind}_code"
    where, values = replace(selection, first_month=None, last_month=None).condition(reading)
    named = ", ".join(f"max(production_period) FILTER ({name} IS NOT NULL)" for name in _NAMED[kind])
    titles = ", ".join(f"{sql} AS {title}" for title, sql in _NAMES[kind].items())
    held = reading.table(
        f"WITH latest AS (SELECT data_source, {code},"
        f" unnest(list_distinct([max(production_period), {named}])) AS production_period"
        f" FROM production WHERE {where} GROUP BY data_source, {code})"
        f" SELECT data_source, {code}, {titles}, max(production_period) AS last"
        f" FROM production JOIN latest USING (data_source, {code}, production_period)"
        f" WHERE {where} GROUP BY data_source, {code}",
        [*values, *values],
    )
    same = same_codes(reading, kind).rename({"code": code, "into_code": "into", "into_name": "name"})
    return held.join(same, on=["data_source", code], how="left").with_columns(
        pl.coalesce("into", code).alias("into"), pl.coalesce("name", kind).alias(kind)
    )


def _told_apart(titles: pl.DataFrame, kind: Kind, code: str) -> pl.DataFrame:
    """Put the code, and then the data source, behind titles that several have."""
    for column in (code, "data_source"):
        apart = pl.format("{} ({})", kind, column)
        titles = titles.with_columns(pl.when(pl.len().over(kind) > 1).then(apart).otherwise(kind).alias(kind))
    return titles


def _with_fields(wells: pl.DataFrame, fields: Owners) -> pl.DataFrame:
    """Give wells the title of the field that they were in last."""
    named = fields.frames["members"].join(fields.titles.select("owner", "field"), on="owner").drop("owner")
    return wells.join(
        named,
        left_on=["data_source", "in_field"],
        right_on=["data_source", "field_code"],
        how="left",
        maintain_order="left",
    )
