"""The explore page: choose records, see them as a chart, as key figures and as a table, and hand the address on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

import ipywidgets as w

from wellprod.analysis.selection import Selection
from wellprod.errors import SelectionError, StoreMissing, WellprodError
from wellprod.jobs import Ledger
from wellprod.pages import parts
from wellprod.pages.address import read_address, write_address
from wellprod.pages.asking import Asking
from wellprod.pages.chooser import Chooser
from wellprod.pages.drawing import Drawing, program
from wellprod.pages.figures import key_figures
from wellprod.pages.lookform import LookForm, allowed
from wellprod.pages.picker import selector
from wellprod.pages.views import VIEWS, Look
from wellprod.pages.watch import watch_jobs
from wellprod.settings import Settings, load_settings, page_query
from wellprod.store import Reading, Store
from wellprod.text import number

if TYPE_CHECKING:
    from wellprod.pages.declining import Well
    from wellprod.pages.seeing import Seen

_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store says of a choice: the key figures, what the view shows, and its chart."""

    figures: dict[str, str]
    seen: Seen
    spec: dict[str, Any] = field(default_factory=dict)


class ExplorePage(parts.Page):
    """Shows a selection in one of several views; it changes nothing.

    Parameters
    ----------
    query
        What is chosen first, as an address has it, such as ``field=Tupi&by=well``; None for that of the page.
    """

    def __init__(self, query: str | None = None, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._store = store = Store(self.settings.store_path, self.settings.store_wait_seconds)
        self._asking = Asking(store)
        self._wrong, self._message, self._heading, self._state, self._figures, self._link = (
            parts.Html() for _ in range(6)
        )
        self._link.add_class("wp-address")
        self._form = LookForm(self._look)
        self._chooser = Chooser(self.settings, store, self.run, self._look, self._tell)
        self._drawing = Drawing()
        self._wells = parts.row()
        self._again = parts.button("Try again", lambda: self.run(self._open()))
        self._offered: object = None
        self._is_open = False
        self._choice = w.VBox(
            [
                parts.section("Show", self._form),
                parts.section("Of what", self._chooser, self._message, lead="Without a choice, all wells."),
            ]
        )
        self._choice.add_class("wp-choice")
        self._seen = w.VBox([self._figures, self._drawing])
        self._seen.add_class("wp-seen")
        shown = w.VBox([self._heading, self._state, self._again, self._wells, self._seen, self._link])
        shown.add_class("wp-section")
        both = w.Box([self._choice, shown])
        both.add_class("wp-explore")
        super().__init__(self._wrong, both)
        for part in (self._choice, self._seen, self._wells, self._again):
            parts.show(part, False)
        query = page_query() if query is None else query
        view = dict(parse_qsl(query)).get("view")
        asked = read_address(query, allowed(view), self.settings.selections_path)
        self._others, self._problems, self._first_query = asked.others, asked.problems, ""
        self._form.put(asked.choices)
        self._chooser.put(asked.selection)
        self._wrong.put("".join(parts.problem(error) for error in asked.problems))
        ledger = Ledger(self.settings.jobs_path)
        self.run(watch_jobs(ledger, lambda: self._on_jobs(ledger), self._tell))

    def _tell(self, error: Exception | None) -> None:
        self._message.put(parts.problem(error) if error else "")

    def _on_jobs(self, ledger: Ledger) -> bool:
        """Look again when an import has ended."""
        ended = [job.job_id for job in ledger.jobs(kind="import", limit=20) if not job.is_active][:1]
        if ended != self._offered:
            self._offered = ended
            self.run(self._open())
        self._chooser.refresh()
        return False

    async def _open(self) -> None:
        """Offer the months that the store has now, and show what is chosen of it."""
        try:
            self._is_open = await self._chooser.offer_months()
        except StoreMissing:
            self._is_open = False
        except WellprodError as error:
            self._refuse(error)
            return
        parts.show(self._choice, self._is_open)
        if self._is_open:
            self._look()
        else:
            first = f" {parts.link(self.settings, 'wellprod/import', 'Import a feed or a file')} first."
            self._put(parts.notice("info", "The store is empty: there is nothing to explore yet.", markup=first))

    def _look(self) -> None:
        """Show what is chosen, once the choice has settled."""
        if self._is_open:
            self.run(self._show())

    async def _show(self) -> None:
        look = self._form.look
        try:
            selection = self._chooser.selection
            self._show_address(selection)
            self._busy(look, selection)
            found = await self._asking.ask(lambda reading: _looked_up(reading, selection, look), _drawn)
            if found is None:  # something else was asked meanwhile
                return
            if found == "none":
                none = parts.notice("warn", "No record is in this selection.", "Choose other months, fields or wells.")
                self._put(none)
                return
            if found.seen.wells:
                self._offer_wells(found)
                return
        except Exception as error:
            self._refuse(error)
            return
        self._figures.put("".join(parts.facts(pairs) for pairs in (found.figures, found.seen.facts) if pairs))
        self._drawing.show(found.spec, found.seen.table, VIEWS[look.view].title, f"wellprod_{look.view}")
        self._put("", seen=True)

    def _offer_wells(self, found: _Found) -> None:
        """Let one well be chosen, where a view is of one."""
        self._figures.put(parts.facts(found.figures))
        self._wells.children = [
            parts.button(well.title, partial(self._on_well, well), hint=f"Show {well.title}")
            for well in found.seen.wells
        ]
        self._put(
            parts.notice("info", "This view is of one well.", "Choose one of the largest, or search for another."),
            wells=True,
        )

    def _on_well(self, well: Well) -> None:
        self.run(self._choose(well))

    async def _choose(self, well: Well) -> None:
        try:
            chosen = self._chooser.selection
            given = await asyncio.to_thread(self._selector, well)
        except WellprodError as error:
            self._refuse(error)
            return
        self._chooser.put(replace(chosen, wells=(given,), name="", description="", client=""))

    def _selector(self, well: Well) -> str:
        with self._store.read() as reading:
            return selector(reading, "well", well.name, well.code)

    def _busy(self, look: Look, selection: Selection) -> None:
        self._heading.put(f"<h2>{escape(VIEWS[look.view].title)}</h2>{parts.aside(_named(selection))}")
        self._state.put(parts.bar(None, "Reading the store"))

    def _refuse(self, error: Exception) -> None:
        self._asking.stop()
        self._put(parts.problem(error), again=not isinstance(error, SelectionError))

    def _put(self, state: str, *, seen: bool = False, wells: bool = False, again: bool = False) -> None:
        self._state.put(state)
        parts.show(self._seen, seen)
        parts.show(self._wells, wells)
        parts.show(self._again, again)

    def _show_address(self, selection: Selection) -> None:
        """Say the address of what is chosen, so that the browser has it and people can hand it on."""
        try:
            query = write_address(selection, self._form.choices, self._others)
        except SelectionError as error:
            self._link.put(parts.problem(error))
            return
        self._first_query = self._first_query or query
        if self._problems and query != self._first_query:  # what was wrong in the address is no longer in it
            self._problems = ()
            self._wrong.put("")
        shared = write_address(selection, self._form.choices)
        own = write_address(selection, {})
        page = parts.address(self.settings, "wellprod/explore", shared)
        self._link.put(
            f"<div data-wellprod-query='{escape(query, quote=True)}'>"
            f"{parts.copied(page, 'The address of what you see, to hand on', href=page)}</div>"
            f"{parts.code(f'open_page(ExplorePage, {shared!r})', 'What you see, as a line of a notebook')}"
            f"<p>{parts.link(self.settings, 'wellprod/download', 'Download the records themselves', query=own)}</p>"
        )


def _looked_up(reading: Reading, selection: Selection, look: Look) -> _Found | None:
    figures = key_figures(reading, selection, look.units, look.boe)
    if not figures:
        return None
    from wellprod.pages.seeing import see  # here, in a thread: altair and scipy take as long to load as all the rest

    return _Found(figures, see(reading, selection, look))


def _drawn(found: _Found | None) -> _Found | Literal["none"]:
    if found is None:
        return "none"
    program()
    return replace(found, spec=found.seen.draw().to_dict())


def _named(selection: Selection) -> str:
    """Say which records are shown, in a line."""
    several = {"groups": selection.groups, "fields": selection.fields, "wells": selection.wells}
    told = [selection.name] if selection.name else []
    for kind, names in several.items():
        if names and not selection.name:
            more = f" and {number(len(names) - _NAMED)} more {kind}" if len(names) > _NAMED else ""
            told.append(", ".join(names[:_NAMED]) + more)
    return " · ".join([*(told or ["All wells"]), selection.months or "all months"])
