"""What the views of the explore page ask the store for, and the charts that draw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import polars as pl
from altair.typing import ChartType

from wellprod.analysis import charts
from wellprod.analysis.charts.look import draw_on_page, nothing
from wellprod.analysis.measures import MEASURES, table, top
from wellprod.analysis.selection import Selection
from wellprod.analysis.typewell import normalised_wells, type_well
from wellprod.pages.declining import Well, decline_facts, decline_months, decline_of, in_newest_month, largest_wells
from wellprod.pages.views import Look
from wellprod.store import Reading

_BANDS, _BARS, _LISTED, _SAMPLED = 8, 15, 1000, 60


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


def see(reading: Reading, selection: Selection, look: Look) -> Seen:
    """Ask the store for what a view shows.

    Raises
    ------
    WellprodError
        The store cannot be read, or a field, well or group is not in it.
    """
    draw_on_page()
    return _SEE[look.view](reading, selection, look)


def _rates(reading: Reading, selection: Selection, look: Look) -> Seen:
    measures = ("oil_rate", "gas_rate", "water_rate", "gor", "water_cut", "wells_on")
    found = table(reading, selection, measures, units=look.units)
    return Seen(found, lambda: charts.linked(found, look.units, log=look.log))


def _measure(reading: Reading, selection: Selection, look: Look) -> Seen:
    found = table(reading, selection, (look.measure,), units=look.units, boe=look.boe)
    return Seen(found, lambda: charts.rate_time(found, look.units, measures=(look.measure,), log=look.log))


def _stacked(reading: Reading, selection: Selection, look: Look) -> Seen:
    wells = table(reading, selection, ("wells_on",))
    if look.by in ("field", "well"):
        found = top(reading, selection, look.measure, _BANDS, by=look.by, units=look.units, boe=look.boe)
    else:
        found = table(reading, selection, (look.measure,), by=look.by, units=look.units, boe=look.boe)
    return Seen(found, lambda: charts.stacked(found, look.units, measure=look.measure, wells=wells))


def _ranked(reading: Reading, selection: Selection, look: Look) -> Seen:
    """Ask for the largest: of volumes over all months, of what does not add up over months in the newest one."""
    if look.measure.endswith("_volume"):
        if look.by in ("field", "well"):
            found = top(reading, selection, look.measure, _BARS, by=look.by, units=look.units, boe=look.boe)
        else:
            found = table(reading, selection, (look.measure,), by=look.by, units=look.units, boe=look.boe)
        return Seen(found, lambda: charts.ranked(found, look.units, measure=look.measure, top=_BARS))
    newest = in_newest_month(reading, selection, look.measure)
    every = table(reading, newest, (look.measure,), by=look.by, units=look.units, boe=look.boe)
    column = MEASURES[look.measure].column(look.units)
    found = every.sort(column, descending=True, nulls_last=True).head(_LISTED)
    return Seen(found, lambda: charts.ranked(every, look.units, measure=look.measure, top=_BARS))


def _cumulative(reading: Reading, selection: Selection, look: Look) -> Seen:
    along = f"cum_{look.measure.removesuffix('_rate')}"
    found = table(reading, selection, (look.measure, along), units=look.units, boe=look.boe)
    return Seen(
        found, lambda: charts.rate_cumulative(found, look.units, rate=look.measure, cumulative=along, log=look.log)
    )


def _wor(reading: Reading, selection: Selection, look: Look) -> Seen:
    found = table(reading, selection, ("wor", "cum_oil"), units=look.units)
    return Seen(found, lambda: charts.wor_cumulative(found, look.units))


def _typewells(reading: Reading, selection: Selection, look: Look) -> Seen:
    curve = type_well(reading, selection, look.measure, units=look.units, boe=look.boe)
    wells = normalised_wells(reading, selection, look.measure, units=look.units, boe=look.boe, at_most=_SAMPLED)
    return Seen(curve, lambda: charts.type_well(curve, wells, look.units, measure=look.measure, log=look.log))


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


_SEE: Mapping[str, Callable[[Reading, Selection, Look], Seen]] = {
    "rates": _rates,
    "measure": _measure,
    "stacked": _stacked,
    "ranked": _ranked,
    "cumulative": _cumulative,
    "wor": _wor,
    "typewells": _typewells,
    "decline": _decline,
}
