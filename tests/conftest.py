"""What every test gets: a home of its own, no settings of the machine, and a feed over real HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from contextvars import copy_context
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.api import start_api
from tests.browser import browser, visitor
from tests.lab import start_lab
from wellprod.cli import main
from wellprod.settings import PREFIX, Settings, load_settings

__all__ = ["browser", "start_api", "start_lab", "visitor"]  # fixtures

ANP_WELLS = (Path(__file__).parents[2] / "shared" / "data" / "anp_wells.json").resolve()
_QUICK = {"WELLPROD_FEED_RETRY_SECONDS": "0.01", "COLUMNS": "100"}


def pytest_configure(config: pytest.Config) -> None:
    """Let Python keep what it compiles, for the many processes to come, where the machine tells it not to."""
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(config.rootpath / ".pytest_cache" / "bytecode")
        os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": sys.pycache_prefix}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left with one of them at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for one workbench, known to the processes that a test starts too."""
    folder = tmp_path / "home"
    monkeypatch.setenv(f"{PREFIX}HOME", str(folder))
    return folder


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings for the home of the test, with no long waits."""
    return load_settings(home=home, feed_retry_seconds=0.01)


@pytest.fixture(scope="session")
def anp_records() -> list[dict[str, Any]]:
    """The 6,505 records of the ANP wells."""
    records: list[dict[str, Any]] = json.loads(ANP_WELLS.read_text("utf-8"))["value"]
    return records


class CommandLine:
    """Runs `wellprod` as a person does: in this process by its one door, or in a process of its own."""

    def __call__(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end, here."""
        words = [*map(str, arguments)]
        out, err = StringIO(), StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["wellprod", *words])
            for name, value in {**_QUICK, **environment}.items():
                patch.setenv(name, value)
            try:
                code = copy_context().run(_exit_code)
            finally:
                structlog.reset_defaults()
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def apart(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end in a process of its own."""
        with self.started(*arguments, **environment) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess([*map(str, arguments)], process.returncode, out, err)

    def started(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """Start a process of its own and give it."""
        return subprocess.Popen(
            [sys.executable, "-m", "wellprod", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **_QUICK, **environment},
        )


def _exit_code() -> int:
    """Give what the process would end with."""
    try:
        main()
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    except Exception:
        traceback.print_exc()
    return 1


@pytest.fixture
def run(home: Path) -> CommandLine:
    """The command line over the home of the test."""
    return CommandLine()
