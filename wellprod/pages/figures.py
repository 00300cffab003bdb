"""The key figures of a selection: its newest month, and what it has produced so far."""

from __future__ import annotations

from dataclasses import replace

from wellprod.analysis.measures import MEASURES, Units, table
from wellprod.analysis.selection import Selection
from wellprod.store import Reading
from wellprod.text import number

_RATES = ("oil_rate", "oil_yoy", "gas_rate", "water_rate", "boe_rate", "gor", "water_cut")
_SO_FAR = ("cum_oil", "cum_gas")
_COUNTS = ("wells", "wells_on")
_CHANGES = ("_mom", "_yoy")


def key_figures(reading: Reading, selection: Selection, units: Units, boe: str) -> dict[str, str]:
    """Give the figures of the newest month of a selection, titles with values; nothing where it has no record.

    Raises
    ------
    NotThere
        A field, well or group is not in the store.
    """
    lacks = (f"{name}_nulls" for name in _SO_FAR)
    months = table(reading, selection, (*_RATES, *_SO_FAR, *lacks), units=units, boe=boe)
    if months.is_empty():
        return {}
    newest = months.row(-1, named=True)
    month = f"{newest['month']:%Y-%m}"
    counted = table(reading, replace(selection, first_month=month, last_month=month), _COUNTS)  # dear over all months
    figures = {**newest, **counted.row(-1, named=True)}
    shown = (*_RATES, *_COUNTS, *_SO_FAR)
    told = {MEASURES[name].title: as_told(name, figures[MEASURES[name].column(units)], units) for name in shown}
    for name in _SO_FAR:
        if lacking := figures[f"{name}_nulls"]:
            told[MEASURES[name].title] += f", without {number(lacking)} well-months not reported"
    return {"Newest month": month, **told}


def as_told(name: str, value: float | None, units: Units) -> str:
    """Give a measure's value with its unit, as people read it."""
    measure = MEASURES[name]
    if value is None:
        return "not reported"
    if measure.unit(units) == "fraction":
        return f"{100 * value:{'+' if name.endswith(_CHANGES) else ''},.1f} %"
    digits = 0 if isinstance(value, int) or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{number(value, digits)} {measure.unit(units)}".strip()
