"""What is in the store, and which wells are the largest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from wellprod.store import Reading


@dataclass(frozen=True, slots=True)
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
        restated_versions=reading.value("SELECT count(*) FROM production_history"),
        rejected_rows=reading.value("SELECT count(*) FROM rejected_rows"),
    )


def largest_wells(reading: Reading, count: int = 10) -> pl.DataFrame:
    """Give the wells with the most oil so far: names, months, cum_oil_kbbl, cum_gas_mmscf, peak_oil_kbd.

    A month's volume is its calendar-day rate times the days of the month; a month that was not reported adds nothing.
    """
    return reading.table(
        "SELECT any_value(coalesce(well_name, well_reference, well_code::VARCHAR)) AS well,"
        " max_by(coalesce(field_name, field_code::VARCHAR), production_period) AS field, count(*) AS months,"
        " sum(oil_production_kbd * day(last_day(production_period))) AS cum_oil_kbbl,"
        " sum(gas_production_mmcfd * day(last_day(production_period))) AS cum_gas_mmscf,"
        " max(oil_production_kbd) AS peak_oil_kbd"
        " FROM production GROUP BY data_source, well_code"
        " ORDER BY cum_oil_kbbl DESC NULLS LAST, well_code LIMIT ?",
        [count],
    )
