"""Which fields, wells and months: what exports and measures are taken over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import Any
from unicodedata import category

import polars as pl

from wellprod.errors import NotThere, SelectionError
from wellprod.schema import RECORD
from wellprod.store import Reading
from wellprod.text import html_pairs

Condition = tuple[str, Sequence[Any]]
"""An SQL condition on `production` with `?` for values, and the values."""

_FIELD_NAMES = ("field_name",)
_WELL_NAMES = ("well_name", "well_reference")
_LONGEST_NAME = 60
UNNAMED = "all"
"""What exports without a named selection are kept under, so that no selection may be called so."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Fields, wells and months; what is not given is not restricted.

    Parameters
    ----------
    fields
        Field codes or names, in any letter case; what is a code is not looked for as a name. A code stands for the
        fields of all data sources that have it, a name for those that are called so.
    wells
        Well codes, names or references, likewise.
    first_month, last_month
        Months as YYYY-MM or YYYY-MM-DD, both included.
    name, description, client
        What it is called, what it is for and for whom, where it is saved or handed on. The name is also part of the
        names of files and of keys in a bucket: letters, digits, spaces and ``.`` ``_`` ``-``, at most 60.

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
        return {**asdict(self), "fields": list(self.fields), "wells": list(self.wells)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Selection:
        """Make it again from plain values."""
        return cls(**{**values, "fields": tuple(values["fields"]), "wells": tuple(values["wells"])})

    def narrowed(
        self,
        fields: Sequence[str] = (),
        wells: Sequence[str] = (),
        first_month: str | None = None,
        last_month: str | None = None,
    ) -> Selection:
        """Give it with what is given in place of its own.

        With other months it keeps its name, and its files tell the months; with other fields or wells it is no longer
        what was named, so that name and description go.
        """
        asked = replace(self, first_month=first_month or self.first_month, last_month=last_month or self.last_month)
        if not fields and not wells:
            return asked
        return replace(
            asked, fields=tuple(fields) or self.fields, wells=tuple(wells) or self.wells, name="", description=""
        )

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it; name, description and client where there are."""
        told = {"Name": self.name, "Description": self.description, "Client": self.client}
        return {
            **{title: text for title, text in told.items() if text},
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

    def condition(self, reading: Reading, *, data_source: str | None = None) -> Condition:
        """Give the SQL condition on `production` and its parameters.

        Parameters
        ----------
        data_source
            The one source in which fields and wells are looked for; None for all.

        Raises
        ------
        NotThere
            A field or well is not in the store; the message names the nearest ones.
        """
        parts: list[str] = []
        parameters: list[Any] = []
        for kind, given, names in (("field", self.fields, _FIELD_NAMES), ("well", self.wells, _WELL_NAMES)):
            if given:
                keys = sorted({key for text in given for key in _keys(reading, kind, text, names, data_source)})
                codes = sorted({code for _, code in keys})  # found ten times as fast as pairs
                parts.append(f"{kind}_code IN ({', '.join('?' * len(codes))})")
                parts.append(f"(data_source, {kind}_code) IN ({', '.join(['(?, ?)'] * len(keys))})")
                parameters += [*codes, *(value for key in keys for value in key)]
        return all_of((" AND ".join(parts), parameters), self.in_months)

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


def nearest(text: str, known: Iterable[str]) -> list[str]:
    """Give the up to three names that come nearest to a misspelt one, whatever the letter case."""
    folded = {name.casefold(): name for name in known}
    return [folded[name] for name in get_close_matches(text.casefold(), folded, n=3, cutoff=0.5)]


def selected_records(reading: Reading, selection: Selection) -> pl.DataFrame:
    """Give the records of a selection whole, with the columns of the record, in the order of the key.

    Raises
    ------
    SelectionError
        A field or well is not in the store.
    """
    batches = reading.records(*selection.condition(reading))
    return pl.concat([pl.DataFrame(schema=RECORD), *batches])


def _keys(
    reading: Reading, kind: str, text: str, names: tuple[str, ...], data_source: str | None
) -> list[tuple[str, int]]:
    """Give the data sources and codes that a code, in whichever source, or a name stands for."""
    within, source = ("data_source = ? AND", [data_source]) if data_source is not None else ("", [])
    query = f"SELECT DISTINCT data_source, {kind}_code FROM production WHERE {within}"
    if (code := _code(text)) is not None and (
        keys := reading.table(f"{query} {kind}_code = ?", [*source, code]).rows()
    ):
        return keys
    named = " OR ".join(f"lower({name}) = lower(?)" for name in names)
    if keys := reading.table(f"{query} ({named})", [*source, *[text] * len(names)]).rows():
        return keys
    known = reading.table(
        " UNION ".join(
            f"SELECT DISTINCT {name} AS name FROM production WHERE {within} {name} IS NOT NULL" for name in names
        ),
        source * len(names),
    )["name"].to_list()
    raise NotThere(
        f"There is no {kind} {text!r} in {'the store' if data_source is None else f'the data source {data_source!r}'}.",
        next=_advice(reading, kind, text, known),
    )


def _advice(reading: Reading, kind: str, text: str, known: list[str]) -> str:
    """Say what to give in place of a name or code that is not there."""
    if near := nearest(text, known):
        return f"Near to it: {', '.join(near)}."
    if known:
        return f"Give a {kind} code or name that is there, such as {', '.join(sorted(known)[:3])}."
    sources = reading.table("SELECT DISTINCT data_source FROM production ORDER BY data_source")["data_source"]
    if sources.is_empty():
        return "Import a feed first: wellprod import URL, or wellprod demo."
    return f"Give a {kind} code that is there. Data sources: {', '.join(sources)}."


def _code(text: str) -> int | None:
    """Give the number that is written so and not otherwise, where it can be a code."""
    code = int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None
    return code if code is not None and str(code) == text and abs(code) < 2**63 else None


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])(-\d{2})?", text):
        raise SelectionError(f"{text!r} is no month.", next="Write it as YYYY-MM, such as 2024-01.")
    try:
        return date.fromisoformat(f"{text[:7]}-01" if len(text) == 7 else text).replace(day=1)
    except ValueError:
        raise SelectionError(f"{text!r} is no month.", next="Write it as YYYY-MM, such as 2024-01.") from None
