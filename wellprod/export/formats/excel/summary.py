"""The summary of a workbook: what the selection is, its totals and charts, its volumes by month and by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import polars as pl

from wellprod.analysis.production import Totals
from wellprod.export.formats.base import ExportData
from wellprod.export.formats.excel.book import HEADER, Book
from wellprod.export.formats.excel.cells import Cell, cells_of
from wellprod.export.formats.excel.charts import panels_of
from wellprod.text import number

_BASIS = (
    "Rates are calendar-day rates: what a month brought, divided by all its days. A volume is the rate times the days"
    " of the month; a month that was not reported adds nothing."
)
_UNITS = "kbbl: thousand barrels; MMscf: million standard cubic feet of gas; kbd and mmcfd: the same a calendar day."
_VOLUME, _COUNT, _MONTH = "#,##0.000", "#,##0", "yyyy-mm"
_NAMES_SHOWN = 30
_LINE, _MOST_LINES = 20, 25  # pixels; lines in the highest row that Excel has
_CHART_WIDTH = 1000  # pixels
_LETTERS_A_DIGIT = 1.15  # in text, where a width is counted in digits


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a table: where its values are, its heading, its width in characters, and how values are shown."""

    name: str
    heading: str
    width: int
    num_format: str = "0"
    align: str = "right"


_BY_MONTH = (
    _Column("production_period", "Month", 18, _MONTH, "left"),
    _Column("oil_kbbl", "Oil, kbbl", 14, _VOLUME),
    _Column("gas_mmscf", "Gas, MMscf", 14, _VOLUME),
    _Column("water_kbbl", "Water, kbbl", 14, _VOLUME),
    _Column("wells", "Wells reporting", 16, _COUNT),
)
_BETWEEN = _Column("", "", 3)
_BY_FIELD = (
    _Column("field_name", "Field", 36, align="left"),
    _Column("field_code", "Code", 10, align="left"),
    _Column("data_source", "Source", 24, align="left"),
    _Column("wells", "Wells", 8, _COUNT),
    _Column("months", "Months", 8, _COUNT),
    _Column("first_month", "First month", 12, _MONTH),
    _Column("last_month", "Last month", 12, _MONTH),
    _Column("cum_oil_kbbl", "Oil, kbbl", 15, _VOLUME),
    _Column("cum_gas_mmscf", "Gas, MMscf", 15, _VOLUME),
    _Column("cum_liquids_kbbl", "Liquids, kbbl", 15, _VOLUME),
    _Column("cum_water_kbbl", "Water, kbbl", 15, _VOLUME),
)


_FIELDS_AT = len(_BY_MONTH) + 1


def write_summary(book: Book, data: ExportData) -> None:
    """Write the summary sheet: facts beside the charts, and below them the months beside the fields."""
    _Summary(book, data).write()


class _Summary:
    """The sheet, written row by row from its top."""

    def __init__(self, book: Book, data: ExportData) -> None:
        self._book, self._data, self._sheet = book, data, book.add_sheet("Summary")
        sources = data.production.data_sources
        self._by_field = [column for column in _BY_FIELD if column.name != "data_source" or len(sources) > 1]

    def write(self) -> None:
        """Write all of it."""
        production, sheet = self._data.production, self._sheet
        months, totals = production.monthly_volumes, production.totals
        assert totals is not None  # noqa: S101 - an empty selection is not exported
        sheet.hide_gridlines(2)
        for place, column in enumerate((*_BY_MONTH, _BETWEEN, *self._by_field)):
            sheet.set_column(place, place, column.width)
        first = row = self._write_title()
        height = 0
        for label, value, num_format in self._facts(totals):
            height += self._write_fact(row, label, value, num_format)
            row += 1
        panels = panels_of(months)
        head = row + max(ceil((sum(panel.height for panel in panels) - height) / _LINE), 0) + 2
        self._write_tables(head, months, totals)
        sheet.repeat_rows(head - 1, head)
        above = 0
        for panel in panels:
            chart = panel.draw(self._book, sheet.get_name(), head + 1, months)
            chart.set_size({"width": _CHART_WIDTH, "height": panel.height})
            sheet.insert_chart(first, _FIELDS_AT, chart, {"y_offset": above, "object_position": 2})
            above += panel.height

    def _write_title(self) -> int:
        """Write what the selection is called and what for, and give the row where the next goes."""
        selection = self._data.selection
        self._sheet.set_row_pixels(0, 28)
        self._book.write_text(self._sheet, 0, 0, selection.name or "Well production", bold=True, font_size=16)
        if not selection.description:
            return 2
        self._write_across(1, 0, [*_BY_MONTH, _BETWEEN, *self._by_field], selection.description)
        return 3

    def _facts(self, totals: Totals) -> Iterator[tuple[str, Any, str]]:
        """Give what there is to know of the selection, each with the format of its number."""
        selection, production = self._data.selection, self._data.production
        first, last = ((month or "")[:7] for month in (selection.first_month, selection.last_month))
        if selection.client:
            yield "Client", selection.client, ""
        yield "Fields chosen", _named(selection.fields), ""
        yield "Wells chosen", _named(selection.wells), ""
        yield "Months chosen", " ".join(filter(None, (first and f"from {first}", last and f"to {last}"))) or "all", ""
        yield "Sources", ", ".join(production.data_sources), ""
        yield "Records", totals.records, _COUNT
        yield "Fields", len(production.field_totals), _COUNT
        yield "Wells", totals.wells, _COUNT
        held = dict.fromkeys(f"{month:%Y-%m}" for month in (totals.first_month, totals.last_month))
        yield "Months", f"{' to '.join(held)}, {number(totals.months)} with records", ""
        for phase, volume, unit in (
            ("Oil", totals.cum_oil_kbbl, "kbbl"),
            ("Gas", totals.cum_gas_mmscf, "MMscf"),
            ("Liquids", totals.cum_liquids_kbbl, "kbbl"),
            ("Water", totals.cum_water_kbbl, "kbbl"),
        ):
            yield phase, "not reported" if volume is None else volume, f'{_VOLUME} "{unit}"'
        if production.updated_at:
            yield "Last changed", f"{production.updated_at:%Y-%m-%d %H:%M} UTC", ""
        yield "Workbook made", f"{self._data.made_at:%Y-%m-%d %H:%M} UTC", ""
        yield "Rates and volumes", _BASIS, ""
        yield "Units", _UNITS, ""

    def _write_fact(self, row: int, label: str, value: Any, num_format: str) -> int:
        """Write a fact and give its height in pixels."""
        (cell,) = cells_of(pl.Series([value]))
        height = self._write_across(row, 1, _BY_MONTH[1:], cell, num_format=num_format)
        self._book.write_text(self._sheet, row, 0, label, bold=True, valign="top")
        return height

    def _write_across(self, row: int, first: int, columns: Sequence[_Column], cell: Cell, **properties: object) -> int:
        """Write a cell over several columns, in as many lines as its text needs; give its height in pixels."""
        properties = {"align": "left", "valign": "top", "text_wrap": True, **properties}
        width = sum(column.width for column in columns)
        lines = sum(ceil(len(line) / width / _LETTERS_A_DIGIT) or 1 for line in str(cell).splitlines())
        height = _LINE * min(max(lines, 1), _MOST_LINES)
        self._sheet.set_row_pixels(row, height)
        self._sheet.merge_range(row, first, row, first + len(columns) - 1, None, self._book.format(**properties))
        self._book.write(self._sheet, row, first, cell, **properties)
        return height

    def _write_tables(self, head: int, months: pl.DataFrame, totals: Totals) -> None:
        """Write both tables side by side, since the rows of a sheet are written in their order."""
        held = [
            {
                "data_source": field.data_source,
                "field_code": field.field_code,
                "field_name": field.title,
                **field.totals.as_dict(),
            }
            for field in self._data.production.field_totals
        ]
        fields = pl.DataFrame(held, infer_schema_length=None).sort(
            "cum_oil_kbbl", descending=True, nulls_last=True, maintain_order=True
        )
        sums = totals.as_dict()
        by_month = _rows(months, _BY_MONTH, {name.removeprefix("cum_"): sums[name] for name in sums}, "All months")
        by_field = _rows(fields, self._by_field, sums, "All fields")
        tables = (
            (0, _BY_MONTH, by_month, "Volumes by month"),
            (_FIELDS_AT, self._by_field, by_field, "Totals by field"),
        )
        for start, _, _, title in tables:
            self._book.write_text(self._sheet, head - 1, start, title, bold=True, font_size=12)
        for start, columns, _, _ in tables:
            for place, column in enumerate(columns, start):
                self._book.write_text(self._sheet, head, place, column.heading, align=column.align, **HEADER)
        for row in range(max(len(by_month), len(by_field))):
            for start, columns, rows, _ in tables:
                if row < len(rows):
                    last = {"bold": True, "top": 1} if row == len(rows) - 1 else {}
                    for place, (column, cell) in enumerate(zip(columns, rows[row], strict=True), start):
                        shown = {"num_format": column.num_format, "align": column.align, **last}
                        self._book.write(self._sheet, head + 1 + row, place, cell, **shown)


def _named(names: Sequence[str]) -> str:
    left = len(names) - _NAMES_SHOWN
    return (", ".join(names[:_NAMES_SHOWN]) + (f" and {number(left)} more" if left > 0 else "")) or "all"


def _rows(
    frame: pl.DataFrame, columns: Sequence[_Column], totals: dict[str, Any], label: str
) -> list[tuple[Cell, ...]]:
    """Give the rows of a table, the last one with the totals under a label."""
    shown = frame.select(column.name for column in columns)
    total = pl.DataFrame([{name: totals.get(name) for name in shown.columns}], schema=shown.schema)
    cells = [cells_of(values) for values in pl.concat([shown, total])]
    cells[0][-1] = label
    return list(zip(*cells, strict=True))
