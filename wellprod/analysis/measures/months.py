"""The months of a table of measures: it takes only the sums and the windows that the measures asked for name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from wellprod.analysis.overview import days_of, volume_of
from wellprod.analysis.wells import PHASES

Phase = Literal["oil", "gas", "liquids", "water", "boe"]

RATES: Mapping[Phase, str] = {
    "oil": "oil_production_kbd",
    "gas": "gas_production_mmcfd",
    "liquids": "liquids_production_kbd",
    "water": "water_production_kbd",
}
"""The figures of the record that a month sums up."""

DAYS = days_of("month")
Sql = Callable[["Months"], str]
"""Gives the SQL of a measure."""


@dataclass(slots=True)
class Months:
    """The months of each owner, with the sums over its records that measures have asked for.

    Each method gives the SQL of what it names, in oilfield units, and notes what the query needs for it.

    Parameters
    ----------
    mscf_per_boe
        How much gas counts as a barrel of oil.
    sums
        The sums over the records of a month, by name.
    totals
        Those over the records of all owners.
    looks_back
        Whether something looks at months beside the one of the row.
    counts_wells
        Whether something tells wells from records.
    asks_sources
        Whether something asks what data sources say of their figures.
    """

    mscf_per_boe: Fraction
    sums: dict[str, str] = field(default_factory=dict)
    totals: dict[str, str] = field(default_factory=dict)
    looks_back: bool = False
    counts_wells: bool = False
    asks_sources: bool = False

    def sum(self, name: str, aggregate: str) -> str:
        """Have an aggregate of the month's records, and give its name."""
        self.sums[name] = aggregate
        return name

    def rate(self, phase: Phase) -> str:
        """Give the calendar-day rate in kbd, mmcfd or kboed; null where no record has it, or one part of the boe."""
        if phase == "boe":
            return f"({self.rate('oil')} + {self.rate('gas')} / {number(self.mscf_per_boe)})"
        return self.sum(phase, f"sum({RATES[phase]})")

    def total(self, phase: Phase) -> str:
        """Give the calendar-day rate of the whole selection."""
        if phase == "boe":
            return f"({self.total('oil')} + {self.total('gas')} / {number(self.mscf_per_boe)})"
        self.totals[f"total_{phase}"] = f"sum({RATES[phase]})"
        return f"total_{phase}"

    def volume(self, phase: Phase) -> str:
        """Give the volume in kbbl, MMscf or kboe: the calendar-day rate times the days of the month."""
        return f"({self.rate(phase)} * {DAYS})"

    def nulls(self, phase: Phase) -> str:
        """Count the records of the month that lack the figure, or a part of the boe."""
        return self.sum(f"{phase}_nulls", f"count(*) - count({PHASES[RATES.get(phase, phase)]})")

    def wells(self, counted: str) -> str:
        """Count wells: those that are `held`, `producing` or `expected` in the month, or `missing` until it."""
        self.counts_wells = True
        self.looks_back |= counted in ("expected", "missing")
        return f"wells_{counted}"

    def has_condensate(self) -> str:
        """Say whether the liquids of a record have its condensate; `has_oil` then says whether also its oil."""
        self.asks_sources = True
        return "has_condensate"

    def so_far(self, figure: str) -> str:
        """Give the sum of a figure from the first month held."""
        self.looks_back = True
        return f"sum({figure}) OVER (PARTITION BY owner ORDER BY month)"

    def before(self, figure: str, months: int) -> str:
        """Give a figure of just so many months before; null where that month is not there."""
        self.looks_back = True
        frame = f"INTERVAL {months} MONTH PRECEDING"
        return f"first_value({figure}) OVER (PARTITION BY owner ORDER BY month RANGE BETWEEN {frame} AND {frame})"

    def first(self, condition: str) -> str:
        """Give the first month that meets a condition."""
        self.looks_back = True
        return f"min(month) FILTER ({condition}) OVER (PARTITION BY owner)"


def volume_of_phase(phase: Phase, mscf_per_boe: Fraction) -> str:
    """Give the SQL of a volume over all records of several months."""
    if phase == "boe":
        return f"({volume_of(RATES['oil'])} + {volume_of(RATES['gas'])} / {number(mscf_per_boe)})"
    return volume_of(RATES[phase])


def number(value: Fraction) -> str:
    """Give the SQL of a number, the nearest that a DOUBLE has."""
    return f"{float(value)!r}::DOUBLE"


def over(figure: str, other: str) -> str:
    """Give the SQL of a ratio: null where the other figure is null or 0, never infinity."""
    return f"{figure} / nullif({other}, 0)"
