"""What is in the store, and which wells are the largest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from wellprod.store import Reading
from wellprod.text import html_pairs, number


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

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it."""
        months = f"{self.first_month:%Y-%m} to {self.last_month:%Y-%m}" if self.first_month and self.last_month else ""
        reporting = f", of which {number(self.wells_in_last_month)} reported the last month" if self.wells else ""
        return {
            "Records": number(self.records),
            "Fields": number(self.fields),
            "Wells": number(self.wells) + reporting,
            "Months": months or "none",
            "Sources": ", ".join(self.data_sources) or "none",
            "Restated": f"{number(self.restated_versions)} older versions kept",
            "Rejected": f"{number(self.rejected_rows)} rows kept with their reason",
        }

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


def monthly_volumes(reading: Reading) -> pl.DataFrame:
    """Give all wells together, month by month: production_period, oil_kbbl, gas_mmscf, water_kbbl, wells.

    A month's volume is its calendar-day rate times the days of the month; what was not reported adds nothing, and a
    month in which nobody reported a phase has null for it.
    """
    return reading.table(
        "SELECT production_period,"
        " sum(oil_production_kbd * day(last_day(production_period))) AS oil_kbbl,"
        " sum(gas_production_mmcfd * day(last_day(production_period))) AS gas_mmscf,"
        " sum(water_production_kbd * day(last_day(production_period))) AS water_kbbl,"
        " count(DISTINCT (data_source, well_code)) AS wells"
        " FROM production GROUP BY production_period ORDER BY production_period"
    )


def rejects_by_reason(reading: Reading, job_id: str) -> pl.DataFrame:
    """Give the rows that an import could not store: reason, rows, first_page, and one of them as it came."""
    return reading.table(
        "SELECT split_part(reason, ':', 1) AS reason, count(*) AS rows, min(page) AS first_page,"
        " left(min_by(raw_row, (page, row_number)), 300) AS one_of_them"
        " FROM rejected_rows WHERE job_id = ?::UUID GROUP BY 1 ORDER BY 2 DESC, 1",
        [job_id],
    )
