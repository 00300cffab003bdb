"""An executed notebook as plain blocks in their order: headings, texts, tables, pictures; what moves is left out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from nbconvert.filters import markdown2html

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_INLINE = {"a", "abbr", "b", "br", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
_PASSED_BY = {"style", "script", "button", "template"}


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of what follows; 1 is the largest."""

    text: str
    level: int


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, an item of a list, or what a program printed."""

    text: str
    kind: str = "plain"
    """``plain``, ``lead`` (the first sentence of a report), ``note``, ``item`` or ``printed``."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its headings, which may be none, its rows, and which columns hold figures."""

    headings: list[str]
    rows: list[list[str]]
    figures: list[bool]


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart: an SVG as text, or a PNG or JPEG as bytes."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class NewPage:
    """A line across, which on paper is a new page."""


Block = Heading | Text | Grid | Picture | NewPage


def blocks_of(notebook: Any) -> Iterator[Block]:
    """Give what the markdown cells say and what the code cells put out."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield from _of_html(markdown2html(cell.source))
        for output in cell.get("outputs", ()):
            yield from _of_output(output)


def _of_output(output: Any) -> Iterator[Block]:
    if output.output_type == "stream":
        yield Text(output.text.rstrip(), "printed")
    elif output.output_type == "error":
        yield Text(f"The notebook failed here: {output.ename}: {output.evalue}", "printed")
    else:
        yield from _of_data(output.data)


def _of_data(data: Any) -> Iterator[Block]:
    if svg := data.get("image/svg+xml"):
        yield Picture("".join(svg))
    elif found := next((data[kind] for kind in ("image/png", "image/jpeg") if kind in data), None):
        yield Picture(base64.b64decode(found))
    elif "text/html" in data:
        yield from _of_html("".join(data["text/html"]))
    elif "text/plain" in data and not any("widget" in kind for kind in data):
        yield Text("".join(data["text/plain"]), "printed")


def _of_html(html: str) -> Iterator[Block]:
    soup = BeautifulSoup(html, "html.parser")
    for anchor in soup.select("a.anchor-link, small:has(+ table.dataframe), table.dataframe thead tr:nth-of-type(2)"):
        anchor.decompose()
    yield from _of_children(soup)


def _of_children(parent: Tag) -> Iterator[Block]:
    """Give the blocks inside an element; a run of words and inline elements is a paragraph."""
    words: list[str] = []
    for child in parent.children:
        if isinstance(child, NavigableString) or (isinstance(child, Tag) and child.name in _INLINE):
            words.append("\n" if getattr(child, "name", None) == "br" else child.get_text())
            continue
        yield from _paragraph(words)
        words = []
        if isinstance(child, Tag) and child.name not in _PASSED_BY:
            yield from _of_element(child)
    yield from _paragraph(words)


def _paragraph(words: list[str], kind: str = "plain") -> Iterator[Text]:
    if text := " ".join("".join(words).split()):
        yield Text(text, kind)


def _of_element(element: Tag) -> Iterator[Block]:
    if level := _HEADINGS.get(element.name):
        yield Heading(_text(element), level)
    elif element.name == "table":
        yield _grid(element)
    elif element.name == "hr":
        yield NewPage()
    elif element.name == "pre":
        yield Text(element.get_text().rstrip(), "printed")
    elif element.name == "li" and not element.find(["ul", "ol", "table"]):
        yield from _paragraph([element.get_text()], "item")
    elif element.name == "p":
        kinds = set(element.get_attribute_list("class")) & {"lead", "note"}
        yield from _paragraph([element.get_text()], next(iter(kinds), "plain"))
    else:
        yield from _of_children(element)


def _grid(table: Tag) -> Grid:
    head = table.select("thead tr")
    rows = [row.find_all(["th", "td"]) for row in table.select("tbody tr") or table.find_all("tr")[len(head) :]]
    headings = [_text(cell) for cell in head[0].find_all(["th", "td"])] if head else []
    first = rows[0] if rows else []
    figures = [_is_figure(cell) for cell in first] or [False] * len(headings)
    return Grid(headings, [[_text(cell) for cell in row] for row in rows], figures)


def _is_figure(cell: Tag) -> bool:
    return "figure" in cell.get_attribute_list("class") or "right" in str(cell.get("style", ""))


def _text(element: Tag) -> str:
    return " ".join(element.get_text().split())
