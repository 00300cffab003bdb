"""The figures for Prometheus: equal to what imports and exports did, and a counter never goes back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wellprod.export import ExportRequest, export_records
from wellprod.ingest import ImportRequest, resume_import, start_import, trigger_import, trigger_resume
from wellprod.jobs import Ledger, Status
from wellprod.metrics import CONTENT_TYPE, Metrics
from wellprod.settings import Settings

from .lab import until
from .scripted import Asked, PagedFeed, Reply, record, scripted_feed
from .test_background import ended, killed, small
from .test_background import ledger as ledger
from .test_jobs import created_elsewhere

Figures = dict[str, float]

ZERO = {"new": 0.0, "duplicate": 0.0, "restated": 0.0, "rejected": 0.0}


def scraped(metrics: Metrics) -> Figures:
    """Scrape as Prometheus does, and give each sample of ours by its name and labels."""
    families = text_string_to_metric_families(metrics.render().decode())
    samples = [sample for family in families for sample in family.samples if sample.name.startswith("wellprod_")]
    found = {" ".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def records_of(figures: Figures) -> dict[str, float]:
    """Give the records of all imports by outcome."""
    return {outcome: figures[f"wellprod_import_records_total {outcome}"] for outcome in ZERO}


def counters(figures: Figures) -> Figures:
    """Give what must never go down."""
    endings = ("_total", "_count", "_sum")
    return {name: value for name, value in figures.items() if name.partition(" ")[0].endswith(endings)}


def assert_no_step_back(before: Figures, now: Figures) -> None:
    """Check that no counter is gone or went down."""
    assert counters(before).keys() <= counters(now).keys()
    assert {name: now[name] for name, value in counters(before).items() if now[name] < value} == {}


def go_on(feed: PagedFeed, held: int | None) -> None:
    """Let the feed give what it holds, up to another page."""
    feed.held = held
    feed.released.set()
    feed.released.clear()


def mixed(asked: Asked) -> Reply:
    """Give four windows of two: a reject in the first, the third cannot be had."""
    rows = [record(1), record(None), record(2), record(3), record(4), record(5), record(6), record(7)]  # type: ignore[arg-type]
    skip, top = int(asked.options.get("$skip", 0)), int(asked.options["$top"])
    if skip == 4:
        return Reply("", 500)
    return Reply({"@odata.count": len(rows), "value": rows[skip : skip + top]})


def breaking(feed: PagedFeed, asked: Asked) -> Reply:
    """Give what the feed gives, but for its third page."""
    return Reply("", 404) if asked.options.get("p") == "3" else feed.answer(asked)


def test_an_empty_workbench_is_all_zeros_and_makes_no_file(settings: Settings) -> None:
    """Every series of jobs and records is there from the start; there is no store to tell the size of."""
    figures = scraped(Metrics(settings))
    assert figures["wellprod_up"] == 1 and figures["wellprod_disk_free_bytes"] > 0
    assert {v for name, v in figures.items() if name.startswith("wellprod_jobs ")} == {0.0}
    assert records_of(figures) == ZERO and set(counters(figures).values()) == {0.0}
    assert "wellprod_store_size_bytes" not in figures
    assert any(name.startswith("wellprod_build_info ") for name in figures)
    assert not settings.home.exists()


def test_imports_are_told_as_their_summaries_have_them(settings: Settings) -> None:
    """Rejects, restatements and failed pages of two imports; the last one has figures of its own."""
    patient = settings.model_copy(update={"feed_attempts": 2})
    with scripted_feed(mixed) as (url, _):
        first = start_import(ImportRequest(f"{url}/Wells", page_size=2, paging="skip"), patient)
    changed = [record(1, oil_production_kbd=9.0), record(2), record(99)]
    with scripted_feed(lambda _: Reply({"value": changed})) as (url, _):
        second = start_import(ImportRequest(f"{url}/Wells"), settings)
    figures = scraped(Metrics(settings))
    assert first.counts == {"new": 5, "duplicate": 0, "restated": 0, "rejected": 1}
    assert second.counts == {"new": 1, "duplicate": 1, "restated": 1, "rejected": 0}
    assert records_of(figures) == {"new": 6, "duplicate": 1, "restated": 1, "rejected": 1}
    assert [figures[f"wellprod_import_pages_total {what}"] for what in ("read", "failed")] == [4, 1]
    assert [figures[f"wellprod_import_last_records {outcome}"] for outcome in ZERO] == [*second.counts.values()]
    assert figures["wellprod_jobs import COMPLETED"] == figures["wellprod_import_duration_seconds_count"] == 2
    took = [s.as_dict()["performance"]["total_execution_time_seconds"] for s in (first, second)]
    assert figures["wellprod_import_duration_seconds_sum"] == pytest.approx(sum(took))
    job = Ledger(settings.jobs_path).get(second.job_id)
    assert figures["wellprod_import_last_completed_timestamp_seconds"] == pytest.approx(job.completed_at)
    assert figures["wellprod_store_size_bytes"] == settings.store_path.stat().st_size
    assert figures["wellprod_import_running"] == 0


def test_exports_are_told_once_they_are_whole(settings: Settings, tmp_path: Path) -> None:
    """Records, bytes and time add up; one that fails is a job and no more."""
    with PagedFeed(3).serving() as feed:
        start_import(ImportRequest(feed.url), settings)
    made = [export_records(ExportRequest(output=tmp_path / name), settings) for name in ("a.csv", "a.json")]
    with pytest.raises(Exception, match="cannot be"):
        export_records(ExportRequest(output=settings.store_path / "a.csv"), settings)
    figures = scraped(Metrics(settings))
    assert figures["wellprod_export_records_total"] == 12
    assert figures["wellprod_export_bytes_total"] == sum(Path(result.path).stat().st_size for result in made)
    assert figures["wellprod_export_duration_seconds_count"] == figures["wellprod_jobs export COMPLETED"] == 2
    took = sum(result.execution_time_seconds for result in made)
    assert figures["wellprod_export_duration_seconds_sum"] == pytest.approx(took)
    assert figures["wellprod_jobs export FAILED"] == 1


@pytest.mark.slow
def test_an_import_elsewhere_is_seen_while_it_runs_is_killed_and_resumed(settings: Settings, ledger: Ledger) -> None:
    """Its records count group by group; two kills take nothing back, and at the end each record counts once."""
    metrics = Metrics(settings)
    seen = [scraped(metrics)]

    def new_records() -> float:
        seen.append(scraped(metrics))
        assert_no_step_back(*seen[-2:])
        return records_of(seen[-1])["new"]

    with PagedFeed(40, held=5).serving() as feed:
        job_id = trigger_import(ImportRequest(feed.url), small(settings))
        until(lambda: new_records() == 8)
        assert seen[-1]["wellprod_import_running"] == seen[-1]["wellprod_jobs import RUNNING"] == 1
        for page in (15, 40):
            killed(settings, job_id)
            new_records()  # nothing in the ledger has changed, and yet the job is known to be gone
            assert seen[-1]["wellprod_jobs import FAILED"] == 1 and seen[-1]["wellprod_import_running"] == 0
            go_on(feed, page)
            trigger_resume(job_id, small(settings))
            until(lambda page=page: new_records() >= 2 * (page - 1))  # type: ignore[misc]
        go_on(feed, None)
        ended(ledger, job_id)
    new_records()
    assert records_of(seen[-1]) == {**ZERO, "new": 80}
    assert seen[-1]["wellprod_import_pages_total read"] == 40
    assert seen[-1]["wellprod_jobs import COMPLETED"] == seen[-1]["wellprod_import_duration_seconds_count"] == 1


@pytest.mark.slow
def test_what_was_stored_and_not_told_counts_once_it_is_resumed(settings: Settings, ledger: Ledger) -> None:
    """A kill between the store's commit and the ledger's leaves the ledger behind; the resume mends it at once."""
    with PagedFeed(9, held=5).serving() as feed:
        job_id = trigger_import(ImportRequest(feed.url), small(settings))
        until(lambda: ledger.get(job_id).records == 8)
        killed(settings, job_id)
        with closing(sqlite3.connect(settings.jobs_path)) as connection:
            connection.execute("UPDATE jobs SET progress = json_set(progress, '$.new_records', 6)")
            connection.commit()
        metrics = Metrics(settings)
        assert records_of(scraped(metrics))["new"] == 6
        trigger_resume(job_id, settings)
        until(lambda: records_of(scraped(metrics))["new"] == 8)


def test_an_import_that_cannot_go_on_takes_nothing_back(settings: Settings) -> None:
    """A resume that finds its store broken ends as FAILED, and what was counted stays."""
    metrics = Metrics(settings)
    with PagedFeed(4).serving() as feed, scripted_feed(lambda asked: breaking(feed, asked)) as (url, _):
        stopped = start_import(ImportRequest(f"{url}/Wells"), settings)
    assert stopped.status == Status.FAILED
    before = scraped(metrics)
    settings.store_path.write_bytes(b"no database")
    assert resume_import(stopped.job_id, settings).status == Status.FAILED
    now = scraped(metrics)
    assert_no_step_back(before, now)
    assert records_of(now) == records_of(before) == {**ZERO, "new": 4}


def test_a_job_whose_process_is_gone_is_no_running_one(settings: Settings) -> None:
    """The scrape writes it down as failed, as every other reader does."""
    created_elsewhere(Ledger(settings.jobs_path))
    figures = scraped(Metrics(settings))
    assert (figures["wellprod_jobs import FAILED"], figures["wellprod_import_running"]) == (1, 0)


def test_a_broken_part_leaves_the_others(settings: Settings) -> None:
    """Without a ledger that can be read the files are still told, and all is back once it is mended."""
    metrics = Metrics(settings)
    with PagedFeed(2).serving() as feed:
        start_import(ImportRequest(feed.url), settings)
    whole = scraped(metrics)
    aside = settings.jobs_path.rename(settings.home / "aside")
    settings.jobs_path.write_text("no database " * 500)
    for reader in (metrics, Metrics(settings)):
        broken = scraped(reader)
        assert broken["wellprod_up"] == 0 and broken["wellprod_store_size_bytes"] > 0
        assert not any("import" in name or "jobs" in name for name in broken)
    aside.rename(settings.jobs_path)
    assert scraped(metrics).keys() == whole.keys()
    assert scraped(metrics)["wellprod_up"] == 1


def test_a_home_that_is_no_folder_does_not_fail_the_scrape(settings: Settings) -> None:
    """It says that the workbench is down."""
    settings.home.write_text("in the way")
    figures = scraped(Metrics(settings))
    assert figures["wellprod_up"] == 0 and "wellprod_store_size_bytes" not in figures


def test_requests_are_counted_by_route(settings: Settings) -> None:
    """A made-up method or a path without a route adds no series of its own."""
    metrics = Metrics(settings)
    route = "/api/v1/wells/well/{well_code}"
    for method, path, status, seconds in [
        ("GET", route, 200, 0.2),
        ("GET", route, 404, 0.004),
        *(("BREW", None, 405, 0.001) for _ in range(3)),
    ]:
        metrics.http.observe(method, path, status, seconds)
    figures = scraped(metrics)
    requests = {n.split(" ", 1)[1]: v for n, v in figures.items() if n.startswith("wellprod_http_requests_total")}
    assert requests == {f"GET {route} 200": 1, f"GET {route} 404": 1, "other none 405": 3}
    name = "wellprod_http_request_duration_seconds"
    assert figures[f"{name}_count {route}"] == 2
    assert figures[f"{name}_sum {route}"] == pytest.approx(0.204)
    assert CONTENT_TYPE.startswith("text/plain")


JUPYTER = """
import sys, prometheus_client
from wellprod.metrics import Metrics
from wellprod.settings import load_settings
first = Metrics(load_settings())
for metrics in (first, first, Metrics(load_settings())):
    metrics.register()
first.http.observe("GET", "/health", 200, 0.1)
sys.stdout.write(prometheus_client.generate_latest(prometheus_client.REGISTRY).decode())
"""


def test_a_process_registers_them_once(home: Path) -> None:
    """The default registry, which Jupyter shows, has each series once, and registering made no file."""
    done = subprocess.run([sys.executable, "-c", JUPYTER], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith("wellprod_build_info{")]) == 1
    assert 'wellprod_http_requests_total{method="GET",route="/health",status="200"} 1.0' in lines
    assert not home.exists()


def test_names_and_units_follow_the_conventions(settings: Settings) -> None:
    """Each family has a text that is a sentence, a known type, and a name of its own that says whose it is."""
    metrics = Metrics(settings)
    metrics.http.observe("GET", "/health", 200, 0.1)
    with PagedFeed(2).serving() as feed:
        start_import(ImportRequest(feed.url), settings)
    families = [family for family in metrics.collect() if family.samples]
    assert all(family.documentation.endswith(".") and family.type != "unknown" for family in families)
    names = [family.name for family in families]
    assert all(name.startswith("wellprod_") for name in names) and len(names) == len(set(names))
