"""Chooses how a selection is looked at: the view, the measure, what has a row of its own, the units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import ipywidgets as w

from wellprod.analysis.measures import BOE_RULES, KEYS, MEASURES
from wellprod.pages import parts
from wellprod.pages.views import VIEWS, Look

_BY = {"all": "All together", "field": "Each field", "well": "Each well", "group": "Each group"}
_UNITS = {"oilfield": "Oilfield: kbbl, MMscf", "metric": "Metric: Sm³"}
_BOE = {"6:1": "6 Mscf (usual)", "5.8:1": "5.8 Mscf (by energy)", "norway": "5.615 Mscf (1,000 Sm³ gas = 1 Sm³ oil)"}

TITLES: Mapping[str, Mapping[str, str]] = {
    "view": {name: view.title for name, view in VIEWS.items()},
    "measure": {name: measure.title for name, measure in MEASURES.items()},
    "by": {name: _BY[name] for name in KEYS},
    "units": _UNITS,
    "boe": {name: _BOE.get(name, name) for name in BOE_RULES},
    "log": {"0": "no", "1": "yes"},
}
"""What may be chosen, by its name in the address, with its title."""

_LABELS = {
    "view": "View",
    "measure": "Measure",
    "by": "By",
    "units": "Units",
    "boe": "Gas in a barrel of oil equivalent",
}
_FIRST = asdict(Look())


def allowed(view: str | None = None) -> dict[str, tuple[str, ...]]:
    """Give what each choice may be in a view, by its name in the address."""
    shown = VIEWS.get(view or "", VIEWS[Look().view])
    every = {name: tuple(titles) for name, titles in TITLES.items()}
    return every | {"measure": shown.measures or every["measure"], "by": shown.by or every["by"]}


class LookForm(w.VBox):
    """Only what counts in the chosen view can be chosen.

    Parameters
    ----------
    on_change
        Told when the choice is another one.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._is_filling = False
        self._lists = {
            name: w.Dropdown(options=parts.options([*TITLES[name]], TITLES[name]), description=label)
            for name, label in _LABELS.items()
        }
        self._log = w.Checkbox(value=False, description="Logarithmic scale", indent=False)
        self._about = parts.Html()
        lists = self._lists
        super().__init__(
            [
                lists["view"],
                self._about,
                parts.row(lists["measure"], lists["by"]),
                self._log,
                parts.row(lists["units"], lists["boe"]),
            ]
        )
        self.add_class("wp-look")
        self.put({})
        for part in (*lists.values(), self._log):
            part.observe(lambda _: self._changed(), "value")

    @property
    def look(self) -> Look:
        """What is chosen."""
        chosen: dict[str, Any] = {name: part.value for name, part in self._lists.items()}
        return Look(**chosen, log=self._log.value)

    @property
    def choices(self) -> dict[str, str]:
        """What is chosen as an address has it: what counts in the view and is not as it is at first."""
        view = self._view
        closed = {
            name
            for name, is_open in (("measure", view.measures), ("by", view.by), ("log", view.has_log))
            if not is_open
        }
        chosen = {name: value for name, value in asdict(self.look).items() if name not in closed}
        return {
            name: str(int(value) if name == "log" else value) for name, value in chosen.items() if value != _FIRST[name]
        }

    def put(self, choices: Mapping[str, str]) -> None:
        """Choose this, as an address has it, and for the rest what is chosen at first."""
        chosen = {**_FIRST, **choices}
        self._is_filling = True
        self._lists["view"].value = chosen["view"]
        self._offer()
        for name, part in self._lists.items():
            if chosen[name] in [value for _, value in part.options]:
                part.value = chosen[name]
        self._log.value = chosen["log"] in (True, "1")
        self._is_filling = False

    @property
    def _view(self) -> Any:
        return VIEWS[self._lists["view"].value]

    def _changed(self) -> None:
        if self._is_filling:
            return
        self._is_filling = True  # other options set the value back for a moment
        self._offer()
        self._is_filling = False
        self._on_change()

    def _offer(self) -> None:
        """Offer what counts in the view; what was chosen stays where that is possible."""
        view = self._view
        for name, offered in (("measure", view.measures), ("by", view.by)):
            part = self._lists[name]
            parts.show(part, bool(offered))
            options = parts.options(offered, TITLES[name])
            if offered and list(part.options) != options:
                kept = part.value if part.value in offered else offered[0]
                part.options, part.value = options, kept
        parts.show(self._log, view.has_log)
        self._about.put(parts.aside(view.about))
