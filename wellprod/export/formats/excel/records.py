"""The data sheets of a workbook: one row a record, typed columns, a header that stays in sight."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import polars as pl
from xlsxwriter.utility import xl_range

from wellprod.export.formats.base import FORMULA_STARTS, ExportData
from wellprod.export.formats.excel.book import HEADER, LONGEST_TEXT, Book
from wellprod.export.formats.excel.cells import Cell, kind_of

_ROWS_AT_ONCE = 5000
_NARROWEST, _WIDEST = 9, 32
_FILTER_BUTTON = 3  # characters
_TEXT = {"indent": 1}  # away from the figures of the column before it
_A3, _WIDEST_A4 = 8, 200  # characters that can be read when they are printed on A4

_Write = Callable[[int, int, Cell], object]
"""Writes a cell to a row and a column."""


def write_records(book: Book, data: ExportData, rows_per_sheet: int) -> None:
    """Write all batches onto sheets called Data, or Data 1, Data 2 and so on where one does not hold them."""
    sheets = ceil(data.production.record_count / (rows_per_sheet - 1))
    sheet, added = None, 0
    for batch in data.batches():
        left = batch
        while not left.is_empty():
            if sheet is None or sheet.rows == rows_per_sheet:
                added += 1
                sheet = _DataSheet(book, "Data" if sheets == 1 else f"Data {added}", batch)
            part = left.head(rows_per_sheet - sheet.rows)
            sheet.write(part)
            left = left.slice(part.height)


class _DataSheet:
    """One data sheet, with the columns of a `sample` of its records, each as wide as its values are."""

    def __init__(self, book: Book, name: str, sample: pl.DataFrame) -> None:
        self._book, self._sheet = book, book.add_sheet(name)
        self.rows = 1
        self._sheet.freeze_panes(1, 0)
        self._sheet.repeat_rows(0)
        widths = [_width(values) for values in sample]
        if sum(widths) > _WIDEST_A4:
            self._sheet.set_paper(_A3)
        for column, values in enumerate(sample):
            kind = kind_of(values.dtype)
            shown = book.format(num_format=kind.shown) if kind else book.format(**_TEXT)
            self._sheet.set_column(column, column, widths[column], shown)
            book.write_text(self._sheet, 0, column, values.name, **HEADER)

    def write(self, records: pl.DataFrame) -> None:
        """Write records below those that are there."""
        for part in records.iter_slices(_ROWS_AT_ONCE):
            columns = [self._column(values) for values in part]
            writers = [write for write, _ in columns]
            for row, cells in enumerate(zip(*(cells for _, cells in columns), strict=True), self.rows):
                for column, cell in enumerate(cells):
                    if cell is not None:
                        writers[column](row, column, cell)
            self.rows += part.height
        last = self.rows - 1, records.width - 1
        self._sheet.autofilter(0, 0, *last)
        self._sheet.ignore_errors({"number_stored_as_text": xl_range(0, 0, *last)})

    def _column(self, values: pl.Series) -> tuple[_Write, list[Cell]]:
        """Give the cells of a column and what writes them, so that no cell is asked what it is."""
        if kind := kind_of(values.dtype):
            cells, unfit = kind.cells(values)
            if not unfit:
                return self._sheet.write_number, cells
            self._book.note(f"{kind.unfit_ones} are written as text, which keeps them exact", unfit)
            return self._write_either, cells
        texts = values.cast(pl.String)
        return (self._write_either if _is_awkward(texts) else self._sheet.write_string), texts.to_list()

    def _write_either(self, row: int, column: int, cell: Cell) -> None:
        if isinstance(cell, str):
            self._book.write_text(self._sheet, row, column, cell, **_TEXT)
        else:
            self._sheet.write_number(row, column, cell)


def _is_awkward(texts: pl.Series) -> bool:
    """Whether one of the texts is not written as most are: see `Book.write_text`."""
    awkward = (
        texts.str.slice(0, 1).is_in(["", *FORMULA_STARTS])
        | texts.str.starts_with("<r>")
        | (texts.str.len_bytes() > LONGEST_TEXT // 2)
    )
    return bool(awkward.any())


def _width(values: pl.Series) -> int:
    """Give the characters that a column shows."""
    if values.dtype.is_float():
        shown = pl.Series([f"{value:,.6f}" for value in (values.min(), values.max()) if isinstance(value, float)])
    elif values.dtype == pl.Datetime:
        shown = values.dt.to_string("%Y-%m-%d %H:%M:%S")
    else:
        shown = values
    widest = max(shown.cast(pl.String).str.len_chars().drop_nulls(), default=0)
    return min(max(widest + 1, len(values.name) + _FILTER_BUTTON, _NARROWEST), _WIDEST)
