"""JSON, newline-delimited: one object a record; null is null, dates and times are ISO texts, times in UTC."""

from __future__ import annotations

from pathlib import Path

from wellprod.export.formats.base import ExportData, Format


class Json(Format):
    """One JSON object a line, without spaces; numbers in the shortest form that reads back to the same bits."""

    title, extensions = "JSON, one record a line", ("ndjson", "jsonl", "json")
    about = "For programs that read record by record."
    is_table = True

    def write(self, data: ExportData, path: Path) -> None:
        """Write all batches."""
        with path.open("wb") as file:
            for batch in data.batches():
                batch.write_ndjson(file)
