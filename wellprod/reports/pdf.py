"""The PDF of a run: what its notebook says and shows, on A4 pages to print and to send."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import vl_convert
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from fpdf.image_parsing import preload_image

from wellprod.paper import Paper, paper
from wellprod.reports.blocks import Block, Grid, Heading, Picture, Text, blocks_of

_SIZES = {1: 17.0, 2: 12.5, 3: 10.5}  # points of headings; deeper ones as the last
_LINE = 4.1  # mm of a row of a table
_CELL, _GAP = 1.2, 0.4  # mm at the side of a cell, and above and below it
_NARROW = (45.0, 28.0, 14.0)  # mm of a column of words at least, as long as there is room
_PIXEL = 25.4 / 110  # mm of a pixel of a chart, so that its texts are as large as those around it
_WHOLE = 90.0  # mm of a table that is kept on one page
_BEGUN = 30.0  # mm that a longer one has on the page where it begins
_SMALLEST = 0.6  # of its size, for a chart that is to stay on a page
_SIZE_OF_SVG = re.compile(r'<svg[^>]* width="([\d.]+)"[^>]* height="([\d.]+)"')
_SHARPNESS = 2.5  # pixels of a printed chart for each of its own


def write_pdf(
    path: Path,
    notebook: Any,
    title: str,
    *,
    ran_at: datetime,
    parameters: Mapping[str, Any],
    result: Mapping[str, Any],
) -> None:
    """Write what the `notebook` shows, without its code, under its title, when it ran, what with, and how it ended."""
    made_at = ran_at.astimezone(UTC)
    given = ", ".join(f"{name} = {value}" for name, value in parameters.items() if value is not None)
    with paper(title, f"{ran_at:%Y-%m-%d}", made_at) as sheets:
        sheets.add_page()
        sheets.paragraph(title, size=_SIZES[1], bold=True, after=0.5)
        ran = f"Ran {ran_at:%Y-%m-%d %H:%M %Z}: {result['outcome'].lower()}."
        sheets.paragraph(f"{ran} {f'With {given}.' if given else ''}", size=8, grey=True, after=2.5)
        if error := result["error"]:
            sheets.paragraph(error["message"], bold=True, after=1)
            if error["next"]:
                sheets.paragraph(f"What to do next: {error['next']}", after=3)
        _Flow(sheets).write([*blocks_of(notebook)])
        part = path.with_suffix(".part")
        sheets.output(part)
        part.replace(path)


class _Flow:
    """Blocks one below the other; a heading stays with what follows it, and a table with its head."""

    def __init__(self, sheets: Paper) -> None:
        self.sheets = sheets

    def write(self, blocks: Sequence[Block]) -> None:
        """Write all blocks."""
        blocks = [_shown(block, self.sheets) if isinstance(block, Grid) else block for block in blocks]
        for block, following in pairwise([*blocks, None]):
            if isinstance(block, Heading):
                self._heading(block, following)
            elif isinstance(block, Text):
                self._text(block)
            elif isinstance(block, Grid):
                self._grid(block)
            elif isinstance(block, Picture):
                self._picture(block)
            elif following is not None:
                self.sheets.add_page()

    def _heading(self, heading: Heading, following: Block | None) -> None:
        size = _SIZES.get(heading.level, _SIZES[3])
        self.sheets.need(size * 0.5 + 4 + self._least(following))
        self.sheets.y += 2.5 if self.sheets.y > self.sheets.t_margin + 10 else 0
        self.sheets.section(heading.text, min(heading.level, 3) - 1 if heading.level > 1 else 0)
        self.sheets.paragraph(heading.text, size=size, bold=True, after=1)

    def _least(self, block: Block | None) -> float:
        """Give the height that a block needs at least on the page of its heading."""
        if isinstance(block, Picture):
            return self._size(block)[1] * _SMALLEST
        if isinstance(block, Grid):
            return self._kept(block)
        return 12.0

    def _text(self, text: Text) -> None:
        write = self.sheets.paragraph
        self.sheets.write_in(9)
        self.sheets.need(min(ceil(self.sheets.width_of(self.sheets.shown(text.text)) / self.sheets.epw), 5) * 5.0)
        if text.kind == "lead":
            write(text.text, size=11.5, after=2.5)
        elif text.kind == "item":
            write(f"•  {text.text}", after=0.8)
        elif text.kind in ("note", "printed"):
            write(text.text, size=8, grey=True)
        else:
            write(text.text)

    def _picture(self, picture: Picture) -> None:
        width, height = self._size(picture)
        room = self.sheets.page_break_trigger - self.sheets.y
        if room < height * _SMALLEST:
            self.sheets.add_page()
        elif room < height:
            width, height = width * room / height, room
        pixels = BytesIO(_as_pixels(picture, _SHARPNESS))
        self.sheets.image(pixels, x=self.sheets.l_margin, y=self.sheets.y, w=width, h=height)
        self.sheets.y += height + 2.5

    def _size(self, picture: Picture) -> tuple[float, float]:
        """Give the width and height of a picture in mm, no larger than a page."""
        if isinstance(picture.data, str) and (found := _SIZE_OF_SVG.search(picture.data)):
            width, height = float(found[1]), float(found[2])
        else:
            _, _, image = preload_image(self.sheets.image_cache, BytesIO(_as_pixels(picture, 1.0)))
            width, height = image.width, image.height
        room = self.sheets.page_break_trigger - self.sheets.t_margin - 20
        shrunk = min(1.0, self.sheets.epw / (width * _PIXEL), room / (height * _PIXEL))
        return width * _PIXEL * shrunk, height * _PIXEL * shrunk

    def _kept(self, grid: Grid) -> float:
        """Give the height of the part of a table that is not to be broken."""
        height = self._height(grid, self._widths(grid))
        return height if height <= _WHOLE else _BEGUN

    def _height(self, grid: Grid, widths: list[float]) -> float:
        """Give about the height of a table, from the lines that its texts take."""
        self.sheets.write_in(8)
        lines = (
            max(ceil(self.sheets.width_of(text) / (width - 2 * _CELL)) for text, width in zip(row, widths, strict=True))
            for row in (grid.headings or [""] * len(widths), *grid.rows)
        )
        return sum(max(count, 1) * _LINE + 2 * _GAP for count in lines)

    def _grid(self, grid: Grid) -> None:
        sheets, widths = self.sheets, self._widths(grid)
        sheets.need(self._kept(grid))
        sheets.write_in(8)
        sheets.set_draw_color(205)
        sheets.set_line_width(0.15)
        sheets.set_x(sheets.l_margin)
        with sheets.table(
            align="LEFT",
            width=sum(widths),
            col_widths=widths,
            text_align=["RIGHT" if is_figure else "LEFT" for is_figure in grid.figures],
            v_align="TOP",
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            line_height=_LINE,
            padding=(_GAP, _CELL, _GAP, 0),
            headings_style=FontFace(emphasis="BOLD"),
            first_row_as_headings=bool(grid.headings),
            num_heading_rows=1 if grid.headings else 0,
        ) as table:
            for cells in [grid.headings, *grid.rows] if grid.headings else grid.rows:
                table.row(cells)
        sheets.write_in(8)
        sheets.y += 3

    def _widths(self, grid: Grid) -> list[float]:
        """Give the widths of columns: those of their texts, and where it is tight the widest texts take more lines."""
        sheets = self.sheets
        columns = list(zip(*grid.rows, strict=True)) or [()] * len(grid.headings)
        sheets.write_in(8, bold=True)
        heads = [sheets.width_of(text) for text in grid.headings] or [0.0] * len(columns)
        words = [max(map(sheets.width_of, text.split()), default=0.0) for text in grid.headings] or heads
        sheets.write_in(8)
        texts = [max(map(sheets.width_of, column), default=0.0) for column in columns]
        wide = [max(pair) for pair in zip(heads, texts, strict=True)]
        least: list[float] = []
        fitted: list[float] = []
        extra = 2 * _CELL + 0.6
        room = sheets.epw - extra * len(wide)
        for narrow in _NARROW:  # headings take more lines before names do
            least = [
                max(word, text if is_figure else min(text, narrow))
                for word, text, is_figure in zip(words, texts, grid.figures, strict=True)
            ]
            caps = (room * (100 - percent) / 100 for percent in range(96))
            fits = ([max(low, min(width, cap)) for low, width in zip(least, wide, strict=True)] for cap in caps)
            fitted = next((widths for widths in fits if sum(widths) <= room), least)
            if sum(fitted) <= room:
                break
        shrunk = min(1.0, room / max(sum(fitted), 1.0))
        return [width * shrunk + extra for width in fitted]


def _as_pixels(picture: Picture, sharpness: float) -> bytes:
    return vl_convert.svg_to_png(picture.data, scale=sharpness) if isinstance(picture.data, str) else picture.data


def _shown(grid: Grid, sheets: Paper) -> Grid:
    """Give a table with texts that can be printed."""
    headings = [sheets.shown(text) for text in grid.headings]
    return Grid(headings, [[sheets.shown(text) for text in row] for row in grid.rows], grid.figures)
