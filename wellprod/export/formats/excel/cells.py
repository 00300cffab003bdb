"""The cells of a column: numbers as far as Excel can hold them, text where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeAlias

import polars as pl

_FIRST_DAY, _LAST_DAY = date(1900, 3, 1), date(9999, 12, 31)  # before it, Excel has a day that never was
_UNIX_EPOCH = 25_569  # the number of its day
_DAY = 86_400_000_000  # microseconds
_FEWEST_TOO_MANY = 10**15
_SMALLEST, _LARGEST = 2.2250738585072014e-308, 9.99999999999999e307
"""What Excel can hold: https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3"""


class Exact(float):
    """A number that is written with all the digits that it needs; XlsxWriter by itself writes 16."""

    __slots__ = ()

    def __format__(self, digits: str) -> str:
        return float.__repr__(self)


Cell: TypeAlias = Exact | int | str | None
"""A number, text, or an empty cell."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the values of a type become numbers, how these are shown, and which values Excel has no number for."""

    shown: str
    number: Callable[[pl.Series], pl.Series]
    is_unfit: Callable[[pl.Series], pl.Series]
    unfit_ones: str

    def cells(self, values: pl.Series) -> tuple[list[Cell], int]:
        """Give the numbers, with text in the place of what is unfit, and how many such texts there are."""
        unfit = self.is_unfit(values).arg_true()
        texts = values.gather(unfit).cast(pl.String)
        fit = self.number(values.clone().scatter(unfit, None) if len(unfit) else values)
        cells: list[Cell] = fit.to_list()
        if fit.dtype.is_float():
            cells = [None if value is None else Exact(value) for value in fit]
        for place, text in zip(unfit, texts, strict=True):
            cells[place] = text
        return cells, len(unfit)


def _microseconds(values: pl.Series) -> pl.Series:
    """Give times as microseconds since 1970, of any zone in UTC."""
    return values.dt.timestamp("us")


_TIMES = pl.Series([datetime.combine(_FIRST_DAY, time.min), datetime.combine(_LAST_DAY, time.max)])

_INTEGER = Kind(
    "0",
    lambda values: values,
    lambda values: values.cast(pl.Int128).abs() >= _FEWEST_TOO_MANY,
    "Integers of more than 15 digits",
)
_FLOAT = Kind(
    "#,##0.000???",
    lambda values: values,
    lambda values: ~values.abs().is_between(_SMALLEST, _LARGEST) & (values != 0),
    "Numbers too large or too near to zero",
)
_DATE = Kind(
    "yyyy-mm-dd",
    lambda values: values.cast(pl.Int32) + _UNIX_EPOCH,
    lambda values: ~values.is_between(_FIRST_DAY, _LAST_DAY),
    "Dates before 1900-03-01 or after 9999",
)
_TIME = Kind(
    "yyyy-mm-dd hh:mm:ss",  # UTC
    lambda values: (_microseconds(values) + _UNIX_EPOCH * _DAY) / _DAY,
    lambda values: ~_microseconds(values).is_between(*_microseconds(_TIMES)),
    "Times before 1900-03-01 or after 9999",
)


def kind_of(dtype: pl.DataType) -> Kind | None:
    """Give how values of a type become numbers; None for what is written as text."""
    if dtype.is_integer():
        return _INTEGER
    if dtype.is_float():
        return _FLOAT
    return {pl.Date: _DATE, pl.Datetime: _TIME}.get(dtype.base_type())


def cells_of(values: pl.Series) -> list[Cell]:
    """Give the cells of a column."""
    kind = kind_of(values.dtype)
    return kind.cells(values)[0] if kind else values.cast(pl.String).to_list()
