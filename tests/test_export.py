"""CSV export: every record once, in order, to the bit; whole or not there."""

from __future__ import annotations

import json
import math
import os
import threading
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError, SelectionError, StoreError, StoreMissing, UsageError
from wellprod.export import ExportRequest, export_records
from wellprod.export.formats.parquet import write_parquet
from wellprod.export.targets.folder import explained
from wellprod.ingest import ImportRequest, start_import
from wellprod.jobs import Ledger, Status
from wellprod.schema import KEY, RECORD
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .conftest import ANP_WELLS, CommandLine
from .scripted import record
from .stores import fill
from .test_export_formats import read_csv
from .test_store import merged


def read_back(path: Path) -> pl.DataFrame:
    """Read an exported CSV with the standard library, an empty text as null."""
    return read_csv(path.read_bytes())


@pytest.fixture
def anp(settings: Settings) -> Settings:
    """A workbench that holds the ANP wells."""
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    return settings


def test_the_csv_reads_back_equal_to_the_source(anp: Settings, anp_records: list[dict[str, Any]]) -> None:
    """All ANP records, every column, to the bit; the header is the record's, the file is UTF-8 without mark."""
    result = export_records(ExportRequest(), anp)
    assert (result.records, result.path) == (6505, str(anp.csv_path))
    raw = anp.csv_path.read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert raw.decode("utf-8").splitlines()[0] == ",".join(RECORD)
    names = {"field_name": "_field_name", "well_reference": "_well_reference"}

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return row["data_source"], row["field_code"], row["well_code"], str(row["production_period"])[:10]

    back, source = read_back(anp.csv_path), sorted(anp_records, key=key)
    for column in set(RECORD) - {"created_at", "updated_at", "production_period"}:
        assert back[column].to_list() == [row[names.get(column, column)] for row in source], column
    assert back["production_period"].to_list() == [date.fromisoformat(row["production_period"][:10]) for row in source]


@pytest.mark.parametrize("batch", [1000, 2500, 100_000])
def test_the_batch_size_changes_nothing(anp: Settings, tmp_path: Path, batch: int) -> None:
    """Any batch size gives the same bytes, in the order of the key, and its progress ends at all."""
    told: list[tuple[int, int]] = []
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    export_records(ExportRequest(output=whole), anp)
    tuned = anp.model_copy(update={"export_batch_records": batch})
    export_records(ExportRequest(output=parts), tuned, on_progress=lambda done, total: told.append((done, total)))
    assert parts.read_bytes() == whole.read_bytes()
    assert told[-1] == (6505, 6505)
    assert len(told) == math.ceil(6505 / batch)
    keys = read_back(parts).select(KEY).rows()
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    ("selection", "condition"),
    [
        ({"fields": ("1032",)}, "field_code = 1032"),
        ({"fields": ("TUPI", "Búzios")}, "field_name IN ('Tupi', 'Búzios')"),
        ({"wells": ("50391",)}, "well_code = 50391"),
        ({"wells": ("9-buz-7-rjs",)}, "well_name = '9-BUZ-7-RJS'"),
        (
            {"first_month": "2023-01", "last_month": "2023-02"},
            "production_period IN ('2023-01-01', '2023-02-01')",
        ),
        ({"fields": ("tupi",), "first_month": "2024-05"}, "field_name = 'Tupi' AND production_period = '2024-05-01'"),
    ],
)
def test_a_selection_filters(anp: Settings, selection: dict[str, Any], condition: str) -> None:
    """Fields and wells by code or name in any letter case, months inclusive."""
    with Store(anp.store_path).read() as reading:
        if "field_name" in condition:
            condition = f"field_code IN (SELECT field_code FROM production WHERE {condition.partition(' AND ')[0]})" + (
                " AND " + condition.partition(" AND ")[2] if " AND " in condition else ""
            )
        expected = reading.value(f"SELECT count(*) FROM production WHERE {condition}")
    assert expected > 0
    assert export_records(ExportRequest(Selection(**selection)), anp).records == expected


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        ({"fields": ("Tuppi",)}, "There is no field 'Tuppi' in the store. Near to it: Tupi"),
        ({"wells": ("999",)}, "There is no well '999' in the store"),
        ({"wells": ("' OR 1=1 --",)}, "There is no well"),
        ({"first_month": "soon"}, "'soon' is no month. Write it as YYYY-MM"),
        ({"first_month": "2024-02", "last_month": "2024-01"}, "lies before the first"),
    ],
)
def test_an_unknown_selection_is_refused_before_a_job_exists(
    anp: Settings, selection: dict[str, Any], says: str
) -> None:
    """The message says what is not there and what is near to it; no job and no file are made."""
    with pytest.raises(SelectionError) as caught:
        export_records(ExportRequest(Selection(**selection)), anp)
    assert says in str(caught.value)
    assert [job.kind for job in Ledger(anp.jobs_path).jobs()] == ["import"]
    assert not anp.csv_path.exists()


def test_a_code_goes_before_a_name(settings: Settings) -> None:
    """A well whose name is the code of another is not meant by it."""
    merged(Store(settings.store_path), [record(1, well_name="2"), record(2), record(3, well_name="9")])
    for asked, code in (("2", 2), ("9", 3)):
        export_records(ExportRequest(Selection(wells=(asked,))), settings)
        assert read_back(settings.csv_path)["well_code"].to_list() == [code]


def test_an_unknown_format_lists_the_known() -> None:
    """A format that is not there is wrong use."""
    with pytest.raises(UsageError, match=r"no export format 'docx'. Known formats: csv"):
        ExportRequest(format="docx")


def test_nothing_to_export_writes_nothing(anp: Settings) -> None:
    """An empty selection says so and leaves what was there."""
    anp.csv_path.write_text("before")
    with pytest.raises(ExportError, match="holds no records; nothing was written"):
        export_records(ExportRequest(Selection(first_month="2030-01")), anp)
    assert anp.csv_path.read_text() == "before"
    assert [job.kind for job in Ledger(anp.jobs_path).jobs()] == ["import"]


def test_exporting_before_an_import_says_what_to_do(settings: Settings) -> None:
    """Without a store the next step is an import."""
    with pytest.raises(StoreMissing, match="wellprod import"):
        export_records(ExportRequest(), settings)


def test_a_missing_table_leaves_no_file(anp: Settings) -> None:
    """A broken store is a clear error, the target is unchanged and no part is left."""
    with duckdb.connect(anp.store_path) as connection:
        connection.execute("DROP TABLE production")
    with pytest.raises(StoreError, match="lacks something"):
        export_records(ExportRequest(), anp)
    assert list(anp.home.glob("*.csv*")) + list(anp.home.glob(".*")) == []


@pytest.mark.parametrize("name", ["tupi.docx", "tupi"])
def test_a_name_that_tells_no_format_is_refused(tmp_path: Path, name: str) -> None:
    """A name that people expect something else of never holds a CSV, unless they or the preset say so."""
    with pytest.raises(UsageError, match=f"The name {name} does not tell the format") as caught:
        ExportRequest(output=tmp_path / name)
    assert "--format" in caught.value.next and ".ndjson" in caught.value.next
    assert ExportRequest(output=tmp_path / name, format="csv").format_name == "csv"
    assert ExportRequest(output=tmp_path / name, preset="enverus").format_name == "csv"
    assert ExportRequest(output=f"{tmp_path}/").format_name == "csv"


@pytest.mark.parametrize("target", ["pipe", "file/below.csv"])
def test_a_target_that_cannot_be_written_is_told(anp: Settings, tmp_path: Path, target: str) -> None:
    """A pipe in its place, or a file where a folder must be, is named."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written") as caught:
        export_records(ExportRequest(format="csv", output=tmp_path / target), anp)
    assert caught.value.next
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "pipe"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device without room here")
def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Parquet, which polars writes with errors of its own, finds no room: what explains errors can tell."""
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        write_parquet([pl.DataFrame({"number": [1]})], {"number": pl.Int64()}, tmp_path / "full")
    told = explained(tmp_path, OSError("No space left on device (os error 28)"), "").as_dict()
    assert told["code"] == "STORE_FULL" and "Make room" in told["next"]


def test_a_working_folder_that_cannot_be_made_is_told(anp: Settings) -> None:
    """What an export needs only while it runs is named too, and the job says the same."""
    anp.work_path.write_text("")
    with pytest.raises(ExportError, match=r"work cannot be written: Not a directory") as caught:
        export_records(ExportRequest(), anp)
    assert (Ledger(anp.jobs_path).jobs()[0].error or {})["message"] == caught.value.message


def test_a_cancelled_export_leaves_the_target(anp: Settings) -> None:
    """Cancelling is heard within a batch; the old file stays and no part is left."""
    anp.csv_path.write_text("before")
    ledger = Ledger(anp.jobs_path)

    def cancel(_: int, __: int) -> None:
        ledger.cancel(ledger.jobs()[0].job_id)

    with pytest.raises(ExportError, match="stopped on request"):
        export_records(ExportRequest(), anp.model_copy(update={"export_batch_records": 1000}), on_progress=cancel)
    assert anp.csv_path.read_text() == "before"
    assert list(anp.home.glob(".*")) == []
    assert ledger.jobs()[0].status == Status.CANCELLED


def test_what_a_killed_export_left_is_cleared(anp: Settings) -> None:
    """A part of a process that is gone is removed by the next export to the same target."""
    left = anp.home / ".wells [1].csv.4194399.part"
    left.write_text("half")
    export_records(ExportRequest(output=anp.home / "wells [1].csv"), anp)
    assert not left.exists()


@pytest.mark.parametrize("names", ["1234", "1111"])
def test_exports_at_once_do_not_disturb_each_other(anp: Settings, tmp_path: Path, names: str) -> None:
    """Several exports of one process at a time are each whole, also those that go to the same file."""
    paths = [tmp_path / f"{name}.csv" for name in names]
    threads = [threading.Thread(target=export_records, args=(ExportRequest(output=path), anp)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({path.read_bytes() for path in paths}) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"home", *(path.name for path in paths)}


@pytest.fixture(scope="module")
def large_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 300,000 records whose wells lie scattered, and their export with all the memory it wants."""
    home = tmp_path_factory.mktemp("large")
    fill(home / "wells_production.duckdb", 300_000)
    export_records(ExportRequest(output=home / "reference.csv"), load_settings(home=home))
    return home


@pytest.mark.slow
@pytest.mark.parametrize("limit", [pytest.param("64MB", marks=pytest.mark.long), "24MB"])
def test_short_memory_halves_the_batch_and_the_file_is_right(large_home: Path, run: CommandLine, limit: str) -> None:
    """Under a limit that the sort does not fit in, the batch is halved and logged, and the bytes are the same."""
    small = large_home / f"{limit}.csv"
    env = {"WELLPROD_HOME": str(large_home), "WELLPROD_LOG_FORMAT": "json"}
    done = run.apart("export", "--output", small, "--json", WELLPROD_EXPORT_MEMORY=limit, **env)
    assert done.returncode == 0, done.stderr
    assert small.read_bytes() == (large_home / "reference.csv").read_bytes()
    halved = [json.loads(line) for line in done.stderr.splitlines() if "export_batch_halved" in line]
    sizes = [event["batch_records"] for event in halved]
    assert sizes == sorted(sizes, reverse=True)
    assert json.loads(done.stdout)["smallest_batch_records"] == (sizes[-1] if sizes else 100_000)
    if limit == "24MB":
        assert sizes
