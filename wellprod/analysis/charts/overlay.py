"""A fit or a forecast over what was reported, with its name where it ends."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from wellprod.analysis.charts import data
from wellprod.analysis.charts.look import look_of


def overlay(name: str, measure: str, path: pl.DataFrame, *, clip: bool, **encoded: Any) -> list[alt.Chart]:
    """Draw a line over others: a `Fit` dotted in the colour of the text, a `Forecast` dashed in that of its measure.

    `path` has no nulls in the columns of the `encoded` channels, and its rows in the order of the line.
    """
    points = alt.Chart(data.values(path))
    line = (
        points.mark_line(style="fit", strokeDash=[2, 3], strokeWidth=2.5, clip=clip)
        if name == "Fit"
        else points.mark_line(color=look_of(measure).colour, strokeDash=[9, 4], strokeWidth=2.5, clip=clip)
    )
    ends = {channel: encoded[channel] for channel in ("x", "y")}
    columns = [ends[channel].shorthand.removesuffix(":Q").removesuffix(":T") for channel in ends]
    end = alt.Chart(data.values(path.tail(1), *columns))
    return [line.encode(**encoded), end.mark_text(text=name.lower(), align="right", dy=-8, clip=clip).encode(**ends)]
