"""What an analyst asks of a selection: measures, declines, type wells, bridges, marks of quality, and their charts.

>>> tupi = wellprod.Workbench().select(fields="Tupi", first_month="2020-01")  # doctest: +SKIP
>>> tupi.measures("oil_rate", "gor", by="well")  # doctest: +SKIP
>>> tupi.rate_time(log=True)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from wellprod.analysis import measures, quality
from wellprod.analysis.measures import BOE_RULES, By, Units
from wellprod.analysis.restated import restatements
from wellprod.analysis.selection import Selection, known_until
from wellprod.errors import UsageError
from wellprod.store import Reading, Store
from wellprod.text import html_pairs

if TYPE_CHECKING:
    from datetime import date

    import polars as pl
    from altair.typing import ChartType

    from wellprod.analysis.bridge import Bridge
    from wellprod.analysis.bridge import Phase as BridgePhase
    from wellprod.analysis.decline.history import Assumptions
    from wellprod.analysis.decline.run import DecliningPhase
    from wellprod.analysis.decline.well import WellDecline
    from wellprod.analysis.typewell import Align


class Selected:
    """A selection of the store, in one system of units. `Workbench.select` makes it.

    Each call reads the store as it is then. Charts are live, and need no network; `wellprod.analysis.charts` draws
    others, from any table. Where a field, well or group is not in the store, each call raises `NotThere`.
    """

    def __init__(
        self,
        store: Store,
        selection: Selection,
        *,
        units: Units = "oilfield",
        boe: str = "6:1",
        as_known_on: str | None = None,
    ) -> None:
        self.selection, self.units, self.boe, self.as_known_on = selection, units, boe, as_known_on
        self._store = store
        self._then = known_until(as_known_on) if as_known_on else None

    def _read(self) -> AbstractContextManager[Reading]:
        return self._store.read(as_known_on=self._then)

    # Tables

    def measures(self, *names: str, by: By = "all") -> pl.DataFrame:
        """Give measures month by month: the key of `by`, month, and a column a measure with its unit in the name.

        Parameters
        ----------
        names
            Names as in `wellprod.analysis.measures.MEASURES`, whose docstrings tell formula, unit, null rule and
            source; the calendar-day rates if none are given.
        by
            What has rows of its own: ``all``, ``field``, ``well`` or ``group``.

        Raises
        ------
        UsageError
            There is no such measure or key; the message names the nearest.
        """
        asked = names or ("oil_rate", "gas_rate", "water_rate")
        with self._read() as reading:
            return measures.table(reading, self.selection, asked, by=by, units=self.units, boe=self.boe)

    def top(
        self, measure: str = "oil_volume", count: int = 10, *, by: Literal["well", "field"] = "well"
    ) -> pl.DataFrame:
        """Give the largest wells or fields month by month, and the others together; see `measures.top`."""
        with self._read() as reading:
            return measures.top(reading, self.selection, measure, count, by=by, units=self.units, boe=self.boe)

    def quality(self, *, by: quality.By | None = None) -> pl.DataFrame:
        """Give the marks of data quality and restatements, a row each; see `wellprod.analysis.quality.marks`.

        Parameters
        ----------
        by
            ``rule``, ``field``, ``well`` or ``month`` to count them instead; see `wellprod.analysis.quality.counts`.
        """
        with self._read() as reading:
            return quality.counts(reading, self.selection, by) if by else quality.marks(reading, self.selection)

    def restatements(self, *, since: date | None = None) -> pl.DataFrame:
        """Give what the store says otherwise than it did; see `wellprod.analysis.restated.restatements`."""
        with self._read() as reading:
            return restatements(reading, self.selection, since=since)

    def declines(
        self,
        phase: DecliningPhase = "oil",
        assumed: Assumptions | None = None,
        *,
        hidden_months: int = 12,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> pl.DataFrame:
        """Fit, forecast and backtest each well, on all cores: one row a well, a failed one with its reason too.

        See `wellprod.analysis.decline.run.declines` for the columns, `Assumptions` for model, window, Dmin and limit.
        """
        from wellprod.analysis.decline.run import declines

        with self._read() as reading:
            return declines(
                reading,
                self.selection,
                phase,
                assumed,
                units=self.units,
                hidden_months=hidden_months,
                on_progress=on_progress,
            )

    def decline(self, phase: DecliningPhase = "oil", assumed: Assumptions | None = None) -> WellDecline:
        """Fit, forecast and backtest the one well of the selection.

        Raises
        ------
        UsageError
            The selection has several wells.
        """
        from wellprod.analysis.decline.run import decline

        with self._read() as reading:
            return decline(reading, self.selection, phase, assumed, units=self.units)

    def type_well(self, measure: str = "oil_rate", align: Align = "first production") -> pl.DataFrame:
        """Give P10, P50, P90 and mean by months on production, with the number of wells; see `analysis.typewell`."""
        from wellprod.analysis.typewell import type_well

        with self._read() as reading:
            return type_well(reading, self.selection, measure, align, units=self.units, boe=self.boe)

    def bridge(self, month: date | None = None, phase: BridgePhase = "oil") -> Bridge:
        """Say why the volume changed from the month before to a month, the last one of the selection unless given."""
        from wellprod.analysis.bridge import volume_bridge

        with self._read() as reading:
            months = [month] if month else measures.wells(reading, self.selection)["month"].to_list()
            if not months:
                raise UsageError("No record is in the selection, so that it has no last month.", next="Choose another.")
            return volume_bridge(reading, self.selection, months[-1], phase=phase, units=self.units, boe=self.boe)

    # Charts

    def rate_time(self, *, log: bool = False) -> ChartType:
        """Draw oil, gas and water rates over the months."""
        return self._drawn("rate_time", self.measures(), log=log)

    def decline_chart(
        self, phase: DecliningPhase = "oil", assumed: Assumptions | None = None, *, log: bool = True, years: int = 10
    ) -> ChartType:
        """Draw the rate of the one well of the selection with its fitted decline and so many years of its forecast."""
        found = self.decline(phase, assumed)
        return self._drawn(
            "rate_time",
            found.produced,
            measures=[f"{phase}_rate"],
            log=log,
            fit=found.fitted,
            forecast=found.foretold.head(12 * years),
        )

    def type_well_chart(self, measure: str = "oil_rate", align: Align = "first production") -> ChartType:
        """Draw P10, P50, P90 and mean by months on production over the wells they are of."""
        from wellprod.analysis.typewell import normalised_wells

        with self._read() as reading:
            wells = normalised_wells(reading, self.selection, measure, align, units=self.units, boe=self.boe)
        return self._drawn("type_well", self.type_well(measure, align), wells=wells, measure=measure)

    def ratios(self) -> ChartType:
        """Draw the oil rate with gas-oil ratio and water cut below it."""
        return self._drawn("ratios", self.measures("oil_rate", "gor", "water_cut"))

    def rate_cumulative(self, *, log: bool = False) -> ChartType:
        """Draw the oil rate against cumulative oil."""
        return self._drawn("rate_cumulative", self.measures("oil_rate", "cum_oil"), log=log)

    def wor_cumulative(self) -> ChartType:
        """Draw the water-oil ratio, plus 1, against cumulative oil."""
        return self._drawn("wor_cumulative", self.measures("wor", "cum_oil"))

    def stacked(self, measure: str = "oil_rate", *, by: By = "well", top: int = 8, percent: bool = False) -> ChartType:
        """Draw what each of the largest wells, fields or groups adds, and the rest."""
        return self._drawn("stacked", self.measures(measure, "wells", by=by), measure=measure, top=top, percent=percent)

    def ranked(self, measure: str = "oil_volume", *, by: By = "well", top: int = 15) -> ChartType:
        """Draw the largest wells, fields or groups as bars, and the others together."""
        return self._drawn("ranked", self.measures(measure, by=by), measure=measure, top=top)

    def bubbles(self, x: str = "cum_oil", y: str = "gor", size: str = "cum_oil", *, by: By = "well") -> ChartType:
        """Draw wells, fields or groups as circles: two measures by place, one by area."""
        return self._drawn("bubbles", self.measures(*dict.fromkeys((x, y, size)), by=by), x=x, y=y, size=size)

    def quality_map(self) -> ChartType:
        """Draw the marks of data quality and restatements, well by month."""
        return self._drawn("quality_map", self.quality(), has_units=False)

    def _drawn(self, chart: str, table: pl.DataFrame, *, has_units: bool = True, **given: Any) -> ChartType:
        import altair as alt  # here, as it takes half a second to load

        from wellprod.analysis import charts

        if alt.renderers.active == "default":  # it asks another host for its JavaScript
            charts.draw_interactive()
        if has_units:
            given["units"] = self.units
        drawn: ChartType = getattr(charts, chart)(table, title=self._title, **given)
        return drawn

    @property
    def _title(self) -> str:
        asked = self.selection
        return " · ".join([*(asked.groups or asked.fields), *asked.wells][:3]) or "All"

    def __repr__(self) -> str:
        chosen = (f"{name.lower()} {text}" for name, text in self.selection.as_pairs().items())
        then = f"; as known on {self.as_known_on}" if self.as_known_on else ""
        return f"<Selected: {', '.join(chosen)}; {self.units} units{then}>"

    def _repr_html_(self) -> str:
        return html_pairs(
            {
                **self.selection.as_pairs(),
                **({"As known on": self.as_known_on} if self.as_known_on else {}),
                "Units": self.units,
                "Oil equivalent": str(BOE_RULES[self.boe]),
            }
        )
