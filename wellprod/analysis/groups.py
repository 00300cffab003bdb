"""What the user says of fields and wells: their other names, and how they belong together.

It stands in `groups.toml` beside the store, where people and programs that share the store find it too::

    [fields]                            # a field, and what else it was or is called
    Tupi = ["Lula", "Anc_Tupi / Sul De Tupi / Tupi"]

    [groups."Santos pre-salt"]          # a group, of fields, wells or both, by name, reference or code
    kind = "basin"
    fields = ["Tupi", "Búzios"]

A field that was renamed or unitised is then one field, whichever code it had: neither a shut-in nor a new one.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wellprod.errors import GroupsError, NotThere
from wellprod.store import Reading
from wellprod.text import nearest
from wellprod.tomlfile import parse_toml

Kind = Literal["field", "well"]
GROUPS_FILE = "groups.toml"
_TOLD = 20  # of the groups, in a message


def _texts(given: object) -> object:
    return tuple(str(item) if isinstance(item, int) else item for item in given) if isinstance(given, list) else given


Names = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class Group(BaseModel):
    """Fields and wells that belong together; `kind` says how, such as operator or basin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = ""
    fields: Names = ()
    wells: Names = ()

    @model_validator(mode="after")
    def _has_members(self) -> Self:
        if not (self.fields or self.wells):
            raise ValueError("a group needs fields or wells")
        return self


class Groups(BaseModel):
    """The other names of fields and wells, and the groups, each by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fields: dict[str, Names] = Field(default_factory=dict)
    wells: dict[str, Names] = Field(default_factory=dict)
    groups: dict[str, Group] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _each_name_once(self) -> Self:
        for kind, renamed in (("field", self.fields), ("well", self.wells)):
            used = Counter(name.casefold() for main, others in renamed.items() for name in {main, *others})
            if twice := [name for name, count in used.items() if count > 1]:
                raise ValueError(f"the {kind} {twice[0]!r} is listed under two names")
        folded = Counter(name.casefold() for name in self.groups)
        if twice := [name for name, count in folded.items() if count > 1]:
            raise ValueError(f"there are two groups {twice[0]!r}, which differ in their letters' case alone")
        return self

    def renamed(self, kind: Kind) -> dict[str, Names]:
        """Give the names of fields or wells with what else each is called."""
        return self.fields if kind == "field" else self.wells

    def names_of(self, kind: Kind, text: str) -> tuple[str, ...]:
        """Give all the names of the field or well that `text` names, the main one first; `text` alone if unknown."""
        for main, others in self.renamed(kind).items():
            if text.casefold() in {name.casefold() for name in (main, *others)}:
                return tuple(dict.fromkeys((main, *others)))
        return (text,)

    def find(self, name: str) -> tuple[str, Group]:
        """Give the group `name`, in any letter case, with its name as written.

        Raises
        ------
        NotThere
            There is none; the message names the nearest or all.
        """
        folded = {known.casefold(): known for known in self.groups}
        if known := folded.get(name.casefold()):
            return known, self.groups[known]
        near = nearest(name, self.groups)
        told = f"Near to it: {', '.join(near)}." if near else f"Groups are: {', '.join([*self.groups][:_TOLD])}."
        none = f"None is there yet; write one into {GROUPS_FILE} beside the store, as the README shows."
        raise NotThere(f"There is no group {name!r}.", next=told if self.groups else none)


def groups_of(reading: Reading) -> Groups:
    """Give what `groups.toml` beside the store says; nothing where there is no such file.

    Raises
    ------
    GroupsError
        The file cannot be read or is wrong; the message says which key, what was given and what is allowed.
    """
    if reading.folder is None:
        return Groups()
    path = reading.folder / GROUPS_FILE
    try:
        found = path.stat()
    except FileNotFoundError:
        return Groups()
    except OSError as error:
        raise GroupsError(f"The file {path} cannot be read: {error.strerror}.", next="Look into its folder.") from None
    return _read(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _mtime: int, _size: int) -> Groups:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GroupsError(f"The file {path} cannot be read: {error}.", next="Save it as UTF-8 text.") from None
    advice = "Correct the file; the README shows one."
    return parse_toml(text, Groups, Group, f"The file {path}", GroupsError, next=advice)
