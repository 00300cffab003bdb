"""What cannot be so in a store, looked for table by table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from wellprod.schema import FIGURES, KEY

Watch = Callable[[str, float | None], None]
"""Told what is being done, and how much of it is, in percent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that cannot be so: the rule that it breaks, how often, and an example."""

    rule: str
    count: int
    example: str


_KEY = ", ".join(KEY)
_RECORD = "format('{} field {} well {} month {}', data_source, field_code, well_code, production_period)"
_VERSIONS = (
    f"SELECT {_KEY}, updated_at, 'infinity'::TIMESTAMP AS replaced_at FROM production"
    f" UNION ALL SELECT {_KEY}, updated_at, replaced_at FROM production_history"
)
_JOBS = " UNION ".join(
    f"SELECT {column} FROM {table}"
    for table, column in (
        ("imports", "job_id"),
        ("import_cursor", "job_id"),
        ("undone_imports", "job_id"),
        ("undone_imports", "undone_by"),
    )
)


def _rows(table: str, condition: str) -> str:
    return f"SELECT {_RECORD} AS example FROM {table} WHERE {condition}"


_INVARIANTS: dict[str, tuple[str, ...]] = {
    "a record that is there twice": (
        f"SELECT {_RECORD} AS example FROM production GROUP BY {_KEY} HAVING count(*) > 1",
    ),
    "a record that changed before it came": tuple(
        _rows(table, "created_at > updated_at") for table in ("production", "production_history")
    ),
    "a version that ended before it began": (_rows("production_history", "updated_at > replaced_at"),),
    "two versions of a record at one time": (
        f"SELECT {_RECORD} AS example FROM (SELECT *, lag(replaced_at) OVER"
        f" (PARTITION BY {_KEY} ORDER BY updated_at, replaced_at) AS ended FROM ({_VERSIONS}) versions)"
        " WHERE ended > updated_at",
    ),
    "a version that ended for no known reason": (
        _rows("production_history", "change IS NULL OR change NOT IN ('restated', 'deleted', 'undone')"),
    ),
    "a job that the store does not know": tuple(
        f"SELECT DISTINCT {column}::VARCHAR AS example FROM {table} WHERE {column} NOT IN ({_JOBS})"
        for table, column in (
            ("production", "job_id"),
            ("production_history", "job_id"),
            ("production_history", "replaced_by"),
        )
    ),
    "a record of an import that was undone": (
        f"SELECT {_RECORD} AS example FROM production SEMI JOIN undone_imports USING (job_id)",
    ),
    "a figure that is no finite number": tuple(
        _rows(table, " OR ".join(f"NOT isfinite({name})" for name in FIGURES))
        for table in ("production", "production_history")
    ),
    "a month that is no first day": tuple(
        _rows(table, "day(production_period) <> 1") for table in ("production", "production_history")
    ),
}


def unreadable(connection: duckdb.DuckDBPyConnection, on_progress: Watch) -> list[Finding]:
    """Read every table of the open store whole, each block against its checksum; give those that cannot be read."""
    tables = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT temporary"
        " ORDER BY table_oid"
    ).fetchall()
    found = []
    for number, (schema, table) in enumerate(tables):
        on_progress(f"reading {table}", 100.0 * number / len(tables))
        try:
            connection.execute(f'SELECT count(*), bit_xor(hash(t)) FROM "{schema}"."{table}" t').fetchone()
        except duckdb.Error as error:
            found.append(Finding("a table that cannot be read", 1, f"{table}: {str(error).splitlines()[0]}"))
    return found


def contradictions(connection: duckdb.DuckDBPyConnection, on_progress: Watch) -> list[Finding]:
    """Look for what cannot be so in the open store, the tables of which can be read."""
    found = []
    for number, (rule, queries) in enumerate(_INVARIANTS.items()):
        on_progress(f"looking for {rule}", 100.0 * number / len(_INVARIANTS))
        query = f"SELECT count(*), min(example) FROM ({' UNION ALL '.join(queries)})"
        count, example = connection.execute(query).fetchone() or (0, None)
        if count:
            found.append(Finding(rule, int(count), str(example)))
    return found
