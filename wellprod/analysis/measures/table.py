"""A table of measures: one query over the records of a selection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Protocol, get_args

import polars as pl

from wellprod.analysis.measures.counts import counts_of_wells
from wellprod.analysis.measures.months import Months, Sql, number
from wellprod.analysis.measures.owners import KEYS, By, Largest, owners_of
from wellprod.analysis.measures.units import Quantity, Units
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.feed.units import BOE_RULES
from wellprod.store import Reading
from wellprod.text import nearest

_TOLD = (
    " LEFT JOIN (SELECT data_source, liquids_include_oil AS has_oil, liquids_include_condensate AS has_condensate"
    " FROM data_sources) USING (data_source)"
)


class Column(Protocol):
    """What a column of the table holds."""

    @property
    def quantity(self) -> Quantity:
        """What it is of."""

    @property
    def sql(self) -> Sql:
        """Gives the SQL of it, in oilfield units."""


def tabulate(
    reading: Reading,
    selection: Selection | None,
    columns: Mapping[str, Column],
    *,
    by: By,
    units: Units,
    boe: str,
    largest: Largest | None = None,
) -> pl.DataFrame:
    """Give a table with these columns behind the key of `by` and the month; see `measures.table`.

    With `largest` there are rows for them alone and for all others together, in that order.
    """
    check("key", by, KEYS)
    check("system of units", units, get_args(Units))
    check("rule of oil equivalents", boe, BOE_RULES)
    selection = selection or Selection()
    owners = owners_of(reading, selection, by, largest)
    months = Months(BOE_RULES[boe].mscf)
    figures = ", ".join(f"{_in(units, column, months)} AS {name}" for name, column in columns.items())
    taken = replace(selection, first_month=None, last_month=None) if months.looks_back else selection
    condition = taken.condition(reading)
    records, values = owners.records(condition)
    parameters: list[Any] = [*values]
    frames = {**owners.frames}
    query = f"WITH months AS ({monthly_sums(months, records)})"
    joined = ""
    if months.totals:
        totals = ", ".join(f"{aggregate} AS {name}" for name, aggregate in months.totals.items())
        query += (
            f", totals AS (SELECT production_period AS month, {totals} FROM production WHERE {condition[0]}"
            " GROUP BY production_period)"
        )
        parameters += condition[1]
        joined += " JOIN totals USING (month)"
    if months.counts_wells:
        wells, more = counts_of_wells(reading, records)
        query += f", {wells}"
        parameters += values
        frames |= more
        joined += " JOIN wells USING (owner, month)"
    query += f", measures AS (SELECT owner, month, {figures} FROM months{joined}) SELECT * FROM measures"
    if months.looks_back:
        where, bounds = selection.in_months
        query += f" WHERE {where.replace('production_period', 'month')}"
        parameters += bounds
    found = reading.table(f"{query} ORDER BY owner, month", parameters, **frames)
    if by != "all":
        found = found.join(owners.titles, on="owner", how="left", maintain_order="left")
    return found.select(*KEYS[by], "month", *columns)


def check(kind: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that is not known.

    Raises
    ------
    UsageError
        It is not; the message names the nearest and all.
    """
    if name not in known:
        near = nearest(name, known)
        advice = f"Near to it: {', '.join(near)}. " if near else ""
        raise UsageError(f"There is no {kind} {name!r}.", next=f"{advice}Known: {', '.join(known)}.")


def monthly_sums(months: Months, records: str) -> str:
    """Give the SQL of the sums that measures have asked for over `records`: owner, month, and each by its name."""
    sums = "".join(f", {aggregate} AS {name}" for name, aggregate in months.sums.items())
    told = _TOLD if months.asks_sources else ""
    return f"SELECT owner, production_period AS month{sums} FROM ({records}){told} GROUP BY owner, production_period"


def _in(units: Units, column: Column, months: Months) -> str:
    factor = column.quantity.times(units)
    sql = column.sql(months)
    return sql if factor == 1 else f"({sql}) * {number(factor)}"
