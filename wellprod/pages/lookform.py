"""Chooses how a selection is looked at: the view, the measure, what has a line of its own, the units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import ipywidgets as w

from wellprod.analysis.measures import BOE_RULES, KEYS, MEASURES
from wellprod.pages import parts
from wellprod.pages.views import VIEWS, Look

_BY = {"all": "All together", "field": "Fields", "well": "Wells", "group": "Groups"}
_UNITS = {"oilfield": "Oilfield: kbbl, MMscf", "metric": "Metric: Sm³"}

CHOICES: Mapping[str, Mapping[str, str]] = {
    "view": {name: view.title for name, view in VIEWS.items()},
    "measure": {name: measure.title for name, measure in MEASURES.items()},
    "by": {name: _BY[name] for name in KEYS},
    "units": _UNITS,
    "boe": {name: name for name in BOE_RULES},
    "log": {"0": "", "1": ""},
}
"""What may be chosen, by its name in the address, with its title."""

_TITLES = {"view": "View", "measure": "Measure", "by": "By", "units": "Units", "boe": "Gas as oil equivalent"}


class LookForm(w.VBox):
    """Only what counts in the chosen view can be chosen.

    Parameters
    ----------
    on_change
        Told when the choice is another one.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._lists = {
            name: w.Dropdown(options=parts.options([*CHOICES[name]], CHOICES[name]), description=title)
            for name, title in _TITLES.items()
        }
        self._log = w.Checkbox(value=False, description="Logarithmic scale", indent=False)
        self._about = parts.Html()
        self.put({})
        super().__init__([parts.row(*self._lists.values()), self._log, self._about])
        self.add_class("wp-look")
        for part in (*self._lists.values(), self._log):
            part.observe(lambda _: self._changed(), "value")

    @property
    def look(self) -> Look:
        """What is chosen."""
        chosen: dict[str, Any] = {name: part.value for name, part in self._lists.items()}
        return Look(**chosen, log=self._log.value)

    @property
    def choices(self) -> dict[str, str]:
        """What is chosen as an address has it: what counts in the view and is not as it is at first."""
        look, view = asdict(self.look), VIEWS[self.look.view]
        open_ = {"view", "units", "boe", *view.options}
        first = asdict(Look())
        return {name: str(int(v) if name == "log" else v) for name, v in look.items() if name in open_ and v != first[name]}

    def put(self, choices: Mapping[str, str]) -> None:
        """Choose this, as an address has it, and for the rest what is chosen at first."""
        chosen = {**asdict(Look()), **choices}
        for name, part in self._lists.items():
            part.value = chosen[name]
        self._log.value = chosen["log"] in (True, "1")
        self._show()

    def _changed(self) -> None:
        self._show()
        self._on_change()

    def _show(self) -> None:
        view = VIEWS[self._lists["view"].value]
        for name in ("measure", "by"):
            parts.show(self._lists[name], name in view.options)
        parts.show(self._log, "log" in view.options)
        self._about.put(parts.aside(view.about))
