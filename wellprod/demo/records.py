"""The records of the demo feed: their properties and OData types, and how they are read from a JSON file."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from wellprod.errors import UsageError

PROPERTIES: dict[str, pl.DataType] = {
    "field_code": pl.Int64(),
    "_field_name": pl.String(),
    "well_code": pl.Int64(),
    "_well_reference": pl.String(),
    "well_name": pl.String(),
    "production_period": pl.String(),
    "days_on_production": pl.Float64(),
    "oil_production_kbd": pl.Float64(),
    "gas_production_mmcfd": pl.Float64(),
    "liquids_production_kbd": pl.Float64(),
    "water_production_kbd": pl.Float64(),
    "data_source": pl.String(),
    "source_data": pl.String(),
    "partition_0": pl.String(),
}
"""Names and types of a feed record, in its order. Rates in thousand barrels (kbd) and million standard cubic
feet (mmcfd) a calendar day; `production_period` is the first of its month, a date-time with zone in text."""

KEY = ("field_code", "well_code", "production_period")
"""What tells one record of the feed from another."""

ORIGINAL = "@wellprod.json"
"""A column of frames from `read_records`, there when no column type holds the file's values without loss:
each record as the JSON text that is served."""

_FITTING: dict[pl.DataType, set[type]] = {
    pl.String(): {str},
    pl.Int64(): {int},
    pl.Float64(): {int, float},
}
_INTEGERS = range(-(2**63), 2**63)
_EXACT_FLOATS = range(-(2**53), 2**53 + 1)


def edm_types(frame: pl.DataFrame) -> dict[str, str]:
    """Give the OData primitive type of each property of `frame`, in its order, annotations left out."""
    return {column.name: _edm_type(column) for column in frame.iter_columns() if "@" not in column.name}


def _edm_type(column: pl.Series) -> str:
    if column.name == "production_period" and column.dtype == pl.String:
        return "Edm.DateTimeOffset"
    dtype = PROPERTIES.get(column.name, column.dtype) if column.dtype == pl.Null else column.dtype
    if dtype.is_integer():
        return "Edm.Int64"
    if dtype.is_float():
        return "Edm.Double"
    return "Edm.Boolean" if dtype == pl.Boolean else "Edm.String"


def read_records(path: str | Path) -> pl.DataFrame:
    """Read flat records from a JSON file: an object with `value`, as an OData answer is, or a bare array.

    Returns one row a record and one column a property, in the order of first appearance, null where a record
    lacks it. A file whose values fit no column type, such as text among numbers, gets the further column
    `ORIGINAL`, from which it is served unchanged; its typed columns then hold null for what does not fit.

    Raises
    ------
    UsageError
        The file is not there or cannot be read, is no JSON, or holds no records.
    """
    path = Path(path)
    try:
        content = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}.", next="Give the path of a JSON file."
        ) from None
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{path} is no JSON: {error}.", next="Give a JSON file of records.") from None
    rows = content.get("value") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UsageError(
            f"{path} holds no records.",
            next="Give an array of one or more objects, or an object that has such an array as `value`.",
        )
    return _frame(rows)


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    columns, lossless = [], True
    for name in dict.fromkeys(chain.from_iterable(rows)):
        values = [row.get(name) for row in rows]
        dtype = _exact_type(name, values)
        lossless &= dtype is not None
        columns.append(_typed(name, values) if dtype is None else pl.Series(name, values, dtype))
    if not lossless:
        columns.append(pl.Series(ORIGINAL, [orjson.dumps(row).decode() for row in rows]))
    if not columns:
        raise UsageError("The records of the file have no properties.", next="Give records such as well months.")
    return pl.DataFrame(columns)


def _exact_type(name: str, values: list[Any]) -> pl.DataType | None:
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return PROPERTIES.get(name, pl.String())
    if kinds == {str}:
        return pl.String()
    if kinds == {bool}:
        return pl.Boolean()
    if kinds == {int} and _within(_INTEGERS, values):
        return pl.Int64()
    if kinds <= {int, float} and float in kinds and _within(_EXACT_FLOATS, values):
        return pl.Float64()
    return None


def _within(allowed: range, values: Iterable[Any]) -> bool:
    return all(value in allowed for value in values if type(value) is int)


def _typed(name: str, values: list[Any]) -> pl.Series:
    dtype = PROPERTIES.get(name, pl.String())
    kept = [value if type(value) in _FITTING[dtype] else None for value in values]
    return pl.Series(name, kept, dtype, strict=False)
