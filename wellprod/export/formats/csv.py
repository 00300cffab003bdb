"""CSV: UTF-8 without byte order mark, a header; null is empty, unless a preset says otherwise, and an empty text is
quoted. Plain, gzip or zstd."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import polars as pl
import zstandard
from isal import igzip_threaded

from wellprod.export.formats.base import FORMULA_STARTS, ExportData, Format

_GZIP_LEVEL = _ZSTD_LEVEL = 1  # higher ones take twice the time and more, and save nothing on records


class Csv(Format):
    """Comma-separated values; numbers in the shortest form that reads back to the same bits."""

    is_table = is_text = True

    def __init__(self, compression: Literal["gz", "zst"] | None = None) -> None:
        self.compression = compression
        self.extensions = (f"csv.{compression}" if compression else "csv",)
        self.title = {None: "CSV", "gz": "CSV, compressed by gzip", "zst": "CSV, compressed by zstd"}[compression]
        self.about = "For any program, once it is unpacked." if compression else "For any program."

    def write(self, data: ExportData, path: Path) -> None:
        """Write all batches, the header before the first; compressed on all threads."""
        texts = [name for name, kind in data.schema.items() if kind == pl.String]
        with self._opened(path, data.threads) as file:
            for number, batch in enumerate(data.batches()):
                safe = batch.with_columns(map(_as_text, texts)) if data.formulas_as_text else batch
                safe.write_csv(file, include_header=number == 0, null_value=data.null_text)

    @contextmanager
    def _opened(self, path: Path, threads: int) -> Iterator[IO[bytes]]:
        if self.compression == "gz":
            with igzip_threaded.open(path, "wb", compresslevel=_GZIP_LEVEL, threads=threads) as file:  # type: ignore[no-untyped-call]
                yield file
        elif self.compression == "zst":
            compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, threads=threads, write_checksum=True)
            with path.open("wb") as file, compressor.stream_writer(file) as stream:
                yield stream
        else:
            with path.open("wb") as file:
                yield file


def _as_text(name: str) -> pl.Expr:
    """Give a column of text with an apostrophe before what a spreadsheet would take as a formula."""
    text = pl.col(name)
    return pl.when(text.str.slice(0, 1).is_in(list(FORMULA_STARTS))).then("'" + text).otherwise(text).alias(name)
