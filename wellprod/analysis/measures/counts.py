"""How many wells are held, producing, expected and missing in each month of each owner.

The months of a well are the bits of one value, the first bit for the first month held. A well is expected where these
bits, or the same moved by up to three months, have one, unless it has a record in another field then. So no record is
sorted, and a well of two fields counts once.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from wellprod.analysis.identity import same_codes
from wellprod.store import Reading

EXPECTED_AFTER_MONTHS = 3
"""For so many months after a record a well is still expected to report, until its data source ends."""


def counts_of_wells(reading: Reading, records: str) -> tuple[str, dict[str, pl.DataFrame]]:
    """Give the SQL of the table `wells` over `records`, which have an owner, and the frames that it names.

    Its columns are owner, month, wells_held, wells_producing (oil or gas > 0), wells_expected, and wells_missing: the
    months until this one that lie between a well's first and last record without one, of all wells together.
    """
    first, last = reading.table("SELECT min(production_period), max(production_period) FROM production").row(0)
    start = f"DATE '{first or date(1970, 1, 1)}'"
    held = f"bitstring_agg(place, 0, {12 * (last.year - first.year) + last.month - first.month if first else 0})"
    producing = "FILTER (oil_production_kbd > 0 OR gas_production_mmcfd > 0)"
    expected = " | ".join(f"(held >> {months})" for months in range(EXPECTED_AFTER_MONTHS + 1))
    same = same_codes(reading, "well").select("data_source", "into_code", well_code="code")
    renamed = not same.is_empty()
    well = "coalesce(into_code, well_code)" if renamed else "well_code"
    join = "LEFT JOIN same_wells USING (data_source, well_code)" if renamed else ""
    place = f"date_diff('month', {start}, production_period)::INTEGER"
    frames = {"same_wells": same} if renamed else {}
    several = f"SELECT data_source, {well} AS well FROM production {join} GROUP BY ALL"
    in_several_fields = reading.table(f"{several} HAVING min(field_code) < max(field_code)", (), **frames)
    query = (
        f"places AS (SELECT *, {well} AS well, {place} AS place FROM ({records}) {join}),"
        f" everywhere AS (SELECT data_source, {well} AS well, {place} AS place FROM production {join}),"
        f" anywhere AS (SELECT data_source, well, {held} AS held_anywhere FROM everywhere"
        " SEMI JOIN in_several_fields USING (data_source, well) GROUP BY ALL),"
        " ends AS (SELECT data_source,"
        f" date_diff('month', {start}, max(production_period)) AS source_ends FROM production GROUP BY data_source),"
        f" bits AS (SELECT owner, data_source, well, {held} AS held, {held} {producing} AS producing,"
        " min(place) AS first, max(place) AS last FROM places GROUP BY owner, data_source, well),"
        f" moved AS MATERIALIZED (SELECT owner, held, producing, ({expected}) & (held | ~coalesce(held_anywhere,"
        " held)) AS expected, last,"
        f" range(first, least(last + {EXPECTED_AFTER_MONTHS}, source_ends) + 1) AS places"
        " FROM bits JOIN ends USING (data_source) LEFT JOIN anywhere USING (data_source, well)),"
        " each AS (SELECT owner, held, producing, expected, last, unnest(places)::INTEGER AS place FROM moved),"
        " counts AS (SELECT owner, place, sum(get_bit(held, place))::BIGINT AS wells_held,"
        " coalesce(sum(get_bit(producing, place)), 0)::BIGINT AS wells_producing,"
        " sum(get_bit(expected, place))::BIGINT AS wells_expected,"
        " sum((place <= last)::INTEGER - get_bit(held, place)) AS missing FROM each GROUP BY owner, place),"
        f" wells AS (SELECT *, ({start} + to_months(place))::DATE AS month,"
        " sum(missing) OVER (PARTITION BY owner ORDER BY place)::BIGINT AS wells_missing FROM counts)"
    )
    return query, {**frames, "in_several_fields": in_several_fields}
