"""A measure: its name, columns and units, and the SQL that a decorated function gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any

import polars as pl

from wellprod.analysis.measures.months import Months, Phase, Sql
from wellprod.analysis.measures.owners import By
from wellprod.analysis.measures.table import tabulate
from wellprod.analysis.measures.units import Quantity, Units
from wellprod.analysis.selection import Selection
from wellprod.store import Reading

_TITLES: dict[Phase, str] = {
    "oil": "oil",
    "gas": "gas",
    "liquids": "liquids",
    "water": "water",
    "boe": "oil equivalent",
}
_PARTS = re.compile(r"^(Formula|Null|Source): ", re.MULTILINE)


@dataclass(frozen=True)
class Measure:
    """A figure of each month, for wells, fields, groups or all of them.

    Parameters
    ----------
    name
        What `table` knows it by.
    title
        What people read.
    quantity
        What it is of, which gives its units.
    sql
        Gives its SQL over the sums of a month, in oilfield units.
    about
        What it says, with its formula, null rule and source, one below the other.
    stem
        How its column begins, where that is not its name.
    """

    name: str
    title: str
    quantity: Quantity
    sql: Sql = field(repr=False)
    about: str = field(repr=False)
    stem: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "__doc__", self.about)

    def __call__(
        self,
        reading: Reading,
        selection: Selection | None = None,
        *,
        by: By = "all",
        units: Units = "oilfield",
        boe: str = "6:1",
    ) -> pl.DataFrame:
        """Give its table, as `measures.table` does for several."""
        return tabulate(reading, selection, {self.column(units): self}, by=by, units=units, boe=boe)

    def column(self, units: Units = "oilfield") -> str:
        """Give the name of its column, with the unit at the end."""
        return "_".join(filter(None, (self.stem or self.name, self.quantity.ending(units))))

    def unit(self, units: Units = "oilfield") -> str:
        """Give its unit as people read it; nothing for a count."""
        return self.quantity.told(units)

    @property
    def told(self) -> dict[str, str]:
        """What it says, and its `Formula`, `Null` rule and `Source`, each on its own."""
        first, *parts = (" ".join(part.split()) for part in _PARTS.split(self.about))
        return {"": first, **dict(zip(parts[::2], parts[1::2], strict=True))}

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod measures --list --json` prints it."""
        systems: tuple[Units, ...] = ("oilfield", "metric")
        columns = {units: {"column": self.column(units), "unit": self.unit(units)} for units in systems}
        said = {name.lower() or "about": text for name, text in self.told.items()}
        return {"name": self.name, "title": self.title, **columns, **said}


MEASURES: dict[str, Measure] = {}
"""Every measure by its name."""


def measure(quantity: Quantity, title: str, stem: str = "") -> Callable[[Sql], Measure]:
    """Make a measure of the function that gives its SQL: its name and docstring are the measure's."""

    def made(function: Sql) -> Measure:
        name: str = getattr(function, "__name__")  # noqa: B009 a plain callable need not have one, to mypy
        return _kept(Measure(name, title, quantity, function, cleandoc(function.__doc__ or ""), stem))

    return made


def of_phases(
    function: Callable[[Months, Phase], str],
    name: str,
    title: str,
    quantities: dict[Phase, Quantity],
    stem: str = "",
) -> Sequence[Measure]:
    """Make a measure for each phase of a function that gives the SQL for any; `{}` stands for the phase in names."""
    return [_of_phase(function, phase, name, title, quantity, stem) for phase, quantity in quantities.items()]


def _of_phase(
    function: Callable[[Months, Phase], str], phase: Phase, name: str, title: str, quantity: Quantity, stem: str
) -> Measure:
    about = cleandoc(function.__doc__ or "")
    words = title.format(_TITLES[phase])
    return _kept(
        Measure(
            name.format(phase),
            words[0].upper() + words[1:],
            quantity,
            lambda months: function(months, phase),
            about,
            stem.format(phase),
        )
    )


def _kept(one: Measure) -> Measure:
    MEASURES[one.name] = one
    return one
