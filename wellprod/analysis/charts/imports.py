"""Charts of imports: what became of the records, and how fast they came."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import polars as pl
from altair.typing import ChartType

_OUTCOMES = {"new": "#2e7d32", "duplicate": "#78909c", "restated": "#ef6c00", "rejected": "#c62828"}


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
        scale=alt.Scale(zero=True) if any(counts.values()) else alt.Scale(domain=[0, 1]),
        axis=alt.Axis(labels=False, ticks=False, grid=False),
    )
    colour = alt.Color(
        "outcome:N", scale=alt.Scale(domain=list(_OUTCOMES), range=list(_OUTCOMES.values())), legend=None
    )
    bars = alt.Chart(table).mark_bar().encode(records, outcome, colour)
    texts = alt.Chart(table).mark_text(align="left", dx=4, fontSize=13).encode(records, outcome, text="text:N")
    both: ChartType = alt.layer(bars, texts, height=120, description="Records by what became of them")
    return both


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
        .properties(width=900, height=160)
    )
    return chart
