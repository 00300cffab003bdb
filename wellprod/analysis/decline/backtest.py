"""How well a decline would have foretold what is known now: the last months hidden, the rest fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from wellprod.analysis.decline.fit import DeclineFit, fit_decline
from wellprod.analysis.decline.history import HIDDEN_MONTHS, Assumptions, History, as_date, as_month

_RATES = ("actual_rate", "forecast_rate", "error")

TRUSTED_WITHIN = 0.15
"""The error of the hidden volume up to which a decline is trusted; a choice."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """A forecast of months that were hidden, against what they brought.

    `error` is forecast volume / actual volume - 1, over the hidden months that have a figure; a month of 0 is one.
    `trusted` says whether it is within 15 %; None where nothing could be compared, for the `reason`.
    """

    trusted: bool | None
    reason: str
    error: float | None = None
    fit: DeclineFit | None = None
    hidden: History | None = None

    @property
    def months(self) -> pl.DataFrame:
        """The hidden months: month, actual_rate, forecast_rate, and error, which is null where the actual rate is 0."""
        if self.hidden is None or self.fit is None:
            return pl.DataFrame(schema={"month": pl.Date, **dict.fromkeys(_RATES, pl.Float64)})
        when, actual = self.hidden.months, self.hidden.rates
        frame = pl.DataFrame(
            [when.astype("datetime64[D]"), actual, self.fit.rates(when)], schema=["month", *_RATES[:2]]
        )
        error = pl.when(pl.col("actual_rate") > 0).then(pl.col("forecast_rate") / pl.col("actual_rate") - 1)
        return frame.with_columns(error=error)


def backtest(
    history: History,
    assumed: Assumptions | None = None,
    *,
    hidden_months: int = HIDDEN_MONTHS,
    as_of: date | None = None,
) -> Backtest:
    """Hide the last months of a well, fit the rest, and say how far off the forecast of them was.

    They are counted back from the last month with a figure, up to `as_of` or the end of a chosen window.
    """
    assumed = assumed or Assumptions()
    known = history
    if end := assumed.last_month or as_of:
        known = history.until(as_month(end))
    figures = known.months[np.isfinite(known.rates) & (known.rates >= 0)]
    if not len(figures):
        return Backtest(None, "no month has a figure")
    cut = figures[-1] - hidden_months
    is_hidden = (known.months > cut) & np.isfinite(known.rates) & (known.rates >= 0)
    before = known.until(cut)
    fit = fit_decline(before, replace(assumed, last_month=None), as_of=as_date(cut)) if len(before.months) else None
    if fit is None or fit.decline is None:
        why = fit.reason if fit else "no month before"
        return Backtest(None, f"without the last {hidden_months} months: {why}", fit=fit)
    hidden = History(known.months[is_hidden], known.rates[is_hidden], known.uptime[is_hidden])
    if (volume := float(hidden.volumes.sum())) <= 0:
        return Backtest(False, f"it produced nothing in the last {hidden_months} months", fit=fit, hidden=hidden)
    error = float(fit.volumes(hidden.months).sum()) / volume - 1
    side = "more" if error > 0 else "less"
    told = f"the fit without the last {hidden_months} months foretold {abs(error):.0%} {side} than they brought"
    return Backtest(abs(error) <= TRUSTED_WITHIN, told, error, fit, hidden)
