"""Type wells: the wells of a selection month by month of their own lives, and percentiles over them.

P90 is the 10th percentile, which nine wells of ten exceed, and P10 the 90th; a percentile p of N wells lies at the
position (N - 1) p + 1 in their order, between two by proportion. Source: Harmony, "Typewell theory", and its sample.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args

import polars as pl

from wellprod.analysis.measures import MEASURES, Units
from wellprod.analysis.measures.months import Months, number
from wellprod.analysis.measures.owners import owners_of
from wellprod.analysis.measures.table import check, monthly_sums
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.feed.units import BOE_RULES
from wellprod.store import Reading

Align = Literal["first production", "peak", "producing months"]
"""Where month 1 is: the first month with oil or gas above 0; the month in which the measure is highest; or the first
month with oil or gas above 0, where months without are skipped."""


def type_well(
    reading: Reading,
    selection: Selection | None = None,
    measure: str = "oil_rate",
    align: Align = "first production",
    *,
    units: Units = "oilfield",
    boe: str = "6:1",
    known_starts_only: bool = False,
) -> pl.DataFrame:
    """Give percentiles over wells by month on production.

    One row an index, from 1 on: index; p10 (high), p50, p90 (low) and mean of the measure, in its unit; wells, which
    have a figure there. Then what shows the bias of survivors: wells_possible, which began so long before the end of
    the data that they could have come so far; share_left, wells / wells_possible; mean_all, the mean of a calendar-day
    rate or volume in which a well counts as 0, and of a cumulative with its last, from its last record to the end of
    the data; wells_older, of the wells those that produced in the first month of their data source already, so that
    their month 1 is not the true one; and one_well_tail, where one well alone is left and the percentiles are its
    figures.

    The plain mean and percentiles are over wells with a figure: where poor wells end, they rise. A month without a
    record within the life of a well, and one without a figure, count for nothing.

    Parameters
    ----------
    selection
        Which wells, and up to which month; their whole history before that counts, whatever its first month is.
    measure
        A name in `measures.MEASURES` that a well has by itself.
    align
        Where month 1 is.
    known_starts_only
        Whether wells that produced in the first month of their data source are left out.

    Raises
    ------
    NotThere
        A field, well or group is not in the store.
    UsageError
        There is no such measure, alignment, system of units or rule of oil equivalents.
    """
    query, values, frames = _normalised(reading, selection, measure, align, units, boe, known_starts_only)
    adds_up = measure.endswith(("_rate", "_volume")) and not measure.endswith("_producing_day_rate")
    if measure.startswith("cum_"):
        mean_all = "(total + coalesce(held, 0)) / (wells + ended)"
    else:
        mean_all = "total / (wells + ended)" if adds_up else "NULL::DOUBLE"
    return reading.table(
        f"{query}, curve AS (SELECT index, quantile_cont(value, [0.9, 0.5, 0.1]) AS p, avg(value) AS mean,"
        " sum(value) AS total, count(value) AS wells, count(value) FILTER (is_older) AS wells_older"
        " FROM normalised GROUP BY index HAVING count(value) > 0),"
        " reach AS (SELECT index, count(*) AS wells_possible, count(*) FILTER (last_index < index) AS ended,"
        " sum(last_value) FILTER (last_index < index) AS held"
        " FROM curve JOIN lives ON last_index + months_after >= index GROUP BY index)"
        " SELECT index, p[1] AS p10, p[2] AS p50, p[3] AS p90, mean, wells, wells_possible,"
        f" wells / wells_possible AS share_left, {mean_all} AS mean_all, wells_older,"
        " wells = 1 AND wells_possible > 1 AS one_well_tail FROM curve JOIN reach USING (index) ORDER BY index",
        values,
        **frames,
    )


def normalised_wells(
    reading: Reading,
    selection: Selection | None = None,
    measure: str = "oil_rate",
    align: Align = "first production",
    *,
    units: Units = "oilfield",
    boe: str = "6:1",
    known_starts_only: bool = False,
    at_most: int | None = None,
) -> pl.DataFrame:
    """Give the wells that `type_well` is over: data_source, well_code, well, index, month, value, in that order.

    Parameters
    ----------
    at_most
        So many wells, evenly from the one with the largest sum of values to the smallest; all unless given.

    Raises
    ------
    NotThere, UsageError
        As `type_well`.
    """
    query, values, frames = _normalised(reading, selection, measure, align, units, boe, known_starts_only)
    gaps = max((at_most or 2**31) - 1, 1)
    return reading.table(
        f"{query}, sizes AS (SELECT owner, count(*) OVER () AS wells,"
        " row_number() OVER (ORDER BY sum(value) DESC, owner) - 1 AS place"
        " FROM normalised WHERE value IS NOT NULL GROUP BY owner),"
        f" chosen AS (SELECT owner FROM sizes WHERE wells <= {gaps + 1} OR place = 0"
        f" OR place * {gaps} // (wells - 1) > (place - 1) * {gaps} // (wells - 1))"
        " SELECT data_source, well_code, well, index, month, value FROM normalised JOIN owners USING (owner)"
        " WHERE value IS NOT NULL AND owner IN (FROM chosen) ORDER BY owner, index",
        values,
        **frames,
    )


def _normalised(
    reading: Reading,
    selection: Selection | None,
    measure: str,
    align: Align,
    units: Units,
    boe: str,
    known_starts_only: bool,
) -> tuple[str, list[Any], dict[str, pl.DataFrame]]:
    """Give the query up to the table `normalised`, which has each month of each well from its month 1 on with its
    index; its values; and the tables that it needs, of which `owners` has the wells."""
    for kind, given, known in (
        ("measure", measure, MEASURES),
        ("alignment", align, get_args(Align)),
        ("system of units", units, get_args(Units)),
        ("rule of oil equivalents", boe, BOE_RULES),
    ):
        check(kind, given, known)
    selection = selection or Selection()
    owners = owners_of(reading, selection, "well")
    months = Months(BOE_RULES[boe].mscf)
    value = MEASURES[measure].sql(months)
    if months.counts_wells or months.totals:
        raise UsageError(f"{measure} is not a measure of one well.", next="Take a volume, rate, ratio or cumulative.")
    factor = number(MEASURES[measure].quantity.times(units))
    is_on = " OR ".join(f"coalesce({months.rate(phase)} > 0, FALSE)" for phase in ("oil", "gas"))
    records, values = owners.records(replace(selection, first_month=None).condition(reading))
    until, until_values = replace(selection, first_month=None).in_months
    skips = align == "producing months"
    earliest = "arg_max(month, (value, DATE '9999-01-01' - month)) FILTER (value IS NOT NULL)"
    peak = f" {earliest} AS peak," if align == "peak" else ""
    month_1 = "peak" if align == "peak" else "first"
    last_index = "months_on" if skips else f"date_diff('month', {month_1}, last) + 1"
    skipping = "row_number() OVER (PARTITION BY owner ORDER BY month)"
    index = skipping if skips else "date_diff('month', month_1, month) + 1"
    query = (
        "WITH sources AS (SELECT data_source, min(production_period) AS begins, max(production_period) AS ends"
        f" FROM production WHERE {until} GROUP BY data_source),"
        f" months AS ({monthly_sums(months, records)}),"
        f" measured AS (SELECT owner, month, ({value}) * {factor} AS value, {is_on} AS is_on FROM months),"
        " spans AS (SELECT owner, min(month) FILTER (is_on) AS first, max(month) AS last,"
        f"{peak} arg_max(value, month) AS last_value, count(*) FILTER (is_on) AS months_on"
        " FROM measured GROUP BY owner HAVING count(value) > 0),"
        f" lives AS (SELECT *, {month_1} AS month_1, first <= begins AS is_older,"
        f" {last_index} AS last_index, date_diff('month', last, ends) AS months_after"
        " FROM spans JOIN owners USING (owner) JOIN sources USING (data_source) WHERE month_1 IS NOT NULL"
        f"{' AND first > begins' if known_starts_only else ''}),"
        " normalised AS (SELECT owner, month, value, is_older,"
        f" {index} AS index"
        " FROM measured JOIN lives USING (owner)"
        f" WHERE {'is_on' if skips else 'month >= month_1'})"
    )
    return query, [*until_values, *values], {**owners.frames, "owners": owners.titles}
