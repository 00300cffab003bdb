"""An Excel workbook as a feed: one sheet, read as a stream."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter
from xml.etree.ElementTree import ParseError

from wellprod.errors import FeedUnreadable, ProfileError
from wellprod.feed.files.base import unopened
from wellprod.feed.files.table import Cells, Table, TableFile
from wellprod.feed.profile import Profile

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MOST_TEXT = 1_000_000_000  # bytes of the texts of a workbook, which are held in memory
_UNSAVED = re.compile(rb"(?:</f>|<f[^>]*/>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>")  # a formula without its value
_PIECE = 1 << 20
_OVERLAP = 100


class WorkbookFile(TableFile):
    """A workbook (.xlsx, .xlsm): the sheet that the profile names, else the first with its columns."""

    def tables(self) -> Iterator[Table]:
        """Give the sheets in their order."""
        self._check()
        has_unsaved = self._has_formulas_without_values()
        with _workbook(self.path) as book:
            names = [sheet.title for sheet in book.worksheets]
        told = {profile.sheet for profile in self.profiles}
        if None not in told and not {_folded(name) for name in told if name} & {_folded(name) for name in names}:
            raise ProfileError(
                f"The workbook {self.path} has no sheet {' or '.join(sorted(repr(name) for name in told))}.",
                next=f"Its sheets: {', '.join(names)}. Correct `sheet` in the profile.",
            )
        sheets = []
        for place, name in enumerate(names):
            fitting = [p for p in self.profiles if p.sheet is None or _folded(p.sheet) == _folded(name)]
            sheets.append(_Sheet(self.path, place, name, fitting, has_unsaved))
        yield from (sheet for sheet in sheets if sheet.profiles)

    def passed_by(self, table: Table, profile: Profile) -> list[str]:
        """Give the titles of the other sheets that the profile could read too, where it names none."""
        if profile.sheet is not None:
            return []
        with _workbook(self.path) as book:
            others = [sheet for sheet in book.worksheets if _title(sheet.title) != table.title]
            return [_title(sheet.title) for sheet in others if self.has_columns(_cells(sheet), profile)]

    def _check(self) -> None:
        """Refuse what is no workbook before a library tries to read it."""
        try:
            with self.path.open("rb") as file:
                head = file.read(8)
                if head == OLE:
                    locked = any(_ENCRYPTED in piece for piece in iter(lambda: file.read(_PIECE), b""))
                    what = "is protected by a password" if locked else "is of the kind before 2007 (.xls)"
                    raise FeedUnreadable(
                        f"The workbook {self.path} {what}.",
                        next="Save it as .xlsx without a password" if locked else "Save it as .xlsx.",
                    )
        except OSError as error:
            raise unopened(self.path, error) from None
        with _reading(self.path), zipfile.ZipFile(self.path) as archive:
            texts = sum(info.file_size for info in archive.infolist() if info.filename.endswith("sharedStrings.xml"))
            if texts > _MOST_TEXT:
                raise FeedUnreadable(
                    f"The workbook {self.path} has {texts:,} bytes of text; up to {_MOST_TEXT:,} are read.",
                    next="Save the sheet as CSV.",
                )

    def _has_formulas_without_values(self) -> bool:
        """Tell whether a program wrote formulas that no spreadsheet has calculated yet."""
        with _reading(self.path), zipfile.ZipFile(self.path) as archive:
            for info in archive.infolist():
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", info.filename):
                    with archive.open(info) as sheet:
                        before = b""
                        while piece := sheet.read(_PIECE):
                            if _UNSAVED.search(before + piece):
                                return True
                            before = piece[-_OVERLAP:]
        return False


class _Sheet(Table):
    """One sheet; a formula without a value is given as it is written."""

    def __init__(self, path: Path, place: int, name: str, profiles: Sequence[Profile], has_unsaved: bool) -> None:
        self.path, self.place, self.profiles, self.has_unsaved = path, place, profiles, has_unsaved
        self.title = _title(name)

    def rows(self, names: Sequence[str] | None = None) -> Iterator[Cells]:
        """Give the rows that have something."""
        with _workbook(self.path) as book:
            rows = _cells(book.worksheets[self.place])
            if not self.has_unsaved:
                yield from (row for row in rows if any(cell not in (None, "") for cell in row))
                return
            with _workbook(self.path, data_only=False) as written:
                for row, formulas in zip_longest(rows, _cells(written.worksheets[self.place]), fillvalue=()):
                    whole = [
                        formula if value is None and formula is not None else value
                        for value, formula in zip_longest(row, formulas)
                    ]
                    if any(cell not in (None, "") for cell in whole):
                        yield whole


def _cells(sheet: Any) -> Iterator[Cells]:
    sheet.reset_dimensions()  # what a workbook says of its size is not always so
    rows: Iterator[Cells] = sheet.iter_rows(values_only=True)
    return rows


@contextmanager
def _workbook(path: Path, *, data_only: bool = True) -> Iterator[Any]:
    from openpyxl import load_workbook  # a fifth of a second to load

    with _reading(path), catch_warnings():
        simplefilter("ignore")  # of styles and extensions, which are not read
        book = load_workbook(path, read_only=True, data_only=data_only, keep_links=False)
        try:
            yield book
        finally:
            book.close()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say in plain words that a file is no whole workbook."""
    try:
        yield
    except (zipfile.BadZipFile, zipfile.LargeZipFile, ParseError, EOFError, KeyError, ValueError, TypeError) as error:
        raise FeedUnreadable(
            f"The file {path} is no whole Excel workbook: {error}.",
            next="Open it in a spreadsheet and save it as .xlsx, or give it with the ending that it has.",
        ) from None
    except OSError as error:
        raise unopened(path, error) from None


def _title(name: str) -> str:
    return f"Sheet {name!r}"


def _folded(name: str) -> str:
    return name.strip().casefold()
