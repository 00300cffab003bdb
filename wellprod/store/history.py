"""How versions of records end and come back, and how the store reads as it was at a moment.

The present version of a record is in `production`, since `updated_at`; each earlier one is in `production_history`,
until `replaced_at`. What the store held at a moment is what both have of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import duckdb
import polars as pl

from wellprod.schema import KEY, RECORD

Change = Literal["restated", "deleted", "undone"]
"""Why a version ended: newer values came, the source no longer has it, the import that brought it was taken back."""

_STORED = (*RECORD, "day_given", "job_id")
_COLUMNS = ", ".join(_STORED)
_KEY = ", ".join(KEY)
_WELL_MONTH = ", ".join(name for name in KEY if name != "field_code")
_RECORDS_AT_ONCE = 50_000


def show_as_known(connection: duckdb.DuckDBPyConnection, moment: datetime) -> None:
    """Let `production` and `production_history` be what the store held at a moment (UTC), for this connection alone."""
    (database,) = _row(connection, "SELECT current_database()")
    main, then = f'"{database}".main', f"TIMESTAMP '{moment.isoformat(sep=' ')}'"
    connection.execute(
        f"CREATE TEMP VIEW production AS SELECT {_COLUMNS} FROM {main}.production WHERE updated_at <= {then}"
        f" UNION ALL SELECT {_COLUMNS} FROM {main}.production_history"
        f" WHERE updated_at <= {then} AND replaced_at > {then}"
    )
    connection.execute(
        f"CREATE TEMP VIEW production_history AS FROM {main}.production_history WHERE replaced_at <= {then}"
    )
    connection.execute(f"CREATE TEMP VIEW undone_imports AS FROM {main}.undone_imports WHERE undone_at <= {then}")


def end_unmet(connection: duckdb.DuckDBPyConnection, job_id: str, feed: str, *, began: datetime, now: datetime) -> int:
    """End as deleted what a whole load of `feed` did not meet, and give how many records that were.

    These are records of a data source that it brought, which came from an import of the same feed and which nothing
    has touched since the load `began` (UTC). What came before imports were noted is of no feed, and stays.
    """
    brought = "SELECT data_source FROM {} WHERE job_id = $job::UUID"
    (met,) = _row(connection, "SELECT count(*) FROM import_confirmed WHERE job_id = $job::UUID", job=job_id)
    ended = 0
    for wells in _in_parts(connection, met):
        _run(
            connection,
            "CREATE OR REPLACE TEMP TABLE ended AS SELECT production.rowid AS place FROM production"
            " SEMI JOIN (SELECT job_id FROM imports WHERE feed = $feed AND job_id <> $job::UUID) USING (job_id)"
            f" SEMI JOIN ({brought.format('production')} UNION {brought.format('import_confirmed')})"
            " USING (data_source) ANTI JOIN"
            f" (SELECT {_KEY} FROM import_confirmed WHERE job_id = $job::UUID AND {wells}) USING ({_KEY})"
            f" WHERE updated_at < $began AND {wells}",
            job=job_id,
            feed=feed,
            began=began,
        )
        ended += _end(connection, "deleted", by=job_id, now=now)
    return ended


def end_removed(
    connection: duckdb.DuckDBPyConnection,
    keys: pl.DataFrame,
    *,
    job_id: str,
    feed: str | None,
    profile: str,
    now: datetime,
) -> int:
    """End as deleted the records that the source says it no longer has, and give how many of them there were.

    Parameters
    ----------
    keys
        data_source, field_code, well_code, production_period; where data_source is null, it may be any that imports of
        the feed brought or, where that is not known, that the profile filled.
    """
    of_feed = "(job_id = $job::UUID OR job_id IN (SELECT job_id FROM imports WHERE feed = $feed))"
    brought = f"FROM production WHERE {of_feed} UNION SELECT data_source FROM data_sources WHERE {of_feed}"
    filled = "FROM data_sources WHERE profile = $profile"
    told = {"feed": feed, "job": job_id} if feed else {"profile": profile}
    sources = connection.execute(f"SELECT data_source {brought if feed else filled}", told).pl()
    untold = keys.filter(pl.col("data_source").is_null()).drop("data_source").join(sources, how="cross")
    connection.register("removed", pl.concat([keys.drop_nulls("data_source"), untold.select(keys.columns)]))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ended AS SELECT production.rowid AS place FROM production"
        f" SEMI JOIN removed USING ({_KEY})"
    )
    connection.unregister("removed")
    return _end(connection, "deleted", by=job_id, now=now)


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of the records of an import that was taken back.

    `removed` have no version left; `restored` have the one before again; `returned` had been deleted by the import and
    are there again; `kept` were restated by a later import, and stay as that has them.
    """

    removed: int = 0
    restored: int = 0
    returned: int = 0
    kept: int = 0


class Undoing:
    """Takes an import back: each record becomes what the imports that are not undone say of it.

    The versions it brought that are present end as undone. In their place, and in that of the records it deleted, comes
    the newest version of an import that is not undone, unless such an import has deleted the record since. An import
    that only met a record unchanged says nothing of it.

    Parameters
    ----------
    well_in_one_field
        As the import merged: a record is told by its well and month, in whichever field its versions lie.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        job_id: str,
        undone_by: str,
        now: datetime,
        *,
        well_in_one_field: bool,
    ) -> None:
        self._connection = connection
        self._values: dict[str, Any] = {"job": job_id, "by": undone_by, "now": now}
        self._identity = _WELL_MONTH if well_in_one_field else _KEY

    def run(self, on_progress: Callable[[int, int], None]) -> Undone:
        """Do so, some wells at a time; one that was undone already stays as it is, and is counted again."""
        undone_at = self._row("SELECT undone_at FROM undone_imports WHERE job_id = $job::UUID")
        if undone_at:
            self._values["now"] = undone_at[0]
            return self._counted()
        self._run("INSERT INTO undone_imports VALUES ($job::UUID, $by::UUID, $now)")
        brought, deleted = self._row(
            "SELECT (SELECT count(*) FROM production WHERE job_id = $job::UUID),"
            " (SELECT count(*) FROM production_history WHERE replaced_by = $job::UUID AND change = 'deleted')"
        )
        parts = _in_parts(self._connection, brought + deleted)
        for number, wells in enumerate(parts):
            on_progress((brought + deleted) * number // len(parts), brought + deleted)
            self._undo(wells)
        for table in ("import_cursor", "import_confirmed"):
            self._run(f"DELETE FROM {table} WHERE job_id = $job::UUID")
        _forget_what_has_no_record(self._connection)
        return self._counted()

    def _undo(self, wells: str) -> None:
        """Do so for the wells that meet a condition."""
        self._find_versions_before(wells)
        self._run(
            "CREATE OR REPLACE TEMP TABLE ended AS SELECT rowid AS place FROM production"
            f" WHERE job_id = $job::UUID AND {wells}"
        )
        _end(self._connection, "undone", by=self._values["by"], now=self._values["now"])
        values = ", ".join("$now" if name == "updated_at" else name for name in _STORED)
        self._run(
            f"INSERT INTO production ({_COLUMNS}) SELECT {values} FROM production_history WHERE rowid IN"
            f" (SELECT place FROM before ANTI JOIN production USING ({self._identity}))"
        )

    def _find_versions_before(self, wells: str) -> None:
        """Make the table `before`: which version each record comes back to that the import brought last, or deleted."""
        self._run(
            f"CREATE OR REPLACE TEMP TABLE touched AS SELECT {self._identity} FROM production"
            f" WHERE job_id = $job::UUID AND {wells} UNION SELECT {self._identity}"
            f" FROM production_history WHERE replaced_by = $job::UUID AND change = 'deleted' AND {wells}"
        )
        stands, is_gone = "job_id NOT IN (FROM undone)", "(change = 'deleted' AND replaced_by NOT IN (FROM undone))"
        self._run(
            "CREATE OR REPLACE TEMP TABLE before AS WITH undone AS (SELECT job_id FROM undone_imports),"
            f" past AS (SELECT rowid AS place, {self._identity}, updated_at, replaced_at, {stands} AS stands,"
            f" {is_gone} AS is_gone FROM production_history WHERE {wells})"
            f" SELECT {self._identity}, arg_max(place, (updated_at, replaced_at)) FILTER (stands) AS place"
            f" FROM touched JOIN past USING ({self._identity}) GROUP BY {self._identity} HAVING place IS NOT NULL"
            " AND coalesce(max(updated_at) FILTER (stands) > max(replaced_at) FILTER (is_gone), TRUE)"
        )

    def _counted(self) -> Undone:
        """Count what became of the records, from what the store tells of it."""
        versions = " UNION ALL ".join(
            f"SELECT {self._identity} FROM {table} WHERE updated_at = $now"
            for table in ("production", "production_history")
        )
        ended = f"(SELECT {self._identity} FROM production_history WHERE replaced_by = $by::UUID)"
        (removed,) = self._row(f"SELECT count(*) FROM {ended} ANTI JOIN ({versions}) USING ({self._identity})")
        (restored,) = self._row(f"SELECT count(*) FROM ({versions}) SEMI JOIN {ended} USING ({self._identity})")
        (returned,) = self._row(f"SELECT count(*) FROM ({versions}) ANTI JOIN {ended} USING ({self._identity})")
        (kept,) = self._row(
            f"SELECT count(*) FROM production SEMI JOIN (SELECT {self._identity} FROM production_history"
            f" WHERE job_id = $job::UUID AND change = 'restated') USING ({self._identity}) WHERE updated_at < $now"
        )
        return Undone(removed, restored, returned, kept)

    def _run(self, query: str) -> None:
        _run(self._connection, query, **self._used(query))

    def _row(self, query: str) -> tuple[Any, ...]:
        return _row(self._connection, query, **self._used(query))

    def _used(self, query: str) -> dict[str, Any]:
        return {name: value for name, value in self._values.items() if f"${name}" in query}


def _in_parts(connection: duckdb.DuckDBPyConnection, records: int) -> list[str]:
    """Give conditions that part the wells, so that memory lasts however many records there are."""
    connection.execute("SET threads = 1")
    parts = 1 + records // _RECORDS_AT_ONCE
    return [f"hash(well_code) % {parts} = {number}" for number in range(parts)]


def _end(connection: duckdb.DuckDBPyConnection, change: Change, *, by: str, now: datetime) -> int:
    """Move the records that the table `ended` names to the history, and give how many they are."""
    _run(
        connection,
        f"INSERT INTO production_history BY NAME SELECT {_COLUMNS}, $now AS replaced_at, $by::UUID AS replaced_by,"
        " $change AS change FROM production WHERE rowid IN (SELECT place FROM ended)",
        now=now,
        by=by,
        change=change,
    )
    connection.execute("DELETE FROM production WHERE rowid IN (SELECT place FROM ended)")
    (ended,) = _row(connection, "SELECT count(*) FROM ended")
    return int(ended)


def _forget_what_has_no_record(connection: duckdb.DuckDBPyConnection) -> None:
    """Free the codes made from text, and the words on data sources, that no record is left of."""
    for kind in ("field", "well"):
        connection.execute(
            f"DELETE FROM code_texts WHERE kind = '{kind}' AND NOT EXISTS (FROM production p"
            f" WHERE p.data_source = code_texts.data_source AND p.{kind}_code = code_texts.code)"
        )
    connection.execute("DELETE FROM data_sources WHERE data_source NOT IN (SELECT data_source FROM production)")


def _run(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> None:
    connection.execute(query, values)


def _row(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> tuple[Any, ...]:
    return connection.execute(query, values).fetchone() or ()
