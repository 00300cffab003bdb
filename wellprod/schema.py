"""The production record: one well in one production period, as calendar-day rates."""

from __future__ import annotations

import polars as pl

RECORD: dict[str, pl.DataType] = {
    "field_code": pl.Int64(),
    "field_name": pl.String(),
    "well_code": pl.Int64(),
    "well_reference": pl.String(),
    "well_name": pl.String(),
    "production_period": pl.Date(),
    "days_on_production": pl.Float64(),
    "oil_production_kbd": pl.Float64(),
    "gas_production_mmcfd": pl.Float64(),
    "liquids_production_kbd": pl.Float64(),
    "water_production_kbd": pl.Float64(),
    "data_source": pl.String(),
    "source_data": pl.String(),
    "partition_0": pl.String(),
    "created_at": pl.Datetime("us"),
    "updated_at": pl.Datetime("us"),
}
"""Columns and types, in the order of the CSV. Rates in thousand barrels (kbd) and million standard cubic feet
(mmcfd) a calendar day, `production_period` the first day of its month, times in UTC."""

KEY = ("data_source", "field_code", "well_code", "production_period")
"""What makes a record one record."""

FIGURES = (
    "days_on_production",
    "oil_production_kbd",
    "gas_production_mmcfd",
    "liquids_production_kbd",
    "water_production_kbd",
)
"""The numbers of a record; null means not reported, which is not zero."""

STAMPS = ("created_at", "updated_at")
"""When the store first took the record, and when it last changed it."""

CONTENT = tuple(name for name in RECORD if name not in STAMPS)
"""What the source says of a record: two records equal in this are duplicates."""
