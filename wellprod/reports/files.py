"""The files of the runs: a name for each, and the oldest cleared."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path


def reserve(folder: Path, name: str, moment: datetime) -> Path:
    """Make the file of a run, which begins with `name`, under a name that no other run has."""
    folder.mkdir(parents=True, exist_ok=True)
    stem, number = f"{name}-{moment:%Y%m%d-%H%M%S}", 1
    while True:
        path = folder / (f"{stem}.ipynb" if number == 1 else f"{stem}-{number}.ipynb")
        try:
            path.touch(exist_ok=False)
            return path
        except FileExistsError:
            number += 1


def prune(folder: Path, name: str, kept: int) -> None:
    """Remove the oldest runs whose files begin with `name`, all files of each, so that `kept` are left."""
    own = re.compile(rf"{re.escape(name)}-(\d{{8}}-\d{{6}})(?:-(\d+))?\.ipynb")
    runs = sorted(
        (found[1], int(found[2] or 1), path) for path in folder.glob("*.ipynb") if (found := own.fullmatch(path.name))
    )
    for *_, path in runs[:-kept]:
        for ending in (".html", ".pdf", ".ipynb"):
            path.with_suffix(ending).unlink(missing_ok=True)
