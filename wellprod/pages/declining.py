"""What the explore page says of the decline of one well, and which wells it offers where several are selected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Literal

import polars as pl

from wellprod.analysis.measures import MEASURES, Units, table
from wellprod.analysis.preview import preview
from wellprod.analysis.selection import Selection
from wellprod.errors import SelectionError, UsageError
from wellprod.pages.figures import as_told
from wellprod.store import Reading

if TYPE_CHECKING:
    from wellprod.analysis.decline.well import WellDecline

_OFFERED = 12
_FEW = 20


@dataclass(frozen=True, slots=True)
class Well:
    """A well that may be chosen: its title, name and code."""

    title: str
    name: str
    code: str


def decline_of(reading: Reading, selection: Selection, measure: str, units: Units) -> WellDecline | None:
    """Give the decline of the one well that is selected; None where there are several.

    Raises
    ------
    NotThere
        A field, well or group is not in the store.
    """
    if preview(reading, selection, rows=0).wells > _FEW:
        return None
    from wellprod.analysis.decline.run import decline  # here, since scipy takes as long to load as altair

    phase: Literal["oil", "gas"] = "gas" if measure == "gas_rate" else "oil"
    try:
        return decline(reading, selection, phase, units=units)
    except SelectionError:
        raise
    except UsageError:  # there are several
        return None


def in_newest_month(reading: Reading, selection: Selection, measure: str) -> Selection:
    """Give a selection with the newest month alone in which it has a figure of a measure, or any record."""
    months = table(reading, selection, (measure,))
    with_figure = months.drop_nulls()["month"]
    newest = (with_figure if len(with_figure) else months["month"]).max()
    month = f"{newest:%Y-%m}" if isinstance(newest, date) else None
    return replace(selection, first_month=month, last_month=month) if month else selection


def largest_wells(reading: Reading, selection: Selection, measure: str, units: Units) -> tuple[Well, ...]:
    """Give the wells with the most of a measure in the newest month of a selection, at most 12."""
    newest = in_newest_month(reading, selection, measure)
    found = table(reading, newest, (measure,), by="well", units=units)
    column = MEASURES[measure].column(units)
    largest = found.sort(column, "well", descending=[True, False], nulls_last=True).head(_OFFERED)
    return tuple(
        Well(f"{row['well']}: {as_told(measure, row[column], units)}", row["well"], str(row["well_code"]))
        for row in largest.iter_rows(named=True)
    )


def decline_months(found: WellDecline) -> pl.DataFrame:
    """Give what is drawn of a decline month by month: what was reported and its use, the fit, the forecast."""
    rate = found.columns.rate
    parts = (
        found.fitted.select("month", pl.col(rate).alias(f"fitted_{rate}")),
        found.foretold.select("month", pl.col(rate).alias(f"forecast_{rate}")),
    )
    months = found.produced.select("month", rate, "use")
    for part in parts:
        months = months.join(part, on="month", how="full", coalesce=True)
    return months.sort("month")


def decline_facts(found: WellDecline, measure: str, units: Units) -> dict[str, str]:
    """Say how the fit went, what it foretells and whether it would have foretold the past, titles with values."""
    fit = found.fit
    told = {"Well": f"{found.well}, {found.field}", "Fit": ": ".join(part for part in (fit.status, fit.reason) if part)}
    if fit.decline and found.forecast and fit.start and fit.last_month:
        volume = f"cum_{measure.removesuffix('_rate')}"
        told |= {
            "Window": f"{fit.start:%Y-%m} to {fit.last_month:%Y-%m}, {fit.months_used} months used",
            "Decline": f"{found.row['di_secant_effective']:.0%} in the first year (secant), b {fit.decline.b:.2f}",
            "Remaining": as_told(volume, found.forecast.remaining, units),
            "EUR": as_told(volume, found.forecast.eur, units),
            "Limit": f"{as_told(measure, found.forecast.limit_rate, units)}, at most to {found.forecast.until:%Y-%m}"
            f"; Dmin {fit.decline.dmin:g} a year",
        }
    if found.backtest:
        trusted = {True: "can be trusted", False: "not to be trusted", None: "cannot be told"}[found.backtest.trusted]
        told["Backtest"] = f"{trusted}: {found.backtest.reason}"
    return told
