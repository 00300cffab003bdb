"""What a selection produced, month by month: volumes, rates, ratios, cumulatives, changes, shares and counts.

>>> from wellprod.analysis import measures
>>> measures.table(reading, selection, ("oil_rate", "gor"), by="field", units="metric")  # doctest: +SKIP
>>> measures.gor(reading, selection, by="well")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import polars as pl

from wellprod.analysis.measures.formulas import *  # noqa: F403
from wellprod.analysis.measures.measure import MEASURES, Measure
from wellprod.analysis.measures.months import Phase, volume_of_phase
from wellprod.analysis.measures.owners import KEYS, OTHERS, By, Largest
from wellprod.analysis.measures.table import check, tabulate
from wellprod.analysis.measures.units import Units
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.feed.units import BOE_RULES
from wellprod.store import Reading

__all__ = ["BOE_RULES", "KEYS", "MEASURES", "OTHERS", "By", "Measure", "Phase", "Units", "table", "top", *MEASURES]


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
        check("measure", name, MEASURES)
    columns = {MEASURES[name].column(units): MEASURES[name] for name in measures}
    return tabulate(reading, selection, columns, by=by, units=units, boe=boe)


def top(
    reading: Reading,
    selection: Selection | None = None,
    measure: str = "oil_volume",
    count: int = 10,
    *,
    by: Literal["well", "field"] = "well",
    units: Units = "oilfield",
    boe: str = "6:1",
) -> pl.DataFrame:
    """Give the wells or fields with the largest volume over the selection's months, and all others together.

    Columns as `table` has them for the one measure. Rows are in the order of size and month; those of the others come
    last, under the title ``Others`` and without codes, so that each month adds up to what the selection has.

    Parameters
    ----------
    measure
        A volume or a calendar-day rate, since others do not add up.
    count
        How many have rows of their own.

    Raises
    ------
    NotThere
        A field or well is not in the store.
    UsageError
        The measure does not add up or is none, or another name is not known, or the count is below 1.
    """
    check("measure that adds up", measure, _ADD_UP)
    check("key of the largest", by, ("well", "field"))
    check("rule of oil equivalents", boe, BOE_RULES)
    if count < 1:
        raise UsageError(f"{count} is no number of rows.", next="Ask for 1 or more.")
    phase, column = _ADD_UP[measure], MEASURES[measure]
    largest = Largest(count, volume_of_phase(phase, BOE_RULES[boe].mscf))
    return tabulate(reading, selection, {column.column(units): column}, by=by, units=units, boe=boe, largest=largest)


_ADD_UP: dict[str, Phase] = {f"{phase}_{kind}": phase for kind in ("volume", "rate") for phase in get_args(Phase)}
