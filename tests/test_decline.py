"""Declines: the models against other computations, fits of known wells, and what happens where there is no decline."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from petbox import dca
from scipy.integrate import quad

from benchmarks.declines import DMIN, KnownWell, found, known_wells, shares, store_of
from wellprod.analysis.decline.backtest import backtest
from wellprod.analysis.decline.fit import fit_decline
from wellprod.analysis.decline.forecast import forecast
from wellprod.analysis.decline.history import Assumptions, History, days_of
from wellprod.analysis.decline.models import DAYS_A_YEAR, Arps, effective_of, nominal_of
from wellprod.analysis.decline.run import decline, declines
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.store import Reading, Store

MONTHS = np.arange(np.datetime64("2014-06"), np.datetime64("2024-06"))
TIMES = (0.01, 1.0, 9.375, 12.0, 30.0)


def produced(model: Arps, months: int = 120, noise: float = 0.05, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Give months that end with 2024-05, and the rates of a decline in them."""
    when = MONTHS[-months:]
    edges = np.concatenate([when, when[-1:] + 1]).astype("datetime64[D]")
    years = (edges - edges[0]).astype(float) / DAYS_A_YEAR
    noisy = 1 + noise * np.random.default_rng(seed).normal(size=months)
    return when, np.diff(model.cumulative(years)) / days_of(when) * noisy


@pytest.mark.parametrize("b", [0.0, 1e-7, 0.5, 1.0, 1.2, 2.0])
@pytest.mark.parametrize("dmin", [0.0, 0.08, 0.9])
def test_a_cumulative_is_the_integral_of_the_rate(b: float, dmin: float) -> None:
    """Of each model, to 1e-10; and the time to a rate leads back to it."""
    model = Arps(3.0, 0.8, b, dmin)
    for years in TIMES:
        bends = [model.years_to_terminal] if 0 < model.years_to_terminal < years else None
        volume = quad(model.rate, 0, years, epsabs=0, epsrel=1e-12, limit=200, points=bends)[0] * DAYS_A_YEAR
        assert model.cumulative(years) == pytest.approx(volume, rel=1e-10)
        assert model.years_to(model.rate(years)) == pytest.approx(years, rel=1e-9)


@pytest.mark.parametrize(("b", "dmin"), [(0.5, 0.0), (1.2, 0.08), (0.9, 0.05)])
def test_models_agree_with_another_library(b: float, dmin: float) -> None:
    """Rates, volumes and nominal declines are those of petbox-dca, whose declines are effective ones."""
    ours = Arps(3.0, 0.8, b, dmin)
    theirs = dca.MH(3.0, effective_of(0.8, b), b, effective_of(dmin, kind="tangent"))
    years = np.array(TIMES)
    np.testing.assert_allclose(ours.rate(years), theirs.rate(years * DAYS_A_YEAR), rtol=1e-9)
    np.testing.assert_allclose(ours.cumulative(years), theirs.cum(years * DAYS_A_YEAR), rtol=1e-9)
    np.testing.assert_allclose(ours.nominal_decline(years), theirs.D(years * DAYS_A_YEAR) * DAYS_A_YEAR, rtol=1e-9)


def test_the_worked_figures_of_the_sources() -> None:
    """The terminal time is 9.375 years, and 80 % effective is 4.92 or 1.61 nominal."""
    assert Arps(1.0, 0.8, 1.2, 0.08).years_to_terminal == pytest.approx(9.375, rel=1e-12)
    assert nominal_of(0.8, 1.2, "secant") == pytest.approx(4.92, abs=0.005)
    assert nominal_of(0.8, 1.2, "tangent") == pytest.approx(1.61, abs=0.005)
    assert effective_of(nominal_of(0.3, 0.7), 0.7) == pytest.approx(0.3)
    names = [Arps(1.0, 0.5, *rest).model for rest in ((), (1.0,), (0.5,), (0.5, 0.1))]
    assert names == ["exponential", "harmonic", "hyperbolic", "modified hyperbolic"]


def test_what_is_no_decline_is_refused() -> None:
    """Parameters out of range name what is allowed."""
    for wrong in (lambda: Arps(-1.0, 0.5), lambda: Arps(1.0, math.nan), lambda: nominal_of(1.0)):
        with pytest.raises(UsageError, match="Give"):
            wrong()
    for given in ({"model": "duong"}, {"dmin": 0.0}, {"b_bounds": (1.0, 0.5)}, {"uptime": 1.5}, {"basis": "day"}):
        with pytest.raises(UsageError):
            Assumptions(**given)
    with pytest.raises(UsageError, match="twice"):
        History.of([date(2024, 1, 1), date(2024, 1, 31)], [1.0, 1.0])


@pytest.mark.parametrize(
    "model", [Arps(2.0, 0.6, 0.0), Arps(2.0, 0.9, 1.0), Arps(2.0, 1.2, 0.7), Arps(2, 3.0, 1.2, DMIN)]
)
def test_without_noise_the_decline_is_found_exactly(model: Arps) -> None:
    """The months are fitted as volumes: a rate at the middle of the month would bend b."""
    when, rates = produced(model, noise=0.0)
    fit = fit_decline(History.of(when, rates))
    assert fit.status == "good" and fit.decline
    assert fit.decline.b == pytest.approx(model.b, abs=2e-3)
    assert fit.decline.di == pytest.approx(model.di, rel=2e-3)
    assert fit.decline.qi == pytest.approx(model.qi, rel=1e-3)


@pytest.mark.parametrize("rough", [False, True])
def test_known_wells_are_found_again(tmp_path: Path, rough: bool) -> None:
    """EUR within 5 % and b within 0.1 for 17 of 20 wells with ten years of history; the benchmark asks more."""
    wells = known_wells(40, (120, 120), rough=rough, seed=5)
    store_of(tmp_path / "wells.duckdb", wells)
    told: list[tuple[int, int]] = []
    with Store(tmp_path / "wells.duckdb").read() as reading:
        frame = declines(reading, hidden_months=0, on_progress=lambda *progress: told.append(progress))
    result = shares(found(frame, wells))
    assert result["both"] >= 0.85 and result["failed"] == 0
    assert told == [(20, 40), (40, 40)] and frame["trusted"].null_count() == 40


def test_build_up_plateau_shut_ins_and_outliers_are_passed_by() -> None:
    """The window begins where the decline does; months of 0 and of no figure are told apart; the fit stays."""
    model = Arps(2.0, 0.8, 0.6, DMIN)
    when, rates = produced(model, 84)
    before = np.concatenate([np.linspace(0.4, 1.8, 4), np.full(14, 2.0)])
    rates[[10, 40, 41]] = 0.0
    rates[[20, 33]] = np.nan
    rates[[15, 50, 60]] *= [0.3, 2.5, 0.5]
    history = History.of(np.concatenate([when[0] - np.arange(18, 0, -1), when]), np.concatenate([before, rates]))
    fit = fit_decline(history)
    assert fit.status == "good" and fit.decline and fit.start
    assert abs((np.datetime64(fit.start, "M") - when[0]).astype(int)) <= 2
    assert (fit.months_shut_in, fit.months_not_reported, len(fit.outliers)) == (3, 2, 3)
    assert fit.months_used + fit.months_left_out == len(history.months)
    assert fit.decline.b == pytest.approx(0.6, abs=0.1)
    assert fit.uptime == pytest.approx(1 - (3 + 0.7 + 0.5) / 82, abs=0.01)


def test_the_decline_after_the_last_lasting_peak_counts() -> None:
    """A workover begins a new decline; a curtailment of three months does not."""
    when, rates = produced(Arps(2.0, 0.7, 0.5), 90)
    worked_over = np.where(np.arange(90) < 50, rates, 3 * rates)
    fit = fit_decline(History.of(when, worked_over))
    assert fit.start and np.datetime64(fit.start, "M") == when[50]
    curtailed = np.where((np.arange(90) >= 50) & (np.arange(90) < 53), 0.4 * rates, rates)
    fit = fit_decline(History.of(when, curtailed))
    assert fit.start and np.datetime64(fit.start, "M") == when[0]
    assert {date(2021, month, 1) for month in (2, 3, 4)} <= set(fit.outliers)


@pytest.mark.parametrize(
    ("rates", "as_of", "status", "reason"),
    [
        ([], "2024-05", "failed", "no month with a rate above 0"),
        ([0.0, None, 0.0], "2024-05", "failed", "no month with a rate above 0"),
        ([3.0, 2.0, None, 1.5], "2024-05", "failed", "too few months with production: 3, of 6 needed"),
        ([1.0] * 30, "2024-05", "failed", "no decline since 2021-12"),
        ([1.0 + 0.02 * n for n in range(30)], "2024-05", "failed", "no decline"),
        ([2.0 * 0.97**n for n in range(30)] + [0.0] * 14, "2024-05", "failed", "has not produced since 2023-03, 14"),
        ([2.0 * 0.97**n for n in range(30)], "2025-08", "poor", "nothing was reported since 2024-05, 15 months"),
        ([2.0 * 0.97**n for n in range(8)], "2024-05", "poor", "only 8 months since the decline began in 2023-10"),
        ([2.0 * 0.97**n for n in range(40)], "2024-05", "good", ""),
        ([-1.0, math.inf, math.nan] * 9, "2024-05", "failed", "no month with a rate above 0"),
    ],
)
def test_a_fit_says_how_it_went(rates: list[float | None], as_of: str, status: str, reason: str) -> None:
    """Nothing is raised for what the data are, and a failed fit gives no forecast."""
    history = History.of(MONTHS[len(MONTHS) - len(rates) :], rates)
    fit = fit_decline(history, as_of=date.fromisoformat(f"{as_of}-01"))
    assert fit.status == status and fit.reason.startswith(reason)
    ahead = forecast(history, fit, as_of=date(2025, 8, 1)) if len(rates) else None
    assert (fit.decline is None) == (status == "failed")
    assert (ahead is None) == (status == "failed" or fit.is_silent)
    test = backtest(history)
    assert test.reason and (test.error is None or test.trusted is not None)


def test_an_uncertain_forecast_is_poor() -> None:
    """Fourteen months of a slow decline do not tell what the next ten bring."""
    when, rates = produced(Arps(2.0, 0.35, 0.9), 14)
    fit = fit_decline(History.of(when, rates))
    assert fit.status == "poor" and "the next 10 years are uncertain by" in fit.reason
    assert fit.b_error and fit.uncertainty and fit.uncertainty > 0.2


def test_a_chosen_window_model_and_basis_are_kept() -> None:
    """The window is as given; each model has its own b; of producing days, downtime is no decline."""
    when, rates = produced(Arps(2.0, 0.8, 0.6))
    history = History.of(when, rates)
    first, last = date(2016, 1, 1), date(2020, 12, 1)
    fit = fit_decline(history, Assumptions(first_month=first, last_month=last))
    assert (fit.start, fit.last_month, fit.months_before) == (first, last, 19)
    exponents = {
        model: (fit_decline(history, Assumptions(model=model)).decline or Arps(1, 1)).b
        for model in ("exponential", "harmonic", "hyperbolic", "best")
    }
    assert (exponents["exponential"], exponents["harmonic"]) == (0.0, 1.0)
    assert exponents["hyperbolic"] == pytest.approx(exponents["best"], abs=0.02) == pytest.approx(0.6, abs=0.1)
    assert fit_decline(History.of(*produced(Arps(2.0, 0.5))), Assumptions(model="best")).model == "exponential"

    uptime = np.random.default_rng(2).uniform(0.6, 1.0, len(when))
    partly = History.of(when, rates * uptime, uptime * days_of(when))
    fit = fit_decline(partly, Assumptions(basis="producing day"))
    assert fit.decline and fit.decline.qi == pytest.approx(2.0, rel=0.05)
    assert fit.uptime == pytest.approx(uptime[-12:].mean()) and len(fit.outliers) < 3
    nothing = fit_decline(history, Assumptions(basis="producing day"))
    assert nothing.reason == "no month with a producing-day rate above 0"


def test_a_forecast_ends_at_its_limit_and_its_months_sum_up() -> None:
    """At the economic limit or the date, whichever is first; cumulative and remaining make the EUR."""
    when, rates = produced(Arps(2.0, 0.8, 0.6, DMIN))
    history = History.of(when, rates)
    to_limit = forecast(history, fit_decline(history, Assumptions(limit_rate=0.1, years=50)))
    to_date = forecast(history, fit_decline(history, Assumptions(until=date(2026, 3, 1))))
    assert to_limit and to_date and to_date.last_month == date(2026, 3, 1)
    assert (to_limit.ended_by, to_date.ended_by) == ("limit rate", "date")
    assert to_limit.limit == "0.1 a day, at most to 2074-05; Dmin 0.05 per year; as of 2024-05"
    for ahead in (to_limit, to_date):
        months = ahead.months
        assert months["month"][0] == date(2024, 6, 1) and months["month"][-1] == ahead.last_month
        assert months["volume"].sum() == pytest.approx(ahead.remaining, rel=1e-9)
        assert months["cumulative"][-1] == pytest.approx(ahead.eur, rel=1e-9)
        assert ahead.cumulative == pytest.approx(float((rates * days_of(when)).sum()))
    assert to_limit.months["rate"][-2] > 0.1 * to_limit.fit.uptime > 0.09
    dead = forecast(history, fit_decline(history, Assumptions(limit_rate=1.0)))
    assert dead and dead.remaining == 0 and dead.months.is_empty() and dead.eur == dead.cumulative


def test_a_backtest_hides_the_last_year() -> None:
    """A steady decline is foretold; one that was worked over in the hidden year is not trusted."""
    when, rates = produced(Arps(2.0, 0.8, 0.6))
    steady = backtest(History.of(when, rates))
    assert steady.trusted and steady.error is not None and abs(steady.error) < 0.05
    assert steady.months.columns == ["month", "actual_rate", "forecast_rate", "error"] and steady.months.height == 12
    forecast_volume, actual = (
        steady.months.select((pl.col(name) * pl.col("month").dt.days_in_month()).sum()).item()
        for name in ("forecast_rate", "actual_rate")
    )
    assert steady.error == pytest.approx(forecast_volume / actual - 1)
    when, rates = produced(Arps(2.0, 0.8, 0.6), noise=0.0)
    rates[-12:] *= 2
    changed = backtest(History.of(when, rates))
    assert changed.trusted is False and changed.error == pytest.approx(-0.5, abs=0.005)
    assert changed.reason == "the fit without the last 12 months foretold 50% less than they brought"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[KnownWell]]:
    """A store of 24 known wells."""
    path, wells = tmp_path_factory.mktemp("known") / "wells.duckdb", known_wells(24, (48, 60), seed=7)
    store_of(path, wells)
    return path, wells


@pytest.fixture
def reading(known: tuple[Path, list[KnownWell]]) -> Iterator[Reading]:
    """A read on the known wells."""
    with Store(known[0]).read() as reading:
        yield reading


def test_one_well_has_its_tables_in_the_columns_of_the_measures(reading: Reading) -> None:
    """History, decline and forecast join without a gap, in either system of units."""
    one = decline(reading, Selection(wells=("3",)))
    assert one.produced.columns == ["month", "oil_kbd", "oil_kbbl", "cum_oil_kbbl", "use"]
    assert one.foretold.columns == one.fitted.columns == one.produced.columns[:-1]
    assert one.fitted["month"][-1] == one.produced["month"][-1] == date(2024, 5, 1)
    assert one.foretold["month"][0] == date(2024, 6, 1)
    assert one.fitted["cum_oil_kbbl"][-1] == pytest.approx(one.produced["cum_oil_kbbl"][-1], rel=0.02)
    metric = decline(reading, Selection(wells=("3",)), units="metric")
    assert metric.foretold.columns[1:] == ["oil_ksm3d", "oil_ksm3", "cum_oil_ksm3"]
    assert one.forecast and metric.forecast
    assert metric.forecast.eur == pytest.approx(one.forecast.eur * 0.158987294928, rel=1e-3)
    with pytest.raises(UsageError, match="24 wells"):
        decline(reading, Selection())


def test_a_selection_ends_the_history_and_never_shortens_it(reading: Reading) -> None:
    """The first month of a selection leaves window and cumulative as they are; its last is what is known."""
    whole, later = declines(reading), declines(reading, Selection(first_month="2023-01"))
    assert whole.equals(later)
    until = declines(reading, Selection(last_month="2023-05"))
    assert until["limit"].str.ends_with("as of 2023-05").all() and (until["cum_oil_kbbl"] < whole["cum_oil_kbbl"]).all()
    gas = declines(reading, phase="gas")
    assert gas["status"].unique().to_list() == ["failed"] and "qi_mmcfd" in gas.columns
    with pytest.raises(UsageError, match="no decline of 'water'"):
        declines(reading, phase="water")  # type: ignore[arg-type]


def test_a_well_is_judged_alike_alone_and_among_others(tmp_path: Path) -> None:
    """One that stopped before the end of its data source is silent, whichever wells are selected."""
    store_of(tmp_path / "wells.duckdb", known_wells(2, (48, 60), seed=7))
    with Store(tmp_path / "wells.duckdb").write() as writing:
        writing.connection.execute("DELETE FROM production WHERE well_code = 1 AND production_period > '2022-12-01'")
    with Store(tmp_path / "wells.duckdb").read() as reading:
        every = declines(reading)
        alone = declines(reading, Selection(wells=("1",)))
        one = decline(reading, Selection(wells=("1",)))
    assert alone.equals(every.filter(pl.col("well_code") == 1))
    assert "since 2022-12, 17 months before" in one.fit.reason and one.fit.is_silent and one.forecast is None


@pytest.mark.slow
def test_processes_give_what_one_gives_also_from_a_thread(reading: Reading) -> None:
    """The rows are the same and in order; what the progress raises ends the work."""
    alone = declines(reading, workers=1)
    frames: list[pl.DataFrame] = []
    thread = threading.Thread(target=lambda: frames.append(declines(reading, workers=2)))
    thread.start()
    thread.join()
    assert frames[0].equals(alone)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        declines(reading, workers=2, on_progress=stop)
