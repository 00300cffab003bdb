"""The REST API as the documentation shows it: its curl lines run as they stand, and what it quotes is what comes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from starlette.routing import compile_path

from tests.api import TOKEN, Api, StartApi
from tests.conftest import ANP_WELLS
from tests.lab import WELLPROD_LAB, Lab, StartLab, until
from wellprod.jobs import Ledger
from wellprod.store import Store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
REST = (ROOT / "docs" / "rest.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
FENCED = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ADDRESS = "API=http://127.0.0.1:8000"
IDS = ("JOB_ID", "EXPORT_ID", "DOWNLOAD_URL")
CURLRC = 'silent\nshow-error\nnoproxy = "*"\nwrite-out = "%{stderr}\\n%{http_code} %{method} %{url_effective}\\n"\n'


@dataclass
class Told:
    """A line of the documentation, and what came of it."""

    line: str
    quoted: Any  # the answer that the documentation shows, if it shows one
    code: int
    out: str
    errors: str
    kept: bytes  # what the file that it goes on with had, before it lost its second half

    @property
    def came(self) -> Any:
        """The answer, if it has the envelope."""
        return json.loads(self.out) if self.out.startswith('{"success"') else None

    @property
    def asked(self) -> tuple[int, str, str]:
        """Status, method and path."""
        status, method, url = self.errors.strip().splitlines()[-1].split()
        return int(status), method, unquote(urlsplit(url).path)

    @property
    def is_refusal(self) -> bool:
        """Whether the documentation says that it is refused."""
        return bool(self.quoted) and not self.quoted["success"]


def blocks(page: str) -> Iterator[tuple[list[str], Any]]:
    """Give the lines of each shell block that asks the API, with the answer that stands after it."""
    found = [(kind, dedent(text)) for _, kind, text in FENCED.findall(page)]
    for (kind, text), (next_kind, next_text) in zip(found, [*found[1:], ("", "")], strict=True):
        if kind == "sh" and ("curl " in text or ADDRESS in text):
            yield text.splitlines(), json.loads(next_text) if next_kind == "json" else None


class Reader:
    """Types the lines into a shell one after another, and puts in the ids of the answers, as a person does."""

    def __init__(self, server: Api | Lab, token: str, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.environment = {**os.environ, "WELLPROD_API_TOKEN": token, "CURL_HOME": str(folder), "LC_ALL": "C.UTF-8"}
        self.given = ""  # what the lines have set
        self.ids = dict.fromkeys(IDS, "")
        folder.joinpath(".curlrc").write_text(CURLRC)
        shutil.copy(ANP_WELLS, folder / "wells.json")

    def read(self, page: str) -> Iterator[Told]:
        """Do what a page says."""
        for lines, quoted in blocks(page):
            is_busy = bool(quoted) and not quoted["success"]  # then its first line is still at work
            with Store(self.server.settings.store_path).write() if is_busy else nullcontext():
                for at, line in enumerate(lines):
                    if line.startswith(ADDRESS):
                        self.given = line.replace(ADDRESS, f"API={self.server.url.rstrip('/')}")
                    elif line.startswith("curl "):
                        if not is_busy and not re.search("/status/|/cancel", line):  # which ask about one at work
                            until(self._is_idle, what="an end of the jobs")
                        yield self._type(line, quoted if at == len(lines) - 1 else None)

    def _is_idle(self) -> bool:
        return not Ledger(self.server.settings.jobs_path).active_jobs()

    def _type(self, line: str, quoted: Any) -> Told:
        kept = b""
        if found := re.search(r" -C - -o (\S+)", line):
            path = self.folder / found[1]
            kept = path.read_bytes()
            path.write_bytes(kept[: len(kept) // 2])
        typed = f"{self.given}\n{line}"
        for name, value in self.ids.items():
            typed = typed.replace(name, value)
        done = subprocess.run(
            ["sh", "-c", typed], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120
        )
        told = Told(line, quoted, done.returncode, done.stdout, done.stderr, kept)
        if told.came and told.came["success"]:
            data = told.came["data"]
            self.ids |= {name: data[name.lower()] for name in IDS if data.get(name.lower())}
        return told


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> Api:
    """A server whose configured feed is the file of the ANP wells, and which logs as the documentation says."""
    return start_api(feed_url=str(ANP_WELLS), log_level="INFO", log_format="json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the reader types."""
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def all_told(api: Api, folder: Path) -> list[Told]:
    """What came of each line, in the order of the pages."""
    reader = Reader(api, TOKEN, folder)
    return [told for page in (README, REST) for told in reader.read(page)]


def schema_of(api: Api) -> dict[str, Any]:
    """Give the OpenAPI schema."""
    schema: dict[str, Any] = api.get("/openapi.json").json()
    return schema


def operations(api: Api) -> dict[tuple[str, str], Any]:
    """Give the operations of the schema by method and path."""
    paths = schema_of(api)["paths"].items()
    return {(method.upper(), path): told for path, methods in paths for method, told in methods.items()}


def form(value: Any) -> Any:
    """Give names and types, without the values."""
    if isinstance(value, dict):
        return {name: form(inner) for name, inner in value.items()}
    return [form(inner) for inner in value[:1]] if isinstance(value, list) else type(value)


def test_each_line_works(api: Api, all_told: list[Told]) -> None:
    """Nothing fails that is not shown to, and every status is one that the schema tells."""
    known = operations(api)
    for told in all_told:
        assert told.code == 0, (told.line, told.out, told.errors)
        status, method, path = told.asked
        assert (status >= 400) == told.is_refusal, (told.line, told.out)
        assert not told.came or told.came["success"] is not told.is_refusal
        for (known_method, known_path), operation in known.items():
            if method == known_method and compile_path(known_path)[0].match(path):
                assert str(status) in operation["responses"], told.line


def test_each_route_has_its_line(api: Api, all_told: list[Told]) -> None:
    """Every operation of the schema is asked once at least, the documentation and the schema too."""
    asked = {told.asked[1:] for told in all_told}
    wanted = [*operations(api), ("GET", "/docs"), ("GET", "/openapi.json")]
    assert len(wanted) > 20
    for method, path in wanted:
        fits = compile_path(path)[0]
        assert any(method == by and fits.match(at) for by, at in asked), f"{method} {path} has no line"


def test_what_is_quoted_is_what_comes(all_told: list[Told]) -> None:
    """Each answer shown has the names and types of the one that came."""
    quoted = [told for told in all_told if told.quoted]
    assert len(quoted) == 2
    for told in quoted:
        assert form(told.quoted) == form(told.came), told.line


def test_the_files_are_what_the_lines_say(all_told: list[Told], folder: Path) -> None:
    """A download that broke off becomes whole again, two ways lead to one export, and a file has the server's name."""
    (going_on,) = [told for told in all_told if told.kept]
    assert going_on.asked[0] == 206 and len(going_on.kept) > 1000
    assert (folder / "tupi.csv").read_bytes() == going_on.kept
    assert (folder / "tupi.xlsx").read_bytes() == (folder / "partner.xlsx").read_bytes()
    assert (folder / "tupi.xlsx").read_bytes().startswith(b"PK")
    assert (folder / "wells_prod_enverus_9-LL-2-RJS.csv").exists()


def test_the_log_line_shown_is_that_of_the_server(api: Api, all_told: list[Told]) -> None:
    """A request is logged with the fields shown, and its id is in the log of the job that it started."""
    assert all_told
    (shown,) = [json.loads(text) for _, kind, text in FENCED.findall(REST) if kind == "text"]
    logged = [json.loads(line) for line in api.log.read_text().splitlines()]
    (found,) = [line for line in logged if line.get("request_id") == shown["request_id"]]
    assert form(found) == form(shown) and found["path"] == shown["path"]

    def is_in_the_log_of_a_job() -> bool:
        return any(shown["request_id"] in path.read_text() for path in (api.settings.home / "logs").iterdir())

    until(is_in_the_log_of_a_job, what="a line of the job")


def test_each_error_is_in_the_table(api: Api) -> None:
    """Every status and code that the schema shows is a row of the table."""
    rows = re.findall(r"^\| ([0-9, ]+) \| `([A-Z_]+)` \|", REST, re.MULTILINE)
    table = {(int(status), code) for statuses, code in rows for status in statuses.split(", ")}
    examples = schema_of(api)["components"]["examples"]
    codes = {f"#/components/examples/{name}": told["value"]["error"]["code"] for name, told in examples.items()}
    shown = {
        (int(status), codes[example["$ref"]])
        for operation in operations(api).values()
        for status, answer in operation["responses"].items()
        for example in answer.get("content", {}).get("application/json", {}).get("examples", {}).values()
    }
    assert len(shown) > 10 and shown <= table, shown - table


def test_the_lines_work_behind_jupyter_too(start_lab: StartLab, tmp_path: Path) -> None:
    """With the address and the token of `wellprod lab`, below its base URL; `/` and `/metrics` are Jupyter's own."""
    (tmp_path / "notebooks").mkdir()
    command = (*WELLPROD_LAB[:-1], "--base-url", "/team/")
    lab = start_lab(tmp_path / "notebooks", command=command, WELLPROD_FEED_URL=str(ANP_WELLS))
    told = {told.asked[1:]: told for told in Reader(lab, lab.token, tmp_path).read(README)}
    assert len(told) > 20
    for line in told.values():
        assert line.code == 0 and line.asked[0] < 400, (line.line, line.out, line.errors)
    assert told["GET", "/team/"].asked[0] == 302
    assert "wellprod_import_records_total" in told["GET", "/team/metrics"].out
    assert (tmp_path / "tupi.xlsx").read_bytes() == (tmp_path / "partner.xlsx").read_bytes()
