"""The notebooks that can be run as reports, and their parameters, checked before a kernel starts."""

from __future__ import annotations

import ast
import io
import json
import operator
import re
import tokenize
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from types import NoneType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wellprod.errors import UsageError, mask_secrets
from wellprod.log import get_logger
from wellprod.settings import Settings

_TYPES = {"str": str, "int": int, "float": float, "bool": bool, "None": NoneType}
_SIGN_IN = re.compile(r"://[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a notebook: its name, its type such as ``int | None``, its default, and the comment beside."""

    name: str
    type: str
    default: Any
    help: str

    def parse(self, value: Any) -> Any:
        """Give a value, or its text, as this parameter takes it.

        Raises
        ------
        UsageError
            It is of another type, or carries a secret.
        """
        if isinstance(value, str) and (mask_secrets(value) != value or _SIGN_IN.search(value)):
            raise UsageError(
                f"The value of {self.name} carries a secret, and the notebook that is kept would show it.",
                next="Leave it out and set WELLPROD_FEED_URL, WELLPROD_FEED_USER, WELLPROD_FEED_PASSWORD or"
                " WELLPROD_FEED_TOKEN instead.",
            )
        kinds = [kind.strip() for kind in self.type.split("|")]
        if not set(kinds) <= _TYPES.keys():
            raise UsageError(
                f"{self.name} is {self.type}, which cannot be given here.",
                next=f"Known types of parameters: {', '.join(_TYPES)}, and | between them.",
            )
        if value in ("None", None) and "None" in kinds:
            return None
        adapter = TypeAdapter[Any](reduce(operator.or_, (_TYPES[kind] for kind in kinds)))
        try:
            return adapter.validate_python(value)
        except ValidationError:
            raise UsageError(f"{value!r} is no value for {self.name}, which is {self.type}.") from None


@dataclass(frozen=True, slots=True)
class Report:
    """A notebook that can be run: its name, its title, and what it can be given."""

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    path: Path

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod report --json` lists it."""
        return {**asdict(self), "path": str(self.path)}

    def parse(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give the values for the notebook, each of the type that it takes.

        Raises
        ------
        UsageError
            A name is not known, or a value is of another type or carries a secret.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                raise UsageError(f"{self.name} has no parameter {name!r}.", next=_known("parameters", name, known))
        try:
            return {name: known[name].parse(value) for name, value in given.items()}
        except UsageError as error:
            raise UsageError(error.message, next=error.next or f"Parameters: {self._listed()}.") from None

    def _listed(self) -> str:
        return ", ".join(f"{parameter.name} ({parameter.type})" for parameter in self.parameters)


def list_reports(settings: Settings) -> list[Report]:
    """Give the notebooks of `settings.notebooks` by name; one that cannot be read is logged and left out.

    Raises
    ------
    UsageError
        There is no such folder.
    """
    found = []
    for path in _notebooks(settings).values():
        try:
            found.append(_read(path))
        except UsageError as error:
            get_logger().warning("notebook_unreadable", reason=error.message)
    return found


def find_report(name: str, settings: Settings) -> Report:
    """Give the notebook `name` of `settings.notebooks`.

    Raises
    ------
    UsageError
        There is none of this name, or it is no notebook; the message lists those there are.
    """
    notebooks = _notebooks(settings)
    if name not in notebooks:
        raise UsageError(
            f"There is no report {name!r} in {settings.notebooks}.", next=_known("reports", name, notebooks)
        )
    return _read(notebooks[name])


def _known(what: str, name: str, known: Mapping[str, Any]) -> str:
    if not known:
        return f"There are no {what}."
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return (f"Did you mean {near[0]}? " if near else "") + f"Known {what}: {', '.join(known)}."


def _notebooks(settings: Settings) -> dict[str, Path]:
    if not settings.notebooks.is_dir():
        raise UsageError(
            f"There is no folder of notebooks at {settings.notebooks}.",
            next="Run it in the project's folder, or set WELLPROD_NOTEBOOKS.",
        )
    paths = sorted(path for path in settings.notebooks.glob("*.ipynb") if not path.name.startswith("."))
    return {path.stem: path for path in paths if not _is_page(path)}


def _is_page(path: Path) -> bool:
    """Tell whether a notebook is there for Voila, which shows it as a page."""
    try:
        return "voila" in json.loads(path.read_text("utf-8"))["metadata"]
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _read(path: Path) -> Report:
    try:  # by json, since nbformat takes a second to load
        cells = json.loads(path.read_text("utf-8"))["cells"]
        tagged = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", ()))
        parameters = _parameters("".join(next(tagged, {"source": ""})["source"]))
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    except (OSError, ValueError, LookupError, TypeError, SyntaxError) as error:
        raise UsageError(
            f"{path} cannot be read as a notebook: {type(error).__name__}: {error}".splitlines()[0],
            next="Open it in JupyterLab and save it again.",
        ) from None
    title = next((text.splitlines()[0][2:].strip() for text in texts if text.startswith("# ")), path.stem)
    return Report(path.stem, title, parameters, path)


def _parameters(source: str) -> tuple[Parameter, ...]:
    """Read the assignments of a parameters cell; papermill's own reading passes by what is `| None`."""
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.AnnAssign | ast.Assign) or node.value is None:
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        kind = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            default = ast.unparse(node.value)
        kind = kind or ("str | None" if default is None else type(default).__name__)
        found.append(Parameter(ast.unparse(target), kind, default, comments.get(node.end_lineno or 0, "")))
    return tuple(found)
