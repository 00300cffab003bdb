"""The decline of one well: fitted over its window, and how that went."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

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
_UNCERTAIN_B = 0.35
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
    of ln(rate / fitted rate). The standard errors take months as independent, and are too small where they are not.
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
    uptime: float = 1.0

    @property
    def months_left_out(self) -> int:
        """The months of the data up to the end of the window that were not fitted."""
        return self.months_before + self.months_shut_in + self.months_not_reported + len(self.outliers)

    def rates(self, months: Months) -> Floats:
        """Give the mean calendar-day rate of each month, from the window's start on; NaN before it, and without a fit."""
        return self.volumes(months) / days_of(months)

    def volumes(self, months: Months) -> Floats:
        """Give the volume of each month likewise: the cumulative at its end less that at its beginning."""
        if self.decline is None or self.start is None:
            return np.full(len(months), np.nan)
        begin = years_since(as_month(self.start), months)
        end = begin + days_of(months) / DAYS_A_YEAR
        # cumulatives of far-off times differ in few digits: each month is taken from its own beginning
        volumes = np.array([self._between(low, high) for low, high in zip(begin, end, strict=True)])
        return np.where(begin < 0, np.nan, volumes * self.uptime)

    def _between(self, low: float, high: float) -> float:
        assert self.decline is not None  # noqa: S101
        return self.decline.cumulative(high) - self.decline.cumulative(low)


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
    if refusal := _refusal(history, place, assumed, as_of):
        return DeclineFit("failed", refusal, assumed, months_used=0)

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
        qi_error=found.decline.qi * found.errors[0],
        di_error=found.decline.di * found.errors[1],
        b_error=found.errors[2],
        uptime=_recent_uptime(history, months[place[-1]]) if assumed.basis == "producing day" else 1.0,
    )
    return _judged(fit, found, shape, begin, log_rates)


def _refusal(history: History, place: npt.NDArray[np.intp], assumed: Assumptions, as_of: date | None) -> str:
    """Say why nothing can be fitted, or nothing where it can be tried."""
    if not len(place):
        figure = "producing-day rate" if assumed.basis == "producing day" else "rate"
        return f"no month with a {figure} above 0"
    last, end = history.months[place[-1]], as_month(as_of) if as_of else history.months[-1]
    silent = int((end - last).astype(int))
    if silent >= _SILENT_MONTHS and assumed.last_month is None:
        return f"has not produced since {as_date(last):%Y-%m}, {silent} months before the last month of the data"
    if len(place) < FEWEST:
        return f"too few months with production: {len(place)}, of which {FEWEST} are needed"
    return ""


def _best(
    begin: Floats, end: Floats, log_rates: Floats, assumed: Assumptions, rough: Solution | None
) -> tuple[ModelName, Shape, Solution]:
    """Fit the model that is asked for, or each and take the one with the lowest Bayesian information criterion."""
    names: tuple[ModelName, ...] = (assumed.model,) if assumed.model != "best" else (
        "exponential", "harmonic", "modified hyperbolic")
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


def _judged(fit: DeclineFit, found: Solution, shape: Shape, begin: Floats, log_rates: Floats) -> DeclineFit:
    """Say how it went."""
    assert fit.decline is not None and fit.start is not None  # noqa: S101
    decline, used = fit.decline, found.used
    di_low, di_high = shape.di_bounds
    if decline.di < di_low * 1.02 or not _falls(begin[used], log_rates[used]):
        since = f"{fit.start:%Y-%m}"
        return replace(
            fit, status="failed", reason=f"no decline since {since}: the rates do not fall beyond their noise",
            decline=None, qi_error=None, di_error=None, b_error=None,
        )
    reasons = []
    if fit.months_used < _FEW:
        reasons.append(f"only {fit.months_used} months since the decline began in {fit.start:%Y-%m}")
    if decline.di > di_high * 0.98:
        reasons.append(f"the decline is at its bound of {di_high:g} per year")
    if shape.is_b_free and decline.b > shape.b_bounds[1] - 0.01:
        reasons.append(f"b is at its bound of {shape.b_bounds[1]:g}")
    elif shape.is_b_free and found.errors[2] > _UNCERTAIN_B:
        reasons.append(f"the data hardly tell b: {decline.b:.1f} ± {found.errors[2]:.1f}")
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


def _recent_uptime(history: History, last: np.datetime64) -> float:
    known = history.uptime[(history.months <= last) & np.isfinite(history.uptime)][-_UPTIME_MONTHS:]
    return min(float(known.mean()), 1.0) if len(known) else 1.0
