"""One well whole: its history, fit, forecast and backtest, as a row of a table and as tables for charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from wellprod.analysis.decline.backtest import Backtest, backtest
from wellprod.analysis.decline.fit import DeclineFit, fit_decline
from wellprod.analysis.decline.forecast import Forecast, forecast
from wellprod.analysis.decline.history import Assumptions, History, as_month, days_of
from wellprod.analysis.decline.models import effective_of

Key = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the figures of a phase, with their units, as the measures name them."""

    rate: str
    volume: str
    cumulative: str

    @property
    def rate_unit(self) -> str:
        """The ending of a rate's name, such as kbd."""
        return self.rate.rpartition("_")[2]

    @property
    def volume_unit(self) -> str:
        """The ending of a volume's name, such as kbbl."""
        return self.volume.rpartition("_")[2]


@dataclass(frozen=True, slots=True)
class WellDecline:
    """What is known and foretold of one well; `data_source`, `well_code`, `well` and `field` say which it is."""

    data_source: str
    well_code: int
    well: str
    field: str
    columns: Columns
    history: History
    fit: DeclineFit
    forecast: Forecast | None
    backtest: Backtest | None

    @property
    def produced(self) -> pl.DataFrame:
        """The months reported: month, rate, volume, cumulative by their measures' columns, and use.

        `use` says what the fit made of the month: fitted, outlier, shut in, not reported, before, after.
        """
        history, fit = self.history, self.fit
        frame = self._table(history.months, history.rates, np.cumsum(history.volumes))
        use = np.where(np.isnan(history.rates), "not reported", np.where(history.rates == 0, "shut in", "fitted"))
        if fit.start and fit.last_month:
            use = np.where(history.months < as_month(fit.start), "before", use)
            use = np.where(history.months > as_month(fit.last_month), "after", use)
            use = np.where(np.isin(history.months, np.array(fit.outliers, dtype="datetime64[M]")), "outlier", use)
        return frame.with_columns(use=pl.Series(use.tolist(), dtype=pl.String))

    @property
    def fitted(self) -> pl.DataFrame:
        """The decline over its window, and on to the forecast: month, rate, volume, cumulative.

        The cumulative begins with what was produced before the window.
        """
        if self.fit.decline is None or self.fit.start is None or self.fit.last_month is None:
            return self._table(self.history.months[:0], np.empty(0), np.empty(0))
        start = as_month(self.fit.start)
        last = max(self.forecast.as_of, self.fit.last_month) if self.forecast else self.fit.last_month
        when = np.arange(start, as_month(last) + 1)
        before = float(self.history.volumes[self.history.months < start].sum())
        scale = self.fit.uptime if self.fit.assumed.basis == "producing day" else 1.0
        return self._table(when, scale * self.fit.rates(when), before + np.cumsum(self.fit.volumes(when)))

    @property
    def foretold(self) -> pl.DataFrame:
        """The forecast: month, rate, volume, cumulative."""
        if self.forecast is None:
            return self._table(self.history.months[:0], np.empty(0), np.empty(0))
        columns = self.columns
        return self.forecast.months.rename(
            {"rate": columns.rate, "volume": columns.volume, "cumulative": columns.cumulative}
        )

    @property
    def row(self) -> dict[str, Any]:
        """It as one row of `run.declines`."""
        fit, decline, ahead, test = self.fit, self.fit.decline, self.forecast, self.backtest
        rate, volume = self.columns.rate_unit, self.columns.volume_unit
        return {
            "data_source": self.data_source,
            "well_code": self.well_code,
            "well": self.well,
            "field": self.field,
            "status": fit.status,
            "reason": fit.reason,
            "model": fit.model if decline else None,
            "first_month": fit.start,
            "last_month": fit.last_month,
            "months_used": fit.months_used,
            "months_left_out": fit.months_left_out,
            f"qi_{rate}": decline and decline.qi,
            "di_nominal_per_year": decline and decline.di,
            "di_secant_effective": decline and effective_of(decline.di, decline.b),
            "b": decline and decline.b,
            "b_error": fit.b_error,
            "dmin_nominal_per_year": decline and decline.dmin,
            "noise": fit.noise,
            "uncertainty": fit.uncertainty,
            "uptime": fit.uptime if decline else None,
            self.columns.cumulative: float(self.history.volumes.sum()),
            f"remaining_{volume}": ahead and ahead.remaining,
            f"eur_{volume}": ahead and ahead.eur,
            "limit": ahead and ahead.limit,
            "forecast_ends": ahead and ahead.last_month,
            "ended_by": ahead and ahead.ended_by,
            "backtest_error": test and test.error,
            "trusted": test and test.trusted,
            "backtest": test and test.reason,
        }

    def _table(self, when: Any, rates: Any, cumulative: Any) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "month": pl.Series(when.astype("datetime64[D]"), dtype=pl.Date),
                self.columns.rate: pl.Series(rates, dtype=pl.Float64).fill_nan(None),
                self.columns.volume: pl.Series(rates * days_of(when), dtype=pl.Float64).fill_nan(None),
                self.columns.cumulative: pl.Series(cumulative, dtype=pl.Float64),
            }
        )


def well_decline(
    key: Key, columns: Columns, history: History, assumed: Assumptions, as_of: date, hidden_months: int
) -> WellDecline:
    """Fit, forecast and test one well; without hidden months there is no backtest."""
    fit = fit_decline(history, assumed, as_of=as_of)
    tested = backtest(history, assumed, hidden_months=hidden_months, as_of=as_of) if hidden_months else None
    return WellDecline(*key, columns, history, fit, forecast(history, fit, as_of=as_of), tested)


@dataclass(frozen=True, slots=True)
class Task:
    """Some wells, for a process of their own; `as_of` has the last month of each data source."""

    wells: Sequence[tuple[Key, History]]
    columns: Columns
    assumed: Assumptions
    as_of: Mapping[str, date]
    hidden_months: int

    def rows(self) -> list[dict[str, Any]]:
        """Give the row of each."""
        return [
            well_decline(key, self.columns, history, self.assumed, self.as_of[key[0]], self.hidden_months).row
            for key, history in self.wells
        ]
