"""The bridge between Jupyter and an ASGI app: streams, disconnects, refusals and sign-in, over real sockets."""

from __future__ import annotations

import hashlib
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser import Visitor
from tests.lab import JUPYTER_LAB, Lab, StartLab, running_lab, until
from tests.scripted import PagedFeed, record
from wellprod.jobs import Ledger, Status

pytestmark = pytest.mark.slow

IMPORT = "api/v1/wells/import"
PIECE_BYTES = 65_536
PIECES = 3_000  # 197 MB
UPLOAD_BYTES = 100_000_000
SPARE_BYTES = 40_000_000


@pytest.fixture(scope="module")
def small(start_lab: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A Jupyter server with the small app behind the bridge, below a path."""
    notebooks = tmp_path_factory.mktemp("small") / "notebooks"
    notebooks.mkdir()
    options = (
        "--ServerApp.base_url=/deep/er/",
        "--ServerApp.jpserver_extensions=tests.bridged=True",
        "--ServerApp.allow_unauthenticated_access=False",
        "--debug",
    )
    here = {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "WELLPROD_UPLOAD_LIMIT_MB": "120",
        "WELLPROD_LOG_LEVEL": "INFO",
    }
    return start_lab(notebooks, *options, command=JUPYTER_LAB, **here)


def _peak_bytes(lab: Lab) -> int:
    """Give the most memory that the server has ever held."""
    status = Path(f"/proc/{lab.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _seen(lab: Lab) -> list[str]:
    seen: list[str] = lab.get("small/seen").json()
    return seen


def _connection(lab: Lab, method: str, path: str, *headers: str) -> socket.socket:
    """Open a connection and send the head of a request, signed in."""
    address = httpx.URL(lab.url)
    connection = socket.create_connection((address.host, address.port or 80), timeout=20)
    lines = [f"{method} {address.path}{path} HTTP/1.1", "Host: localhost", f"Authorization: token {lab.token}"]
    connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
    return connection


# What arrives


def test_the_app_sees_the_request_as_it_was_sent(small: Lab) -> None:
    """Path, root, query, headers and addresses are those of ASGI; what signs in at Jupyter is kept from it."""
    root = httpx.URL(small.url).path.rstrip("/")
    query = f"a=1&a=%20&t%6Fken=x&token={small.token}&_xsrf=2&b"
    headers = [(b"X-Twice", b"1"), (b"X-Twice", b"2"), (b"User-Agent", "é".encode("latin-1"))]
    with small.client() as client:
        scope = client.get(f"small/scope/M%C3%A4rz%2F2?{query}", headers=httpx.Headers(headers)).json()
    assert scope["path"] == f"{root}/small/scope/März/2" and scope["root_path"] == root
    assert scope["raw_path"] == f"{root}/small/scope/M%C3%A4rz%2F2"
    assert scope["query_string"] == "a=1&a=%20&b"
    assert [value for name, value in scope["headers"] if name == "x-twice"] == ["1", "2"]
    assert ["user-agent", "é"] in scope["headers"]
    assert (scope["method"], scope["scheme"], scope["http_version"]) == ("GET", "http", "1.1")
    assert scope["client"][0] == "127.0.0.1" and scope["client"][1] > 0
    assert scope["server"][1] == httpx.URL(small.url).port
    assert scope["state"] == {"signed_in": True}


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_large_body_streams_in(small: Lab, chunked: bool) -> None:
    """100 MB reach the app whole while the server stays small."""
    piece, count = b"\x00\xffpiece of a feed\n" * 50_000, 120
    size = len(piece) * count
    assert size > UPLOAD_BYTES

    def pieces() -> Iterator[bytes]:
        for _ in range(count):
            yield piece

    with small.client() as client:
        client.put("small/count", content=piece)
        before = _peak_bytes(small)
        headers = {} if chunked else {"Content-Length": str(size)}
        answer = client.put("small/count", content=pieces(), headers=headers).json()
    assert answer == {"bytes": size, "sha256": hashlib.sha256(piece * count).hexdigest()}
    assert _peak_bytes(small) - before < SPARE_BYTES


def test_a_body_without_a_byte_ends(small: Lab) -> None:
    """With no body, with an empty one, and with a short one."""
    with small.client() as client:
        for content in (None, b"", b"{}"):
            answer = client.post("small/count", content=content)
            assert answer.json()["bytes"] == len(content or b"")


def test_an_app_that_does_not_read_slows_the_sender(small: Lab) -> None:
    """Of what nobody reads only a little is taken."""
    before = _peak_bytes(small)
    with _connection(small, "POST", "small/hold", "Content-Length: 110000000") as connection:
        connection.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += connection.send(b"x" * 1_000_000)
        assert sent < SPARE_BYTES and _peak_bytes(small) - before < SPARE_BYTES
    small.get("small/release")


# What is sent


@pytest.mark.parametrize("query", ["", "?length"], ids=["chunked", "length"])
def test_a_large_answer_streams_out(small: Lab, query: str) -> None:
    """200 MB arrive whole while the server stays small."""
    small.get("small/flow/10")
    before, received = _peak_bytes(small), 0
    with small.client() as client, client.stream("GET", f"small/flow/{PIECES}{query}") as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
    assert (answer.status_code, received) == (200, PIECES * PIECE_BYTES)
    assert ("Content-Length" in answer.headers) == bool(query)
    assert _peak_bytes(small) - before < SPARE_BYTES


def test_headers_are_those_of_the_app(small: Lab) -> None:
    """Several of one name too; of Jupyter's there are those that guard a browser, and no other."""
    with small.client() as client:
        client.get("small/scope")  # which leaves the login's own cookie
        answer = client.get("small/status/200")
    assert answer.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["ETag"] == '"x"' and answer.headers["X-Request-ID"] == "own"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    assert not {"Server", "Content-Type", "Access-Control-Allow-Origin"} & {name.title() for name in answer.headers}


def test_an_answer_without_a_body_has_none(small: Lab) -> None:
    """HEAD, 204 and 304, whatever the app sends; and the connection serves on."""
    with small.client() as client:
        for method, status in (("GET", 204), ("GET", 304), ("HEAD", 200), ("GET", 418), ("OPTIONS", 200)):
            answer = client.request(method, f"small/status/{status}")
            body = b"" if method == "HEAD" or status in (204, 304) else b"12345678"
            assert (answer.status_code, answer.content) == (status, body)
            assert answer.headers["ETag"] == '"x"' and "Connection" not in answer.headers


def test_a_slow_answer_holds_up_no_other(small: Lab) -> None:
    """One that waits is answered by what a later request does."""
    answers: list[Any] = []
    waiting = Thread(target=lambda: answers.append(small.get("small/wait").json()))
    told = _seen(small).count("waits")
    waiting.start()
    until(lambda: _seen(small).count("waits") > told, 20, "a request that waits")
    assert small.get("small/release").json() == "done"
    waiting.join(20)
    assert answers == ["released"]


def test_an_app_may_go_on_after_its_answer(small: Lab) -> None:
    """The client has it at once; the app is told that the exchange is over, however often it asks."""
    told = _seen(small).count("went on after the answer")
    assert small.get("small/after").json() == "answered"
    until(lambda: _seen(small).count("went on after the answer") > told, 20, "the app to end")


def test_an_app_that_fails_is_answered_for(small: Lab) -> None:
    """With 500 and no secret; in the midst of an answer by a broken connection, so that nobody takes it for whole."""
    for path in ("small/break/early", "small/silent", "small/nothing"):
        answer = small.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
        assert "secret" not in answer.text
    with pytest.raises(httpx.RemoteProtocolError):
        small.get("small/break/late")
    assert small.get("small/seen").status_code == 200


# A client that goes, and an app that has heard enough


def test_a_client_that_goes_is_told_to_the_app(small: Lab) -> None:
    """In the middle of an answer, of a body, and of a wait."""
    known = len(_seen(small))

    def told() -> list[str]:
        return _seen(small)[known:]

    with _connection(small, "GET", f"small/flow/{PIECES}") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")
    until(lambda: "gone while it was sent" in told(), 20, "the end of an answer")
    with _connection(small, "POST", "small/count/seen", "Content-Length: 2000000") as connection:
        connection.sendall(b"x" * 1_000_000)
        until(lambda: "1000000" in told(), 20, "half a body")
    until(lambda: "gone after 1000000 bytes came" in told(), 20, "the end of a body")


def test_a_refusal_of_a_short_body_surely_arrives(small: Lab) -> None:
    """The body is read past, and the connection serves on."""
    with _connection(small, "POST", "small/refuse", "Content-Length: 1000000") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
        connection.sendall(b"x" * 1_000_000)
        connection.sendall(b"GET /deep/er/small/scope HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: b"HTTP/1.1 200 " in connection.recv(1000), 20, "the next answer")


def test_a_refusal_of_a_long_body_ends_the_connection(small: Lab) -> None:
    """It is told so, and of the body hardly anything is read; one of unknown length is read past for a while."""
    with _connection(small, "POST", "small/refuse", "Content-Length: 90000000") as connection:
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 413 ") and b"Connection: close" in answer and b'"no"' in answer
    with _connection(small, "POST", "small/refuse", "Transfer-Encoding: chunked") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(ConnectionError):
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")


def test_a_client_that_asks_first_is_answered_before_it_sends(small: Lab) -> None:
    """A refusal is its answer; it is asked for the body only where the app wants it."""
    asking = "Expect: 100-continue"
    with _connection(small, "POST", "small/refuse", "Content-Length: 5", asking) as connection:
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
        assert answer.startswith(b"HTTP/1.1 413 ") and answer.count(b"HTTP/1.1") == 1
    with _connection(small, "POST", "small/count", "Content-Length: 5", asking) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"12345")
        until(lambda: b'"bytes": 5' in connection.recv(1000), 20, "the answer")


# Who is signed in


def test_the_app_decides_what_is_open(small: Lab) -> None:
    """Whoever Jupyter does not know is let through as that, with any method, and never led to the login."""
    with small.client(signed_in=False) as stranger:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = stranger.request(method, "small/scope?token=wrong")
            assert (answer.status_code, answer.json()["state"]) == (200, {"signed_in": False})
        assert stranger.head("small/scope").status_code == 200
        assert not stranger.cookies


def test_the_login_alone_does_not_write(small: Lab) -> None:
    """By the cookie of a browser a write needs the token against forged requests; by Jupyter's token it does not."""
    with small.client(signed_in=False) as browser:
        browser.get("wellprod", params={"token": small.token})
        assert browser.get("small/scope").json()["state"]["signed_in"]
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            told = browser.request(method, "small/scope", content=b"x" * 500_000)
            assert (told.status_code, told.json()["error"]["code"]) == (403, "FORBIDDEN")
            assert "X-XSRFToken" in told.json()["error"]["next"]
        header = {"X-XSRFToken": browser.cookies["_xsrf"]}
        assert browser.post("small/scope", headers=header).json()["state"]["signed_in"]
    with small.client() as program:
        assert program.post("small/scope").json()["state"]["signed_in"]


def test_a_get_that_writes_is_judged_as_a_write(small: Lab) -> None:
    """By the cookie of a browser an import is not begun from another site, or where that cannot be told."""
    path, at_home = "small/scope/import/tr%69gger", {"Referer": f"{small.url}lab"}
    with small.client(signed_in=False) as browser:
        browser.get("small/scope", params={"token": small.token})
        for headers in ({}, {"Referer": "http://elsewhere/"}, {"Sec-Fetch-Site": "cross-site"}):
            assert browser.get(path, headers=headers).status_code == 403
        for headers in (at_home, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
            assert browser.get(path, headers=headers).json()["state"]["signed_in"]
    assert small.get(path).json()["state"]["signed_in"]


def test_another_name_of_the_host_is_refused(small: Lab) -> None:
    """As Jupyter does, so that no foreign name can be pointed at this machine."""
    told = small.get("small/scope", headers={"Host": "elsewhere.example"})
    assert (told.status_code, told.json()["success"]) == (403, False)


def test_no_query_is_logged(small: Lab) -> None:
    """Since a signature opens a file; neither for a success nor for a failure, at the most talkative level."""
    for path in ("scope", "refuse", "break/early", "status/503"):
        small.get(f"small/{path}?signature=seal4711&q=seal4711")
    with small.client() as client:
        client.request("PROPFIND", "small/scope?q=seal4711")
    log = small.log.read_text()
    assert "200 GET" in log and "small/scope" in log and "seal4711" not in log


# The API itself


def test_the_api_answers_beside_the_notebooks(small: Lab, visitor: Visitor) -> None:
    """An import, its figures, and the documentation as a page that is whole without a network."""
    with small.client() as client:
        sent = client.post(IMPORT, json={"value": [record(1), record(2)]}, headers={"X-Request-ID": "mine"})
        assert (sent.status_code, sent.json()["request_id"]) == (200, "mine"), sent.text
        assert client.get("api/v1/wells/stats").json()["data"]["records"] == 2
        assert client.get("health/ready").json()["data"]["healthy"]
        described = client.get("openapi.json")
        assert described.url.join(described.json()["servers"][0]["url"]).path.rstrip("/") == "/deep/er"
        assert client.get("api/v1/nothing").json()["error"]["code"] == "NOT_FOUND"
    assert "request_id=mine" in small.log.read_text()
    page = visitor.open(small.link("docs"))
    expect(page.get_by_text("/api/v1/exports/{export_id}/file")).to_be_visible(timeout=30_000)
    assert (visitor.off_host, visitor.failed, visitor.errors) == ([], [], [])


def test_jupyters_own_metrics_tell_of_the_workbench(small: Lab) -> None:
    """From the start, and of the requests that come over the bridge."""
    small.get("api/v1/nothing")
    told = small.get("metrics").text
    assert "wellprod_up 1.0" in told and "http_request_duration_seconds" in told
    assert 'wellprod_http_requests_total{method="GET",route="none",status="404"}' in told


def test_strangers_are_told_to_sign_in(small: Lab) -> None:
    """In the envelope, and with no window of the browser that asks for a password; liveness is open."""
    with small.client(signed_in=False) as stranger:
        docs = stranger.get("docs", headers={"Accept": "text/html"}, follow_redirects=False)
        assert docs.status_code == 302 and docs.headers["Location"].endswith("/login?next=%2Fdeep%2Fer%2Fdocs"), (
            "for people"
        )
        assert docs.headers["Connection"] == "close", "which is said, so that nobody asks on it again"
        assert stranger.get("docs").status_code == 401
        for method, path in (("GET", "health"), ("GET", "openapi.json"), ("POST", IMPORT)):
            told = stranger.request(method, path, headers={"Accept": "text/html"})
            assert (told.status_code, told.json()["error"]["code"]) == (401, "UNAUTHORIZED")
            assert told.headers["WWW-Authenticate"] == "Bearer"
        assert stranger.get("health/live").json()["data"] == {"alive": True}
        browser = stranger.get("wellprod", params={"token": small.token})
        assert browser.status_code == 200
        forged = stranger.post("api/v1/wells/import/trigger").json()
        assert forged["error"]["code"] == "FORBIDDEN" and forged["request_id"] and forged["timestamp"]


def test_a_file_above_the_limit_is_refused_in_words(small: Lab) -> None:
    """Before a byte of it is read where its size is told, and as soon as it is passed where it is not."""
    with _connection(small, "POST", IMPORT, "Content-Length: 120000001") as connection:
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 413 ") and b"up to 120.0 MB are taken" in answer
    with small.client() as client:
        told = client.post(IMPORT, content=(b" " * 1_000_000 for _ in range(121)))
    assert told.status_code == 413 and "up to 120.0 MB are taken" in told.json()["message"]
    with _connection(small, "POST", IMPORT, "Content-Length: five") as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert not [*small.settings.uploads_path.glob(".*.part")]


def test_a_cut_connection_leaves_nothing_of_a_file(small: Lab) -> None:
    """Half a file is dropped, also under its temporary name."""
    with _connection(small, "POST", IMPORT, "Content-Length: 2000000") as connection:
        connection.sendall(b"x" * 1_000_000)
        until(lambda: [*small.settings.uploads_path.glob(".*.part")], 20, "half a file")
    until(lambda: not [*small.settings.uploads_path.glob(".*.part")], 20, "its end")


def test_the_end_of_the_server_leaves_the_import_running(tmp_path: Path) -> None:
    """After Ctrl-C who waits for an import is told 202; the server ends in order, and the import goes on."""
    notebooks = tmp_path / "project" / "notebooks"
    notebooks.mkdir(parents=True)
    with PagedFeed(3, held=2).serving() as feed:
        with running_lab(tmp_path, notebooks, WELLPROD_FEED_URL=feed.url) as lab, ThreadPoolExecutor(1) as caller:
            client = lab.client()
            waiting = caller.submit(client.post, f"{IMPORT}/run")
            feed.wait_for_page(2)
            lab.process.send_signal(signal.SIGINT)
            told = waiting.result(30)
            assert told.status_code == 202, told.text
            lab.process.wait(30)
            client.close()
            assert "Traceback" not in lab.log.read_text()
        feed.released.set()
        job_id, ledger = told.json()["data"]["job_id"], Ledger(lab.settings.jobs_path)
        until(lambda: ledger.get(job_id).status == Status.COMPLETED, 60, "the end of the import")
