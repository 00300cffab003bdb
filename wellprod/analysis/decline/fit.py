"""The decline of one well: fitted over its window, and how that went."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from wellprod.analysis.decline.history import (
    Assumptions,
    History,
    Months,
    as_date,
    as_month,
    days_of,
    years_since,
)
from wellprod.analysis.decline.models import DAYS_A_YEAR, Arps, Floats, ModelName
from wellprod.analysis.decline.solve import Shape, Solution, solve
from wellprod.analysis.decline.window import FEWEST, find_start

Status = Literal["good", "poor", "failed"]

_FEW = 12
_WIDE = 0.25
_UNCERTAIN = 0.2
_YEARS_AHEAD = 10
_SILENT_MONTHS = 12
_UPTIME_MONTHS = 12


@dataclass(frozen=True, slots=True)
class DeclineFit:
    """A decline and how its fit went.

    Where `status` is ``failed`` there is no decline, and `reason` says why; ``poor`` has one that should not be relied
    on, for the reason given. `start` is the first day of the window, where the rate is `decline.qi`, in the unit of the
    rates. The decline is fitted by least squares to the logarithms of the mean rates of the months, not to rates at a
    moment. Months of the window with a rate of 0 are passed over as shut in, those without a figure as not reported,
    and those that lie further than 3.5 robust standard deviations off are `outliers`. `noise` is the standard deviation
    of ln(rate / fitted rate), `uncertainty` the relative standard error of the volume of the ten years after the
    window. Standard errors are widened where a month is like the one before. `uptime` is what downtime leaves of the
    decline in a forecast. Where `is_silent`, nothing was reported in the last 12 months of the data or more: there is
    no forecast.
    """

    status: Status
    reason: str
    assumed: Assumptions
    decline: Arps | None = None
    model: ModelName | None = None
    start: date | None = None
    last_month: date | None = None
    months_used: int = 0
    months_before: int = 0
    months_shut_in: int = 0
    months_not_reported: int = 0
    outliers: tuple[date, ...] = ()
    noise: float | None = None
    qi_error: float | None = None
    di_error: float | None = None
    b_error: float | None = None
    uncertainty: float | None = None
    uptime: float = 1.0
    is_silent: bool = False

    @property
    def months_left_out(self) -> int:
        """The months of the data up to the end of the window that were not fitted."""
        return self.months_before + self.months_shut_in + self.months_not_reported + len(self.outliers)

    def rates(self, months: Months) -> Floats:
        """Give the mean rate of the decline in each month; NaN before the window, and without a fit."""
        if self.decline is None or self.start is None:
            return np.full(len(months), np.nan)
        begin = years_since(as_month(self.start), months)
        end = begin + days_of(months) / DAYS_A_YEAR
        inside = begin >= 0
        volumes = self.decline.cumulative(np.where(inside, end, 0)) - self.decline.cumulative(
            np.where(inside, begin, 0)
        )
        return np.where(inside, volumes / days_of(months), np.nan)

    def volumes(self, months: Months) -> Floats:
        """Give the volume of each month that is to be expected, downtime taken off."""
        return self.rates(months) * days_of(months) * self.uptime


def fit_decline(history: History, assumed: Assumptions | None = None, *, as_of: date | None = None) -> DeclineFit:
    """Fit a decline to a well.

    Never raises for what the data are: see `DeclineFit.status`.

    Parameters
    ----------
    history
        Calendar-day rates by month, in any unit.
    assumed
        Model, window, bounds and so on.
    as_of
        The last month of the data as a whole, against which a well is found to have stopped; its own unless given.
    """
    assumed = assumed or Assumptions()
    rates, months = _basis_rates(history, assumed), history.months
    within = np.ones(len(months), dtype=bool)
    for bound, keep in ((assumed.first_month, months.__ge__), (assumed.last_month, months.__le__)):
        if bound:
            within &= keep(as_month(bound))
    producing = within & np.isfinite(rates) & (rates > 0)
    place = np.flatnonzero(producing)
    if not len(place):
        figure = "producing-day rate" if assumed.basis == "producing day" else "rate"
        return DeclineFit("failed", f"no month with a {figure} above 0", assumed)
    end_of_data = as_month(as_of) if as_of else months[-1]
    silence = int((end_of_data - months[place[-1]]).astype(int)) if assumed.last_month is None else 0
    is_silent = silence >= _SILENT_MONTHS
    since = f"since {as_date(months[place[-1]]):%Y-%m}, {silence} months before the last month of the data"
    if is_silent and (rates[place[-1] :] == 0).any():
        return DeclineFit("failed", f"has not produced {since}", assumed)
    if len(place) < FEWEST:
        return DeclineFit("failed", f"too few months with production: {len(place)}, of {FEWEST} needed", assumed)

    log_rates = np.log(rates[place])
    begin = years_since(months[place[0]], months[place])
    end = begin + days_of(months[place]) / DAYS_A_YEAR
    widest = Shape.of("modified hyperbolic" if assumed.model == "best" else assumed.model, assumed)
    first, rough = (0, None) if assumed.first_month else find_start(begin, end, log_rates, widest)
    place, log_rates = place[first:], log_rates[first:]
    begin, end = begin[first:] - begin[first], end[first:] - begin[first]
    model, shape, found = _best(begin, end, log_rates, assumed, rough)

    window = within & (months >= months[place[0]]) & (months <= months[place[-1]])
    fit = DeclineFit(
        "good",
        "",
        assumed,
        decline=found.decline,
        model=model,
        start=as_date(months[place[0]]),
        last_month=as_date(months[place[-1]]),
        months_used=int(found.used.sum()),
        months_before=int((months < months[place[0]]).sum()),
        months_shut_in=int((window & (rates == 0)).sum()),
        months_not_reported=int((window & ~producing & (rates != 0)).sum()),
        outliers=tuple(as_date(month) for month in months[place][~found.used]),
        noise=found.noise,
        qi_error=found.errors[0],
        di_error=found.errors[1],
        b_error=found.errors[2],
        uncertainty=_uncertainty(found, float(end[-1])),
        is_silent=is_silent,
    )
    fit = replace(fit, uptime=assumed.uptime or _uptime(history, fit, found))
    return _judged(fit, found, shape, begin, log_rates, f"nothing was reported {since}" if is_silent else "")


def _best(
    begin: Floats, end: Floats, log_rates: Floats, assumed: Assumptions, rough: Solution | None
) -> tuple[ModelName, Shape, Solution]:
    """Fit the model that is asked for, or each and take the one with the lowest Bayesian information criterion."""
    names: tuple[ModelName, ...] = (
        (assumed.model,) if assumed.model != "best" else ("exponential", "harmonic", "modified hyperbolic")
    )
    tried: list[tuple[float, ModelName, Shape, Solution]] = []
    for name in names:
        shape = Shape.of(name, assumed)
        found = solve(begin, end, log_rates, shape, rough if len(names) == 1 else None)
        limit = 3.5 * max(found.noise, 0.01)
        misfit = float(np.sum(np.minimum(np.abs(found.residuals), limit) ** 2))
        count = len(log_rates)
        score = count * math.log(max(misfit, 1e-12) / count) + (3 if shape.is_b_free else 2) * math.log(count)
        tried.append((score, name, shape, found))
    _, name, shape, found = min(tried, key=lambda each: each[0])
    return name, shape, found


def _judged(
    fit: DeclineFit, found: Solution, shape: Shape, begin: Floats, log_rates: Floats, silent: str
) -> DeclineFit:
    """Say how it went."""
    assert fit.decline is not None and fit.start is not None  # noqa: S101
    decline, used = fit.decline, found.used
    di_low, di_high = shape.di_bounds
    if decline.di < di_low * 1.02 or not _falls(begin[used], log_rates[used]):
        since = f"{fit.start:%Y-%m}"
        return replace(
            fit,
            status="failed",
            reason=f"no decline since {since}: the rates do not fall beyond their noise",
            decline=None,
            qi_error=None,
            di_error=None,
            b_error=None,
            uncertainty=None,
        )
    reasons = [silent] if silent else []
    if fit.months_used < _FEW:
        reasons.append(f"only {fit.months_used} months since the decline began in {fit.start:%Y-%m}")
    if decline.di > di_high * 0.98:
        reasons.append(f"the decline is at its bound of {di_high:g} per year")
    if shape.is_b_free and decline.b > shape.b_bounds[1] - 0.01:
        reasons.append(f"b is at its bound of {shape.b_bounds[1]:g}")
    if fit.uncertainty and fit.uncertainty > _UNCERTAIN:
        of_b = f", as the data hardly tell b ({decline.b:.1f} ± {found.errors[2]:.1f})" if shape.is_b_free else ""
        reasons.append(f"the next {_YEARS_AHEAD} years are uncertain by {fit.uncertainty:.0%}{of_b}")
    if found.noise > _WIDE:
        reasons.append(f"the rates scatter by {found.noise:.0%} about the decline")
    if len(fit.outliers) > 0.25 * len(used):
        reasons.append(f"{len(fit.outliers)} of {len(used)} months are outliers")
    return replace(fit, status="poor", reason="; ".join(reasons)) if reasons else fit


def _falls(begin: Floats, log_rates: Floats) -> bool:
    """Whether the slope of the logarithms is below zero by twice its standard error."""
    if len(begin) < 3:
        return False
    time = begin - begin.mean()
    squares = float(np.sum(time**2))
    slope = float(np.sum(time * log_rates)) / squares
    rest = log_rates - log_rates.mean() - slope * time
    error = math.sqrt(float(np.sum(rest**2)) / (len(begin) - 2) / squares)
    return slope < -2 * error and slope < -1e-9


def _basis_rates(history: History, assumed: Assumptions) -> Floats:
    """Give the rates that are fitted; a negative one counts as not reported."""
    rates = np.where(history.rates < 0, np.nan, history.rates)
    if assumed.basis == "calendar day":
        return rates
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(history.uptime > 0, rates / history.uptime, np.where(rates == 0, 0.0, np.nan))


def _uncertainty(found: Solution, years: float) -> float:
    """Give the relative standard error of the volume of the years after the window, to the first order."""
    decline, step = found.decline, 1e-4

    def log_volume(qi: float, di: float, b: float) -> float:
        moved = Arps(qi, di, b, decline.dmin)
        return math.log(max(moved.cumulative(years + _YEARS_AHEAD) - moved.cumulative(years), 1e-300))

    here = log_volume(decline.qi, decline.di, decline.b)
    by_di = (log_volume(decline.qi, decline.di * (1 + step), decline.b) - here) / step
    by_b = (log_volume(decline.qi, decline.di, decline.b + step) - here) / step
    slopes = np.array([1.0, by_di, by_b])
    return math.sqrt(float(slopes @ found.covariance @ slopes))


def _uptime(history: History, fit: DeclineFit, found: Solution) -> float:
    """Give what downtime left of the decline."""
    if fit.assumed.basis == "producing day":
        known = history.uptime[(history.months <= as_month(fit.last_month or date.max)) & np.isfinite(history.uptime)]
        return min(float(known[-_UPTIME_MONTHS:].mean()), 1.0) if len(known) else 1.0
    low = found.residuals[~found.used & (found.residuals < 0)]
    return 1 - (fit.months_shut_in + float((1 - np.exp(low)).sum())) / (fit.months_shut_in + len(found.used))
