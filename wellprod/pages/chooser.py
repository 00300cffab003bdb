"""Chooses records: a saved selection, groups, fields, wells and months."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w

from wellprod.analysis.groups import groups_of
from wellprod.analysis.names import months_held
from wellprod.analysis.saved import list_selections, load_selection
from wellprod.analysis.selection import Selection
from wellprod.errors import WellprodError
from wellprod.pages import parts
from wellprod.pages.picker import Picker
from wellprod.pages.saving import Saving
from wellprod.settings import Settings
from wellprod.store import Store

_SEVERAL = ("fields", "wells", "groups")


class Chooser(w.VBox):
    """Groups, fields and wells by name, months; filled by a saved selection, and saved as one.

    Parameters
    ----------
    run
        Goes on with work beside the page.
    on_change
        Told when the choice is another one.
    tell
        Shows an error, or takes it away.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        run: Callable[[Awaitable[Any]], None],
        on_change: Callable[[], None],
        tell: Callable[[Exception | None], None],
    ) -> None:
        self._settings, self._store, self._on_change, self._tell = settings, store, on_change, tell
        self._saved: Selection | None = None
        self._filling = False
        self._pickers = {kind: Picker(kind[:-1], store, run, self._changed, tell) for kind in _SEVERAL}
        self._name = w.Dropdown(description="Saved selection")
        self._first, self._last = w.Dropdown(description="First month"), w.Dropdown(description="Last month")
        self._about, self._wrong = parts.Html(), parts.Html()
        self._saving = Saving(settings, store, run, lambda: self._chosen, self._on_saved)
        self._offer_months([])
        super().__init__(
            [
                parts.row(self._name, self._first, self._last),
                self._about,
                parts.row(*self._pickers.values()),
                self._saving,
                self._wrong,
            ]
        )
        self.add_class("wp-chooser")
        self.refresh()
        self._name.observe(lambda _: self._on_name(), "value")
        for month in (self._first, self._last):
            month.observe(lambda _: self._changed(), "value")

    @property
    def selection(self) -> Selection:
        """What is chosen; with the name of the saved selection while fields and wells are those of it.

        Raises
        ------
        SelectionError
            The last month lies before the first.
        """
        chosen, saved = self._chosen, self._saved
        if saved is None or not _same(chosen, saved):
            return chosen
        return replace(chosen, name=saved.name, description=saved.description, client=saved.client)

    @property
    def _chosen(self) -> Selection:
        fields, wells, groups = (self._pickers[kind].chosen for kind in _SEVERAL)
        return Selection(fields, wells, self._first.value or None, self._last.value or None, groups=groups)

    def refresh(self) -> None:
        """Offer the selections that are saved now."""
        found = list_selections(self._settings.selections_path)
        names = [saved.name for saved in found if saved.selection]
        if list(self._name.options) != (options := [("None", ""), *((name, name) for name in names)]):
            kept = self._name.value if self._name.value in names else ""
            self._filling = True  # new options set the value back for a moment
            self._name.options, self._name.value = options, kept
            self._filling = False
            if self._saved and not kept:
                self._on_name()
        wrong = [str(saved.problem) for saved in found if saved.problem]
        self._wrong.put("".join(parts.notice("warn", problem) for problem in wrong))

    async def offer_months(self) -> bool:
        """Offer the months that the store has now, and keep those that were chosen; tell whether there are any.

        Raises
        ------
        WellprodError
            The store cannot be read.
        """
        months, has_groups = await asyncio.to_thread(self._held)
        self._offer_months(months)
        parts.show(self._pickers["groups"], has_groups or bool(self._pickers["groups"].chosen))
        return bool(months)

    def _held(self) -> tuple[list[str], bool]:
        with self._store.read() as reading:
            return months_held(reading), bool(groups_of(reading).groups)

    def _offer_months(self, months: list[str], **chosen: str) -> None:
        first, last = chosen.get("first", self._first.value or ""), chosen.get("last", self._last.value or "")
        known = sorted({*months, *(month for month in (first, last) if month)})
        self._months = months
        self._first.options = [("From the beginning", ""), *((month, month) for month in known)]
        self._last.options = [("To the end", ""), *((month, month) for month in reversed(known))]
        self._first.value, self._last.value = first, last

    def _on_name(self) -> None:
        """Fill the choice with the saved selection; with none, leave it as it is."""
        if self._filling:
            return
        self._saved = None
        try:
            saved = load_selection(self._name.value, self._settings.selections_path) if self._name.value else None
        except WellprodError as error:  # somebody else has just changed its file
            self._tell(error)
            return
        self._saving.show(saved)
        if saved:
            self._fill(saved)
        self._saved = saved
        self._changed()

    def put(self, selection: Selection) -> None:
        """Choose this; where it has the name of a saved selection, as that one."""
        if selection.name in [name for _, name in self._name.options]:
            self._name.value = selection.name
        self._fill(selection)
        self._changed()

    def _fill(self, selection: Selection) -> None:
        first, last = ((month or "")[:7] for month in (selection.first_month, selection.last_month))
        self._offer_months(self._months, first=first, last=last)
        for kind, picker in self._pickers.items():
            picker.put(getattr(selection, kind))

    def _on_saved(self, name: str) -> None:
        """Take what has just been saved, or nothing after it was deleted, as the chosen one."""
        self._filling = True
        self.refresh()
        self._name.value = name
        self._filling = False
        self._on_name()

    def _changed(self) -> None:
        self._about.put(self._told())
        self._on_change()

    def _told(self) -> str:
        saved = self._saved
        if saved is None:
            return ""
        about = " · ".join(text for text in (saved.description, f"For {saved.client}" if saved.client else "") if text)
        try:
            is_same = _same(self._chosen, saved)
        except WellprodError:  # of the months, which the preview tells
            is_same = True
        changed = "" if is_same else "Changed: without its name until it is saved again."
        return parts.aside(" ".join(text for text in (about, changed) if text))


def _same(one: Selection, other: Selection) -> bool:
    return all(set(getattr(one, kind)) == set(getattr(other, kind)) for kind in _SEVERAL)
