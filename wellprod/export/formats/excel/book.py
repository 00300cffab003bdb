"""A workbook that holds one row of a sheet in memory at a time: its sheets, its formats, and text that stays text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from wellprod.export.formats.base import FORMULA_STARTS
from wellprod.export.formats.excel.cells import Cell
from wellprod.text import number

HEADER = {"bold": True, "bottom": 1, "bg_color": "#e8eef0", "valign": "vcenter"}
LONGEST_TEXT = 32_767
"""UTF-16 units that a cell holds: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3"""

_A4 = 9


class Book:
    """A workbook; the rows of a sheet are written in their order, and one that was left cannot be written any more."""

    def __init__(self, path: Path, folder: Path, made_at: datetime) -> None:
        self.file = Workbook(str(path), {"constant_memory": True, "tmpdir": str(folder), "use_zip64": True})
        self.file.set_properties({"created": made_at.replace(tzinfo=None), "author": "wellprod"})
        self._formats: dict[frozenset[tuple[str, object]], Format] = {}
        self._notes: Counter[str] = Counter()

    @property
    def notes(self) -> list[str]:
        """What Excel could not take as it is."""
        return [f"{note}: {number(cells)} cell{'' if cells == 1 else 's'}." for note, cells in self._notes.items()]

    def note(self, note: str, cells: int) -> None:
        """Count cells that are not as they were."""
        self._notes[note] += cells

    def format(self, **properties: object) -> Format:
        """Give the format with these properties of XlsxWriter."""
        key = frozenset(properties.items())
        if key not in self._formats:
            self._formats[key] = self.file.add_format(properties)
        return self._formats[key]

    def add_sheet(self, name: str) -> Worksheet:
        """Add a sheet that prints across one page."""
        sheet = self.file.add_worksheet(name)
        sheet.set_paper(_A4)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.set_footer("&L&A&RPage &P of &N")
        return sheet

    def write(self, sheet: Worksheet, row: int, column: int, cell: Cell, **properties: object) -> None:
        """Write a cell, whatever it is, with these properties of XlsxWriter."""
        if isinstance(cell, str):
            self.write_text(sheet, row, column, cell, **properties)
        elif cell is None:
            sheet.write_blank(row, column, None, self.format(**properties))
        else:
            sheet.write_number(row, column, cell, self.format(**properties))

    def write_text(self, sheet: Worksheet, row: int, column: int, text: str, **properties: object) -> None:
        """Write text that reads back the same and that no edit makes a formula.

        An empty text, and one that begins as formulas do, get the mark that an apostrophe typed before them gives.
        One that is too long for a cell is cut, and noted.
        """
        if len(text) > LONGEST_TEXT // 2 and len(units := text.encode("utf-16-le")) > 2 * LONGEST_TEXT:
            text = units[: 2 * LONGEST_TEXT].decode("utf-16-le", "ignore")
            self.note(f"Texts are cut after {number(LONGEST_TEXT)} characters, the most that a cell holds", 1)
        if not text or text[0] in FORMULA_STARTS:
            properties = {**properties, "quote_prefix": True}
        cell_format = self.format(**properties)
        if text.startswith("<r>") and text.endswith("</r>"):  # which XlsxWriter would take for its own markup
            sheet.write_rich_string(row, column, text[0], text[1], text[2:], cell_format)
        else:
            sheet.write_string(row, column, text, cell_format)


@contextmanager
def opened(path: Path, folder: Path, made_at: datetime) -> Iterator[Book]:
    """Give a new workbook, which is put together at the end of the block; after an error it is not.

    Raises
    ------
    OSError
        The file, or a temporary one in `folder`, cannot be written.
    """
    book = Book(path, folder, made_at)
    try:
        yield book
        book.file.close()
    except FileCreateError as error:
        raise error.args[0] from None
    finally:
        for sheet in book.file.worksheets():
            with suppress(OSError):  # what is left in its buffer finds no room either
                sheet.row_data_fh.close()
