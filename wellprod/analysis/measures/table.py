"""A table of measures: one query over the records of a selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import polars as pl

from wellprod.analysis.measures.keys import KEYS, By
from wellprod.analysis.measures.months import Months, Sql, number
from wellprod.analysis.measures.units import Quantity, Units
from wellprod.analysis.selection import Selection
from wellprod.feed.units import BOE_RULES
from wellprod.store import Reading


class Column(Protocol):
    """What a column of the table holds."""

    @property
    def quantity(self) -> Quantity:
        """What it is of."""

    @property
    def sql(self) -> Sql:
        """The SQL of it, in oilfield units."""


_GAPS = """
    , date_diff('month', lag(production_period) OVER well, production_period) AS since
    , date_diff('month', production_period, lead(production_period) OVER well) AS until
"""
_WELL = "WINDOW well AS (PARTITION BY data_source, well_code ORDER BY production_period, field_code)"
_ENDS = "JOIN (SELECT data_source, max(production_period) AS source_ends FROM production GROUP BY ALL)"


def tabulate(
    reading: Reading,
    selection: Selection | None,
    columns: Mapping[str, Column],
    *,
    by: By,
    units: Units,
    boe: str,
) -> pl.DataFrame:
    """Give a table with these columns behind the key of `by` and the month; see `measures.table`."""
    selection = selection or Selection()
    key = KEYS[by]
    months = Months(key, BOE_RULES[boe].mscf)
    figures = {
        name: f"{column.sql(months)}{_times(column.quantity, units)} AS {name}" for name, column in columns.items()
    }
    taken = replace(selection, first_month=None) if months.looks_back else selection
    where, values = taken.condition(reading)
    parameters: list[Any] = [*values]
    own = "".join(f"{name}, " for name in key.columns)
    sums = "".join(f", {aggregate} AS {name}" for name, aggregate in months.sums.items())
    gaps, well, ends = (_GAPS, _WELL, f"{_ENDS} USING (data_source)") if months.knows_gaps else ("", "", "")
    query = (
        f"WITH records AS (SELECT *, production_period AS month{gaps} FROM production WHERE {where} {well}),"
        f" months AS (SELECT {own}month{sums} FROM records {ends} GROUP BY {own}month),"
        f" measures AS (SELECT {own}month, {', '.join(figures.values())} FROM months {months.windows})"
    )
    titles, joined = "", ""
    if key.titles:
        whole, more = replace(selection, first_month=None, last_month=None).condition(reading)
        found = ", ".join(f"{sql} AS {title}" for title, sql in key.titles.items())
        query += f", titles AS (SELECT {own}{found} FROM production WHERE {whole} GROUP BY {', '.join(key.columns)})"
        parameters += more
        titles = "".join(f"{title}, " for title in key.titles)
        joined = f" JOIN titles USING ({', '.join(key.columns)})"
    query += f" SELECT {own}{titles}month, {', '.join(figures)} FROM measures{joined}"
    if months.looks_back and selection.first_month:
        query += " WHERE month >= ?"
        parameters += replace(selection, last_month=None).in_months[1]
    return reading.table(f"{query} ORDER BY {own}month", parameters)


def _times(quantity: Quantity, units: Units) -> str:
    factor = quantity.times(units)
    return "" if factor == 1 else f" * {number(factor)}"
