"""One import, from a feed or a file into the store, whatever happens on the way."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from wellprod.demo import Fault, create_app, running
from wellprod.errors import JobNotFound, ProfileError, UsageError
from wellprod.feed.clean import NO_RECORD
from wellprod.ingest import ImportRequest, ImportSummary, Progress, StopRequest, resume_import, start_import
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .conftest import ANP_WELLS, CommandLine
from .lab import until
from .scripted import Asked, Reply, record, scripted_feed

PAGING: tuple[Literal["server", "skip"], ...] = ("server", "skip")


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Give rows as a frame for the demo feed."""
    return pl.DataFrame(rows, infer_schema_length=None)


def tuned(settings: Settings, **changes: Any) -> Settings:
    """Give the settings with some changed."""
    return settings.model_copy(update=changes)


def stored(settings: Settings, columns: str = "*", table: str = "production") -> pl.DataFrame:
    """Give what the store holds, ordered by well and month."""
    with Store(settings.store_path).read() as reading:
        return reading.table(f"SELECT {columns} FROM {table} ORDER BY ALL")


def stored_wells(settings: Settings) -> list[int]:
    """Give the well codes in the store, each as often as it is there."""
    return stored(settings, "well_code")["well_code"].to_list()


def assert_equal_to_anp(settings: Settings, source: list[dict[str, Any]]) -> None:
    """Compare the store with the ANP records, every column bit for bit."""
    columns = "field_code, field_name, well_code, well_reference, well_name, production_period::VARCHAR,"
    columns += " oil_production_kbd, gas_production_mmcfd, data_source, source_data, partition_0"
    names = ["field_code", "_field_name", "well_code", "_well_reference", "well_name"]
    rest = ["oil_production_kbd", "gas_production_mmcfd", "data_source", "source_data", "partition_0"]
    expected = [(*(r[n] for n in names), r["production_period"][:10], *(r[n] for n in rest)) for r in source]
    assert sorted(stored(settings, columns).rows(), key=str) == sorted(expected, key=str)


def counted(summary: ImportSummary) -> tuple[int, int, int, int]:
    """Give new, duplicate, restated and failed."""
    state = summary.state
    assert state.total == state.processed + state.failed
    return state.new, state.duplicate, state.restated, state.failed


# Real input


@pytest.mark.parametrize("paging", ["file", "server", "skip"])
def test_the_anp_wells_come_in_whole_and_once(
    settings: Settings, anp_records: list[dict[str, Any]], paging: str
) -> None:
    """All 6,505 records, from the file and over HTTP in both paging modes; a second import adds nothing."""
    with running(create_app(frame_of(anp_records))) as url:
        for expected in ((6505, 0, 0, 0), (0, 6505, 0, 0)):
            request = (
                ImportRequest(str(ANP_WELLS), page_size=900)
                if paging == "file"
                else ImportRequest(url, page_size=900, paging="skip" if paging == "skip" else "server")
            )
            summary = start_import(request, settings)
            assert (summary.status, summary.exit_code, counted(summary)) == (Status.COMPLETED, 0, expected)
            assert summary.as_dict()["pagination_summary"]["total_pages"] == 8
            assert summary.as_dict()["profile"] == "woodmac"
    assert_equal_to_anp(settings, anp_records)


@pytest.mark.parametrize("paging", ["server", "skip"])
@pytest.mark.parametrize("page_size", [999, 5000])
def test_the_known_hard_case(settings: Settings, paging: str, page_size: int) -> None:
    """10,001 records of which 5,001 are duplicates, one of them there three times, spread over the pages."""
    rows = [record(n) for n in range(5000)]
    everything = [*rows, *rows, rows[4321]]
    random.Random(7).shuffle(everything)
    with running(create_app(frame_of(everything))) as url:
        request = ImportRequest(url, page_size=page_size, paging=paging)  # type: ignore[arg-type]
        summary = start_import(request, tuned(settings, group_records=2500))
    assert counted(summary) == (5000, 5001, 0, 0)
    assert summary.exit_code == 0
    assert stored_wells(settings) == list(range(5000))


def test_the_plain_shape_is_recognised_and_stored(settings: Settings, tmp_path: Path) -> None:
    """A bare list of plain records comes in from a file, with a byte order mark and all."""
    path = tmp_path / "plain.json"
    rows = [{"WellCode": "WELL_001", "ProductionDate": f"2024-0{m}-01", "OilProduction": 1250.5} for m in (1, 2)]
    path.write_text("\ufeff" + json.dumps(rows), "utf-8")
    summary = start_import(ImportRequest(str(path)), settings)
    assert counted(summary) == (2, 0, 0, 0)
    assert [name in " ".join(summary.state.warnings) for name in ("GasProduction", "OilProduction")] == [True, False]
    assert stored(settings, "oil_production_kbd, well_reference").rows() == [(1.2505, "WELL_001")] * 2


def test_a_restatement_is_kept_with_its_history(settings: Settings) -> None:
    """The newest values win for reading; the older ones are kept with the job that replaced them."""
    for oil in (1.0, 2.0):
        with running(create_app(frame_of([record(1, oil_production_kbd=oil)]))) as url:
            summary = start_import(ImportRequest(url), settings)
    assert counted(summary) == (0, 0, 1, 0)
    assert stored(settings, "oil_production_kbd").item() == 2.0
    old = stored(settings, "oil_production_kbd, replaced_by::VARCHAR", "production_history").row(0)
    assert old == (1.0, summary.job_id)


def test_since_asks_the_feed_for_later_months_only(settings: Settings) -> None:
    """`since` is sent as a $filter of the profile's form, in both paging modes."""
    rows = [record(1, month) for month in ("2023-12", "2024-01", "2024-02")]
    with running(create_app(frame_of(rows))) as url:
        for paging in PAGING:
            request = ImportRequest(url, since="2024-01", paging=paging)
            assert start_import(request, settings).state.total == 2
    months = stored(settings, "production_period::VARCHAR AS month")["month"].to_list()
    assert months == ["2024-01-01", "2024-02-01"]


def test_some_pages_only(settings: Settings) -> None:
    """start_page and max_pages read just these pages, and no records are said to be missing."""
    with running(create_app(frame_of([record(n) for n in range(50)]))) as url:
        request = ImportRequest(url, paging="skip", page_size=10, start_page=2, max_pages=2)
        summary = start_import(request, settings)
    assert (summary.exit_code, summary.state.warnings) == (0, [])
    assert stored_wells(settings) == list(range(10, 30))


# What is bad stays visible


def test_rejects_are_kept_with_their_raw_row(settings: Settings) -> None:
    """Bad rows cost nothing but themselves; each is kept with page, reason and raw row, and the exit code is 3."""
    rows = [record(1), {**record(2), "oil_production_kbd": "n/a"}, "no record", record(3, production_period="2024-13")]

    def answer(asked: Asked) -> Reply:
        if "p" in asked.options:
            return Reply({"value": rows})
        return Reply({"value": [None], "@odata.nextLink": "Wells?p=2", "@odata.count": 5})

    with scripted_feed(answer) as (url, _):
        summary = start_import(ImportRequest(f"{url}/Wells"), settings)
    assert (summary.status, summary.exit_code, counted(summary)) == (Status.COMPLETED, 3, (1, 0, 0, 4))
    rejects = stored(settings, "page, row_number, reason, raw_row", "rejected_rows").rows()
    assert rejects == [
        (1, 0, NO_RECORD, "null"),
        (2, 1, "oil_production_kbd is no finite number: 'n/a'", json.dumps(rows[1], separators=(",", ":"))),
        (2, 2, NO_RECORD, '"no record"'),
        (2, 3, "production_period is no date: '2024-13'", json.dumps(rows[3], separators=(",", ":"))),
    ]
    assert summary.state.reject_reasons["oil_production_kbd is no finite number"] == 1


def test_daily_data_is_told_as_not_monthly(settings: Settings) -> None:
    """Of the days of one month the first is kept, the others are rejects with their raw rows, again the next time."""
    rows = [record(1, production_period=f"2024-01-{day:02}", oil_production_kbd=day) for day in range(1, 31)]
    with running(create_app(frame_of(rows))) as url:
        for expected in ((1, 0, 0, 29), (0, 1, 0, 29)):
            summary = start_import(ImportRequest(url, page_size=4), tuned(settings, group_records=8))
            assert counted(summary) == expected
    assert stored(settings, "raw_row", "rejected_rows").null_count().item() == 0


def test_fewer_records_than_counted_is_a_warning(settings: Settings) -> None:
    """A feed that ends before its own count gives both numbers and exit code 3."""
    with scripted_feed(lambda _: Reply({"@odata.count": 1234, "value": [record(1)]})) as (url, _):
        summary = start_import(ImportRequest(f"{url}/Wells"), settings)
    assert (summary.status, summary.exit_code) == (Status.COMPLETED, 3)
    assert "counted 1,234 records and gave 1: 1,233 are missing" in summary.state.warnings[0]


def test_a_page_that_fails_for_good_is_reported_and_the_rest_comes(settings: Settings) -> None:
    """With numbered pages the import completes: page, code, message and what to do, and exit code 3."""

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options.get("$skip", 0))
        rows = [record(n) for n in range(skip, min(skip + 10, 50))]
        return Reply("broken", 500) if skip == 20 else Reply({"@odata.count": 50, "value": rows})

    with scripted_feed(answer) as (url, _):
        summary = start_import(ImportRequest(f"{url}/Wells", paging="skip", page_size=10), settings)
    values = summary.as_dict()
    assert (summary.status, summary.exit_code) == (Status.COMPLETED, 3)
    assert values["errors"] == [
        {
            "page": 3,
            "code": "FEED_REFUSED",
            "message": f"{url}/Wells answered 500 Internal Server Error.",
            "next": "Import this page again: --paging skip --page-size 10 --start-page 3 --max-pages 1",
            "status": 500,
        }
    ]
    assert values["pagination_summary"]["failed_pages"] == 1
    assert "10 are missing" in values["warnings"][0]
    assert stored_wells(settings) == [*range(20), *range(30, 50)]


def test_behind_a_next_link_a_failed_page_stops_and_resumes(settings: Settings) -> None:
    """FAILED says what is stored and how to go on; the resume asks for that page, and nothing before it again."""
    broken = threading.Event()
    broken.set()

    def answer(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 1))
        if page == 3 and broken.is_set():
            return Reply("broken", 500)
        link = {"@odata.nextLink": f"Wells?p={page + 1}&$skiptoken=x"} if page < 5 else {}
        return Reply({"@odata.count": 5, "value": [record(page)], **link})

    with scripted_feed(answer) as (url, asked):
        failed = start_import(ImportRequest(f"{url}/Wells"), settings)
        assert (failed.status, failed.exit_code) == (Status.FAILED, 1)
        assert failed.error and "2 records of 2 pages are stored" in failed.error["next"]
        assert f"wellprod jobs resume {failed.job_id}" in failed.error["next"]
        assert "skiptoken" not in json.dumps(failed.as_dict())
        broken.clear()
        asked.clear()
        done = resume_import(failed.job_id, settings)
    assert [request.options["p"] for request in asked] == ["3", "4", "5"]
    assert (done.job_id, done.status, done.exit_code, counted(done)) == (
        failed.job_id,
        Status.COMPLETED,
        0,
        (5, 0, 0, 0),
    )
    assert stored_wells(settings) == [1, 2, 3, 4, 5]


def test_an_expired_next_link_means_page_one_again(settings: Settings) -> None:
    """The resume says so, and what was stored counts as duplicate."""
    expired: list[bool] = []

    def answer(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 1))
        if page == 3 and not expired:
            return Reply("broken", 500)
        if page > 1 and "old" in asked.options and expired:
            return Reply({"error": {"message": "token expired"}}, 410)
        age = "&new=1" if expired else "&old=1"
        link = {"@odata.nextLink": f"Wells?p={page + 1}{age}"} if page < 4 else {}
        return Reply({"@odata.count": 4, "value": [record(page)], **link})

    with scripted_feed(answer) as (url, _):
        job_id = start_import(ImportRequest(f"{url}/Wells"), settings).job_id
        expired.append(True)
        done = resume_import(job_id, settings)
    assert (done.status, done.exit_code, counted(done)) == (Status.COMPLETED, 0, (4, 2, 0, 0))
    assert "expired; all is read again from page one" in done.state.warnings[0]


def test_a_file_cut_off_fails_and_the_whole_one_resumes(settings: Settings, tmp_path: Path) -> None:
    """What came before the break is stored; the file made whole is read again and nothing is doubled."""
    path = tmp_path / "wells.json"
    whole = json.dumps({"value": [record(n) for n in range(2000)]})
    path.write_text(whole[: len(whole) // 2])
    failed = start_import(ImportRequest(str(path), page_size=100), settings)
    assert (failed.status, failed.exit_code) == (Status.FAILED, 1)
    assert failed.error and "no whole JSON" in failed.error["message"]
    assert 500 < len(stored_wells(settings)) <= 1000
    path.write_text(whole)
    done = resume_import(failed.job_id, settings)
    assert done.status == Status.COMPLETED
    assert "The file has changed since" in done.state.warnings[0]
    assert stored_wells(settings) == list(range(2000))


def test_brackets_in_the_names_of_a_file_are_no_depth(settings: Settings, tmp_path: Path) -> None:
    """Names with any number of brackets, quotes and backslashes are read as they are, over pieces of the file too."""
    names = ["[" * 150, '{"\\' * 50_000, "]}" * 300, "[{\\\\" * 40_000, "plain"]
    rows = [{**record(number), "well_name": name} for number, name in enumerate(names, start=1)]
    path = tmp_path / "brackets.json"
    path.write_text(json.dumps({"value": rows}))
    summary = start_import(ImportRequest.from_settings(settings, str(path)), settings)
    assert summary.counts["new"] == len(names)
    with Store(settings.store_path).read() as reading:
        found = reading.table("SELECT well_name FROM production ORDER BY well_code")["well_name"].to_list()
    assert found == names


def test_a_wrong_profile_stops_before_the_first_record(settings: Settings) -> None:
    """A profile that names no such property of the feed, or that does not exist, is an error with the key."""
    profiles = settings.profiles_path
    profiles.mkdir(parents=True)
    (profiles / "mine.toml").write_text(
        'title = "Mine"\nentity_set = "E"\nfigures = "calendar-day rate"\n[columns]\nfield_code = "field_code"\n'
        'well_code = "well_code"\nproduction_period = "production_period"\n'
        'oil_production_kbd = {property = "OilProductoin", unit = "kbd"}\n'
    )
    with running(create_app(frame_of([record(1)]))) as url:
        summary = start_import(ImportRequest(url, profile="mine"), settings)
        assert summary.status == Status.FAILED
        assert (
            summary.error
            and "columns.oil_production_kbd names the property 'OilProductoin'" in summary.error["message"]
        )
        with pytest.raises(ProfileError, match="Known profiles"):
            start_import(ImportRequest(url, profile="nobody"), settings)
    assert [job.status for job in Ledger(settings.jobs_path).jobs()] == [Status.FAILED]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"page_size": 0}, "page size 0 is not allowed; it must be from 1 to 5000"),
        ({"page_size": 5001}, "page size 5001 is not allowed; it must be from 1 to 5000"),
        ({"start_page": 0, "paging": "skip"}, "start page 0 is not allowed"),
        ({"start_page": 2}, "start page 2 needs pages with numbers. Choose paging 'skip'"),
        ({"max_pages": 0}, "max pages 0 is not allowed"),
        ({"paging": "lanes"}, "paging 'lanes' is not allowed; it must be 'server' or 'skip'"),
        ({"since": "last year"}, "since 'last year' is not allowed; it must be a month such as 2024-01"),
    ],
)
def test_a_request_that_is_not_allowed_is_refused(values: dict[str, Any], says: str) -> None:
    """The message says which, what was given and what is allowed."""
    with pytest.raises(UsageError) as caught:
        ImportRequest("http://host/odata", **values)
    assert says in str(caught.value)


# Progress, cancelling, one at a time


def test_progress_is_told_while_it_runs(settings: Settings) -> None:
    """Pages, records and percent grow to the end, and the ledger has the last of them."""
    told: list[Progress] = []
    with running(create_app(frame_of([record(n) for n in range(100)]))) as url:
        request = ImportRequest(url, page_size=10)
        summary = start_import(request, tuned(settings, group_records=20), on_progress=told.append)
    assert [p.records_processed for p in told] == sorted(p.records_processed for p in told)
    assert {20, 40, 60, 80, 100} <= {p.records_processed for p in told}
    with_pages = [p for p in told if p.records_processed]  # a slow start is told before the feed has said anything
    assert {(p.estimated_total, p.total_pages) for p in with_pages} == {(100, 10)}
    job = Ledger(settings.jobs_path).get(summary.job_id)
    assert job.progress and job.progress["progress_percentage"] == 100.0
    assert job.status == Status.COMPLETED


def test_a_cancelled_import_stops_and_resumes(settings: Settings) -> None:
    """Cancelling keeps what was stored; the resume reads the rest, with the same job id."""
    ledger = Ledger(settings.jobs_path)

    def cancel(progress: Progress) -> None:
        if progress.records_processed >= 30:
            running_job = ledger.running_import()
            if running_job:
                ledger.cancel(running_job.job_id)

    with running(create_app(frame_of([record(n) for n in range(200)]))) as url:
        small = tuned(settings, group_records=10)
        stopped = start_import(ImportRequest(url, page_size=10), small, on_progress=cancel)
        assert (stopped.status, stopped.exit_code) == (Status.CANCELLED, 1)
        assert 30 <= len(stored_wells(settings)) < 200
        done = resume_import(stopped.job_id, small)
    assert (done.status, counted(done)) == (Status.COMPLETED, (200, 0, 0, 0))
    assert stored_wells(settings) == list(range(200))


def test_a_wish_to_stop_is_heard_while_the_feed_stalls(settings: Settings) -> None:
    """Ctrl-C does not wait for a feed that gives no answer."""
    stop = StopRequest()
    with running(create_app(frame_of([record(1)]), faults=[Fault("stall", 1)])) as url:
        threading.Timer(0.3, stop.ask, [signal.SIGINT]).start()
        summary = start_import(ImportRequest(url), settings, stop=stop)
    assert (summary.status, summary.exit_code) == (Status.CANCELLED, 130)


def test_a_second_import_is_refused_while_one_runs(settings: Settings, run: CommandLine) -> None:
    """Across processes: the second one is told the rule and the id of the first."""
    refused: list[subprocess.CompletedProcess[str]] = []

    def once(_: Progress) -> None:
        if not refused:
            refused.append(run.apart("import", ANP_WELLS, "--json"))

    with running(create_app(frame_of([record(1)]))) as url:
        summary = start_import(ImportRequest(url), settings, on_progress=once)
    answer = json.loads(refused[0].stdout)
    assert (refused[0].returncode, summary.status) == (1, Status.COMPLETED)
    assert answer["errors"][0]["code"] == "BUSINESS_RULE_VIOLATION"
    assert answer["errors"][0]["rule"] == "SINGLE_IMPORT_RULE"
    assert answer["errors"][0]["job_id"] == summary.job_id


def test_a_resume_does_no_harm_on_a_finished_job(settings: Settings) -> None:
    """It tells the summary again and asks the feed nothing; an unknown id is told as such."""
    with running(create_app(frame_of([record(1)]))) as url:
        done = start_import(ImportRequest(url), settings)
    again = resume_import(done.job_id, settings)
    assert (again.status, again.exit_code, counted(again)) == (Status.COMPLETED, 0, (1, 0, 0, 0))
    assert Ledger(settings.jobs_path).get(done.job_id).runs == 1
    with pytest.raises(JobNotFound, match="no job id"):
        resume_import("nonsense", settings)


def test_a_secret_in_the_address_is_not_kept(settings: Settings) -> None:
    """The job row hides it; the resume takes it from WELLPROD_FEED_URL, or says that it needs it."""
    fails: list[bool] = [True]

    def answer(asked: Asked) -> Reply:
        if asked.options.get("api_key") != "hush":
            return Reply("", 404)
        page = int(asked.options.get("p", 1))
        if page == 2 and fails:
            return Reply("", 400)
        link = {"@odata.nextLink": f"Wells?api_key=hush&p={page + 1}"} if page < 3 else {}
        return Reply({"value": [record(page)], **link})

    with scripted_feed(answer) as (url, asked):
        address = f"{url}/Wells?api_key=hush"
        failed = start_import(ImportRequest(address), settings)
        assert failed.status == Status.FAILED
        fails.clear()
        for file in settings.home.iterdir():
            assert b"hush" not in file.read_bytes()
        with pytest.raises(UsageError, match="secret part"):
            resume_import(failed.job_id, settings)
        asked.clear()
        done = resume_import(failed.job_id, load_settings(home=settings.home, feed_url=address))
    assert (done.status, len(asked)) == (Status.COMPLETED, 2)
    assert stored_wells(settings) == [1, 2, 3]


def test_a_page_limit_counts_pages_and_not_readings(settings: Settings) -> None:
    """After a restart from page one `max_pages` still means these pages, each of them."""
    gone: list[bool] = []

    def answer(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 1))
        if page == 4 and not gone:
            return Reply("broken", 500)
        if gone and "old" in asked.options:
            return Reply("", 410)
        age = "new" if gone else "old"
        return Reply({"value": [record(page)], "@odata.nextLink": f"Wells?p={page + 1}&{age}=1"})

    with scripted_feed(answer) as (url, _):
        job_id = start_import(ImportRequest(f"{url}/Wells", max_pages=5), settings).job_id
        gone.append(True)
        done = resume_import(job_id, settings)
    assert (done.status, done.exit_code) == (Status.COMPLETED, 0)
    assert stored_wells(settings) == [1, 2, 3, 4, 5]


def test_a_ledger_that_cannot_be_written_doubles_nothing(settings: Settings) -> None:
    """When the progress cannot be written the group is stored all the same, and once."""
    jobs = settings.jobs_path

    def lose(progress: Progress) -> None:
        if progress.records_processed >= 20 and jobs.is_file():
            jobs.rename(jobs.with_suffix(".away"))
            jobs.mkdir()

    with running(create_app(frame_of([record(n) for n in range(40)]))) as url:
        request = ImportRequest(url, page_size=10)
        summary = start_import(request, tuned(settings, group_records=10), on_progress=lose)
    assert summary.state.duplicate == 0
    assert stored_wells(settings) == list(range(summary.state.new))


def test_only_imports_are_resumed(settings: Settings) -> None:
    """An export's id is wrong use, not a failure inside."""
    job = Ledger(settings.jobs_path).create("export", {})
    with pytest.raises(UsageError, match="is no import but a job of the kind export"):
        resume_import(job.job_id, settings)


def test_a_saved_page_of_several_is_told(settings: Settings, tmp_path: Path) -> None:
    """A file that is the first answer of a feed is stored, with a warning that there is more."""
    path = tmp_path / "page.json"
    path.write_text(json.dumps({"value": [record(1)], "@odata.nextLink": "https://host/more"}))
    assert "one page of several" in start_import(ImportRequest(str(path)), settings).state.warnings[0]


def test_text_that_the_readers_judge_differently_stops_nothing(settings: Settings) -> None:
    """Half a character in a text, beside a reject, costs neither the page nor the import."""
    rows = [record(1), {**record(2), "well_name": "HALF"}, {**record(3), "oil_production_kbd": "n/a"}]
    second = json.dumps({"value": rows}).replace("HALF", "\\ud800")

    def answer(asked: Asked) -> Reply:
        first = {"value": [record(0)], "@odata.nextLink": "Wells?p=2"}
        return Reply(second) if "p" in asked.options else Reply(first)

    with scripted_feed(answer) as (url, _):
        summary = start_import(ImportRequest(f"{url}/Wells"), settings)
    assert (summary.status, summary.state.failed) == (Status.COMPLETED, 1)
    assert stored_wells(settings) == [0, 1, 2]


# Killed


@pytest.mark.slow
def test_a_killed_command_goes_on_after_its_last_commit(
    settings: Settings, run: CommandLine, anp_records: list[dict[str, Any]]
) -> None:
    """kill -9 of the command, twice: shown as failed at once, resumed each time, equal to the source."""
    chance = random.Random(7)
    small = {"WELLPROD_GROUP_RECORDS": "300"}
    with running(create_app(frame_of(anp_records))) as url:
        process = run.started("import", url, "--page-size", "100", "--paging", "skip", **small)
        ledger, kills, job_id = Ledger(settings.jobs_path), 0, ""
        while kills < 2:
            goal = _records_so_far(settings) + chance.randint(200, 900)
            until(partial(_is_past, goal, settings, process))
            if process.poll() is not None:
                break
            process.kill()
            process.communicate()
            kills += 1
            job = ledger.jobs()[0]
            job_id = job.job_id
            assert (job.status, job.runs) == (Status.FAILED, kills)
            assert job.error and f"wellprod jobs resume {job_id}" in job.error["next"]
            process = run.started("jobs", "resume", job_id, "--json", **small)
        out, err = process.communicate(timeout=120)
    assert kills == 2, err
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert summary["job_id"] == job_id
    assert summary["batch_result"]["total_items"] == 6505
    assert summary["import_summary"]["new_records"] == 6505
    assert_equal_to_anp(settings, anp_records)


def _records_so_far(settings: Settings) -> int:
    """Give the records that the newest job has stored, from the ledger, which is never held."""
    jobs = Ledger(settings.jobs_path).jobs(limit=1)
    return int((jobs[0].progress or {}).get("records_processed", 0)) if jobs else 0


def _is_past(goal: int, settings: Settings, process: subprocess.Popen[str]) -> bool:
    """Tell whether so many records are stored, or the process has ended."""
    return process.poll() is not None or _records_so_far(settings) >= goal


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_in_order(settings: Settings, run: CommandLine, number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM keep what was read, say how to go on, and exit with 128 and the signal."""
    with running(create_app(frame_of([record(n) for n in range(5000)]), delay_seconds=0.05)) as url:
        process = run.started("import", url, "--page-size", "10", WELLPROD_GROUP_RECORDS="20")
        until(lambda: _records_so_far(settings) >= 40)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
        job = Ledger(settings.jobs_path).jobs()[0]
        assert job.status == Status.CANCELLED
        assert f"wellprod jobs resume {job.job_id}" in out
        assert "Traceback" not in err
    assert stored_wells(settings) == list(range(_records_so_far(settings)))
