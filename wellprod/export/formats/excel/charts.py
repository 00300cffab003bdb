"""The charts of the summary, which a spreadsheet draws from its cells: oil and water on one axis, gas below."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from xlsxwriter.chart import Chart

from wellprod.analysis.colours import GAS, OIL, WATER
from wellprod.export.formats.excel.book import Book
from wellprod.export.formats.excel.cells import cells_of

_MARKED = 25  # months: a line through fewer has marks
_STEPS, _MOST_LABELS = (1, 2, 3, 6, 12, 24, 60, 120), 12  # months
_MANY = 10  # volumes from here on need no decimals at the axis
_FAINT, _NONE = {"visible": True, "line": {"color": "#d9d9d9", "width": 0.75}}, {"none": True}


@dataclass(frozen=True, slots=True)
class _Line:
    phase: str
    volume: str
    colour: str
    dash: str = "solid"


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart, with its height in pixels."""

    unit: str
    height: int
    lines: tuple[_Line, ...]

    def draw(self, book: Book, sheet: str, first: int, months: pl.DataFrame) -> Chart:
        """Draw it from the rows of `months`, which stand on the sheet as they are, from the row `first` on."""
        chart = book.file.add_chart({"type": "line"})
        for line in self.lines:
            series: dict[str, Any] = {
                "name": line.phase,
                "line": {"color": line.colour, "width": 2, "dash_type": line.dash},
                "marker": _mark(line.colour) if months.height < _MARKED else {"type": "none"},
            }
            for axis, name in (("categories", "production_period"), ("values", line.volume)):
                column = months.get_column_index(name)
                series[axis] = [sheet, first, column, first + months.height - 1, column]
                # for viewers that do not read the cells; XlsxWriter has none left when it holds one row at a time
                cells = cells_of(months[name])
                series[f"{axis}_data"] = [None if isinstance(cell, str) else cell for cell in cells]
            chart.add_series(series)
        chart.set_x_axis(_months_axis(months["production_period"]))
        chart.set_y_axis({"name": f"{self.unit} a month", **_volumes_axis(months, self.lines)})
        chart.set_title(_NONE)
        chart.set_legend({"position": "top"})
        chart.set_chartarea({"border": _NONE})
        return chart


_PANELS = (
    Panel("kbbl", 260, (_Line("Oil", "oil_kbbl", OIL), _Line("Water", "water_kbbl", WATER, "dash"))),
    Panel("MMscf", 200, (_Line("Gas", "gas_mmscf", GAS),)),
)


def panels_of(months: pl.DataFrame) -> list[Panel]:
    """Give the charts that have something to show, with the phases that were reported."""
    reported = (
        replace(panel, lines=tuple(line for line in panel.lines if months[line.volume].count())) for panel in _PANELS
    )
    return [panel for panel in reported if panel.lines]


def _mark(colour: str) -> dict[str, Any]:
    return {"type": "circle", "size": 5, "fill": {"color": colour}, "border": {"color": colour}}


def _months_axis(months: pl.Series) -> dict[str, Any]:
    if months.len() == 1:  # LibreOffice labels the one point of a date axis with the month before
        return {"text_axis": True, "num_format": "mmm yyyy"}
    span = (months.dt.year() * 12 + months.dt.month()).to_list()
    fitting = (step for step in _STEPS if span[-1] - span[0] < step * _MOST_LABELS)
    step = next(fitting, _STEPS[-1])
    return {"date_axis": True, "num_format": "mmm yyyy", "major_unit": step, "major_unit_type": "months"}


def _volumes_axis(months: pl.DataFrame, lines: tuple[_Line, ...]) -> dict[str, Any]:
    volumes = [volume for line in lines for volume in months[line.volume].drop_nulls()]
    return {
        "name_font": {"bold": False},
        "major_gridlines": _FAINT,
        "line": _NONE,
        **({"num_format": "#,##0"} if max(volumes) >= _MANY else {}),
        **({"min": 0} if min(volumes) >= 0 else {}),
    }
