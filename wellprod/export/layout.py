"""The flat table of a preset: records in other names and units, monthly volumes and running sums among them."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from wellprod.analysis.selection import Condition
from wellprod.analysis.wells import RUN, WELL, months_in_several_fields, produced_beside, well_ids
from wellprod.export.preset import Column, Preset
from wellprod.feed.units import MSCF_PER_BOE, parse_unit, scaled
from wellprod.schema import RECORD
from wellprod.store import Reading
from wellprod.text import number

_MONTH = "production_period"


class Layout:
    """Lays out the batches of a selection, which come in the order of the key.

    A month's volume is its calendar-day rate times the days of the month. Days and unit make one exact factor first,
    so that what comes in bbl or Mcf is the correctly rounded product. Null stays null.

    Parameters
    ----------
    preset
        The layout.
    reading, condition
        The store and the selection; needed only while this is made.
    is_text
        Whether the format holds texts, so that `date_form` counts.
    """

    def __init__(self, preset: Preset, reading: Reading, condition: Condition, *, is_text: bool) -> None:
        self.preset = preset
        self._date_form = preset.date_form if is_text and preset.date_form != "iso" else None
        self._columns = {name: self._expression(column) for name, column in preset.columns.items()}
        self._sums = _RunningSums(preset, reading, condition)
        named = any("well_id" in column.origins for column in preset.columns.values())
        self._ids = well_ids(reading, condition) if named else None
        self._several = months_in_several_fields(reading, condition)
        self._fallbacks = {name: 0 for name, column in preset.columns.items() if column.unit and column.origins[1:]}

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """The columns of the table and their types."""
        return {name: self._type(column) for name, column in self.preset.columns.items()}

    @property
    def notices(self) -> list[str]:
        """What the reader of the file should know."""
        told = []
        shared = 0 if self._ids is None else int(self._ids["is_shared"].sum())
        if shared:
            told.append(f"A code stands for each well whose reference is another's too (wells: {number(shared)}).")
        if self._several:
            told.append(f"A well in several fields has a row for each in one month (months: {number(self._several)}).")
        for name, records in self._fallbacks.items():
            first, *others = (origin.partition("_")[0] for origin in self.preset.columns[name].origins)
            if records:
                instead = " or ".join(others)
                told.append(f"{name} holds {instead} for want of {first} (records: {number(records)}).")
        return told

    def table(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Give the table of a batch of records."""
        if self._ids is not None:
            batch = batch.join(self._ids, on=WELL, how="left", maintain_order="left")
        for name in self._fallbacks:
            first, *others = (pl.col(origin) for origin in self.preset.columns[name].origins)
            self._fallbacks[name] += batch.filter(first.is_null() & pl.coalesce(others).is_not_null()).height
        table = batch.select(expression.alias(name) for name, expression in self._columns.items())
        return self._sums.of(batch, table)

    def _expression(self, column: Column) -> pl.Expr:
        kind = self._type(column)
        if column.constant is not None:
            return pl.lit(column.constant, kind)
        if column.unit is None:
            return pl.coalesce(self._plain(name).cast(kind) for name in column.origins)
        return pl.coalesce(figure(name, column.unit) for name in column.origins)

    def _plain(self, name: str) -> pl.Expr:
        if name == "days_in_month":
            return pl.col(_MONTH).dt.days_in_month()
        return pl.col(name).dt.strftime(self._date_form) if name == _MONTH and self._date_form else pl.col(name)

    def _type(self, column: Column) -> pl.DataType:
        if column.constant is not None:
            return {int: pl.Int64(), float: pl.Float64(), str: pl.String()}[type(column.constant)]
        own = {"well_id": pl.String(), "days_in_month": pl.Int64(), "boe": pl.Float64()}
        if self._date_form:
            own[_MONTH] = pl.String()
        kinds = [{**RECORD, **own}[name] for name in column.origins]
        return kinds[0] if all(kind == kinds[0] for kind in kinds) else pl.String()


def figure(name: str, unit: str) -> pl.Expr:
    """Give a figure of the record in another unit; an amount without ``/d`` is the month's volume."""
    factor, period = parse_unit(name, unit)
    if name == "boe":
        slash = f"/{period}" if period else ""
        oil, gas = figure("oil_production_kbd", f"bbl{slash}"), figure("gas_production_mmcfd", f"Mscf{slash}")
        return scaled(oil + gas / MSCF_PER_BOE, Fraction(1, 1000) / factor)
    if name == "days_on_production" or period == "d":
        return scaled(pl.col(name), 1 / factor)
    days = pl.col(_MONTH).dt.days_in_month()
    volume = scaled(pl.col(name), 31 / factor)
    for length in (28, 29, 30):
        volume = pl.when(days == length).then(scaled(pl.col(name), length / factor)).otherwise(volume)
    return volume


class _RunningSums:
    """The cumulative columns of a preset: added up from batch to batch, and on top of what was produced beside."""

    def __init__(self, preset: Preset, reading: Reading, condition: Condition) -> None:
        columns = {name: column for name, column in preset.columns.items() if column.cumulative}
        self._names = {name: f"sum of {name}" for name in columns}
        self._run: tuple[object, ...] | None = None
        self._last: dict[str, float | None] = {}
        if columns:
            phases = sorted({column.origins[0] for column in columns.values()})
            in_units = (_in_unit(column).alias(f"beside {name}") for name, column in columns.items())
            self._beside = produced_beside(reading, condition, phases).select(*RUN, _MONTH, *in_units)

    def of(self, batch: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
        """Give the table with running sums in place of the volumes in its cumulative columns."""
        if not self._names:
            return table
        sums = batch.select(*RUN, _MONTH).hstack(table.select(list(self._names)).rename(self._names))
        if sums.select(RUN).row(0) == self._run:  # the batch before ended within this run
            is_first = pl.int_range(pl.len()) == 0
            sums = sums.with_columns(
                pl.when(is_first).then(pl.col(name).fill_null(0.0) + last).otherwise(pl.col(name)).alias(name)
                for name, last in self._last.items()
                if last is not None
            )
        sums = sums.with_columns(pl.col(list(self._names.values())).cum_sum().forward_fill().over(RUN))
        self._run = sums.select(RUN).row(-1)
        self._last = sums.select(list(self._names.values())).row(-1, named=True)
        sums = sums.join_asof(self._beside, on=_MONTH, by=list(RUN), check_sortedness=False)
        return table.with_columns(
            sums.select(
                pl.coalesce(pl.col(own) + pl.col(f"beside {name}"), own, f"beside {name}").alias(name)
                for name, own in self._names.items()
            )
        )


def _in_unit(column: Column) -> pl.Expr:
    """Give what was produced beside, in the unit of its column."""
    phase = column.origins[0]
    return scaled(pl.col(phase), 1 / parse_unit(phase, column.unit or "")[0])
