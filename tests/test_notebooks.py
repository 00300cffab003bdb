"""The notebooks that ship: short, valid, without code of their own, and run by plain papermill too."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from wellprod.demo import create_app, running
from wellprod.settings import Settings, load_settings

from .scripted import record
from .test_import import frame_of, stored_wells

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|MERGE|FROM|WHERE)\b")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_a_title_parameters_and_calls(path: Path) -> None:
    """Valid, a title first, at most one cell of parameters, nothing defined, no SQL, no output, no stray metadata."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.keys() <= {"kernelspec", "language_info", "title", "voila"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
    assert sum("parameters" in cell.metadata.get("tags", ()) for cell in notebook.cells) <= 1
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            assert path.stem == "tour" or not SQL.search(cell.source)  # the tour shows how to ask in SQL
            defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
            assert not any(isinstance(node, defined) for node in ast.walk(ast.parse(cell.source)))


@pytest.mark.slow
def test_plain_papermill_runs_the_scheduled_import(home: Path, settings: Settings, tmp_path: Path) -> None:
    """Exit code 0 with the records in the store; 1 when the feed is down, and the notebook kept."""
    command = [sys.executable, "-m", "papermill", str(FOLDER / "scheduled_import.ipynb"), str(tmp_path / "out.ipynb")]
    with running(create_app(frame_of([record(n) for n in range(5)]))) as url:
        done = subprocess.run([*command, "-p", "page_size", "1000", "-p", "source", url], capture_output=True)
    assert (done.returncode, stored_wells(settings)) == (0, [0, 1, 2, 3, 4])
    failed = subprocess.run([*command, "-p", "source", str(tmp_path / "none.json")], capture_output=True, text=True)
    assert failed.returncode == 1
    assert "ImportFailed" in failed.stderr and "none.json cannot be opened" in failed.stderr
    assert "none.json cannot be opened" in (tmp_path / "out.ipynb").read_text("utf-8")
    assert load_settings().home == home


@pytest.mark.slow
def test_the_dashboards_run_in_jupyterlab_too(home: Path) -> None:
    """Each cell of each page runs without an error in a plain kernel, also where nothing was imported yet."""
    pages = [str(FOLDER / f"{name}.ipynb") for name in ("import", "status", "explore", "download")]
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-p", "no:cacheprovider", *pages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0 and "4 passed" in done.stdout, done.stdout
    assert not home.exists()
