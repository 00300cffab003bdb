"""One commit of 25,000 records into stores of two sizes: the larger one must not make it slower."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Literal

from benchmarks.measure import stopwatch

GROUP_RECORDS = 25_000

Kind = Literal["new", "same", "restated"]
KINDS: tuple[Kind, ...] = ("new", "same", "restated")
"""Keys that the store does not hold, records that it holds, and other values for keys that it holds."""


def commit(path: str, kind: Kind, wells: int, run: int) -> dict[str, Any]:
    """Open the store, merge one group, commit and close; each run takes wells of its own."""
    import polars as pl

    from benchmarks.stores import WELL_MONTHS, group
    from wellprod.store import Store

    store = Store(Path(path))
    step = GROUP_RECORDS // WELL_MONTHS
    first_well = (wells if kind == "new" else wells // len(KINDS) * KINDS.index(kind)) + run * step
    records = group(store, GROUP_RECORDS, first_well)
    if kind == "restated":
        records = records.with_columns(oil_production_kbd=pl.col("oil_production_kbd") + 1.0)
    with stopwatch() as watch, store.write() as writing:
        merged = writing.merge(records, job_id=str(uuid.uuid4()))
    counts = {"new": merged.new, "same": merged.duplicate, "restated": merged.restated}
    if counts[kind] != GROUP_RECORDS:
        raise SystemExit(f"The group was to be {kind}, and became {counts}.")
    return {"seconds": watch.seconds, "records": GROUP_RECORDS}
