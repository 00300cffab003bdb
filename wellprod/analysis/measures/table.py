"""A table of measures: one query over the records of a selection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Protocol, get_args

import polars as pl

from wellprod.analysis.identity import same_codes
from wellprod.analysis.measures.months import Months, Sql, number
from wellprod.analysis.measures.owners import KEYS, By, Largest, owners_of
from wellprod.analysis.measures.units import Quantity, Units
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.feed.units import BOE_RULES
from wellprod.store import Reading
from wellprod.text import nearest

EXPECTED_AFTER_MONTHS = 3
"""For so many months after a record a well is still expected to report."""


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
        first, last = reading.table("SELECT min(production_period), max(production_period) FROM production").row(0)
        same = same_codes(reading, "well")
        if not same.is_empty():
            frames["same_wells"] = same
        query += f", {_wells(records, first, last, renamed=not same.is_empty())}"
        parameters += values
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


def _wells(records: str, first: date | None, last: date | None, *, renamed: bool) -> str:
    """Give the SQL of the counts of wells: the months of a well are the bits of one value, so that none is sorted."""
    start, end = first or date(1970, 1, 1), last or date(1970, 1, 1)
    bits = 12 * (end.year - start.year) + end.month - start.month
    held = f"bitstring_agg(place, 0, {bits})"
    well, same = ("coalesce(into_code, well_code)", "LEFT JOIN same_wells") if renamed else ("well_code", "")
    on = " ON same_wells.data_source = records.data_source AND code = well_code" if renamed else ""
    past = " | ".join(["held", *(f"(held >> {months})" for months in range(1, EXPECTED_AFTER_MONTHS + 1))])
    place = f"date_diff('month', DATE '{start}', production_period)::INTEGER"
    return (
        f"places AS (SELECT records.*, {well} AS well, {place} AS place FROM ({records}) AS records {same}{on}),"
        " ends AS (SELECT data_source, max(production_period) AS last_month FROM production GROUP BY data_source),"
        f" bits AS (SELECT owner, data_source, well, {held} AS held, {held} FILTER (oil_production_kbd > 0 OR"
        " gas_production_mmcfd > 0) AS producing, min(place) AS first, max(place) AS last"
        " FROM places GROUP BY owner, data_source, well),"
        f" shifted AS MATERIALIZED (SELECT owner, held, producing, {past} AS expected, last, range(first, least(last +"
        f" {EXPECTED_AFTER_MONTHS}, date_diff('month', DATE '{start}', last_month)) + 1) AS places"
        " FROM bits JOIN ends USING (data_source)),"
        " each AS (SELECT owner, held, producing, expected, last, unnest(places)::INTEGER AS place FROM shifted),"
        " counts AS (SELECT owner, place, sum(get_bit(held, place))::BIGINT AS wells_held,"
        " coalesce(sum(get_bit(producing, place)), 0)::BIGINT AS wells_producing,"
        " sum(get_bit(expected, place))::BIGINT AS wells_expected,"
        " sum((place <= last)::INTEGER - get_bit(held, place)) AS missing FROM each GROUP BY owner, place),"
        f" wells AS (SELECT *, (DATE '{start}' + to_months(place))::DATE AS month,"
        " sum(missing) OVER (PARTITION BY owner ORDER BY place)::BIGINT AS wells_missing FROM counts)"
    )
