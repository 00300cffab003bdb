"""The views of the explore page: what each is called, and what can be chosen in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wellprod.analysis.measures import MEASURES, By, Units

_PHASES = ("oil", "gas", "water", "boe")
_RATES = tuple(f"{phase}_rate" for phase in _PHASES)
_VOLUMES = tuple(f"{phase}_volume" for phase in _PHASES)
_EACH: tuple[By, ...] = ("field", "well", "group")


@dataclass(frozen=True, slots=True)
class Look:
    """How a selection is looked at; the names are those of the address."""

    view: str = "rates"
    measure: str = "oil_rate"
    by: By = "field"
    units: Units = "oilfield"
    boe: str = "6:1"
    log: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One way to see a selection.

    Parameters
    ----------
    title, about
        What it is called, and what it shows.
    measures, by
        Which of them can be chosen in it; none where it is not open.
    has_log
        Whether its scale can be logarithmic.
    """

    title: str
    about: str
    measures: tuple[str, ...] = ()
    by: tuple[By, ...] = ()
    has_log: bool = False


VIEWS: Mapping[str, View] = {
    "rates": View(
        "Rates, GOR and water cut",
        "Calendar-day rates of all that is chosen together. Mark months in the upper chart to see them larger below; "
        "a click on the legend shows one phase alone.",
        has_log=True,
    ),
    "measure": View(
        "One measure over time",
        "A measure of all that is chosen together, month by month.",
        measures=tuple(MEASURES),
        has_log=True,
    ),
    "stacked": View(
        "Who adds what",
        "What each adds to the whole, the largest at the foot, and how many wells produced.",
        measures=(*_RATES, *_VOLUMES),
        by=_EACH,
    ),
    "ranked": View(
        "Ranking",
        "The largest: volumes summed over the months that are chosen, any other measure in the newest of them.",
        measures=(*_RATES, *_VOLUMES, *(name for name in MEASURES if name not in (*_RATES, *_VOLUMES))),
        by=_EACH,
    ),
    "cumulative": View(
        "Rate against cumulative",
        "The rate against what was produced by then: an exponential decline is a straight line.",
        measures=_RATES,
        has_log=True,
    ),
    "wor": View(
        "WOR against cumulative oil",
        "Late in a waterflood the logarithm of the water-oil ratio + 1 becomes a straight line.",
    ),
    "typewells": View(
        "Type wells",
        "The wells by months on production, from the first with oil or gas: P10, P50 and P90 of those that came so "
        "far, a sample of the wells, and how many they are. Where poor wells end the percentiles rise.",
        measures=(*_RATES, *(f"cum_{phase}" for phase in _PHASES)),
        has_log=True,
    ),
    "decline": View(
        "Decline and forecast of a well",
        "An Arps decline, fitted to the whole history up to the last month, how it goes on to its economic limit, and "
        "whether it would have foretold the last 12 months.",
        measures=("oil_rate", "gas_rate"),
        has_log=True,
    ),
}
"""Every view by its name in the address, in the order in which they are offered."""
