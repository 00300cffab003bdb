"""What a format of an export does, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from wellprod.analysis.production import SelectedProduction
from wellprod.analysis.selection import Selection

FORMULA_STARTS = "=+-@\t\r"
"""What the text begins with that a spreadsheet runs: https://owasp.org/www-community/attacks/CSV_Injection"""


@dataclass(frozen=True, slots=True)
class ExportData:
    """What a format writes.

    Parameters
    ----------
    production
        The records, nested by field and well with their totals, or flat; gone through once.
    selection
        What was asked for, with its name, for titles.
    schema
        Columns of the flat table and their types.
    table
        Makes the flat table of a batch of records: some columns, or the layout of a preset.
    folder
        A folder for temporary files, of this export alone; it goes when the export ends.
    made_at
        When the export was made, in UTC.
    extension
        What the file ends in.
    threads
        Threads that a format may use.
    null_text
        What stands for null in a format of texts.
    formulas_as_text
        Whether text that a spreadsheet would run as a formula is written so that it does not.
    warn
        Told what the file could not take as it is.
    """

    production: SelectedProduction
    selection: Selection
    schema: dict[str, pl.DataType]
    table: Callable[[pl.DataFrame], pl.DataFrame]
    folder: Path
    made_at: datetime
    extension: str
    threads: int
    formulas_as_text: bool
    warn: Callable[[str], None]
    null_text: str = ""

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield the flat table, in the order of the key."""
        return (self.table(batch) for batch in self.production.batches())


class Format(ABC):
    """Writes the production of a selection to one file."""

    title: str
    """What people call it."""
    about: str
    """What it is for, in a sentence."""
    extensions: tuple[str, ...]
    """What its files end in; `endings` says which when there are several."""
    is_table: bool = False
    """Whether it holds one flat table, whose columns can be chosen or laid out by a preset."""
    is_text: bool = False
    """Whether its values are texts, so that it is ours to say what stands for a date and for null."""
    is_slow: bool = False
    """Whether it takes so long that it is written from a copy of the records, with the store free meanwhile."""
    most_records: int | None = None
    """The records that it takes at most; None for any number."""

    def endings(self, months: int) -> tuple[str, ...]:
        """Give what a file that holds so many months may end in, the usual one first."""
        return self.extensions

    @abstractmethod
    def write(self, data: ExportData, path: Path) -> None:
        """Write all of it to a new file at `path`; raises OSError when it cannot."""
