"""The formats of an export: one file each, chosen by name."""

from __future__ import annotations

from wellprod.errors import UsageError
from wellprod.export.formats.base import ExportData, Format
from wellprod.export.formats.csv import Csv
from wellprod.export.formats.excel import Excel
from wellprod.export.formats.json import Json
from wellprod.export.formats.parquet import Parquet
from wellprod.export.formats.pdf import Pdf
from wellprod.export.formats.prodml import Prodml

FORMATS: dict[str, Format] = {
    "csv": Csv(),
    "csv.gz": Csv("gz"),
    "csv.zst": Csv("zst"),
    "excel": Excel(),
    "json": Json(),
    "parquet": Parquet(),
    "prodml": Prodml(),
    "pdf": Pdf(),
}
"""Every format by its name."""

FORMER_NAMES = {"ost": "prodml"}
"""Names of the legacy service, with what took their place."""


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


def endings() -> list[str]:
    """Give what the files of all formats end in."""
    return [ending for form in FORMATS.values() for ending in form.extensions]


def format_of(file_name: str) -> str | None:
    """Give the name of the format whose files end as `file_name` does; None where none does."""
    endings = {f".{ending}": name for name, form in FORMATS.items() for ending in form.extensions}
    fitting = [ending for ending in endings if file_name.lower().endswith(ending)]
    return endings[max(fitting, key=len)] if fitting else None


__all__ = ["FORMATS", "FORMER_NAMES", "ExportData", "Format", "endings", "find_format", "format_of"]
