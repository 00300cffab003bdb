"""The logs: few lines with figures, each with its job and request, no secret in any; those of libraries alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import structlog

from wellprod.export import ExportRequest, trigger_export
from wellprod.ingest import ImportRequest, start_import, trigger_import
from wellprod.jobs import Ledger
from wellprod.settings import Settings

from .api import running_api
from .conftest import CommandLine
from .lab import until
from .scripted import PagedFeed, Reply, scripted_feed
from .test_background import ended
from .test_background import ledger as ledger
from .test_metrics import mixed

pytestmark = pytest.mark.slow

LOUD = {"WELLPROD_LOG_LEVEL": "INFO", "WELLPROD_LOG_FORMAT": "json"}


def events_in(text: str) -> list[dict[str, Any]]:
    """Give the lines of a log in the JSON form, each of which is one object."""
    return [json.loads(line) for line in text.splitlines()]


def named(events: Iterable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Give those of one name."""
    return [event for event in events if event["event"] == name]


def import_log(run: CommandLine, url: str, *options: str, **environment: str) -> list[dict[str, Any]]:
    """Import and give what is logged."""
    done = run("import", url, "--json", *options, **{**LOUD, "WELLPROD_FEED_ATTEMPTS": "2", **environment})
    job_id = json.loads(done.stdout)["job_id"]
    events = events_in(done.stderr)
    assert {event["job_id"] for event in events} == {job_id}
    return events


def test_an_import_logs_its_course(run: CommandLine) -> None:
    """Begin, each group, what failed and was tried again, and the end; the groups add up to the end."""
    with scripted_feed(mixed) as (url, _):
        options = ("--paging", "skip", "--page-size", "2")
        events = import_log(run, f"{url}/Wells?key=s3cret", *options, WELLPROD_GROUP_RECORDS="2")
    assert {event["level"] for event in events} == {"info"}
    (started,), (end,) = named(events, "import_started"), named(events, "import_ended")
    assert events[0] == started and events[-1] == end
    assert started["source"] == f"{url}/Wells" and (started["first_page"], started["run"]) == (1, 1)
    (failed,), (again,) = named(events, "page_failed"), named(events, "page_retry")
    assert failed["page"] == 3 and failed["code"] == "FEED_REFUSED" and "500" in failed["error"]
    assert (again["attempt"], again["attempts"]) == (2, 2) and again["wait_seconds"] >= 0
    groups = named(events, "group_stored")
    counts = {"pages": 3, "failed_pages": 1, "records": 6, "new": 5, "duplicate": 0, "restated": 0, "rejected": 1}
    assert {name: sum(group[name] for group in groups) for name in counts} == counts
    assert {name: end[name] for name in counts} == counts
    assert (groups[0]["first_page"], groups[-1]["last_page"]) == (1, 4)
    seconds = [name for name in groups[0] if name.endswith("_seconds")]
    assert seconds == ["request_seconds", "clean_seconds", "store_seconds"]
    assert all(group[name] >= 0 for group in groups for name in seconds)
    assert end["status"] == "COMPLETED" and end["seconds"] > 0 and "error" not in end
    assert "s3cret" not in json.dumps(events)


def test_the_pages_one_by_one_are_for_those_who_debug(run: CommandLine) -> None:
    """At DEBUG there is a line for each page, with what came, from the thread that reads ahead."""
    with PagedFeed(3).serving() as feed:
        assert not named(import_log(run, feed.url), "page_read")
        pages = named(import_log(run, feed.url, WELLPROD_LOG_LEVEL="DEBUG"), "page_read")
    assert [(page["page"], page["records"], page["rejected"]) for page in pages] == [(1, 2, 0), (2, 2, 0), (3, 2, 0)]
    assert all(page["size_bytes"] > 100 and page["request_seconds"] > 0 for page in pages)


def test_an_import_that_fails_says_why(run: CommandLine) -> None:
    """The last line has the code and the message of the error."""
    with scripted_feed(lambda _: Reply("", 404)) as (url, _):
        *_, end = import_log(run, f"{url}/Wells")
    assert (end["event"], end["status"], end["code"]) == ("import_ended", "FAILED", "FEED_REFUSED")
    assert "404" in end["error"] and end["records"] == 0


def test_an_export_logs_how_it_ended(run: CommandLine, settings: Settings, tmp_path: Path) -> None:
    """Format, target, records, bytes and time; the error of one that failed."""
    with PagedFeed(3).serving() as feed:
        start_import(ImportRequest(feed.url), settings)
    target = tmp_path / "wells.csv"
    begun, end = events_in(run("export", "--json", "--output", target, **LOUD).stderr)
    assert (begun["event"], begun["format"], begun["target"]) == ("export_started", "csv", str(target))
    assert (end["event"], end["status"], end["records"]) == ("export_ended", "COMPLETED", 6)
    assert end["size_bytes"] == target.stat().st_size and end["seconds"] > 0
    assert begun["job_id"] == end["job_id"]
    blocked = run("export", "--output", tmp_path / "wells.csv" / "below.csv", **LOUD)
    failed = next(json.loads(line) for line in blocked.stderr.splitlines() if "export_ended" in line)
    assert (failed["status"], failed["code"]) == ("FAILED", "EXPORT_ERROR") and failed["error"]


def test_the_log_of_a_background_job_names_the_request_it_works_for(settings: Settings, ledger: Ledger) -> None:
    """Each line has the job's id and the request's; the job after it, that no request started, has none."""
    loud = settings.model_copy(update={"log_level": "DEBUG", "log_format": "json"})
    with PagedFeed(3).serving() as feed, structlog.contextvars.bound_contextvars(request_id="a-request"):
        first = trigger_import(ImportRequest(feed.url), loud)
        ended(ledger, first)
        exported = trigger_export(ExportRequest(), loud)
        ended(ledger, exported)
    events = events_in(ledger.log_path(first).read_text())
    assert len(named(events, "page_read")) == 3 and named(events, "import_ended")
    assert {(event["job_id"], event["request_id"]) for event in events} == {(first, "a-request")}
    events = events_in(ledger.log_path(exported).read_text())
    assert [event["event"] for event in events] == ["export_started", "export_ended"]
    assert {(event["job_id"], event["request_id"]) for event in events} == {(exported, "a-request")}
    alone = trigger_export(ExportRequest(), loud)
    ended(ledger, alone)
    events = events_in(ledger.log_path(alone).read_text())
    assert len(events) == 2 and not any("request_id" in event for event in events)


def test_a_job_with_nothing_to_say_leaves_no_log(settings: Settings, ledger: Ledger) -> None:
    """At the default level an import that ends well is silent, also when a request started it."""
    assert settings.log_level == "WARNING"
    with PagedFeed(2).serving() as feed, structlog.contextvars.bound_contextvars(request_id="a-request"):
        job_id = trigger_import(ImportRequest(feed.url), settings)
        ended(ledger, job_id)
    until(lambda: not ledger.log_path(job_id).exists())


SERVER = """
import logging, socket, sys, urllib.error, urllib.request, structlog, uvicorn
from threading import Thread
from wellprod.log import configure_logs, get_logger, take_over_logging
level, form = sys.argv[1:]
configure_logs(level, form)
take_over_logging(level, form)

async def app(scope, receive, send):
    password = "hidden-" + "variable"
    structlog.contextvars.bind_contextvars(request_id="r-1")
    logging.getLogger("library").warning("cannot reach %s", "https://user:s3cret@host/path?sig=s3cret")
    logging.getLogger("library").info("headers: s3cret")
    get_logger().warning("ours", error={"message": "https://host/x?key=s3cret", "all": ["Bearer s3cret-token"]})
    raise RuntimeError("asked with Bearer s3cret-token")

config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", port=0)
server = uvicorn.Server(config)
with socket.create_server(("127.0.0.1", 0)) as listening:
    thread = Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{listening.getsockname()[1]}/?token=s3cret")
    except urllib.error.HTTPError as error:
        assert error.code == 500
    server.should_exit = True
    thread.join()
"""


def server_log(level: str, form: str) -> str:
    """Give what a real server logs whose application fails at its only request."""
    command = [sys.executable, "-c", SERVER, level, form]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "s3cret" not in text and "hidden-variable" not in text
    return text


def test_what_libraries_log_has_our_form(home: Path) -> None:
    """Uvicorn's lines and a library's warning are objects as ours are, with the request and without a secret."""
    events = events_in(server_log("INFO", "json"))
    assert all({"event", "level", "timestamp"} <= event.keys() for event in events)
    (warning,), (ours,) = [named(events, name) for name in ("cannot reach https://host/path", "ours")]
    assert (warning["level"], warning["request_id"]) == ("warning", "r-1")
    assert ours["error"] == {"message": "https://host/x", "all": ["Bearer ***"]} and ours["request_id"] == "r-1"
    (failure,) = [event for event in events if event["level"] == "error"]
    assert failure["event"] == "Exception in ASGI application"
    assert "RuntimeError: asked with Bearer ***" in failure["exception"]
    assert events[0]["event"].startswith("Started server process") and events[0]["logger"] == "uvicorn.error"
    assert not any("headers" in event["event"] for event in events), "what libraries say below a warning stays out"


def test_the_form_for_people_is_the_same_for_both(home: Path) -> None:
    """One line an event, and a traceback below it; at the default level the server's own news stays out."""
    text = server_log("WARNING", "console")
    assert "server process" not in text
    lines = [line for line in text.splitlines() if "[warning" in line or "[error" in line]
    assert len(lines) == 3 and all(line[:2] == "20" for line in lines)
    assert "Traceback" in text and "RuntimeError: asked with Bearer ***" in text


def test_a_request_is_followed_from_the_server_into_the_job_it_starts(settings: Settings, ledger: Ledger) -> None:
    """The id that a caller gives is in the server's line and in each line of the job; each line is an object."""
    loud = {"log_level": "INFO", "log_format": "json"}
    with PagedFeed(3).serving() as feed, running_api(settings.home, feed_url=feed.url, **loud) as api:
        answer = api.post("/api/v1/wells/import/trigger", headers={"X-Request-ID": "followed"})
        assert answer.status_code == 200, answer.text
        job_id = answer.json()["data"]["job_id"]
        ended(ledger, job_id)
        events = events_in(ledger.log_path(job_id).read_text())
        served = events_in(api.log.read_text())
    assert {(event["job_id"], event["request_id"]) for event in events} == {(job_id, "followed")}
    assert [event["event"] for event in served if event.get("request_id") == "followed"] == ["request"]
    assert any(event.get("logger") == "uvicorn.error" for event in served)
