"""Saved selections: which fields, wells and months, under a name, one TOML file each.

The file's name is the selection's; its keys are those of a `Selection`, each of them optional::

    description = "Pre-salt fields, for the monthly letter"
    client = "Northwind"
    fields = ["Tupi", "Búzios"]
    first_month = "2023-01"
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from wellprod.analysis.selection import Selection, check_name
from wellprod.errors import NotThere, SelectionError
from wellprod.store import Reading
from wellprod.text import html_table, nearest

_SHOWN_NAMES = 3  # of the fields and wells, in a table
_TOLD_NAMES = 20  # of the selections, in a message


@dataclass(frozen=True, slots=True)
class SavedSelection:
    """A saved selection; one whose file is wrong has a `problem` in place of its `selection`."""

    name: str
    selection: Selection | None
    problem: SelectionError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        values = (self.selection or Selection()).as_dict()
        return {**values, "name": self.name, "problem": self.problem.as_dict() if self.problem else None}

    def as_row(self) -> tuple[str, ...]:
        """Give it as a row under `SavedSelections.HEADINGS`."""
        if self.selection is None:
            return (self.name, str(self.problem), *[""] * 5)
        chosen = (_few(names) or "all" for names in (self.selection.fields, self.selection.wells))
        told = (self.selection.description, self.selection.client, _few(self.selection.groups))
        return (self.name, *told, *chosen, self.selection.months or "all")


class SavedSelections(tuple[SavedSelection, ...]):
    """Several saved selections, which a notebook shows as a table."""

    __slots__ = ()
    HEADINGS = ("name", "description", "client", "groups", "fields", "wells", "months")

    def __repr__(self) -> str:
        names = (f"{saved.name!r}{' (its file is wrong)' if saved.problem else ''}" for saved in self)
        return f"<SavedSelections: {', '.join(names) or 'none'}>"

    def _repr_html_(self) -> str:
        if not self:
            return "<p>No selection is saved.</p>"
        return html_table(self.HEADINGS, (saved.as_row() for saved in self), figures=[False] * len(self.HEADINGS))


def save_selection(selection: Selection, folder: Path, reading: Reading, *, replace: bool = False) -> Selection:
    """Save a selection under its name, and give it as it was saved.

    Parameters
    ----------
    reading
        An open read, to look its fields and wells up.
    replace
        Whether it may take the place of one with the same name.

    Raises
    ------
    SelectionError
        The name is not allowed or taken, a field or well is not in the store, or the file cannot be written.
    """
    check_name(selection.name)
    selection = dataclasses.replace(selection, name=unicodedata.normalize("NFC", selection.name))
    selection.condition(reading)
    found = _find(selection.name, folder)
    if found and found.stem != selection.name:  # one file to some systems, two to others
        raise SelectionError(
            f"There is a selection {found.stem!r} already, which differs from {selection.name!r} in its letters' case"
            " or form alone.",
            next="Write the name as it is there, or choose another.",
        )
    if found and not replace:
        raise SelectionError(
            f"There is a selection {selection.name!r} already.",
            next="Choose another name, or give --replace (in Python replace=True).",
        )
    given = {name: value for name, value in selection.as_dict().items() if value}
    _write(folder / f"{selection.name}.toml", tomli_w.dumps(given))
    return selection


def load_selection(name: str, folder: Path) -> Selection:
    """Give the selection saved as `name`, in any letter case.

    Raises
    ------
    SelectionError
        There is none, and the message names the nearest or all; or its file is wrong, and the message says where.
    """
    return _read(_found(name, folder))


def selection_of(
    name: str | None,
    folder: Path,
    fields: Sequence[str] = (),
    wells: Sequence[str] = (),
    first_month: str | None = None,
    last_month: str | None = None,
    groups: Sequence[str] = (),
) -> Selection:
    """Give the selection saved as `name`, or all there is, with what else is given in place of its own.

    Raises
    ------
    SelectionError
        As for `load_selection`, or a month is none.
    """
    saved = load_selection(name, folder) if name is not None else Selection()
    return saved.narrowed(fields, wells, first_month, last_month, groups)


def list_selections(folder: Path) -> SavedSelections:
    """Give the saved selections by name; what is wrong with a file is told with it."""
    return SavedSelections(_listed(path) for path in _files(folder))


def delete_selection(name: str, folder: Path) -> str:
    """Delete the selection saved as `name`, in any letter case, and give its name; what was exported stays.

    Raises
    ------
    SelectionError
        There is none, or its file cannot be deleted.
    """
    path = _found(name, folder)
    try:
        path.unlink()
    except OSError as error:
        raise SelectionError(
            f"The selection {path.stem!r} cannot be deleted: {error.strerror}.", next=f"Look into {folder}."
        ) from None
    return path.stem


class _File(BaseModel):
    """What a file may hold."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    name: str = ""
    description: str = ""
    client: str = ""
    fields: list[str] = []
    wells: list[str] = []
    groups: list[str] = []
    first_month: str | None = None
    last_month: str | None = None


def _files(folder: Path) -> list[Path]:
    paths = folder.glob("*.toml") if folder.is_dir() else ()
    return sorted((path for path in paths if not path.name.startswith(".")), key=lambda path: _key(path.stem))


def _key(name: str) -> str:
    """Give what is the same for names that some file systems take for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _find(name: str, folder: Path) -> Path | None:
    alike = [path for path in _files(folder) if _key(path.stem) == _key(name)]
    return next((path for path in alike if path.stem == name), alike[0] if alike else None)


def _found(name: str, folder: Path) -> Path:
    if path := _find(name, folder):
        return path
    known = [path.stem for path in _files(folder)]
    near = nearest(name, known)
    told = f"Near to it: {', '.join(near)}." if near else f"Saved are: {', '.join(known[:_TOLD_NAMES])}."
    none = "None is saved yet; save one with: wellprod selections save NAME"
    raise NotThere(f"There is no selection {name!r}.", next=told if known else none)


def _listed(path: Path) -> SavedSelection:
    try:
        return SavedSelection(path.stem, _read(path))
    except SelectionError as problem:
        return SavedSelection(path.stem, None, problem)


def _read(path: Path) -> Selection:
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, f"cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise _wrong(path, f"is no TOML: {error}") from None
    stem = unicodedata.normalize("NFC", path.stem)
    if unicodedata.normalize("NFC", str(values.get("name", stem))) != stem:
        advice = "A file's name is its selection's: rename the file, or leave the key out."
        raise _wrong(path, f"has another name in it: name = {values['name']!r}", advice)
    try:
        plain = {key: value.isoformat() if isinstance(value, date) else value for key, value in values.items()}
        return Selection.from_dict({**_File.model_validate(plain).model_dump(), "name": stem})
    except ValidationError as error:
        raise _wrong(path, _told(error)) from None
    except SelectionError as error:
        raise _wrong(path, f"is wrong: {error.message}", error.next) from None


def _wrong(path: Path, reason: str, next: str = "Correct the file, or save the selection again.") -> SelectionError:
    return SelectionError(f"The selection {path} {reason.rstrip('.')}.", next=next)


def _told(error: ValidationError) -> str:
    """Give the first key that is wrong, what was given and what is allowed."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"has the key {where!r}; keys are {', '.join(_File.model_fields)}"
    given = "" if isinstance(first["input"], Mapping) else f" (given: {first['input']!r})"
    return f"is wrong: {where}: {first['msg']}{given}"


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, "utf-8")
        part.replace(path)
    except OSError as error:
        raise SelectionError(
            f"The selection cannot be saved as {path}: {error.strerror or error}.",
            next="Make room, or give yourself the right to write there.",
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more
