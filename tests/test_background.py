"""Jobs as processes of their own: they outlive who started them, and whatever ends them, they can go on."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from wellprod.errors import FeedUnreachable, JobError, UsageError
from wellprod.export import (
    ExportRequest,
    delete_download,
    download_file,
    downloads,
    export_records,
    resume_export,
    trigger_export,
)
from wellprod.export import trigger_export_again as export_again
from wellprod.ingest import ImportRequest, dry_run, start_import, trigger_import, trigger_resume
from wellprod.jobs import Job, Ledger, ProcessMark, Status, start_in_background
from wellprod.schema import RECORD
from wellprod.settings import Settings
from wellprod.store import Store

from .conftest import CommandLine
from .lab import until
from .scripted import PagedFeed, Reply, record, scripted_feed
from .stores import fill

pytestmark = pytest.mark.slow

TRIGGER = """
import sys
from wellprod.ingest import ImportRequest, trigger_import
from wellprod.settings import load_settings
print(trigger_import(ImportRequest(sys.argv[1]), load_settings()), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """The ledger; jobs that a failed test leaves behind are ended."""
    ledger = Ledger(settings.jobs_path)
    yield ledger
    for job in ledger.jobs():
        pid = pid_of(settings, job.job_id)
        if job.is_active and pid != os.getpid():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def small(settings: Settings, records: int = 2) -> Settings:
    """Give the settings with a transaction after so many records."""
    return settings.model_copy(update={"group_records": records})


def pid_of(settings: Settings, job_id: str) -> int:
    """Give the number of the process that runs a job, or is to."""
    with closing(sqlite3.connect(settings.jobs_path)) as connection:
        return int(connection.execute("SELECT pid FROM jobs WHERE job_id = ?", [job_id]).fetchone()[0])


def ended(ledger: Ledger, job_id: str) -> Job:
    """Wait for the end of a job and give it."""
    until(lambda: not ledger.get(job_id).is_active)
    return ledger.get(job_id)


def killed(settings: Settings, job_id: str) -> None:
    """Kill the process of a job as nothing can refuse, and wait until it is gone."""
    mark = ProcessMark.of(pid_of(settings, job_id))
    assert mark.pid != os.getpid()
    os.kill(mark.pid, signal.SIGKILL)
    until(lambda: not mark.is_alive, 10)


def assert_whole(settings: Settings, job: Job, wells: list[int]) -> None:
    """Check that the store holds each record of the source once, as it came, and that the counts add up."""
    with Store(settings.store_path).read() as reading:
        rows = reading.table(
            "SELECT well_code, oil_production_kbd, well_name FROM production ORDER BY well_code"
        ).rows()
    assert rows == [(well, 1.5, f"Well {well}") for well in wells]
    assert job.status == Status.COMPLETED and job.summary
    batch, counts = job.summary["batch_result"], job.summary["import_summary"]
    assert batch["total_items"] == batch["processed_items"] + batch["failed_items"] == len(wells)
    parts = counts["new_records"], counts["duplicate_records"], counts["restated_records"]
    assert parts == (len(wells), 0, 0)


# Starting


def test_an_import_outlives_who_triggered_it(settings: Settings, ledger: Ledger) -> None:
    """The id comes at once; the job completes though its starter is killed with its whole process group."""
    with PagedFeed(5, held=2).serving() as feed:
        command = [sys.executable, "-c", TRIGGER, feed.url]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as starter:  # type: ignore[call-overload]
            job_id = starter.stdout.readline().strip()
            assert str(uuid.UUID(job_id)) == job_id
            assert ledger.get(job_id).status in (Status.PENDING, Status.RUNNING)
            os.killpg(starter.pid, signal.SIGKILL)
        feed.wait_for_page(2)
        assert ledger.get(job_id).status == Status.RUNNING
        feed.released.set()
        assert_whole(settings, ended(ledger, job_id), feed.wells)


def test_an_import_in_the_background_from_the_command_line(
    settings: Settings, ledger: Ledger, run: CommandLine
) -> None:
    """`--background --json` tells the job at once; `jobs list` has its times, its progress and its counts."""
    with PagedFeed(3).serving() as feed:
        done = run("import", feed.url, "--background", "--json")
        told = json.loads(done.stdout)
        assert done.returncode == 0 and told["status"] in ("PENDING", "RUNNING", "COMPLETED")
        ended(ledger, told["job_id"])
        start_import(ImportRequest(feed.url), settings)
    newer, job = json.loads(run("jobs", "list", "--json").stdout)["jobs"]
    assert (job["job_id"], job["status"], job["kind"]) == (told["job_id"], "COMPLETED", "import")
    assert job["created_at"] <= job["started_at"] <= job["completed_at"]
    assert job["execution_time_seconds"] == pytest.approx(job["completed_at"] - job["started_at"])
    names = ["progress_percentage", "new_records", "duplicate_records", "restated_records", "failed_records"]
    assert [job[name] for name in names] == [100.0, 6, 0, 0, 0]
    assert [newer[name] for name in names] == [100.0, 0, 6, 0, 0]
    assert not list((settings.home / "logs").iterdir()), "the log of a job that had nothing to say goes with it"


def test_a_job_whose_process_cannot_start_says_why(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is broken for the new process: FAILED with a reason, and what it said is in its log."""
    monkeypatch.setenv("WELLPROD_GROUP_RECORDS", "many")
    job = ended(ledger, trigger_import(ImportRequest("http://127.0.0.1:9/odata"), settings))
    log = (settings.home / "logs") / f"{job.job_id}.log"
    assert job.status == Status.FAILED and job.error
    assert job.error["code"] == "PROCESS_GONE" and str(log) in job.error["message"]
    assert "WELLPROD_GROUP_RECORDS is not allowed" in log.read_text()


def test_a_profile_that_is_gone_meanwhile_is_told(settings: Settings, ledger: Ledger) -> None:
    """The resumed job fails with the profile's name and those that there are."""
    settings.profiles_path.mkdir(parents=True)
    profile = settings.profiles_path / "mine.toml"
    profile.write_bytes((Path(__file__).parents[1] / "wellprod/feed/profiles/woodmac.toml").read_bytes())
    tuned = settings.model_copy(update={"feed_attempts": 1})
    job_id = start_import(ImportRequest("http://127.0.0.1:9/odata", profile="mine"), tuned).job_id
    profile.unlink()
    job = ended(ledger, trigger_resume(job_id, tuned))
    assert job.status == Status.FAILED and job.error
    assert "mine" in job.error["message"] and "woodmac" in job.error["next"]


def test_a_process_that_cannot_be_made_is_told(settings: Settings, ledger: Ledger) -> None:
    """Where the folder of the logs is a file there is no process: the caller and the job both say so."""
    settings.home.mkdir()
    (settings.home / "logs").write_text("in the way")
    with pytest.raises(JobError, match="No process could be started"):
        trigger_import(ImportRequest("http://127.0.0.1:9/odata"), settings)
    (job,) = ledger.jobs()
    assert job.status == Status.FAILED and job.error and "No process could be started" in job.error["message"]


# Stopping


def test_a_cancel_is_heard_within_a_page(settings: Settings, ledger: Ledger) -> None:
    """After the wish to stop the feed is asked for one more page at most; the rest comes with the resume."""
    with PagedFeed(20, held=5).serving() as feed:
        job_id = trigger_import(ImportRequest(feed.url), small(settings))
        feed.wait_for_page(5)
        ledger.cancel(job_id)
        job = ended(ledger, job_id)
        assert (job.status, len(feed.asked)) == (Status.CANCELLED, 5)
        assert job.error and f"wellprod jobs resume {job_id}" in job.error["next"]
        feed.released.set()
        assert trigger_resume(job_id, small(settings)) == job_id
        assert_whole(settings, ended(ledger, job_id), feed.wells)


def test_a_cancel_is_heard_while_pages_come_slowly(settings: Settings, ledger: Ledger) -> None:
    """A feed that takes its time with each page is asked for one more at most, not for the pages ahead."""
    with PagedFeed(50, seconds=0.5).serving() as feed:
        job_id = trigger_import(ImportRequest(feed.url), small(settings))
        feed.wait_for_page(3)
        ledger.cancel(job_id)
        asked = len(feed.asked)
        assert ended(ledger, job_id).status == Status.CANCELLED
        assert len(feed.asked) <= asked + 1


def test_a_job_cancelled_before_its_process_began(settings: Settings, ledger: Ledger) -> None:
    """It ends as CANCELLED, an import as well as an export, and nothing was stored."""
    with PagedFeed(5).serving() as feed:
        job = ledger.create("import", ImportRequest(feed.url).as_parameters(), status=Status.PENDING)
        ledger.cancel(job.job_id)
        start_in_background(job, ledger, settings)
        assert ended(ledger, job.job_id).status == Status.CANCELLED
        start_import(ImportRequest(feed.url), settings)
    job = ledger.create("export", ExportRequest().as_parameters(), status=Status.PENDING)
    ledger.cancel(job.job_id)
    start_in_background(job, ledger, settings)
    assert ended(ledger, job.job_id).status == Status.CANCELLED
    assert not files_in(settings.downloads_path)


def test_sigterm_to_the_whole_group_keeps_what_is_stored(settings: Settings, ledger: Ledger) -> None:
    """What a service manager sends ends the job in order: the state is kept, shown at once, and goes on later."""
    with PagedFeed(20, held=5).serving() as feed:
        job_id = trigger_import(ImportRequest(feed.url), small(settings))
        feed.wait_for_page(5)
        until(lambda: ledger.get(job_id).records == 8)
        mark = ProcessMark.of(pid_of(settings, job_id))
        os.killpg(mark.pid, signal.SIGTERM)
        until(lambda: not mark.is_alive, 20)
        job = ledger.get(job_id)
        assert (job.status, job.records) == (Status.CANCELLED, 8)
        feed.released.set()
        trigger_resume(job_id, settings)
        assert_whole(settings, ended(ledger, job_id), feed.wells)
    assert [asked.options.get("p", "1") for asked in feed.asked] == [*map(str, range(1, 6)), *map(str, range(5, 21))]


# Killing


def test_kills_lose_and_double_nothing(settings: Settings, ledger: Ledger) -> None:
    """Before the job began, and in the midst of its pages: each kill shows at once, both can be resumed."""
    tuned = small(settings, 20)
    with PagedFeed(200, 5, seconds=0.005).serving() as feed:
        job_id = trigger_import(ImportRequest(feed.url), tuned)
        for pages in (0, 20):
            enough = len(feed.asked) + pages
            until(lambda enough=enough: len(feed.asked) >= enough)  # type: ignore[misc]
            killed(tuned, job_id)
            job = ledger.get(job_id)
            assert job.status == Status.FAILED and job.error and job.error["code"] == "PROCESS_GONE"
            assert f"wellprod jobs resume {job_id}" in job.error["next"]
            assert trigger_resume(job_id, tuned) == job_id
        job = ended(ledger, job_id)
    assert_whole(settings, job, feed.wells)
    assert len(ledger.jobs()) == 1


def test_a_number_that_was_used_again_is_no_sign_of_life(settings: Settings, ledger: Ledger) -> None:
    """A job is not taken as running because another process has its number now."""
    job = ledger.create("import", {}, status=Status.PENDING)
    mine = ProcessMark.of()
    ledger.hand_over(job.job_id, mine)
    assert ledger.get(job.job_id).status == Status.PENDING
    ledger.hand_over(job.job_id, ProcessMark(mine.host, mine.pid, psutil.Process().create_time() - 60))
    assert ledger.get(job.job_id).status == Status.FAILED
    assert ledger.running_import() is None


# Secrets


def test_the_secret_in_an_address_is_in_no_file(settings: Settings, ledger: Ledger, run: CommandLine) -> None:
    """The background import and its resume sign in with it, and no byte of the home has it, while they run or after."""

    def assert_unknown() -> None:
        for path in settings.home.rglob("*"):
            assert path.is_dir() or b"opensesame" not in path.read_bytes(), path

    loud = {"WELLPROD_LOG_LEVEL": "DEBUG"}
    with PagedFeed(6, held=4, key="opensesame").serving() as feed:
        told = json.loads(run("import", feed.url, "--background", "--json", **loud).stdout)
        assert "opensesame" not in json.dumps(told)
        feed.wait_for_page(4)
        assert_unknown()
        killed(settings, told["job_id"])
        assert_unknown()
        with pytest.raises(UsageError, match="secret part"):
            trigger_resume(told["job_id"], settings)
        feed.released.set()
        trigger_resume(told["job_id"], settings.model_copy(update={"feed_url": feed.url, "log_level": "DEBUG"}))
        assert_whole(settings, ended(ledger, told["job_id"]), feed.wells)
    assert {asked.options["key"] for asked in feed.asked} == {"opensesame"}
    assert list((settings.home / "logs").iterdir())
    assert_unknown()


def test_a_secret_goes_nowhere_but_to_its_own_address(settings: Settings, ledger: Ledger) -> None:
    """A job of another address does not take over what WELLPROD_FEED_URL signs in with."""
    known = settings.model_copy(update={"feed_url": "https://host/odata/Wells?api_key=opensesame"})
    for source in ("https://other/odata/Wells?api_key=***", "https://host/odata/Else?api_key=***"):
        with pytest.raises(UsageError, match="secret part"):
            ImportRequest.from_parameters(ImportRequest(source).as_parameters(), known)
    mine = ImportRequest("https://host/odata/Wells?since=1&api_key=***").as_parameters()
    assert ImportRequest.from_parameters(mine, known).source.endswith("?since=1&api_key=opensesame")


# Exports


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """A workbench of 60,000 records, exported in sixty batches."""
    fill(settings.store_path, 60_000)
    return settings.model_copy(update={"export_batch_records": 1000})


def files_in(folder: Path) -> list[Path]:
    """Give all files in a folder and below."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_export_in_the_background_lies_ready_until_it_is_deleted(filled: Settings, ledger: Ledger) -> None:
    """It goes to downloads/ with the columns asked for, is listed, and its file is deleted; the job stays."""
    request = ExportRequest(columns=("oil_production_kbd", "well_code"))
    job = ended(ledger, trigger_export(request, filled))
    assert job.status == Status.COMPLETED and job.summary
    (listed,) = downloads(filled)
    path = Path(job.summary["path"])
    assert (listed.job_id, path.parent) == (job.job_id, filled.downloads_path / "exports" / "all")
    frame = pl.read_csv(path)
    assert frame.columns == ["well_code", "oil_production_kbd"], "in the order of the record"
    assert (frame.height, job.summary["size_bytes"]) == (60_000, path.stat().st_size)
    assert delete_download(job.job_id, filled) == job.summary["size_bytes"]
    assert (downloads(filled), path.exists(), ledger.get(job.job_id).status) == ([], False, Status.COMPLETED)
    with pytest.raises(JobError, match="cannot be deleted"):
        delete_download(job.job_id, filled)


def test_downloads_move_with_their_home(filled: Settings, ledger: Ledger, tmp_path: Path) -> None:
    """A file is found, and deleted, where the home is now; one that was written elsewhere is never touched."""
    job = ended(ledger, trigger_export(ExportRequest(), filled))
    outside = tmp_path / f"{job.job_id}.csv"
    elsewhere = export_records(ExportRequest(output=outside), filled)
    moved = filled.model_copy(update={"home": filled.home.rename(tmp_path / "moved")})
    assert [found.job_id for found in downloads(moved)] == [job.job_id]
    with pytest.raises(JobError, match="has no file in"):
        delete_download(elsewhere.job_id, moved)
    assert delete_download(job.job_id, moved) > 0 and outside.exists()
    assert downloads(moved) == []


def test_exports_that_went_elsewhere_are_listed(filled: Settings, ledger: Ledger, tmp_path: Path) -> None:
    """Those in a folder while they are there, those in a bucket always; not a file that somebody named."""
    in_folder = export_records(ExportRequest(output=f"{tmp_path}/share/"), filled)
    export_records(ExportRequest(output=tmp_path / "named.csv"), filled)
    address = "s3://bucket/monthly"
    in_bucket = ledger.create("export", {**ExportRequest().as_parameters(), "output": address}).job_id
    sent = {**in_folder.as_dict(), "path": f"{address}/exports/all/{in_bucket}.csv"}
    ledger.finish(in_bucket, Status.COMPLETED, summary=sent)
    listed = downloads(filled)
    assert [job.job_id for job in listed] == [in_bucket, in_folder.job_id]
    assert [download_file(job, filled) for job in listed] == [None, None]
    Path(in_folder.path).unlink()
    assert [job.job_id for job in downloads(filled)] == [in_bucket]


@pytest.mark.parametrize("way", ["here", "in the background", "by command"])
def test_a_killed_export_leaves_no_file_and_is_written_again(
    filled: Settings, ledger: Ledger, run: CommandLine, way: str
) -> None:
    """Killed in the midst: FAILED, nothing at its final name; the resume writes it whole and clears the rest away."""
    job_id = trigger_export(ExportRequest(), filled)
    until(lambda: ledger.get(job_id).records)
    killed(filled, job_id)
    job = ledger.get(job_id)
    assert job.status == Status.FAILED and job.error and job.error["code"] == "PROCESS_GONE"
    assert not list(filled.downloads_path.rglob("*.csv")) and downloads(filled) == []
    if way == "here":
        resume_export(job_id, filled)
    elif way == "in the background":
        assert export_again(job_id[:8], filled) == job_id
    else:
        assert run("jobs", "resume", job_id, "--background").stdout.strip() == job_id
    job = ended(ledger, job_id)
    assert job.status == Status.COMPLETED and job.summary and job.summary["records"] == 60_000
    assert [path.name for path in files_in(filled.downloads_path)] == [f"{job_id}.csv"]
    with pytest.raises(UsageError, match="nothing to export again"):
        export_again(job_id, filled)


def test_an_unknown_column_is_refused(filled: Settings, ledger: Ledger, run: CommandLine) -> None:
    """The message names the columns that there are, and no job is made."""
    done = run("export", "--column", "oil", "--background")
    assert done.returncode == 2
    assert "no column 'oil'" in done.stderr and all(name in done.stderr for name in RECORD)
    assert ledger.jobs(kind="export") == []


def test_an_old_job_that_runs_again_is_among_the_active(settings: Settings, ledger: Ledger) -> None:
    """However many ran since."""
    old = ledger.create("import", {})
    ledger.finish(old.job_id, Status.FAILED)
    for _ in range(3):
        ledger.finish(ledger.create("export", {}).job_id, Status.COMPLETED)
    assert ledger.active_jobs() == []
    ledger.claim(old.job_id)
    assert [job.job_id for job in ledger.active_jobs()] == [old.job_id]
    assert ledger.active_jobs(kind="export") == []


def test_the_history_is_read_in_pages_and_by_kind(settings: Settings, ledger: Ledger) -> None:
    """Newest first, without gaps or repeats over the pages, all kinds or one."""
    made = [ledger.create(kind, {}).job_id for kind in ("import", *["export"] * 4)]
    assert [job.job_id for offset in (0, 2, 4) for job in ledger.jobs(limit=2, offset=offset)] == made[::-1]
    assert [job.job_id for job in ledger.jobs(kind="export", limit=2, offset=1)] == made[3:1:-1]
    assert [job.job_id for job in ledger.jobs(kind="import")] == made[:1]


# A dry run


def test_a_dry_run_shows_the_first_page_and_stores_nothing(settings: Settings) -> None:
    """Records and rejects of one page, with raw rows; no job, no store, and no second page asked for."""
    rows: list[Any] = [record(1), {**record(2), "oil_production_kbd": "n/a"}, 7]
    answer = {"@odata.count": 30, "value": rows, "@odata.nextLink": "Wells?p=2"}
    with scripted_feed(lambda _: Reply(answer)) as (url, asked):
        found = dry_run(ImportRequest(f"{url}/Wells"), settings, shown_rows=2)
        assert len(asked) == 1
    assert (found.profile, found.rows, found.expected_records, found.expected_pages) == ("woodmac", 3, 30, 10)
    assert found.records["well_code"].to_list() == [1]
    assert found.rejects.select("page", "row_number").rows() == [(1, 1), (1, 2)]
    assert [json.loads(row) for row in found.rejects["raw_row"]] == rows[1:]
    assert [json.loads(row) for row in found.raw_rows["raw_row"]] == rows[:2]
    assert not settings.store_path.exists() and not settings.jobs_path.exists()


def test_a_dry_run_tells_what_the_feed_did(settings: Settings) -> None:
    """No answer is an error of the feed, raised and not kept."""
    with pytest.raises(FeedUnreachable):
        dry_run(ImportRequest("http://127.0.0.1:9/odata"), settings.model_copy(update={"feed_attempts": 1}))
    assert not settings.home.exists()
