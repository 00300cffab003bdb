"""Charts of many wells, fields or groups: the largest by name and the others together, or a sample that says so."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts import data
from wellprod.analysis.charts.look import AXIS_FIGURE, FIGURE, MONTH, SHARE, WIDTH, look_of, month_axis, nothing, told
from wellprod.analysis.charts.words import adds_up, is_monthly_sum, is_share, titled
from wellprod.analysis.measures import MEASURES, Units

_BANDS = ("#0b3c5d", "#9ecae1", "#1b6e3a", "#b5dfae", "#6a2c7c", "#d8c2e6", "#8c4a0a", "#f2cf9c", "#39424a", "#e3e3e3")
_OTHERS = "#9a9a9a"
_LEGEND = 175  # pixels beside the bands
_NAME = 150  # pixels of a name at an axis; the whole is in the tooltip
_BUBBLES, _LABELLED, _TRIED = 500, 5, 30
_TALL = 340


def stacked(
    table: pl.DataFrame,
    units: Units = "oilfield",
    *,
    measure: str = "oil_rate",
    top: int = 8,
    percent: bool = False,
    wells: pl.DataFrame | None = None,
    title: str = "",
) -> ChartType:
    """Draw what each well, field or group adds to the whole, the largest at the foot, and below how many there are.

    Parameters
    ----------
    table
        As `measures.table` gives it by well, field or group, or `measures.top` with its others, which stay together; a
        figure that is not reported adds nothing.
    measure
        One that adds up: a volume, rate, cumulative or share.
    top
        So many bands, ten at most, those with the most over all months; the rest is one band, Others.
    percent
        Whether each month is drawn as 100 %.
    wells
        month and wells_on, to be drawn below in place of the number of rows above zero.
    """
    column = MEASURES[measure].column(units)
    what = _plural(table)
    description = f"{titled(measure, units)} by month, stacked by {what[:-1]}"
    kept = data.drawable(data.named(table), [column]).filter(pl.col(column) > 0)
    if kept.is_empty():
        return told(nothing(height=300), description, title)
    top = min(top, len(_BANDS))
    own, rest = kept.filter(~_is_rest(kept)), kept.filter(_is_rest(kept))
    ranked = own.group_by("name").agg(pl.col(column).sum()).sort(column, "name", descending=[True, False])["name"]
    others = f"{len(ranked) - top:,} others" if rest.is_empty() else "Others"
    named = ranked.head(top).to_list()
    if len(ranked) == top + 1 and rest.is_empty():  # a band of its own takes no more room than one called 1 other
        others, named = ranked[top], named
    counts = kept.group_by("month").agg(wells=pl.len())
    months = counts.select(pl.date_range(pl.col("month").min(), pl.col("month").max(), "1mo").alias("month"))
    if wells is not None:
        counts = wells.select("month", wells="wells_on")
    bands = [*named, *([others] if len(ranked) > top or rest.height else [])]
    summed = (
        kept.with_columns(name=pl.when(pl.col("name").is_in(named)).then("name").otherwise(pl.lit(others)))
        .group_by("month", "name")
        .agg(pl.col(column).sum())
    )
    grid = (
        months.join(pl.DataFrame({"name": bands, "band": range(len(bands))}), how="cross")
        .join(summed, on=["month", "name"], how="left")
        .with_columns(  # each band begins where the one below it ends, but for months in which there is none at all
            pl.when(pl.col(column).count().over("month") > 0).then(pl.col(column).fill_null(0)).alias(column)
        )
        .sort("band", "month")
    )
    days = (months["month"][-1] - months["month"][0]).days
    x = alt.X("month:T", title=None, axis=month_axis(days))
    colours = [*_BANDS[: len(named)], *([_OTHERS] if len(bands) > len(named) else [])]
    legend = alt.Legend(
        title=None, orient="right", values=bands[::-1], labelLimit=_LEGEND - 25, labelExpr=data.CUT, symbolType="square"
    )
    chosen = alt.selection_point(f"shown_{column}_by_{what}", fields=["name"], bind="legend")
    y = alt.Y(
        f"{column}:Q",
        stack="normalize" if percent else "zero",
        title=f"Share of {MEASURES[measure].title.lower()}" if percent else titled(measure, units),
        axis=alt.Axis(format="~%" if percent or is_share(measure) else AXIS_FIGURE, tickCount=5),
    )
    areas = alt.Chart(data.values(grid, "month", "name", "band", column))
    encoded = {
        "x": x,
        "y": y,
        "color": alt.Color("name:N", scale=alt.Scale(domain=bands, range=colours), legend=legend),
        "order": alt.Order("band:Q"),
        "opacity": alt.when(chosen).then(alt.value(1)).otherwise(alt.value(0.2)),
        "tooltip": [
            alt.Tooltip("name:N", title=what[:-1].capitalize()),
            alt.Tooltip("month:T", format=MONTH, title="Month"),
            alt.Tooltip(f"{column}:Q", format=SHARE if is_share(measure) else FIGURE, title=titled(measure, units)),
        ],
    }
    one_month = days == 0
    mark = (
        areas.mark_bar(size=60, stroke="#808080", strokeWidth=0.5)
        if one_month
        else areas.mark_area(stroke="#808080", strokeWidth=0.5)
    )
    upper = mark.encode(**encoded).add_params(chosen).properties(width=WIDTH - _LEGEND, height=260)
    counted = f"{what.capitalize()} above zero" if wells is None else "Wells on production"
    count = alt.Chart(data.values(months.join(counts, on="month", how="left")))
    lower = count.mark_bar(size=40) if one_month else count.mark_area(interpolate="step", line={"strokeWidth": 1})
    lower = lower.encode(
        x,
        alt.Y("wells:Q", title=what.capitalize() if wells is None else "Wells", axis=data.counts(counts["wells"])),
        color=alt.value("#8a8f94"),
        tooltip=[
            alt.Tooltip("month:T", format=MONTH, title="Month"),
            alt.Tooltip("wells:Q", format=",d", title=counted),
        ],
    ).properties(width=WIDTH - _LEGEND, height=70)
    return told(alt.vconcat(upper, lower, spacing=10), description, title)


def ranked(
    table: pl.DataFrame,
    units: Units = "oilfield",
    *,
    measure: str = "oil_volume",
    top: int = 15,
    title: str = "",
) -> ChartType:
    """Draw the largest wells, fields or groups as bars with their figures, and the others together where that adds up.

    Parameters
    ----------
    table
        As `measures.table` gives it by well, field or group, or `measures.top` with its others, which stay together. Of
        several months volumes are summed; of any other measure the last month counts.
    """
    column = MEASURES[measure].column(units)
    what = _plural(table)
    given = data.drawable(data.named(table), [column]).drop_nulls(column)
    month = ""
    if given.height and not is_monthly_sum(measure):
        given = given.filter(pl.col("month") == pl.col("month").max())
        month = f", {given['month'].dt.strftime('%b %Y')[0]}"
    description = f"{what.capitalize()} by {titled(measure, units).lower()}{month}"
    if given.is_empty():
        return told(nothing(height=200), description, title)
    own, others = given.filter(~_is_rest(given)), given.filter(_is_rest(given)).select(value=column)
    figures = own.group_by("name").agg(value=pl.col(column).sum())
    order = figures.sort("value", "name", descending=[True, False])
    form = _short(order["value"], measure)
    rows, rest = order.head(top), pl.concat([order.slice(top).select("value"), others])
    names = [*rows["name"], *([f"{rest.height:,} others" if others.is_empty() else "Others"] if rest.height else [])]
    y = alt.Y(
        "name:N",
        sort=None,
        scale=alt.Scale(domain=names),
        title=None,
        axis=alt.Axis(labelLimit=_NAME, labelExpr=data.CUT, ticks=False),
    )
    x = alt.X(
        "value:Q",
        title=titled(measure, units) + month,
        axis=alt.Axis(format="~%" if is_share(measure) else AXIS_FIGURE, tickCount=5),
    )
    points = alt.Chart(data.values(rows))
    tooltip = [
        alt.Tooltip("name:N", title=what[:-1].capitalize()),
        alt.Tooltip("value:Q", format=SHARE if is_share(measure) else FIGURE, title=titled(measure, units)),
    ]
    bars = points.mark_bar(height={"band": 0.75}, color=look_of(measure).colour).encode(x, y, tooltip=tooltip)
    layers = [bars, points.mark_text(align="left", dx=4).encode(x, y, text=alt.Text("value:Q", format=form))]
    if rest.height:  # in words: as a bar they would leave no room for the largest
        summed = rest["value"].sum()
        words = f"{format(summed, form)} together" if adds_up(measure) else "not drawn"
        last = alt.Chart(data.values(pl.DataFrame({"name": names[-1:], "text": [words]})))
        layers.append(last.mark_text(align="left").encode(y, x=alt.value(4), text="text:N"))
    both = alt.layer(*layers).properties(width=WIDTH - _NAME, height=alt.Step(22))
    return told(both, description, title)


def bubbles(
    table: pl.DataFrame,
    units: Units = "oilfield",
    *,
    x: str = "cum_oil",
    y: str = "gor",
    size: str = "cum_oil",
    log_x: bool = False,
    log_y: bool = False,
    title: str = "",
) -> ChartType:
    """Draw each well, field or group as a circle whose area is one measure, by two others.

    Each stands where it was in the last month in which it has both; the month is told. Where there are more than 500,
    those with the largest `size` are drawn, and the chart says so; the five largest have their names beside them.
    """
    columns = {name: MEASURES[name].column(units) for name in dict.fromkeys((x, y, size))}
    what = _plural(table)
    description = f"{titled(y, units)} against {titled(x, units).lower()}, one circle a {what[:-1]}"
    key = [name for name in ("data_source", f"{what[:-1]}_code", "group") if name in table.columns]
    both = data.drawable(data.drawable(table, [columns[x]], log=log_x), [columns[y]], log=log_y)
    last = (
        data.named(
            both.drop_nulls([columns[x], columns[y]]).filter(pl.col("month") == pl.col("month").max().over(*key))
        )
        .sort(columns[size], "name", descending=[True, False], nulls_last=True)
        .select("name", "month", *columns.values())
    )
    if last.is_empty():
        return told(nothing(height=_TALL), description, title)
    drawn = last.head(_BUBBLES)
    said = (
        [f"{drawn.height:,} of {last.height:,} {what} drawn, those with the most {MEASURES[size].title.lower()}"]
        if drawn.height < last.height
        else []
    )

    def along(channel: type[alt.X] | type[alt.Y], name: str, log: bool) -> alt.X | alt.Y:
        column = columns[name]
        return channel(
            f"{column}:Q",
            title=titled(name, units),
            scale=data.scale(drawn, [column], log=log),
            axis=data.axis(drawn, [column], log=log, share=is_share(name)),
        )

    across, up = along(alt.X, x, log_x), along(alt.Y, y, log_y)
    area = alt.Size(
        f"{columns[size]}:Q",
        scale=alt.Scale(range=[12, 900]),
        legend=alt.Legend(
            title=titled(size, units),
            orient="top",
            values=_sizes(drawn[columns[size]]),
            format=AXIS_FIGURE,
            symbolFillColor="#808080",
            symbolStrokeColor="#808080",
        ),
    )
    circles = (
        alt.Chart(data.values(drawn))
        .mark_circle(
            color=look_of(size).colour, opacity=1, fillOpacity=0.35, stroke=look_of(size).colour, strokeWidth=1
        )
        .encode(
            across,
            up,
            area,
            tooltip=[
                alt.Tooltip("name:N", title=what[:-1].capitalize()),
                alt.Tooltip("month:T", format=MONTH, title="Month"),
                *(
                    alt.Tooltip(f"{column}:Q", format=SHARE if is_share(name) else FIGURE, title=titled(name, units))
                    for name, column in columns.items()
                ),
            ],
        )
    )
    labels = [
        alt.Chart(data.values(part, "name", *dict.fromkeys((columns[x], columns[y]))))
        .mark_text(align="right" if side == "left" else "left", dx=-4 if side == "left" else 4, dy=-13, limit=_NAME)
        .encode(across, up, text="name:N")
        for (side,), part in _apart(drawn, columns[x], columns[y], log_x, log_y).group_by("side", maintain_order=True)
    ]
    chart = alt.layer(circles, *labels).properties(width=WIDTH, height=_TALL)
    return told(chart, description, title, said)


def _is_rest(table: pl.DataFrame) -> pl.Expr:
    """Which rows are of all others together: those of `measures.top` without a code."""
    code = f"{_plural(table)[:-1]}_code"
    return pl.col(code).is_null() if code in table.columns else pl.lit(False)


def _plural(table: pl.DataFrame) -> str:
    return next(f"{name}s" for name in ("well", "field", "group") if name in table.columns)


def _short(figures: pl.Series, measure: str) -> str:
    """Give the format of figures that stand beside their bars."""
    if is_share(measure):
        return SHARE
    most = max((abs(figure) for figure in figures.drop_nulls()), default=0)
    return ",.0f" if most >= 1000 else ",.1f" if most >= 10 else ",.3f"


def _apart(drawn: pl.DataFrame, x: str, y: str, log_x: bool, log_y: bool) -> pl.DataFrame:
    """Give the first rows whose names do not stand on one another: name, x, y, and the side that the name is on."""
    at = drawn.select(
        data.cut(pl.col("name")), x, y, across=_place(pl.col(x), log_x) * WIDTH, up=_place(pl.col(y), log_y) * _TALL
    ).head(_TRIED)
    kept: list[dict[str, object]] = []
    taken: list[tuple[float, float]] = []
    for row in at.iter_rows(named=True):
        across, up = row.pop("across"), row.pop("up")
        if len(kept) < _LABELLED and all(abs(across - a) > _NAME or abs(up - u) > 18 for a, u in taken):
            kept.append({**row, "side": "left" if across > WIDTH / 2 else "right"})
            taken.append((across, up))
    return pl.DataFrame(kept, infer_schema_length=None)


def _place(figures: pl.Expr, log: bool) -> pl.Expr:
    """Give where figures stand on their axis, from 0 to 1, about."""
    if log:
        figures = figures.log10()
        return ((figures - figures.min()) / (figures.max() - figures.min())).fill_nan(0.5)
    return (figures / figures.max()).fill_nan(0.5)


def _sizes(figures: pl.Series) -> list[float]:
    """Give two or three figures for the legend of circles."""
    most = figures.drop_nulls().max()
    if not isinstance(most, int | float) or most <= 0:
        return []
    return [pl.select(pl.lit(most * part).round_sig_figs(1)).item() for part in (0.1, 0.4, 1.0)]
