"""Finds fields, wells or groups by their names, and keeps those that were chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import ipywidgets as w

from wellprod.analysis.names import find_names
from wellprod.analysis.selection import Selection
from wellprod.errors import WellprodError
from wellprod.pages import parts
from wellprod.store import Reading, Store
from wellprod.text import number

SETTLE_SECONDS = 0.3
"""How long a choice must stay as it is before the store is asked."""

_MOST_MATCHES = 50
_MOST_SHOWN = 20


class Picker(w.VBox):
    """A search by name and code, the matches, and the chosen ones as buttons that take themselves out.

    Parameters
    ----------
    kind
        ``field``, ``well`` or ``group``.
    run
        Goes on with work beside the page.
    on_change
        Told when something was chosen or taken out.
    tell
        Shows an error, or takes it away.
    """

    def __init__(
        self,
        kind: str,
        store: Store,
        run: Callable[[Awaitable[Any]], None],
        on_change: Callable[[], None],
        tell: Callable[[Exception | None], None],
    ) -> None:
        self._kind, self._store, self._run, self._on_change, self._tell = kind, store, run, on_change, tell
        self._chosen: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._asked = 0
        self._search = w.Text(description=f"Search {kind}s", placeholder="part of a name or a code")
        self._found = w.SelectMultiple(description=f"Matching {kind}s", rows=5)
        self._add = parts.button(f"Add {kind}", lambda: run(self._choose(self._found.value)))
        self._picked = w.Box()
        self._picked.add_class("wp-row")
        self._search.observe(lambda _: self._on_search(), "value")
        super().__init__([self._search, self._found, self._add, self._picked])
        self.add_class("wp-picker")
        for part in (self._found, self._add):
            parts.show(part, False)

    @property
    def chosen(self) -> tuple[str, ...]:
        """What was chosen, as a selection takes it."""
        return tuple(self._chosen)

    def put(self, chosen: Iterable[str]) -> None:
        """Choose these, as a selection has them, in place of what was chosen."""
        self._chosen = {selector: self._chosen.get(selector, selector) for selector in chosen}
        self._show_picked()

    def _on_search(self) -> None:
        self._asked += 1
        self._run(self._show_matches(self._asked, self._search.value.strip()))

    async def _show_matches(self, asked: int, text: str) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        if asked != self._asked:
            return
        found: list[tuple[str, str, str]] = []
        try:
            found = await asyncio.to_thread(self._looked_up, text) if text else []
            self._tell(None)
        except WellprodError as error:
            self._tell(error)
        if asked == self._asked:
            self._names = {code: name for _, code, name in found}
            self._found.value = ()
            self._found.options = [(title, code) for title, code, _ in found]
            matching = f"Matching {self._kind}s" + (", the first" if len(found) == _MOST_MATCHES else "")
            self._found.description = matching if found or not text else f"No {self._kind} matches"
            for part in (self._found, self._add):
                parts.show(part, bool(text))

    def _looked_up(self, text: str) -> list[tuple[str, str, str]]:
        """Give title, code and name of what matches."""
        with self._store.read() as reading:
            rows = find_names(reading, self._kind, text, limit=_MOST_MATCHES).iter_rows(named=True)
        return [(_titled(row["name"], row["context"], row["code"]), row["code"], row["name"]) for row in rows]

    async def _choose(self, codes: Iterable[str]) -> None:
        titles = {code: title for title, code in self._found.options}
        try:
            selectors = await asyncio.to_thread(self._selectors, {code: self._names[code] for code in codes})
        except WellprodError as error:
            self._tell(error)
            return
        self._chosen |= {selector: titles[code] for code, selector in selectors.items()}
        self._search.value = ""
        self._show_picked()

    def _selectors(self, names: dict[str, str]) -> dict[str, str]:
        with self._store.read() as reading:
            return {code: selector(reading, self._kind, name, code) for code, name in names.items()}

    def _drop(self, selector: str) -> None:
        self._chosen.pop(selector, None)
        self._show_picked()

    def _show_picked(self, *, every: bool = False) -> None:
        def out(selector: str, title: str) -> w.Button:
            return parts.button(f"{title} ✕", lambda: self._drop(selector), hint=f"Take {title} out")

        shown = list(self._chosen.items())[: None if every else _MOST_SHOWN]
        buttons = [out(selector, title) for selector, title in shown]
        if left := len(self._chosen) - len(shown):
            buttons.append(parts.button(f"Show {number(left)} more", lambda: self._show_picked(every=True)))
        if len(shown) > 1:
            buttons.append(parts.button(f"Take all {self._kind}s out", lambda: self.put(())))
        self._picked.children = buttons
        self._on_change()


def selector(reading: Reading, kind: str, name: str, code: str) -> str:
    """Give the name where it stands for this code alone, of whichever data sources, else the code."""
    if kind == "group":
        return name
    named = Selection(fields=(name,)) if kind == "field" else Selection(wells=(name,))
    try:
        _, values = named.condition(reading)
        return name if {value for value in values if isinstance(value, int)} == {int(code)} else code
    except WellprodError:
        return code


def _titled(name: str, context: str | None, code: str) -> str:
    rest = " · ".join(part for part in (context, code) if part and part != name)
    return f"{name} ({rest})" if rest else name
