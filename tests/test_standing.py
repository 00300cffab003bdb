"""The CSV that is made once for each selection and state of the records: one job, one whole file, one ETag."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from wellprod.analysis.saved import load_selection, save_selection
from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError, JobError, NotThere, StoreBusy, StoreMissing
from wellprod.export import (
    ExportRequest,
    StandingFile,
    delete_download,
    downloads,
    export_records,
    resume_export,
    standing_csv,
    standing_file,
)
from wellprod.export.shelf import KEPT, clear_shelf, shelf_name
from wellprod.jobs import Ledger, ProcessMark, Status
from wellprod.settings import Settings
from wellprod.store import Store

from .lab import until
from .scripted import record
from .stores import fill
from .test_background import ended, pid_of
from .test_background import ledger as ledger  # a fixture
from .test_store import SECOND, merged

WELLS = [record(well, month) for well in (1, 2, 3) for month in ("2024-01", "2024-02")]
ASK = r"""
import sys, threading
from wellprod.analysis.selection import Selection
from wellprod.export import standing_csv
from wellprod.settings import load_settings
settings = load_settings()
print("ready", flush=True)
sys.stdin.readline()
def ask(): sys.stdout.write(f"{standing_csv(Selection(), settings)}\n")
threads = [threading.Thread(target=ask) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.fixture
def store(settings: Settings) -> Store:
    """A store of three wells with two months each."""
    store = Store(settings.store_path, 10)
    merged(store, WELLS)
    return store


def mark(store: Store) -> str:
    """Give the mark of the records."""
    with store.read() as reading:
        return reading.mark()


def name_of(store: Store, selection: Selection) -> str:
    """Give the name that the file of a selection has now."""
    with store.read() as reading:
        return shelf_name(reading, selection.condition(reading))


def shelved(settings: Settings, selection: Selection, name: str) -> ExportRequest:
    """Give the export that was asked for under a name."""
    return ExportRequest(selection, format="csv", output=f"{settings.shelf_path}/", shelf_name=name)


def on_shelf(settings: Settings) -> list[str]:
    """Give the names of all that lies on the shelf, but for its lock."""
    return sorted(path.name for path in settings.shelf_path.rglob("*") if path.name != ".lock")


def asked(selection: Selection, settings: Settings) -> StandingFile:
    """Ask for the file of a selection, wait for the job where there is one, and give it."""
    found = standing_csv(selection, settings)
    if isinstance(found, str):
        found = standing_file(ended(Ledger(settings.jobs_path), found), selection, settings)
    return found


# The mark


def test_the_mark_follows_the_records_and_nothing_else(store: Store, tmp_path: Path) -> None:
    """New and restated records change it; duplicates, an empty write and a copy do not; what is undone may."""
    marks = [mark(store)]
    merged(store, WELLS, SECOND)
    with store.write() as writing:
        writing.save_cursor(SECOND, "somewhere")
    shutil.copy(store.path, tmp_path / "copy.duckdb")
    assert mark(store) == mark(Store(tmp_path / "copy.duckdb")) == marks[0]
    for rows in ([record(4)], [record(1, oil_production_kbd=9.0)], [record(1, oil_production_kbd=1.5)]):
        merged(store, rows, SECOND)
        marks.append(mark(store))
    with store.write() as writing:
        writing.connection.execute("DELETE FROM production WHERE well_code = 2")
    assert len({*marks, mark(store)}) == 5


def test_an_empty_store_has_a_mark(tmp_path: Path) -> None:
    """Before the first record there is one, which the first record changes."""
    store = Store(tmp_path / "wells.duckdb")
    with store.read(or_empty=True) as reading:
        empty = reading.mark()
    merged(store, WELLS)
    assert empty != mark(store)


# The name


def test_a_name_is_of_what_the_selection_means(store: Store) -> None:
    """Order, letter case, code or name, and what a selection is called are nothing to it; other records are."""
    given = Selection(wells=("1", "2"), first_month="2024-01")
    same = [
        Selection(wells=("2", "1", "1"), first_month="2024-01-01", name="North", client="Somebody"),
        Selection(wells=("WELL 2", "w-1"), first_month="2024-01"),
    ]
    assert {name_of(store, selection) for selection in same} == {name_of(store, given)}
    others = [Selection(), Selection(wells=("1",)), replace(given, last_month="2024-01"), Selection(fields=("1",))]
    assert len({name_of(store, selection) for selection in [given, *others]}) == 5


def test_the_job_names_the_file_by_the_records_it_read(store: Store, settings: Settings) -> None:
    """What was asked for before an import and made after it is the file of the records after it."""
    before = name_of(store, Selection())
    merged(store, [record(4)], SECOND)
    result = export_records(shelved(settings, Selection(), before), settings)
    assert on_shelf(settings) == [f"{name_of(store, Selection())}.csv"] == [result.key]
    assert result.file_name == "wells_prod.csv"
    found = standing_csv(Selection(), settings)
    assert isinstance(found, StandingFile) and found.path.name != f"{before}.csv"
    assert (found.path, found.size_bytes) == (Path(result.path), result.size_bytes)


# The shelf


def test_the_shelf_keeps_what_is_current_and_used(tmp_path: Path) -> None:
    """Older states of the selection go, then what was not used for longest; what is in use just now stays."""
    made = {f"{number:02}": tmp_path / f"{number:02}-now.csv" for number in range(KEPT + 3)}
    older, in_use = tmp_path / "00-before.csv", tmp_path / "00-lately.csv"
    for age, path in enumerate([*made.values(), older, in_use]):
        path.write_text("whole")
        if path != in_use:
            os.utime(path, (1_000_000 - age, 1))
    clear_shelf(made["00"])
    kept = [path for path in made.values() if path.exists()]
    assert kept == list(made.values())[:KEPT]
    assert in_use.exists() and not older.exists()


def test_an_unused_older_state_goes_when_a_newer_is_made(store: Store, settings: Settings) -> None:
    """Of two states of one selection the newer stays, and the file of another selection too."""
    for selection in (Selection(), Selection(wells=("1",))):
        export_records(shelved(settings, selection, "asked"), settings)
    for path in settings.shelf_path.glob("*.csv"):
        os.utime(path, (1_000_000, 1_000_000))
    other = name_of(store, Selection(wells=("1",)))
    merged(store, [record(4)], SECOND)
    export_records(shelved(settings, Selection(), "asked"), settings)
    assert on_shelf(settings) == sorted([f"{other}.csv", f"{name_of(store, Selection())}.csv"])


def test_the_shelf_is_no_folder_of_downloads(store: Store, settings: Settings) -> None:
    """Its files are not listed to be fetched, and nobody can delete them as a download."""
    result = export_records(shelved(settings, Selection(), "asked"), settings)
    assert downloads(settings) == []
    with pytest.raises(JobError, match="has no file in"):
        delete_download(result.job_id, settings)
    assert on_shelf(settings) == [result.key]


# What cannot be given


def test_what_cannot_be_exported_is_told_at_once(settings: Settings) -> None:
    """No store, an unknown well and months without a record are the errors of an export; no job is entered."""
    with pytest.raises(StoreMissing, match="wellprod import"):
        standing_csv(Selection(), settings)
    merged(Store(settings.store_path), WELLS)
    for _ in range(2):
        with pytest.raises(NotThere, match="There is no well '9'"):
            standing_csv(Selection(wells=("9",)), settings)
        with pytest.raises(ExportError, match="holds no records"):
            standing_csv(Selection(first_month="2030-01"), settings)
    assert Ledger(settings.jobs_path).jobs() == []


def test_a_shelf_that_cannot_be_made_is_told(store: Store, settings: Settings) -> None:
    """A file in its place is an error with its name; no job is entered."""
    settings.shelf_path.write_text("in the way")
    with pytest.raises(ExportError, match="shelf cannot be written: Not a directory"):
        standing_csv(Selection(), settings)
    assert Ledger(settings.jobs_path).jobs() == []


def test_a_job_without_a_file_tells_why(store: Store, settings: Settings, ledger: Ledger) -> None:
    """Failed: its own error; not ended, or its file gone since: what to do."""
    parameters = shelved(settings, Selection(), "asked").as_parameters()
    job = ledger.create("export", parameters)
    with pytest.raises(ExportError, match="is RUNNING"):
        standing_file(job, Selection(), settings)
    ledger.finish(job.job_id, Status.FAILED, error=ExportError("It broke.", next="Mend it.").as_dict())
    with pytest.raises(ExportError, match=r"It broke\. Mend it\."):
        standing_file(ledger.get(job.job_id), Selection(), settings)
    result = export_records(shelved(settings, Selection(), "asked"), settings)
    Path(result.path).unlink()
    with pytest.raises(ExportError, match="no longer there"):
        standing_file(ledger.get(result.job_id), Selection(), settings)


# One job


def test_a_job_that_has_not_begun_is_joined(store: Store, settings: Settings, ledger: Ledger) -> None:
    """One that was asked for before the last import, and waits, will give the newest; one to be cancelled is not."""
    waiting = shelved(settings, Selection(), name_of(store, Selection()))
    job = ledger.create("export", waiting.as_parameters(), status=Status.PENDING)
    merged(store, [record(4)], SECOND)
    assert standing_csv(Selection(name="All of it"), settings) == job.job_id
    resume_export(job.job_id, settings)
    assert isinstance(standing_csv(Selection(), settings), StandingFile)


@pytest.mark.slow
def test_a_job_that_may_give_what_was_before_is_not_joined(store: Store, settings: Settings, ledger: Ledger) -> None:
    """One that has begun is joined until records change; then, and for one that is to be cancelled, another starts."""
    request = shelved(settings, Selection(), name_of(store, Selection()))
    begun = ledger.create("export", request.as_parameters())
    assert standing_csv(Selection(), settings) == begun.job_id
    merged(store, [record(4)], SECOND)
    request = shelved(settings, Selection(), name_of(store, Selection()))
    stopping = ledger.create("export", request.as_parameters(), status=Status.PENDING)
    ledger.cancel(stopping.job_id)
    started = standing_csv(Selection(), settings)
    assert isinstance(started, str) and started not in (begun.job_id, stopping.job_id)
    assert ended(ledger, started).status == Status.COMPLETED


@pytest.mark.slow
def test_a_file_is_made_once_and_given_until_records_change(store: Store, settings: Settings, ledger: Ledger) -> None:
    """The same bytes as an export, given without the store while nothing changed; new records make another one."""
    with store.read() as reading:
        save_selection(Selection(wells=("1", "2"), name="Pair"), settings.selections_path, reading)
    saved, plain = load_selection("pair", settings.selections_path), Selection(wells=("Well 2", "1"))
    first = asked(saved, settings)
    whole = settings.home / "whole.csv"
    export_records(ExportRequest(plain, output=whole), settings)
    assert first.path.read_bytes() == whole.read_bytes()
    assert (first.file_name, first.size_bytes) == ("wells_prod_Pair.csv", whole.stat().st_size)
    merged(store, WELLS, SECOND)
    again = standing_csv(plain, settings)
    assert again == replace(first, file_name="wells_prod_Well-2_1.csv")
    with FileLock(settings.store_path.with_suffix(".gate")):
        assert standing_csv(plain, settings, wait_seconds=0.1) == again
        with pytest.raises(StoreBusy):
            standing_csv(Selection(), settings, wait_seconds=0.1)
    merged(store, [record(1, oil_production_kbd=9.0)], SECOND)
    newer = asked(saved, settings)
    assert newer.etag != first.etag and newer.path.read_bytes() != whole.read_bytes()
    assert first.path.exists(), "who has just been given it may be about to open it"


@pytest.mark.slow
def test_what_a_killed_exporter_left_is_cleared_and_made_anew(settings: Settings, ledger: Ledger) -> None:
    """Killed while it writes: no file is given, the next one to ask gets another job, and nothing else is left."""
    fill(settings.store_path, 200_000)
    slow = settings.model_copy(update={"export_batch_records": 1000})
    killed = standing_csv(Selection(), slow)
    assert isinstance(killed, str)
    until(lambda: [part for part in settings.shelf_path.glob(".*.part") if part.stat().st_size])
    process = ProcessMark.of(pid_of(settings, killed))
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.is_alive)
    again = standing_csv(Selection(), settings)
    assert isinstance(again, str) and again != killed
    job = ended(ledger, again)
    assert job.status == Status.COMPLETED and job.summary
    found = standing_csv(Selection(), settings)
    assert isinstance(found, StandingFile) and on_shelf(settings) == [found.path.name]
    assert found.size_bytes == job.summary["size_bytes"]
    with found.path.open("rb") as file:
        assert sum(1 for _ in file) == 200_001
    with pytest.raises(ExportError, match="has ended without finishing it"):
        standing_file(ledger.get(killed), Selection(), settings)


@pytest.fixture
def askers(home: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that wait for a line, and then ask for the same file in four threads each."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes: list[subprocess.Popen[str]] = [
        subprocess.Popen([sys.executable, "-c", ASK], text=True, **pipes)  # type: ignore[call-overload]
        for _ in range(2)
    ]
    yield processes
    for process in processes:
        with suppress(OSError):
            process.kill()
        process.communicate()


@pytest.mark.slow
def test_many_at_once_get_one_job(
    store: Store, settings: Settings, ledger: Ledger, askers: list[subprocess.Popen[str]]
) -> None:
    """Eight askers in two processes: one job in the ledger, the same for all of them, and one whole file."""
    for process in askers:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in askers:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    told = [line for process in askers for line in process.communicate(timeout=60)[0].splitlines()]
    (job,) = ledger.jobs()
    assert len(told) == 8 and all(line == job.job_id or job.summary for line in told)
    assert ended(ledger, job.job_id).status == Status.COMPLETED
    found = standing_csv(Selection(), settings)
    assert isinstance(found, StandingFile) and on_shelf(settings) == [found.path.name]
    assert found.path.read_bytes().count(b"\n") == 1 + len(WELLS)
