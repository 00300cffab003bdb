"""The declines of many wells: one query, then all cores."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from typing import Any, Literal

import numpy as np
import polars as pl

from wellprod.analysis.decline.history import HIDDEN_MONTHS, Assumptions, History
from wellprod.analysis.decline.processes import OnProgress, here, in_processes
from wellprod.analysis.decline.well import Columns, Key, Task, WellDecline, well_decline
from wellprod.analysis.measures import MEASURES, Units, table
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.store import Reading

DecliningPhase = Literal["oil", "gas", "liquids", "boe"]

LIMITS: dict[DecliningPhase, float] = {"oil": 0.01, "gas": 0.06, "liquids": 0.01, "boe": 0.01}
"""The economic limits unless others are given, in kbd, mmcfd and kboed: 10 bbl a day and 60 Mscf a day, below which the
Interstate Oil and Gas Compact Commission calls a well marginal."""

_WELLS_A_TASK = 20
_WELLS_FOR_ONE = 200  # so many are done before other processes have started


def declines(
    reading: Reading,
    selection: Selection | None = None,
    phase: DecliningPhase = "oil",
    assumed: Assumptions | None = None,
    *,
    units: Units = "oilfield",
    hidden_months: int = HIDDEN_MONTHS,
    on_progress: OnProgress | None = None,
    workers: int | None = None,
) -> pl.DataFrame:
    """Fit, forecast and backtest each well of a selection: one row a well, a failed one too, in the order of the key.

    Columns: data_source, well_code, well, field; status, reason (see `fit.DeclineFit`), model; first_month, last_month
    (the window), months_used, months_left_out; qi_kbd at the first day of the window, di_nominal_per_year there,
    di_secant_effective (of its first year), b, b_error (standard error), dmin_nominal_per_year, noise, uncertainty,
    uptime; cum_oil_kbbl to
    date, remaining_kbbl, eur_kbbl, limit (in words), forecast_ends, ended_by; backtest_error (forecast / actual - 1 of
    the hidden months), trusted, backtest (in words). The units are those of the phase and of `units`.

    Parameters
    ----------
    selection
        Which wells, and up to which month. The whole history before that counts, whatever its first month is: the
        window of the decline is found, or chosen by `assumed`.
    assumed
        Model, window, Dmin, limit and so on; the limit is that of `LIMITS` unless given.
    hidden_months
        The months that the backtest hides; 0 for no backtest.
    on_progress
        Told how many wells are done and how many there are; what it raises ends the work, as an interrupt does.
    workers
        Processes; all cores unless given, and none but this one for up to 200 wells. A script that is not a notebook
        calls this under ``if __name__ == "__main__":``, as Python asks of whoever starts processes.

    Raises
    ------
    NotThere
        A field, well or group is not in the store.
    UsageError
        There is no such phase or system of units.
    WellprodError
        A process ended before its work was done.
    """
    columns, assumed = _columns(phase, units), _limited(assumed, phase, units)
    wells, as_of = _histories(reading, selection, phase, units)
    tasks = [
        Task(wells[first : first + _WELLS_A_TASK], columns, assumed, as_of, hidden_months)
        for first in range(0, len(wells), _WELLS_A_TASK)
    ]
    many = min(workers or (_cores() if len(wells) > _WELLS_FOR_ONE else 1), len(tasks))
    rows = in_processes(tasks, many, on_progress) if many > 1 else here(tasks, on_progress)
    return pl.DataFrame(rows, schema=_schema(columns), orient="row")


def decline(
    reading: Reading,
    selection: Selection,
    phase: DecliningPhase = "oil",
    assumed: Assumptions | None = None,
    *,
    units: Units = "oilfield",
    hidden_months: int = HIDDEN_MONTHS,
) -> WellDecline:
    """Fit, forecast and backtest the one well of a selection, with its tables for charts.

    Raises
    ------
    NotThere
        The well is not in the store.
    UsageError
        The selection has several wells.
    """
    wells, as_of = _histories(reading, selection, phase, units)
    if len(wells) != 1:
        raise UsageError(f"The selection has {len(wells)} wells, not one.", next="Select one well, by name or code.")
    ((key, history),) = wells
    columns, assumed = _columns(phase, units), _limited(assumed, phase, units)
    return well_decline(key, columns, history, assumed, as_of[key[0]], hidden_months)


def _histories(
    reading: Reading, selection: Selection | None, phase: DecliningPhase, units: Units
) -> tuple[list[tuple[Key, History]], dict[str, date]]:
    """Give each well with its history, and the last month of each data source, whichever wells are selected."""
    taken = replace(selection or Selection(), first_month=None)
    rate = MEASURES[f"{phase}_rate"].column(units)
    found = table(reading, taken, (f"{phase}_rate", "uptime"), by="well", units=units)
    if found.is_empty():
        return [], {}
    until, bounds = taken.in_months
    ends = f"SELECT data_source, max(production_period) FROM production WHERE {until} GROUP BY data_source"
    as_of = dict(reading.table(ends, bounds).iter_rows())
    keys = ["data_source", "well_code", "well", "field"]
    begins = found.select(pl.struct("data_source", "well_code").rle_id().alias("run")).with_row_index()
    first = begins.group_by("run", maintain_order=True).first()["index"].to_numpy()
    months = found["month"].to_numpy().astype("datetime64[M]")
    rates, uptime = (found[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in (rate, "uptime"))
    stops = [*first[1:].tolist(), found.height]
    named = found.select(keys)[first.tolist()].iter_rows()
    wells = [
        (key, History(months[begin:end], rates[begin:end], uptime[begin:end]))
        for key, begin, end in zip(named, first.tolist(), stops, strict=True)
    ]
    return wells, as_of


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _columns(phase: DecliningPhase, units: Units) -> Columns:
    if phase not in LIMITS:
        raise UsageError(f"There is no decline of {phase!r}.", next=f"Take one of {', '.join(LIMITS)}.")
    return Columns(*(MEASURES[name.format(phase)].column(units) for name in ("{}_rate", "{}_volume", "cum_{}")))


def _limited(assumed: Assumptions | None, phase: DecliningPhase, units: Units) -> Assumptions:
    """Give the assumptions with a limit."""
    assumed = assumed or Assumptions()
    if assumed.limit_rate is not None:
        return assumed
    return replace(assumed, limit_rate=LIMITS[phase] * float(MEASURES[f"{phase}_rate"].quantity.times(units)))


def _schema(columns: Columns) -> dict[str, Any]:
    rate, volume = columns.rate_unit, columns.volume_unit
    text, figure, count = pl.String, pl.Float64, pl.Int64
    return {
        "data_source": text,
        "well_code": count,
        "well": text,
        "field": text,
        "status": text,
        "reason": text,
        "model": text,
        "first_month": pl.Date,
        "last_month": pl.Date,
        "months_used": count,
        "months_left_out": count,
        **dict.fromkeys((f"qi_{rate}", "di_nominal_per_year", "di_secant_effective"), figure),
        **dict.fromkeys(("b", "b_error", "dmin_nominal_per_year", "noise", "uncertainty", "uptime"), figure),
        **dict.fromkeys((columns.cumulative, f"remaining_{volume}", f"eur_{volume}"), figure),
        "limit": text,
        "forecast_ends": pl.Date,
        "ended_by": text,
        "backtest_error": figure,
        "trusted": pl.Boolean,
        "backtest": text,
    }
