"""The README and the project's files say what is so."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

import wellprod
from tests.test_architecture import FLOORS
from wellprod.analysis.groups import Groups
from wellprod.cli.main import app
from wellprod.export.preset import read_preset
from wellprod.feed.clean import RULES
from wellprod.feed.profile import read_profile
from wellprod.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [line.partition("#")[0].split()[3:] for line in README.splitlines() if line.startswith("uv run wellprod ")]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme(name: str) -> None:
    """A row of the table names each setting with its default and its description."""
    field = Settings.model_fields[name]
    row = next(line for line in README.splitlines() if line.startswith(f"| `{PREFIX}{name.upper()}` |"))
    assert field.description and field.description in row
    if field.default not in (None, ()) and name not in ("home", "notebooks"):
        assert f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`" in row


def test_every_command_is_in_the_readme() -> None:
    """A newcomer meets each command by reading."""
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) >= 7
    for name in commands:
        assert f"wellprod {name}" in README, name


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_of_the_readme_is_one(words: list[str]) -> None:
    """Every command line shown names a command and options that there are."""
    command = get_command(app)
    while (inner := getattr(command, "commands", None)) is not None:
        command = inner[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_profile_of_the_readme_is_one(tmp_path: Path) -> None:
    """The example can be copied as it stands."""
    path = tmp_path / "example.toml"
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path.write_text(next(text for text in examples if "figures" in text))
    assert read_profile(path).figures == "monthly volume"


def test_the_groups_of_the_readme_are_some() -> None:
    """The example can be copied as it stands."""
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    groups = Groups(**tomllib.loads(next(text for text in examples if "[groups." in text)))
    assert groups.names_of("field", "Lula")[0] == "Tupi" and groups.find("santos pre-salt")[1].kind == "basin"


def test_the_preset_of_the_readme_is_one(tmp_path: Path) -> None:
    """The example can be copied as it stands: volumes, a running sum, and forms for date and null."""
    examples = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "partner.toml"
    path.write_text(next(text for text in examples if "cumulative" in text))
    preset = read_preset(path)
    assert any(column.cumulative for column in preset.columns.values())


def test_the_python_of_the_readme_uses_what_there_is() -> None:
    """Each name of the example is part of the public face."""
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    compile(code, "README.md", "exec")
    assert set(re.findall(r"wellprod\.(\w+)", code)) <= set(wellprod.__all__)


def test_ci_runs_the_command_of_the_readme() -> None:
    """One command passes all tests, and CI runs just that."""
    command = "pip install uv && uv run pytest"
    assert f"\n{command}\n" in README
    assert (ROOT / ".ci" / "run").read_text().strip().splitlines()[-1] == command


def test_the_versions_are_fixed_without_a_lock_file() -> None:
    """A date fixes them; a lock file would name hosts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["uv"]["exclude-newer"]
    assert "duckdb==1.5.5" in project["project"]["dependencies"]
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "uv.lock" not in tracked


def test_the_floors_of_the_readme_are_those_of_the_house() -> None:
    """Every part stands on its floor, from the top down."""
    told = re.findall(r"a test holds it: (.*?)\.", README, re.DOTALL)[0]
    floors = [set(re.findall(r"`(\w+)`", floor)) for floor in re.split(r"\s·\s", told)]
    assert floors == [
        {part for part, at in FLOORS.items() if at == floor} for floor in range(max(FLOORS.values()), 0, -1)
    ]


@pytest.mark.parametrize("module", ["wellprod", "wellprod.cli.main"])
def test_importing_the_package_loads_nothing_heavy(module: str) -> None:
    """`import wellprod` and `wellprod --help` are quick: no DuckDB, no polars, no feed."""
    heavy = ("duckdb", "polars", "sqlalchemy", "httpx", "openpyxl")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_rule_says_what_breaks_it() -> None:
    """The rules that a setting may name are described."""
    assert all(text and name.isidentifier() for name, text in RULES.items())
