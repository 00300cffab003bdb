"""What the store holds now against what it held at a moment: the restated months of wells."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from wellprod.analysis.selection import Selection
from wellprod.store import Reading

_RATES = {
    "oil": "oil_production_kbd",
    "gas": "gas_production_mmcfd",
    "water": "water_production_kbd",
}


def restated_since(reading: Reading, selection: Selection, moment: datetime) -> pl.DataFrame:
    """Give the records that were known at a moment (UTC) and have changed since, the newest month first.

    Columns: data_source, well_code, well, month, restated_at, job_id (of the import that changed it last), and of
    oil (kbd), gas (mmcfd) and water (kbd), calendar-day rates, what they were and are: oil_before, oil_now, ...
    A record that only other figures or names changed of is among them.

    Raises
    ------
    NotThere
        A field or well is not in the store.
    """
    where, values = selection.condition(reading)
    rates = ", ".join(f"old.{rate} AS {name}_before, new.{rate} AS {name}_now" for name, rate in _RATES.items())
    return reading.table(
        "WITH old AS (SELECT * FROM production_history WHERE updated_at < ? AND replaced_at >= ?),"
        f" new AS (SELECT * FROM production WHERE {where})"
        " SELECT new.data_source, new.well_code, coalesce(new.well_name, new.well_reference, new.well_code::VARCHAR)"
        " AS well, new.production_period AS month, new.updated_at AS restated_at, new.job_id::VARCHAR AS job_id,"
        f" {rates} FROM new JOIN old USING (data_source, field_code, well_code, production_period)"
        " ORDER BY month DESC, well, well_code",
        [moment, moment, *values],
    )
