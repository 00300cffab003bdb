"""Charts: a table in, an altair chart out, no query."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import NamedTuple

import altair as alt
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.colours import GAS, OIL, WATER


class _Look(NamedTuple):
    """How a phase is drawn: told by its dash where there are no colours."""

    column: str
    colour: str
    dash: tuple[int, int]


_PHASES = {
    "Oil": _Look("oil_kbbl", OIL, (1, 0)),
    "Water": _Look("water_kbbl", WATER, (6, 3)),
    "Gas": _Look("gas_mmscf", GAS, (1, 0)),
}
_OUTCOMES = {"new": "#2e7d32", "duplicate": "#78909c", "restated": "#ef6c00", "rejected": "#c62828"}
_WIDTH = 680
_DAYS_NAMED_BY_MONTH = 366  # eight ticks would name a month of a shorter time twice


def draw_static() -> None:
    """Draw the charts of this process as pictures, which need no JavaScript and no network."""
    alt.renderers.enable("svg")


def monthly_volumes(volumes: pl.DataFrame, *, reported_only: bool = False) -> ChartType:
    """Draw monthly oil and water (kbbl) on one axis, and gas (MMscf) on its own below; water is dashed.

    Parameters
    ----------
    volumes
        As `analysis.overview.monthly_volumes` gives it; a month without a figure leaves a gap.
    reported_only
        Whether a phase that no month has is left out; one at least must be there.
    """
    drawn = [phase for phase, look in _PHASES.items() if not reported_only or volumes[look.column].count()]
    fluids = [phase for phase in drawn if phase != "Gas"]
    panels = [_panel(volumes, fluids, drawn, f"{', '.join(fluids).capitalize()} (kbbl a month)", 220)] if fluids else []
    panels += [_panel(volumes, ["Gas"], drawn, "Gas (MMscf a month)", 160)] if "Gas" in drawn else []
    return _readable(
        alt.vconcat(*panels, description="Monthly volumes of all wells: oil and water in kbbl, gas in MMscf")
    )


def _panel(volumes: pl.DataFrame, phases: list[str], drawn: list[str], title: str, height: int) -> alt.Chart:
    """Draw some phases on one axis; colours and dashes tell all those `drawn` in the chart apart."""
    lines = volumes.select("production_period", **{phase: _PHASES[phase].column for phase in phases})
    colours, dashes = zip(*((_PHASES[phase].colour, _PHASES[phase].dash) for phase in drawn), strict=True)
    days = volumes.select(pl.col("production_period").max() - pl.col("production_period").min()).item()
    ticks = alt.TimeIntervalStep(interval="month", step=1) if days is None or days.days <= _DAYS_NAMED_BY_MONTH else 8
    month = alt.Axis(format="%b %Y", labelOverlap=True, tickCount=ticks)
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=400)
    panel: alt.Chart = (
        alt.Chart(lines.unpivot(index="production_period", variable_name="phase", value_name="volume"))
        .mark_line(point=volumes.height < 25)
        .encode(
            alt.X("production_period:T", title=None, axis=month),
            alt.Y("volume:Q", scale=_from_zero(not volumes.is_empty()), title=title),
            alt.Color("phase:N", scale=alt.Scale(domain=drawn, range=colours), legend=legend),
            alt.StrokeDash("phase:N", scale=alt.Scale(domain=drawn, range=dashes), legend=legend),
        )
        .properties(height=height)
    )
    return panel


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


def as_png(chart: ChartType, *, scale: float = 2) -> bytes:
    """Draw a chart on white as a PNG, with `scale` pixels for each of its own."""
    import vl_convert

    return vl_convert.vegalite_to_png(chart.to_json(), scale=scale)


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
