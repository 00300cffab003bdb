"""Pages to print: A4 with a running head, page numbers, an outline, and tables whose head stands on every page."""

from __future__ import annotations

import logging
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import accumulate, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pymupdf_fonts
from fpdf import FPDF
from fpdf.bidi import BidiParagraph
from fpdf.fonts import TTFFont
from fpdf.image_parsing import preload_image

UNKNOWN = "\ufffd"
"""Shown where the fonts lack a character."""

_FONTS = {"sans": ("notos", "notosbo"), "scripts": ("figo", "figbo")}
"""Noto Sans, whose figures are all of one width; and FiraGO for scripts that it lacks. Regular and bold."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 22.0, 10.0, 12.0, 16.0  # mm; the left one is wide enough to punch
_SIZE, _ROW = 8.0, 3.9  # points, mm
_SMALLEST = 0.6  # of the full width, for a picture
_UNSEEN = ("Cc", "Cf")  # categories of Unicode: controls, and marks of direction and joining
_PAGES = "{pages}"  # stands for their number until all are written
_GREY, _RULE, _SHADE = 90, 205, 236  # of 255


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its width in mm; figures stand at the right, and neighbours may share a `group`."""

    heading: str
    unit: str
    width: float
    group: str = ""
    is_figure: bool = True


@contextmanager
def paper(title: str, note: str, made_at: datetime) -> Iterator[Paper]:
    """Give paper to write on, with its fonts for as long as the block lasts."""
    logging.getLogger("fontTools.subset").setLevel(logging.ERROR)  # it warns of hints that it leaves out
    with TemporaryDirectory() as folder:
        yield Paper(title, note, made_at, Path(folder))


class Paper(FPDF):
    """A4 pages that are written on from top to bottom; lengths in mm.

    Parameters
    ----------
    title
        What the running head of each page but the first says, and the properties of the file.
    note
        What stands at the right of the running head.
    made_at
        The creation date of the file.
    fonts
        A folder for the files of the fonts, which lasts for as long as this is used.
    """

    def __init__(self, title: str, note: str, made_at: datetime, fonts: Path) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self.running_title, self.running_note, self.made_at = title, note, made_at
        self.going_on = ""
        self.lacking: set[str] = set()
        self._columns: Sequence[Column] = ()
        self._lefts: list[float] = []
        self.set_margins(_LEFT, _TOP, _RIGHT)
        self.set_auto_page_break(True, _BOTTOM)
        self.set_title(title)
        self.set_author("wellprod")
        self.set_creator("wellprod")
        self.set_lang("en")
        self.set_creation_date(made_at)
        self.alias_nb_pages(_PAGES)
        self.page_mode = "USE_OUTLINES"
        self.allow_images_transparency = False  # which printers are slow at
        self._add_fonts(fonts)
        self.write_in(_SIZE)

    def header(self) -> None:
        """Draw the running head, and the head of the table that goes on."""
        if self.page_no() == 1:
            return
        self.write_in(7.5, grey=True)
        noted = self.width_of(self.running_note)
        self.put(self.l_margin, self.epw - noted - 6, self.running_title)
        self.put(self.l_margin, self.epw, self.running_note, at_right=True)
        self.y += 4.5
        self.rule()
        self.y += 2
        self.write_in(_SIZE)
        if self._columns:
            self._table_head()
        if self.going_on:
            self.write_in(_SIZE, bold=True)
            self.put(self.l_margin, self.epw, f"{self.going_on} (continued)")
            self.y += _ROW + 0.6
            self.write_in(_SIZE)

    def footer(self) -> None:
        """Draw the number of the page, and when the pages were made."""
        self.y = self.h - 11
        self.write_in(7.5, grey=True)
        self.x = self.l_margin - self.c_margin
        self.cell(60, _ROW, f"Page {self.page_no()} of {_PAGES}")
        self.put(self.l_margin, self.epw, f"wellprod, {self.made_at:%Y-%m-%d %H:%M} UTC", at_right=True)

    def write_in(self, size: float, *, bold: bool = False, grey: bool = False) -> None:
        """Write what follows in this size, in points."""
        self.set_font("sans", "B" if bold else "", size)
        self.set_text_color(_GREY if grey else 0)

    def shown(self, text: str) -> str:
        """Give a text as it can be printed, on one line: `UNKNOWN` for what no font has, which is noted.

        Scripts that run to the left are put in the order of the eye; letters are not joined.
        """
        text = unicodedata.normalize("NFC", " ".join(text.split()))
        if self._plain.issuperset(text):
            return text
        seen = [char for char in text if unicodedata.category(char) not in _UNSEEN]
        self.lacking.update(char for char in seen if char not in self._known)
        known = "".join(char if char in self._known else UNKNOWN for char in seen)
        return BidiParagraph(known).get_reordered_string() if known else ""

    def width_of(self, text: str) -> float:
        """Give the width in the present font of a text as it is `shown`."""
        widths = self._widths[self.font_style]
        return sum(widths[char] for char in text) * self.font_size / 1000

    def put(self, x: float, width: float, text: str, *, at_right: bool = False, height: float = _ROW) -> None:
        """Put a text on the line at `y`, cut with an ellipsis where it is wider than `width`."""
        text = self.shown(text)
        wide = self.width_of(text)
        if wide > width:
            fitting = bisect_right(range(len(text)), width, key=lambda count: self.width_of(f"{text[:count]}…"))
            text = f"{text[: max(fitting - 1, 0)].rstrip()}…"
            wide = self.width_of(text)
        left, base = x + width - wide if at_right else x, self.y + 0.5 * height + 0.3 * self.font_size
        if self._plain.issuperset(text):
            self.text(left, base, text)  # six times as fast as a cell, and a report has many
            return
        for is_own, part in groupby(text, self._own.__contains__):
            run = "".join(part)
            self.set_font("sans" if is_own else "scripts", self.font_style, self.font_size_pt)
            self.text(left, base, run)
            left += self.width_of(run)
        self.set_font("sans", self.font_style, self.font_size_pt)

    def paragraph(
        self, text: str, *, size: float = 9, bold: bool = False, grey: bool = False, after: float = 2
    ) -> None:
        """Write a text over as many lines and pages as it takes; line ends are kept."""
        self.write_in(size, bold=bold, grey=grey)
        lines = "\n".join(map(self.shown, text.splitlines()))
        self.set_x(self.l_margin - self.c_margin)
        self.multi_cell(
            self.epw + 2 * self.c_margin, self.font_size * 1.4, lines, align="L", new_x="LMARGIN", new_y="NEXT"
        )
        self.write_in(_SIZE)
        self.y += after

    def section(self, name: str, level: int) -> None:
        """Enter what begins here into the outline."""
        self.start_section(" ".join(name.split()), level)

    def need(self, height: float) -> None:
        """Go to the next page where less than `height` is left on this one."""
        if self.y + height > self.page_break_trigger:
            self.add_page()

    def rule(self, shade: int = _RULE) -> None:
        """Draw a line over the width of the page."""
        self.set_draw_color(shade)
        self.set_line_width(0.15)
        self.line(self.l_margin, self.y, self.l_margin + self.epw, self.y)

    def pairs(self, rows: Sequence[tuple[tuple[str, str], tuple[str, str]]], absent: str) -> None:
        """Write names with their values, two to a row; the value `absent` in grey."""
        half = self.epw / 2
        self.rule()
        for row in rows:
            self.y += 0.5
            for (name, value), left in zip(row, (self.l_margin, self.l_margin + half + 4), strict=True):
                self.write_in(9, grey=True)
                self.put(left, half, name, height=5)
                room = half - 4 - self.width_of(name) - 2
                self.write_in(9, bold=value != absent, grey=value == absent)
                self.put(left + half - 4 - room, room, value, at_right=True, height=5)
            self.y += 5
            self.rule()
        self.write_in(_SIZE)
        self.y += 4

    def picture(self, title: str, png: BytesIO) -> None:
        """Show a picture over the width of the page, its title above; smaller where that keeps it on this page."""
        _, _, size = preload_image(self.image_cache, png)
        height = self.epw * size.height / size.width
        room = self.page_break_trigger - self.y - 12
        if room < height * _SMALLEST:
            self.add_page()
        else:
            height = min(height, room)
        self.title_of_table(title)
        self.image(png, x=self.l_margin, y=self.y, h=height)
        self.y += height + 4

    def title_of_table(self, title: str) -> None:
        """Write what stands above a picture or a table, on a page that holds some of it."""
        self.need(30)
        self.paragraph(title, size=12, bold=True, after=1)

    def start_table(self, columns: Sequence[Column]) -> None:
        """Draw the head of a table, here and on every page until `end_table`."""
        self._columns = columns
        self._lefts = list(accumulate((column.width for column in columns[:-1]), initial=self.l_margin))
        self._table_head()

    def end_table(self) -> None:
        """Draw no head on the pages to come."""
        self._columns, self.going_on = (), ""

    def row(self, texts: Sequence[str], *, bold: bool = False) -> None:
        """Write a row of the table, on the next page where this one is full."""
        self.need(_ROW)
        if bold:
            self.write_in(_SIZE, bold=True)
        self._cells(texts, self._columns, self._lefts)
        if bold:
            self.write_in(_SIZE)
        self.y += _ROW
        self.rule(_SHADE)

    def heading(self, name: str, details: str, texts: Sequence[str], *, is_band: bool = False) -> None:
        """Write a heading within the table: a name in bold, details in grey, and texts in the last columns.

        A name that finds no room beside the others gets a line of its own.
        """
        size, height, indent = (9.0, 5.6, 1.0) if is_band else (_SIZE, 4.6, 0.0)
        first = len(self._columns) - len(texts)
        left, right = self.l_margin + indent, (self._lefts[first] if texts else self.l_margin + self.epw) - 2
        self.write_in(size, bold=True)
        named = min(self.width_of(self.shown(name)), self.epw - 2 * indent)
        self.write_in(_SIZE)
        lines = 1 if left + named + 3 + self.width_of(self.shown(details)) <= right else 2
        if is_band:
            self.set_fill_color(_SHADE)
            self.rect(self.l_margin, self.y, self.epw, height * lines, style="F")
            self.set_fill_color(0)
        self.write_in(size, bold=True)
        self.put(left, named + 0.01, name, height=height)
        if lines == 2:
            self.y += height
        told = left if lines == 2 else left + named + 3
        self.write_in(_SIZE, grey=True)
        self.put(told, right - told, details, height=height)
        self.write_in(size, bold=True)
        self._cells(texts, self._columns[first:], self._lefts[first:], height=height)
        self.write_in(_SIZE)
        self.y += height

    def _cells(
        self, texts: Sequence[str], columns: Sequence[Column], lefts: Sequence[float], *, height: float = _ROW
    ) -> None:
        for text, column, left in zip(texts, columns, lefts, strict=True):
            self.put(
                left, column.width - (0 if column.is_figure else 2), text, at_right=column.is_figure, height=height
            )

    def _table_head(self) -> None:
        self.write_in(7.5, grey=True)
        left = self.l_margin
        if any(column.group for column in self._columns):
            for group, columns in groupby(self._columns, lambda column: column.group):
                width = sum(column.width for column in columns)
                self.put(left + (width - self.width_of(group)) / 2, width, group)
                left += width
            self.y += _ROW
        self.write_in(_SIZE, bold=True)
        self._cells([column.heading for column in self._columns], self._columns, self._lefts)
        self.y += _ROW
        self.write_in(7.5, grey=True)
        self._cells([column.unit for column in self._columns], self._columns, self._lefts)
        self.y += _ROW + 0.6
        self.rule(0)
        self.y += 0.4
        self.write_in(_SIZE)

    def _add_fonts(self, folder: Path) -> None:
        """Add the fonts; of a character that both families have, the first one serves."""
        self._widths: dict[str, dict[str, float]] = {"": {}, "B": {}}
        for family, names in reversed(_FONTS.items()):
            for (style, widths), name in zip(self._widths.items(), names, strict=True):
                file = folder / f"{name}.ttf"
                file.write_bytes(pymupdf_fonts.myfont(name))
                self.add_font(family, style, file)
                font = cast(TTFFont, self.fonts[f"{family}{style}"])
                widths.update((chr(code), font.cw[code]) for code in font.cmap)
                self._own = frozenset(map(chr, font.cmap))
        self._known = self._widths[""].keys() & self._widths["B"].keys()
        self._plain = frozenset(char for char in self._own & self._known if char.isprintable())
        self.set_fallback_fonts(["scripts"])
