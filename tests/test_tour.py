"""The tour: small and clean, and run from top to bottom in a real kernel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import pytest

from wellprod.demo import create_app, generate_wells, running
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import Settings

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
TOUR = NOTEBOOKS / "tour.ipynb"


def executed(notebook: Path, settings: Settings, folder: Path) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Run a notebook as a person does; give the exit code and the outputs of each cell by its id."""
    target = folder / "executed.ipynb"
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--cwd", str(NOTEBOOKS)]
    environment = {**os.environ, **settings.as_environment(), "PYTHONWARNINGS": "default"}
    done = subprocess.run([*command, str(notebook), str(target)], env=environment, capture_output=True, timeout=180)
    cells = json.loads(target.read_text("utf-8"))["cells"]
    return done.returncode, {cell["id"]: cell.get("outputs", []) for cell in cells}


def test_the_tour_is_small_and_clean() -> None:
    """A title, at most one cell of parameters, a few lines a cell, no function, no output, cell ids, our kernel."""
    notebook = nbformat.read(TOUR, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ")
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells) <= 1
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.source.count("\n") < 12, cell.id
            assert not re.search(r"^\s*(def|class) ", cell.source, re.MULTILINE), cell.id
            assert not cell.outputs and cell.execution_count is None, cell.id


@pytest.mark.slow
def test_the_tour_runs_on_the_demo(settings: Settings, tmp_path: Path) -> None:
    """Every cell gives what it promises: tables with rows, four charts, a file; no warning is shown."""
    with running(create_app(generate_wells(40, 24, 1, date(2024, 5, 1)))) as url:
        start_import(ImportRequest(url), settings)
    code, outputs = executed(TOUR, settings, tmp_path)
    assert code == 0
    assert not [out for outs in outputs.values() for out in outs if out["output_type"] in ("stream", "error")]
    kinds = {name: set(outs[0]["data"]) for name, outs in outputs.items() if outs}
    charts = [name for name, kind in kinds.items() if "application/vnd.jupyter.widget-view+json" in kind]
    assert charts == ["rates-chart", "stack", "cut", "decline-chart"]
    assert set(kinds) - set(charts) == {
        "open",
        "fields",
        "wells",
        "sql",
        "polars",
        "measures",
        "declines",
        "jobs",
        "rejects",
        "restated",
        "export",
    }
    assert "shape: (10, 7)" in "".join(outputs["wells"][0]["data"]["text/plain"])
    assert (settings.home / "largest_wells.csv").is_file()


@pytest.mark.slow
def test_the_tour_on_an_empty_home_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    """The workbench shows it, and the first cell that needs records stops with it, in two lines."""
    code, outputs = executed(TOUR, settings, tmp_path)
    assert code != 0
    assert "wellprod demo" in "".join(outputs["open"][0]["data"]["text/html"])
    (error,) = outputs["fields"]
    assert (error["ename"], len(error["traceback"])) == ("StoreMissing", 2)
    assert "wellprod demo" in error["traceback"][1]
