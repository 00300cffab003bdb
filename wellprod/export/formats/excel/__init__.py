"""Excel: a workbook with a summary and its charts, and the records on data sheets."""

from __future__ import annotations

from pathlib import Path

from wellprod.export.formats.base import ExportData, Format

MOST_ROWS = 1_048_576
"""Rows that a sheet of Excel holds."""


class Excel(Format):
    """A workbook: what the selection is, then every record with the types that Excel has.

    Parameters
    ----------
    rows_per_sheet
        Rows on a data sheet at most, its header included; further records go to further sheets.
    """

    title, extensions = "Excel workbook", ("xlsx",)
    about = "A summary with charts, and the records on as many sheets as they need."
    is_table = is_slow = True

    def __init__(self, rows_per_sheet: int = MOST_ROWS) -> None:
        self.rows_per_sheet = rows_per_sheet

    def write(self, data: ExportData, path: Path) -> None:
        """Write the summary, then all batches, and tell what Excel could not take as it is."""
        # here, since XlsxWriter takes a third of a second to load
        from wellprod.export.formats.excel.book import opened
        from wellprod.export.formats.excel.records import write_records
        from wellprod.export.formats.excel.summary import write_summary

        with opened(path, data.folder, data.made_at) as book:
            write_summary(book, data)  # before the batches, since it asks the same connection
            write_records(book, data, self.rows_per_sheet)
        for note in book.notes:
            data.warn(note)
