"""Declines of invented wells whose parameters are known: how many are found again, and how fast.

Each month's volume is that of a modified hyperbolic decline with normal noise of 5 %. The nominal decline at the start
lies between 0.3 and 1.5 per year (evenly by its logarithm), b between 0 and 1.2 (evenly), the rate at the start about
1 kbd; Dmin is 0.05 per year and known to the fit, as an analyst chooses it. Rough wells have three months of build-up
before, 5 % of months shut in, and 3 % that are off by a factor of 0.2 to 0.6 or 1.5 to 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import stopwatch
from wellprod.analysis.decline.history import History, days_of, years_since
from wellprod.analysis.decline.models import Arps

NOISE, DMIN = 0.05, 0.05
_SHUT_IN, _OFF = 0.05, 0.03
_BUILD_UP = (0.25, 0.5, 0.75)
_END = np.datetime64("2024-06")
_LIMIT_KBD, _YEARS = 0.01, 30


@dataclass(frozen=True, slots=True)
class KnownWell:
    """A well with the decline that made it, and the EUR: what was reported, and what the decline gives from then on."""

    decline: Arps
    history: History
    eur_kbbl: float


def known_wells(wells: int, months: tuple[int, int], *, rough: bool = False, seed: int = 1) -> list[KnownWell]:
    """Invent wells with so many months each, from the lower to the higher number."""
    rng = np.random.default_rng(seed)
    return [_known_well(rng, int(rng.integers(months[0], months[1] + 1)), rough) for _ in range(wells)]


def _known_well(rng: np.random.Generator, count: int, rough: bool) -> KnownWell:
    di = float(np.exp(rng.uniform(np.log(0.3), np.log(1.5))))
    decline = Arps(float(rng.lognormal(0.0, 0.7)), di, float(rng.uniform(0.0, 1.2)), DMIN)
    when = np.arange(_END - count, _END)
    begin = years_since(when[0], when)
    end = begin + days_of(when) / 365.25
    rates = (decline.cumulative(end) - decline.cumulative(begin)) / days_of(when)
    rates *= 1 + rng.normal(0.0, NOISE, count)
    if rough:
        off, low = rng.random(count) < _OFF, rng.random(count) < 0.5
        rates *= np.where(off, np.where(low, rng.uniform(0.2, 0.6, count), rng.uniform(1.5, 3.0, count)), 1.0)
        rates[rng.random(count) < _SHUT_IN] = 0.0
        build_up = decline.qi * np.array(_BUILD_UP) * (1 + rng.normal(0.0, NOISE, len(_BUILD_UP)))
        when, rates = np.arange(when[0] - len(_BUILD_UP), _END), np.concatenate([build_up, rates])
    history = History(when, rates, np.full(len(when), np.nan))
    stop = max(min(decline.years_to(_LIMIT_KBD), float(end[-1]) + _YEARS), float(end[-1]))
    ahead = (decline.cumulative(stop) - decline.cumulative(float(end[-1]))) * (1 - _SHUT_IN if rough else 1)
    return KnownWell(decline, history, float(history.volumes.sum()) + ahead)


def store_of(path: Path, wells: list[KnownWell]) -> None:
    """Put wells into a store, with their place in the list as code."""
    from wellprod.store import Store

    records = pl.concat(
        pl.DataFrame({"production_period": well.history.months.astype("datetime64[D]")}).with_columns(
            pl.lit(code, dtype=pl.Int64).alias("well_code"),
            pl.Series("oil_production_kbd", well.history.rates),
        )
        for code, well in enumerate(wells)
    ).with_columns(field_code=pl.lit(1, dtype=pl.Int64), data_source=pl.lit("known"))
    with Store(path, memory="1GB").write() as writing:
        writing.connection.register("records", records.to_arrow())
        writing.connection.execute(
            "INSERT INTO production BY NAME SELECT *, now()::TIMESTAMP AS created_at, now()::TIMESTAMP AS updated_at,"
            " 1 AS day_given, uuid() AS job_id FROM records"
        )


def found(frame: pl.DataFrame, wells: list[KnownWell]) -> pl.DataFrame:
    """Give the errors of `declines` for each well: status, b_off, eur_off (relative); a failed fit has null."""
    known = pl.DataFrame(
        {
            "well_code": range(len(wells)),
            "b_known": [well.decline.b for well in wells],
            "eur_known": [well.eur_kbbl for well in wells],
        }
    )
    return known.join(frame, on="well_code", how="left").select(
        "status",
        b_off=pl.col("b") - pl.col("b_known"),
        eur_off=pl.col("eur_kbbl") / pl.col("eur_known") - 1,
        tested="backtest_error",
    )


def shares(errors: pl.DataFrame) -> dict[str, float]:
    """Give the shares of wells with EUR within 5 %, b within 0.1, both, and failed, which are never within."""
    eur = (pl.col("eur_off").abs() <= 0.05).fill_null(False)
    b = (pl.col("b_off").abs() <= 0.1).fill_null(False)
    return errors.select(
        eur=eur.mean(), b=b.mean(), both=(eur & b).mean(), failed=(pl.col("status") == "failed").mean()
    ).row(0, named=True)


def fit(path: str, months: list[int], rough: bool, wells: int, workers: int | None, run: int) -> dict[str, Any]:
    """Fit, forecast and backtest wells of a store, the next seed with each run; give time and shares."""
    from wellprod.analysis.decline.run import declines
    from wellprod.store import Store

    known = known_wells(wells, (months[0], months[1]), rough=rough, seed=1 + run)
    Path(path).unlink(missing_ok=True)
    store_of(Path(path), known)
    with stopwatch() as watch, Store(Path(path)).read() as reading:
        frame = declines(reading, workers=workers)
    errors = found(frame, known)
    assert frame["last_month"].max() <= date(2024, 5, 1)  # type: ignore[operator]
    tested = errors["tested"].drop_nulls().abs()
    return {"seconds": watch.seconds, **shares(errors), "tested": tested.median() or 0.0}
