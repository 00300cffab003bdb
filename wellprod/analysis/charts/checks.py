"""The chart of what is known about records: gaps, breaches of rules and restatements, well by month."""

from __future__ import annotations

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts import data
from wellprod.analysis.charts.look import MONTH, WIDTH, month_axis, nothing, told
from wellprod.analysis.quality import RULES

_KINDS = {
    "error": ("#d32f2f", "square"),
    "warning": ("#ef6c00", "triangle-up"),
    "missing": ("#757575", "M-0.5,-0.22h1v0.44h-1z"),
    "restated": ("#9c4dcc", "diamond"),
    "note": ("#3d8fc9", "circle"),
}
"""What stands in a cell, the worst first: its colour, and its shape where there are no colours."""

_OWN = {"missing_month": "missing", "restated": "restated"}
_NAME, _COUNT = 150, 60  # pixels beside the cells
_CLEAN = "No marks in this selection"


def quality_map(marks: pl.DataFrame, *, top: int = 30, title: str = "") -> ChartType:
    """Draw marks, as `analysis.quality.marks` gives them, well by month: in each cell the worst, in its tooltip all.

    The wells with the most marks are drawn, with their number at the right; where there are more, the chart says so.
    """
    description = "Quality of the records well by month: errors, warnings, missing and restated months, notes"
    if marks.is_empty():
        return told(nothing(_CLEAN, height=200), description, title)
    order = pl.Enum(list(RULES))
    kinds = {name: _OWN.get(name, rule.severity) for name, rule in RULES.items()}
    words = {name: name.replace("_", " ") for name in RULES}
    named = data.named(marks)
    counts = named.group_by("name").agg(marks=pl.len()).sort("marks", "name", descending=[True, False])
    drawn = counts.head(top)
    told_as = pl.concat_str(pl.col("mark").replace_strict(words), pl.lit(" ("), "detail", pl.lit(")"))
    cells = (
        named.filter(pl.col("name").is_in(drawn["name"].to_list()))
        .sort(pl.col("mark").cast(order))
        .with_columns(words=pl.coalesce(told_as, pl.col("mark").replace_strict(words)))
        .group_by("name", "month", maintain_order=True)
        .agg(
            pl.col("field").first(),
            kind=pl.col("mark").replace_strict(kinds).sort_by(pl.col("mark").replace_strict(_rank(kinds))).first(),
            marks=pl.col("words").str.join("; "),
        )
    )
    more = counts.height - drawn.height
    said = [f"{drawn.height:,} of {counts.height:,} wells drawn, those with the most marks"] if more else []
    days = cells.select(pl.col("month").max() - pl.col("month").min()).item().days
    present = [kind for kind in _KINDS if kind in cells["kind"].to_list()]
    looks = [_KINDS[kind] for kind in present]
    legend = alt.Legend(title=None, orient="top", symbolSize=70, labelExpr=_LABELS)
    x = alt.X("month:T", title=None, axis=month_axis(days), scale=alt.Scale(padding=6))
    y = alt.Y(
        "name:N",
        sort=None,
        scale=alt.Scale(domain=drawn["name"].to_list()),
        title=None,
        axis=alt.Axis(labelLimit=_NAME, labelExpr=data.CUT, ticks=False, labelFontSize=12),
    )
    points = (
        alt.Chart(data.values(cells))
        .mark_point(filled=True, size=42, opacity=1, strokeWidth=2)
        .encode(
            x,
            y,
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=present, range=[look[0] for look in looks]), legend=legend
            ),
            shape=alt.Shape(
                "kind:N", scale=alt.Scale(domain=present, range=[look[1] for look in looks]), legend=legend
            ),
            tooltip=[
                alt.Tooltip("name:N", title="Well"),
                alt.Tooltip("field:N", title="Field"),
                alt.Tooltip("month:T", format=MONTH, title="Month"),
                alt.Tooltip("marks:N", title="Marks"),
            ],
        )
    )
    width = WIDTH - _NAME - _COUNT
    numbers = (
        alt.Chart(data.values(drawn))
        .mark_text(align="left")
        .encode(y, x=alt.value(width + 8), text=alt.Text("marks:Q", format=",d"))
    )
    return told(alt.layer(points, numbers).properties(width=width, height=alt.Step(17)), description, title, said)


_LABELS = str(
    {"error": "Error", "warning": "Warning", "missing": "Missing month", "restated": "Restated", "note": "Note"}
)
_LABELS += "[datum.value]"


def _rank(kinds: dict[str, str]) -> dict[str, int]:
    """Give the place of each mark by what is drawn for it."""
    places = list(_KINDS)
    return {name: places.index(kind) for name, kind in kinds.items()}
