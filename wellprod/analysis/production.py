"""The production of a selection, nested: selection, fields, wells, monthly records; or flat, as batches of records.

Each level has its totals. Records are read as they are asked for, so that the size of a selection takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from functools import cached_property
from itertools import groupby
from typing import Any

import polars as pl

from wellprod.analysis.overview import EXTENT, volumes_by_month
from wellprod.analysis.selection import Condition
from wellprod.schema import FIGURES
from wellprod.store import Reading

_WELL = ("data_source", "field_code", "well_code")
_FIELD = _WELL[:2]
_FIELD_NAME = "max_by(field_name, production_period) AS field_name"

Watch = Callable[[Iterator[pl.DataFrame]], Iterator[pl.DataFrame]]


@dataclass(frozen=True, slots=True)
class Totals:
    """What a selection, a field or a well adds up to.

    Volumes in kbbl and MMscf are calendar-day rates times the days of their months; a month that was not reported
    adds nothing, and None means that none was. Months are counted once, however many wells have them.
    """

    records: int
    wells: int
    months: int
    first_month: date
    last_month: date
    cum_oil_kbbl: float | None
    cum_gas_mmscf: float | None
    cum_liquids_kbbl: float | None
    cum_water_kbbl: float | None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WellProduction:
    """One well of a field, with its latest names; `records` has the columns of the record, one row a month."""

    data_source: str
    field_code: int
    well_code: int
    well_reference: str | None
    well_name: str | None
    totals: Totals
    records: pl.DataFrame

    @property
    def title(self) -> str:
        """What the well is called: its name, else its reference, else its code."""
        return self.well_name or self.well_reference or str(self.well_code)


@dataclass(frozen=True, slots=True)
class FieldProduction:
    """One field, with its latest name; its `wells` can be gone through once, before the next field."""

    data_source: str
    field_code: int
    field_name: str | None
    totals: Totals
    wells: Iterable[WellProduction]

    @property
    def title(self) -> str:
        """What the field is called: its name, else its code."""
        return self.field_name or str(self.field_code)


class SelectedProduction:
    """The production of a selection.

    Parameters
    ----------
    reading
        An open read, which lasts for as long as this is used; one pass over records at a time.
    condition
        Which records, as `Selection.condition` gives it.
    batch_records
        Records in one batch at most.
    on_smaller
        Told the new size when memory ran short and the batch was halved.
    watch
        What all batches pass through, whichever way they are asked for, such as a counter.
    """

    def __init__(
        self,
        reading: Reading,
        condition: Condition = ("TRUE", ()),
        *,
        batch_records: int = 100_000,
        on_smaller: Callable[[int], None] | None = None,
        watch: Watch = iter,
    ) -> None:
        self._reading, self._condition = reading, condition
        self._batch_records, self._on_smaller, self._watch = batch_records, on_smaller, watch

    @cached_property
    def record_count(self) -> int:
        """The number of records."""
        return int(self._table("SELECT count(*) AS records FROM production WHERE {}")["records"][0])

    @cached_property
    def totals(self) -> Totals | None:
        """The totals of all of it; None where the selection holds no record."""
        row = self._table(f"SELECT {EXTENT} FROM production WHERE {{}}").row(0, named=True)
        return Totals(**row) if row["records"] else None

    @cached_property
    def months(self) -> tuple[date, ...]:
        """The first days of the months that have records."""
        found = "SELECT DISTINCT production_period FROM production WHERE {} ORDER BY production_period"
        return tuple(self._table(found)["production_period"])

    @cached_property
    def data_sources(self) -> tuple[str, ...]:
        """The sources of the records."""
        return tuple(self._table("SELECT DISTINCT data_source FROM production WHERE {} ORDER BY 1")["data_source"])

    @cached_property
    def updated_at(self) -> datetime | None:
        """When the store last changed one of the records, in UTC."""
        last: datetime | None = self._table("SELECT max(updated_at) AS last FROM production WHERE {}")["last"][0]
        return last

    @cached_property
    def reported(self) -> frozenset[str]:
        """The figures of the record that one record at least has."""
        counts = self._table(
            f"SELECT {', '.join(f'count({name}) AS {name}' for name in FIGURES)} FROM production WHERE {{}}"
        )
        return frozenset(name for name, count in counts.row(0, named=True).items() if count)

    @cached_property
    def monthly_volumes(self) -> pl.DataFrame:
        """All of it month by month, as `analysis.overview.monthly_volumes` gives it."""
        return volumes_by_month(self._reading, self._condition)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield the records in the order of the key, with the columns of the record."""
        where, values = self._condition
        return self._watch(
            self._reading.records(where, values, batch_records=self._batch_records, on_smaller=self._on_smaller)
        )

    @cached_property
    def field_totals(self) -> tuple[FieldProduction, ...]:
        """The fields in the order of the key, with their totals and without their wells."""
        rows = self._totals_by(_FIELD, _FIELD_NAME).iter_rows(named=True)
        names = ({name: row.pop(name) for name in (*_FIELD, "field_name")} | {"totals": Totals(**row)} for row in rows)
        return tuple(FieldProduction(**values, wells=()) for values in names)

    def batches_in_parts(self, part_records: int) -> Iterator[pl.DataFrame]:
        """Yield what `batches` does, read in parts of about so many records, whose sorting takes less memory."""
        where, values = self._condition
        key = ", ".join(_WELL)  # with a constant behind it in one of two bounds: DuckDB takes no BETWEEN of rows
        wells = self._table(
            f"SELECT {key}, count(*) AS records FROM production WHERE {{}} GROUP BY {key} ORDER BY {key}"
        )
        part = (pl.col("records").cum_sum() - 1) // part_records
        ends = wells.group_by(part.alias("part"), maintain_order=True).agg(
            first=pl.struct(_WELL).first(), last=pl.struct(_WELL).last()
        )
        return self._watch(
            batch
            for first, last in ends.select("first", "last").iter_rows()
            for batch in self._reading.records(
                f"({where}) AND ({key}) >= (?, ?, ?) AND ({key}, 0) <= (?, ?, ?, 0)",
                [*values, *first.values(), *last.values()],
                batch_records=self._batch_records,
                on_smaller=self._on_smaller,
            )
        )

    def fields(self) -> Iterator[FieldProduction]:
        """Yield the fields in the order of the key; what is not gone through of one is passed by."""
        by_field = groupby(self._wells(), lambda well: (well.data_source, well.field_code))
        for (_, wells), field in zip(by_field, self.field_totals, strict=True):
            yield replace(field, wells=wells)

    def in_month(self, month: date) -> SelectedProduction:
        """Give the part of it that lies in one month."""
        where, values = self._condition
        return SelectedProduction(
            self._reading,
            (f"({where}) AND production_period = ?", [*values, month]),
            batch_records=self._batch_records,
            on_smaller=self._on_smaller,
            watch=self._watch,
        )

    def _wells(self) -> Iterator[WellProduction]:
        latest = (f"max_by({name}, production_period) AS {name}" for name in ("well_reference", "well_name"))
        wells = self._totals_by(_WELL, ", ".join(latest)).iter_rows(named=True)
        for records, row in zip(_by_well(self.batches()), wells, strict=True):
            names = {name: row.pop(name) for name in (*_WELL, "well_reference", "well_name")}
            yield WellProduction(**names, totals=Totals(**row), records=records)

    def _totals_by(self, key: tuple[str, ...], names: str) -> pl.DataFrame:
        by = ", ".join(key)
        query = f"SELECT {by}, {names}, {EXTENT} FROM production WHERE {{}} GROUP BY {by} ORDER BY {by}"
        return self._table(query)

    def _table(self, query: str) -> pl.DataFrame:
        where, values = self._condition
        return self._reading.table(query.format(f"({where})"), values)


def _by_well(batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut batches, which come in the order of the key, into one frame for each well."""
    held: pl.DataFrame | None = None
    for batch in batches:
        for part in batch.partition_by(_WELL, maintain_order=True):
            if held is not None and held.select(_WELL).row(0) == part.select(_WELL).row(0):
                held = pl.concat([held, part])
                continue
            if held is not None:
                yield held
            held = part
    if held is not None:
        yield held
