"""The shelf of the files that are made once for each selection and state of the records, and kept while they are used.

A name on it is of two marks, one of the selection and one of the state: what has the same name holds the same records.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from wellprod.analysis.selection import Condition
from wellprod.store import Reading

KEPT = 20
"""Files on the shelf at most, but for those that were just used."""

_IN_USE_SECONDS = 60.0


def shelf_name(reading: Reading, condition: Condition) -> str:
    """Give the name of the file that holds the records of a condition as they are now."""
    return f"{hashlib.sha256(repr(condition).encode()).hexdigest()[:20]}-{reading.mark()}"


def is_of_one_selection(name: str, other: str) -> bool:
    """Tell whether two names differ in the state of the records at most."""
    return name.partition("-")[0] == other.partition("-")[0]


def note_use(path: Path) -> os.stat_result | None:
    """Note that a file is used now, and give its state; None where there is none."""
    try:
        found = path.stat()
        with suppress(OSError):  # a shelf that cannot be written can be read
            os.utime(path, ns=(time.time_ns(), found.st_mtime_ns))
    except OSError:
        return None
    return found


def settle(part: Path) -> None:
    """Have what was written on the disk before it gets its name, so that it is whole after a power failure, too."""
    with part.open("r+b") as file:
        os.fsync(file.fileno())


def clear_shelf(newest: Path) -> None:
    """Remove what `newest` has taken the place of, and what was not used for longest where there are too many.

    What was used within the last minute stays: somebody may be about to open it.
    """
    used: dict[Path, float] = {}
    for path in newest.parent.glob("[!.]*.csv"):
        with suppress(OSError):
            used[path] = path.stat().st_atime
    others = sorted((path for path in used if path != newest), key=lambda path: -used[path])
    older = [path for path in others if is_of_one_selection(path.name, newest.name)]
    current = [path for path in others if path not in older]
    for path in [*older, *current[KEPT - 1 :]]:
        if used[path] < time.time() - _IN_USE_SECONDS:
            with suppress(OSError):
                path.unlink()
