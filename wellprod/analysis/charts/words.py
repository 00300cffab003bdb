"""What axes and tooltips say of a measure."""

from __future__ import annotations

from wellprod.analysis.measures import MEASURES, Units

_UNSAID = ("fraction", "ratio", "months", "")  # the title says so, or the axis in percent


def titled(measure: str, units: Units) -> str:
    """Give the title of a measure with its unit, as an axis has it."""
    one = MEASURES[measure]
    unit = one.unit(units)
    return one.title if unit in _UNSAID else f"{one.title} ({unit})"


def is_share(measure: str) -> bool:
    """Whether it is a fraction, which is read as percent."""
    return MEASURES[measure].unit() == "fraction"


def adds_up(measure: str) -> bool:
    """Whether the figures of several wells make a sum."""
    sums = measure.endswith(("_volume", "_rate", "_share")) or measure.startswith("cum_")
    return sums and "producing_day" not in measure


def is_monthly_sum(measure: str) -> bool:
    """Whether the figures of several months make a sum too."""
    return measure.endswith("_volume")
