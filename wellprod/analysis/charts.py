"""Charts: a table in, an altair chart out; no query."""

from __future__ import annotations

from html import escape

import altair as alt
import polars as pl


def import_speed(jobs: pl.DataFrame) -> alt.Chart:
    """Show the speed of imports, one bar each, oldest to the left.

    Parameters
    ----------
    jobs
        Columns label, records_per_second.
    """
    chart: alt.Chart = (
        alt.Chart(jobs)
        .mark_bar(color="#0f6674", size=24)
        .encode(
            x=alt.X("label:N", sort=None, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120)),
            y=alt.Y("records_per_second:Q", title="records/s", axis=alt.Axis(format=",.0f", tickCount=5)),
        )
        .properties(height=160)
    )
    return chart


def as_svg(chart: alt.Chart, description: str, *, width: int = 900) -> str:
    """Draw a chart as an inline SVG of `width` pixels that shrinks with its window, with words for ears."""
    import vl_convert  # here, since it takes a third of a second to load

    spec = chart.properties(width=width).configure_view(stroke=None).to_json()
    svg = vl_convert.vegalite_to_svg(spec)
    start = svg.index("<svg") + len("<svg")
    return (
        f"{svg[:start]} role='img' aria-label='{escape(description, quote=True)}'"
        f" style='max-width:100%;height:auto'{svg[start:]}"
    )
