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
from tests.lab import until
from wellprod.jobs import Ledger
from wellprod.store import Store

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
REST = (ROOT / "docs" / "rest.md").read_text("utf-8")
PAGES = ((ROOT / "README.md").read_text("utf-8"), REST)
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
        if kind == "sh" and ("curl " in text or ADDRESS in text) and "pip install" not in text:
            yield text.splitlines(), json.loads(next_text) if next_kind == "json" else None


class Reader:
    """Types the lines into a shell one after another, and puts in the ids of the answers, as a person does."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api, self.folder = api, folder
        self.given = ""  # what the lines have set
        self.ids = dict.fromkeys(IDS, "")
        folder.joinpath(".curlrc").write_text(CURLRC)
        shutil.copy(ANP_WELLS, folder / "wells.json")

    def read(self, page: str) -> Iterator[Told]:
        """Do what a page says."""
        for lines, quoted in blocks(page):
            is_busy = bool(quoted) and not quoted["success"]  # then its first line is still at work
            with Store(self.api.settings.store_path).write() if is_busy else nullcontext():
                for at, line in enumerate(lines):
                    if line.startswith(ADDRESS):
                        self.given = line.replace(ADDRESS, f"API={self.api.url}")
                    elif line.startswith("curl "):
                        if not is_busy and not re.search("/status/|/cancel", line):  # which ask about one at work
                            until(self._is_idle, what="an end of the jobs")
                        yield self._type(line, quoted if at == len(lines) - 1 else None)

    def _is_idle(self) -> bool:
        return not Ledger(self.api.settings.jobs_path).active_jobs()

    def _type(self, line: str, quoted: Any) -> Told:
        kept = b""
        if found := re.search(r" -C - -o (\S+)", line):
            path = self.folder / found[1]
            kept = path.read_bytes()
            path.write_bytes(kept[: len(kept) // 2])
        typed = f"{self.given}\n{line}"
        for name, value in self.ids.items():
            typed = typed.replace(name, value)
        environment = {**os.environ, "WELLPROD_API_TOKEN": TOKEN, "CURL_HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["sh", "-c", typed], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120
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
    reader = Reader(api, folder)
    return [told for page in PAGES for told in reader.read(page)]


def operations(api: Api) -> dict[tuple[str, str], Any]:
    """Give the operations of the schema by method and path."""
    paths = api.get("/openapi.json").json()["paths"]
    return {(method.upper(), path): told for path, methods in paths.items() for method, told in methods.items()}


def form(value: Any) -> Any:
    """Give names and types, without the values."""
    if isinstance(value, dict):
        return {name: form(inner) for name, inner in value.items()}
    return [form(inner) for inner in value[:1]] if isinstance(value, list) else type(value)


def test_each_line_works(api: Api, all_told: list[Told]) -> None:
    """Nothing fails, every JSON answer says success, and every status is one that the schema tells."""
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


def test_a_download_that_broke_off_is_the_whole(all_told: list[Told], folder: Path) -> None:
    """The line that goes on with half a file leaves the file as it was, and files have what their names say."""
    (going_on,) = [told for told in all_told if told.kept]
    assert going_on.asked[0] == 206 and len(going_on.kept) > 1000
    assert (folder / "tupi.csv").read_bytes() == going_on.kept
    assert (folder / "tupi.xlsx").read_bytes() == (folder / "partner.xlsx").read_bytes()
    assert (folder / "tupi.xlsx").read_bytes().startswith(b"PK")
    assert list(folder.glob("wells_prod_*.csv")), "saved under the name that the server gives"


def test_the_log_lines_shown_are_those_of_the_server(api: Api, all_told: list[Told]) -> None:
    """A request is logged with the fields shown, and its id is in the log of the job that it started."""
    assert all_told
    logged = [json.loads(line) for line in api.log.read_text().splitlines()]
    lines = [line for _, kind, text in FENCED.findall(REST) if kind == "text" for line in text.splitlines()]
    for shown in map(json.loads, lines):
        (found,) = [line for line in logged if line.get("request_id") == shown["request_id"]]
        assert form(found) == form(shown) and found["path"] == shown["path"]
        jobs = [path.read_text() for path in (api.settings.home / "logs").iterdir()]
        assert any(shown["request_id"] in text for text in jobs)
    assert len(lines) == 1


def test_each_error_is_in_the_table(api: Api) -> None:
    """Every status and code that the schema shows is a row of the table."""
    rows = re.findall(r"^\| ([0-9, ]+) \| `([A-Z_]+)` \|", REST, re.MULTILINE)
    table = {(int(status), code) for statuses, code in rows for status in statuses.split(", ")}
    schema = api.get("/openapi.json").json()
    examples = {
        f"#/components/examples/{name}": told["value"] for name, told in schema["components"]["examples"].items()
    }
    shown = {
        (int(status), examples[example["$ref"]]["error"]["code"])
        for methods in schema["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        for example in answer.get("content", {}).get("application/json", {}).get("examples", {}).values()
    }
    assert shown <= table, shown - table
