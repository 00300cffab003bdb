"""What a decline foretells: month by month to an economic limit or a date, and the volume in all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import polars as pl

from wellprod.analysis.decline.fit import DeclineFit
from wellprod.analysis.decline.history import History, Months, as_date, as_month, days_of, years_since
from wellprod.analysis.decline.models import DAYS_A_YEAR, Floats


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a well has produced, will produce, and both together (EUR), with what bounds it.

    `cumulative` is the volume up to the end of the month `as_of`; months without a figure add nothing. `remaining` is
    what the decline gives from then on until the calendar-day rate has fallen to `limit_rate`, or to the end of the
    month `until`, whichever comes first. `ended_by` names it, and `last_month` is the month in which that is.
    """

    fit: DeclineFit
    as_of: date
    until: date
    limit_rate: float
    cumulative: float
    remaining: float
    last_month: date | None
    ended_by: Literal["limit rate", "date"]

    @property
    def eur(self) -> float:
        """The estimated ultimate recovery: the cumulative to date and what remains to the limit."""
        return self.cumulative + self.remaining

    @property
    def months(self) -> pl.DataFrame:
        """The forecast month by month: month, rate, volume, cumulative; in the units of the history.

        `rate` is the mean calendar-day rate. In the last month volume is counted until the limit is met.
        """
        empty: Floats = np.empty(0)
        when: Months = np.empty(0, dtype="datetime64[M]")
        volumes = empty
        if self.last_month:
            when = np.arange(as_month(self.as_of) + 1, as_month(self.last_month) + 1)
            volumes = self.fit.volumes(when)
            if self.ended_by == "limit rate":
                volumes[-1] = self.remaining - volumes[:-1].sum()
        return pl.DataFrame(
            {
                "month": pl.Series(when.astype("datetime64[D]"), dtype=pl.Date),
                "rate": volumes / days_of(when),
                "volume": volumes,
                "cumulative": self.cumulative + np.cumsum(volumes),
            }
        )

    @property
    def limit(self) -> str:
        """What bounds it, in words, such as ``0.01 a day, at most to 2054-05; Dmin 0.05 per year; as of 2024-05``."""
        terminal = self.fit.decline.dmin if self.fit.decline else 0.0
        dmin = f"; Dmin {terminal:g} per year" if terminal else ""
        return f"{self.limit_rate:g} a day, at most to {self.until:%Y-%m}{dmin}; as of {self.as_of:%Y-%m}"


def forecast(history: History, fit: DeclineFit, *, as_of: date | None = None) -> Forecast | None:
    """Forecast a well from the month after `as_of` on, the last month of its history unless given.

    None where the fit failed, or nothing was reported for long. Limit and horizon are those that the fit assumes.
    """
    if fit.decline is None or fit.start is None or fit.is_silent:
        return None
    now = as_month(as_of) if as_of else history.months[-1]
    assumed, start = fit.assumed, as_month(fit.start)
    until = as_month(assumed.until) if assumed.until else now + round(12 * assumed.years)
    begin, end = (float(years_since(start, np.array([month]))[0]) for month in (now + 1, until + 1))
    limit_rate = assumed.limit_rate or 0.0
    to_limit = fit.decline.years_to(limit_rate / fit.uptime) if fit.uptime > 0 else begin
    stop = max(min(to_limit, end), begin)
    remaining = (fit.decline.cumulative(stop) - fit.decline.cumulative(begin)) * fit.uptime
    return Forecast(
        fit,
        as_of=as_date(now),
        until=as_date(until),
        limit_rate=limit_rate,
        cumulative=float(history.until(now).volumes.sum()),
        remaining=remaining,
        last_month=_month_at(start, stop) if stop > begin else None,
        ended_by="limit rate" if to_limit < end else "date",
    )


def _month_at(start: np.datetime64, years: float) -> date:
    """Give the month that holds a time, or that ends at it."""
    days = np.ceil(years * DAYS_A_YEAR - 1e-6) - 1
    return as_date((start.astype("datetime64[D]") + np.timedelta64(int(days), "D")).astype("datetime64[M]"))
