"""The shape of the package: imports go down, the public face is exact, a file stays a file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wellprod

PACKAGE = Path(wellprod.__file__).parent
FLOORS = {
    "cli": 7,
    "pages": 6,
    "workbench": 6,
    "past": 6,
    "server": 6,
    "resume": 5,
    "export": 4,
    "reports": 4,
    "selected": 4,
    "ingest": 3,
    "analysis": 3,
    "health": 3,
    "metrics": 3,
    "address": 3,
    "feed": 2,
    "store": 2,
    "jobs": 2,
    "demo": 2,
    "settings": 1,
    "log": 1,
    "schema": 1,
    "paper": 1,
    "text": 1,
    "errors": 1,
    "ahead": 1,
    "listen": 1,
    "tomlfile": 1,
}
SIDEWAYS = {
    ("feed", "settings"),
    ("settings", "errors"),
    ("log", "errors"),
    ("metrics", "health"),
    ("workbench", "past"),
    ("listen", "errors"),
    ("tomlfile", "errors"),
    ("tomlfile", "log"),
}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in FLOORS)


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    """A part imports from lower floors only, or from itself."""
    part = _part(path)
    for name in _imports(path):
        package, _, rest = name.partition(".")
        if package != "wellprod" or not rest:
            continue
        other = rest.partition(".")[0]
        allowed = other == part or FLOORS[other] < FLOORS[part] or (part, other) in SIDEWAYS
        assert allowed, f"{part} (floor {FLOORS[part]}) imports {other} (floor {FLOORS[other]})"


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("duckdb", {"store"}),
        ("httpx", {"feed"}),
        ("sqlalchemy", {"jobs"}),
        ("boto3", {"export"}),
        ("botocore", {"export"}),
        ("prometheus_client", {"metrics"}),
    ],
)
def test_a_library_has_one_door(library: str, homes: set[str]) -> None:
    """DuckDB, httpx, SQLAlchemy, the SDK of S3 and the client of Prometheus are each imported by one part alone."""
    users = {_part(path) for path in MODULES if any(name.partition(".")[0] == library for name in _imports(path))}
    assert users == homes


def test_the_environment_has_one_reader() -> None:
    """Nothing looks at the environment past the settings; the server writes to it, for the kernels that inherit it."""
    texts = {path: path.read_text("utf-8").replace("os.environ.update(", "") for path in MODULES}
    readers = {path.name for path, text in texts.items() if "os.environ" in text or "getenv" in text}
    assert readers <= {"settings.py"}


def test_the_public_face_is_exact() -> None:
    """Every name in `__all__` is there, sorted, and `dir` gives the same."""
    assert dir(wellprod) == sorted(wellprod.__all__)
    assert all(getattr(wellprod, name).__doc__ for name in wellprod.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        wellprod.nothing  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_stays_readable(path: Path) -> None:
    """No module grows beyond 500 lines, and each begins with a line that says what it is."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= 500
    assert ast.get_docstring(ast.parse(text))
