"""The results: one row for each comparison, the machine, and both as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import psutil

_PACKAGES = ("duckdb", "polars", "pyarrow", "httpx", "orjson", "dlt")


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure against its target; `limit` is met from below, or from above with `at_least`."""

    what: str
    measured: str
    value: float
    limit: float | None = None
    unit: str = ""
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value keeps the limit."""
        return self.limit is None or (self.value >= self.limit if self.at_least else self.value <= self.limit)

    def cells(self) -> list[str]:
        """Give the row as texts."""
        sign = "at least" if self.at_least else "at most"
        target = "" if self.limit is None else f"{sign} {self.limit:g}{self.unit}"
        met = "" if self.limit is None else "yes" if self.is_met else "NO"
        return [self.what, self.measured, f"{self.value:.3g}{self.unit}", target, met]


def table(rows: Sequence[Row]) -> str:
    """Give the rows as a Markdown table."""
    head = ["what", "measured", "result", "target", "met"]
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    """Give cores, memory and versions in one paragraph."""
    gigabytes = psutil.virtual_memory().total / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {gigabytes:.0f} GB of memory, {platform.system()},"
        f" Python {platform.python_version()}, {packages}."
    )
