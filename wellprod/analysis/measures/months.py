"""The query of a table of measures: it takes only the sums and the windows that the measures asked for name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from wellprod.analysis.measures.keys import Key

Phase = Literal["oil", "gas", "liquids", "water", "boe"]

RATES: Mapping[Phase, str] = {
    "oil": "oil_production_kbd",
    "gas": "gas_production_mmcfd",
    "liquids": "liquids_production_kbd",
    "water": "water_production_kbd",
}
DAYS = "day(last_day(month))"
"""The days of the month."""


@dataclass(slots=True)
class Months:
    """The months of each owner of rows, with the sums over its records that measures have asked for.

    Each method gives the SQL of what it names, and notes what the query needs for it.
    """

    key: Key
    mscf_per_boe: Fraction
    sums: dict[str, str] = field(default_factory=dict)
    totals: dict[str, str] = field(default_factory=dict)
    looks_back: bool = False
    knows_gaps: bool = False

    def sum(self, name: str, aggregate: str) -> str:
        """Have an aggregate of the month's records, and give its name."""
        self.sums[name] = aggregate
        return name

    def rate(self, phase: Phase) -> str:
        """Give the calendar-day rate in kbd, mmcfd or kboed: null where no record has it, or one part of the boe."""
        if phase == "boe":
            return f"({self.rate('oil')} + {self.rate('gas')} / {number(self.mscf_per_boe)})"
        return self.sum(phase, f"sum({RATES[phase]})")

    def volume(self, phase: Phase) -> str:
        """Give the volume in kbbl, MMscf or kboe: the calendar-day rate times the days of the month."""
        return f"({self.rate(phase)} * {DAYS})"

    def wells(self, condition: str = "TRUE") -> str:
        """Count the wells with a record in the month that meets a condition."""
        name = "wells" if condition == "TRUE" else "wells_on"
        return self.sum(name, f"count(DISTINCT (data_source, well_code)) FILTER ({condition})")

    def missing(self) -> str:
        """Count the calendar months that wells lack just before their record of the month."""
        self.knows_gaps = True
        return self.sum("missing", "sum(greatest(since - 1, 0))::BIGINT")

    def silent(self, months: int) -> str:
        """Count the wells whose last record lies so many months back, while their data source still reports."""
        self.knows_gaps = True
        still = f"(until > {months} OR until IS NULL) AND month + INTERVAL {months} MONTH <= source_ends"
        name = self.sum(f"silent_after_{months}", f"count(*) FILTER ({still})")
        return f"coalesce({self.before(name, months)}, 0)"

    def so_far(self, figure: str) -> str:
        """Give the sum of a figure from the first month held."""
        self.looks_back = True
        return f"sum({figure}) OVER (so_far)"

    def before(self, figure: str, months: int) -> str:
        """Give a figure of just so many months before; null where that month is not there."""
        self.looks_back = True
        frame = f"INTERVAL {months} MONTH PRECEDING"
        return f"first_value({figure}) OVER (each ORDER BY month RANGE BETWEEN {frame} AND {frame})"

    def first(self, condition: str) -> str:
        """Give the first month that meets a condition."""
        self.looks_back = True
        return f"min(month) FILTER ({condition}) OVER (each)"

    def total(self, figure: str) -> str:
        """Give a figure's sum over all owners in the month."""
        return f"sum({figure}) OVER (PARTITION BY month)"

    @property
    def windows(self) -> str:
        """The windows that measures name."""
        each = f"PARTITION BY {', '.join(self.key.columns)}" if self.key.columns else ""
        return f"WINDOW each AS ({each}), so_far AS ({each} ORDER BY month)"


def number(value: Fraction) -> str:
    """Give the SQL of a number, the nearest that a DOUBLE has."""
    return f"{float(value)!r}" if "e" in repr(float(value)) else f"{float(value)!r}e0"


def over(figure: str, other: str) -> str:
    """Give the SQL of a ratio: null where the other figure is null or 0, never infinity."""
    return f"{figure} / nullif({other}, 0)"


Sql = Callable[[Months], str]
