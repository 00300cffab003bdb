"""A feed profile: one source's names and units against our record, as a TOML file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


class Column(BaseModel):
    """Where one column of the record comes from: a property of the feed, or a constant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    property: str | None = None
    unit: str | None = None
    optional: bool = False
    constant: int | str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.property is None) == (self.constant is None):
            raise ValueError("a column takes either a property or a constant")
        return self


def _column(given: object) -> object:
    return {"property": given} if isinstance(given, str) else given


class Profile(BaseModel):
    """One source's shape.

    `figures` says what its rates are: calendar-day rates (volume over all days of the month), producing-day rates
    (volume over the days on production) or monthly volumes; each becomes a calendar-day rate on the way in.
    `liquids_include_oil` and `liquids_include_condensate` say what its liquids are; with both, the rest of the oil in
    them is condensate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    entity_set: str
    figures: Literal["calendar-day rate", "producing-day rate", "monthly volume"]
    date_form: str = "iso"
    filter_dates: Literal["date-time", "date", "quoted", "version 2"] = "date-time"
    codes: Literal["integer", "text"] = "integer"
    well_in_one_field: bool = False
    liquids_include_oil: bool = False
    liquids_include_condensate: bool = False
    columns: dict[str, Annotated[Column, BeforeValidator(_column)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for name, column in self.columns.items():
            if name not in _SETTABLE:
                raise ValueError(f"columns.{name} is no column of the record; allowed: {', '.join(_SETTABLE)}")
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
        """The feed's properties that the record is made from."""
        return tuple(dict.fromkeys(column.property for column in self.columns.values() if column.property))

    @cached_property
    def mapped(self) -> tuple[str, ...]:
        """The columns of the record that come from a property."""
        return tuple(name for name, column in self.columns.items() if column.property)

    @cached_property
    def required(self) -> frozenset[str]:
        """The properties without which a page is not this profile's."""
        return frozenset(c.property for c in self.columns.values() if c.property and not c.optional)

    @property
    def order_by(self) -> tuple[str, ...]:
        """The properties that make the key, for a stable order of pages."""
        key = [self.columns[name] for name in KEY if name in self.columns]
        return tuple(column.property for column in key if column.property and not column.optional)

    def since_filter(self, month: str) -> str:
        """Give the `$filter` for production months from `month` (YYYY-MM-DD) on."""
        literal = {
            "date": month,
            "date-time": f"{month}T00:00:00Z",
            "quoted": f"'{month}'",
            "version 2": f"datetime'{month}T00:00:00'",
        }[self.filter_dates]
        return f"{self.columns['production_period'].property} ge {literal}"

    def check(self, found: Iterable[str]) -> list[str]:
        """Check the properties `found` in a feed; give a warning that names the optional ones that are lacking.

        Raises
        ------
        ProfileError
            A property that the profile needs is not there.
        """
        found = set(found)
        for name, column in self.columns.items():
            if column.property and not column.optional and column.property not in found:
                raise ProfileError(
                    f"Profile {self.name!r}: columns.{name} names the property {column.property!r}, which the feed"
                    f" does not have. Its properties are: {_told(found)}.",
                    next="Correct the profile, mark the column optional, or choose another with --profile.",
                )
        lacking = [name for name in self.properties if name not in found]
        return [f"The feed lacks what is then read as null: {', '.join(lacking)}."] if lacking else []


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
    fitting = [profile for profile in profiles.values() if profile.required <= found]
    if fitting:
        return max(fitting, key=lambda profile: len(found.intersection(profile.properties)))
    if found and found <= {"name", "kind", "url", "title"}:
        listed = ", ".join(str(row.get("name")) for row in rows if isinstance(row, dict))
        raise ProfileError(
            f"This is a service root, which lists its entity sets: {listed[:_TOLD]}.",
            next="Give the address of the one that holds the production.",
        )
    nearest = min(profiles.values(), key=lambda profile: len(profile.required - found) / len(profile.required))
    raise ProfileError(
        f"No profile fits this feed. Its properties are: {_told(found)}. The nearest profile,"
        f" {nearest.name!r}, also needs: {', '.join(sorted(nearest.required - found))}.",
        next="Choose one with --profile, or write your own: the README shows how.",
    )


def _told(names: Iterable[str]) -> str:
    """Give names as a message takes them, whatever a feed may call its properties."""
    told = ", ".join(sorted(names)) or "none"
    return told if len(told) <= _TOLD else f"{told[:_TOLD]} ..."
