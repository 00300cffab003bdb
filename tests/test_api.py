"""The REST API: who may ask, how it answers, and what it does with imports and exports; a live server throughout."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from starlette.types import Scope

from tests.api import TOKEN, Api, StartApi, running_api
from tests.conftest import ANP_WELLS, CommandLine
from tests.lab import until
from tests.scripted import Asked, PagedFeed, Reply, record, scripted_feed
from tests.stores import fill
from wellprod.ingest import ImportRequest, start_import
from wellprod.ingest.uploads import forget_imported
from wellprod.jobs import Ledger, Status
from wellprod.server.api import create_api
from wellprod.settings import load_settings
from wellprod.store import Store

pytestmark = pytest.mark.slow

IMPORT = "/api/v1/wells/import"
EPOCH = 1_700_000_000
GUARDED = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/health/ready"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/metrics"),
    ("POST", IMPORT),
    ("POST", f"{IMPORT}/run"),
    ("GET", f"{IMPORT}/trigger"),
    ("GET", f"{IMPORT}/jobs"),
    ("GET", "/api/v1/wells/stats"),
    ("GET", "/api/v1/wells/download"),
    ("POST", "/api/v1/exports"),
    ("GET", "/api/v1/exports/5f0c8f0e/file"),
    ("GET", "/api/v1/nothing"),
]


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> Api:
    """A server over the ANP wells, whose configured feed is their file."""
    started = start_api(feed_url=str(ANP_WELLS))
    assert started.post(f"{IMPORT}/run", params={"page_size": 5000}).status_code == 200
    return started


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Give the error of an answer, once its envelope is as it must be."""
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["success"], told["error"]["code"]) == (status, False, code), answer.text
    assert told["message"] == told["error"]["message"] and told["timestamp"].endswith("+00:00")
    assert told["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["server-timing"].startswith("total;dur=")
    error: dict[str, Any] = told["error"]
    return error


def exported(api: Api, **asked: Any) -> dict[str, Any]:
    """Export, wait for the end, and give what is then said of it."""
    started = api.post("/api/v1/exports", json=asked)
    assert started.status_code == 202, started.text
    path = started.json()["data"]["status_url"]
    assert started.headers["location"] == path

    def look() -> dict[str, Any] | None:
        told: dict[str, Any] = api.data(path)
        return told if told["status"] in ("completed", "failed") else None

    return until(look)


# Who may ask


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_strangers_are_told_to_sign_in(api: Api, method: str, path: str) -> None:
    """Without the token, or with another one, every route but liveness answers 401, also one that is not there."""
    with api.client(token=None) as stranger:
        for sent in (None, "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"bearer {TOKEN}x", "Bearer é"):
            headers = httpx.Headers({"Authorization": sent} if sent else {}, encoding="utf-8")
            answer = stranger.request(method, path, headers=headers)
            error_of(answer, 401, "UNAUTHORIZED")
            assert answer.headers["www-authenticate"].split()[0] in ("Bearer", "Basic")


def test_liveness_is_open(api: Api) -> None:
    """An orchestrator asks without a token."""
    with api.client(token=None) as stranger:
        assert stranger.get("/health/live").json()["data"] == {"alive": True}


def test_a_browser_reads_the_documentation_with_the_token_as_password(api: Api) -> None:
    """Basic sign-in opens the documentation, whose assets are served here, and nothing else."""
    with httpx.Client(base_url=api.url, auth=("anybody", TOKEN), trust_env=False) as browser:
        page = browser.get("/docs").text
        links = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(links) == 3 and all(link.startswith("/docs/assets/") for link in links)
        assert all(browser.get(link).status_code == 200 for link in links)
        assert browser.get("/openapi.json").json()["info"]["title"] == "wellprod"
        error_of(browser.get("/api/v1/wells/stats"), 401, "UNAUTHORIZED")
        error_of(browser.get("/docs/../api/v1/wells/stats"), 401, "UNAUTHORIZED")


def test_it_listens_elsewhere_only_with_a_token(run: CommandLine) -> None:
    """Other machines are let in only where a token was set; the refusal says how."""
    refused = run("serve", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 2 and "WELLPROD_API_TOKEN" in refused.stderr and not refused.stdout


def test_without_a_token_it_makes_one(run: CommandLine) -> None:
    """A fresh token is printed once, on this machine, and is what callers need; a signal ends it with 0."""
    with run.started("serve", "--port", "0") as process:
        assert process.stdout
        lines = dict(process.stdout.readline().split(None, 2)[:2] for _ in range(3))
        answer = httpx.get(f"{lines['API']}/", headers={"Authorization": f"Bearer {lines['Token']}"}, trust_env=False)
        assert answer.status_code == 200 and len(lines["Token"]) > 40
        error_of(httpx.get(lines["API"], trust_env=False), 401, "UNAUTHORIZED")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr and process.stderr.read() == ""


def test_other_sites_cannot_start_an_import(api: Api) -> None:
    """A GET that a page of another site makes a browser send is refused; one of the own site or a program is not."""
    jobs = api.data(f"{IMPORT}/jobs")["paging"]["total"]
    host = urlsplit(api.url).netloc
    for path in ("run", "trigger"):
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://elsewhere.example"},
            {"Referer": "https://elsewhere.example/page"},
            {"Origin": "null"},
        ):
            error_of(api.get(f"{IMPORT}/{path}", headers=headers), 403, "CROSS_SITE")
    assert api.data(f"{IMPORT}/jobs")["paging"]["total"] == jobs
    own = {"Referer": f"http://{host}/docs", "Sec-Fetch-Site": "same-origin"}
    assert api.get(f"{IMPORT}/run", headers=own, params={"max_pages": 1}).status_code == 200


def test_pages_of_other_origins_read_nothing_unless_they_are_let_in(api: Api, tmp_path: Path) -> None:
    """No answer has a CORS header by default; a setting names the origins that get one."""
    asked = {"Origin": "https://partner.example", "Access-Control-Request-Method": "GET"}
    with api.client(token=None) as page:
        assert "access-control-allow-origin" not in page.get("/health/live", headers=asked).headers
        assert page.options("/api/v1/wells/stats", headers=asked).status_code == 401
    opened = running_api(tmp_path / "open", api_allowed_origins="https://partner.example")
    with opened as other_api, other_api.client(token=None) as page:
        preflight = page.options("/api/v1/wells/stats", headers=asked)
        assert preflight.headers["access-control-allow-origin"] == "https://partner.example"
        other = page.options("/api/v1/wells/stats", headers={**asked, "Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers


def test_no_secret_is_in_the_log(tmp_path: Path) -> None:
    """With all logged as JSON, each request is one line with its id; neither token, query nor signature is there."""
    with running_api(tmp_path / "home", log_level="DEBUG", log_format="json", feed_url=str(ANP_WELLS)) as api:
        api.post(f"{IMPORT}/run", params={"page_size": 5000}, headers={"X-Request-ID": "the-caller.1"})
        url = exported(api)["download_url"]
        signature = re.search("signature=([0-9a-f]+)", url)
        assert signature and httpx.get(url, trust_env=False).status_code == 200
        with api.client(token="another-token") as stranger:
            stranger.get("/api/v1/wells/stats", params={"token": TOKEN})
    text = api.log.read_text()  # whole once the server has ended
    lines = [json.loads(line) for line in text.splitlines()]
    asked = [line for line in lines if line["event"] == "request"]
    assert {line["status"] for line in asked} >= {200, 202, 401}
    assert any(line["request_id"] == "the-caller.1" and line["path"] == f"{IMPORT}/run" for line in asked)
    assert all({"request_id", "method", "path", "status", "seconds"} <= line.keys() for line in asked)
    assert not any(secret in text for secret in (TOKEN, "another-token", signature[1], "signature"))


# How it answers


def test_an_answer_has_its_envelope(api: Api) -> None:
    """Success, data, message, the caller's request id, a time; an id that is no id is replaced."""
    answer = api.get("/", headers={"X-Request-ID": "Abc-1.2_3"})
    told = answer.json()
    assert told["success"] is True and told["message"] and told["timestamp"]
    assert told["request_id"] == answer.headers["x-request-id"] == "Abc-1.2_3"
    assert {"GET /health", "POST /api/v1/exports"} <= set(told["data"]["routes"])
    for odd in ("two words", "a" * 129, "<b>", ""):
        given = api.get("/health/live", headers={"X-Request-ID": odd}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", given)


def test_what_is_not_there_or_not_allowed_is_told(api: Api) -> None:
    """Unknown addresses, methods, parameters, values and jobs each have their status and say what is allowed."""
    error_of(api.get("/api/v2"), 404, "NOT_FOUND")
    with api.client() as client:
        wrong = client.delete(f"{IMPORT}/run")
    error_of(wrong, 405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["allow"] == "GET, POST"
    assert "page_size" in error_of(api.get(f"{IMPORT}/run?page_sise=1"), 422, "VALIDATION_ERROR")["next"]
    for query in ("page_size=0", "page_size=5001", "page_size=x", "max_pages=0", "start_page=0"):
        told = error_of(api.post(f"{IMPORT}/run?{query}"), 422, "VALIDATION_ERROR")
        assert query.split("=")[0] in told["message"] and query.split("=")[1] in told["message"]
    assert "YYYY-MM" in error_of(api.get("/api/v1/wells/field/Tupi?from=2023"), 422, "VALIDATION_ERROR")["message"]
    for job_id in ("nothing", "00000000-0000-0000-0000-000000000000", "%00", "a" * 64):
        for path in (f"{IMPORT}/status/{job_id}", f"/api/v1/tasks/{job_id}", f"/api/v1/exports/{job_id}"):
            error_of(api.get(path), 404, "NOT_FOUND")
    assert "Tupi" in error_of(api.get("/api/v1/wells/field/Tupy"), 404, "NOT_FOUND")["next"]
    assert (
        "2023-01"
        in error_of(api.get("/api/v1/wells/field/Tupi?from=2024-01&to=2023-01"), 422, "VALIDATION_ERROR")["message"]
    )
    error_of(api.post("/api/v1/exports", json={"output": "/etc/passwd"}), 422, "VALIDATION_ERROR")
    error_of(api.post("/api/v1/exports", json={"preset": "../../preset.toml"}), 422, "VALIDATION_ERROR")
    error_of(api.post("/api/v1/exports", json={"selection": {"name": "../x"}}), 404, "NOT_FOUND")
    error_of(
        api.post("/api/v1/exports", content=b"{", headers={"Content-Type": "application/json"}), 422, "VALIDATION_ERROR"
    )


def test_too_much_is_refused(api: Api) -> None:
    """A body, told or not, or a query above its limit is refused, and the server goes on."""
    many = {"selection": {"wells": ["w" * 190] * 9000}}
    error_of(api.post("/api/v1/exports", json=many), 413, "TOO_LARGE")
    content = json.dumps(many).encode()
    pieces = (content[at : at + 100_000] for at in range(0, len(content), 100_000))
    error_of(
        api.post("/api/v1/exports", content=pieces, headers={"Content-Type": "application/json"}), 413, "TOO_LARGE"
    )
    error_of(api.get(f"/api/v1/wells/stats?{'a' * 62_000}"), 414, "TOO_LARGE")
    assert api.data("/health/live") == {"alive": True}


def test_it_says_whether_all_is_well(api: Api, tmp_path: Path) -> None:
    """Store, jobs, disk and schema version; a store that is none makes it not ready, and alive all the same."""
    told = api.data("/health")
    assert told == api.data("/health/ready") and told["healthy"] and "6,505 records" in told["store"]["finding"]
    with running_api(tmp_path / "ill") as ill:
        ill.settings.store_path.write_bytes(b"no store" * 1000)
        for path in ("/health", "/health/ready"):
            error = error_of(ill.get(path), 503, "NOT_HEALTHY")
            assert not error["details"]["store"]["is_well"] and error["details"]["jobs"]["is_well"]
        assert ill.data("/health/live") == {"alive": True}
        assert error_of(ill.get("/api/v1/wells/stats"), 503, "STORE_ERROR")["next"]


# Records


def test_what_is_in_the_store(api: Api) -> None:
    """The counts of the ANP wells, and the size of the file; an empty home has none of anything."""
    told = api.data("/api/v1/wells/stats")
    assert (told["records"], told["wells"], told["size_bytes"]) == (6505, 413, api.settings.store_path.stat().st_size)


def test_a_well_and_its_records_in_pages(api: Api, anp_records: list[dict[str, Any]]) -> None:
    """All pages together are the records of the file, in the order of the months; the months can be narrowed."""
    code = anp_records[0]["well_code"]
    months = sorted({row["production_period"][:7] for row in anp_records if row["well_code"] == code})
    path, found, offset = f"/api/v1/wells/well/{code}", [], 0
    while offset is not None:
        part = api.data(path, params={"limit": 4, "offset": offset})
        found += part["records"]
        offset = part["paging"]["next_offset"]
    assert [row["production_period"][:7] for row in found] == months and part["paging"]["total"] == len(months)
    assert part["well"]["well_code"] == code and part["well"]["months"] == len(months)
    narrow = api.data(path, params={"from": months[1], "to": months[2]})
    assert [row["production_period"][:7] for row in narrow["records"]] == months[1:3]


def test_a_field_its_wells_and_its_records(api: Api, anp_records: list[dict[str, Any]]) -> None:
    """The wells of a field come with it; its records only when they are asked for."""
    code = next(row["field_code"] for row in anp_records if row["_field_name"] == "Tupi")
    rows = [row for row in anp_records if row["field_code"] == code]  # a field may have had other names
    told = api.data("/api/v1/wells/field/tupi")
    assert {well["well_code"] for well in told["wells"]} == {row["well_code"] for row in rows}
    assert told["records"] is None and told["field"]["wells"] == len(told["wells"])
    with_records = api.data("/api/v1/wells/field/tupi", params={"records": True, "limit": 5000})
    assert len(with_records["records"]) == with_records["paging"]["total"] == len(rows)


def test_a_download_is_the_csv_of_a_selection(api: Api, run: CommandLine, tmp_path: Path) -> None:
    """The same bytes as the command line exports; asked for again, by another order and case, it is the same file."""
    chosen = {"field": ["Tupi", "BÚZIOS"], "from": "2023-01", "to": "2023-06"}
    first = api.get("/api/v1/wells/download", params=chosen)
    again = api.get("/api/v1/wells/download", params={**chosen, "field": ["búzios", "tupi"]})
    assert first.status_code == 200 and first.headers["content-type"].startswith("text/csv")
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    options = ["--field", "Tupi", "--field", "Búzios", "--from", "2023-01", "--to", "2023-06"]
    output = tmp_path / "wells.csv"
    done = run("export", *options, "--output", output, WELLPROD_HOME=str(api.settings.home))
    assert done.returncode == 0 and output.read_bytes() == first.content
    tag = {"If-None-Match": first.headers["etag"]}
    assert api.get("/api/v1/wells/download", params=chosen, headers=tag).status_code == 304
    error_of(api.get("/api/v1/wells/download?from=2050-01"), 409, "EXPORT_ERROR")
    error_of(api.get("/api/v1/wells/download?well=Nobody"), 404, "NOT_FOUND")
    error_of(api.get("/api/v1/wells/download?selection=..%2Fsecret"), 404, "NOT_FOUND")


@pytest.mark.parametrize("records", [250_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_many_records_are_streamed(start_api: StartApi, tmp_path_factory: pytest.TempPathFactory, records: int) -> None:
    """The server stays as small as it was; a download that broke off goes on by Range, and is the whole."""
    home = tmp_path_factory.mktemp("many")
    fill(load_settings(home=home).store_path, records)
    api = start_api(home=home)
    path, server = "/api/v1/wells/download", psutil.Process(api.process.pid)
    assert api.get(path, headers={"Range": "bytes=0-99"}).status_code == 206
    before = server.memory_info().rss
    digest, size, rows = hashlib.sha256(), 0, 0
    with api.client() as client, client.stream("GET", path) as whole:
        for piece in whole.iter_bytes():
            digest.update(piece)
            size, rows = size + len(piece), rows + piece.count(b"\n")
    assert rows == records + 1 and size == int(whole.headers["content-length"]) > 100 * records
    parts, given, tag = hashlib.sha256(), 0, whole.headers["etag"]
    with api.client() as client:
        while given < size:
            with client.stream("GET", path, headers={"Range": f"bytes={given}-", "If-Range": tag}) as part:
                assert part.status_code == 206
                for piece in part.iter_bytes():
                    parts.update(piece)
                    given += len(piece)
                    if given % 7 == 0:  # now and then it breaks off
                        break
    assert parts.digest() == digest.digest()
    assert _peak(server.pid) - before < 24_000_000 + 36 * records


def test_a_download_is_the_same_file_until_a_record_changes(api: Api, tmp_path: Path) -> None:
    """Its ETag survives an import of what is there already, and not one of a restated record."""
    chosen, file = {"well": "50396", "to": "2021-12"}, tmp_path / "record.json"

    def tag() -> str:
        with api.client() as client:
            return str(client.head("/api/v1/wells/download", params=chosen).headers["etag"])

    def send(**changes: Any) -> dict[str, int]:
        file.write_text(json.dumps([record(50396, field_code=97, data_source="sent", **changes)]))
        return start_import(ImportRequest(str(file)), api.settings).counts

    assert send()["new"] == 1
    first = tag()
    assert send()["duplicate"] == 1 and tag() == first
    assert send(days_on_production=3)["restated"] == 1 and tag() != first


# Imports


def test_an_import_that_is_waited_for(api: Api) -> None:
    """Run gives the whole summary when it is done; a part is asked for by pages."""
    told = api.post(f"{IMPORT}/run", params={"page_size": 100, "start_page": 3, "max_pages": 2}).json()
    assert told["success"] and told["data"]["batch_result"]["total_items"] == 200
    assert told["data"]["import_summary"]["duplicate_records"] == 200 and "200 duplicate" in told["message"]
    job = api.data(f"{IMPORT}/status/{told['data']['job_id']}")
    assert job["status"] == "COMPLETED" and EPOCH < job["created_at"] <= job["started_at"] <= job["completed_at"]
    assert api.data(f"/api/v1/tasks/{job['job_id'][:8]}")["status"] == "completed"


def test_records_that_are_sent(api: Api) -> None:
    """An OData answer, a list, and a file in a form are stored; a row that is none is rejected and counted."""
    rows = [record(1, field_code=99, data_source="sent"), record(2, field_code=99, data_source="sent")]
    sent = api.post(IMPORT, json={"value": [*rows, {**rows[0], "well_code": "x"}]}).json()["data"]
    counts = sent["import_summary"]
    assert (counts["new_records"], counts["error_records"]) == (2, 1)
    form = {"file": ("any/../name.json", json.dumps(rows).encode())}
    again = api.post(IMPORT, files=form, data={"comment": "x"}).json()["data"]["import_summary"]
    assert again["duplicate_records"] == 2
    lines = "WellCode,ProductionDate,OilProduction\nsent-1,2024-01-01,1\nsent-2,2024-01-01\n"
    table = api.post(IMPORT, files={"file": ("wells.csv", lines.encode())}).json()["data"]
    assert (table["profile"], table["import_summary"]["new_records"]) == ("plain", 1)
    assert table["import_summary"]["rejects_by_reason"] == {"the row has 2 cells, the header 3": 1}
    background = api.post(IMPORT, json=rows, params={"background": True})
    assert background.status_code == 202
    until(lambda: api.data(background.json()["data"]["status_url"])["status"] == "COMPLETED")
    job_id = background.json()["data"]["job_id"]
    assert Ledger(api.settings.jobs_path).get(job_id).as_pairs()["Source"] == "a file sent by REST"
    done = api.post(f"{IMPORT}/{job_id}/resume").json()
    assert done["data"]["status"] == "COMPLETED" and "done already" in done["message"]
    until(lambda: not list(api.settings.uploads_path.iterdir()), what="an end of the files that were imported")


def test_an_empty_body_imports_the_configured_feed(api: Api) -> None:
    """No body and an empty object mean the feed of the settings."""
    for body in (b"", b" {} "):
        told = api.post(IMPORT, content=body, headers={"Content-Type": "application/json"}).json()["data"]
        assert told["source"] == str(ANP_WELLS) and told["import_summary"]["duplicate_records"] == 6505


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        ({"content": b'{"value": [', "headers": {"Content-Type": "application/json"}}, 422, "no whole JSON"),
        ({"json": {"rows": []}}, 422, "holds no records"),
        ({"json": [{"colour": "red"}]}, 422, "profile"),
        ({"json": [1, None]}, 422, "without a single property"),
        ({"content": b"a,b", "headers": {"Content-Type": "text/csv"}}, 415, "text/csv"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 422, "no boundary"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 422, "form"),
        ({"content": b"x", "headers": {"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}}, 422, "form"),
        ({"files": {"comment": (None, b"no file")}}, 422, "no file"),
        ({"json": [{"k" * 100_000: 1}]}, 422, "kk ..."),
    ],
    ids=[
        "cut off",
        "no value",
        "no profile",
        "no rows",
        "csv",
        "no boundary",
        "no form",
        "long boundary",
        "no file",
        "long name",
    ],
)
def test_what_cannot_be_imported_makes_no_job(api: Api, sent: dict[str, Any], status: int, says: str) -> None:
    """It is refused with what is wrong, and neither a job nor a file of it is left."""
    jobs, files = api.data(f"{IMPORT}/jobs")["paging"]["total"], set(api.settings.uploads_path.glob("*"))
    answer = api.post(IMPORT, **sent)
    assert answer.status_code == status and says in answer.json()["error"]["message"], answer.text
    assert len(answer.content) < 10_000
    assert str(api.settings.home) not in answer.text
    assert api.data(f"{IMPORT}/jobs")["paging"]["total"] == jobs
    assert set(api.settings.uploads_path.glob("*")) <= files


def test_what_was_sent_and_failed_is_kept_for_a_week(tmp_path: Path) -> None:
    """So long it can be gone on with; after that it goes, as what was imported does at once."""
    settings = load_settings(home=tmp_path)
    settings.uploads_path.mkdir()
    old, new, own = (settings.uploads_path / name for name in ("sent-old.json", "sent-new.json", "own.json"))
    for path in (old, new, own):
        path.write_text("[]")
    for path in (old, own):
        os.utime(path, (time.time() - 8 * 24 * 3600, time.time() - 8 * 24 * 3600))
    forget_imported(settings)
    assert (old.exists(), new.exists(), own.exists()) == (False, True, True)


@pytest.mark.parametrize("megabytes", [100, pytest.param(200, marks=pytest.mark.long)])
def test_a_large_file_comes_in_without_being_held(start_api: StartApi, megabytes: int) -> None:
    """It leaves the server as large as it was, as a body and in a form; a file above the limit is refused."""
    api = start_api(upload_limit_mb=f"{megabytes + 20}")
    head = b'{"value": [' + json.dumps(record(1)).encode()
    size = megabytes * 1_000_000
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.json"\r\n\r\n'

    def body(before: bytes, after: bytes) -> Iterator[bytes]:
        yield before + head
        for _ in range(size // 1_000_000):
            yield b" " * 1_000_000
        yield b"]}" + after

    server = psutil.Process(api.process.pid)
    before = server.memory_info().rss
    kinds = {"application/json": (b"", b""), "multipart/form-data; boundary=b": (form, b"\r\n--b--\r\n")}
    for kind, (start, end) in kinds.items():
        answer = api.post(IMPORT, content=body(start, end), headers={"Content-Type": kind})
        assert answer.json()["data"]["batch_result"]["total_items"] == 1, answer.text
    assert _peak(server.pid) - before < 0.75 * size
    told = f"POST {IMPORT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    with socket.create_connection((urlsplit(api.url).hostname, urlsplit(api.url).port), timeout=10) as line:
        line.sendall(f"{told}Content-Type: application/json\r\nContent-Length: {size + 20_000_001}\r\n\r\n".encode())
        refused = line.makefile("rb").read().decode()
    assert refused.startswith("HTTP/1.1 413") and "WELLPROD_UPLOAD_LIMIT_MB" in refused, "before the body is sent"


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def test_a_feed_that_fails_is_told_with_its_page(tmp_path: Path) -> None:
    """The answer is 502 with the page, what is stored and how to go on; the job can then be resumed by REST."""
    broken = threading.Event()
    broken.set()

    def answer(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 1))
        if page == 3 and broken.is_set():
            return Reply("", 500)
        link = {"@odata.nextLink": f"Wells?p={page + 1}"} if page < 5 else {}
        return Reply({"@odata.count": 10, "value": [record(2 * page), record(2 * page + 1)], **link})

    with scripted_feed(answer) as (url, _), running_api(tmp_path, feed_url=f"{url}/Wells", feed_attempts="2") as api:
        error = error_of(api.post(f"{IMPORT}/run"), 502, "EXTERNAL_API_ERROR")
        details = error["details"]
        assert (details["failed_page"], details["records_processed"], details["total_pages"]) == (3, 4, 5)
        resume = f"POST {IMPORT}/{details['job_id']}/resume"
        assert "500" in error["message"] and error["next"].endswith(f"Go on with: {resume}")
        status = api.data(f"{IMPORT}/status/{details['job_id']}")
        told = [status["error"], *status["errors"], api.data(f"/api/v1/tasks/{details['job_id']}")]
        assert not any("wellprod jobs" in failure["next"] for failure in told), "a caller has no shell here"
        broken.clear()
        resumed = api.post(f"{IMPORT}/{details['job_id']}/resume")
        assert resumed.status_code == 202
        job = until(lambda: _ended(api, details["job_id"]))
        assert (job["status"], job["import_summary"]["new_records"], job["runs"]) == ("COMPLETED", 10, 2)


def _ended(api: Api, job_id: str) -> dict[str, Any] | None:
    job: dict[str, Any] = api.data(f"{IMPORT}/status/{job_id}")
    return None if job["status"] in ("PENDING", "RUNNING") else job


def test_without_a_feed_there_is_nothing_to_import(tmp_path: Path) -> None:
    """The refusal names the setting; an empty store is answered with nothing, not with an error."""
    with running_api(tmp_path) as api:
        for path in (IMPORT, f"{IMPORT}/run", f"{IMPORT}/trigger"):
            error = error_of(api.post(path), 409, "BUSINESS_RULE_VIOLATION")
            assert error["rule"] == "FEED_CONFIGURED" and "WELLPROD_FEED_URL" in error["next"]
        assert api.data("/api/v1/wells/stats")["records"] == 0
        error_of(api.get("/api/v1/wells/well/1"), 404, "NOT_FOUND")
        assert api.data(f"{IMPORT}/jobs")["jobs"] == []


def test_two_triggers_at_once_give_one_job(tmp_path: Path) -> None:
    """Of many at the same instant one starts an import; the others are told its id, to follow it or to stop it."""
    with PagedFeed(5, held=3).serving() as feed, running_api(tmp_path, feed_url=feed.url) as api:
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda _: api.post(f"{IMPORT}/trigger"), range(8)))
        started = [answer for answer in answers if answer.status_code == 200]
        assert len(started) == 1
        job_id = started[0].json()["data"]["job_id"]
        for answer in answers:
            if answer is not started[0]:
                error = error_of(answer, 409, "BUSINESS_RULE_VIOLATION")
                assert (error["rule"], error["details"]["job_id"]) == ("SINGLE_IMPORT_RULE", job_id)
                assert int(answer.headers["retry-after"]) == error["details"]["retry_after_seconds"] > 0
        error_of(api.post(IMPORT, json=[record(1)]), 409, "BUSINESS_RULE_VIOLATION")
        feed.wait_for_page(3)
        assert api.data(f"{IMPORT}/status/{job_id}")["status"] == "RUNNING"
        cancelled = api.post(f"{IMPORT}/{job_id}/cancel").json()
        assert cancelled["data"]["cancel_requested"] and "asked to stop" in cancelled["message"]
        assert until(lambda: _ended(api, job_id))["status"] == "CANCELLED"
        assert len(api.data(f"{IMPORT}/jobs")["jobs"]) == 1


def test_the_end_of_the_server_leaves_the_import_running(tmp_path: Path) -> None:
    """Who waits for an import is told 202 when the server ends; the import goes on, and another server shows it."""
    with PagedFeed(4, held=3).serving() as feed:
        with running_api(tmp_path, feed_url=feed.url) as api, ThreadPoolExecutor(1) as caller:
            waiting = caller.submit(api.post, f"{IMPORT}/run")
            feed.wait_for_page(3)
            api.process.send_signal(signal.SIGTERM)
            told = waiting.result(30)
            assert told.status_code == 202, told.text
            assert api.process.wait(30) == 0
        job_id = told.json()["data"]["job_id"]
        with running_api(tmp_path) as after:
            assert after.data(f"{IMPORT}/status/{job_id}")["status"] == "RUNNING"
            feed.released.set()
            assert until(lambda: _ended(after, job_id))["import_summary"]["new_records"] == 8


def test_a_killed_import_shows_as_failed_and_is_resumed(tmp_path: Path) -> None:
    """Its process gone, the status says so within a second, and a resume by REST completes it."""
    with PagedFeed(6, held=4).serving() as feed, running_api(tmp_path, feed_url=feed.url) as api:
        job_id = api.get(f"{IMPORT}/trigger").json()["data"]["job_id"]
        feed.wait_for_page(4)
        (child,) = psutil.Process(api.process.pid).children()
        child.kill()
        job = until(lambda: _ended(api, job_id))
        assert job["status"] == "FAILED" and job["error"]["code"] == "PROCESS_GONE"
        feed.released.set()
        assert api.post(f"{IMPORT}/{job_id}/resume").status_code == 202
        assert until(lambda: _ended(api, job_id))["status"] == "COMPLETED"


# Exports


def test_an_export_is_followed_and_fetched(api: Api) -> None:
    """202, the words of the former service, and a link that opens the file without the token until it expires."""
    told = exported(api, format="csv", selection={"fields": ["Tupi"], "first_month": "2023-01"})
    assert (told["status"], told["rows"] > 0, told["path"]) == ("completed", True, None)
    assert 3590 < told["download_expires_at"] - time.time() <= 3600
    fetched = httpx.get(told["download_url"], trust_env=False)
    assert hashlib.sha256(fetched.content).hexdigest() == told["sha256"]
    assert told["file_name"] in fetched.headers["content-disposition"]
    assert fetched.content == api.get(f"/api/v1/exports/{told['export_id']}/file").content
    task = api.data(f"/api/v1/tasks/{told['task_id']}")
    assert task["status"] == "completed" and api.data(task["result_url"])["export_id"] == told["export_id"]
    other = told["download_url"].replace("signature=", "signature=0")
    error_of(httpx.get(other, trust_env=False), 403, "LINK_REFUSED")


def test_ranges_of_a_file_are_the_whole(api: Api) -> None:
    """Parts put together are the file; who has it is told so; what is not in it is refused."""
    told = exported(api, format="csv")
    path = f"/api/v1/exports/{told['export_id']}/file"
    whole = api.get(path)
    tag, size = whole.headers["etag"], len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes" and size == told["size_bytes"]
    parts = b""
    while len(parts) < size:
        part = api.get(path, headers={"Range": f"bytes={len(parts)}-{len(parts) + 400_000}", "If-Range": tag})
        assert part.status_code == 206 and part.headers["etag"] == tag
        parts += part.content
    assert parts == whole.content
    assert api.get(path, headers={"Range": "bytes=-10"}).content == whole.content[-10:]
    assert api.get(path, headers={"If-None-Match": f'W/{tag}, "x"'}).status_code == 304
    stale = api.get(path, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    assert stale.status_code == 200 and stale.content == whole.content
    for beyond in (f"bytes={size}-", "bytes=9-8", "bytes=-0"):
        refused = api.get(path, headers={"Range": beyond})
        error_of(refused, 416, "RANGE_NOT_SATISFIABLE")
        assert refused.headers["content-range"] == f"bytes */{size}"
    for within in ("bytes=0-1,5-3", f"bytes=0-1, {size}-", "bytes=0-1,-0"):
        assert api.get(path, headers={"Range": within}).content == whole.content[:2]
    late = {"Range": f"bytes={size}-", "If-Range": whole.headers["last-modified"]}
    error_of(api.get(path, headers=late), 416, "RANGE_NOT_SATISFIABLE")
    assert api.get(path, headers=[("Range", "bytes=x"), ("Range", "bytes=0-1")]).status_code == 200
    for odd in ("lines=1-2", "bytes=x", "bytes=1-2-3" * 500, f"bytes={'9' * 5000}-"):
        assert api.get(path, headers={"Range": odd}).status_code == 200
    with api.client() as client:
        head = client.head(path)
    assert head.headers["content-length"] == str(size) and not head.content


def test_an_export_that_is_none_is_refused(api: Api) -> None:
    """An unknown field makes no job; an import has no file; one that is not done says to ask again."""
    asked = {"selection": {"fields": ["Atlantis"]}}
    assert "Atlantis" in error_of(api.post("/api/v1/exports", json=asked), 404, "NOT_FOUND")["message"]
    job_id = api.data(f"{IMPORT}/jobs")["jobs"][0]["job_id"]
    for path in (f"/api/v1/exports/{job_id}", f"/api/v1/exports/{job_id}/file"):
        error_of(api.get(path), 404, "NOT_FOUND")
    waiting = Ledger(api.settings.jobs_path).create("export", {"output": None, "selection": None})
    error = error_of(api.get(f"/api/v1/exports/{waiting.job_id}/file"), 409, "BUSINESS_RULE_VIOLATION")
    assert "processing" in error["message"] and error["rule"] == "EXPORT_IS_DONE"


def test_the_legacy_format_is_taken_with_its_notice(api: Api) -> None:
    """`ost` of the former service gives PRODML and says so."""
    told = exported(
        api, format="ost", selection={"fields": ["Tupi"], "first_month": "2023-01", "last_month": "2023-01"}
    )
    assert told["format"] == "prodml" and any("ost" in warning for warning in told["warnings"])


# Manners


def test_only_so_many_exports_run_at_once(api: Api) -> None:
    """A further one is refused with when to ask again; a download that is made already is given all the same."""
    path, ledger = "/api/v1/wells/download", Ledger(api.settings.jobs_path)
    assert api.get(path, params={"field": "Tupi"}).status_code == 200
    running = [ledger.create("export", {"output": None, "selection": None}).job_id for _ in range(16)]
    refusals = [
        api.post("/api/v1/exports", json={"selection": {"fields": ["Tupi"]}}),
        api.get(path, params={"field": "Tupi", "from": "2023-01"}),
    ]
    for refusal in refusals:
        assert error_of(refusal, 409, "BUSINESS_RULE_VIOLATION")["rule"] == "EXPORTS_AT_ONCE"
        assert int(refusal.headers["retry-after"]) > 0
    assert api.get(path, params={"field": "Tupi"}).status_code == 200
    for job_id in running:
        ledger.finish(job_id, Status.CANCELLED)
    assert api.get(path, params={"field": "Tupi", "from": "2023-01"}).status_code == 200


def test_what_is_unforeseen_is_answered_as_all_else(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    """In the envelope, with its id in the answer, the headers and the log, and the reason in the log alone."""

    def fails(scope: Scope) -> bool:
        raise RuntimeError("a disk went")

    async def ask() -> httpx.Response:
        app = httpx.ASGITransport(create_api(api.settings, fails))
        async with httpx.AsyncClient(transport=app, base_url="http://here") as client:
            return await client.get("/health/live")

    answer = asyncio.run(ask())
    assert "disk" not in str(error_of(answer, 500, "INTERNAL_ERROR"))
    told = capfd.readouterr().err
    assert "a disk went" in told and answer.headers["x-request-id"] in told


def test_no_answer_tells_where_the_home_is(api: Api) -> None:
    """What lies in it is told by its place there, in the answers of jobs and in refusals."""
    summary = api.post(IMPORT, json=[]).json()["data"]
    assert summary["source"].startswith("uploads/sent-")
    followed = api.get(f"{IMPORT}/status/{summary['job_id']}")
    broken = api.settings.selections_path / "Broken.toml"
    broken.parent.mkdir(exist_ok=True)
    broken.write_text("fields = 1")
    refusal = api.get("/api/v1/wells/download", params={"selection": "Broken"})
    assert "The selection selections/Broken.toml" in error_of(refusal, 422, "VALIDATION_ERROR")["message"]
    assert not any(str(api.settings.home) in answer.text for answer in (followed, refusal))


def test_a_store_that_is_held_is_told_as_busy(api: Api, start_api: StartApi) -> None:
    """A read waits as long as it may, then answers 503 with Retry-After; jobs and liveness answer all the while."""
    impatient = start_api(home=api.settings.home, api_wait_seconds="0.3")
    with ThreadPoolExecutor(60) as callers, Store(api.settings.store_path).write():
        answers = list(callers.map(lambda _: impatient.get("/api/v1/wells/stats"), range(12)))
        for answer in answers:
            error = error_of(answer, 503, "STORE_BUSY")
            assert int(answer.headers["retry-after"]) == error["details"]["retry_after_seconds"] > 0
        assert impatient.data("/health/live") and impatient.data(f"{IMPORT}/jobs")["jobs"]
        error_of(impatient.get("/health/ready"), 503, "NOT_HEALTHY")
        patient = start_api(home=api.settings.home, api_wait_seconds="30")
        waiting = [callers.submit(patient.get, "/health") for _ in range(60)]
        assert patient.data("/health/live") and patient.data(f"{IMPORT}/jobs")["jobs"]
        assert not any(health.done() for health in waiting)
    assert all(health.result().status_code == 200 for health in waiting)
    assert impatient.data("/api/v1/wells/stats")["records"] >= 6505


def test_nonsense_on_the_wire_does_no_harm(api: Api) -> None:
    """Requests that are no HTTP, that break off, or that never end leave the server answering."""
    host, port = urlsplit(api.url).hostname, urlsplit(api.url).port
    sign_in = f"Authorization: Bearer {TOKEN}\r\n"
    as_json = f"{sign_in}Content-Type: application/json\r\n"
    for raw in (
        "nonsense\r\n\r\n",
        f"GET /\x00 HTTP/1.1\r\nHost: a\r\n{sign_in}\r\n",
        f"POST {IMPORT} HTTP/1.1\r\nHost: a\r\n{as_json}Content-Length: 1000\r\n\r\n[",
        f"POST {IMPORT} HTTP/1.1\r\nHost: a\r\n{sign_in}Content-Length: x\r\n\r\n",
        f"POST {IMPORT} HTTP/1.1\r\nHost: a\r\n{sign_in}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        f"GET /api/v1/wells/well/%FF%FE%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{sign_in}\r\n",
        f"GET /api/v1/wells/field/x?from=%FF HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{sign_in}\r\n",
    ):
        with socket.create_connection((host, port), timeout=10) as line:
            line.sendall(raw.encode("latin-1"))
            line.shutdown(socket.SHUT_WR)
            answer = line.makefile("rb").read()
        assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert api.data("/api/v1/wells/stats")["records"] >= 6505
    until(lambda: not list(api.settings.uploads_path.glob(".*.part")), what="an end of what broke off")
