"""Charts against a cumulative volume: the decline of a rate, and how water comes."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts import data
from wellprod.analysis.charts.look import AXIS_FIGURE, FIGURE, MONTH, WIDTH, look_of, nothing, told
from wellprod.analysis.charts.overlay import overlay
from wellprod.analysis.charts.words import titled
from wellprod.analysis.measures import MEASURES, Units


def rate_cumulative(
    table: pl.DataFrame,
    units: Units = "oilfield",
    *,
    rate: str = "oil_rate",
    cumulative: str = "cum_oil",
    log: bool = False,
    fit: pl.DataFrame | None = None,
    forecast: pl.DataFrame | None = None,
    title: str = "",
) -> ChartType:
    """Draw a rate against the cumulative volume, month after month, with a fitted decline and its forecast.

    `table`, `fit` and `forecast` have month and the columns of both measures; exponential decline is a straight line.
    """
    return _against(table, units, rate, cumulative, log, fit, forecast, title, titled(rate, units))


def wor_cumulative(table: pl.DataFrame, units: Units = "oilfield", *, title: str = "") -> ChartType:
    """Draw the water-oil ratio, plus 1, on a log axis against cumulative oil (columns month, wor and of cum_oil).

    Late in a waterflood it is a straight line, which leads to the oil at the ratio where a well no longer pays
    (Harmony, "Ratio worksheet"). A month without oil has no ratio and leaves a gap.
    """
    plus_one = table.with_columns(wor=pl.col("wor") + 1)
    return _against(plus_one, units, "wor", "cum_oil", True, None, None, title, "Water-oil ratio + 1")


def _against(
    table: pl.DataFrame,
    units: Units,
    measure: str,
    cumulative: str,
    log: bool,
    fit: pl.DataFrame | None,
    forecast: pl.DataFrame | None,
    title: str,
    y_title: str,
) -> ChartType:
    column, along = MEASURES[measure].column(units), MEASURES[cumulative].column(units)
    description = f"{y_title} against {titled(cumulative, units).lower()}"
    given = {"": table, "Fit": fit, "Forecast": forecast}
    frames = {
        name: data.path(
            data.drawable(frame.select("month", along, column), [column], log=log).filter(pl.col(along).is_not_null()),
            [column],
        )
        for name, frame in given.items()
        if frame is not None
    }
    if frames[""].is_empty():
        return told(nothing(height=300), description, title)
    whole = pl.concat([frame.select(column) for frame in frames.values()])
    x = alt.X(
        f"{along}:Q",
        title=titled(cumulative, units),
        axis=alt.Axis(format=AXIS_FIGURE, tickCount=6),
        scale=alt.Scale(zero=True),
    )
    y = alt.Y(
        f"{column}:Q",
        title=y_title,
        axis=data.axis(whole, [column], log=log),
        scale=data.scale(whole, [column], log=log),
    )
    look = look_of(measure)
    layers: list[alt.Chart] = []
    for name, frame in frames.items():
        tooltip = [
            alt.Tooltip("month:T", format=MONTH, title="Month"),
            alt.Tooltip(f"{along}:Q", format=FIGURE, title=titled(cumulative, units)),
            alt.Tooltip(f"{column}:Q", format=FIGURE, title=f"{name}: {y_title}" if name else y_title),
        ]
        points = alt.Chart(data.values(frame))
        if frame.is_empty():
            continue
        if name:
            path = frame.drop_nulls(column)
            layers += overlay(name, measure, path, clip=log, x=x, y=y, order=alt.Order("month:T"), tooltip=tooltip)
        else:
            layers.append(points.mark_line(strokeWidth=1, color=look.colour, clip=log).encode(x, y, order="month:T"))
            dots = points.mark_point(filled=True, size=28, color=look.colour, shape=look.shape, opacity=1, clip=log)
            layers.append(dots.encode(x, y, tooltip=tooltip))
    return told(alt.layer(*layers).properties(width=WIDTH, height=300), description, title)
