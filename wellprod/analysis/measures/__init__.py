"""What a selection produced, month by month: volumes, rates, ratios, cumulatives, changes, shares and counts.

>>> from wellprod.analysis import measures
>>> measures.table(reading, selection, ("oil_rate", "gor"), by="field", units="metric")  # doctest: +SKIP
>>> measures.gor(reading, selection, by="well")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import polars as pl

from wellprod.analysis.measures.formulas import *  # noqa: F403
from wellprod.analysis.measures.keys import KEYS, By
from wellprod.analysis.measures.measure import MEASURES, Measure
from wellprod.analysis.measures.months import Phase
from wellprod.analysis.measures.table import tabulate
from wellprod.analysis.measures.units import Units
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.feed.units import BOE_RULES
from wellprod.store import Reading
from wellprod.text import nearest

__all__ = ["BOE_RULES", "KEYS", "MEASURES", "By", "Measure", "Phase", "Units", "table", *MEASURES]


def table(
    reading: Reading,
    selection: Selection | None = None,
    measures: Sequence[str] = ("oil_rate", "gas_rate", "water_rate"),
    *,
    by: By = "all",
    units: Units = "oilfield",
    boe: str = "6:1",
) -> pl.DataFrame:
    """Give measures month by month, in one query.

    Columns: the key of `by`, then `month` (the first day of it), then one a measure, as `Measure.column` names it. The
    key is none for all; data_source, field_code, field; data_source, well_code, well, field; or group. Rows are in its
    order and that of the months; a month without a record has none. What was not reported is null.

    Parameters
    ----------
    measures
        Names as in `MEASURES`.
    by
        What has rows of its own: ``all``, ``field``, ``well`` or ``group``.
    units
        ``oilfield`` or ``metric``.
    boe
        How gas counts as oil: a name in `BOE_RULES`.

    Raises
    ------
    NotThere
        A field or well is not in the store.
    UsageError
        There is no such measure, key, system of units or rule of oil equivalents.
    """
    for name in measures:
        _check("measure", name, MEASURES)
    _check("key", by, KEYS)
    _check("system of units", units, ("oilfield", "metric"))
    _check("rule of oil equivalents", boe, BOE_RULES)
    columns = {MEASURES[name].column(units): MEASURES[name] for name in measures}
    return tabulate(reading, selection, columns, by=by, units=units, boe=boe)


def _check(kind: str, name: str, known: Collection[str] | Iterable[str]) -> None:
    if name not in known:
        near = nearest(name, known)
        advice = f"Near to it: {', '.join(near)}. " if near else ""
        raise UsageError(f"There is no {kind} {name!r}.", next=f"{advice}Known: {', '.join(known)}.")
