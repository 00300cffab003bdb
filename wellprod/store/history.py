"""How versions of records end and come back, and how the store reads as it was at a moment.

The present version of a record is in `production`, since `updated_at`; each earlier one is in `production_history`,
until `replaced_at`. What the store held at a moment is what both have of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import duckdb

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


def undo(
    connection: duckdb.DuckDBPyConnection, job_id: str, undone_by: str, now: datetime, *, well_in_one_field: bool
) -> Undone:
    """Take an import back: each record becomes what the imports that are not undone say of it.

    The versions it brought that are present end as undone. In their place, and in that of the records it deleted, comes
    the newest version of an import that is not undone, unless such an import has deleted the record since.

    Parameters
    ----------
    well_in_one_field
        As the import merged: a record is told by its well and month, in whichever field its versions lie.
    """
    _run(
        connection, "INSERT INTO undone_imports VALUES ($job::UUID, $by::UUID, $now)", job=job_id, by=undone_by, now=now
    )
    brought, deleted = _row(
        connection,
        "SELECT (SELECT count(*) FROM production WHERE job_id = $job::UUID),"
        " (SELECT count(*) FROM production_history WHERE replaced_by = $job::UUID AND change = 'deleted')",
        job=job_id,
    )
    part = _Undoing(connection, job_id, undone_by, now, _WELL_MONTH if well_in_one_field else _KEY)
    done = [part.run(wells) for wells in _in_parts(connection, brought + deleted)]
    removed, restored, returned = map(sum, zip(*done, strict=True))
    (kept,) = _row(
        connection,
        f"SELECT count(*) FROM production SEMI JOIN (SELECT {_KEY} FROM production_history"
        f" WHERE job_id = $job::UUID AND change = 'restated') USING ({_KEY}) WHERE updated_at < $now",
        job=job_id,
        now=now,
    )
    for table in ("import_cursor", "import_confirmed"):
        _run(connection, f"DELETE FROM {table} WHERE job_id = $job::UUID", job=job_id)
    _forget_what_has_no_record(connection)
    return Undone(removed, restored, returned, kept)


@dataclass(frozen=True, slots=True)
class _Undoing:
    """Takes an import back, some wells at a time."""

    connection: duckdb.DuckDBPyConnection
    job_id: str
    undone_by: str
    now: datetime
    identity: str

    def run(self, wells: str) -> tuple[int, int, int]:
        """Do so for the wells that meet a condition; give how many records went, were restored, and returned."""
        self._find_versions_before(wells)
        self._run(
            "CREATE OR REPLACE TEMP TABLE ended AS SELECT rowid AS place FROM production"
            f" WHERE job_id = $job::UUID AND {wells}",
            job=self.job_id,
        )
        ended = _end(self.connection, "undone", by=self.undone_by, now=self.now)
        self._run(
            "CREATE OR REPLACE TEMP TABLE back AS SELECT place, is_return FROM before"
            f" ANTI JOIN production USING ({self.identity})"
        )
        values = ", ".join("$now" if name == "updated_at" else name for name in _STORED)
        self._run(
            f"INSERT INTO production ({_COLUMNS}) SELECT {values} FROM production_history"
            " WHERE rowid IN (SELECT place FROM back)",
            now=self.now,
        )
        counts = "SELECT count(*) FILTER (NOT is_return), count(*) FILTER (is_return) FROM back"
        restored, returned = _row(self.connection, counts)
        return ended - restored, restored, returned

    def _find_versions_before(self, wells: str) -> None:
        """Make the table `before`: which version each record comes back to that the import brought last, or deleted."""
        self._run(
            f"CREATE OR REPLACE TEMP TABLE touched AS SELECT {self.identity}, FALSE AS is_return FROM production"
            f" WHERE job_id = $job::UUID AND {wells} UNION ALL SELECT DISTINCT {self.identity}, TRUE"
            f" FROM production_history WHERE replaced_by = $job::UUID AND change = 'deleted' AND {wells}",
            job=self.job_id,
        )
        stands, is_gone = "job_id NOT IN (FROM undone)", "(change = 'deleted' AND replaced_by NOT IN (FROM undone))"
        self._run(
            f"CREATE OR REPLACE TEMP TABLE before AS WITH undone AS (SELECT job_id FROM undone_imports),"
            f" past AS (SELECT rowid AS place, {self.identity}, updated_at, replaced_at, {stands} AS stands,"
            f" {is_gone} AS is_gone FROM production_history WHERE {wells})"
            f" SELECT {self.identity}, any_value(is_return) AS is_return,"
            " arg_max(place, (updated_at, replaced_at)) FILTER (stands) AS place"
            f" FROM touched JOIN past USING ({self.identity}) GROUP BY {self.identity} HAVING place IS NOT NULL"
            " AND coalesce(max(updated_at) FILTER (stands) > max(replaced_at) FILTER (is_gone), TRUE)"
        )

    def _run(self, query: str, **values: Any) -> None:
        _run(self.connection, query, **values)


def _in_parts(connection: duckdb.DuckDBPyConnection, records: int) -> Iterator[str]:
    """Give conditions that part the wells, so that memory lasts however many records there are."""
    connection.execute("SET threads = 1")
    parts = 1 + records // _RECORDS_AT_ONCE
    for number in range(parts):
        yield f"hash(well_code) % {parts} = {number}"


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


def _run(self, query: str, **values: Any) -> None:
        _run(self.connection, query, **values)


def _in_parts(connection: duckdb.DuckDBPyConnection, records: int) -> Iterator[str]:
    """Give conditions that part the wells, so that memory lasts however many records there are."""
    connection.execute("SET threads = 1")
    parts = 1 + records // _RECORDS_AT_ONCE
    for number in range(parts):
        yield f"hash(well_code) % {parts} = {number}"


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


def _same(columns: str, one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in columns.split(", "))


def _run(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> None:
    connection.execute(query, values)


def _row(connection: duckdb.DuckDBPyConnection, query: str, **values: Any) -> tuple[Any, ...]:
    return connection.execute(query, values).fetchone() or ()
