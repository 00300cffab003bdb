"""The tables of the store, as named steps; each step and the note that it was taken share one transaction."""

from __future__ import annotations

import duckdb

from wellprod.errors import StoreTooNew

_RECORD = """
    field_code BIGINT NOT NULL,
    field_name VARCHAR,
    well_code BIGINT NOT NULL,
    well_reference VARCHAR,
    well_name VARCHAR,
    production_period DATE NOT NULL,
    days_on_production DOUBLE,
    oil_production_kbd DOUBLE,
    gas_production_mmcfd DOUBLE,
    liquids_production_kbd DOUBLE,
    water_production_kbd DOUBLE,
    data_source VARCHAR NOT NULL,
    source_data VARCHAR,
    partition_0 VARCHAR,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL,
    day_given UTINYINT NOT NULL,
    job_id UUID NOT NULL
"""

MIGRATIONS: dict[str, str] = {
    # No primary key and no index on purpose: a merge finds its duplicates by a join, whose cost does not grow
    # with the table, and a unique index makes the file more than twice as large.
    "0001 records, their history, rejects and import cursors": f"""
        CREATE TABLE production ({_RECORD});
        CREATE TABLE production_history ({_RECORD}, replaced_at TIMESTAMP NOT NULL, replaced_by UUID NOT NULL);
        CREATE TABLE rejected_rows (
            job_id UUID NOT NULL, page INTEGER NOT NULL, row_number INTEGER NOT NULL,
            reason VARCHAR NOT NULL, raw_row VARCHAR, rejected_at TIMESTAMP NOT NULL
        );
        CREATE TABLE import_cursor (job_id UUID NOT NULL, state VARCHAR NOT NULL);
        CREATE TABLE import_confirmed (
            job_id UUID NOT NULL, data_source VARCHAR NOT NULL, field_code BIGINT NOT NULL,
            well_code BIGINT NOT NULL, production_period DATE NOT NULL, day_given UTINYINT NOT NULL
        );
        CREATE TABLE code_texts (
            data_source VARCHAR NOT NULL, kind VARCHAR NOT NULL, code BIGINT NOT NULL, text VARCHAR NOT NULL
        );
    """,
    "0002 what feeds say of their figures": """
        CREATE TABLE data_sources (
            data_source VARCHAR NOT NULL, profile VARCHAR NOT NULL, figures VARCHAR NOT NULL,
            liquids_include_oil BOOLEAN NOT NULL, liquids_include_condensate BOOLEAN NOT NULL,
            job_id UUID NOT NULL, told_at TIMESTAMP NOT NULL
        );
    """,
    # A version in the history ended because the source restated the record, no longer has it, or its import was undone.
    "0003 imports, and why a version ended": """
        CREATE TABLE imports (
            job_id UUID NOT NULL, feed VARCHAR NOT NULL, profile VARCHAR, entity_type VARCHAR, delta_link VARCHAR,
            is_whole BOOLEAN NOT NULL, is_complete BOOLEAN NOT NULL, noted_at TIMESTAMP NOT NULL
        );
        ALTER TABLE production_history ADD COLUMN change VARCHAR DEFAULT 'restated';
        CREATE TABLE undone_imports (job_id UUID NOT NULL, undone_by UUID NOT NULL, undone_at TIMESTAMP NOT NULL);
    """,
}

SCHEMA_VERSION = len(MIGRATIONS)


def pending(connection: duckdb.DuckDBPyConnection, path: object) -> list[str]:
    """Give the names of the steps that the open store still lacks.

    Raises
    ------
    StoreTooNew
        The store has a step that this version does not know.
    """
    known = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'migrations'").fetchone()
    taken = (
        {row[0] for row in connection.execute("SELECT name FROM migrations").fetchall()}
        if known and known[0]
        else set()
    )
    if newer := sorted(taken - MIGRATIONS.keys()):
        raise StoreTooNew(
            f"The store {path} was made by a newer wellprod (it has {newer[-1]!r}).",
            next="Update wellprod, or choose another folder with WELLPROD_HOME.",
        )
    return [name for name in MIGRATIONS if name not in taken]


def migrate(connection: duckdb.DuckDBPyConnection, path: object) -> None:
    """Bring the open store to this version; nothing happens when it is there already."""
    for name in pending(connection, path):
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR NOT NULL, taken_at TIMESTAMP NOT NULL)")
        connection.execute(MIGRATIONS[name])
        connection.execute("INSERT INTO migrations VALUES (?, now()::TIMESTAMP)", [name])
        connection.execute("COMMIT")
