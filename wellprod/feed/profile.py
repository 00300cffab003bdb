"""A feed profile: one source's names and units against our record, as a TOML file."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wellprod.errors import ProfileError
from wellprod.feed.units import parse_unit
from wellprod.schema import FIGURES, KEY, RECORD, STAMPS
from wellprod.tomlfile import Descriptions

RATES = tuple(name for name in FIGURES if name != "days_on_production")
_SETTABLE = tuple(name for name in RECORD if name not in STAMPS)
_TOLD = 2000  # letters of a feed's own names in a message


def _several(given: object) -> object:
    return (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else given


Names = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Column(BaseModel):
    """Where one column of the record comes from: a property of the feed, by one name or several; or a constant.

    A month may come from two properties, its `year` and its `month`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    property: Names = ()
    year: Names = ()
    month: Names = ()
    unit: str | None = None
    optional: bool = False
    constant: int | str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = bool(self.property), self.constant is not None, bool(self.year or self.month)
        if sum(origins) != 1 or bool(self.year) != bool(self.month):
            raise ValueError("a column takes one of a property, a constant, or year and month")
        return self

    @cached_property
    def needs(self) -> tuple[tuple[str, ...], ...]:
        """The properties it is made from, each as the names that it may have."""
        return tuple(names for names in (self.property, self.year, self.month) if names)


def _column(given: object) -> object:
    return {"property": given} if isinstance(given, str | list) else given


class Profile(BaseModel):
    """One source's shape.

    `figures` says what its rates are: calendar-day rates (volume over all days of the month), producing-day rates
    (volume over the days on production) or monthly volumes; each becomes a calendar-day rate on the way in.
    `liquids_include_oil` and `liquids_include_condensate` say what its liquids are; with both, the rest of the oil in
    them is condensate. `nulls` are texts that mean that nothing was reported, `decimal` and `thousands` the marks in
    figures that come as text. The rest is of files: the `sheet` of a workbook, the `separator` and `encoding` of a CSV,
    which are found where they are not told, and how many `rows_after_header` are no records.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    entity_set: str
    figures: Literal["calendar-day rate", "producing-day rate", "monthly volume"]
    date_form: str = "iso"
    filter_dates: Literal["date-time", "date", "quoted", "number", "version 2"] = "date-time"
    codes: Literal["integer", "text"] = "integer"
    well_in_one_field: bool = False
    liquids_include_oil: bool = False
    liquids_include_condensate: bool = False
    nulls: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    sheet: str | None = None
    separator: str | None = Field(None, min_length=1, max_length=1)
    encoding: str | None = None
    rows_after_header: int = Field(0, ge=0)
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, column in self.columns.items():
            if name not in _SETTABLE:
                raise ValueError(f"columns.{name} is no column of the record; allowed: {', '.join(_SETTABLE)}")
            if column.year and name != "production_period":
                raise ValueError(f"columns.{name} takes no year and month; columns.production_period does")
            if (column.unit is None) == (name in FIGURES):
                raise ValueError(f"columns.{name} {'needs a' if name in FIGURES else 'takes no'} unit")
            if name in FIGURES:
                self._check_period(name, parse_unit(name, column.unit or "")[1])
        for name in KEY:
            if name not in self.columns and name != "data_source":
                raise ValueError(f"columns.{name} is missing; it is part of the key")
        if self.figures == "producing-day rate" and "days_on_production" not in self.columns:
            raise ValueError("columns.days_on_production is missing; producing-day rates need it")
        if self.date_form != "iso" and "%Y" not in self.date_form:
            raise ValueError(f"date_form {self.date_form!r} is not known; allowed: 'iso', or a form such as '%Y%m'")
        if self.thousands == self.decimal:
            raise ValueError(f"thousands and decimal are both {self.decimal!r}; they must differ")
        if self.encoding and not _is_encoding(self.encoding):
            raise ValueError(
                f"encoding {self.encoding!r} is not known; allowed: 'utf-8', 'utf-16', 'cp1252', 'latin-1'"
            )
        return self

    def _check_period(self, name: str, period: str | None) -> None:
        if name == "days_on_production":
            return
        volume = self.figures == "monthly volume"
        if (period == "d") == volume:
            wanted = "an amount, alone or with /month" if volume else "an amount with /d"
            raise ValueError(f"columns.{name}: {self.figures} takes {wanted}, given {self.columns[name].unit!r}")

    @cached_property
    def properties(self) -> tuple[str, ...]:
        """The feed's properties that the record is made from, by all their names."""
        return tuple(
            dict.fromkeys(name for column in self.columns.values() for names in column.needs for name in names)
        )

    @cached_property
    def mapped(self) -> tuple[str, ...]:
        """The columns of the record that come from a property."""
        return tuple(name for name, column in self.columns.items() if column.needs)

    @cached_property
    def needs(self) -> tuple[tuple[str, ...], ...]:
        """The properties without which a page is not this profile's, each as the names that it may have."""
        return tuple(names for column in self.columns.values() if not column.optional for names in column.needs)

    def lacks(self, found: Collection[str]) -> list[str]:
        """Give the properties that it needs and that are not among those `found`, by their first names."""
        return [names[0] for names in self.needs if not any(name in found for name in names)]

    @property
    def order_by(self) -> tuple[str, ...]:
        """The properties that make the key, for a stable order of pages."""
        key = [self.columns[name] for name in KEY if name in self.columns]
        return tuple(names[0] for column in key if not column.optional for names in column.needs)

    def since_filter(self, month: str) -> str:
        """Give the `$filter` for production months from `month` (YYYY-MM-DD) on.

        Raises
        ------
        ProfileError
            The month comes from two properties.
        """
        period = self.columns["production_period"]
        if not period.property:
            raise ProfileError(
                f"Profile {self.name!r} makes the month of two properties, which no filter asks for.",
                next="Leave since out.",
            )
        first = date.fromisoformat(month)
        text = month if self.date_form == "iso" else first.strftime(self.date_form)
        literal = {
            "date": month,
            "date-time": f"{month}T00:00:00Z",
            "quoted": "'{}'".format(text.replace("'", "''")),
            "number": text,
            "version 2": f"datetime'{month}T00:00:00'",
        }[self.filter_dates]
        return f"{period.property[0]} ge {literal}"

    def check(self, found: Iterable[str]) -> list[str]:
        """Check the properties `found` in a feed; give a warning that names the optional ones that are lacking.

        Raises
        ------
        ProfileError
            A property that the profile needs is not there.
        """
        found, lacking = set(found), []
        for column_name, column in self.columns.items():
            for names in column.needs:
                if found.intersection(names):
                    continue
                if not column.optional:
                    raise ProfileError(
                        f"Profile {self.name!r}: columns.{column_name} names the property"
                        f" {' or '.join(map(repr, names))}, which the feed does not have."
                        f" Its properties are: {_told(found)}.",
                        next="Correct the profile, mark the column optional, or choose another with --profile.",
                    )
                lacking.append(names[0])
        lacking = list(dict.fromkeys(lacking))
        return [f"The feed lacks what is then read as null: {', '.join(lacking)}."] if lacking else []


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


_PROFILES = Descriptions("feed", "profile", Profile, Column, ProfileError)


def load_profiles(folder: Path | None = None) -> dict[str, Profile]:
    """Give the shipped profiles by name and, before them, those of the user in `folder`."""
    return _PROFILES.load(folder)


def read_profile(path: Path) -> Profile:
    """Read one profile file.

    Raises
    ------
    ProfileError
        It cannot be read, or a key is wrong: the message says which, what was given and what is allowed.
    """
    return _PROFILES.read(path)


def find_profile(name: str, folder: Path | None = None) -> Profile:
    """Give the profile called `name`, or read the file if `name` ends in ``.toml``.

    Raises
    ------
    ProfileError
        There is no such profile; the message lists the known ones.
    """
    return _PROFILES.find(name, folder)


def recognise_profile(rows: Sequence[Any], folder: Path | None = None) -> Profile:
    """Give the profile that fits the first rows of a feed best: all its required properties are there, most of all.

    Raises
    ------
    ProfileError
        None fits; the message says which properties the nearest one lacks.
    """
    found = {name for row in rows if isinstance(row, dict) for name in row}
    profiles = load_profiles(folder)
    if fitting := best_fit(found, profiles.values()):
        return fitting
    if found and found <= {"name", "kind", "url", "title"}:
        listed = ", ".join(str(row.get("name")) for row in rows if isinstance(row, dict))
        raise ProfileError(
            f"This is a service root, which lists its entity sets: {listed[:_TOLD]}.",
            next="Give the address of the one that holds the production.",
        )
    nearest = min(profiles.values(), key=lambda profile: len(profile.lacks(found)) / len(profile.needs))
    raise ProfileError(
        f"No profile fits this feed. Its properties are: {_told(found)}. The nearest profile,"
        f" {nearest.name!r}, also needs: {', '.join(sorted(nearest.lacks(found)))}.",
        next="Choose one with --profile, or write your own: the README shows how.",
    )


def best_fit(found: Collection[str], profiles: Iterable[Profile]) -> Profile | None:
    """Give the profile whose needs `found` properties meet, and of several the one that reads most of them."""
    fitting = [profile for profile in profiles if not profile.lacks(found)]
    return max(fitting, key=lambda profile: len(set(profile.properties).intersection(found)), default=None)


def _told(names: Iterable[str]) -> str:
    """Give names as a message takes them, without control information, whatever a feed may call its properties."""
    told = ", ".join(sorted(name for name in names if "@" not in name and name[:2] != "__")) or "none"
    return told if len(told) <= _TOLD else f"{told[:_TOLD]} ..."
