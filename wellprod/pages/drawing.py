"""A chart with the table behind it, and that table as a file."""

from __future__ import annotations

import base64

import altair as alt
import ipywidgets as w
import polars as pl
from altair.typing import ChartType

from wellprod.analysis.charts import draw_interactive
from wellprod.pages import parts
from wellprod.text import number

_SHOWN_ROWS = 200
_BESIDE = 95  # pixels beside the panels: the axis, and the button of the menu
_WIDTH = 620


class Drawing(w.VBox):
    """One chart that is drawn anew, since each has to bring the whole of its program; and its data."""

    def __init__(self) -> None:
        draw_interactive()
        self._chart = alt.JupyterChart(None)
        self._data = parts.Html()
        frame = w.Box([self._chart])
        frame.add_class("wp-chart")
        super().__init__([frame, self._data])

    def show(self, chart: ChartType, table: pl.DataFrame, title: str, name: str) -> None:
        """Show a chart and its table, which is called `name` as a file."""
        self._chart.chart = _as_wide_as_its_place(chart)
        shown = table.head(_SHOWN_ROWS).with_columns(pl.selectors.date().dt.strftime("%Y-%m"))
        first = (
            f", the first {number(shown.height)} of {number(table.height)} rows" if table.height > _SHOWN_ROWS else ""
        )
        data = parts.details("The data behind this chart", parts.table(shown, title + first))
        self._data.put(_file(table, name) + data)


def _as_wide_as_its_place(chart: ChartType) -> ChartType:
    """Give a chart whose panels, where they are all of one width, take the room that there is.

    Vega calls that width `width`; what is above the width of the whole stands beside the panels, such as a legend.
    """
    widths = {getattr(panel, "width", None) for panel in getattr(chart, "vconcat", [chart])}
    if len(widths) != 1 or not isinstance(width := widths.pop(), int):
        return chart
    room = f"max(containerSize()[0] - {_BESIDE + _WIDTH - width}, 260)"
    return chart.add_params(alt.param(name="width", expr=room))


def _file(table: pl.DataFrame, name: str) -> str:
    """Give the link to a table as CSV, which lies in the link itself: it is small, as what a chart draws is."""
    text = base64.b64encode(table.write_csv().encode()).decode()
    title = f"Download these {number(table.height)} rows as CSV"
    return f"<a class='wp-link' download='{name}.csv' href='data:text/csv;base64,{text}'>{title}</a>"
