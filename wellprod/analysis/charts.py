"""Charts: a table in, an altair chart out, no query."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.colours import GAS, OIL, WATER

_OUTCOMES = {"new": "#2e7d32", "duplicate": "#78909c", "restated": "#ef6c00", "rejected": "#c62828"}
_WIDTH = 680


def draw_static() -> None:
    """Draw the charts of this process as pictures, which need no JavaScript and no network."""
    alt.renderers.enable("svg")


def monthly_volumes(volumes: pl.DataFrame) -> ChartType:
    """Draw monthly oil and water (kbbl) on one axis, and gas (MMscf) on its own below.

    Parameters
    ----------
    volumes
        As `analysis.overview.monthly_volumes` gives it; a month without a figure leaves a gap.
    """
    month = alt.X("production_period:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True, tickCount=8))
    liquids = volumes.select("production_period", Oil="oil_kbbl", Water="water_kbbl").unpivot(
        index="production_period", variable_name="phase", value_name="kbbl"
    )
    colours = alt.Scale(domain=["Oil", "Water", "Gas"], range=[OIL, WATER, GAS])
    colour = alt.Color("phase:N", scale=colours, legend=alt.Legend(title=None, orient="top"))
    scale = _from_zero(not volumes.is_empty())
    gas = volumes.select("production_period", mmscf="gas_mmscf", phase=pl.lit("Gas"))
    upper = alt.Chart(liquids).mark_line(point=volumes.height < 25)
    lower = alt.Chart(gas).mark_line(point=volumes.height < 25)
    both = alt.vconcat(
        upper.encode(month, alt.Y("kbbl:Q", scale=scale, title="Oil, water (kbbl a month)"), colour).properties(
            height=220
        ),
        lower.encode(month, alt.Y("mmscf:Q", scale=scale, title="Gas (MMscf a month)"), colour).properties(height=160),
        description="Monthly volumes of all wells: oil and water in kbbl, gas in MMscf",
    )
    return _readable(both)


def import_counts(counts: Mapping[str, int]) -> ChartType:
    """Draw what became of the records of an import: new, duplicate, restated, rejected."""
    table = pl.DataFrame(
        {"outcome": list(counts), "records": list(counts.values()), "text": [f"{n:,}" for n in counts.values()]},
        schema={"outcome": pl.String, "records": pl.Int64, "text": pl.String},
    )
    outcome = alt.Y("outcome:N", sort=None, title=None)
    records = alt.X(
        "records:Q",
        title="Records",
        scale=_from_zero(any(counts.values())),
        axis=alt.Axis(labels=False, ticks=False, grid=False),
    )
    colour = alt.Color(
        "outcome:N", scale=alt.Scale(domain=list(_OUTCOMES), range=list(_OUTCOMES.values())), legend=None
    )
    bars = alt.Chart(table).mark_bar().encode(records, outcome, colour)
    texts = alt.Chart(table).mark_text(align="left", dx=4, fontSize=13).encode(records, outcome, text="text:N")
    both = alt.layer(bars, texts, height=120, description="Records by what became of them")
    return _readable(both)


def import_speed(jobs: pl.DataFrame) -> ChartType:
    """Draw the speed of imports, one bar each, oldest to the left.

    Parameters
    ----------
    jobs
        Columns label, records_per_second.
    """
    chart: ChartType = (
        alt.Chart(jobs)
        .mark_bar(color="#0f6674", size=24)
        .encode(
            x=alt.X("label:N", sort=None, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120)),
            y=alt.Y("records_per_second:Q", title="records/s", axis=alt.Axis(format=",.0f", tickCount=5)),
        )
        .properties(height=160)
    )
    return chart


def as_svg(chart: ChartType, description: str, *, width: int = 900) -> str:
    """Draw a chart as an inline SVG of `width` pixels that shrinks with its window, with words for ears."""
    import vl_convert  # here, since it takes a third of a second to load

    spec = chart.properties(width=width).configure_view(stroke=None).to_json()
    svg = vl_convert.vegalite_to_svg(spec)
    start = svg.index("<svg") + len("<svg")
    return (
        f"{svg[:start]} role='img' aria-label='{escape(description, quote=True)}'"
        f" style='max-width:100%;height:auto'{svg[start:]}"
    )


def _from_zero(has_figures: bool) -> alt.Scale:
    """Give a scale with zero at its foot, also where there is nothing to draw."""
    return alt.Scale(zero=True) if has_figures else alt.Scale(domain=[0, 1])


def _readable(chart: ChartType) -> ChartType:
    """Give a chart with texts as large as those around it."""
    configured: ChartType = (
        chart.configure_view(continuousWidth=_WIDTH)
        .configure_axis(labelFontSize=13, titleFontSize=13, titleFontWeight="normal")
        .configure_legend(labelFontSize=13)
    )
    return configured
