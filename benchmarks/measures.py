"""Measures of all records: against SQL written by hand for the same figures, through the same store and its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measure import stopwatch

_OIL, _GAS, _DAYS_ON = "oil_production_kbd", "gas_production_mmcfd", "days_on_production"
_OIL_AND_GAS = f"sum({_OIL}) AS oil, sum({_GAS}) AS gas"
_OIL_AND_WATER = f"sum({_OIL}) AS oil, sum(water_production_kbd) AS water"
_BOTH = f"FILTER ({_DAYS_ON} > 0 AND {_OIL} IS NOT NULL)"
_PERIOD = "INTERVAL {} MONTH PRECEDING"
_BEFORE = f"first_value(oil) OVER ({{window}} ORDER BY month RANGE BETWEEN {_PERIOD} AND {_PERIOD})"
_WELL = "(PARTITION BY data_source, well_code ORDER BY production_period)"
_GAPS = (
    f"(SELECT *, date_diff('month', lag(production_period) OVER {_WELL}, production_period) AS since,"
    f" date_diff('month', production_period, lead(production_period) OVER {_WELL}) AS until FROM production)"
)


class ByHand(NamedTuple):
    """The sums of a month, the figure made of them, and where the records come from."""

    sums: str
    figure: str
    records: str = "production"


QUERIES = {
    "oil_volume": ByHand(f"sum({_OIL}) AS oil", "oil * days"),
    "boe_volume": ByHand(_OIL_AND_GAS, "(oil + gas / 6) * days"),
    "oil_rate": ByHand(f"sum({_OIL}) AS oil", "oil"),
    "boe_rate": ByHand(_OIL_AND_GAS, "oil + gas / 6"),
    "oil_producing_day_rate": ByHand(
        f"sum({_OIL}) {_BOTH} AS oil, sum({_DAYS_ON}) {_BOTH} AS days_on", "oil * days / days_on"
    ),
    "cum_oil": ByHand(f"sum({_OIL}) AS oil", "sum(oil * days) OVER ({window} ORDER BY month)"),
    "cum_boe": ByHand(_OIL_AND_GAS, "sum((oil + gas / 6) * days) OVER ({window} ORDER BY month)"),
    "gor": ByHand(_OIL_AND_GAS, "1000 * gas / nullif(oil, 0)"),
    "cgr": ByHand(
        f"sum(liquids_production_kbd - {_OIL}) FILTER (said) AS condensate, sum({_GAS}) FILTER (said) AS gas",
        "1000 * condensate / nullif(gas, 0)",
        "production JOIN (SELECT data_source, liquids_include_oil AND liquids_include_condensate AS said"
        " FROM data_sources) USING (data_source)",
    ),
    "water_cut": ByHand(_OIL_AND_WATER, "water / nullif(oil + water, 0)"),
    "wor": ByHand(_OIL_AND_WATER, "water / nullif(oil, 0)"),
    "uptime": ByHand(
        f"sum({_DAYS_ON}) AS days_on, count({_DAYS_ON}) AS reported", "days_on / nullif(reported * days, 0)"
    ),
    "months_on_production": ByHand(
        _OIL_AND_GAS, "date_diff('month', min(month) FILTER (oil > 0 OR gas > 0) OVER ({window}), month) + 1"
    ),
    "oil_mom": ByHand(f"sum({_OIL}) AS oil", f"oil / nullif({_BEFORE.replace('{}', '1')}, 0) - 1"),
    "oil_yoy": ByHand(f"sum({_OIL}) AS oil", f"oil / nullif({_BEFORE.replace('{}', '12')}, 0) - 1"),
    "oil_share": ByHand(f"sum({_OIL}) AS oil", "oil / nullif(sum(oil) OVER (PARTITION BY month), 0)"),
    "wells": ByHand("count(DISTINCT (data_source, well_code)) AS wells", "wells"),
    "wells_on": ByHand(f"count(DISTINCT (data_source, well_code)) FILTER ({_OIL} > 0 OR {_GAS} > 0) AS wells", "wells"),
    "wells_expected": ByHand(
        "count(*) AS wells, "
        + ", ".join(f"count(*) FILTER (until IS NULL OR until > {n}) AS open_{n}" for n in (1, 2, 3)),
        "wells + coalesce(lag(open_1) OVER past, 0) + coalesce(lag(open_2, 2) OVER past, 0)"
        " + coalesce(lag(open_3, 3) OVER past, 0)",
        _GAPS,
    ),
    "oil_nulls": ByHand(f"count(*) - count({_OIL}) AS nulls", "nulls"),
    "cum_oil_nulls": ByHand(
        f"count(*) - count({_OIL}) + coalesce(sum(since - 1), 0) AS nulls",
        "sum(nulls) OVER ({window} ORDER BY month)",
        _GAPS,
    ),
}
"""What a person writes for a measure."""

_NOBODY = "00000000-0000-0000-0000-000000000000"
_KEYS = {"all": (), "field": ("data_source", "field_code"), "well": ("data_source", "well_code")}
_NAMES = {"all": (), "field": ("field_name",), "well": ("well_name", "field_name")}


def prepare(path: Path) -> None:
    """Have the store know what its liquids are."""
    from wellprod.store import FigureBasis, Store

    with Store(path).write() as writing:
        writing.note_sources(FigureBasis("benchmark", "calendar-day rate", True, True), ["benchmark"], job_id=_NOBODY)


def by_wellprod(home: str, run: int, measure: str, by: Any) -> dict[str, Any]:
    """Give the table of a measure."""
    from wellprod.analysis.measures import table
    from wellprod.settings import load_settings
    from wellprod.store import Store

    settings = load_settings(home=Path(home))
    with stopwatch() as watch, Store(settings.store_path).read() as reading:
        found = table(reading, None, (measure,), by=by)
    return {"seconds": watch.seconds, **_figures(found)}


def by_hand(home: str, run: int, measure: str, by: str) -> dict[str, Any]:
    """Give the same columns and rows by one query."""
    from wellprod.settings import load_settings
    from wellprod.store import Store

    settings = load_settings(home=Path(home))
    with stopwatch() as watch, Store(settings.store_path).read() as reading:
        found = reading.table(_query(QUERIES[measure], by))
    return {"seconds": watch.seconds, **_figures(found)}


def _query(by_hand: ByHand, by: str) -> str:
    """Put a query together: the key and the latest names, the month, the figure, in order."""
    key = "".join(f"{name}, " for name in _KEYS[by])
    each = f"PARTITION BY {key[:-2]}" if key else ""
    names = "".join(f"{name}, " for name in _NAMES[by])
    latest = ", ".join(f"max_by({name}, production_period) AS {name}" for name in _NAMES[by])
    joined = f" JOIN (SELECT {key}{latest} FROM production GROUP BY {key[:-2]}) USING ({key[:-2]})" if key else ""
    return (
        f"WITH months AS (SELECT {key}production_period AS month, day(last_day(production_period)) AS days,"
        f" {by_hand.sums} FROM {by_hand.records} GROUP BY {key}production_period)"
        f" SELECT {key}{names}month, {by_hand.figure.replace('{window}', each)} AS figure FROM months{joined}"
        f" WINDOW past AS ({each} ORDER BY month) ORDER BY {key}month"
    )


def _figures(found: Any) -> dict[str, Any]:
    """Give what tells whether two tables hold the same."""
    return {"rows": found.height, "sum": float(found[found.columns[-1]].fill_null(0).sum())}
