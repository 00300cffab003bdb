"""The OpenAPI schema as a client has it: each operation described, and true of the live server whatever is sent."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from playwright.sync_api import Browser, expect

from tests.api import TOKEN, Api, StartApi
from tests.browser import Visitor
from tests.conftest import ANP_WELLS
from tests.lab import until
from wellprod.server.api import bearer, create_api
from wellprod.settings import Settings

ROOT = Path(__file__).parents[1]
CONFIG = "tests/schemathesis.toml"
FEW = 150
FORMER = {"run_import_by_get", "trigger_import_by_get"}
OPERATIONS = """
get_index get_health get_readiness get_liveness get_metrics
import_records run_import trigger_import list_imports import_status cancel_import resume_import
get_stats get_well get_field download_records start_export get_export download_export get_task
"""

Json = dict[str, Any]


@pytest.fixture
def schema(settings: Settings) -> Json:
    """The schema that a server gives."""
    described: Json = json.loads(json.dumps(create_api(settings, bearer(TOKEN)).openapi()))
    return described


def operations(schema: Json) -> Iterator[Json]:
    """Give the operations."""
    for path in schema["paths"].values():
        yield from path.values()


# What it says


def test_each_operation_is_described(schema: Json) -> None:
    """By a name for a generated client, a summary, a text, a tag that is told, and its parameters with examples."""
    names = [operation["operationId"] for operation in operations(schema)]
    assert sorted(names) == sorted({*OPERATIONS.split(), *FORMER})
    tags = {tag["name"]: tag["description"] for tag in schema["tags"]}
    for operation in operations(schema):
        assert operation["summary"] and operation["description"], operation
        assert all(tags[tag] for tag in operation["tags"])
        assert operation.get("deprecated", False) is (operation["operationId"] in FORMER)
        for parameter in operation.get("parameters", ()):
            told = parameter["schema"].get("examples") or parameter["name"] in ("expires", "signature", "selection")
            assert parameter["description"] and told, parameter
            assert "anyOf" not in parameter["schema"]
            for example in parameter["schema"].get("examples", ()):
                jsonschema_rs.validate(parameter["schema"], example)
    assert schema["servers"] == [{"url": "/"}]


def test_each_answer_is_an_envelope_with_an_example_that_fits(schema: Json) -> None:
    """All JSON answers have the same form, and examples that are true of it; refusals are told where they occur."""
    for operation in operations(schema):
        assert {"422"} <= set(operation["responses"])
        for status, response in operation["responses"].items():
            assert response["description"] not in ("", "Successful Response")
            assert {"X-Request-ID", "Server-Timing"} <= set(response["headers"])
            content = response.get("content", {}).get("application/json")
            if content is None:
                assert int(status) < 400, (operation["operationId"], status)
                continue
            whole = {**content["schema"], "components": schema["components"]}
            form = schema["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            answers = {"success", "data", "message", "request_id", "timestamp"}
            refusals = {"success", "error", "message", "request_id", "timestamp"}
            assert set(form["required"]) == (answers if int(status) < 400 else refusals)
            named = [schema["components"]["examples"][name]["value"] for name in content.get("examples", ())]
            examples = named or [content["example"]]
            for example in examples:
                jsonschema_rs.validate(whole, example, validate_formats=True)
                assert example["success"] is (int(status) < 400) and example["message"]


def test_each_reference_and_pattern_can_be_followed(schema: Json) -> None:
    """What the schema points to is there, and all but liveness wants the token."""
    for place in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(schema))):
        part: Any = schema
        for name in place.split("/"):
            part = part[name]
    signed = {op["operationId"]: op.get("security") for op in operations(schema)}
    assert [name for name, security in signed.items() if not security] == ["get_liveness"]
    assert signed["download_export"] == [{"Token": []}, {}]
    for scheme in schema["components"]["schemas"].values():
        jsonschema_rs.validator_for({**scheme, "components": schema["components"]})


def test_the_shape_of_an_import_is_that_of_the_profiles(schema: Json, settings: Settings) -> None:
    """A body fits where one row has what a profile of the server needs; one's own profile counts too."""

    def body() -> jsonschema_rs.Validator:
        told = create_api(settings, bearer(TOKEN)).openapi()["paths"]["/api/v1/wells/import"]["post"]["requestBody"]
        return jsonschema_rs.validator_for(told["content"]["application/json"]["schema"])

    row = {"field_code": None, "well_code": 1, "production_period": "soon"}
    fitting: tuple[Any, ...] = ([row], {"value": [5, row]}, {"value": []}, [], {}, None)
    wrong: tuple[Any, ...] = ([{"well_code": 1}], {"value": [{}]}, {"value": {}}, {"rows": []}, 5, "", [5])
    mine = {"hole": 1, "month": "2024-01"}
    shipped = body()
    assert [given for given in fitting if not shipped.is_valid(given)] == []
    assert [given for given in (*wrong, [mine]) if shipped.is_valid(given)] == []
    settings.profiles_path.mkdir(parents=True)
    (settings.profiles_path / "mine.toml").write_text(
        'title = "Mine"\nentity_set = "Holes"\nfigures = "calendar-day rate"\n[columns]\n'
        'field_code = { constant = 0 }\nwell_code = "hole"\nproduction_period = "month"\n'
    )
    assert body().is_valid([mine])


# Whether it is true


@pytest.fixture(scope="module")
def api(start_api: StartApi, tmp_path_factory: pytest.TempPathFactory) -> Api:
    """A server over all the wells of the ANP, whose feed has few of their records."""
    feed = tmp_path_factory.mktemp("feed") / "feed.json"
    feed.write_text(json.dumps({"value": json.loads(ANP_WELLS.read_text("utf-8"))["value"][:FEW]}))
    server = start_api(feed_url=str(feed))
    with ANP_WELLS.open("rb") as file:
        told = server.post("/api/v1/wells/import", files={"file": file})
    assert told.json()["data"]["import_summary"]["new_records"] == 6505, told.text
    return server


@pytest.mark.slow
@pytest.mark.parametrize(
    "phases",
    ["examples", pytest.param("examples,coverage,fuzzing,stateful", marks=pytest.mark.long)],
    ids=["short", "whole"],
)
def test_the_server_does_what_the_schema_says(api: Api, phases: str) -> None:
    """All checks of schemathesis hold: examples, edges, random requests, sequences; none is answered 500."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("--config-file", CONFIG, "run", f"{api.url.rstrip('/')}/openapi.json", "--checks", "all", "--no-color"),
            *("--phases", phases),
            *("-H", f"Authorization: Bearer {TOKEN}"),
        ],
        cwd=ROOT,
        env={**os.environ, "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    tested = re.search(r"Selected: (\d+)/(\d+)\n\s+Tested: (\d+)", done.stdout)
    assert done.returncode == 0 and tested, done.stdout[-20_000:] + done.stderr[-2_000:]
    there_are = str(len(OPERATIONS.split()) + len(FORMER))
    assert tested[1] == tested[2] == there_are
    assert tested[3] == there_are or phases == "examples", "some operations have no example"
    assert "request_failed" not in api.log.read_text("utf-8")


RAW = {
    "no text in a path": b"GET /api/v1/wells/well/%ED%A0%80%00%FF HTTP/1.1\r\n{}\r\n",
    "no text in a query": b"GET /api/v1/wells/stats?limit=%00&%FF=%ED%A0%80 HTTP/1.1\r\n{}\r\n",
    "a parameter twice": b"GET /api/v1/wells/import/jobs?limit=1&limit=2 HTTP/1.1\r\n{}\r\n",
    "a long path": b"GET /api/v1/wells/field/" + b"a" * 60_000 + b" HTTP/1.1\r\n{}\r\n",
    "a slash too many": b"GET /api/v1/exports/ HTTP/1.1\r\n{}\r\n",
    "odd headers": b"GET /api/v1/exports/x HTTP/1.1\r\n{}X-Request-ID: \xff\r\nAccept: \xff\r\nRange: x=9-1\r\n\r\n",
    "no method": b"PATCH /api/v1/wells/stats HTTP/1.1\r\n{}\r\n",
}
BODIES = (
    b"{",
    b"\xff\xfe",
    b'"\\ud800"',
    b'{"\\ud800": 1}',
    b'{"selection": {"fields": ["\\ud800"]}}',
    b'{"selection": {"fields": ["\\u0000"]}}',
    b'{"preset": "\\u0000"}',
    b'{"format": ' + b"9" * 5000 + b"}",
    b'{"formulas_as_text": 1}',
    b"[" * 100_000,
    b'{"selection":' * 5000 + b"1" + b"}" * 5000,
    b'{"value": [{"field_code": ' + b"[" * 50_000,
    b'{"value": [{"well_code": ' + b"[" * 90 + b"]" * 90 + b"}]}",
)
FORMS = (b"boundary=" + b"y" * 500, b"boundary=\xff", b"", b"boundary=x")


@pytest.mark.slow
@pytest.mark.parametrize("request_line", RAW.values(), ids=RAW)
def test_odd_requests_are_refused_in_the_envelope(api: Api, request_line: bytes) -> None:
    """Whatever the address and the headers hold, the answer says what is wrong."""
    status, told = _exchanged(api, request_line)
    assert 400 <= status < 500 and told["success"] is False and told["error"]["message"], told


@pytest.mark.slow
def test_odd_bodies_are_refused_in_the_envelope(api: Api) -> None:
    """JSON that is broken, no text or nested without end, and forms that are none, are refused for little memory."""
    until(lambda: all(job["completed_at"] for job in api.data("/api/v1/wells/import/jobs")["jobs"]), 60)
    head = b"POST /api/v1/%s HTTP/1.1\r\n{}Content-Type: %s\r\nContent-Length: %d\r\n\r\n"
    for body in BODIES:
        for path in (b"exports", b"wells/import"):
            status, told = _exchanged(api, head % (path, b"application/json", len(body)) + body)
            assert (status, told["success"]) in ((422, False), (404, False)), (path, body[:60], told)
    for form in FORMS:
        kind = b"multipart/form-data; " + form
        status, told = _exchanged(api, head % (b"wells/import", kind, 7) + b"garbage")
        assert (status, told["error"]["code"]) == (422, "VALIDATION_ERROR"), (form, told)
    assert api.data("/api/v1/wells/stats")["records"] >= 6505


def _exchanged(api: Api, request: bytes) -> tuple[int, Json]:
    headers = f"Host: {api.url.split('/')[2]}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    host, port = api.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request.replace(b"{}", headers.encode(), 1))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.slow
def test_a_name_with_a_slash_is_found(api: Api) -> None:
    """Fields of the ANP are called so: Búzios/Tambuatá."""
    found = api.data("/api/v1/wells/field/B%C3%BAzios%2FTambuat%C3%A1")
    assert found["field"]["field_code"] == 1016 and found["wells"]


@pytest.mark.slow
def test_the_documentation_works_without_a_network(api: Api, browser: Browser) -> None:
    """Signed in by HTTP basic, a person tries an operation with the token; nothing is asked of another host."""
    with browser.new_context(http_credentials={"username": "anyone", "password": TOKEN}) as context:
        visitor = Visitor(context)
        page = visitor.open(f"{api.url.rstrip('/')}/docs")
        page.get_by_role("button", name="Authorize").click()
        page.locator(".auth-container input").fill(TOKEN)
        page.locator(".auth-btn-wrapper button.authorize").click()
        page.locator(".auth-btn-wrapper .btn-done").click()
        operation = page.locator("#operations-records-get_well")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        expect(operation.locator(".live-responses-table")).to_contain_text("64 records.")
        for name in ("imports-import_records", "exports-start_export"):
            page.locator(f"#operations-{name} .opblock-summary-control").click()
            expect(page.locator(f"#operations-{name} .opblock-description")).to_be_visible()
        assert (visitor.off_host, visitor.failed, visitor.errors) == ([], [], [])
