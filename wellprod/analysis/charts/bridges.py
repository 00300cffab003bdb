"""The chart of a volume bridge: what was, what came and went, what is."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts import data
from wellprod.analysis.charts.look import AXIS_FIGURE, FIGURE, WIDTH, nothing, told
from wellprod.analysis.charts.words import titled
from wellprod.analysis.measures import Units

_RISE, _FALL, _TOTAL = "#00796b", "#bf5a1c", "#6d7478"
_NAME = 160
_NEAR = 0.6  # of the highest level: a bridge that stays above has no zero on its axis, or its parts would be too small


def volume_bridge(
    bridge: pl.DataFrame, units: Units = "oilfield", *, measure: str = "oil_volume", title: str = ""
) -> ChartType:
    """Draw a bridge from top to bottom: the volume at the start, each part that added or took, and that at the end.

    Parameters
    ----------
    bridge
        part, change: in the first row the volume at the start, in the last that at the end, between them the changes.
        A rise is filled, a fall is hollow. Start and end are levels, not bars, since the axis need not begin at zero.
    """
    description = f"{titled(measure, units)}: from {{}} through its changes to {{}}"
    if bridge.height < 2 or bridge["change"].count() < bridge.height:
        return told(nothing(height=200), f"{titled(measure, units)}: no bridge", title)
    parts = bridge["part"].to_list()
    is_end = pl.int_range(pl.len()).is_in([0, bridge.height - 1])
    level = pl.when(is_end).then("change").otherwise(pl.col("change").cum_sum())
    rows = bridge.select(
        "part",
        "change",
        after=level,
        before=pl.when(is_end).then("change").otherwise(pl.col("change").cum_sum() - pl.col("change")),
        kind=pl.when(is_end)
        .then(pl.lit("level"))
        .when(pl.col("change") < 0)
        .then(pl.lit("fall"))
        .otherwise(pl.lit("rise")),
    )
    levels = pl.concat([rows["before"], rows["after"]])
    least, most = float(levels.min()), float(levels.max())  # type: ignore[arg-type]
    room = (most - least) * 0.08 or abs(most) * 0.1 or 1.0
    near_zero = least <= _NEAR * most
    domain = [min(0.0, least - (room if least < 0 else 0)) if near_zero else least - room, most + 2.5 * room]
    x = alt.X(
        "before:Q",
        title=titled(measure, units),
        scale=alt.Scale(domain=domain, nice=False, zero=False),
        axis=alt.Axis(format=AXIS_FIGURE, tickCount=5),
    )
    y = alt.Y(
        "part:N",
        sort=None,
        scale=alt.Scale(domain=parts),
        title=None,
        axis=alt.Axis(labelLimit=_NAME, labelExpr=data.CUT, ticks=False, domain=False),
    )
    form = ",.0f" if max(abs(least), abs(most)) >= 10_000 else ",.1f" if max(abs(least), abs(most)) >= 100 else ",.2f"
    tooltip = [
        alt.Tooltip("part:N", title="Part"),
        alt.Tooltip("change:Q", format=FIGURE, title=titled(measure, units)),
    ]
    kinds = {"rise": (_RISE, 1.0), "fall": (_FALL, 0.15)}
    layers: list[alt.Chart] = []
    steps = rows.with_columns(next_part=pl.col("part").shift(-1)).drop_nulls("next_part")
    for kind, (colour, fill) in kinds.items():
        if (some := rows.filter(kind=kind)).height:
            bars = alt.Chart(data.values(some, "part", "change", "before", "after")).mark_bar(
                color=colour, fillOpacity=fill, stroke=colour, strokeWidth=1.5, height={"band": 0.62}
            )
            layers.append(bars.encode(x, y, x2="after:Q", tooltip=tooltip))
    ends = alt.Chart(data.values(rows.filter(kind="level"), "part", "change", "before"))
    layers.append(
        ends.mark_tick(thickness=5, height={"band": 0.9}, color=_TOTAL, opacity=1).encode(x, y, tooltip=tooltip)
    )
    layers.append(
        alt.Chart(data.values(steps, "part", "next_part", "after"))
        .mark_rule(strokeDash=[2, 2], opacity=0.6)
        .encode(alt.X("after:Q"), y, y2="next_part:N")
    )
    texts = rows.select("part", "change", "kind", at=pl.max_horizontal("before", "after"))
    for plus, some in (("", texts.filter(kind="level")), ("+", texts.filter(pl.col("kind") != "level"))):
        if some.height:
            labels = alt.Chart(data.values(some, "part", "change", "at")).mark_text(align="left", dx=7)
            layers.append(labels.encode(alt.X("at:Q"), y, text=alt.Text("change:Q", format=plus + form)))
    chart = alt.layer(*layers).properties(width=WIDTH - _NAME, height=alt.Step(26))
    return told(chart, description.format(parts[0], parts[-1]), title)
