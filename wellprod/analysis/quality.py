"""What records have about them that a reader should know: breaches of the quality rules, gaps and restatements.

Every rule is of petroleum reference C4; nothing is filled or mended here. A rule that one record answers is a
condition on it; a rule of a series looks at all months of the well, in whichever field, so that a well which changed
its field has no gap, and a mark does not depend on the months that are selected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from wellprod.analysis.selection import Selection
from wellprod.feed.clean import RULES as ROW_RULES
from wellprod.store import Reading

Severity = Literal["error", "warning", "note"]
"""An error cannot be so; a warning may be so, and is worth a question; a note explains."""

REPEATED_MONTHS = 3
"""From so many months in a row on, one and the same figure is taken for an estimate."""

BAND = 3.0
"""How many scaled median absolute deviations a ratio may stand off the median of the five months around it."""

_MAD_SCALE = 1.4826  # turns a median absolute deviation into a standard deviation of normal figures
_GOR_FLOOR = 0.405  # ln 1.5: half as much again; a smaller jump is none, however quiet the well is
_WATER_CUT_FLOOR = 0.1
_STREAMS = {"oil": "kbd", "gas": "mmcfd", "liquids": "kbd", "water": "kbd"}
_RATE = {stream: f"{stream}_production_{unit}" for stream, unit in _STREAMS.items()}
_SUMMARY = {
    "mark": pl.String,
    "severity": pl.String,
    "words": pl.String,
    "marks": pl.UInt32,
    "wells": pl.UInt32,
    "first_month": pl.Date,
    "last_month": pl.Date,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One quality rule.

    Parameters
    ----------
    severity
        How bad a breach is.
    words
        What breaks it.
    breaks
        SQL: whether a row of `_SERIES` breaks it; none where the rule has a query of its own.
    detail
        SQL: what is told of the breach, with its figures.
    """

    severity: Severity
    words: str
    breaks: str = ""
    detail: str = "NULL"


def _any_rate(condition: str, streams: tuple[str, ...] = tuple(_RATE)) -> str:
    return f"({' OR '.join(f'{_RATE[stream]} {condition}' for stream in streams)})"


def _listed(condition: str, words: str = "", streams: tuple[str, ...] = tuple(_RATE)) -> str:
    """Give the SQL that names the streams which meet a condition; `{0}` stands for the rate in either."""
    named = (
        f"CASE WHEN {condition.format(rate)} THEN '{stream}'{words.format(rate)} END"
        for stream, rate in _RATE.items()
        if stream in streams
    )
    return f"concat_ws(', ', {', '.join(named)})"


_IS_LOST = "({0} IS NULL AND has_{0})"
_REPEATS = "coalesce({0}_run >= " + str(REPEATED_MONTHS) + ", FALSE)"
_DAYS = "format('{:.4g} days', days_on_production)"

RULES: dict[str, Rule] = {
    "negative_rate": Rule(
        "error",
        ROW_RULES["negative_rate"],
        f"coalesce({_any_rate('< 0')}, FALSE)",
        _listed("{0} < 0", " || format(' {{:.4g}}', {0})"),
    ),
    "negative_days": Rule("error", ROW_RULES["negative_days"], "days_on_production < 0", _DAYS),
    "days_above_month": Rule(
        "error",
        ROW_RULES["days_above_month"],
        "days_on_production > day(last_day(production_period)) + 1e-6",
        "format('{:.4g} days in a month of {}', days_on_production, day(last_day(production_period)))",
    ),
    "production_without_days": Rule(
        "error",
        ROW_RULES["production_without_days"],
        f"days_on_production = 0 AND {_any_rate('> 0', ('oil', 'gas'))}",
        _listed("{0} > 0", " || format(' {{:.4g}}', {0})", ("oil", "gas")),
    ),
    "future_month": Rule("error", ROW_RULES["future_month"], "production_period > today()"),
    "missing_month": Rule("warning", "no record of a month between the well's first and last one"),
    "days_without_production": Rule(
        "warning",
        ROW_RULES["days_without_production"],
        f"days_on_production > 0 AND NOT coalesce({_any_rate('<> 0')}, FALSE)",
        _DAYS,
    ),
    "repeated_value": Rule(
        "warning",
        f"oil or gas, not zero, to the last digit the same in {REPEATED_MONTHS} months in a row or more: an estimate?",
        f"({_REPEATS.format('oil')} OR {_REPEATS.format('gas')})",
        "concat_ws(', ', "
        + ", ".join(
            f"CASE WHEN {_REPEATS.format(stream)} THEN"
            f" format('{stream} {{:.6g}} {_STREAMS[stream]} in {{}} months', {_RATE[stream]}, {stream}_run) END"
            for stream in ("oil", "gas")
        )
        + ")",
    ),
    "gor_jump": Rule(
        "warning",
        "a gas-oil ratio far off those of the months around it",
        f"abs(gor_off) > greatest({BAND} * {_MAD_SCALE} * gor_spread, {_GOR_FLOOR}) AND gor_around = 5",
        "format('{:,.0f} scf/bbl, the months around it {:,.0f}', exp(log_gor), exp(log_gor - gor_off))",
    ),
    "water_cut_jump": Rule(
        "warning",
        "a water cut far off those of the months around it",
        f"abs(cut_off) > greatest({BAND} * {_MAD_SCALE} * cut_spread, {_WATER_CUT_FLOOR}) AND cut_around = 5",
        "format('{:.0f} %, the months around it {:.0f} %', 100 * water_cut, 100 * (water_cut - cut_off))",
    ),
    "stream_missing": Rule(
        "note",
        "a stream not reported that the well reports in other months",
        f"NOT {{nothing}} AND ({' OR '.join(_IS_LOST.format(rate) for rate in _RATE.values())})",
        _listed(_IS_LOST),
    ),
    "nothing_reported": Rule("note", ROW_RULES["nothing_reported"], "{nothing}"),
    "month_not_first_day": Rule(
        "note", ROW_RULES["month_not_first_day"], "day_given <> 1", "format('day {}', day_given)"
    ),
    "restated": Rule(
        "note",
        "a record that the source has changed since it was first imported",
        "restatements > 0",
        "format('{} time{}, the last on {}', restatements, CASE restatements WHEN 1 THEN '' ELSE 's' END,"
        " strftime(restated_at, '%Y-%m-%d'))",
    ),
}
"""The closed list of rules, the worst first.

All are C4's, in its words where one record answers them (`feed.clean.RULES`), but for `stream_missing`, which is ours,
and `restated`, which is C5's. A jump is judged by the Hampel identifier: it stands off the median of five records, two
on either side, by more than three scaled median absolute deviations of the well; of the logarithm for the gas-oil
ratio, and at least by half, or by 10 points of water cut. C4's `key duplicated` cannot be in a store;
`liquids_below_oil` hangs on the profile, which the store does not know; a changed name is no matter of a month.
"""

_NOTHING = f"({' AND '.join(f'{rate} IS NULL' for rate in _RATE.values())})"
_ORDER = "production_period, field_code"
_AROUND = f"OVER (PARTITION BY data_source, well_code ORDER BY {_ORDER} ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING)"
_BY_WELL = "OVER (PARTITION BY data_source, well_code)"


def _series(condition: str) -> str:
    """Give the CTEs that end in `series`: each record of the selected wells, with what the rules look at."""
    has = ", ".join(f"count({rate}) {_BY_WELL} > 0 AS has_{rate}" for rate in _RATE.values())
    changes = ", ".join(
        f"count_if({_RATE[stream]} IS DISTINCT FROM lag_{stream} OR NOT follows)"
        f" OVER (PARTITION BY data_source, well_code ORDER BY {_ORDER}) AS {stream}_change"
        for stream in ("oil", "gas")
    )
    runs = ", ".join(
        f"CASE WHEN {_RATE[stream]} <> 0 THEN count(*) OVER (PARTITION BY data_source, well_code, {stream}_change)"
        f" END AS {stream}_run"
        for stream in ("oil", "gas")
    )
    lags = ", ".join(f"lag({_RATE[stream]}) OVER by_month AS lag_{stream}" for stream in ("oil", "gas"))
    return f"""
        WITH wells AS (SELECT DISTINCT data_source, well_code FROM production WHERE {condition}),
        restated AS (
            SELECT data_source, well_code, production_period, count(*) AS restatements,
                max(replaced_at) AS restated_at
            FROM production_history SEMI JOIN wells USING (data_source, well_code)
            WHERE change = 'restated' AND job_id NOT IN (SELECT job_id FROM undone_imports)
                AND replaced_by NOT IN (SELECT job_id FROM undone_imports)
            GROUP BY ALL
        ),
        records AS (
            SELECT *, coalesce({condition}, FALSE) AS is_selected,
                CASE WHEN oil_production_kbd > 0 AND gas_production_mmcfd > 0
                    THEN ln(1000 * gas_production_mmcfd / oil_production_kbd) END AS log_gor,
                CASE WHEN oil_production_kbd >= 0 AND water_production_kbd >= 0
                    THEN water_production_kbd / nullif(oil_production_kbd + water_production_kbd, 0) END AS water_cut,
                max_by(coalesce(well_name, well_reference, well_code::VARCHAR), production_period) {_BY_WELL} AS well,
                max_by(coalesce(field_name, field_code::VARCHAR), production_period)
                    OVER (PARTITION BY data_source, field_code) AS field,
                {has},
                lead(production_period) OVER by_month AS next_month,
                coalesce(production_period = lag(production_period) OVER by_month + INTERVAL 1 MONTH, FALSE) AS follows,
                {lags}
            FROM production SEMI JOIN wells USING (data_source, well_code)
            WINDOW by_month AS (PARTITION BY data_source, well_code ORDER BY {_ORDER})
        ),
        runs AS (
            SELECT *, {changes}, log_gor - median(log_gor) {_AROUND} AS gor_off, count(log_gor) {_AROUND} AS gor_around,
                water_cut - median(water_cut) {_AROUND} AS cut_off, count(water_cut) {_AROUND} AS cut_around
            FROM records
        ),
        series AS (
            SELECT *, {runs}, median(abs(gor_off)) {_BY_WELL} AS gor_spread,
                median(abs(cut_off)) {_BY_WELL} AS cut_spread
            FROM runs LEFT JOIN restated USING (data_source, well_code, production_period)
        )"""


def marks(reading: Reading, selection: Selection | None = None) -> pl.DataFrame:
    """Give each breach of a rule, and each missing or restated month: one row a mark, in the order of well and month.

    Columns: data_source, well_code, well, field (titles: the latest name, else reference, else code), month (first of
    month), mark (a name of `RULES`), detail (its figures, or null). A missing month has the field of the record before
    it. Months and fields of a selection say which marks are given, not which months a rule sees.

    Raises
    ------
    SelectionError
        A field or well is not in the store.
    """
    selection = selection or Selection()
    where, values = replace(selection, first_month=None, last_month=None).condition(reading)
    within, months = selection.in_months
    found = ", ".join(
        f"CASE WHEN {rule.breaks.format(nothing=_NOTHING) if '{nothing}' in rule.breaks else rule.breaks}"
        f" THEN {{'mark': '{name}', 'detail': ({rule.detail})::VARCHAR}} END"
        for name, rule in RULES.items()
        if rule.breaks
    )
    ranks = ", ".join(f"'{name}'" for name in RULES)
    return reading.table(
        f"{_series(where)},"
        f" found AS (SELECT data_source, well_code, well, field, production_period, unnest([{found}]) AS found"
        " FROM series WHERE is_selected),"
        " missing AS (SELECT data_source, well_code, well, field, unnest(generate_series("
        "production_period + INTERVAL 1 MONTH, next_month - INTERVAL 1 MONTH, INTERVAL 1 MONTH))::DATE"
        " AS production_period FROM series WHERE is_selected AND next_month > production_period + INTERVAL 1 MONTH),"
        " marks AS (SELECT data_source, well_code, well, field, production_period, found.mark AS mark,"
        " found.detail AS detail FROM found WHERE found IS NOT NULL UNION ALL"
        " SELECT data_source, well_code, well, field, production_period, 'missing_month', NULL FROM missing)"
        f" SELECT data_source, well_code, well, field, production_period AS month, mark, detail FROM marks"
        f" WHERE {within} ORDER BY data_source, well_code, month, list_position([{ranks}], mark), field",
        [*values, *values, *months],
    )


def by_rule(found: pl.DataFrame) -> pl.DataFrame:
    """Count marks, as `marks` gives them, by rule, the worst first.

    Columns: mark, severity, words, marks, wells, first_month, last_month; a rule without a mark has no row.
    """
    counts = found.group_by("mark").agg(
        marks=pl.len(),
        wells=pl.struct("data_source", "well_code").n_unique(),
        first_month=pl.col("month").min(),
        last_month=pl.col("month").max(),
    )
    rows = [
        {"mark": name, "severity": rule.severity, "words": rule.words, **row}
        for name, rule in RULES.items()
        for row in counts.filter(mark=name).drop("mark").iter_rows(named=True)
    ]
    return pl.DataFrame(rows, schema=_SUMMARY)
