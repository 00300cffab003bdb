"""What the pages are built from: sections, notices, facts and tables, all text escaped, labels tied to their inputs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from html import escape
from importlib import resources
from typing import Any, Literal
from urllib.parse import quote

import ipywidgets as w
import polars as pl

from wellprod.errors import WellprodError, redact
from wellprod.settings import Settings
from wellprod.text import heading, number

Kind = Literal["good", "bad", "warn", "info"]
_WORDS = {"good": "Done", "bad": "Problem", "warn": "Note", "info": ""}
_LONG = " class='wp-long'"
_RESUME = r"wellprod jobs resume [\w-]+"
_BUTTONS = {
    rf"[Tt]hen go on with: {_RESUME}; or take the feed as it is with: {_RESUME} --accept-drift": (
        "Then resume, or accept the changes."
    ),
    rf"accept it with: {_RESUME} --accept-restatements": "accept the changes below",
    rf"[Gg]o on with: {_RESUME}": "Resume goes on from there.",
}
"""The commands in a message, and what the buttons below it do instead."""


class Html(w.HTML):
    """Markup that is sent to the browser only when it changes."""

    value: str

    def put(self, markup: str) -> None:
        """Show `markup`."""
        if self.value != markup:
            self.value = markup


class Page(w.VBox):
    """One page: its style, its sections, and the tasks that keep it alive while it is open."""

    def __init__(self, *sections: w.Widget) -> None:
        style = resources.files(__package__).joinpath("style.css").read_text("utf-8")
        self._failure = Html()
        here = w.Button(description="Show this page as it is now")  # wellprod.js presses it
        here.add_class("wp-here")
        here.on_click(lambda _: send_again(self))
        super().__init__([w.HTML(f"<style>{style}</style>"), self._failure, *sections, here])
        self.add_class("wp-page")
        self._tasks: set[asyncio.Future[Any]] = set()

    def run(self, work: Awaitable[Any]) -> None:
        """Go on with `work` beside the page; what goes wrong in it is told on top of the page."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failure.put(problem(error))


def send_again(widget: w.Widget) -> None:
    """Send a widget and all that is in it to the browser once more, but for what people may have typed meanwhile.

    A page under Voila asks for the widgets as they are, then makes its own of them; what changes in between never
    gets there, because there is nobody to take it.
    """
    typed = set() if isinstance(widget, w.HTML) else {"value", "index"}
    widget.send_state(set(widget.keys) - typed)
    inner = [*getattr(widget, "children", ()), getattr(widget, "layout", None)]
    for part in inner:
        if isinstance(part, w.Widget):
            send_again(part)


def open_page(page: Callable[..., Page], *query: str) -> Page:
    """Give a page; where a setting or a profile is wrong, one that says which and what to do.

    A page that keeps its choice in an address takes the `query` of one.
    """
    try:
        return page(*query)
    except WellprodError as error:
        return Page(section("This page cannot be opened", w.HTML(problem(error))))


def section(title: str, *parts: w.Widget, lead: str = "") -> w.VBox:
    """Give a card with a heading."""
    head = w.HTML(f"<h2>{escape(title)}</h2>" + (f"<p class='wp-aside'>{escape(lead)}</p>" if lead else ""))
    card = w.VBox([head, *parts])
    card.add_class("wp-section")
    return card


def row(*parts: w.Widget) -> w.Box:
    """Give parts side by side, below one another where the window is narrow."""
    box = w.Box(list(parts))
    box.add_class("wp-row")
    return box


def button(text: str, on_click: Callable[[], None], *, primary: bool = False, hint: str = "") -> w.Button:
    """Give a button that says in words what it does."""
    made = w.Button(description=text, tooltip=hint or text)
    made.add_class("wp-act")
    if primary:
        made.add_class("wp-primary")
    made.on_click(lambda _: on_click())
    return made


class SureButton(w.Button):
    """A button that asks once more before it acts."""

    def __init__(self, text: str, on_sure: Callable[[], None], *, hint: str = "") -> None:
        self._text = text
        super().__init__(description=text, tooltip=hint or text)
        self.add_class("wp-act")
        self._on_sure = on_sure
        self.on_click(lambda _: self._clicked())

    def unsure(self) -> None:
        """Ask again at the next click."""
        self.description = self._text

    def _clicked(self) -> None:
        if self.description == self._text:
            self.description = f"{self._text.partition(' ')[0]} for good?"
            return
        self.unsure()
        self._on_sure()


def show(widget: w.Widget, visible: bool) -> None:
    """Show a widget or take it away."""
    display = None if visible else "none"
    if widget.layout.display != display:
        widget.layout.display = display


def notice(kind: Kind, text: str, next: str = "", *, markup: str = "") -> str:
    """Give a message: what happened and what to do next; `markup` is added as it is."""
    word = f"<strong>{_WORDS[kind]}:</strong> " if _WORDS[kind] else ""
    then = f" <span class='wp-next'>{escape(next)}</span>" if next else ""
    role = "alert" if kind == "bad" else "status"
    return f"<div class='wp-notice wp-{kind}' role='{role}'>{word}{escape(text)}{then}{markup}</div>"


def aside(text: str) -> str:
    """Give a line that explains; nothing for no text."""
    return f"<p class='wp-aside wp-long-text'>{escape(text)}</p>" if text else ""


def copied(address: str, about: str, *, href: str) -> str:
    """Give an address in a field to copy from, and what it is.

    On our own pages there is a button too, and `href` is told with the host that the reader sees the page under.
    """
    shown, own = escape(address, quote=True), escape(href, quote=True)
    return (
        f"<div class='wp-copy'><label>{escape(about)}"
        f"<input type='text' readonly value='{shown}' data-wellprod-address='{own}'></label>"
        "<button type='button' class='wp-act' data-wellprod-copy>Copy</button></div>"
    )


def code(line: str, about: str) -> str:
    """Give a line of Python in a field to copy from; only where there are notebooks to copy it to."""
    shown = escape(line, quote=True)
    field = f"<label>{escape(about)}<input type='text' readonly value='{shown}'></label>"
    return f"<div class='wp-copy wp-in-lab'>{field}</div>"


def error_notice(error: Mapping[str, Any]) -> str:
    """Give the message of an error as a job row or `WellprodError.as_dict` has it."""
    page = f"Page {number(error['failed_page'])}: " if error.get("failed_page") else ""
    next = str(error.get("next") or "")
    for said, shown in _BUTTONS.items():
        next = re.sub(said, shown, next)
    return notice("bad", f"{page}{error['message']}", next)


def problem(error: BaseException) -> str:
    """Give the message of any error, without a secret."""
    if isinstance(error, WellprodError):
        return error_notice(error.as_dict())
    text = redact(f"{type(error).__name__}: {error}")
    return notice("bad", text, "Reload the page; if it comes again, report it.")


def badge(kind: Kind, text: str) -> str:
    """Give a word that stands out."""
    return f"<span class='wp-badge wp-{kind}'>{escape(text)}</span>"


def scroll(markup: str, label: str) -> str:
    """Give markup that scrolls sideways inside its card, by the keyboard too."""
    return f"<div class='wp-scroll' tabindex='0' role='region' aria-label='{escape(label, quote=True)}'>{markup}</div>"


def address(settings: Settings, path: str, query: str = "") -> str:
    """Give the address of a path of the server's own, without its host."""
    return f"{settings.server_path.rstrip('/')}/{quote(path)}{f'?{query}' if query else ''}"


def link(settings: Settings, path: str, text: str, *, query: str = "", attributes: str = "") -> str:
    """Give a link to a path of the server's own."""
    href = escape(address(settings, path, query), quote=True)
    return f"<a class='wp-link' href='{href}'{attributes}>{escape(text)}</a>"


def facts(pairs: Mapping[str, str]) -> str:
    """Give names with their values."""
    items = "".join(
        f"<div{_LONG if len(value) > 24 else ''}><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in pairs.items()
    )
    return f"<dl class='wp-facts'>{items}</dl>"


def table(frame: pl.DataFrame, caption: str) -> str:
    """Give a frame as a table with its caption; figures to the right, null as a dash, units in the heading."""
    digits = [_digits(column) for column in frame]
    figures = [kind.is_numeric() and not name.endswith("_code") for name, kind in frame.schema.items()]
    head = "".join(
        f"<th scope='col'{_right(right)}>{_heading(name)}</th>"
        for name, right in zip(frame.columns, figures, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_right(right)}>{_cell(value, places)}</td>"
            for value, right, places in zip(values, figures, digits, strict=True)
        )
        + "</tr>"
        for values in frame.iter_rows()
    )
    return scroll(
        f"<table class='wp-table'><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        caption,
    )


def details(summary: str, markup: str) -> str:
    """Give markup that opens when its summary is chosen."""
    return f"<details class='wp-details'><summary>{escape(summary)}</summary>{markup}</details>"


def bar(percentage: float | None, label: str) -> str:
    """Give a progress bar; without a percentage one that only says that something goes on."""
    value = "" if percentage is None else f" value='{percentage:g}'"
    share = "" if percentage is None else f"<span class='wp-share'>{percentage:.0f} %</span>"
    return (
        f"<div class='wp-progress'><progress max='100'{value} aria-label='{escape(label, quote=True)}'></progress>"
        f"{share}</div>"
    )


def guarded(tell: Callable[[str], None]) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Make what a button does tell its errors on the page, where else only the kernel would know."""

    def wrap(act: Callable[[], None]) -> Callable[[], None]:
        @wraps(act)
        def acted() -> None:
            try:
                act()
            except Exception as error:
                tell(problem(error))

        return acted

    return wrap


def options(names: Sequence[str], titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Give the choices of a list: titles with the names that they stand for."""
    return [(titles.get(name, name), name) for name in names]


def _right(figures: bool) -> str:
    return " class='wp-figure'" if figures else ""


def _heading(name: str) -> str:
    words, unit = heading(name)
    return f"{escape(words)} <small>{unit}</small>" if unit else escape(words)


def _digits(column: pl.Series) -> int:
    """Give the decimal places that a column needs, three at most."""
    values = column.drop_nulls()
    return next((d for d in range(3) if (values.round(d) == values).all()), 3) if column.dtype.is_float() else 0


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "<span class='wp-null' aria-label='not reported'>–</span>"
    return number(value, digits) if isinstance(value, float) else escape(str(value))
