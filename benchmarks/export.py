"""Exports of all records: against DuckDB's own COPY of the same query, by format."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import stopwatch

_COPIED = {
    "csv": "(HEADER)",
    "csv.gz": "(HEADER, COMPRESSION gzip)",
    "parquet": "(FORMAT parquet, COMPRESSION zstd)",
}


def by_wellprod(
    home: str, memory: str, threads: int, run: int, store_memory: str = "64MB", format: str = "csv"
) -> dict[str, Any]:
    """Export with `export_records`; give a digest of the file too."""
    from wellprod.export import FORMATS, ExportRequest, export_records
    from wellprod.settings import load_settings

    settings = load_settings(home=Path(home), export_memory=memory, export_threads=threads, store_memory=store_memory)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        target = Path(folder) / f"wells.{FORMATS[format].extensions[0]}"
        with stopwatch() as watch:
            result = export_records(ExportRequest(output=target), settings)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "seconds": watch.seconds,
        "records": result.records,
        "size_mb": result.size_bytes / 1e6,
        "smallest_batch": result.smallest_batch_records,
        "digest": digest,
    }


def by_copy(home: str, memory: str, threads: int, run: int, format: str = "csv") -> dict[str, Any]:
    """Export with COPY, the same columns in the same order."""
    import duckdb

    from wellprod.schema import KEY, RECORD
    from wellprod.settings import load_settings

    store = load_settings(home=Path(home)).store_path
    query = f"SELECT {', '.join(RECORD)} FROM production ORDER BY {', '.join(KEY)}"
    with tempfile.TemporaryDirectory(dir=home) as folder:
        target = Path(folder) / f"wells.{format}"
        with stopwatch() as watch, duckdb.connect(store, read_only=True) as connection:
            connection.execute(f"SET memory_limit = '{memory}'; SET threads = {threads}")
            connection.execute(f"COPY ({query}) TO '{target}' {_COPIED[format]}")
        size_mb = target.stat().st_size / 1e6
    return {"seconds": watch.seconds, "size_mb": size_mb}
