"""An export preset: the flat table that other software takes, in its names and units, as a TOML file."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Self

import polars as pl
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from wellprod.errors import PresetError
from wellprod.export.formats import FORMATS
from wellprod.feed.units import parse_unit
from wellprod.schema import FIGURES, RECORD
from wellprod.tomlfile import Descriptions

DERIVED = ("well_id", "days_in_month", "boe")
"""What a column may come from beside the columns of the record.

`well_id` is a name of the well that no other well has, as `analysis.wells.well_ids` gives it; `boe` is oil and gas
together, 6 Mscf of gas a barrel, and null where either is.
"""
MEASURES = (*FIGURES, "boe")
_NAMES = (*RECORD, *DERIVED)


def _several(given: object) -> object:
    return (given,) if isinstance(given, str) else given


class Column(BaseModel):
    """What one column of the file holds: columns of the record, the first reported of which counts, or a constant.

    The unit of a figure says what it is: ``bbl/d`` a calendar-day rate, ``bbl`` or ``bbl/month`` a month's volume.
    `cumulative` makes a volume the running sum from the first month that the store holds of the well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origins: Annotated[tuple[str, ...], BeforeValidator(_several)] = Field(default=(), alias="from")
    unit: str | None = None
    cumulative: bool = False
    constant: int | float | str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.origins) == (self.constant is not None):
            raise ValueError("a column takes either from or a constant")
        for name in self.origins:
            if name not in _NAMES:
                raise ValueError(f"there is nothing called {name!r}; allowed: {', '.join(_NAMES)}")
            if (self.unit is None) == (name in MEASURES):
                raise ValueError(f"{name} {'needs a' if name in MEASURES else 'takes no'} unit")
            if self.unit is not None:
                parse_unit(name, self.unit)
        if self.constant is not None and self.unit is not None:
            raise ValueError("a constant takes no unit")
        if self.cumulative and not (len(self.origins) == 1 and self.is_volume):
            raise ValueError("only the volume of one phase is cumulative: a figure with an amount as its unit, no /d")
        return self

    @property
    def is_volume(self) -> bool:
        """Whether it holds volumes of months."""
        rates = [name for name in self.origins if name in MEASURES and name != "days_on_production"]
        return bool(rates) and parse_unit(rates[0], self.unit or "")[1] != "d"

    @property
    def meaning(self) -> str:
        """What it holds, in words."""
        if self.constant is not None:
            return f"always {self.constant}" if self.constant != "" else "empty"
        words = " else ".join(_words(name) for name in self.origins)
        unit = (self.unit or "").removesuffix("/month")
        if self.cumulative:
            return f"cumulative {words}, {unit}"
        return f"{words}, {unit}{' a month' if self.is_volume else ''}" if unit else words


def _words(name: str) -> str:
    """Give what people call a column of the record, without our unit."""
    told = {"well_id": "well reference, or code", "boe": "oil and gas"}
    return told.get(name) or name.partition("_production_")[0].replace("_", " ")


def _column(given: object) -> object:
    return {"from": given} if isinstance(given, str | list) else given


class Preset(BaseModel):
    """One layout.

    `source` tells where it was read, `format` is the one that its files have unless another is asked for. `date_form`
    (``iso``, or a form such as ``%m/%d/%Y``) and `null` are the texts for months and for what was not reported in CSV;
    formats with types keep dates as dates and nulls as nulls.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    source: str = ""
    format: str = "csv"
    date_form: str = "iso"
    null: str = ""
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = Field(min_length=1)

    @property
    def meanings(self) -> dict[str, str]:
        """What each column holds, in words."""
        form = "" if self.date_form == "iso" else f", {self.date_form}"
        return {
            name: f"{column.meaning}{form if 'production_period' in column.origins else ''}"
            for name, column in self.columns.items()
        }

    @field_validator("format")
    @classmethod
    def _table(cls, name: str) -> str:
        if not (name in FORMATS and FORMATS[name].is_table):
            raise ValueError(f"allowed: {', '.join(known for known, form in FORMATS.items() if form.is_table)}")
        return name

    @field_validator("date_form")
    @classmethod
    def _tells_months(cls, form: str) -> str:
        months = pl.Series([date(2023, 1, 1), date(2023, 2, 1), date(2024, 1, 1)])
        try:
            distinct = 3 if form == "iso" else months.dt.strftime(form).n_unique()
        except pl.exceptions.PolarsError:
            distinct = 0
        if distinct < 3:
            raise ValueError("it does not tell the months apart; allowed: 'iso', or a form such as '%m/%d/%Y'")
        return form


_PRESETS = Descriptions("export", "preset", Preset, Column, PresetError)


def load_presets(folder: Path | None = None) -> dict[str, Preset]:
    """Give the shipped presets by name and, before them, those of the user in `folder`."""
    return _PRESETS.load(folder)


def read_preset(path: Path) -> Preset:
    """Read one preset file.

    Raises
    ------
    PresetError
        It cannot be read, or a key is wrong: the message says which, what was given and what is allowed.
    """
    return _PRESETS.read(path)


def find_preset(name: str, folder: Path | None = None) -> Preset:
    """Give the preset called `name`, or read the file if `name` ends in ``.toml``.

    Raises
    ------
    PresetError
        There is no such preset; the message lists the known ones.
    """
    return _PRESETS.find(name, folder)
