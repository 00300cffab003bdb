"""A file of rows and columns as a feed: which table and row has the names of a profile, and the records below it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from wellprod.errors import FeedUnreadable, ProfileError
from wellprod.feed.files.base import FeedFile
from wellprod.feed.page import FAULT, LINE
from wellprod.feed.profile import Profile, best_fit
from wellprod.feed.units import DAYS, KBBL, MMSCF, parse_unit

Cells = Sequence[object]

_LOOKED_AT = 50  # rows of a table in which its header is looked for
_FIRST = 100
_EXACT = 1e15  # whole numbers up to here have all their digits in a cell
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_UNIT_WORDS = {"hrs": "h", "hr": "h", "hours": "h", "hour": "h", "days": "d", "day": "d", "sm³": "Sm3", "m³": "m3"}
_UNITS = {unit.casefold(): unit for unit in (*KBBL, *MMSCF, *DAYS)} | _UNIT_WORDS


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is no row, and why."""

    reason: str
    line: str


class Table(ABC):
    """One table: a CSV read with one separator, a sheet, a Parquet file.

    Attributes
    ----------
    title
        What a message calls it.
    profiles
        Those that may read it.
    """

    title: str
    profiles: Sequence[Profile]

    @abstractmethod
    def rows(self, names: Sequence[str] | None = None) -> Iterator[Cells | Fault]:
        """Give the rows that are not blank, from the first on.

        Parameters
        ----------
        names
            The header, once it is known: a row of another length may then be a fault.
        """


@dataclass(frozen=True, slots=True)
class _Layout:
    table: Table
    profile: Profile | None
    header: int
    names: tuple[str, ...]


class TableFile(FeedFile):
    """A file of tables.

    Parameters
    ----------
    profiles
        Those that may read it: the one that was asked for, or all.
    """

    def __init__(self, path: Path, profiles: Iterable[Profile], *, page_size: int) -> None:
        super().__init__(path, page_size=page_size)
        self.profiles = tuple(profiles)
        self.within: int | None = None

    @abstractmethod
    def tables(self) -> Iterator[Table]:
        """Give the tables in which the records may be; raises as `records` does."""

    def passed_by(self, table: Table, profile: Profile) -> list[str]:
        """Give the titles of other tables that the profile could read too."""
        return []

    def has_columns(self, rows: Iterable[Cells | Fault], profile: Profile) -> bool:
        """Tell whether one of the first rows is a header with what the profile needs."""
        head = (row for row in islice(rows, _LOOKED_AT) if not isinstance(row, Fault))
        return any(not profile.lacks(set(_named(row))) for row in head)

    @property
    def profile(self) -> Profile | None:
        """The one that fits; raises as `records` does."""
        return self._layout.profile

    def first_records(self, within: int | None = None) -> list[Any]:
        """Give some records, or the names of the columns where there are none."""
        self.within = within
        records = list(islice((record for record in self.records() if FAULT not in record), _FIRST))
        self._check_decimals(records)
        return records or [dict.fromkeys(self._layout.names)]

    def _check_decimals(self, records: Sequence[dict[str, Any]]) -> None:
        """Say so where figures have a comma that the profile does not read, since all of them are rejected."""
        profile = self._layout.profile
        if profile is None or profile.decimal == "," or profile.thousands == ",":
            return
        figures = [name for column in profile.columns.values() if column.unit for name in column.property]
        values = (str(record.get(name) or "") for record in records for name in figures)
        if found := next((value for value in values if _DECIMAL_COMMA.fullmatch(value)), None):
            self.warn(
                f"Figures such as {found} have a comma, which profile {profile.name!r} does not read. A profile of your"
                ' own reads them with decimal = "," or thousands = ","; choose it with --profile.'
            )

    def records(self) -> Iterator[dict[str, Any]]:
        """Give the records, each by the names in the header; a row that is none tells why, and has its cells."""
        layout = self._layout
        self._check_names(layout)
        profile = layout.profile
        rows: Iterator[Cells | Fault] = islice(layout.table.rows(layout.names), layout.header + 1, None)
        if profile is None:
            return  # whoever asked for first records has been told
        if layout.header:
            above = (
                "row above the header is no record" if layout.header == 1 else "rows above the header are no records"
            )
            self.warn(f"{layout.table.title}: {layout.header} {above}.")
        if others := self.passed_by(layout.table, profile):
            self.warn(f"{layout.table.title} alone is read; {', '.join(others)} have the columns of the profile too.")
        next(islice(rows, profile.rows_after_header, profile.rows_after_header), None)
        first = next(rows, None)
        if first is not None and not self._is_units(first, layout):
            rows = chain([first], rows)
        period = frozenset(name for names in profile.columns["production_period"].needs for name in names)
        keys = _unique(layout.names)
        forms = [_Form(profile, is_period=name in period) for name in layout.names]
        nothing = [None] * len(layout.names)  # a row of a sheet ends with its last value
        for row in rows:
            if isinstance(row, Fault):
                yield {FAULT: row.reason, LINE: row.line}
            else:
                yield {
                    name: value if value is None or type(value) is str else form.text(value)
                    for name, form, value in zip(keys, forms, chain(row, nothing), strict=False)
                }

    @cached_property
    def _layout(self) -> _Layout:
        """Find the first table with a row that has the names of a profile; else the row that looks most like one."""
        best: _Layout | None = None
        most = -1
        unreadable: FeedUnreadable | None = None
        for table in self.tables():
            try:
                for number, row in enumerate(islice(table.rows(), _LOOKED_AT)):
                    if isinstance(row, Fault):
                        continue
                    names = _named(row)
                    if profile := best_fit(set(names), table.profiles):
                        return _Layout(table, profile, number, names)
                    texts = sum(isinstance(cell, str) and bool(cell.strip()) for cell in row)
                    if texts > most:
                        best, most = _Layout(table, None, number, names), texts
            except FeedUnreadable as error:  # in the encoding that some profile names
                unreadable = unreadable or error
        if best is None:
            empty = FeedUnreadable(f"The file {self.path} is empty.", next="Give a file with a header and records.")
            raise unreadable or empty
        return best

    def _check_names(self, layout: _Layout) -> None:
        known = layout.profile.properties if layout.profile else ()
        for name, count in Counter(layout.names).items():
            if count > 1 and name in known:
                places = [str(place) for place, other in enumerate(layout.names, 1) if other == name]
                raise FeedUnreadable(
                    f"The file {self.path} has {count} columns called {name!r}: the"
                    f" {', '.join(places[:-1])} and {places[-1]} from the left.",
                    next="Rename those that are not meant.",
                )

    def _is_units(self, row: Cells | Fault, layout: _Layout) -> bool:
        """Tell whether a row has the units of the columns, and check them against those of the profile."""
        if isinstance(row, Fault) or layout.profile is None:
            return False
        told = {
            name: str(cell).strip(" ()[]")
            for name, cell in zip(layout.names, row, strict=False)
            if cell is not None and str(cell).strip()
        }
        if not told or any(text.partition("/")[0].casefold() not in _UNITS for text in told.values()):
            return False
        for column_name, column in layout.profile.columns.items():
            for name in column.property:
                if column.unit and name in told and not _is_same_unit(column_name, told[name], column.unit):
                    raise ProfileError(
                        f"The file {self.path} gives {name!r} in {told[name]}; profile {layout.profile.name!r} reads"
                        f" it in {column.unit}.",
                        next="Correct the unit in a profile of your own, and choose it with --profile.",
                    )
        return True


def _is_same_unit(column: str, told: str, unit: str) -> bool:
    amount, slash, period = told.partition("/")
    try:
        factor, _ = parse_unit(column, f"{_UNITS[amount.casefold()]}{slash}{period}")
    except ValueError:
        return False
    return factor == parse_unit(column, unit)[0]


def _named(row: Cells) -> tuple[str, ...]:
    """Give the names that a row has as a header: blanks folded; one without a name is called by its place."""
    folded = (" ".join(str(cell).split()) if cell is not None else "" for cell in row)
    names = tuple(name or f"column {place}" for place, name in enumerate(folded, 1))
    width = max((place for place, cell in enumerate(row, 1) if cell not in (None, "")), default=0)
    return names[:width]


def _unique(names: Sequence[str]) -> list[str]:
    """Give names of which none comes twice; those that do are none of the profile's."""
    met: Counter[str] = Counter()
    unique = []
    for name in names:
        met[name] += 1
        unique.append(name if met[name] == 1 else f"{name} ({met[name]})")
    return unique


class _Form:
    """How the values of one column become text, as the profile reads it."""

    def __init__(self, profile: Profile, *, is_period: bool) -> None:
        self._decimal = profile.decimal
        self._date_form = profile.date_form if is_period else "iso"

    def text(self, value: object) -> str | None:
        """Give a value of a workbook or a Parquet file as text; no digit is lost."""
        match value:
            case bool():
                return str(value).lower()
            case int():
                return str(value)
            case float():
                is_whole = abs(value) < _EXACT and value.is_integer()
                return str(int(value)) if is_whole else repr(value).replace(".", self._decimal)
            case Decimal():
                return f"{value:f}".replace(".", self._decimal)
            case datetime() if (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0):
                return self._dated(value.date())
            case datetime():
                return value.isoformat() if self._date_form == "iso" else self._dated(value)
            case date():
                return self._dated(value)
            case bytes():
                return value.decode("utf-8", "backslashreplace")
            case list() | dict():
                return orjson.dumps(value, default=str).decode()
        return str(value)

    def _dated(self, value: date) -> str:
        return value.isoformat() if self._date_form == "iso" else value.strftime(self._date_form)
