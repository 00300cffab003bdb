"""The command line as a person or a cron job meets it: output, messages, exit codes."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from wellprod.demo import Fault, create_app, running
from wellprod.ingest import ImportRequest, start_import
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings
from wellprod.store import Store

from .conftest import ANP_WELLS, CommandLine
from .lab import until
from .scripted import Reply, record, scripted_feed
from .test_import import frame_of
from .test_store import held_by_another_process

SUMMARY = {
    "batch_result": {"total_items", "processed_items", "failed_items", "success_rate", "memory_usage_mb"},
    "pagination_summary": {
        "total_pages",
        "processed_pages",
        "failed_pages",
        "page_size",
        "average_page_time_seconds",
    },
    "import_summary": {"new_records", "duplicate_records", "restated_records", "error_records"},
    "performance": {
        "total_execution_time_seconds",
        "average_throughput_per_second",
        "api_request_time_seconds",
        "database_time_seconds",
    },
}


@pytest.fixture(scope="module")
def feed_url() -> Iterator[str]:
    """A sound feed of 30 records."""
    with running(create_app(frame_of([record(n) for n in range(30)]))) as url:
        yield url


def one_object(text: str) -> dict[str, Any]:
    """Parse stdout that must be one JSON object and nothing else."""
    value = json.loads(text)
    assert isinstance(value, dict)
    return value


# What a command prints


def test_an_import_prints_its_summary(run: CommandLine, feed_url: str) -> None:
    """For people a table on stdout, for programs one JSON object with every figure; progress goes to stderr."""
    people = run.apart("import", feed_url)
    assert people.returncode == 0
    assert "COMPLETED" in people.stdout and "30 new" in people.stdout
    assert "wells_production.duckdb" in "".join(people.stdout.split()), "a long path goes over two lines"
    programs = run.apart("import", feed_url, "--json")
    summary = one_object(programs.stdout)
    assert (summary["status"], summary["warnings"], summary["errors"]) == ("COMPLETED", [], [])
    assert summary["import_summary"]["duplicate_records"] == 30
    for part, names in SUMMARY.items():
        assert names <= summary[part].keys()


def test_jobs_are_listed_shown_and_not_found(run: CommandLine, feed_url: str) -> None:
    """The list is newest first; one job is shown flat; an id that is none is wrong use."""
    assert "There are no jobs yet" in run("jobs", "list").stdout
    job_id = one_object(run("import", feed_url, "--json").stdout)["job_id"]
    run("export")
    listed = one_object(run("jobs", "list", "--json").stdout)["jobs"]
    assert [job["kind"] for job in listed] == ["export", "import"]
    shown = one_object(run("jobs", "show", job_id, "--json").stdout)
    assert (shown["job_id"], shown["status"], shown["records_processed"]) == (job_id, "COMPLETED", 30)
    assert job_id in run("jobs", "show", job_id).stdout
    again = run("jobs", "resume", job_id, "--json")
    assert (again.returncode, one_object(again.stdout)["import_summary"]["new_records"]) == (0, 30)
    unknown = run("jobs", "show", "11111111-2222-3333-4444-555555555555")
    assert (unknown.returncode, "There is no job 1111" in unknown.stderr) == (2, True)
    malformed = run("jobs", "show", "x", "--json")
    assert (malformed.returncode, one_object(malformed.stdout)["errors"][0]["code"]) == (2, "NOT_FOUND")
    assert "has ended: COMPLETED" in run("jobs", "cancel", job_id).stdout


def test_a_running_import_is_cancelled_from_another_process(run: CommandLine, settings: Settings) -> None:
    """`jobs cancel` stops it within a page; it exits with 1 and says how to go on."""
    with running(create_app(frame_of([record(n) for n in range(3000)]), delay_seconds=0.05)) as url:
        process = run.started("import", url, "--page-size", "10", WELLPROD_GROUP_RECORDS="10")
        ledger = Ledger(settings.jobs_path)
        job = until(lambda: next((job for job in ledger.active_jobs() if job.progress), None))
        assert run.apart("jobs", "cancel", job.job_id).returncode == 0
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "CANCELLED" in out and f"wellprod jobs resume {job.job_id}" in out
    assert ledger.get(job.job_id).status == Status.CANCELLED


def test_stats_and_health_say_what_is_there(run: CommandLine, feed_url: str) -> None:
    """Before a store health is well and stats says what to do; after an import both tell the figures."""
    assert one_object(run("health", "--json").stdout)["store"] == "none yet"
    missing = run("stats")
    assert (missing.returncode, "There is no store" in missing.stderr) == (1, True)
    run("import", feed_url)
    stats = one_object(run("stats", "--json").stdout)
    assert (stats["records"], stats["wells"], stats["last_month"]) == (30, 30, "2024-01-01")
    assert "2024-01 to 2024-01" in run("stats").stdout
    assert one_object(run("health", "--json").stdout)["healthy"] is True


def test_export_writes_where_it_is_told(run: CommandLine, feed_url: str, tmp_path: Path) -> None:
    """Selection, path and format are options; the result is told with records and size."""
    run("import", feed_url)
    path = tmp_path / "out" / "some.csv"
    done = run("export", "--well", "3", "--well", "Well 4", "--from", "2024-01", "--to", "2024-01", "--output", path)
    assert (done.returncode, str(path) in "".join(done.stdout.split())) == (0, True)  # a long path is folded
    assert len(path.read_text().splitlines()) == 3
    assert one_object(run("export", "--json").stdout)["records"] == 30
    refused = run("export", "--format", "docx")
    assert (refused.returncode, "Known formats: csv" in refused.stderr) == (2, True)


def test_the_csv_is_refreshed_after_an_import_when_asked(run: CommandLine, feed_url: str, home: Path) -> None:
    """The setting keeps `wells_prod.csv` in step with the store."""
    run("import", feed_url)
    assert not (home / "wells_prod.csv").exists()
    run("import", feed_url, WELLPROD_EXPORT_AFTER_IMPORT="true")
    assert len((home / "wells_prod.csv").read_text().splitlines()) == 31


def test_logs_are_structured_and_on_stderr(run: CommandLine, feed_url: str) -> None:
    """With the JSON form each log line is an object with level, time and job; stdout stays the summary's."""
    done = run.apart("import", feed_url, "--json", WELLPROD_LOG_LEVEL="INFO", WELLPROD_LOG_FORMAT="json")
    summary = one_object(done.stdout)
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert {"event", "level", "timestamp", "job_id"} <= events[-1].keys()
    assert (events[-1]["event"], events[-1]["job_id"]) == ("import_ended", summary["job_id"])


# Bad input: one clear message, the right exit code, a store that is whole


def assert_clear(done: subprocess.CompletedProcess[str], code: int, *says: str) -> None:
    """Check the exit code and the message, and that there is no traceback and no secret."""
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == code, text
    for words in says:
        assert words in text, text
    assert "Traceback" not in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["http://nowhere.invalid/odata"], 1, ["http://nowhere.invalid:80 cannot be reached", "Check the address"]),
        (["ftp://host/x"], 2, ["is no feed address"]),
        (["http://ann:s3cret@127.0.0.1/odata"], 2, ["WELLPROD_FEED_PASSWORD"]),
        (["no-such-file.json"], 1, ["no-such-file.json cannot be opened: No such file"]),
        (["URL", "--page-size", "0"], 2, ["page size 0 is not allowed; it must be from 1 to 5000"]),
        (["URL", "--page-size", "5001"], 2, ["page size 5001 is not allowed"]),
        (["URL", "--page-size", "many"], 2, ["--page-size", "valid integer"]),
        (["URL", "--paging", "lanes"], 2, ["paging 'lanes' is not allowed"]),
        (
            ["URL", "--profile", "nobody"],
            2,
            ["no feed profile 'nobody'", "Known profiles: plain, volve, wellprod, woodmac"],
        ),
        (["URL", "--profile", "plain"], 1, ["names the property 'WellCode', which the feed does not have"]),
        (["URL", "--start-page", "3"], 2, ["Choose paging 'skip'"]),
        (["URL", "--nonsense"], 2, ["No such option", "--nonsense"]),
        ([], 2, ["nothing to import", "WELLPROD_FEED_URL"]),
    ],
)
def test_wrong_use_is_told(run: CommandLine, feed_url: str, arguments: list[str], code: int, says: list[str]) -> None:
    """What cannot be imported is refused with what was given, what is allowed and what to do."""
    given = [feed_url if word == "URL" else word for word in arguments]
    assert_clear(run("import", *given), code, *says)
    answer = one_object(run("import", *given, "--json").stdout)
    assert answer["errors"] and answer["errors"][0]["code"]


@pytest.mark.parametrize(
    ("service", "code", "says"),
    [
        ({"basic_auth": ("ann", "s3cret")}, 1, ["answered 401", "WELLPROD_FEED_USER"]),
        ({"faults": [Fault("html", 1)]}, 1, ["web page in place of records", "sign-in page"]),
        ({"faults": [Fault("malformed", 1)]}, 1, ["no whole JSON"]),
        ({"faults": [Fault("error-object", 1)]}, 1, ["an error in place of a page"]),
        ({"faults": [Fault("cut", 1)]}, 1, ["cannot be reached"]),
        ({"faults": [Fault("stall", 1)]}, 1, ["did not answer whole within 0.3 seconds", "--page-size"]),
    ],
    ids=["password", "html", "truncated", "error-object", "cut", "stalled"],
)
def test_a_bad_feed_is_told(run: CommandLine, service: dict[str, Any], code: int, says: list[str]) -> None:
    """The job fails with one message that says what came and what to do, and how to resume."""
    with running(create_app(frame_of([record(1)]), **service)) as url:
        done = run("import", url, WELLPROD_FEED_TIMEOUT_SECONDS="0.3", WELLPROD_FEED_PASSWORD="s3cret")
    assert_clear(done, code, *says, "wellprod jobs resume")


def test_links_that_lead_astray_are_told(run: CommandLine) -> None:
    """A next link that repeats or leads to another origin ends the import with what is stored."""
    for link, says in (
        ("Wells?again=s3cret", "was read already"),
        ("http://other.invalid/x?t=s3cret", "another origin"),
    ):
        page = Reply({"value": [record(1)], "@odata.nextLink": link})
        with scripted_feed(lambda _, page=page: page) as (url, _):  # type: ignore[misc]
            assert_clear(run("import", f"{url}/Wells"), 1, says, "are stored")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not JSON", "is no whole JSON"),
        ('{"rows": []}', "holds no records"),
        ('{"value": [{"well_code"', "no whole JSON"),
        ('{"value": [{"well_code": ' + "[" * 100_000, "nested more than 100 deep"),
    ],
)
def test_a_bad_file_is_told(run: CommandLine, tmp_path: Path, text: str, says: str) -> None:
    """A file that is no JSON, or holds no records, is an error; the store is not touched."""
    path = tmp_path / "bad.json"
    path.write_text(text)
    assert_clear(run("import", path), 1, says)


def test_an_empty_file_of_records_is_no_error(run: CommandLine, tmp_path: Path) -> None:
    """No records are a warning, not a failure."""
    path = tmp_path / "empty.json"
    path.write_text('{"value": []}')
    assert_clear(run("import", path), 0, "COMPLETED", "has no records")


def test_a_held_or_newer_store_is_told(run: CommandLine, feed_url: str, settings: Settings) -> None:
    """The message names the process that holds it, or the version that made it; the records stay."""
    run("import", feed_url)
    with held_by_another_process(settings.store_path) as pid:
        held = run("import", feed_url, WELLPROD_STORE_WAIT_SECONDS="0.3")
        assert_clear(held, 1, f"was held by process {pid}", "WELLPROD_STORE_WAIT_SECONDS")
        assert_clear(run("stats", WELLPROD_STORE_WAIT_SECONDS="0.3"), 1, f"was held by process {pid}")
    with duckdb.connect(settings.store_path) as connection:
        connection.execute("INSERT INTO migrations VALUES ('9999', now()::TIMESTAMP)")
    assert_clear(run("import", feed_url), 1, "made by a newer wellprod")


def test_a_wrong_setting_is_told(run: CommandLine, feed_url: str) -> None:
    """A setting from the environment that is not allowed is wrong use."""
    assert_clear(run.apart("import", feed_url, WELLPROD_PAGE_SIZE="9999"), 2, "WELLPROD_PAGE_SIZE", "from 1 to 5000")
    wrong_rule = run("import", feed_url, WELLPROD_REJECT_RULES="negative_rate,odd")
    assert_clear(wrong_rule, 2, "names 'odd', which is no quality rule", "Rules: negative_rate, negative_days")


def test_debug_shows_the_traceback(run: CommandLine) -> None:
    """`--debug`, in any place, lets the error through."""
    assert "Traceback" in run.apart("jobs", "show", "x", "--debug").stderr


@pytest.mark.slow
def test_a_full_disk_fails_clearly_and_resumes(run: CommandLine, tmp_path: Path, settings: Settings) -> None:
    """An import into a disk of 4 MB fails with what to do; with room made, the resume ends equal to the source."""
    disk = tmp_path / "disk"
    disk.mkdir()
    chance = random.Random(4)
    figures = ("oil_production_kbd", "gas_production_mmcfd", "liquids_production_kbd", "water_production_kbd")
    rows = frame_of(
        [
            record(n, f"20{y}-01", **{name: chance.random() for name in figures})
            for n in range(4000)
            for y in range(10, 25)
        ]
    )
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "wellprod-test", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.fail("this test mounts a small tmpfs, which needs root; leave it out with -m 'not slow'")
    try:
        with running(create_app(rows)) as url:
            small = {"WELLPROD_HOME": str(disk), "WELLPROD_GROUP_RECORDS": "2000"}
            full = run.apart("import", url, "--page-size", "1000", **small)
            assert_clear(full, 1, "is full", "wellprod jobs resume")
            with Store(disk / "wells_production.duckdb").read() as reading:
                kept = reading.value("SELECT count(*) FROM production")
            assert 0 < kept < 60_000 and kept % 1000 == 0
            subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True)
            job_id = one_object(run("jobs", "list", "--json", WELLPROD_HOME=str(disk)).stdout)["jobs"][0]["job_id"]
            done = run("jobs", "resume", job_id, "--json", WELLPROD_HOME=str(disk))
        summary = one_object(done.stdout)
        assert (done.returncode, summary["import_summary"]["new_records"]) == (0, 60_000)
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=False)
        target = disk / "wells_prod.csv"
        target.write_text("before")
        filler = disk / "filler"
        filler.write_bytes(b"x" * max(shutil.disk_usage(disk).free - 1_000_000, 0))
        assert_clear(run.apart("export", WELLPROD_HOME=str(disk)), 1, "cannot be written", "Make room")
        assert target.read_text() == "before"
        assert [path.name for path in disk.glob(".*")] == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# The demo


@pytest.mark.slow
def test_the_demo_runs_end_to_end(run: CommandLine, home: Path) -> None:
    """Feed, import, CSV, ten largest wells, what to do next; at least 150,000 records; a second run adds nothing."""
    done = run.apart("demo")
    assert done.returncode == 0, done.stderr
    lines = (home / "wells_prod.csv").read_text().count("\n") - 1
    assert lines >= 150_000
    for words in (f"{lines:,} new", "ten largest wells", "wells_prod.csv", "Next", "wellprod stats"):
        assert words in done.stdout
    assert "0 new" in run("demo").stdout


def test_a_demo_never_mixes_with_other_data(run: CommandLine, settings: Settings) -> None:
    """On a store with another source it stops and says how to choose another home."""
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    assert_clear(run("demo"), 1, "does not mix", "WELLPROD_HOME=demo-data")


def test_the_feed_serves_a_file_and_ends_with_ctrl_c(run: CommandLine) -> None:
    """`wellprod feed FILE` prints its address first, is imported from, and ends in order."""
    process = run.started("feed", ANP_WELLS, "--port", "0", "--basic-auth", "ann:pw", "--fault", "error500:3")
    assert process.stdout
    url = process.stdout.readline().strip()
    done = run("import", url, "--json", WELLPROD_FEED_USER="ann", WELLPROD_FEED_PASSWORD="pw")
    assert one_object(done.stdout)["import_summary"]["new_records"] == 6505
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in err) == (130, False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "gremlin:2"], "'gremlin' is no kind of fault"),
        (["--fault", "cut"], "'cut' is no fault"),
        (["--basic-auth", "ann"], "no colon"),
        (["no-such.json"], "no-such.json"),
    ],
)
def test_a_feed_that_cannot_be_is_told(run: CommandLine, arguments: list[str], says: str) -> None:
    """Wrong options of the demo feed are wrong use."""
    assert_clear(run("feed", "--port", "0", *arguments), 2, says)


def test_a_demo_feed_ends_with_the_process_that_started_it() -> None:
    """The feed of a demo that was killed does not live on."""
    command = [sys.executable, "-m", "wellprod", "feed", "--port", "0", "--wells", "5", "--until-stdin-closes"]
    feed = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert feed.stdin and feed.stdout
    assert feed.stdout.readline().startswith("http://127.0.0.1:")
    feed.stdin.close()
    assert feed.wait(20) == 0
    feed.stdout.close()
