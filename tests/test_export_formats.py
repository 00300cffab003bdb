"""The flat formats: CSV plain and compressed, JSON and Parquet read back equal to the store, to the bit."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.export import FORMATS, ExportRequest, export_records
from wellprod.ingest import ImportRequest, start_import
from wellprod.schema import KEY, RECORD
from wellprod.settings import Settings
from wellprod.store import Store

from .conftest import ANP_WELLS, CommandLine
from .scripted import record
from .test_store import merged

READERS: dict[pl.DataType, Callable[[str], Any]] = {
    pl.Int64(): int,
    pl.Float64(): float,
    pl.String(): str,
    pl.Date(): date.fromisoformat,
    pl.Datetime("us"): datetime.fromisoformat,
}


def read_csv(content: bytes) -> pl.DataFrame:
    """Read a CSV with the standard library, an empty text as null."""
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    assert header == list(RECORD)
    columns = zip(RECORD.items(), zip(*rows, strict=True), strict=True)
    return pl.DataFrame(
        {
            name: pl.Series([READERS[kind](t) if t else None for t in texts], dtype=kind)
            for (name, kind), texts in columns
        }
    )


def read_json(content: bytes) -> pl.DataFrame:
    """Read one JSON object a line with the standard library."""
    rows = [json.loads(line) for line in content.decode("utf-8").split("\n") if line]
    made: dict[pl.DataType, Callable[[str], Any]] = {
        pl.Date(): date.fromisoformat,
        pl.Datetime("us"): datetime.fromisoformat,
    }
    columns: dict[str, pl.Series] = {}
    for name, kind in RECORD.items():
        values = [row[name] for row in rows]
        make = made.get(kind)
        columns[name] = pl.Series([make(v) if make and v else v for v in values], dtype=kind)
    return pl.DataFrame(columns)


def read_parquet(content: bytes) -> pl.DataFrame:
    """Read Parquet with Arrow's reader, which did not write it."""
    return pl.DataFrame(pl.from_arrow(pq.read_table(io.BytesIO(content))))


READ: dict[str, Callable[[bytes], pl.DataFrame]] = {
    "csv": read_csv,
    "csv.gz": lambda content: read_csv(gzip.decompress(content)),
    "csv.zst": lambda content: read_csv(zstandard.ZstdDecompressor().stream_reader(content).read()),
    "json": read_json,
    "parquet": read_parquet,
}


def stored(settings: Settings) -> pl.DataFrame:
    """Give what the store holds, in the order of the key."""
    with Store(settings.store_path).read() as reading:
        return reading.table(f"SELECT {', '.join(RECORD)} FROM production ORDER BY {', '.join(KEY)}")


def bits(frame: pl.DataFrame) -> pl.DataFrame:
    """Give a frame with its floating-point numbers as their bits, which tells -0.0 from 0.0."""
    return frame.with_columns(pl.selectors.float().reinterpret(signed=False))


@pytest.mark.parametrize("name", READ)
def test_the_anp_records_read_back_equal_to_the_bit(settings: Settings, tmp_path: Path, name: str) -> None:
    """All records, every column, whatever the batches."""
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    path = tmp_path / f"wells.{FORMATS[name].extensions[0]}"
    tuned = settings.model_copy(update={"export_batch_records": 1000})
    result = export_records(ExportRequest(output=path), tuned)
    assert (result.format, result.records) == (name, 6505)
    assert bits(READ[name](path.read_bytes())).equals(bits(stored(settings)))


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
    st.sampled_from(['"', "a\nb", "a\r\nb", "=1+1", 'Búzios, "norte"', "\u2028", "\x85", "ünïcödé 油田"]),
)
EXTREMES = [0.0, -0.0, 1e-12, 5e-324, sys.float_info.max, -sys.float_info.max, 0.1 + 0.2, 1 / 3, 123456789.123456789]
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(EXTREMES))


@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXTS, NUMBERS, NUMBERS), min_size=1, max_size=8))
def test_awkward_records_read_back_equal_to_the_bit(settings: Settings, rows: list[tuple[str, Any, Any]]) -> None:
    """Quotes, line ends, any script, nulls, extremes: in each format; -0.0 has become 0.0 on the way in."""
    settings.store_path.unlink(missing_ok=True)
    merged(
        Store(settings.store_path),
        [record(n, well_name=t, oil_production_kbd=a, water_production_kbd=b) for n, (t, a, b) in enumerate(rows)],
    )
    expected = bits(stored(settings))
    for name, read in READ.items():
        path = settings.home / f"out.{FORMATS[name].extensions[0]}"
        export_records(ExportRequest(output=path), settings)
        back = read(path.read_bytes())
        assert bits(back).equals(expected), name
        assert not any(math.copysign(1, n) < 0 for n in back["oil_production_kbd"].drop_nulls() if n == 0)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({}, "csv"),
        ({"output": "a.parquet"}, "parquet"),
        ({"output": "A.CSV.GZ"}, "csv.gz"),
        ({"output": "a.csv.zst", "format": "csv"}, "csv.zst"),
        ({"output": "a.txt", "format": "csv"}, "csv"),
        ({"output": "a.data", "format": "json"}, "json"),
    ],
)
def test_the_name_of_the_file_tells_the_format(asked: dict[str, str], name: str) -> None:
    """Where no format is given; an ending that says nothing leaves CSV."""
    assert ExportRequest(**asked).format_name == name  # type: ignore[arg-type]


def test_a_name_that_tells_another_format_is_refused() -> None:
    """Nobody gets a CSV that calls itself Parquet."""
    with pytest.raises(UsageError, match=r"a\.parquet is the name of a file in the format parquet, not csv"):
        ExportRequest(format="csv", output="a.parquet")


RISKY = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def test_csv_keeps_formulas_from_running_on_request(settings: Settings) -> None:
    """An apostrophe stands before text that a spreadsheet would run; figures and other text stay; else nothing does."""
    names = [*RISKY, "plain", "a=b"]
    wells = [record(n, well_name=name, oil_production_kbd=-1.5) for n, name in enumerate(names)]
    merged(Store(settings.store_path), wells)
    export_records(ExportRequest(), settings)
    assert read_csv(settings.csv_path.read_bytes())["well_name"].to_list() == names
    export_records(ExportRequest(formulas_as_text=True), settings)
    safe = read_csv(settings.csv_path.read_bytes())
    assert safe["well_name"].to_list() == [f"'{name}" for name in RISKY] + ["plain", "a=b"]
    assert set(safe["oil_production_kbd"]) == {-1.5}


def test_chosen_columns_are_those_of_each_flat_format(settings: Settings, tmp_path: Path) -> None:
    """In the order of the record, with their types."""
    merged(Store(settings.store_path), [record(1)])
    for name in READ:
        path = tmp_path / f"out.{FORMATS[name].extensions[0]}"
        export_records(ExportRequest(output=path, columns=("oil_production_kbd", "well_code")), settings)
    assert read_parquet((tmp_path / "out.parquet").read_bytes()).rows() == [(1, 1.5)]
    assert (tmp_path / "out.ndjson").read_text() == '{"well_code":1,"oil_production_kbd":1.5}\n'
    for name in ("out.jsonl", "out.json"):  # names that people give the same
        export_records(ExportRequest(output=tmp_path / name, columns=("oil_production_kbd", "well_code")), settings)
        assert (tmp_path / name).read_text() == (tmp_path / "out.ndjson").read_text()
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()) == b"well_code,oil_production_kbd\n1,1.5\n"


def test_a_cancelled_parquet_file_is_not_there(settings: Settings, tmp_path: Path) -> None:
    """What stops the records between two batches comes through the library that writes them."""
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    path = tmp_path / "wells.parquet"

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    tuned = settings.model_copy(update={"export_batch_records": 1000})
    with pytest.raises(KeyboardInterrupt):
        export_records(ExportRequest(output=path), tuned, on_progress=stop)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["home"]


def test_the_command_tells_the_format_and_the_digest(run: CommandLine, settings: Settings, tmp_path: Path) -> None:
    """The format comes from the name; the digest is that of the file."""
    import hashlib

    merged(Store(settings.store_path), [record(1), record(2)])
    done = run("export", "--output", tmp_path / "a.csv.zst", "--json", WELLPROD_HOME=str(settings.home))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["format"], told["records"], told["selection"]) == ("csv.zst", 2, "")
    assert told["sha256"] == hashlib.sha256((tmp_path / "a.csv.zst").read_bytes()).hexdigest()


def test_a_selection_with_a_name_is_told(settings: Settings) -> None:
    """The key in a folder has the selection's name, or `all`."""
    merged(Store(settings.store_path), [record(1)])
    folder = settings.home / "out"
    named = export_records(ExportRequest(Selection(name="North"), output=f"{folder}/"), settings)
    other = export_records(ExportRequest(output=f"{folder}/"), settings)
    assert named.path == f"{folder}/exports/North/{named.job_id}.csv" and Path(named.path).is_file()
    assert other.key == f"exports/all/{other.job_id}.csv"
