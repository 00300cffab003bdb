"""A chart with the table behind it, and that table as a file."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from typing import Any

import altair as alt
import anywidget
import ipywidgets as w
import polars as pl
import traitlets

from wellprod.analysis.charts.look import draw_on_page
from wellprod.pages import parts
from wellprod.text import number

_SHOWN_ROWS = 200


class Chart(anywidget.AnyWidget):
    """A place for one chart at a time; the program that draws it is sent once and asks no other host.

    Altair's own `JupyterChart` does not give up what a chart was tied to when the next one takes its place.
    """

    spec = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        type(self)._esm = _program()
        super().__init__()


@cache
def _program() -> str:
    import vl_convert  # here, since it takes a third of a second to load

    code = resources.files(__package__).joinpath("chart.js").read_text("utf-8")
    return vl_convert.javascript_bundle(code, vl_version=".".join(alt.SCHEMA_VERSION.split(".")[:2]))


class Drawing(w.VBox):
    """One chart that is drawn anew, and its data."""

    def __init__(self) -> None:
        draw_on_page()
        self._chart, self._data = Chart(), parts.Html()
        frame = w.Box([self._chart])
        frame.add_class("wp-chart")
        super().__init__([frame, self._data])

    def show(self, spec: dict[str, Any], table: pl.DataFrame, title: str, name: str) -> None:
        """Show a Vega-Lite chart and its table, which is called `name` as a file."""
        self._chart.spec = spec
        shown = table.head(_SHOWN_ROWS).with_columns(pl.selectors.date().dt.strftime("%Y-%m"))
        first = (
            f", the first {number(shown.height)} of {number(table.height)} rows" if table.height > _SHOWN_ROWS else ""
        )
        data = parts.details("The data behind this chart", parts.table(shown, title + first))
        self._data.put(_file(table, name) + data)


def _file(table: pl.DataFrame, name: str) -> str:
    """Give the link to a table as CSV, which lies in the link itself: it is small, as what a chart draws is."""
    text = base64.b64encode(table.write_csv().encode()).decode()
    title = f"Download these {number(table.height)} rows as CSV"
    return f"<a class='wp-link' download='{name}.csv' href='data:text/csv;base64,{text}'>{title}</a>"
