"""What records have about them that a reader should know: breaches of the quality rules, gaps and restatements.

Every rule is of petroleum reference C4; nothing is filled or mended here. A rule that one record answers is a
condition on it; a rule of a series looks at all months of the well, in whichever field, so that a well which changed
its field has no gap, and a mark does not depend on the months that are selected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from wellprod.analysis.groups import Kind, groups_of
from wellprod.analysis.identity import same_codes
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
By = Literal["rule", "field", "well", "month"]
"""What marks are counted by."""

_SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_KEYS: dict[By, tuple[str, ...]] = {
    "rule": (),
    "field": ("data_source", "field"),
    "well": ("data_source", "well_code", "well", "field"),
    "month": ("month",),
}
_COUNTED = ("errors", "warnings", "notes", "marks")
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
    "month_twice": Rule(
        "warning",
        "more than one record of a well's month, under two fields or two of its codes, which sums count twice",
        "(production_period = last_month OR production_period = next_month)",
        "CASE WHEN other_field <> field_title THEN format('fields {} and {}', least(field_title, other_field),"
        " greatest(field_title, other_field)) ELSE 'two of its codes' END",
    ),
    "missing_month": Rule("warning", "no record of a month between the well's first and last one"),
    "days_without_production": Rule(
        "warning",
        ROW_RULES["days_without_production"],
        f"days_on_production > 0 AND NOT coalesce({_any_rate('<> 0')}, FALSE)",
        _DAYS,
    ),
    "liquids_below_oil": Rule(
        "warning",
        ROW_RULES["liquids_below_oil"],
        "liquids_include_oil AND liquids_production_kbd < oil_production_kbd",
        "format('liquids {:.4g}, oil {:.4g}', liquids_production_kbd, oil_production_kbd)",
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
    "name_changed": Rule(
        "warning",
        "another name of the well or the field under the same code, which groups.toml does not list",
        "(well_called <> well_before OR field_called <> field_before)",
        "concat_ws(', ', CASE WHEN well_called <> well_before THEN 'well ' || well_name || ', was ' || well_was END,"
        " CASE WHEN field_called <> field_before THEN 'field ' || field_name || ', was ' || field_was END)",
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
ratio, and at least by half, or by 10 points of water cut. C4's `key duplicated` cannot be in a store; its liquids rule
holds where the data source's profile says that liquids include oil. Wells and fields that `groups.toml` calls one are
one here: neither a gap nor another name.
"""

_RANK = {name: place for place, name in enumerate(RULES)}
_NOTHING = f"({' AND '.join(f'{rate} IS NULL' for rate in _RATE.values())})"
_ORDER = "production_period, field_code, well_code"
_WELL = "data_source, well_id"
_BY_MONTH = f"(PARTITION BY {_WELL} ORDER BY {_ORDER})"
_AROUND = f"(PARTITION BY {_WELL} ORDER BY {_ORDER} ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING)"
_RECORDS_AT_ONCE = 100_000


def _series(condition: str) -> str:
    """Give the CTEs that end in `series`: each record of the selected wells, with what the rules look at.

    They name the frames that `_asked` gives, and take the share of the wells that is looked at, then the values of the
    condition twice.
    """
    rates = ", ".join(_RATE.values())
    has = ", ".join(f"count({rate}) > 0 AS has_{rate}" for rate in _RATE.values())
    lags = ", ".join(f"lag({_RATE[stream]}) OVER by_month AS lag_{stream}" for stream in ("oil", "gas"))
    changes = ", ".join(
        f"count_if({_RATE[stream]} IS DISTINCT FROM lag_{stream} OR NOT follows) OVER by_month AS {stream}_change"
        for stream in ("oil", "gas")
    )
    runs = ", ".join(
        f"{stream}_runs AS (SELECT {_WELL}, {stream}_change, count(*) AS {stream}_run FROM runs"
        f" WHERE {_RATE[stream]} <> 0 GROUP BY ALL HAVING count(*) >= {REPEATED_MONTHS})"
        for stream in ("oil", "gas")
    )
    return f"""
        WITH every AS (
            SELECT production.data_source, field_code, field_name, well_code, well_name, well_reference,
                production_period, day_given, days_on_production, {rates},
                coalesce(same_wells.into_code, well_code) AS well_id,
                same_wells.into_name AS well_main, same_fields.into_name AS field_main
            FROM production
            LEFT JOIN same_wells
                ON same_wells.data_source = production.data_source AND same_wells.code = well_code
            LEFT JOIN same_fields
                ON same_fields.data_source = production.data_source AND same_fields.code = field_code
            WHERE hash(coalesce(same_wells.into_code, well_code)) % ? = ?
        ),
        wells AS (SELECT DISTINCT {_WELL} FROM every WHERE {condition}),
        named AS MATERIALIZED (
            SELECT every.*, coalesce({condition}, FALSE) AS is_selected,
                coalesce(well_main, well_names.main, lower(well_name)) AS well_called,
                coalesce(field_main, field_names.main, lower(field_name)) AS field_called,
                coalesce(field_main, field_name, field_code::VARCHAR) AS field_title,
                CASE WHEN oil_production_kbd > 0 AND gas_production_mmcfd > 0
                    THEN ln(1000 * gas_production_mmcfd / oil_production_kbd) END AS log_gor,
                CASE WHEN oil_production_kbd >= 0 AND water_production_kbd >= 0
                    THEN water_production_kbd / nullif(oil_production_kbd + water_production_kbd, 0) END AS water_cut
            FROM every SEMI JOIN wells USING ({_WELL})
            LEFT JOIN well_names ON well_names.name = lower(well_name)
            LEFT JOIN field_names ON field_names.name = lower(field_name)
        ),
        told_wells AS (
            SELECT {_WELL}, {has}, max_by(coalesce(well_main, well_name, well_reference, well_code::VARCHAR),
                production_period) AS well
            FROM named GROUP BY ALL
        ),
        records AS (
            SELECT *, lead(production_period) OVER by_month AS next_month,
                lag(production_period) OVER by_month AS last_month,
                coalesce(production_period = last_month + INTERVAL 1 MONTH, FALSE) AS follows,
                {lags},
                lag(well_called IGNORE NULLS) OVER by_month AS well_before,
                lag(well_name IGNORE NULLS) OVER by_month AS well_was,
                lag(field_code) OVER by_month AS field_code_before,
                CASE WHEN field_code = field_code_before THEN lag(field_called) OVER by_month END AS field_before,
                lag(field_name) OVER by_month AS field_was,
                CASE production_period WHEN last_month THEN lag(field_title) OVER by_month
                    WHEN next_month THEN lead(field_title) OVER by_month END AS other_field,
                log_gor - median(log_gor) OVER around AS gor_off, count(log_gor) OVER around AS gor_around,
                water_cut - median(water_cut) OVER around AS cut_off, count(water_cut) OVER around AS cut_around
            FROM named WINDOW by_month AS {_BY_MONTH}, around AS {_AROUND}
        ),
        runs AS MATERIALIZED (SELECT *, {changes} FROM records WINDOW by_month AS {_BY_MONTH}),
        {runs},
        spreads AS (
            SELECT {_WELL}, median(abs(gor_off)) AS gor_spread, median(abs(cut_off)) AS cut_spread
            FROM runs GROUP BY ALL
        ),
        restated AS (
            SELECT data_source, well_code, production_period, count(*) AS restatements, max(replaced_at) AS restated_at
            FROM production_history
            WHERE change = 'restated' AND job_id NOT IN (SELECT job_id FROM undone_imports)
                AND replaced_by NOT IN (SELECT job_id FROM undone_imports)
            GROUP BY ALL
        ),
        series AS (
            SELECT * FROM runs JOIN told_wells USING ({_WELL}) JOIN spreads USING ({_WELL})
            JOIN told_fields USING (data_source, field_code)
            LEFT JOIN oil_runs USING ({_WELL}, oil_change) LEFT JOIN gas_runs USING ({_WELL}, gas_change)
            LEFT JOIN restated USING (data_source, well_code, production_period)
            LEFT JOIN (SELECT data_source, liquids_include_oil FROM data_sources) USING (data_source)
        )"""


def _renamed(reading: Reading) -> dict[str, pl.DataFrame]:
    """Give what `groups.toml` calls one, by code and by name, as the frames that the query names."""
    groups = groups_of(reading)
    kinds: tuple[Kind, ...] = ("well", "field")
    frames = {f"same_{kind}s": same_codes(reading, kind) for kind in kinds}
    for kind in kinds:
        rows = [(name.lower(), main) for main, others in groups.renamed(kind).items() for name in {main, *others}]
        schema = {"name": pl.String, "main": pl.String}
        frames[f"{kind}_names"] = pl.DataFrame(rows, schema, orient="row").unique("name")
    return frames


def _asked(reading: Reading, selection: Selection, query: str) -> pl.DataFrame:
    """Ask the marks of a selection, the table `marks`, some wells at a time, so that they take constant memory."""
    where, values = replace(selection, first_month=None, last_month=None).condition(reading)
    within, months = selection.in_months
    found = ", ".join(
        f"CASE WHEN {rule.breaks.format(nothing=_NOTHING) if '{nothing}' in rule.breaks else rule.breaks}"
        f" THEN {{'mark': '{name}', 'detail': ({rule.detail})::VARCHAR}} END"
        for name, rule in RULES.items()
        if rule.breaks
    )
    key = f"{_WELL}, well, field"
    with_marks = (
        f"{_series(where)},"
        f" found AS (SELECT {key}, production_period, unnest([{found}]) AS found FROM series WHERE is_selected),"
        f" missing AS (SELECT {key}, unnest(generate_series(production_period + INTERVAL 1 MONTH,"
        " next_month - INTERVAL 1 MONTH, INTERVAL 1 MONTH))::DATE AS production_period FROM series"
        " WHERE is_selected AND next_month > production_period + INTERVAL 1 MONTH),"
        f" both_kinds AS (SELECT {key}, production_period, found.mark AS mark, found.detail AS detail FROM found"
        f" WHERE found IS NOT NULL UNION ALL SELECT {key}, production_period, 'missing_month', NULL FROM missing),"
        " marks AS (SELECT data_source, well_id AS well_code, well, field, production_period AS month, mark, detail"
        f" FROM both_kinds WHERE {within})"
    )
    frames = _renamed(reading)
    frames["told_fields"] = reading.table(
        "SELECT data_source, field_code, coalesce(any_value(into_name), max_by(field_name, production_period),"
        " field_code::VARCHAR) AS field FROM production LEFT JOIN (SELECT data_source, code AS field_code, into_name"
        " FROM same_fields) USING (data_source, field_code) GROUP BY data_source, field_code",
        (),
        **frames,
    )
    records = reading.value(f"SELECT count(*) FROM production WHERE {where}", values)
    parts = max(records // _RECORDS_AT_ONCE, 1)
    return pl.concat(
        reading.table(f"{with_marks} {query}", [parts, part, *values, *values, *months], **frames)
        for part in range(parts)
    )


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
    found = _asked(reading, selection or Selection(), "SELECT * FROM marks")
    return found.sort("data_source", "well_code", "month", pl.col("mark").replace_strict(_RANK, default=None), "field")


def counts(reading: Reading, selection: Selection | None = None, by: By = "rule") -> pl.DataFrame:
    """Count the marks of a selection, without giving each of them, so that a large store takes little memory.

    Parameters
    ----------
    by
        What has a row of its own. By ``rule`` the columns are those of `by_rule`. By ``field``, ``well`` or ``month``:
        data_source, field or well with field, or month; errors, warnings, notes (marks of each severity), marks, wells
        (not by well), first_month, last_month (not by month), rules (those broken, the worst first). Fields and wells
        are in the order of their errors, warnings and marks, months in their own.

    Raises
    ------
    SelectionError
        A field or well is not in the store.
    """
    keys = _KEYS[by]
    listed = ", ".join(keys)
    groups = f"GROUPING SETS (({listed}, mark), ({listed}))" if keys else "mark"
    of_parts = _asked(
        reading,
        selection or Selection(),
        f"SELECT {listed}{',' if keys else ''} mark, count(*) AS marks,"
        " count(DISTINCT (data_source, well_code)) AS wells, min(month) AS first_month, max(month) AS last_month"
        f" FROM marks GROUP BY {groups}",
    )
    given = of_parts.group_by(*keys, "mark").agg(
        pl.col("marks", "wells").sum().cast(pl.UInt32), pl.col("first_month").min(), pl.col("last_month").max()
    )
    if by == "rule":
        return _by_rule(given)
    severity = pl.col("mark").replace_strict({name: rule.severity for name, rule in RULES.items()}, default=None)
    broken = (
        given.filter(pl.col("mark").is_not_null())
        .sort(pl.col("mark").replace_strict(_RANK, default=None))
        .group_by(keys, maintain_order=True)
        .agg(
            *(pl.col("marks").filter(severity == name).sum().alias(f"{name}s") for name in _SEVERITIES),
            rules=pl.col("mark").str.join(", "),
        )
    )
    found = given.filter(pl.col("mark").is_null()).drop("mark").join(broken, on=keys)
    if by == "month":
        return found.sort("month").select("month", *_COUNTED, "wells", "rules")
    order = [f"{name}s" for name in _SEVERITIES]
    found = found.sort(*order, *keys, descending=[True] * len(order) + [False] * len(keys))
    titles = ("field",) if by == "field" else ("well", "field")
    own = ("wells",) if by == "field" else ()
    return found.select("data_source", *titles, *_COUNTED, *own, "first_month", "last_month", "rules")


def by_rule(found: pl.DataFrame) -> pl.DataFrame:
    """Count marks, as `marks` gives them, by rule, the worst first.

    Columns: mark, severity, words, marks, wells, first_month, last_month; a rule without a mark has no row.
    """
    return _by_rule(
        found.group_by("mark").agg(
            marks=pl.len(),
            wells=pl.struct("data_source", "well_code").n_unique(),
            first_month=pl.col("month").min(),
            last_month=pl.col("month").max(),
        )
    )


def _by_rule(counted: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {"mark": name, "severity": rule.severity, "words": rule.words, **row}
        for name, rule in RULES.items()
        for row in counted.filter(mark=name).drop("mark").iter_rows(named=True)
    ]
    return pl.DataFrame(rows, schema=_SUMMARY)
