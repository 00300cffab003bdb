"""What a decline is fitted to, month by month, and what a fit and a forecast take for granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

from wellprod.analysis.decline.models import DAYS_A_YEAR, Floats, ModelName
from wellprod.errors import UsageError

Months = npt.NDArray[np.datetime64]
Basis = Literal["calendar day", "producing day"]

HIDDEN_MONTHS = 12
"""The months that a backtest hides."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a fit and a forecast take for granted; all of it is told with the result.

    Parameters
    ----------
    model
        ``modified hyperbolic`` becomes exponential at `dmin`, and holds the others within it; ``best`` takes the one of
        exponential, harmonic and modified hyperbolic with the lowest Bayesian information criterion.
    dmin
        The terminal nominal decline per year of the modified hyperbolic. 0.05 per year is a choice.
    first_month, last_month
        The window of the decline; without a first month it is found.
    basis
        Whether calendar-day rates are fitted, or producing-day rates, for which months without days on are passed over.
    uptime
        What downtime leaves of the decline in a forecast, 1 for no downtime. Unless given it is as before: of
        producing-day rates the uptime of the last 12 months that tell it; of calendar-day rates what the months of the
        window that were shut in, or lie as outliers below the decline, leave of it.
    limit_rate
        The economic limit as a calendar-day rate, in the unit of the rates; none for a history of its own unless
        given, and that of `run.LIMITS` for wells of the store.
    years, until
        How far a forecast goes beyond the last month of the data, or up to which month, where the limit is not met
        before.
    b_bounds, di_bounds
        Between which b and the nominal decline per year at the start of the window are looked for.
    b_expected, b_spread
        Where b is held, as by a normal prior, as far as the data do not tell it; a spread of None takes the data alone.
        It matters in short histories: with 120 months it moves b by some hundredths at most.
    """

    model: ModelName | Literal["best"] = "modified hyperbolic"
    dmin: float = 0.05
    first_month: date | None = None
    last_month: date | None = None
    basis: Basis = "calendar day"
    uptime: float | None = None
    limit_rate: float | None = None
    years: float = 30.0
    until: date | None = None
    b_bounds: tuple[float, float] = (0.0, 2.0)
    di_bounds: tuple[float, float] = (0.005, 20.0)
    b_expected: float = 0.6
    b_spread: float | None = 0.5

    def __post_init__(self) -> None:
        models = ("exponential", "hyperbolic", "harmonic", "modified hyperbolic", "best")
        if self.model not in models:
            raise UsageError(f"There is no decline model {self.model!r}.", next=f"Take one of {', '.join(models)}.")
        if self.basis not in ("calendar day", "producing day"):
            raise UsageError(f"There is no basis {self.basis!r}.", next="Take calendar day or producing day.")
        if not (self.dmin > 0 and (self.limit_rate or 0) >= 0 and self.years > 0):
            raise UsageError(
                f"A forecast cannot have dmin {self.dmin!r}, limit_rate {self.limit_rate!r} and years {self.years!r}.",
                next="Give dmin and years above 0, and a limit rate of 0 or more.",
            )
        if self.uptime is not None and not 0 < self.uptime <= 1:
            raise UsageError(f"{self.uptime!r} is no uptime.", next="Give a fraction above 0, up to 1.")
        for low, high in (self.b_bounds, self.di_bounds):
            if not 0 <= low < high:
                raise UsageError(
                    f"{low!r} to {high!r} are no bounds.", next="Give two numbers from 0 on, the lower first."
                )
        if self.first_month and self.last_month and self.last_month < self.first_month:
            raise UsageError(
                f"The window {self.first_month:%Y-%m} to {self.last_month:%Y-%m} ends before it begins.",
                next="Swap them.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """The months of one phase of one well that were reported, in their order.

    `months` are numpy months, `rates` calendar-day rates with NaN for what was not reported, `uptime` the producing
    days as a fraction of the days of the month, with NaN where not reported.
    """

    months: Months
    rates: Floats
    uptime: Floats

    @classmethod
    def of(
        cls,
        months: Sequence[date] | Months,
        rates: Sequence[float | None] | Floats,
        days: Sequence[float | None] | Floats | None = None,
    ) -> History:
        """Make one of months, calendar-day rates and, where known, days on production.

        Raises
        ------
        UsageError
            A month is there twice, or there are more or fewer rates than months.
        """
        when = np.asarray(months, dtype="datetime64[M]")
        rate = np.array(rates, dtype=float)
        on = np.full(len(when), np.nan) if days is None else np.array(days, dtype=float)
        if not len(when) == len(rate) == len(on):
            raise UsageError(
                f"There are {len(when)} months, {len(rate)} rates and {len(on)} days.", next="Give as many."
            )
        order = np.argsort(when, kind="stable")
        when, rate, on = when[order], rate[order], on[order]
        if (twice := when[1:][when[1:] == when[:-1]]).size:
            raise UsageError(f"The month {twice[0]} is there twice.", next="Sum its records before.")
        return cls(when, rate, on / days_of(when))

    def until(self, month: np.datetime64) -> History:
        """Give the part of it up to a month."""
        kept = self.months <= month
        return History(self.months[kept], self.rates[kept], self.uptime[kept])

    @property
    def volumes(self) -> Floats:
        """The volume of each month; 0 where it was not reported."""
        return np.nan_to_num(self.rates, nan=0.0) * days_of(self.months)


def days_of(months: Months) -> Floats:
    """Give the days of each month."""
    begin = months.astype("datetime64[M]")
    days = (begin + 1).astype("datetime64[D]") - begin.astype("datetime64[D]")
    return np.asarray(days, dtype="timedelta64[D]").astype(np.float64)


def years_since(start: np.datetime64, months: Months) -> Floats:
    """Give the years of 365.25 days from the first day of a month to the first days of others."""
    first = start.astype("datetime64[M]").astype("datetime64[D]")
    days = months.astype("datetime64[M]").astype("datetime64[D]") - first
    return np.asarray(days, dtype="timedelta64[D]").astype(np.float64) / DAYS_A_YEAR


def as_month(day: date | np.datetime64) -> np.datetime64:
    """Give the month of a day."""
    month: np.datetime64 = np.array([day], dtype="datetime64[M]")[0]
    return month


def as_date(month: np.datetime64) -> date:
    """Give the first day of a month."""
    return date.fromisoformat(f"{month.astype('datetime64[M]')}-01")
