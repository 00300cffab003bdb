"""The PDF of a run: what its notebook says and shows, on A4 pages to print and to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import vl_convert
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from fpdf.image_parsing import preload_image

from wellprod.paper import Paper, paper
from wellprod.reports.blocks import Block, Grid, Heading, NewPage, Picture, Text, blocks_of

_SIZES = {1: 17.0, 2: 12.5, 3: 10.5}  # points of headings; deeper ones as the last
_LINE = 4.1  # mm of a row of a table
_CELL = 1.2  # mm at each side of a cell
_PIXEL = 25.4 / 110  # mm of a pixel of a chart, so that its texts are as large as those around it
_WHOLE = 16  # rows of a table that is kept on one page
_BEGUN = 5  # rows that a longer one has on the page where it begins
_SHARPNESS = 3.0  # pixels of a printed chart for each of its own


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
        self.sheets.need(size * 0.6 + self._least(following))
        self.sheets.y += 2.5 if self.sheets.y > self.sheets.t_margin + 10 else 0
        self.sheets.section(heading.text, min(heading.level, 3) - 1 if heading.level > 1 else 0)
        self.sheets.paragraph(heading.text, size=size, bold=True, after=1)

    def _least(self, block: Block | None) -> float:
        """Give the height that a block needs at least on the page of its heading."""
        if isinstance(block, Picture):
            return self._sized(block)[2]
        if isinstance(block, Grid):
            return self._kept(block)
        return 12.0

    def _text(self, text: Text) -> None:
        write = self.sheets.paragraph
        if text.kind == "lead":
            write(text.text, size=11.5, after=2.5)
        elif text.kind == "item":
            write(f"•  {text.text}", after=0.8)
        elif text.kind in ("note", "printed"):
            write(text.text, size=8, grey=True)
        else:
            write(text.text)

    def _picture(self, picture: Picture) -> None:
        data, width, height = self._sized(picture)
        self.sheets.need(height)
        self.sheets.image(BytesIO(data), x=self.sheets.l_margin, y=self.sheets.y, w=width, h=height)
        self.sheets.y += height + 2.5

    def _sized(self, picture: Picture) -> tuple[bytes, float, float]:
        """Give a picture as a PNG, with its width and height in mm, no larger than a page."""
        is_drawn = isinstance(picture.data, str)
        data = vl_convert.svg_to_png(picture.data, scale=_SHARPNESS) if isinstance(picture.data, str) else picture.data
        _, _, size = preload_image(self.sheets.image_cache, BytesIO(data))
        pixel = _PIXEL / _SHARPNESS if is_drawn else _PIXEL
        room = self.sheets.page_break_trigger - self.sheets.t_margin - 20
        shrunk = min(1.0, self.sheets.epw / (size.width * pixel), room / (size.height * pixel))
        return data, size.width * pixel * shrunk, size.height * pixel * shrunk

    def _kept(self, grid: Grid) -> float:
        """Give the height of the part of a table that is not to be broken."""
        rows = len(grid.rows) if len(grid.rows) <= _WHOLE else _BEGUN
        return (rows + 2) * (_LINE + 1)

    def _grid(self, grid: Grid) -> None:
        sheets = self.sheets
        headings = [sheets.shown(text) for text in grid.headings]
        rows = [[sheets.shown(text) for text in row] for row in grid.rows]
        sheets.need(self._kept(grid))
        sheets.write_in(8)
        widths = self._widths(headings, rows, grid.figures)
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
            padding=(0.4, _CELL, 0.4, 0),
            headings_style=FontFace(emphasis="BOLD"),
            first_row_as_headings=bool(headings),
            num_heading_rows=1 if headings else 0,
        ) as table:
            for cells in [headings, *rows] if headings else rows:
                table.row(cells)
        sheets.write_in(8)
        sheets.y += 3

    def _widths(self, headings: list[str], rows: list[list[str]], figures: list[bool]) -> list[float]:
        """Give the widths of columns: as wide as their texts, and the widest text columns narrower where it is tight."""
        sheets = self.sheets
        lines = [[sheets.width_of(text) for text in column] for column in zip(*rows, strict=True)]
        sheets.write_in(8, bold=True)
        heads = [sheets.width_of(text) for text in headings] or [0.0] * len(figures)
        longest = [max(map(sheets.width_of, text.split()), default=0.0) for text in headings] or heads
        sheets.write_in(8)
        wide = [max([head, *column]) for head, column in zip(heads, lines or [[]] * len(heads), strict=True)]
        least = [
            max([word, *column]) if is_figure else max(word, 14.0)
            for word, column, is_figure in zip(longest, lines or [[]] * len(heads), figures, strict=True)
        ]
        extra = 2 * _CELL + 0.6
        room = sheets.epw - extra * len(wide)
        caps = (room * (100 - percent) / 100 for percent in range(96))
        fits = ([max(low, min(width, cap)) for low, width in zip(least, wide, strict=True)] for cap in caps)
        fitted = next((widths for widths in fits if sum(widths) <= room), least)
        shrunk = min(1.0, room / max(sum(fitted), 1.0))
        return [width * shrunk + extra for width in fitted]
