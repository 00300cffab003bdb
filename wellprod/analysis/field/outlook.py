"""What a field's rate is expected to be in the year to come, and what the same would have said a year before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from wellprod.analysis.bridge import Phase
from wellprod.analysis.decline.backtest import Backtest, backtest
from wellprod.analysis.decline.fit import DeclineFit, fit_decline
from wellprod.analysis.decline.forecast import forecast
from wellprod.analysis.decline.history import Assumptions, History
from wellprod.analysis.measures import MEASURES, Units

MONTHS = 12


@dataclass(frozen=True, slots=True)
class Outlook:
    """A decline fitted to the rate of a whole field, and what it says of the next 12 months.

    Attributes
    ----------
    fit
        How it went; it may have failed.
    last_year, next_year
        Volumes of the 12 months up to the month, of what was reported of them, and of the 12 after it; None where
        nothing was reported, or the fit failed.
    months_reported
        How many of the last 12 months were reported.
    months
        month and rate of the forecast; no rows where the fit failed.
    fitted
        month and rate of the decline over the months that it was fitted to.
    check
        The same fit without the last 12 months, against what these brought.
    foretold, came
        The volumes of those months, as the check had foretold them and as they came.
    """

    phase: Phase
    fit: DeclineFit
    last_year: float | None
    next_year: float | None
    months_reported: int
    months: pl.DataFrame
    fitted: pl.DataFrame
    check: Backtest
    foretold: float | None
    came: float | None

    @property
    def doubts(self) -> list[str]:
        """Why the forecast is not to be trusted, if so; nothing where it may be."""
        found = [] if self.fit.status == "good" else [self.fit.reason]
        return found if self.check.trusted else [*found, self.check.reason]


def outlook(months: pl.DataFrame, phase: Phase, units: Units) -> Outlook:
    """Fit a decline to the calendar-day rates of a field, whose `months` are as `measures.table` gives them.

    The field as a whole is fitted, not its wells: a new well breaks the decline, and the check then says so.
    """
    rate = MEASURES[f"{phase}_rate"].column(units)
    history = History.of(months["month"].to_list(), months[rate].to_list())
    last: date = months["month"].max()  # type: ignore[assignment]
    assumed = Assumptions(limit_rate=0.0, years=MONTHS / 12)
    fit = fit_decline(history, assumed, as_of=last)
    told = forecast(history, fit, as_of=last)
    volumes = months.filter(pl.col("month") > _year_before(last))[MEASURES[f"{phase}_volume"].column(units)]
    ahead = told.months if told else pl.DataFrame(schema={"month": pl.Date, "rate": pl.Float64, "volume": pl.Float64})
    check = backtest(history, assumed, as_of=last)
    days = pl.col("month").dt.month_end().dt.day()
    compared = check.months.select(pl.col("forecast_rate", "actual_rate") * days)
    fitted = months.select("month").filter(pl.col("month") >= (fit.start or date.max))
    return Outlook(
        phase,
        fit,
        last_year=float(volumes.sum()) if volumes.count() else None,
        next_year=float(ahead["volume"].sum()) if told else None,
        months_reported=volumes.count(),
        months=ahead.select("month", "rate"),
        fitted=fitted.with_columns(rate=pl.Series(fit.rates(fitted["month"].to_numpy()), dtype=pl.Float64)),
        check=check,
        foretold=float(compared["forecast_rate"].sum()) if compared.height else None,
        came=float(compared["actual_rate"].sum()) if compared.height else None,
    )


def _year_before(month: date) -> date:
    return month.replace(year=month.year - 1)
