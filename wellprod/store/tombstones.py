"""Records that their source no longer has: gone from what is read, kept in the history as deleted."""

from __future__ import annotations

from datetime import datetime

import duckdb
import polars as pl


def bury(connection: duckdb.DuckDBPyConnection, keys: pl.DataFrame, *, job_id: str, now: datetime) -> int:
    """Move the records with these keys to the history inside the open transaction, and count them.

    Parameters
    ----------
    keys
        data_source, field_code, well_code, production_period; where data_source is null, it may be any.
    """
    connection.register("buried", keys)
    same = (
        "p.field_code = b.field_code AND p.well_code = b.well_code AND p.production_period = b.production_period"
        " AND coalesce(p.data_source = b.data_source, b.data_source IS NULL)"
    )
    connection.execute(
        "INSERT INTO production_history BY NAME SELECT p.*, ?::TIMESTAMP AS replaced_at, ?::UUID AS replaced_by,"
        f" 'deleted' AS change FROM production p SEMI JOIN buried b ON {same}",
        [now, job_id],
    )
    found = connection.execute(f"DELETE FROM production p USING buried b WHERE {same} RETURNING 1").fetchall()
    connection.unregister("buried")
    return len(found)
