"""The rows that could not become records, and why."""

from __future__ import annotations

import polars as pl

from wellprod.store import Reading


def rejected_rows(reading: Reading, job_id: str, *, rows_per_reason: int | None = None) -> pl.DataFrame:
    """Give the rejects of one import: reason, page, row_number, raw_row, in the order in which they came.

    Reasons that differ in a value only, which follows a colon, count as one where `rows_per_reason` limits them.
    """
    numbered = "row_number() OVER (PARTITION BY split_part(reason, ':', 1) ORDER BY page, row_number)"
    kept = "" if rows_per_reason is None else f" QUALIFY {numbered} <= {rows_per_reason:d}"
    return reading.table(
        f"SELECT reason, page, row_number, raw_row FROM rejected_rows WHERE job_id = ?::UUID{kept}"
        " ORDER BY page, row_number",
        [job_id],
    )
