"""The declines of many wells: one query, then all cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import date
from multiprocessing.connection import wait
from typing import Any, Literal

import numpy as np
import polars as pl

from wellprod.analysis.decline.history import HIDDEN_MONTHS, Assumptions, History, as_date
from wellprod.analysis.decline.well import Columns, Key, Task, WellDecline, well_decline
from wellprod.analysis.measures import MEASURES, Units, table
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError, WellprodError
from wellprod.store import Reading

DecliningPhase = Literal["oil", "gas", "liquids", "boe"]
OnProgress = Callable[[int, int], None]

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
    rows = _in_processes(tasks, many, on_progress) if many > 1 else _here(tasks, on_progress)
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
    return well_decline(key, _columns(phase, units), history, _limited(assumed, phase, units), as_of, hidden_months)


def _histories(
    reading: Reading, selection: Selection | None, phase: DecliningPhase, units: Units
) -> tuple[list[tuple[Key, History]], date]:
    """Give each well with its history, and the last month of them all."""
    taken = replace(selection or Selection(), first_month=None)
    rate = MEASURES[f"{phase}_rate"].column(units)
    found = table(reading, taken, (f"{phase}_rate", "uptime"), by="well", units=units)
    if found.is_empty():
        return [], date.min
    keys = ["data_source", "well_code", "well", "field"]
    begins = found.select(pl.struct("data_source", "well_code").rle_id().alias("run")).with_row_index()
    first = begins.group_by("run", maintain_order=True).first()["index"].to_numpy()
    months = found["month"].to_numpy().astype("datetime64[M]")
    rates, uptime = (found[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in (rate, "uptime"))
    ends = [*first[1:].tolist(), found.height]
    named = found.select(keys)[first.tolist()].iter_rows()
    wells = [
        (key, History(months[begin:end], rates[begin:end], uptime[begin:end]))
        for key, begin, end in zip(named, first.tolist(), ends, strict=True)
    ]
    return wells, as_date(months.max())


def _here(tasks: Sequence[Task], on_progress: OnProgress | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for task in tasks:
        rows += task.rows()
        if on_progress:
            on_progress(len(rows), sum(len(each.wells) for each in tasks))
    return rows


def _in_processes(tasks: Sequence[Task], workers: int, on_progress: OnProgress | None) -> list[dict[str, Any]]:
    """Work on the tasks side by side; new processes, as those of a fork would share locks of threads that they lack."""
    total, done = sum(len(task.wells) for task in tasks), 0
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)
    try:
        futures = [pool.submit(task.rows) for task in tasks]
        for future in as_completed(futures):
            done += len(future.result())
            if on_progress:
                on_progress(done, total)
        return [row for future in futures for row in future.result()]
    except BrokenProcessPool:
        raise WellprodError(
            f"A process that fitted declines ended before its work was done, after {done:,} of {total:,} wells.",
            next='Give workers=1. In a script, call it under if __name__ == "__main__":.',
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Leave an interrupt to the process that asked, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := multiprocessing.parent_process():
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()


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
