"""One well or one field by its code or name: what it adds up to, and its records and wells in pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from wellprod.analysis.overview import field_totals, totals_by_well
from wellprod.analysis.selection import Condition, Selection, all_of
from wellprod.errors import UsageError
from wellprod.schema import KEY, RECORD
from wellprod.store import Reading

_TOLD = 10


@dataclass(frozen=True, slots=True)
class Found:
    """One well or field of one data source.

    Parameters
    ----------
    totals
        Its codes, its latest names, its data source and its extent over all months.
    condition
        What all its records meet.
    """

    totals: dict[str, Any]
    condition: Condition

    def between(self, first_month: str | None = None, last_month: str | None = None) -> Condition:
        """Give what its records of these months meet, both included; a month that is not given is no bound.

        Raises
        ------
        SelectionError
            A month is none, or the last one lies before the first.
        """
        return all_of(self.condition, Selection(first_month=first_month, last_month=last_month).in_months)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and how many there are in all."""

    rows: pl.DataFrame
    total: int


def find_well(reading: Reading, well: str, data_source: str | None = None) -> Found:
    """Give a well by its code, name or reference, as a selection takes them.

    The totals are well_code, well_reference, well_name, field_code and field_name of the latest month, data_source,
    months, first_month, last_month, cum_oil_kbbl, cum_gas_mmscf and cum_water_kbbl.

    Raises
    ------
    NotThere
        It has no record there; the message names the nearest.
    UsageError
        It stands for several wells, of several data sources or of one.
    """
    condition = Selection(wells=(well,)).condition(reading, data_source=data_source, renamed=False)
    return Found(_the_one("well", well, totals_by_well(reading, condition)), condition)


def find_field(reading: Reading, field: str, data_source: str | None = None) -> Found:
    """Give a field by its code or name, as a selection takes them.

    The totals are field_code, field_name of the latest month, data_source, wells, and the extent as for a well.

    Raises
    ------
    NotThere
        It has no record there; the message names the nearest.
    UsageError
        It stands for several fields, of several data sources or of one.
    """
    condition = Selection(fields=(field,)).condition(reading, data_source=data_source, renamed=False)
    return Found(_the_one("field", field, field_totals(reading, condition)), condition)


def records_page(reading: Reading, condition: Condition, *, limit: int, offset: int = 0) -> Page:
    """Give `limit` records after the first `offset`, with the columns of the record, in the order of the key."""
    where, parameters = condition
    total = reading.value(f"SELECT count(*) FROM production WHERE {where}", parameters)
    rows = reading.table(
        f"SELECT {', '.join(RECORD)} FROM production WHERE {where} ORDER BY {', '.join(KEY)} LIMIT ? OFFSET ?",
        [*parameters, limit, offset],
    )
    return Page(rows, total)


def wells_page(reading: Reading, condition: Condition, *, limit: int, offset: int = 0) -> Page:
    """Give `limit` wells after the first `offset`, the one with the most oil first.

    They are those that have records which meet the condition, with the columns of the totals of a well; the extent is
    that of these records.
    """
    where, parameters = condition
    wells = f"SELECT count(DISTINCT (data_source, well_code)) FROM production WHERE {where}"
    return Page(totals_by_well(reading, condition, limit=limit, offset=offset), total=reading.value(wells, parameters))


def _the_one(kind: str, text: str, found: pl.DataFrame) -> dict[str, Any]:
    if found.height == 1:
        return found.row(0, named=True)
    sources = sorted(set(found["data_source"]))
    if len(sources) > 1:
        raise UsageError(
            f"There is a {kind} {text!r} in {len(sources)} data sources: {_some(sources)}.",
            next="Say which one is meant, with data_source.",
        )
    codes = sorted(found[f"{kind}_code"])
    raise UsageError(
        f"{text!r} stands for {len(codes)} {kind}s of the data source {sources[0]!r}: {_some(codes)}.",
        next=f"Give the code of the {kind} that is meant.",
    )


def _some(values: list[Any]) -> str:
    more = f" and {len(values) - _TOLD} more" if len(values) > _TOLD else ""
    return ", ".join(map(str, values[:_TOLD])) + more
