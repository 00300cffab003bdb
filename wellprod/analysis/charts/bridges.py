"""The chart of a volume bridge: from one month's volume to the next, part by part."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts.look import WIDTH, nothing

_KINDS = {"more": "#00796b", "less": "#c2571a", "data, not production": "#8a8f98"}
_OF_DATA = ("restated", "came", "went", "reported_again", "not_reported")
_ROW = 24  # pixels


def volume_bridge(
    parts: pl.DataFrame, start: float, end: float, *, names: tuple[str, str], unit: str, title: str = ""
) -> ChartType:
    """Draw the parts between two volumes, one bar each from where the one above it ends.

    The axis has no zero, since the parts are small beside the volumes; so these are strokes, not bars. What comes of
    the data and not of the wells is grey.

    Parameters
    ----------
    parts
        part, title, volume, wells: as `Bridge.parts` has them, in order.
    names
        What the volumes at the start and at the end are called.
    unit
        Unit of the volumes, for the axis.
    """
    if parts.is_empty():
        return nothing(f"{names[1]} is as {names[0]}: no part of the change is above zero.", height=80)
    steps = parts.with_columns(
        to=start + pl.col("volume").cum_sum(),
        label=pl.format("{} ({})", "title", "wells"),
        kind=pl.when(pl.col("part").is_in(_OF_DATA)).then(pl.lit("data, not production"))
        .when(pl.col("volume") > 0).then(pl.lit("more")).otherwise(pl.lit("less")),
    ).with_columns(start=pl.col("to") - pl.col("volume"))  # fmt: skip
    steps = steps.with_columns(high=pl.max_horizontal("start", "to"))
    places = [start, end, *steps["to"]]
    reach = max(places) - min(places) or abs(start) or 1.0
    scale = alt.Scale(domain=[min(places) - 0.06 * reach, max(places) + 0.2 * reach], nice=False, zero=False)
    digits = _digits(steps["volume"].abs().max())
    rows = [names[0], *steps["label"], names[1]]
    y = alt.Y("label:N", sort=rows, title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False, labelPadding=8))
    x = alt.X("start:Q", scale=scale, title=f"{title or 'Volume'} ({unit})", axis=alt.Axis(tickCount=6, format=",~r"))
    drawn = alt.InlineData(
        values=[
            {**row, "text": f"{row['volume']:+,.{digits}f}"}
            for row in steps.select("label", "start", "to", "high", "kind", "volume").iter_rows(named=True)
        ]
    )
    ends = alt.InlineData(
        values=[
            {"label": name, "start": volume, "text": f"{volume:,.{digits}f}"}
            for name, volume in zip(names, (start, end), strict=True)
        ]
    )
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(_KINDS), range=list(_KINDS.values())),
        legend=alt.Legend(title=None, orient="top"),
    )
    bars = alt.Chart(drawn).mark_bar(height=_ROW * 0.62).encode(x=x, x2="to:Q", y=y, color=colour)
    told = alt.Chart(drawn).mark_text(align="left", dx=5, fontSize=13).encode(x=alt.X("high:Q", scale=scale), y=y, text="text:N")
    strokes = alt.Chart(ends).mark_tick(thickness=4, size=_ROW * 0.8).encode(x=x, y=y)
    volumes = alt.Chart(ends).mark_text(align="left", dx=7, fontSize=13, fontWeight="bold").encode(x=x, y=y, text="text:N")
    chart: ChartType = alt.layer(bars, told, strokes, volumes).properties(
        width=WIDTH - 120,
        height=_ROW * len(rows),
        description=f"From {names[0]} to {names[1]}, part by part, in {unit}",
    )
    return chart


def _digits(largest: object) -> int:
    size = float(largest) if isinstance(largest, int | float) else 0.0
    return 0 if size >= 1000 else 1 if size >= 10 else 2 if size >= 1 else 3
