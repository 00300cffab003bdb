"""Saves what is chosen as a selection with a name, and deletes saved ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import ipywidgets as w

from wellprod.analysis.saved import delete_selection, list_selections, save_selection
from wellprod.analysis.selection import Selection
from wellprod.errors import WellprodError
from wellprod.pages import parts
from wellprod.settings import Settings
from wellprod.store import Store


class Saving(w.VBox):
    """Buttons that save and delete, and the form with the name.

    Parameters
    ----------
    run
        Goes on with work beside the page.
    chosen
        Gives what is chosen now.
    on_saved
        Told the name of what was saved, or nothing when it was deleted.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        run: Callable[[Awaitable[Any]], None],
        chosen: Callable[[], Selection],
        on_saved: Callable[[str], None],
    ) -> None:
        self._folder, self._store, self._chosen, self._on_saved = settings.selections_path, store, chosen, on_saved
        self._saved: Selection | None = None
        self._message = parts.Html()
        guard = parts.guarded(self._message.put)
        self._open = parts.button("Save this selection", self._on_open)
        self._delete = parts.SureButton("Delete this selection", guard(self._on_delete))
        whole = {"continuous_update": False}  # else a click on Save may overtake the last letters
        self._name = w.Text(description="Name", placeholder="such as Campos 2024", **whole)
        self._client = w.Text(description="Client", placeholder="for whom, if you like", **whole)
        self._description = w.Text(description="Description", placeholder="what for, if you like", **whole)
        self._save = parts.button("Save", lambda: run(self._keep()), primary=True)
        self._name.observe(lambda _: self._unsure(), "value")
        self._form = parts.row(self._name, self._client, self._description, self._save)
        super().__init__([parts.row(self._open, self._delete), self._form, self._message])
        self.add_class("wp-saving")
        parts.show(self._form, False)
        self.show(None)

    def show(self, saved: Selection | None) -> None:
        """Take a saved selection, or none, as the one that is at hand."""
        if saved != self._saved:
            self._message.put("")
        self._saved = saved
        self._name.value, self._client.value, self._description.value = (
            (saved.name, saved.client, saved.description) if saved else ("", "", "")
        )
        self._delete.unsure()
        parts.show(self._delete, saved is not None)

    @property
    def _is_sure(self) -> bool:
        return bool(self._save.description != "Save")

    def _unsure(self) -> None:
        self._save.description = self._save.tooltip = "Save"

    def _on_open(self) -> None:
        closed = self._form.layout.display == "none"
        parts.show(self._form, closed)
        self._message.put("")
        if closed:
            self._name.focus()

    async def _keep(self) -> None:
        """Save, after a second click where the name is taken."""
        name, client, description = (text.value.strip() for text in (self._name, self._client, self._description))
        is_taken = any(saved.name == name for saved in list_selections(self._folder))
        if is_taken and not self._is_sure:
            self._save.description = self._save.tooltip = "Replace it"
            self._message.put(
                parts.notice("warn", f"There is a selection {name!r} already.", "Replace it, or write another name.")
            )
            return
        try:
            asked = replace(self._chosen(), name=name, client=client, description=description)
            saved = await asyncio.to_thread(self._kept, asked, is_taken)
        except WellprodError as error:
            self._message.put(parts.problem(error))
            return
        self._unsure()
        self._on_saved(saved.name)
        parts.show(self._form, False)
        self._message.put(parts.notice("good", f"The selection is saved as {saved.name!r}."))
        self._open.focus()

    def _kept(self, asked: Selection, is_taken: bool) -> Selection:
        with self._store.read() as reading:
            return save_selection(asked, self._folder, reading, replace=is_taken)

    def _on_delete(self) -> None:
        if self._saved:
            name = delete_selection(self._saved.name, self._folder)
            self._on_saved("")
            self._message.put(parts.notice("good", f"The selection {name!r} is deleted; what was exported stays."))
            self._open.focus()
