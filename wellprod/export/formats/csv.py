"""CSV: UTF-8 without byte order mark, a header, the columns of the record; null is empty, an empty text is quoted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl


class Csv:
    """Comma-separated values; numbers in the shortest form that reads back to the same bits."""

    extension = "csv"

    def write(self, batches: Iterable[pl.DataFrame], path: Path) -> None:
        """Write all batches, the header before the first."""
        with path.open("wb") as file:
            for number, batch in enumerate(batches):
                batch.write_csv(file, include_header=number == 0)
