"""Which fields, wells and months: what exports and measures are taken over."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time
from typing import Any
from unicodedata import category

import polars as pl

from wellprod.analysis.groups import Kind, groups_of
from wellprod.analysis.identity import Key, keys_held, keys_of
from wellprod.errors import NotThere, SelectionError
from wellprod.schema import RECORD
from wellprod.store import Reading
from wellprod.text import html_pairs

Condition = tuple[str, Sequence[Any]]
"""An SQL condition on `production` with `?` for values, and the values."""

_KINDS: dict[Kind, str] = {"field": "fields", "well": "wells"}
_SEVERAL = (*_KINDS.values(), "groups")
_LONGEST_NAME = 60
UNNAMED = "all"
"""What exports without a named selection are kept under, so that no selection may be called so."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Fields, wells, groups of them, and months; what is not given is not restricted, each that is given narrows it.

    Parameters
    ----------
    fields
        Field codes or names, in any letter case; what is a code is not looked for as a name. A code stands for the
        fields of all data sources that have it, a name for those that are called so, or were, as `groups.toml` says.
    wells
        Well codes, names or references, likewise.
    first_month, last_month
        Months as YYYY-MM or YYYY-MM-DD, both included.
    name, description, client
        What it is called, what it is for and for whom, where it is saved or handed on. The name is also part of the
        names of files and of keys in a bucket: letters, digits, spaces and ``.`` ``_`` ``-``, at most 60.
    groups
        Names of groups, as `groups.toml` beside the store has them; a record is of one of them.

    Raises
    ------
    SelectionError
        A month is none, or the last one lies before the first; or the name is not allowed.
    """

    fields: tuple[str, ...] = ()
    wells: tuple[str, ...] = ()
    first_month: str | None = None
    last_month: str | None = None
    name: str = ""
    description: str = ""
    client: str = ""
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.name:
            check_name(self.name)
        first, last = (_month(text) for text in (self.first_month, self.last_month))
        if first and last and last < first:
            raise SelectionError(
                f"The last month {self.last_month} lies before the first, {self.first_month}.",
                next="Swap them.",
            )

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {**asdict(self), **{name: list(getattr(self, name)) for name in _SEVERAL}}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Selection:
        """Make it again from plain values."""
        return cls(**{**values, **{name: tuple(values.get(name, ())) for name in _SEVERAL}})

    def narrowed(
        self,
        fields: Sequence[str] = (),
        wells: Sequence[str] = (),
        first_month: str | None = None,
        last_month: str | None = None,
        groups: Sequence[str] = (),
    ) -> Selection:
        """Give it with what is given in place of its own.

        With other months it keeps its name, and its files tell the months; with other fields, wells or groups it is no
        longer what was named, so that name and description go.
        """
        asked = replace(self, first_month=first_month or self.first_month, last_month=last_month or self.last_month)
        if not (fields or wells or groups):
            return asked
        return replace(
            asked,
            fields=tuple(fields) or self.fields,
            wells=tuple(wells) or self.wells,
            groups=tuple(groups) or self.groups,
            name="",
            description="",
        )

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it; name, description and client where there are."""
        told = {"Name": self.name, "Description": self.description, "Client": self.client}
        return {
            **{title: text for title, text in told.items() if text},
            **({"Groups": ", ".join(self.groups)} if self.groups else {}),
            "Fields": ", ".join(self.fields) or "all",
            "Wells": ", ".join(self.wells) or "all",
            "Months": self.months or "all",
        }

    @property
    def months(self) -> str:
        """The months in words, such as ``2023-01 to 2024-05``; nothing where all are selected."""
        first, last = (self.first_month or "")[:7], (self.last_month or "")[:7]
        if first and last:
            return f"{first} to {last}"
        return f"from {first}" if first else f"to {last}" if last else ""

    def _repr_html_(self) -> str:
        return html_pairs(self.as_pairs())

    def condition(self, reading: Reading, *, data_source: str | None = None, renamed: bool = True) -> Condition:
        """Give the SQL condition on `production` and its parameters.

        Parameters
        ----------
        data_source
            The one source in which fields and wells are looked for; None for all.
        renamed
            Whether a field or well is also what it was called before.

        Raises
        ------
        NotThere
            A field, well or group is not in the store; the message names the nearest ones.
        """
        parts: list[Condition] = []
        for kind, given in _KINDS.items():
            keys = {
                key
                for text in getattr(self, given)
                for key in keys_of(reading, kind, text, data_source=data_source, renamed=renamed)
            }
            parts += [_is_one_of(kind, keys)] if keys else []
        if self.groups:
            parts.append(_any_of([group_condition(reading, name) for name in self.groups]))
        return all_of(*parts, self.in_months)

    @property
    def in_months(self) -> Condition:
        """The part of the condition that its months make."""
        months = ((">=", _month(self.first_month)), ("<=", _month(self.last_month)))
        given = [(f"production_period {sign} ?", month) for sign, month in months if month]
        return " AND ".join(part for part, _ in given) or "TRUE", [month for _, month in given]


def all_of(*conditions: Condition) -> Condition:
    """Give the condition that all of these make."""
    bounds = [(part, values) for part, values in conditions if part not in ("", "TRUE")]
    together = " AND ".join(f"({part})" for part, _ in bounds)
    return together or "TRUE", [value for _, values in bounds for value in values]


def group_condition(reading: Reading, name: str) -> Condition:
    """Give the condition that makes a record one of a group; members without a record are passed over.

    Raises
    ------
    NotThere
        There is no such group, or none of its members has a record.
    """
    known, group = groups_of(reading).find(name)
    members = [_is_one_of(kind, keys_held(reading, kind, getattr(group, given))) for kind, given in _KINDS.items()]
    if held := [condition for condition in members if condition[1]]:
        return _any_of(held)
    raise NotThere(
        f"No field or well of the group {known!r} is in the store.",
        next="Write them into groups.toml as the store has them: wellprod stats lists its fields.",
    )


def _is_one_of(kind: Kind, keys: Collection[Key]) -> Condition:
    codes = sorted({code for _, code in keys})  # found ten times as fast as pairs
    pairs = f"(data_source, {kind}_code) IN ({', '.join(['(?, ?)'] * len(keys))})"
    values = [*codes, *(value for key in sorted(keys) for value in key)]
    return f"{kind}_code IN ({', '.join('?' * len(codes))}) AND {pairs}", values


def _any_of(conditions: Sequence[Condition]) -> Condition:
    return " OR ".join(f"({part})" for part, _ in conditions), [value for _, values in conditions for value in values]


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a selection.

    Raises
    ------
    SelectionError
        It is empty, too long, reserved, or has a character that a file, a key or a title does not take.
    """
    if name.casefold() == UNNAMED:
        raise SelectionError(
            f"No selection can be called {name!r}: exports of no named selection are kept under it.",
            next="Choose another name.",
        )
    letters = all(sign.isalnum() or sign in " ._-" or category(sign).startswith("M") for sign in name)
    if not (letters and 1 <= len(name) <= _LONGEST_NAME and name[0].isalnum() and name[-1] not in ". "):
        raise SelectionError(
            f"{name!r} cannot be the name of a selection." if name else "The selection has no name.",
            next=f"Write 1 to {_LONGEST_NAME} letters, digits, spaces or any of . _ -, with a letter or digit first,"
            " and no dot or space at the end.",
        )


def known_until(day: str) -> datetime:
    """Give the end of a day, UTC, for what was known on it.

    Raises
    ------
    SelectionError
        It is no day.
    """
    try:
        return datetime.combine(date.fromisoformat(day), time.max)
    except ValueError:
        raise SelectionError(f"{day!r} is no day.", next="Write it as YYYY-MM-DD, such as 2024-05-31.") from None


def selected_records(reading: Reading, selection: Selection) -> pl.DataFrame:
    """Give the records of a selection whole, with the columns of the record, in the order of the key.

    Raises
    ------
    SelectionError
        A field or well is not in the store.
    """
    batches = reading.records(*selection.condition(reading))
    return pl.concat([pl.DataFrame(schema=RECORD), *batches])


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])(-\d{2})?", text):
        raise SelectionError(f"{text!r} is no month.", next="Write it as YYYY-MM, such as 2024-01.")
    try:
        return date.fromisoformat(f"{text[:7]}-01" if len(text) == 7 else text).replace(day=1)
    except ValueError:
        raise SelectionError(f"{text!r} is no month.", next="Write it as YYYY-MM, such as 2024-01.") from None
