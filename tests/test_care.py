"""Care of the store: backups, restores, checks and a compact file, while others use it and whatever breaks off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from wellprod.errors import (
    BusinessRuleViolation,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreTooNew,
    UsageError,
)
from wellprod.ingest import ImportRequest, start_import, trigger_import
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings
from wellprod.store import ImportNote, Store, care

from .conftest import CommandLine
from .lab import until
from .scripted import PagedFeed, record
from .test_clean import cleaned
from .test_store import READER, held_by_another_process

JOB = str(uuid.UUID(int=1))


def quiet(_words: str, _percent: float | None) -> None:
    """Hear of progress."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of 300 records in the order in which nobody reads them, one restated."""
    store = Store(tmp_path / "home" / "wells.duckdb", wait_seconds=10)
    grow(store, 300)
    with store.write() as writing:
        writing.merge(cleaned([record(7, oil_production_kbd=8.0)]).records, job_id=JOB)
    return store


def grow(store: Store, records: int) -> None:
    """Merge so many records, the last well first."""
    with store.write() as writing:
        writing.merge(cleaned([record(n) for n in reversed(range(records))]).records, job_id=JOB)
        writing.note_import(ImportNote("feed"), job_id=JOB)


def contents(path: Path) -> tuple[int, int, float]:
    """Give records, older versions and the sum of the oil in a store."""
    with Store(path, wait_seconds=10).read() as reading:
        return reading.table(
            "SELECT (SELECT count(*) FROM production), (SELECT count(*) FROM production_history),"
            " (SELECT sum(oil_production_kbd) FROM production)"
        ).row(0)


def leftovers(folder: Path) -> list[str]:
    """Give the files that somebody did not finish."""
    return [path.name for path in folder.glob(".*.part*")]


# Backup and restore


def test_a_backup_is_the_store_as_it_is(store: Store, tmp_path: Path) -> None:
    """The copy is whole and lies where it was asked for; what is there is not overwritten unasked, nor the store."""
    target = tmp_path / "backups" / "one.duckdb"
    assert care.backup(store, target, on_progress=quiet).size_bytes == target.stat().st_size
    assert contents(target) == contents(store.path) == (300, 1, 300 * 1.5 + 6.5)
    grow(store, 301)
    with pytest.raises(UsageError, match="already"):
        care.backup(store, target, on_progress=quiet)
    care.backup(store, target, on_progress=quiet, replace=True)
    assert contents(target)[0] == 301
    with pytest.raises(UsageError, match="is the store itself"):
        care.backup(store, store.path, on_progress=quiet, replace=True)
    assert not leftovers(target.parent)


def test_what_a_killed_writer_left_in_its_log_is_in_the_backup(store: Store, tmp_path: Path) -> None:
    """A commit that did not get into the file yet counts."""
    code = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('SET checkpoint_threshold = $$1GB$$');"
        "c.execute('DELETE FROM production WHERE well_code = 1'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.path)], check=False)
    assert store.path.with_name(f"{store.path.name}.wal").exists()
    care.backup(store, tmp_path / "one.duckdb", on_progress=quiet)
    assert contents(tmp_path / "one.duckdb")[0] == 299
    assert not (tmp_path / "one.duckdb.wal").exists()


def test_a_restore_keeps_the_former_store(store: Store, tmp_path: Path) -> None:
    """The backup takes its place, and the former store can be restored in turn; the backup stays."""
    target, kept = tmp_path / "one.duckdb", tmp_path / "backups" / "former.duckdb"
    care.backup(store, target, on_progress=quiet)
    grow(store, 310)
    former = care.restore(store, target, kept, on_progress=quiet)
    assert former and former.path == kept
    assert (contents(store.path)[0], contents(kept)[0], contents(target)[0]) == (300, 310, 300)
    care.restore(store, kept, tmp_path / "again.duckdb", on_progress=quiet)
    assert contents(store.path)[0] == 310
    store.path.unlink()
    assert care.restore(store, target, tmp_path / "none.duckdb", on_progress=quiet) is None
    assert contents(store.path)[0] == 300 and not leftovers(store.path.parent)


def test_a_damaged_store_is_replaced_and_kept(store: Store, tmp_path: Path) -> None:
    """What cannot be opened can still be restored over, and lies where it is told."""
    target, kept = tmp_path / "one.duckdb", tmp_path / "former.duckdb"
    care.backup(store, target, on_progress=quiet)
    store.path.write_bytes(b"broken")
    care.restore(store, target, kept, on_progress=quiet)
    assert contents(store.path)[0] == 300 and kept.read_bytes() == b"broken"


def broken(path: Path, how: str) -> None:
    """Break a file in one of the ways that are met."""
    if how == "no store":
        path.unlink()
        duckdb.connect(path).close()
    elif how == "no database":
        path.write_text("not a database at all" * 1000)
    elif how == "newer":
        with duckdb.connect(path) as connection:
            connection.execute("INSERT INTO migrations VALUES ('9999 something to come', now()::TIMESTAMP)")
    elif how == "cut off":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "a key twice":
        with duckdb.connect(path) as connection:
            connection.execute("INSERT INTO production FROM production LIMIT 1")
    elif how == "bits":
        with path.open("rb+") as file:
            for place in range(16_384, path.stat().st_size, 4096):
                file.seek(place)
                file.write(b"\xff" * 64)


@pytest.mark.parametrize("how", ["no store", "no database", "newer", "cut off", "a key twice", "bits"])
def test_only_a_sound_backup_is_restored(store: Store, tmp_path: Path, how: str) -> None:
    """What is none, cut off, damaged, contradictory or too new is refused with the reason; the store is unchanged."""
    target = tmp_path / "one.duckdb"
    care.backup(store, target, on_progress=quiet)
    broken(target, how)
    before = store.path.read_bytes()
    with pytest.raises(StoreTooNew if how == "newer" else StoreError) as told:
        care.restore(store, target, tmp_path / "former.duckdb", on_progress=quiet)
    assert str(target) in told.value.message and ".part" not in told.value.message
    assert store.path.read_bytes() == before and not leftovers(store.path.parent)
    assert not (tmp_path / "former.duckdb").exists()


def test_what_is_not_there_is_told(store: Store, tmp_path: Path) -> None:
    """No store, no backup: each says what to do."""
    nothing = Store(tmp_path / "nothing.duckdb")
    for use in (
        lambda: care.backup(nothing, tmp_path / "x", on_progress=quiet),
        lambda: care.compact(nothing, on_progress=quiet),
        lambda: care.check(nothing, on_progress=quiet),
    ):
        with pytest.raises(StoreMissing, match="no store at"):
            use()
    with pytest.raises(UsageError, match="There is no file"):
        care.restore(store, tmp_path / "x", tmp_path / "y", on_progress=quiet)


# Check and compact


@pytest.mark.parametrize(
    ("breaks", "rule"),
    [
        ("INSERT INTO production FROM production LIMIT 1", "a record that is there twice"),
        ("UPDATE production SET created_at = now() + INTERVAL 1 DAY WHERE well_code = 3", "changed before it came"),
        ("UPDATE production_history SET replaced_at = now() - INTERVAL 1 DAY", "ended before it began"),
        ("UPDATE production_history SET replaced_at = now() + INTERVAL 1 DAY", "two versions of a record"),
        ("UPDATE production_history SET change = 'eaten'", "for no known reason"),
        ("UPDATE production SET job_id = uuid() WHERE well_code = 3", "a job that the store does not know"),
        (f"INSERT INTO undone_imports VALUES ('{JOB}', uuid(), now()::TIMESTAMP)", "an import that was undone"),
        ("UPDATE production SET oil_production_kbd = 'nan' WHERE well_code = 3", "no finite number"),
        ("UPDATE production SET production_period = '2024-01-02' WHERE well_code = 3", "a month that is no first day"),
    ],
)
def test_a_check_finds_what_cannot_be_so(store: Store, breaks: str, rule: str) -> None:
    """A sound store has no finding; each break of an invariant is one, with an example."""
    assert care.check(store, on_progress=quiet) == []
    with duckdb.connect(store.path) as connection:
        connection.execute(breaks.replace("now()", "now()::TIMESTAMP").replace("::TIMESTAMP::TIMESTAMP", "::TIMESTAMP"))
    found = care.check(store, on_progress=quiet)
    assert any(rule in one.rule and one.count >= 1 and one.example for one in found), found


@pytest.mark.parametrize("how", ["cut off", "bits", "no database"])
def test_a_damaged_file_is_told_without_a_traceback(settings: Settings, run: CommandLine, how: str) -> None:
    """Exit code 1, what is wrong, and that a backup can be restored."""
    home = Store(settings.store_path)
    grow(home, 3000)
    broken(home.path, how)
    done = run("store", "check")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "store restore" in done.stderr


def test_a_compact_store_is_smaller_and_in_order(store: Store) -> None:
    """The same records and history lie in the order of the key; what its owner added stays."""
    for job in range(8):
        with store.write() as writing:
            rows = [record(n, oil_production_kbd=job) for n in range(300)]
            writing.merge(cleaned(rows).records, job_id=str(uuid.UUID(int=job + 10)))
            writing.note_import(ImportNote("feed"), job_id=str(uuid.UUID(int=job + 10)))
    with duckdb.connect(store.path) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 42 AS answer")
        connection.execute("CREATE VIEW mine_too AS SELECT answer FROM mine")
    expected = contents(store.path)
    before, after = care.compact(store, on_progress=quiet)
    assert after == store.path.stat().st_size <= before
    assert contents(store.path) == expected and care.check(store, on_progress=quiet) == []
    with store.read() as reading:
        assert reading.value("SELECT answer FROM mine_too") == 42
        wells = reading.table("SELECT well_code FROM production ORDER BY rowid")["well_code"].to_list()
    assert wells == sorted(wells)
    grow(store, 301)
    assert contents(store.path)[0] == 301


def test_a_held_store_is_waited_for_with_a_bound(store: Store, tmp_path: Path) -> None:
    """While a foreign program has the file for writing each says who it is, and changes nothing."""
    source = tmp_path / "one.duckdb"
    care.backup(store, source, on_progress=quiet)
    impatient = Store(store.path, wait_seconds=0.2)
    with held_by_another_process(store.path) as pid:
        for use in (
            lambda: care.backup(impatient, tmp_path / "two.duckdb", on_progress=quiet),
            lambda: care.compact(impatient, on_progress=quiet),
            lambda: care.restore(impatient, source, tmp_path / "former.duckdb", on_progress=quiet),
        ):
            with pytest.raises(StoreBusy, match=rf"was held by process {pid} "):
                use()
    assert not leftovers(store.path.parent) and not (tmp_path / "former.duckdb").exists()


# The commands


def test_the_commands(settings: Settings, run: CommandLine, tmp_path: Path) -> None:
    """Backup, check, compact and restore from the command line, for people and as JSON."""
    with PagedFeed(3).serving() as feed:
        start_import(ImportRequest(feed.url), settings)
    kept = Path(json.loads(run("store", "backup", "--json").stdout)["path"])
    assert kept.parent == settings.home / "backups" and contents(kept)[0] == 6
    assert "all is sound" in run("store", "check").stdout
    assert json.loads(run("store", "check", "--json").stdout)["findings"] == []
    assert "before" in run("store", "compact").stdout
    told = json.loads(run("store", "restore", kept, "--json").stdout)
    assert Path(told["former"]).parent == kept.parent and contents(settings.store_path)[0] == 6
    job = Ledger(settings.jobs_path).get(told["job_id"])
    assert (job.kind, job.status) == ("restore", Status.COMPLETED)
    assert run("store", "restore", tmp_path / "none").returncode == 2
    assert Ledger(settings.jobs_path).jobs(limit=1)[0].status == Status.FAILED
    pending = Ledger(settings.jobs_path).create("import", {"source": "x"}, status=Status.PENDING)
    refused = run("store", "restore", kept)
    assert refused.returncode == 1 and pending.job_id in refused.stderr
    with pytest.raises(BusinessRuleViolation):
        Ledger(settings.jobs_path).check_idle()


# While others use it


CARE = """
import sys, pathlib
from wellprod.store import Store, care
what, path, other, kept, stop = sys.argv[1:]
store, other = Store(pathlib.Path(path), wait_seconds=60), pathlib.Path(other)
def told(words, percent):
    print(words, flush=True)
    if words.startswith(stop):
        sys.stdin.readline()
if what == "backup":
    care.backup(store, other, on_progress=told, replace=True)
elif what == "restore":
    care.restore(store, other, pathlib.Path(kept), on_progress=told)
else:
    care.compact(store, on_progress=told)
"""


@contextmanager
def held_at(what: str, store: Store, other: Path, kept: Path, stop: str) -> Iterator[subprocess.Popen[str]]:
    """Run one kind of care in a process of its own, up to the moment at which it says `stop`."""
    command = [sys.executable, "-c", CARE, what, str(store.path), str(other), str(kept), stop]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert any(line.startswith(stop) for line in process.stdout), "it ended before"
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "stop"),
    [
        ("backup", "reading production"),
        ("backup", "putting"),
        ("restore", "looking"),
        ("restore", "putting"),
        ("compact", "writing production_history"),
        ("compact", "putting"),
    ],
)
def test_a_kill_leaves_all_whole(store: Store, tmp_path: Path, what: str, stop: str) -> None:
    """Killed at any step: the store and the old backup are as they were, and the next run removes what is left."""
    other, kept = tmp_path / "backups" / "one.duckdb", tmp_path / "former.duckdb"
    care.backup(store, other, on_progress=quiet)
    grow(store, 310)
    with held_at(what, store, other, kept, stop) as process:
        process.kill()
        process.wait()
    assert (contents(store.path)[0], contents(other)[0]) == (310, 300)
    folder = other.parent if what == "backup" else store.path.parent
    assert leftovers(folder)
    actions: dict[str, Callable[[], object]] = {
        "backup": lambda: care.backup(store, other, on_progress=quiet, replace=True),
        "restore": lambda: care.restore(store, other, tmp_path / "second.duckdb", on_progress=quiet),
        "compact": lambda: care.compact(store, on_progress=quiet),
    }
    actions[what]()
    assert not leftovers(folder) and care.check(store, on_progress=quiet) == []
    assert (contents(store.path)[0], contents(other)[0]) == (
        300 if what == "restore" else 310,
        310 if what == "backup" else 300,
    )


@pytest.mark.slow
def test_readers_and_an_import_go_on_meanwhile(settings: Settings) -> None:
    """With processes that read without pause and an import between its groups, all finish and nothing is lost."""
    store, target = Store(settings.store_path, wait_seconds=60), settings.home / "backups" / "one.duckdb"
    small = settings.model_copy(update={"group_records": 2, "store_wait_seconds": 60})
    with PagedFeed(15, held=5).serving() as feed:
        job_id = trigger_import(ImportRequest(feed.url), small)
        until(lambda: settings.store_path.exists() and contents(settings.store_path)[0] >= 8)
        command = [sys.executable, "-c", READER, str(store.path), "30"]
        readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            for reader in readers:
                assert reader.stdout and reader.stdout.readline() == "ready\n"
            care.backup(store, target, on_progress=quiet)
            care.compact(store, on_progress=quiet)
            held = contents(target)[0]
            assert 8 <= held < 30 and held % 2 == 0, "whole groups"
            feed.released.set()
            for _ in range(2):
                care.compact(store, on_progress=quiet)
                care.backup(store, target, on_progress=quiet, replace=True)
                assert contents(target)[0] % 2 == 0
            for reader in readers:
                assert reader.wait(60) == 0
        finally:
            for reader in readers:
                reader.kill()
                reader.communicate()
        ledger = Ledger(settings.jobs_path)
        until(lambda: not ledger.get(job_id).is_active)
    assert ledger.get(job_id).status == Status.COMPLETED
    assert contents(store.path)[0] == 30 and care.check(store, on_progress=quiet) == []


@pytest.mark.slow
def test_a_full_disk_leaves_the_store(store: Store, tmp_path: Path) -> None:
    """A backup and a compact file that have no room say so, and leave nothing."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "wellprod-test", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.fail("this test mounts a small tmpfs, which needs root; leave it out with -m 'not slow'")
    try:
        with pytest.raises(StoreFull, match=r"cannot be written.*No backup was made.*Make room"):
            care.backup(store, disk / "one.duckdb", on_progress=quiet)
        assert not [path for path in disk.iterdir() if path.suffix != ".gate"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert care.check(store, on_progress=quiet) == []
