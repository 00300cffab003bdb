"""The views of the explore page: for each its table, asked of the store, and the chart that draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl
from altair.typing import ChartType

from wellprod.analysis import measures
from wellprod.analysis.measures import By, Units
from wellprod.analysis.selection import Selection
from wellprod.store import Reading

OPTIONS = ("measure", "by", "log")
"""What some views leave open and others do not."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a selection is looked at; the names are those of the address."""

    view: str = "rates"
    measure: str = "oil_rate"
    by: By = "field"
    units: Units = "oilfield"
    boe: str = "6:1"
    log: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One way to see a selection.

    Parameters
    ----------
    title, about
        What it is called, and what it shows.
    options
        Which of `OPTIONS` count in it.
    table
        Asks the store.
    chart
        Draws that table, which has a row at least.
    """

    title: str
    about: str
    options: frozenset[str]
    table: Callable[[Reading, Selection, Look], pl.DataFrame]
    chart: Callable[[pl.DataFrame, Look], ChartType]


def _rates(reading: Reading, selection: Selection, look: Look) -> pl.DataFrame:
    return measures.table(reading, selection, ("oil_rate", "gas_rate", "water_rate", "wells_on"), units=look.units)


def _compare(reading: Reading, selection: Selection, look: Look) -> pl.DataFrame:
    return measures.table(reading, selection, (look.measure,), by=look.by, units=look.units, boe=look.boe)


def _lines(table: pl.DataFrame, look: Look) -> ChartType:
    import altair as alt

    x = [c for c in table.columns if table[c].dtype.is_float()]
    return alt.Chart(table.unpivot(x, index="month")).mark_line().encode(
        x="month:T", y=alt.Y("value:Q", scale=alt.Scale(type="log" if look.log else "linear")), color="variable:N"
    )


VIEWS: Mapping[str, View] = {
    "rates": View("Rates over time", "Calendar-day rates.", frozenset({"log"}), _rates, _lines),
    "compare": View("Compare", "One measure.", frozenset(OPTIONS), _compare, _lines),
}
"""Every view by its name in the address, in the order in which they are offered."""
