"""A look at what a selection holds, before it is exported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from wellprod.analysis.selection import Selection
from wellprod.schema import KEY, RECORD
from wellprod.store import Reading


@dataclass(frozen=True, slots=True)
class Preview:
    """How much a selection holds, and its first records in the order of the key."""

    records: int
    wells: int
    first: pl.DataFrame


def preview(
    reading: Reading, selection: Selection, *, columns: Sequence[str] = tuple(RECORD), rows: int = 10
) -> Preview:
    """Count the records and wells of a selection and give the first `rows` records, as an export would write them.

    Raises
    ------
    SelectionError
        A field or well is not in the store.
    """
    condition, values = selection.condition(reading)
    first = f"SELECT {', '.join(columns)} FROM production WHERE {condition} ORDER BY {', '.join(KEY)} LIMIT {rows:d}"
    counts = f"SELECT count(*), count(DISTINCT (data_source, well_code)) FROM production WHERE {condition}"
    records, wells = reading.table(counts, values).row(0)
    return Preview(records, wells, reading.table(first, values))
