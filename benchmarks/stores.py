"""Stores of many invented records, put together by SQL in the real tables."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from wellprod.schema import CONTENT, RECORD
from wellprod.store import Store

WELL_MONTHS = 250
"""Months of each well."""

Order = Literal["well", "month"]

_SHAPE = """
    1000 + well // 20 AS field_code, 'Field ' || well // 20 AS field_name, 50_000 + well AS well_code,
    'REF-' || well AS well_reference, 'Well ' || well AS well_name,
    (DATE '2000-01-01' + to_months(month::INTEGER))::DATE AS production_period,
    28.0 + hash(well, month) % 4 AS days_on_production, hash(well, month, 1) % 50_000_000 / 1e6 AS oil_production_kbd,
    hash(well, month, 2) % 90_000_000 / 1e6 AS gas_production_mmcfd,
    hash(well, month, 3) % 60_000_000 / 1e6 AS liquids_production_kbd,
    nullif(hash(well, month, 4) % 40_000_000, 0) / 1e6 AS water_production_kbd,
    'benchmark' AS data_source, 'Invented' AS source_data, 'latest' AS partition_0
"""
_STAMPS = "now()::TIMESTAMP AS created_at, now()::TIMESTAMP AS updated_at, 1 AS day_given, job_id"


def build(path: Path, records: int, order: Order) -> None:
    """Make a store of `records` records, which lie in the order of the wells or of the months."""
    wells = records // WELL_MONTHS
    places = {
        "well": f"i // {WELL_MONTHS} AS well, i % {WELL_MONTHS} AS month",
        "month": f"i % {wells} AS well, i // {wells} AS month",
    }
    with Store(path, memory="4GB").write() as writing:
        writing.connection.execute("SET threads = 1")  # the order of the rows is kept
        writing.connection.execute(
            f"INSERT INTO production BY NAME SELECT {_SHAPE}, {_STAMPS}"
            f" FROM (SELECT {places[order]} FROM range({wells * WELL_MONTHS}) r(i)),"
            " (SELECT uuid() AS job_id)"
        )


def group(store: Store, records: int, first_well: int) -> pl.DataFrame:
    """Give `records` records, well by well as a feed has them, from `first_well` on, ready to be merged."""
    with store.read() as reading:
        frame = reading.table(
            f"SELECT {_SHAPE} FROM (SELECT {first_well} + i // {WELL_MONTHS} AS well, i % {WELL_MONTHS} AS month"
            f" FROM range({records}) r(i)) ORDER BY ALL"
        )
    return frame.select(pl.col(name).cast(RECORD[name]) for name in CONTENT).with_columns(
        day_given=pl.lit(1, dtype=pl.UInt8),
        page=pl.lit(1, dtype=pl.Int32),
        row_number=pl.int_range(pl.len(), dtype=pl.Int32),
    )
