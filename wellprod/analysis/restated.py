"""What the store says otherwise than it did: figures restated, deleted, taken back, or there again."""

from __future__ import annotations

from datetime import date, datetime, time

import polars as pl

from wellprod.analysis.selection import Selection
from wellprod.schema import CONTENT, KEY, STAMPS
from wellprod.store import Reading

_RATES = {
    "oil": "oil_production_kbd",
    "gas": "gas_production_mmcfd",
    "water": "water_production_kbd",
}
_FIGURES = {
    "oil": ("oil_production_kbd", "kbd"),
    "gas": ("gas_production_mmcfd", "mmcfd"),
    "liquids": ("liquids_production_kbd", "kbd"),
    "water": ("water_production_kbd", "kbd"),
    "days": ("days_on_production", "days"),
}
_TEXTS = ("field_code", "field_name", "well_reference", "well_name", "source_data", "partition_0")
_KEY = ", ".join(KEY)
_WELL_MONTH = ("data_source", "well_code", "production_period")
_VERSION = ", ".join((*CONTENT, *STAMPS, "job_id"))


def _same(columns: tuple[str, ...], one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in columns)


def _changes() -> str:
    """Give the SQL of the list of all that may have changed between the versions `old` and `new`."""
    blank = "before: NULL::DOUBLE, after: NULL::DOUBLE"
    figures = [
        f"{{figure: '{name}', unit: '{unit}', before: old.{column}, after: new.{column},"
        " before_text: NULL::VARCHAR, after_text: NULL::VARCHAR}"
        for name, (column, unit) in _FIGURES.items()
    ]
    texts = [
        f"{{figure: '{name}', unit: NULL::VARCHAR, {blank},"
        f" before_text: CASE WHEN is_both THEN old.{name}::VARCHAR END,"
        f" after_text: CASE WHEN is_both THEN new.{name}::VARCHAR END}}"
        for name in _TEXTS
    ]
    return f"[{', '.join([*figures, *texts])}]"


_IS_MOVED = f"{_same(_WELL_MONTH, 'moved', 'old')} AND moved.created_at = old.created_at"

_EVENTS = f"""
    WITH versions AS (
        SELECT {_VERSION}, NULL::TIMESTAMP AS replaced_at, NULL::UUID AS replaced_by, NULL::VARCHAR AS change
        FROM production SEMI JOIN production_history USING ({", ".join(_WELL_MONTH)})
        UNION ALL SELECT {_VERSION}, replaced_at, replaced_by, change FROM production_history
    ),
    chosen AS (SELECT DISTINCT {", ".join(_WELL_MONTH)} FROM versions WHERE {{where}}),
    numbered AS (
        SELECT *, row_number() OVER (PARTITION BY {_KEY} ORDER BY updated_at, replaced_at NULLS LAST) AS place
        FROM versions SEMI JOIN chosen USING ({", ".join(_WELL_MONTH)})
    ),
    ended AS (
        SELECT old, CASE WHEN new.place IS NOT NULL THEN new WHEN moved.place IS NOT NULL THEN moved END AS new,
            old.change AS change, old.replaced_at AS changed_at, old.replaced_by AS job
        FROM numbered old
        LEFT JOIN numbered new
            ON {_same(KEY, "new", "old")} AND new.place = old.place + 1 AND new.updated_at = old.replaced_at
        LEFT JOIN numbered moved
            ON {_IS_MOVED} AND moved.updated_at = old.replaced_at AND moved.field_code <> old.field_code
        WHERE old.replaced_at IS NOT NULL
    ),
    returned AS (
        SELECT NULL AS old, new, 'returned' AS change, new.updated_at AS changed_at,
            coalesce(undone_by, new.job_id) AS job
        FROM numbered new
        JOIN numbered before
            ON {_same(KEY, "before", "new")} AND before.place = new.place - 1 AND before.replaced_at < new.updated_at
        LEFT JOIN undone_imports ON undone_at = new.updated_at
        WHERE NOT EXISTS (
            FROM numbered moved WHERE {_IS_MOVED.replace("old.", "new.")} AND moved.replaced_at = new.updated_at
        )
    ),
    events AS (FROM ended UNION ALL FROM returned),
    listed AS (
        SELECT coalesce(new, old) AS version, change, changed_at, job,
            old IS NOT NULL AND new IS NOT NULL AS is_both, {{changes}} AS all_changes,
            [x FOR x IN all_changes IF x.before IS DISTINCT FROM x.after
                OR x.before_text IS DISTINCT FROM x.after_text] AS changes
        FROM events
    ),
    rows AS (
        SELECT version, changed_at, job, change,
            unnest(CASE WHEN changes = [] AND NOT is_both THEN [{{{{figure: 'record', unit: NULL, before: NULL,
                after: NULL, before_text: NULL, after_text: NULL}}}}] ELSE changes END) AS x
        FROM listed
    )
    SELECT version.data_source AS data_source, version.field_code AS field_code,
        coalesce(version.field_name, version.field_code::VARCHAR) AS field, version.well_code AS well_code,
        coalesce(version.well_name, version.well_reference, version.well_code::VARCHAR) AS well,
        version.production_period AS month, x.figure AS figure, x.unit AS unit, x.before AS before, x.after AS after,
        x.before_text AS before_text, x.after_text AS after_text,
        100 * (x.after / nullif(x.before, 0) - 1) AS change_percent, changed_at, job::VARCHAR AS job_id, change
    FROM rows
"""


def restatements(
    reading: Reading, selection: Selection | None = None, *, since: date | None = None, job_id: str | None = None
) -> pl.DataFrame:
    """Give each figure and name that the store says otherwise than it did, the last change first: one row each.

    Columns: data_source, field_code, field, well_code, well, month, figure, unit, before, after, before_text,
    after_text, change_percent, changed_at (UTC), job_id, change. A figure is oil, gas, liquids or water, a calendar-day
    rate with its unit, or days; a name or code has its texts instead. `change_percent` is null where there was nothing
    or zero before. `change` is ``restated`` by the job, ``deleted`` (a whole load did not have the record any more),
    ``undone`` (the import that brought it was taken back) or ``returned`` (a record that was gone is there again);
    where one side has no record its figures are null, and a record without any figure has one row, ``record``.

    Parameters
    ----------
    selection
        Fields, wells and months; a record is in it by what it is or was.
    since
        The first day, UTC, of changes to give.
    job_id
        The whole id of the one job whose changes to give.

    Raises
    ------
    NotThere
        A field or well is not in the store.
    """
    where, values = (selection or Selection()).condition(reading)
    query = f"SELECT * FROM ({_EVENTS.format(where=where, changes=_changes())}) WHERE TRUE"
    if since:
        query, values = f"{query} AND changed_at >= ?", [*values, datetime.combine(since, time())]
    if job_id:
        query, values = f"{query} AND job_id = ?", [*values, job_id]
    order = ", ".join(f"'{name}'" for name in ("record", *_FIGURES, *_TEXTS))
    return reading.table(
        f"{query} ORDER BY changed_at DESC, month DESC, data_source, well, well_code, field_code,"
        f" list_position([{order}], figure)",
        values,
    )


def net_oil_kbbl(found: pl.DataFrame) -> float:
    """Give what changes, as `restatements` gives them, add to or take from the volume of oil: rates times days."""
    oil = found.filter(figure="oil")
    change = oil["after"].fill_null(0.0) - oil["before"].fill_null(0.0)
    return float((change * oil["month"].dt.month_end().dt.day()).sum())


def restated_since(reading: Reading, selection: Selection, moment: datetime) -> pl.DataFrame:
    """Give the records that were known at a moment (UTC) and have changed since, the newest month first.

    Columns: data_source, well_code, well, month, restated_at, job_id (of the job that changed it last), and of
    oil (kbd), gas (mmcfd) and water (kbd), calendar-day rates, what they were and are: oil_before, oil_now, ...
    A record that only other figures or names changed of is among them, and one that is gone, which is null now; one
    that says the same again is not.

    Raises
    ------
    NotThere
        A field or well is not in the store.
    """
    where, values = selection.condition(reading)
    rates = ", ".join(f"old.{rate} AS {name}_before, new.{rate} AS {name}_now" for name, rate in _RATES.items())
    content = [name for name in CONTENT if name not in KEY]
    differs = " OR ".join(f"old.{name} IS DISTINCT FROM new.{name}" for name in content)
    return reading.table(
        "WITH old AS (SELECT * FROM production_history WHERE updated_at < ? AND replaced_at >= ?)"
        " SELECT data_source, well_code, coalesce(new.well_name, new.well_reference, old.well_name, old.well_reference,"
        " well_code::VARCHAR) AS well, production_period AS month, coalesce(new.updated_at, old.replaced_at)"
        f" AS restated_at, coalesce(new.job_id, old.replaced_by)::VARCHAR AS job_id, {rates}"
        f" FROM old LEFT JOIN production new USING ({_KEY}) WHERE ({where})"
        f" AND CASE WHEN new.job_id IS NOT NULL THEN {differs}"
        f" ELSE NOT EXISTS (FROM production moved WHERE {_IS_MOVED}) END"
        " ORDER BY month DESC, well, well_code",
        [moment, moment, *values],
    )
