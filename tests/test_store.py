"""The store: what a merge makes of records, and who gets the file when."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from wellprod.errors import StoreBusy, StoreError, StoreMissing, StoreTooNew
from wellprod.schema import KEY
from wellprod.store import Store
from wellprod.store.merge import Merged

from .scripted import record
from .test_clean import cleaned

FIRST, SECOND = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "home" / "wells.duckdb", wait_seconds=10)


def merged(store: Store, rows: list[dict[str, Any]], job_id: str = FIRST, **options: Any) -> Merged:
    """Merge rows in the shape of the feed as one group."""
    profile = options.pop("profile", "woodmac")
    records = cleaned(rows, profile).records
    with store.write() as writing:
        return writing.merge(records, job_id=job_id, **options)


def counts(result: Merged) -> tuple[int, int, int, int]:
    """Give new, duplicate, restated and rejected."""
    return result.new, result.duplicate, result.restated, result.rejects.height


def oil(store: Store, table: str = "production") -> list[float]:
    """Give the oil rates of a table by well and month, versions in the order they were replaced."""
    query = f"SELECT oil_production_kbd AS oil FROM {table} ORDER BY well_code, production_period, rowid"
    with store.read() as reading:
        return reading.table(query)["oil"].to_list()


def test_new_duplicate_and_restated_are_told_apart(store: Store) -> None:
    """The same record again changes nothing; other values win for reading and the older version is kept."""
    assert counts(merged(store, [record(1), record(2)])) == (2, 0, 0, 0)
    assert counts(merged(store, [record(1), record(2, oil_production_kbd=9.0)], SECOND)) == (0, 1, 1, 0)
    assert oil(store) == [1.5, 9.0]
    with store.read() as reading:
        old = reading.table("SELECT * FROM production_history").row(0, named=True)
        now = reading.table("SELECT * FROM production WHERE well_code = 2").row(0, named=True)
    assert (old["oil_production_kbd"], str(old["job_id"]), str(old["replaced_by"])) == (1.5, FIRST, SECOND)
    assert old["created_at"] == now["created_at"] == old["updated_at"] < now["updated_at"] == old["replaced_at"]


@pytest.mark.parametrize("change", [{"oil_production_kbd": None}, {"_field_name": "New"}, {"partition_0": None}])
def test_any_other_content_is_a_restatement(store: Store, change: dict[str, Any]) -> None:
    """A figure that became null and a name that changed are restatements too."""
    merged(store, [record(1)])
    assert counts(merged(store, [record(1, **change)], SECOND)) == (0, 0, 1, 0)
    assert counts(merged(store, [record(1, **change)], SECOND)) == (0, 1, 0, 0)


@pytest.mark.parametrize("group_size", [1, 2, 3, 7])
def test_the_outcome_does_not_depend_on_the_groups(tmp_path: Path, group_size: int) -> None:
    """Versions of one record in one group or in several give the same counts, record and history, in order."""
    figures = [1.0, 1.0, 2.0, 1.0, 3.0, 3.0, 2.0]
    store = Store(tmp_path / f"{group_size}.duckdb")
    total = [0, 0, 0, 0]
    for start in range(0, len(figures), group_size):
        rows = [record(1, oil_production_kbd=figure) for figure in figures[start : start + group_size]]
        total = [a + b for a, b in zip(total, counts(merged(store, rows)), strict=True)]
    assert total == [1, 2, 4, 0]
    assert oil(store) == [2.0]
    assert sorted(oil(store, "production_history")) == [1.0, 1.0, 2.0, 3.0]


def test_a_group_with_the_known_hard_case(store: Store) -> None:
    """10,001 records of which 5,001 are duplicates, one of them there three times: 5,000 stay."""
    rows = [record(n) for n in range(5000)]
    assert counts(merged(store, [*rows, *reversed(rows), rows[17]])) == (5000, 5001, 0, 0)


def test_a_well_may_belong_to_one_field_at_a_time(store: Store) -> None:
    """Where the profile says so, another field code restates the record; else it is a second record."""
    merged(store, [record(1)])
    assert counts(merged(store, [record(1, field_code=2)], SECOND, well_in_one_field=True)) == (0, 0, 1, 0)
    with store.read() as reading:
        assert reading.value("SELECT field_code FROM production") == 2
    assert counts(merged(store, [record(1, field_code=3)], SECOND)) == (1, 0, 0, 0)


@pytest.mark.parametrize("together", [True, False], ids=["one-group", "two-groups"])
def test_two_days_of_one_month_in_one_import_are_not_monthly(store: Store, together: bool) -> None:
    """The second date is a reject, not a restatement, also for each version that has it, and in a second import."""
    day = [record(1), record(2)], [record(1, production_period="2024-01-15", oil_production_kbd=n) for n in (7.0, 8.0)]
    for job_id, first in ((FIRST, (2, 0, 0, 0)), (SECOND, (0, 2, 0, 0))):
        groups = [[*day[0], *day[1]]] if together else list(day)
        results = [merged(store, rows, job_id) for rows in groups]
        assert tuple(map(sum, zip(*map(counts, results), strict=True))) == (*first[:3], 2)
        reason = results[-1].rejects["reason"][0]
        assert reason == "not monthly: 2024-01-01 and 2024-01-15 both given for well 1 in one import"
    assert oil(store) == [1.5, 1.5]


def test_another_day_in_a_later_import_is_the_same_month(store: Store) -> None:
    """A source that moves from month start to month end restates nothing by that."""
    merged(store, [record(1)])
    assert counts(merged(store, [record(1, production_period="2024-01-31")], SECOND)) == (0, 1, 0, 0)


def test_two_texts_with_one_code_are_told(store: Store) -> None:
    """The first text keeps the code, in this import and in later ones; the other is a reject."""
    row = {"ProductionDate": "2024-01-01", "OilProduction": 1}
    assert counts(merged(store, [{**row, "WellCode": "7"}, {**row, "WellCode": "007"}], profile="plain")) == (
        1,
        0,
        0,
        1,
    )
    again = merged(store, [{**row, "WellCode": "007", "ProductionDate": "2024-02-01"}], SECOND, profile="plain")
    assert again.rejects["reason"].to_list() == ["well code 7 stands for two texts: '7' and '007'"]


ROWS = st.lists(
    st.tuples(
        st.integers(1, 3), st.sampled_from(["2024-01", "2024-02"]), st.sampled_from([None, 0.0, -0.0, 1.0, 1e-12])
    ),
    max_size=12,
)


@hypothesis_settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(imports=st.lists(st.lists(ROWS, max_size=3), min_size=1, max_size=3))
def test_the_last_one_wins_and_the_counts_add_up(tmp_path: Path, imports: list[list[list[Any]]]) -> None:
    """For any imports in any groups the last version of each key stays, and the counts say how it came."""
    store = Store(tmp_path / f"{uuid.uuid4()}.duckdb")
    expected: dict[tuple[int, str], float | None] = {}
    versions = 0
    for groups in imports:
        job_id = str(uuid.uuid4())
        for group in groups:
            if not group:
                continue
            result = merged(store, [record(w, month, oil_production_kbd=o) for w, month, o in group], job_id)
            restated = 0
            for well, month, figure in group:
                restated += (well, month) in expected and expected[well, month] != figure
                expected[well, month] = figure
            assert (result.restated, result.rejects.height) == (restated, 0)
            assert result.new + result.duplicate + result.restated == len(group)
            versions += restated
    if not expected:
        return
    with store.read() as reading:
        rows = reading.table(
            "SELECT well_code, strftime(production_period, '%Y-%m'), oil_production_kbd FROM production"
        )
        assert {(well, month): figure for well, month, figure in rows.iter_rows()} == expected
        assert reading.value("SELECT count(*) FROM production_history") == versions


# The file


def test_a_failed_transaction_leaves_no_trace(store: Store) -> None:
    """Records, history and cursor of a group are stored together or not at all."""
    merged(store, [record(1)])
    records = cleaned([record(1, oil_production_kbd=5.0), record(2)]).records.with_columns(
        page=pl.lit(1, dtype=pl.Int32)
    )
    with pytest.raises(ZeroDivisionError), store.write() as writing:
        writing.merge(records, job_id=SECOND)
        writing.save_cursor(SECOND, "{}")
        raise ZeroDivisionError
    assert (oil(store), oil(store, "production_history")) == ([1.5], [])
    with store.read() as reading:
        assert reading.value("SELECT count(*) FROM import_cursor") == 0


def test_reading_before_the_first_import_says_what_to_do(store: Store) -> None:
    """A store that is not there is an error with the next step, and reading makes no file."""
    with pytest.raises(StoreMissing, match="wellprod import"), store.read():
        pass
    assert not store.path.exists()


def test_a_missing_store_reads_as_empty_when_asked(store: Store) -> None:
    """A report before the first import finds the tables without a row; no file is made."""
    with store.read(or_empty=True) as reading:
        for table in ("production", "production_history", "rejected_rows"):
            assert reading.value(f"SELECT count(*) FROM {table}") == 0
    assert not store.path.exists()


def test_a_store_of_a_newer_version_is_left_alone(store: Store) -> None:
    """Neither reading nor writing touches it; the message says to update."""
    merged(store, [record(1)])
    with duckdb.connect(store.path) as connection:
        connection.execute("INSERT INTO migrations VALUES ('9999 something to come', now()::TIMESTAMP)")
    for use in (store.read, store.write):
        with pytest.raises(StoreTooNew, match=r"made by a newer wellprod.*9999.*Update wellprod"), use():
            pass


def test_a_file_that_is_no_store_is_told(store: Store) -> None:
    """A foreign file at that place is an error, and stays as it is."""
    store.path.parent.mkdir()
    store.path.write_text("not a database at all, but long enough to look at" * 100)
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match="cannot be opened"), store.write():
        pass
    assert store.path.read_bytes() == before


def test_a_store_without_its_table_is_told(store: Store) -> None:
    """A missing table is a clear error."""
    merged(store, [record(1)])
    with duckdb.connect(store.path) as connection:
        connection.execute("DROP TABLE production")
    with pytest.raises(StoreError, match=r"lacks something.*production"):
        oil(store)


@contextmanager
def held_by_another_process(path: Path) -> Iterator[int]:
    """Hold the DuckDB file open for writing from another process."""
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.kill()


def test_a_held_store_is_waited_for_with_a_bound(store: Store) -> None:
    """After the wait the error names the process that holds the file; once it is gone, all works."""
    merged(store, [record(1)])
    impatient = Store(store.path, wait_seconds=0.2)
    with held_by_another_process(store.path) as pid:
        for use in (impatient.read, impatient.write):
            with pytest.raises(StoreBusy, match=rf"was held by process {pid} .*0\.2 seconds"), use():
                pass
    assert oil(store) == [1.5]


READER = """
import sys, pathlib
from wellprod.store import Store
store = Store(pathlib.Path(sys.argv[1]), wait_seconds=60)
print("ready", flush=True)
seen, reads = 0, 0
while seen < int(sys.argv[2]):
    with store.read() as reading:
        now = reading.value("SELECT count(*) FROM production")
    assert now >= seen, (now, seen)
    seen, reads = now, reads + 1
print(reads, flush=True)
"""


def test_a_writer_gets_its_turn_among_many_readers(store: Store) -> None:
    """Four processes that read without pause and one that writes: all finish, and each sees whole groups only."""
    merged(store, [record(0)])
    command = [sys.executable, "-c", READER, str(store.path), "11"]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    try:
        for reader in readers:
            assert reader.stdout and reader.stdout.readline() == "ready\n"
        patient = Store(store.path, wait_seconds=60)
        for number in range(1, 11):
            merged(patient, [record(number)])
        for reader in readers:
            assert reader.wait(60) == 0
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def test_records_come_in_the_order_of_the_key_in_batches(store: Store) -> None:
    """Batches are no larger than asked for and give every record once, ordered by source, field, well and month."""
    rows = [record(w, month, field_code=f) for f in (2, 1) for month in ("2024-02", "2024-01") for w in range(700)]
    merged(store, rows)
    with store.read() as reading:
        batches = list(reading.records(batch_records=1000))
    assert [batch.height for batch in batches] == [1000, 1000, 800]
    keys = pl.concat(batches).select(KEY).rows()
    assert keys == sorted(keys) and len(set(keys)) == 2800


def test_timestamps_are_utc(store: Store) -> None:
    """created_at says when the store took the record, in UTC."""
    before = datetime.now(UTC).replace(tzinfo=None)
    merged(store, [record(1)])
    with store.read() as reading:
        created = reading.value("SELECT created_at FROM production")
    assert before <= created <= datetime.now(UTC).replace(tzinfo=None)


def test_a_month_keeps_its_date_type(store: Store) -> None:
    """production_period is a date, the first of the month."""
    merged(store, [record(1, production_period="2024-01-31")])
    with store.read() as reading:
        assert reading.value("SELECT production_period FROM production") == date(2024, 1, 1)
