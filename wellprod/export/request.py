"""What is asked of an export, checked before a job exists."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.export.formats import Format, find_format
from wellprod.schema import RECORD

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One export: which records, in which form, with which columns, into which file.

    Parameters
    ----------
    selection
        Fields, wells and months.
    format
        Name of a format.
    output
        The file to write; None for the default one.
    columns
        Columns of the record, given in the record's order whatever the order here; empty for all.

    Raises
    ------
    UsageError
        The format or a column is not known; the message lists those that are.
    """

    selection: Selection = field(default_factory=Selection)
    format: str = "csv"
    output: Path | None = None
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        find_format(self.format)
        if unknown := [name for name in self.columns if name not in RECORD]:
            raise UsageError(f"There is no column {unknown[0]!r}.", next=f"Columns: {', '.join(RECORD)}.")

    @property
    def form(self) -> Format:
        """The format itself."""
        return find_format(self.format)

    @property
    def columns_in_order(self) -> list[str]:
        """The columns of the file."""
        return [name for name in RECORD if not self.columns or name in self.columns]

    @property
    def file_name(self) -> str:
        """A name that tells what the file holds, such as ``wells_prod_Tupi_2023-01_2024-05.csv``."""
        chosen = (*self.selection.fields, *self.selection.wells)
        months = [month[:7] for month in (self.selection.first_month, self.selection.last_month) if month]
        named = [*chosen[:3], *(["and_others"] if len(chosen) > 3 else []), *months]
        words = [re.sub(r"[^\w.-]+", "-", word).strip("-.") for word in ("wells_prod", *named)]
        return f"{'_'.join(word for word in words if word)[:_LONGEST_NAME]}.{self.form.extension}"

    def as_parameters(self) -> dict[str, Any]:
        """Give it as a job row keeps it."""
        output = str(self.output.expanduser().resolve()) if self.output else None
        chosen = {"selection": self.selection.as_dict(), "columns": list(self.columns)}
        return {**chosen, "format": self.format, "output": output}

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> ExportRequest:
        """Make it again from a job row."""
        return cls(
            selection=Selection.from_dict(parameters["selection"]),
            format=parameters["format"],
            output=Path(parameters["output"]) if parameters["output"] else None,
            columns=tuple(parameters["columns"]),
        )
