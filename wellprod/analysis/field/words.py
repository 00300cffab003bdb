"""The facts of a field in words: the sentences at the head of its report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from wellprod.analysis.bridge import Bridge, Phase
from wellprod.analysis.field.facts import FieldFacts
from wellprod.analysis.measures import Units

_TOLD = 3  # parts in the sentence
_LEAST = 0.1  # of the largest part, for one that is told
_SCALES = ((1e9, " billion"), (1e6, " million"), (1e3, " thousand"), (1.0, ""))
_BASE: dict[Units, dict[str, tuple[float, str]]] = {
    "oilfield": {"gas": (1e6, "cubic feet"), "boe": (1e3, "barrels of oil equivalent"), "": (1e3, "barrels")},
    "metric": {"gas": (1e6, "Sm³"), "boe": (1e3, "Sm³ of oil equivalent"), "": (1e3, "Sm³")},
}
_NAMES: dict[Phase, str] = {"oil": "oil", "gas": "gas", "water": "water", "boe": ""}


def headline(facts: FieldFacts) -> list[str]:
    """Give the sentences: what was produced, against the month before and why, and against the year before."""
    bridge, phase, month = facts.bridge, facts.main, facts.month
    title, of = facts.about.title, f" of {_NAMES[phase]}" if _NAMES[phase] else ""
    if bridge is None or bridge.end is None:
        return [f"{title} has no figure of oil or gas for {month:%B %Y}."]
    rate = facts.figures[f"{phase}_rate"]
    at = f" ({spoken(rate.now, phase, facts.units, named=False)} a day)" if rate.now else ""
    first = f"{title} produced {spoken(bridge.end, phase, facts.units)}{of} in {month:%B %Y}{at}"
    if bridge.end == 0:
        first = f"{title} reports zero{of.removeprefix(' of')} for {month:%B %Y}"
    sentences = [f"{first}{_against(bridge, facts.units)}."]
    if rate.now is not None and rate.year_before:
        change = rate.now / rate.year_before - 1
        sentences.append(f"Its rate is {_percent(change)} that of {_name(month, years_back=1)}.")
    return sentences


def _against(bridge: Bridge, units: Units) -> str:
    if bridge.start is None:
        told = "" if bridge.wells.filter(part="came").is_empty() else f": {_causes(bridge, units)}"
        return f"; it has no figure for {bridge.before:%B}{told}"
    if bridge.start == 0:
        return f", after none in {bridge.before:%B}"
    change = bridge.change / bridge.start
    told = _causes(bridge, units)
    size = (
        "as much as"
        if abs(change) < 0.0005
        else _percent(change).replace("above", "more than").replace("below", "less than")
    )
    known = " as it was then known" if bridge.is_restated else ""  # the key figures have it as it is now
    return f", {size} in {bridge.before:%B}{known}" + (f": {told}" if told else "")


def _causes(bridge: Bridge, units: Units) -> str:
    """Give the largest parts, the largest first."""
    parts = bridge.parts
    if parts.is_empty():
        return ""
    largest = parts.sort(pl.col("volume").abs(), descending=True).head(_TOLD)
    least = _LEAST * abs(largest["volume"][0])
    told = [
        _cause(row["part"], row["wells"], row["volume"], bridge, units)
        for row in largest.iter_rows(named=True)
        if abs(row["volume"]) >= least
    ]
    return listed(told)


def _cause(part: str, wells: int, volume: float, bridge: Bridge, units: Units) -> str:
    several = f"{wells:,} well{'' if wells == 1 else 's'}"
    others = listed(sorted(set(bridge.wells.filter(part=part)["other_field"].drop_nulls()))[:2]) or "other fields"
    longer = "longer" if volume > 0 else "shorter"
    words = {
        "restated": f"restatements of {bridge.before:%B}",
        "came": f"{several} from {others}",
        "went": f"{several} that went to {others}",
        "new": f"{several.replace('well', 'new well')}",
        "restarted": f"{several.replace('well', 'restarted well')}",
        "reported_again": f"{several} not reported for {bridge.before:%B}",
        "shut_in": f"{several} shut in",
        "not_reported": f"{several} not reported now",
        "calendar": f"the {longer} month",
        "uptime": f"{'more' if volume > 0 else 'less'} uptime",
        "growth": f"growth of {several}",
        "decline": f"decline of {several}",
    }
    return f"{words[part]} {'added' if volume > 0 else 'took'} {spoken(abs(volume), bridge.phase, units)}"


def spoken(volume: float, phase: Phase, units: Units, *, named: bool = True) -> str:
    """Give a volume, in kbbl and so on, as people say it: ``27.1 million barrels``, or without what it is of."""
    scale, name = _BASE[units].get(phase, _BASE[units][""])
    amount = volume * scale
    size, word = next(((size, word) for size, word in _SCALES if abs(amount) >= 0.9995 * size), (1.0, ""))
    return f"{significant(amount / size)}{word}{f' {name}' if named else ''}"


def significant(value: float | None) -> str:
    """Give a figure with three digits that count, and at least those before the point; nothing for None."""
    if value is None:
        return ""
    size = abs(value)
    return f"{value:,.{0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.9995 or size == 0 else 3}f}"


def listed(words: Sequence[str]) -> str:
    """Give words as a sentence lists them."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def _percent(change: float, words: tuple[str, str] = ("above", "below")) -> str:
    """Give a change as a sentence takes it: ``2.1 % below``."""
    return f"{abs(100 * change):,.1f} % {words[0] if change > 0 else words[1]}"


def _name(month: date, *, years_back: int = 0) -> str:
    return f"{month:%B} {month.year - years_back}"
