"""The formats of an export: one file each, chosen by name."""

from __future__ import annotations

from wellprod.errors import UsageError
from wellprod.export.formats.base import Format
from wellprod.export.formats.csv import Csv

FORMATS: dict[str, Format] = {"csv": Csv()}
"""Every format by its name."""


def find_format(name: str) -> Format:
    """Give the format called `name`.

    Raises
    ------
    UsageError
        There is none; the message lists the known ones.
    """
    if name not in FORMATS:
        raise UsageError(f"There is no export format {name!r}.", next=f"Known formats: {', '.join(FORMATS)}.")
    return FORMATS[name]


__all__ = ["FORMATS", "Format", "find_format"]
