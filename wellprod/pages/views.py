"""The views of the explore page: for each the table that it asks the store for, and the chart that draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl
from altair.typing import ChartType

from wellprod.analysis import charts
from wellprod.analysis.measures import MEASURES, By, Units, table
from wellprod.analysis.selection import Selection
from wellprod.store import Reading

_PHASES = ("oil", "gas", "water", "boe")
_RATES = tuple(f"{phase}_rate" for phase in _PHASES)
_VOLUMES = tuple(f"{phase}_volume" for phase in _PHASES)
_CUMULATIVES = tuple(f"cum_{phase}" for phase in _PHASES)


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
    table
        Asks the store.
    chart
        Draws the table.
    measures, by
        Which of them can be chosen in it; none where it is not open.
    has_log
        Whether its scale can be logarithmic.
    """

    title: str
    about: str
    table: Callable[[Reading, Selection, Look], pl.DataFrame]
    chart: Callable[[pl.DataFrame, Look], ChartType]
    measures: tuple[str, ...] = ()
    by: tuple[By, ...] = ()
    has_log: bool = False


def _months(*measures: str) -> Callable[[Reading, Selection, Look], pl.DataFrame]:
    """Ask for these measures of all records together, month by month; for that which is chosen where none is named."""

    def asked(reading: Reading, selection: Selection, look: Look) -> pl.DataFrame:
        return table(reading, selection, measures or (look.measure,), units=look.units, boe=look.boe)

    return asked


def _rows(reading: Reading, selection: Selection, look: Look) -> pl.DataFrame:
    """Ask for the measure that is chosen, for each field, well or group."""
    return table(reading, selection, (look.measure,), by=look.by, units=look.units, boe=look.boe)


def _cumulative(reading: Reading, selection: Selection, look: Look) -> pl.DataFrame:
    return table(reading, selection, (look.measure, _along(look)), units=look.units, boe=look.boe)


def _along(look: Look) -> str:
    return f"cum_{look.measure.removesuffix('_rate')}"


_EACH: tuple[By, ...] = ("field", "well", "group")

VIEWS: Mapping[str, View] = {
    "rates": View(
        "Rates, GOR and water cut",
        "Calendar-day rates of all that is chosen together. Mark months in the upper chart to see them larger below; "
        "a click on the legend shows one phase alone.",
        _months("oil_rate", "gas_rate", "water_rate", "gor", "water_cut", "wells_on"),
        lambda found, look: charts.linked(found, look.units, log=look.log),
        has_log=True,
    ),
    "measure": View(
        "One measure over time",
        "A measure of all that is chosen together, month by month.",
        _months(),
        lambda found, look: charts.rate_time(found, look.units, measures=(look.measure,), log=look.log),
        measures=tuple(MEASURES),
        has_log=True,
    ),
    "stacked": View(
        "Who adds what",
        "What each adds to the whole, the largest at the foot, and how many there are.",
        _rows,
        lambda found, look: charts.stacked(found, look.units, measure=look.measure),
        measures=(*_RATES, *_VOLUMES, *_CUMULATIVES),
        by=_EACH,
    ),
    "ranked": View(
        "Ranking",
        "The largest: volumes summed over the months that are chosen, any other measure in the newest of them.",
        _rows,
        lambda found, look: charts.ranked(found, look.units, measure=look.measure),
        measures=tuple(name for name in MEASURES if not name.endswith("_nulls")),
        by=_EACH,
    ),
    "cumulative": View(
        "Rate against cumulative",
        "The rate against what was produced by then: an exponential decline is a straight line.",
        _cumulative,
        lambda found, look: charts.rate_cumulative(
            found, look.units, rate=look.measure, cumulative=_along(look), log=look.log
        ),
        measures=_RATES,
        has_log=True,
    ),
    "wor": View(
        "Water-oil ratio against cumulative oil",
        "Late in a waterflood the logarithm of WOR + 1 becomes a straight line.",
        _months("wor", "cum_oil"),
        lambda found, look: charts.wor_cumulative(found, look.units),
    ),
}
"""Every view by its name in the address, in the order in which they are offered."""
