"""What the whole store knows of the wells of a selection: a name that is theirs alone, and what they produced before.

A well is one well code of one data source, in whichever fields it was over the years.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from wellprod.analysis.overview import volume_of
from wellprod.analysis.selection import Condition
from wellprod.feed.units import MSCF_PER_BOE
from wellprod.store import Reading

WELL = ("data_source", "well_code")
"""What makes a well one well."""

RUN = ("data_source", "field_code", "well_code")
"""What makes a run of records: a well in one field. Records come run after run, each from its first month on."""

PHASES = {
    "oil_production_kbd": "oil_production_kbd",
    "gas_production_mmcfd": "gas_production_mmcfd",
    "liquids_production_kbd": "liquids_production_kbd",
    "water_production_kbd": "water_production_kbd",
    "boe": f"(oil_production_kbd + gas_production_mmcfd / {MSCF_PER_BOE})",
}
"""What has a volume, with the SQL of its calendar-day rate in kbd, mmcfd or kboed."""


def well_ids(reading: Reading, condition: Condition) -> pl.DataFrame:
    """Give each well of a selection a name that no other well of the store has: data_source, well_code, well_id.

    It is the well's latest reference; where it has none, or another well has the same as reference or code, its code;
    where that is another's too, code and data source. A well thus has one name in all its months, whatever is
    selected. `is_shared` says where there is a reference, which could not be taken.
    """
    where, values = condition
    return reading.table(
        "WITH wells AS (SELECT data_source, well_code, well_code::VARCHAR AS code,"
        " max_by(reference, (production_period, reference)) AS reference"
        " FROM (SELECT *, nullif(trim(well_reference), '') AS reference FROM production) GROUP BY ALL),"
        " names AS (SELECT name, count(*) AS wells FROM (SELECT DISTINCT data_source, well_code,"
        " unnest([reference, code]) AS name FROM wells) GROUP BY name),"
        " own AS (SELECT name FROM names WHERE wells = 1 AND name IS NOT NULL)"
        " SELECT data_source, well_code, CASE WHEN reference IN (FROM own) THEN reference"
        " WHEN code IN (FROM own) THEN code ELSE code || ' ' || data_source END AS well_id,"
        " coalesce(reference NOT IN (FROM own), FALSE) AS is_shared FROM wells"
        f" WHERE (data_source, well_code) IN (SELECT data_source, well_code FROM production WHERE {where})"
        " ORDER BY data_source, well_code",
        values,
    )


def months_in_several_fields(reading: Reading, condition: Condition) -> int:
    """Count the months in which a well of a selection has records in more than one field."""
    where, values = condition
    return int(
        reading.value(
            "WITH several AS (SELECT data_source, well_code FROM production GROUP BY ALL"
            " HAVING min(field_code) < max(field_code))"
            " SELECT count(*) FROM (SELECT 1 FROM production SEMI JOIN several USING (data_source, well_code)"
            f" WHERE {where} GROUP BY data_source, well_code, production_period HAVING count(*) > 1)",
            values,
        )
    )


def produced_beside(reading: Reading, condition: Condition, phases: Collection[str]) -> pl.DataFrame:
    """Give what wells produced, up to a month, outside of the run of records that a selection holds of them.

    That is before the first month of the run, and in other fields until its last. One row for each run and month in
    which that grows, in order: data_source, field_code, well_code, production_period (what lies before the run as the
    month before it), and for each of `phases`, as in `PHASES`, the volume so far in kbbl, MMscf or kboe. It is null
    until the first reported figure; a month that was not reported adds nothing.
    """
    where, values = condition
    run = ", ".join(f"run.{name}" for name in RUN)
    sums = ", ".join(f"{volume_of(PHASES[phase])} AS {phase}" for phase in phases)
    so_far = ", ".join(f"sum({phase}) OVER so_far AS {phase}" for phase in phases)
    return reading.table(
        f"WITH runs AS (SELECT {', '.join(RUN)}, min(production_period) AS first, max(production_period) AS last"
        f" FROM production WHERE {where} GROUP BY ALL),"
        f" beside AS (SELECT {run}, greatest(production_period, run.first - INTERVAL 1 MONTH)::DATE AS month, {sums}"
        " FROM runs AS run JOIN production AS other"
        " ON other.data_source = run.data_source AND other.well_code = run.well_code"
        " AND other.production_period <= run.last"
        " AND (other.production_period < run.first OR other.field_code <> run.field_code) GROUP BY ALL)"
        f" SELECT {', '.join(RUN)}, month AS production_period, {so_far} FROM beside"
        f" WINDOW so_far AS (PARTITION BY {', '.join(RUN)} ORDER BY month)"
        f" ORDER BY {', '.join(RUN)}, month",
        values,
    )
