"""The facts of a report of a field, each from the store, none worded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import polars as pl

from wellprod.analysis import quality
from wellprod.analysis.bridge import PHASES, Bridge, Phase, month_before, volume_bridges
from wellprod.analysis.field.month import FieldMonth, field_month
from wellprod.analysis.field.outlook import Outlook, outlook
from wellprod.analysis.measures import MEASURES, Units, table
from wellprod.analysis.restated import restated_since
from wellprod.analysis.selection import Selection
from wellprod.store import Reading

KEY_FIGURES = (
    *(f"{phase}_rate" for phase in PHASES),
    *(f"{phase}_volume" for phase in PHASES),
    *("gor", "water_cut", "uptime", "wells_on", "completeness"),
)
"""The measures of the headline, in their order."""

_SERIES = (*KEY_FIGURES, "wells", "wells_expected", "cum_oil", "cum_gas", "oil_nulls", "gas_nulls", "water_nulls")
_MOST_GAS = 15_000  # scf/bbl of an oil well; SEG Wiki, "Gas-oil ratio (GOR)"
_OF_WELLS = (*(f"{phase}_rate" for phase in PHASES[:3]), "gor", "water_cut", "uptime", "months_on_production")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure of the month, of the month before and of the same month a year before; None where it is not there."""

    name: str
    now: float | None
    before: float | None
    year_before: float | None

    @property
    def title(self) -> str:
        """What people call it."""
        return MEASURES[self.name].title


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """What there is to say of a field in a month; all volumes and rates in one system of units.

    Attributes
    ----------
    months
        The measures of the field month by month, up to this one, as `measures.table` gives them.
    figures
        The key figures by the name of their measure.
    main
        The phase that the report is told in: oil, or gas for a gas field.
    bridges
        A bridge for each phase that was reported in one of the two months; for boe where `figures` has it in each
        month in which the bridge has, not of oil or gas alone.
    wells
        The measures of each well in this month, and `change` of its main rate to the month before.
    marks
        The marks of data quality of the months from a year before on, as `quality.marks` gives them.
    known_at
        When the import began that first brought a record of this month (UTC).
    restated
        What changed of other records since then, as `restated.restated_since` gives it.
    sources
        data_source, source_data, profile, figures (what the feed gave), first_import, last_import, job_id, records.
    """

    about: FieldMonth
    units: Units
    boe: str
    months: pl.DataFrame
    figures: dict[str, Figure]
    main: Phase
    bridges: dict[Phase, Bridge]
    outlook: Outlook
    wells: pl.DataFrame
    marks: pl.DataFrame
    known_at: datetime | None
    restated: pl.DataFrame
    sources: pl.DataFrame

    @property
    def month(self) -> date:
        """The first day of the month."""
        return self.about.month

    @property
    def bridge(self) -> Bridge | None:
        """The bridge of the main phase."""
        return self.bridges.get(self.main)


def field_facts(
    reading: Reading, field: str, as_of: str | None = None, *, units: Units = "oilfield", boe: str = "6:1"
) -> FieldFacts:
    """Gather the facts of a field in a month, its last one unless given.

    Raises
    ------
    UsageError, NotThere
        The field, the month, the units or the rule of oil equivalents is not there.
    """
    about = field_month(reading, field, as_of)
    until = replace(about.selection, last_month=f"{about.month}")
    months = table(reading, until, _SERIES, units=units, boe=boe)
    figures = _figures(months, about.month, units)
    main = _main(figures, units)
    all_bridges = volume_bridges(reading, about.selection, about.month, units=units, boe=boe)
    bridges = {
        phase: found
        for phase, found in all_bridges.items()
        if not (found.start is None and found.end is None) and (phase != "boe" or _is_whole(found, figures))
    }
    known_at = next((bridge.known_at for bridge in bridges.values()), None)
    year_before = _year_before(about.month)
    return FieldFacts(
        about=about,
        units=units,
        boe=boe,
        months=months,
        figures=figures,
        main=main,
        bridges=bridges,
        outlook=outlook(months, main, units),
        wells=_wells(reading, about, main, units),
        marks=quality.marks(reading, replace(until, first_month=f"{year_before}")),
        known_at=known_at,
        restated=_restated(reading, until, known_at, units),
        sources=_sources(reading, about.selection),
    )


def _is_whole(bridge: Bridge, figures: dict[str, Figure]) -> bool:
    """Whether the measure of oil equivalent is there where the bridge has a volume, so that they agree."""
    measured = figures["boe_volume"]
    pairs = ((bridge.start, measured.before), (bridge.end, measured.now))
    return all(figure is not None for volume, figure in pairs if volume is not None)


def _year_before(month: date) -> date:
    return month.replace(year=month.year - 1)


def _figures(months: pl.DataFrame, month: date, units: Units) -> dict[str, Figure]:
    rows = {row["month"]: row for row in months.iter_rows(named=True)}
    found: tuple[dict[str, Any], ...] = tuple(
        rows.get(day, {}) for day in (month, month_before(month), _year_before(month))
    )
    return {name: Figure(name, *(row.get(MEASURES[name].column(units)) for row in found)) for name in KEY_FIGURES}


def _main(figures: dict[str, Figure], units: Units) -> Phase:
    """Give gas for a field whose gas-oil ratio is not that of oil, or that reports no oil; else oil."""
    gor, oil, gas = (figures[name].now for name in ("gor", "oil_volume", "gas_volume"))
    if gor is None:
        return "gas" if gas and not oil else "oil"
    return "gas" if gor > _MOST_GAS * float(MEASURES["gor"].quantity.times(units)) else "oil"


def _wells(reading: Reading, about: FieldMonth, main: Phase, units: Units) -> pl.DataFrame:
    """Give the wells with a record in the month, the largest first."""
    within = replace(about.selection, first_month=f"{month_before(about.month)}", last_month=f"{about.month}")
    both = table(reading, within, _OF_WELLS, by="well", units=units)
    rate, key = MEASURES[f"{main}_rate"].column(units), ("data_source", "well_code")
    before = both.filter(month=month_before(about.month)).select(*key, before=rate)
    now = both.filter(month=about.month).join(before, on=key, how="left")
    return (
        now.with_columns(change=pl.col(rate) - pl.col("before"))
        .drop("before")
        .sort(rate, "well", descending=[True, False], nulls_last=True)
    )


def _restated(reading: Reading, selection: Selection, known_at: datetime | None, units: Units) -> pl.DataFrame:
    found = restated_since(reading, selection, known_at or datetime.max)
    return found.with_columns(
        pl.col(f"{phase}_before", f"{phase}_now") * float(MEASURES[f"{phase}_rate"].quantity.times(units))
        for phase in ("oil", "gas", "water")
    )


def _sources(reading: Reading, selection: Selection) -> pl.DataFrame:
    where, values = selection.condition(reading)
    return reading.table(
        "SELECT data_source, string_agg(DISTINCT source_data, ', ') AS source_data, any_value(profile) AS profile,"
        " any_value(figures) AS figures, min(created_at) AS first_import, max(updated_at) AS last_import,"
        " max_by(production.job_id, updated_at)::VARCHAR AS job_id, count(*) AS records"
        " FROM production LEFT JOIN (SELECT data_source, profile, figures FROM data_sources) told USING (data_source)"
        f" WHERE {where} GROUP BY data_source ORDER BY data_source",
        values,
    )
