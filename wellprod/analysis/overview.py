"""What is in the store, and which wells are the largest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from wellprod.analysis.selection import Condition, Selection
from wellprod.store import Reading
from wellprod.text import html_pairs, number


def days_of(month: str) -> str:
    """Give the SQL of the days that a month has."""
    return f"day(last_day({month}))"


def volume_of(rate: str) -> str:
    """Give the SQL of a volume: the sum of a calendar-day rate times the days of its month.

    What was not reported adds nothing, and where nothing was reported there is none.
    """
    return f"sum({rate} * {days_of('production_period')})"


_OIL, _GAS, _LIQUIDS, _WATER = (
    f"{volume_of(rate)} AS {{0}}{volume}"
    for rate, volume in {
        "oil_production_kbd": "oil_kbbl",
        "gas_production_mmcfd": "gas_mmscf",
        "liquids_production_kbd": "liquids_kbbl",
        "water_production_kbd": "water_kbbl",
    }.items()
)
_VOLUMES = f"{_OIL}, {_GAS}, {_WATER}"

_EXTENT = (
    "count(DISTINCT production_period) AS months, min(production_period) AS first_month,"
    f" max(production_period) AS last_month, {_VOLUMES.format('cum_')}"
)

EXTENT = f"count(*) AS records, count(DISTINCT (data_source, well_code)) AS wells, {_EXTENT}, {_LIQUIDS.format('cum_')}"
"""SQL of what records add up to: how many they are, of how many wells and months, and their volumes."""


@dataclass(frozen=True, slots=True, repr=False)
class Overview:
    """The extent of the store."""

    records: int
    fields: int
    wells: int
    first_month: date | None
    last_month: date | None
    wells_in_last_month: int
    data_sources: tuple[str, ...]
    restated_versions: int
    rejected_rows: int

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, months as ISO dates."""
        values = asdict(self)
        for name in ("first_month", "last_month"):
            values[name] = values[name].isoformat() if values[name] else None
        return {**values, "data_sources": list(self.data_sources)}

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it."""
        reporting = f", of which {number(self.wells_in_last_month)} reported the last month" if self.wells else ""
        return {
            "Records": number(self.records),
            "Fields": number(self.fields),
            "Wells": number(self.wells) + reporting,
            "Months": self.months or "none",
            "Sources": ", ".join(self.data_sources) or "none",
            "Restated": f"{number(self.restated_versions)} older versions kept",
            "Rejected": f"{number(self.rejected_rows)} rows kept with their reason",
        }

    @property
    def months(self) -> str:
        """The first and the last month, or nothing where there is none."""
        return f"{self.first_month:%Y-%m} to {self.last_month:%Y-%m}" if self.first_month and self.last_month else ""

    def __repr__(self) -> str:
        counts = f"{number(self.records)} records, {number(self.fields)} fields, {number(self.wells)} wells"
        return f"<Overview: {', '.join(part for part in (counts, self.months) if part)}>"

    def _repr_html_(self) -> str:
        return html_pairs(self.as_pairs())


def overview(reading: Reading) -> Overview:
    """Count records, fields, wells and months; older versions of restated records; rejected rows."""
    counts = reading.table(
        "SELECT count(*) AS records, count(DISTINCT (data_source, field_code)) AS fields,"
        " count(DISTINCT (data_source, well_code)) AS wells, min(production_period) AS first_month,"
        " max(production_period) AS last_month FROM production"
    ).row(0, named=True)
    in_last = "SELECT count(DISTINCT (data_source, well_code)) FROM production WHERE production_period = ?"
    sources = reading.table("SELECT DISTINCT data_source FROM production ORDER BY data_source")["data_source"]
    return Overview(
        **counts,
        wells_in_last_month=reading.value(in_last, [counts["last_month"]]),
        data_sources=tuple(sources),
        restated_versions=reading.value("SELECT count(*) FROM production_history WHERE change = 'restated'"),
        rejected_rows=reading.value("SELECT count(*) FROM rejected_rows"),
    )


def field_totals(reading: Reading, condition: Condition = ("TRUE", ())) -> pl.DataFrame:
    """Give each field, the one with the most oil first: field_code, field_name, data_source, wells, and its extent.

    The extent is months, first_month, last_month (first days of months), cum_oil_kbbl, cum_gas_mmscf, cum_water_kbbl.
    """
    where, parameters = condition
    return reading.table(
        "SELECT field_code, max_by(field_name, production_period) AS field_name, data_source,"
        f" count(DISTINCT well_code) AS wells, {_EXTENT} FROM production WHERE {where} GROUP BY data_source, field_code"
        " ORDER BY cum_oil_kbbl DESC NULLS LAST, field_code, data_source",
        parameters,
    )


def well_totals(reading: Reading, selection: Selection | None = None) -> pl.DataFrame:
    """Give each well of a selection, the one with the most oil first.

    Columns well_code, well_reference, well_name, field_name, data_source, and its extent as for `field_totals`; names
    are the latest ones.

    Raises
    ------
    SelectionError
        A field or well is not in the store.
    """
    return totals_by_well(reading, (selection or Selection()).condition(reading)).drop("field_code")


def totals_by_well(
    reading: Reading, condition: Condition, *, limit: int | None = None, offset: int = 0
) -> pl.DataFrame:
    """Give the wells that have records which meet a condition as `well_totals` does, with their latest field_code."""
    where, parameters = condition
    latest = ("well_reference", "well_name", "field_code", "field_name")
    names = ", ".join(f"max_by({name}, production_period) AS {name}" for name in latest)
    return reading.table(
        f"SELECT well_code, {names}, data_source, {_EXTENT} FROM production WHERE {where}"
        " GROUP BY data_source, well_code ORDER BY cum_oil_kbbl DESC NULLS LAST, well_code, data_source"
        " LIMIT ? OFFSET ?",
        [*parameters, limit, offset],
    )


def monthly_volumes(reading: Reading, selection: Selection | None = None) -> pl.DataFrame:
    """Give a selection month by month: production_period, oil_kbbl, gas_mmscf, water_kbbl, wells.

    A month's volume is its calendar-day rate times the days of the month; what was not reported adds nothing, and a
    month in which nobody reported a phase has null for it. `wells` have a record in the month.

    Raises
    ------
    SelectionError
        A field or well is not in the store.
    """
    return volumes_by_month(reading, (selection or Selection()).condition(reading))


def volumes_by_month(reading: Reading, condition: Condition) -> pl.DataFrame:
    """Give the records that meet a condition month by month, as `monthly_volumes` does."""
    where, parameters = condition
    return reading.table(
        f"SELECT production_period, {_VOLUMES.format('')}, count(DISTINCT (data_source, well_code)) AS wells"
        f" FROM production WHERE {where} GROUP BY production_period ORDER BY production_period",
        parameters,
    )


def largest_wells(reading: Reading, count: int = 10) -> pl.DataFrame:
    """Give the wells with the most oil so far: names, months, cum_oil_kbbl, cum_gas_mmscf, peak_oil_kbd.

    A month's volume is its calendar-day rate times the days of the month; a month that was not reported adds nothing.
    """
    return reading.table(
        "SELECT any_value(coalesce(well_name, well_reference, well_code::VARCHAR)) AS well,"
        " max_by(coalesce(field_name, field_code::VARCHAR), production_period) AS field, count(*) AS months,"
        f" {_OIL.format('cum_')}, {_GAS.format('cum_')},"
        " max(oil_production_kbd) AS peak_oil_kbd"
        " FROM production GROUP BY data_source, well_code"
        " ORDER BY cum_oil_kbbl DESC NULLS LAST, well_code LIMIT ?",
        [count],
    )
