"""Charts along months or cumulatives: rates, ratios, declines with their forecast."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts import data
from wellprod.analysis.charts.look import FIGURE, MONTH, SHARE, WIDTH, look_of, month_axis, nothing, told
from wellprod.analysis.charts.overlay import overlay
from wellprod.analysis.charts.words import is_share, titled
from wellprod.analysis.measures import MEASURES, Units

RATES = ("oil_rate", "water_rate", "gas_rate")
"""The calendar-day rates that a chart draws where it is not told which."""

_ROOMY_DAYS = 731  # an axis of fewer has room beside its first and last month
_TALL, _LOW = 240, 150  # pixels of the first panel, and of those below it


def rate_time(
    table: pl.DataFrame,
    units: Units = "oilfield",
    *,
    measures: Sequence[str] = RATES,
    log: bool = False,
    fit: pl.DataFrame | None = None,
    forecast: pl.DataFrame | None = None,
    title: str = "",
) -> ChartType:
    """Draw measures month by month; those of one unit share a panel, so that gas has its own below oil and water.

    Parameters
    ----------
    table
        One row a month, as `measures.table` gives it for all. Measures that it has no column for, or no figure, are
        left out. A month that is missing or null leaves a gap; so does one that is not above zero on a `log` axis.
    fit, forecast
        month and the columns of one or several of the measures: a fitted decline, and how it goes on.
    """
    months = _Months.of(table, units, measures, log, fit, forecast)
    return _stacked(months.panels(_ends(months)), measures, title)


def monthly_volumes(volumes: pl.DataFrame) -> ChartType:
    """Draw monthly oil and water (kbbl) and, below, gas (MMscf), as `analysis.overview.monthly_volumes` gives them."""
    months = volumes.rename({"production_period": "month"})
    return rate_time(months, measures=("oil_volume", "water_volume", "gas_volume"))


def ratios(
    table: pl.DataFrame,
    units: Units = "oilfield",
    *,
    rate: str = "oil_rate",
    measures: Sequence[str] = ("gor", "water_cut"),
    log: bool = False,
    title: str = "",
) -> ChartType:
    """Draw a rate and, below it on the same months, the gas-oil ratio and the water cut; `log` is of the rate."""
    parts = [_Months.of(table, units, (measure,), log and measure == rate) for measure in (rate, *measures)]
    panels = [panel for part in parts for panel in part.panels(_ends(*parts), height=_LOW)]
    return _stacked(panels, (rate, *measures), title)


def linked(
    table: pl.DataFrame,
    units: Units = "oilfield",
    *,
    measures: Sequence[str] = RATES,
    below: Sequence[str] = ("gor", "water_cut"),
    log: bool = False,
    title: str = "",
) -> ChartType:
    """Draw measures as `rate_time` does, with others below; months marked in a panel above are what those show.

    A click on the legend shows one measure alone.
    """
    marked = alt.selection_interval(encodings=["x"], name="months")
    top = _Months.of(table, units, measures, log)
    others = [_Months.of(table, units, (measure,), False) for measure in below]
    ends = _ends(top, *others)
    panels = top.panels(ends, brush=marked)
    for part in others:
        panels += part.panels(ends, height=_LOW, zoom=bool(top.measures))
    return _stacked(panels, (*measures, *below), title)


def _stacked(panels: Sequence[ChartType], measures: Sequence[str], title: str) -> ChartType:
    together = alt.vconcat(*(panels or [nothing(height=_TALL)]), spacing=14)
    apart = together.resolve_scale(color="independent", strokeDash="independent", shape="independent")
    return told(apart, f"{_listed(measures)} by month", title)


def _ends(*parts: _Months) -> tuple[date, date] | None:
    """Give the first and the last month of what is drawn."""
    months = pl.concat([frame["month"] for part in parts for frame in (part.frame, *part.overlays.values())]).unique()
    return (months.min(), months.max()) if months.len() else None  # type: ignore[return-value]


def _legend(words: dict[str, str], is_marked: bool) -> alt.Legend:
    symbol = {"symbolSize": 60} if is_marked else {"symbolType": "stroke", "symbolSize": 400}
    return alt.Legend(title=None, orient="top", labelExpr=f"{words}[datum.value]", **symbol)


class _Months:
    """Measures of one table month by month, with what is drawn over them."""

    def __init__(
        self,
        frame: pl.DataFrame,
        units: Units,
        measures: Sequence[str],
        log: bool,
        overlays: dict[str, pl.DataFrame],
    ) -> None:
        self.frame, self.units, self.measures, self.log, self.overlays = frame, units, measures, log, overlays
        self.points = data.values(frame)
        self.tooltip = [
            alt.Tooltip("month:T", format=MONTH, title="Month"),
            *(
                alt.Tooltip(f"{self.column(measure)}:Q", format=_format(measure), title=titled(measure, units))
                for measure in measures
            ),
        ]

    @classmethod
    def of(
        cls,
        table: pl.DataFrame,
        units: Units,
        measures: Sequence[str],
        log: bool,
        fit: pl.DataFrame | None = None,
        forecast: pl.DataFrame | None = None,
    ) -> _Months:
        """Take what there is to draw."""
        wanted = {MEASURES[measure].column(units): measure for measure in measures}
        columns = [column for column in wanted if column in table.columns]
        frame = data.drawable(table.select("month", *columns), columns, log=log)
        drawn = [column for column in columns if frame[column].count()]
        overlays: dict[str, pl.DataFrame] = {}
        for name, given in (("Fit", fit), ("Forecast", forecast)):
            if given is not None:
                shown = [column for column in wanted if column in given.columns and column in drawn]
                kept = data.drawable(given.select("month", *shown), shown, log=log)
                if shown and not (kept := data.path(kept, shown)).is_empty():
                    overlays[name] = kept
        path = data.path(frame.select("month", *drawn), drawn) if drawn else frame.clear()
        return cls(path, units, [wanted[column] for column in drawn], log, overlays)

    def column(self, measure: str) -> str:
        return MEASURES[measure].column(self.units)

    def panels(
        self,
        ends: tuple[date, date] | None,
        *,
        height: int | None = None,
        brush: alt.Parameter | None = None,
        zoom: bool = False,
    ) -> list[ChartType]:
        """Draw a panel for each unit; with `zoom` it shows the months that are marked in another."""
        if ends is None:
            return []
        days = (ends[1] - ends[0]).days
        room = timedelta(15 if days < _ROOMY_DAYS else 0)  # a mark at the end is to be seen whole
        scale = alt.Scale(domain=[f"{month}T00:00:00" for month in (ends[0] - room, ends[1] + room)])
        if zoom:
            scale["domainRaw"] = alt.ExprRef("months.month")
        x = alt.X("month:T", title=None, axis=month_axis(days), scale=scale)
        by_unit: dict[str, list[str]] = {}
        for measure in self.measures:
            by_unit.setdefault(MEASURES[measure].unit(self.units), []).append(measure)
        parts = list(by_unit.values())
        return [
            self._panel(
                part, x, height or (_TALL if number == 0 else _LOW), brush if number == 0 else None, self.log or zoom
            )
            for number, part in enumerate(parts)
        ]

    def _panel(
        self, measures: Sequence[str], x: alt.X, height: int, brush: alt.Parameter | None, clip: bool
    ) -> ChartType:
        columns = [self.column(measure) for measure in measures]
        shown = [look_of(measure) for measure in measures]
        frames = [self.frame, *(frame for frame in self.overlays.values())]
        whole = pl.concat([frame.select(c for c in columns if c in frame.columns) for frame in frames], how="diagonal")
        names = [MEASURES[measure].title for measure in measures]
        y_title = titled(measures[0], self.units) if len(measures) == 1 else _common(measures, self.units)
        y = alt.Y(
            "value:Q",
            title=y_title,
            scale=data.scale(whole, columns, log=self.log),
            axis=data.axis(whole, columns, log=self.log, share=is_share(measures[0])),
        )
        # a line that is alone in its panel has no dashes, which would look like gaps
        is_marked = self.frame.height < data.FEW
        legend = _legend(dict(zip(columns, names, strict=True)), is_marked) if len(columns) > 1 else None
        colour, dash, shape = (
            channel("name:N", scale=alt.Scale(domain=columns, range=marks), legend=key)
            for channel, marks, key in (
                (alt.Color, [look.colour for look in shown], legend),
                (alt.StrokeDash, [look.dash if legend else (1, 0) for look in shown], legend),
                (alt.Shape, [look.shape for look in shown], legend if is_marked else None),
            )
        )
        base = alt.Chart(self.points).transform_fold([*columns], as_=["name", "value"])
        lines = base.mark_line(clip=clip).encode(x, y, colour, dash)
        if len(columns) > 1:
            chosen = alt.selection_point(f"shown_{'_'.join(columns)}", fields=["name"], bind="legend")
            faint = alt.when(chosen).then(alt.value(1)).otherwise(alt.value(0.15))
            lines = lines.encode(opacity=faint).add_params(chosen)
        if brush:  # on the same layer as the other: altair gives every parameter of a layered chart all their views
            lines = lines.add_params(brush)
        dots: dict[str, Any] = {"filled": True, "size": 45, "clip": clip, "opacity": 1}
        layers = [lines]
        if is_marked:
            layers.append(base.mark_point(**dots).encode(x, y, colour, shape))
        elif not (lone := data.alone(self.frame, columns)).is_empty():
            layers.append(alt.Chart(data.values(lone)).mark_point(**dots).encode(x, y, colour, shape))
        for name, frame in self.overlays.items():
            layers += self._overlay(name, frame, [column for column in columns if column in frame.columns], x, y)
        layers.append(
            alt.Chart(self.points).mark_rule(opacity=0, strokeWidth=8, clip=clip).encode(x, tooltip=self.tooltip)
        )
        return alt.layer(*layers).properties(width=WIDTH, height=height)

    def _overlay(self, name: str, frame: pl.DataFrame, columns: list[str], x: alt.X, y: alt.Y) -> list[alt.Chart]:
        layers: list[alt.Chart] = []
        for column in columns:
            measure = next(measure for measure in self.measures if self.column(measure) == column)
            path = frame.select("month", value=column).drop_nulls()
            tooltip = [
                alt.Tooltip("month:T", format=MONTH, title="Month"),
                alt.Tooltip("value:Q", format=_format(measure), title=f"{name}: {titled(measure, self.units)}"),
            ]
            layers += overlay(name, measure, path, clip=self.log, x=x, y=y, tooltip=tooltip)
        return layers


def _format(measure: str) -> str:
    return SHARE if is_share(measure) else FIGURE


def _common(measures: Sequence[str], units: Units) -> str:
    """Give the title of an axis that several measures share."""
    unit = MEASURES[measures[0]].unit(units)
    words = _listed(measures)
    return words if is_share(measures[0]) or not unit else f"{words} ({unit})"


def _listed(measures: Sequence[str]) -> str:
    first, *others = (MEASURES[measure].title for measure in measures)
    return ", ".join([first, *(title[0].lower() + title[1:] for title in others)])
