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


def rejects_by_reason(reading: Reading, job_id: str) -> pl.DataFrame:
    """Give the rows that an import could not store: reason, rows, first_page, and one of them as it came."""
    return reading.table(
        "SELECT split_part(reason, ':', 1) AS reason, count(*) AS rows, min(page) AS first_page,"
        " left(min_by(raw_row, (page, row_number)), 300) AS one_of_them"
        " FROM rejected_rows WHERE job_id = ?::UUID GROUP BY 1 ORDER BY 2 DESC, 1",
        [job_id],
    )
