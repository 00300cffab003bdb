"""The chart of a type well: many wells from their first month on, percentiles over them, and how many are left."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts import data
from wellprod.analysis.charts.look import FIGURE, WIDTH, look_of, nothing, told
from wellprod.analysis.charts.words import titled
from wellprod.analysis.measures import Units

_LINES = {
    "p10": ("P10 (high)", (9, 4)),
    "p50": ("P50", (1, 0)),
    "p90": ("P90 (low)", (3, 3)),
    "mean": ("Mean", (9, 3, 2, 3)),
}
_DRAWN = 60


def type_well(
    curve: pl.DataFrame,
    wells: pl.DataFrame | None = None,
    units: Units = "oilfield",
    *,
    measure: str = "oil_rate",
    log: bool = False,
    drawn: int = _DRAWN,
    title: str = "",
) -> ChartType:
    """Draw P10, P50, P90 and mean by months on production over the wells they are of, and below the number of wells.

    Parameters
    ----------
    curve
        index (1 is the first month), p10 (high), p50, p90 (low), mean, wells.
    wells
        well, index, value; with data_source and well_code, wells of one name stay apart.
    drawn
        So many wells at most, spread evenly from the largest to the smallest; the chart says of how many.
    """
    y_title = titled(measure, units)
    description = f"{y_title} by months on production: P10, P50, P90 and mean, and number of wells"
    lines = [name for name in _LINES if name in curve.columns]
    given = data.drawable(curve.select("index", *lines, "wells"), lines, log=log)
    each, said = _sample(wells, drawn, log)
    figures = pl.concat([*(given[name].cast(pl.Float64).rename("value") for name in lines), each["value"]]).drop_nulls()
    if figures.is_empty():
        return told(nothing(height=300), description, title)
    whole = pl.DataFrame({"value": figures})
    last = pl.concat([given["index"].cast(pl.Int64), each["index"].cast(pl.Int64)]).to_list()
    scale, axis = alt.Scale(domain=[1, max(last)], nice=False), alt.Axis(format="d", tickMinStep=1, tickCount=8)
    x = alt.X("index:Q", title=None, scale=scale, axis=axis)
    y = alt.Y(
        "value:Q", title=y_title, scale=data.scale(whole, ["value"], log=log), axis=data.axis(whole, ["value"], log=log)
    )
    layers: list[alt.Chart | alt.LayerChart] = []
    if each.height:
        thin = alt.Chart(data.values(each)).mark_line(color="#808080", strokeWidth=1, opacity=0.35, clip=log)
        layers.append(thin.encode(x, y, detail="name:N", tooltip=[alt.Tooltip("name:N", title="Well")]))
    path = data.path(given.select("index", *lines), lines, at="index")
    legend = alt.Legend(
        title=None,
        orient="top",
        symbolType="stroke",
        symbolSize=900,
        symbolStrokeWidth=2,
        labelExpr=f"{ {name: words for name, (words, _) in _LINES.items()} }[datum.value]",
    )
    dashes = alt.Scale(domain=lines, range=[_LINES[name][1] for name in lines])
    base = alt.Chart(data.values(path)).transform_fold([*lines], as_=["name", "value"])
    colour = look_of(measure).colour
    layers.append(
        base.mark_line(color=colour, clip=log, point={"color": colour} if given.height == 1 else False).encode(
            x,
            y,
            strokeDash=alt.StrokeDash("name:N", scale=dashes, legend=legend),
            strokeWidth=alt.condition("datum.name === 'p50'", alt.value(3.5), alt.value(2.2)),
        )
    )
    tooltip = [
        alt.Tooltip("index:Q", format="d", title="Month on production"),
        *(alt.Tooltip(f"{name}:Q", format=FIGURE, title=f"{_LINES[name][0]}, {y_title.lower()}") for name in lines),
    ]
    layers.append(alt.Chart(data.values(path)).mark_rule(opacity=0, strokeWidth=8).encode(x, tooltip=tooltip))
    upper = alt.layer(*layers).properties(width=WIDTH, height=300)
    counts = alt.Chart(data.values(given, "index", "wells"))
    mark = (
        counts.mark_area(interpolate="step", color="#8a8f94")
        if given.height > 1
        else counts.mark_bar(color="#8a8f94", size=40)
    )
    lower = mark.encode(
        alt.X("index:Q", title="Months on production", scale=scale, axis=axis),
        alt.Y("wells:Q", title="Wells", axis=data.counts(given["wells"])),
        tooltip=[
            alt.Tooltip("index:Q", format="d", title="Month on production"),
            alt.Tooltip("wells:Q", format=",d", title="Wells"),
        ],
    ).properties(width=WIDTH, height=80)
    both = alt.vconcat(upper, lower, spacing=10)
    return told(both, description, title, said)


def _sample(wells: pl.DataFrame | None, drawn: int, log: bool) -> tuple[pl.DataFrame, list[str]]:
    """Give the paths of some wells (name, index, value), and how many they are of how many."""
    if wells is None:
        return pl.DataFrame(schema={"name": pl.String, "index": pl.Int64, "value": pl.Float64}), []
    named = data.named(wells) if "well_code" in wells.columns else wells.with_columns(name="well")
    each = data.drawable(named.select("name", "index", "value"), ["value"], log=log).drop_nulls()
    by_size = each.group_by("name").agg(pl.col("value").sum()).sort("value", "name", descending=[True, False])["name"]
    total = len(by_size)
    if total <= drawn:
        return data.path(each, ["value"], by=["name"], at="index"), []
    places = [int((number + 0.5) * total / drawn) for number in range(drawn)]
    kept = each.filter(pl.col("name").is_in(by_size.gather(places).to_list()))
    said = f"{drawn:,} of {total:,} wells drawn, from the largest to the smallest; the percentiles are of all"
    return data.path(kept, ["value"], by=["name"], at="index"), [said]
