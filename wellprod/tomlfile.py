"""Descriptions in TOML files, such as feed profiles: those that come with wellprod, and before them the user's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from wellprod.errors import UsageError
from wellprod.log import get_logger

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Descriptions(Generic[Model]):
    """All descriptions of one kind.

    Parameters
    ----------
    area, word
        What people call one: a ``feed`` ``profile``.
    model, column
        What a file holds, its name put in as `name`; and what each entry of its ``columns`` holds.
    error
        What is raised for a file that is wrong or not there.
    """

    area: str
    word: str
    model: type[Model]
    column: type[BaseModel]
    error: type[UsageError]

    def load(self, folder: Path | None = None) -> dict[str, Model]:
        """Give the shipped ones by name and, before them, the user's own in `folder`; a wrong one is logged."""
        found: dict[str, Model] = {}
        for path in sorted(folder.glob("*.toml")) if folder and folder.is_dir() else ():
            try:
                found[path.stem] = self.read(path)
            except UsageError as error:
                get_logger().warning(f"{self.word}_skipped", **{self.word: str(path)}, reason=error.message)
        for item in resources.files(self.model.__module__.rpartition(".")[0]).joinpath(f"{self.word}s").iterdir():
            name = item.name.removesuffix(".toml")
            if item.name.endswith(".toml") and name not in found:
                found[name] = self._parsed(item.read_text("utf-8"), item.name)
        return found

    def read(self, path: Path) -> Model:
        """Read one file; raises `error` where it cannot be read, or with the key that is wrong and what is allowed."""
        try:
            return self._parsed(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise self.error(
                f"The {self.word} {path} cannot be read: {error}.", next="Give the path of a TOML file."
            ) from None

    def find(self, name: str, folder: Path | None = None) -> Model:
        """Give the one called `name`, or the file where that ends in ``.toml``; raises `error` with the known names."""
        if name.endswith(".toml"):
            return self.read(Path(name).expanduser())
        if folder and (own := folder / f"{name}.toml").parent == folder and own.is_file():
            return self.read(own)
        known = self.load(folder)
        if name not in known:
            raise self.error(
                f"There is no {self.area} {self.word} {name!r}.",
                next=f"Known {self.word}s: {', '.join(sorted(known))}; or give the path of a .toml file.",
            )
        return known[name]

    def _parsed(self, text: str, origin: str) -> Model:
        advice = f"Correct the file; the {self.word}s that come with wellprod are examples."
        what, name = f"The {self.word} {origin}", {"name": Path(origin).stem}
        return parse_toml(text, self.model, self.column, what, self.error, next=advice, also=name)


def parse_toml(
    text: str,
    model: type[Model],
    entry: type[BaseModel],
    what: str,
    error: type[UsageError],
    *,
    next: str,
    also: Mapping[str, str] = MappingProxyType({}),
) -> Model:
    """Read a description.

    Parameters
    ----------
    entry
        What its tables within tables hold.
    what
        What the message calls it, such as ``The profile plain.toml``.
    error, next
        What is raised where it is wrong, with the key, what was given and what is allowed; and its advice.
    also
        What is put in place of, or beside, the keys of the file.
    """
    try:
        return model(**{**tomllib.loads(text), **also})
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{what} is no TOML: {problem}.", next=next) from None
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = str(first["msg"]).removeprefix("Value error, ")
        given = f" (given: {first['input']!r})" if where and not isinstance(first["input"], Mapping) else ""
        fields = (entry if len(first["loc"]) > 1 else model).model_fields
        names = [field.alias or name for name, field in fields.items() if name not in also]
        known = f" Allowed keys: {', '.join(names)}." if first["type"] == "extra_forbidden" else ""
        raise error(f"{what} is wrong: {f'{where}: ' if where else ''}{reason}{given}.{known}", next=next) from None
