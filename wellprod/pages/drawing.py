"""A chart with the table behind it, and that table as a file."""

from __future__ import annotations

import base64

import altair as alt
import ipywidgets as w
import polars as pl
from altair.typing import ChartType

from wellprod.pages import parts
from wellprod.text import number

_SHOWN_ROWS = 200
_EMBED = {"actions": {"export": {"png": True, "svg": True}, "source": False, "compiled": False, "editor": False}}
_WIDTH = alt.param(name="width", expr="max(containerSize()[0] - 110, 280)")
"""What Vega calls the width of all panels: the room that there is, but for the axes beside them."""


class Drawing(w.VBox):
    """One chart that is drawn anew, since each has to bring the whole of its program; and its data."""

    def __init__(self) -> None:
        alt.JupyterChart.enable_offline()
        self._chart = alt.JupyterChart(None, embed_options=_EMBED)
        self._data = parts.Html()
        frame = w.Box([self._chart])
        frame.add_class("wp-chart")
        super().__init__([frame, self._data])

    def show(self, chart: ChartType, table: pl.DataFrame, name: str) -> None:
        """Show a chart and its table, which is called `name` as a file."""
        self._chart.chart = chart.add_params(_WIDTH)
        shown = table.head(_SHOWN_ROWS)
        first = f", the first {number(shown.height)} of {number(table.height)} rows" if shown.height < table.height else ""
        self._data.put(_file(table, name) + parts.details("The data behind this chart", parts.table(shown, name + first)))


def _file(table: pl.DataFrame, name: str) -> str:
    """Give the link to a table as CSV, which lies in the link itself: it is small, as what a chart draws is."""
    text = base64.b64encode(table.write_csv().encode()).decode()
    title = f"Download these {number(table.height)} rows as CSV"
    return f"<a class='wp-link' download='{name}.csv' href='data:text/csv;base64,{text}'>{title}</a>"
