"""How well a decline would have foretold what is known now: the last months hidden, the rest fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from wellprod.analysis.decline.fit import DeclineFit, fit_decline
from wellprod.analysis.decline.history import HIDDEN_MONTHS, Assumptions, History, as_date, as_month, days_of

TRUSTED_WITHIN = 0.15
"""The error of the hidden volume up to which a decline is trusted; a choice."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """A forecast of months that were hidden, against what they brought.

    `error` is forecast volume / actual volume - 1, over the hidden months that have a figure; a month of 0 is one.
    `trusted` says whether it is within 15 %; None where nothing could be compared, for the `reason`. `months` has
    month, actual_rate, forecast_rate and error, each month's forecast / actual - 1, null where the actual rate is 0.
    """

    trusted: bool | None
    reason: str
    error: float | None = None
    fit: DeclineFit | None = None
    months: pl.DataFrame | None = None


def backtest(
    history: History, assumed: Assumptions | None = None, *, hidden_months: int = HIDDEN_MONTHS, as_of: date | None = None
) -> Backtest:
    """Hide the last months of a well, fit the rest, and say how far off the forecast of them was.

    The months up to `as_of` count, or up to the end of the window where that is chosen, or else up to the last figure.
    """
    assumed = assumed or Assumptions()
    known = history
    if end := assumed.last_month or as_of:
        known = history.until(as_month(end))
    figures = known.months[np.isfinite(known.rates) & (known.rates >= 0)]
    if not len(figures):
        return Backtest(None, "no month has a figure")
    cut = (as_month(as_of) if as_of else figures[-1]) - hidden_months
    is_hidden = (known.months > cut) & np.isfinite(known.rates) & (known.rates >= 0)
    if not is_hidden.any():
        return Backtest(None, f"none of the last {hidden_months} months has a figure")
    before = known.until(cut)
    fit = fit_decline(before, replace(assumed, last_month=None), as_of=as_date(cut)) if len(before.months) else None
    if fit is None or fit.decline is None:
        why = fit.reason if fit else "no month before"
        return Backtest(None, f"without the last {hidden_months} months: {why}", fit=fit)
    when = known.months[is_hidden]
    days, actual, forecast = days_of(when), known.rates[is_hidden], fit.rates(when)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(actual > 0, forecast / actual - 1, np.nan)
    months = pl.DataFrame(
        {
            "month": pl.Series(when.astype("datetime64[D]"), dtype=pl.Date),
            "actual_rate": actual,
            "forecast_rate": forecast,
            "error": pl.Series(each).fill_nan(None),
        }
    )
    volume = float((actual * days).sum())
    if volume <= 0:
        return Backtest(False, f"it produced nothing in the last {hidden_months} months", fit=fit, months=months)
    error = float((forecast * days).sum()) / volume - 1
    side = "more" if error > 0 else "less"
    told = f"the fit without the last {hidden_months} months foretold {abs(error):.0%} {side} than they brought"
    return Backtest(abs(error) <= TRUSTED_WITHIN, told, error, fit, months)
