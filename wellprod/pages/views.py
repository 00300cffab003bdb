"""The views of the explore page: for each what it asks the store for, and the chart that draws it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import polars as pl
from altair.typing import ChartType

from wellprod.analysis import charts
from wellprod.analysis.charts.look import nothing
from wellprod.analysis.measures import MEASURES, By, Units, table
from wellprod.analysis.selection import Selection
from wellprod.pages.declining import Well, decline_facts, decline_months, decline_of, largest_wells
from wellprod.store import Reading

_PHASES = ("oil", "gas", "water", "boe")
_RATES = tuple(f"{phase}_rate" for phase in _PHASES)
_VOLUMES = tuple(f"{phase}_volume" for phase in _PHASES)
_CUMULATIVES = tuple(f"cum_{phase}" for phase in _PHASES)
_EACH: tuple[By, ...] = ("field", "well", "group")


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
class Seen:
    """What a view shows.

    Parameters
    ----------
    table
        The figures behind the chart.
    draw
        Draws them, which needs the store no more.
    facts
        What else is to be told, titles with values.
    wells
        Where a view is of one well and several are selected: the largest, to choose one of.
    """

    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    draw: Callable[[], ChartType] = nothing
    facts: Mapping[str, str] = field(default_factory=dict)
    wells: tuple[Well, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """One way to see a selection.

    Parameters
    ----------
    title, about
        What it is called, and what it shows.
    see
        Asks the store.
    measures, by
        Which of them can be chosen in it; none where it is not open.
    has_log
        Whether its scale can be logarithmic.
    """

    title: str
    about: str
    see: Callable[[Reading, Selection, Look], Seen]
    measures: tuple[str, ...] = ()
    by: tuple[By, ...] = ()
    has_log: bool = False


def _rates(reading: Reading, selection: Selection, look: Look) -> Seen:
    measures = ("oil_rate", "gas_rate", "water_rate", "gor", "water_cut", "wells_on")
    found = table(reading, selection, measures, units=look.units)
    return Seen(found, lambda: charts.linked(found, look.units, log=look.log))


def _measure(reading: Reading, selection: Selection, look: Look) -> Seen:
    found = table(reading, selection, (look.measure,), units=look.units, boe=look.boe)
    return Seen(found, lambda: charts.rate_time(found, look.units, measures=(look.measure,), log=look.log))


def _stacked(reading: Reading, selection: Selection, look: Look) -> Seen:
    found = table(reading, selection, (look.measure,), by=look.by, units=look.units, boe=look.boe)
    return Seen(found, lambda: charts.stacked(found, look.units, measure=look.measure))


def _ranked(reading: Reading, selection: Selection, look: Look) -> Seen:
    found = table(reading, selection, (look.measure,), by=look.by, units=look.units, boe=look.boe)
    return Seen(found, lambda: charts.ranked(found, look.units, measure=look.measure))


def _cumulative(reading: Reading, selection: Selection, look: Look) -> Seen:
    along = f"cum_{look.measure.removesuffix('_rate')}"
    found = table(reading, selection, (look.measure, along), units=look.units, boe=look.boe)
    return Seen(
        found, lambda: charts.rate_cumulative(found, look.units, rate=look.measure, cumulative=along, log=look.log)
    )


def _wor(reading: Reading, selection: Selection, look: Look) -> Seen:
    found = table(reading, selection, ("wor", "cum_oil"), units=look.units)
    return Seen(found, lambda: charts.wor_cumulative(found, look.units))


def _decline(reading: Reading, selection: Selection, look: Look) -> Seen:
    found = decline_of(reading, selection, look.measure, look.units)
    if found is None:
        return Seen(wells=largest_wells(reading, selection, look.measure, look.units))
    draw = partial(charts.rate_time, found.produced, look.units, measures=(look.measure,), log=look.log)
    return Seen(
        decline_months(found),
        partial(draw, fit=found.fitted, forecast=found.foretold),
        decline_facts(found, look.measure, look.units),
    )


VIEWS: Mapping[str, View] = {
    "rates": View(
        "Rates, GOR and water cut",
        "Calendar-day rates of all that is chosen together. Mark months in the upper chart to see them larger below; "
        "a click on the legend shows one phase alone.",
        _rates,
        has_log=True,
    ),
    "measure": View(
        "One measure over time",
        "A measure of all that is chosen together, month by month.",
        _measure,
        measures=tuple(MEASURES),
        has_log=True,
    ),
    "stacked": View(
        "Who adds what",
        "What each adds to the whole, the largest at the foot, and how many there are.",
        _stacked,
        measures=(*_RATES, *_VOLUMES, *_CUMULATIVES),
        by=_EACH,
    ),
    "ranked": View(
        "Ranking",
        "The largest: volumes summed over the months that are chosen, any other measure in the newest of them.",
        _ranked,
        measures=tuple(name for name in MEASURES if not name.endswith("_nulls")),
        by=_EACH,
    ),
    "cumulative": View(
        "Rate against cumulative",
        "The rate against what was produced by then: an exponential decline is a straight line.",
        _cumulative,
        measures=_RATES,
        has_log=True,
    ),
    "wor": View(
        "WOR against cumulative oil",
        "Late in a waterflood the logarithm of the water-oil ratio + 1 becomes a straight line.",
        _wor,
    ),
    "decline": View(
        "Decline and forecast of a well",
        "An Arps decline, fitted to the whole history up to the last month, how it goes on to its economic limit, and "
        "whether it would have foretold the last 12 months.",
        _decline,
        measures=("oil_rate", "gas_rate"),
        has_log=True,
    ),
}
"""Every view by its name in the address, in the order in which they are offered."""
