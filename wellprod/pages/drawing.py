"""A chart with the table behind it, and that table as a file."""

from __future__ import annotations

import base64
from functools import cache
from importlib import resources
from typing import Any

import anywidget
import ipywidgets as w
import polars as pl
import traitlets

from wellprod.pages import parts
from wellprod.text import number

_SHOWN_ROWS = 200


class Chart(anywidget.AnyWidget):
    """A place for one chart at a time, with the program that draws it, which asks no other host.

    Altair's own `JupyterChart` does not let go of what a chart was tied to when the next one takes its place.
    """

    _esm = "export default {};"  # until there is something to draw

    spec = traitlets.Dict().tag(sync=True)


@cache
def program() -> str:
    """Give the program that draws charts, a megabyte; it takes a second to put together."""
    import vl_convert  # here, as altair: they take as long to load as all the rest
    from altair import SCHEMA_VERSION

    code = resources.files(__package__).joinpath("chart.js").read_text("utf-8")
    return vl_convert.javascript_bundle(code, vl_version=".".join(SCHEMA_VERSION.split(".")[:2]))


class Drawing(w.VBox):
    """One chart that is drawn anew, and its data."""

    def __init__(self) -> None:
        self._chart, self._data = Chart(), parts.Html()
        frame = w.Box([self._chart])
        frame.add_class("wp-chart")
        super().__init__([frame, self._data])

    def show(self, spec: dict[str, Any], table: pl.DataFrame, title: str, name: str) -> None:
        """Show a Vega-Lite chart, once `program` is there, and its table, which is called `name` as a file."""
        if self._chart._esm != program():
            self._chart._esm = program()
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
