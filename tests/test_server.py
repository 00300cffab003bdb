"""One front door: login, pages, files, kernels and launcher cards, over real servers and in a real browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from playwright.sync_api import expect

from tests.browser import Visitor, grave_violations, scrolls_sideways
from tests.conftest import CommandLine
from tests.lab import JUPYTER_LAB, Lab, StartLab, until, write_notebook
from wellprod.address import announced, server_of
from wellprod.export import export_link
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings
from wellprod.text import attachment

pytestmark = pytest.mark.slow

PLACEHOLDER = """
import os
import ipywidgets as widgets
from IPython.display import display

chooser = widgets.HTML(
    "<label>Feed as a file <input type='file' data-wellprod-upload></label> <span data-wellprod-upload-status></span>"
)
home = widgets.HTML(f"Home {os.environ['WELLPROD_HOME']} behind {os.environ['WELLPROD_SERVER_PATH']}")
display(widgets.VBox([chooser, home, widgets.Text(description="Address"), widgets.Button(description="Begin")]))
"""
ROUTES = ("wellprod", "wellprod/import", "wellprod/nothing", "wellprod/kernels/x", "wellprod/uploads/a.json")
SECRETS = ("png", "csv", "ipynb", "duckdb", "json")
BIG_BYTES = 300_000_000
SPARE_BYTES = 60_000_000


def _project(folder: Path) -> Path:
    """Make a project with placeholders for the dashboards, and files in the home that nobody may fetch."""
    notebooks = folder / "notebooks"
    write_notebook(notebooks / "import.ipynb", PLACEHOLDER)
    write_notebook(notebooks / "status.ipynb", "1 / 0")
    for ending in SECRETS:
        (folder / f"secret.{ending}").write_text("secret")
    return notebooks


@pytest.fixture(scope="module")
def lab(start_lab: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """`wellprod lab` as it is."""
    return start_lab(_project(tmp_path_factory.mktemp("project")), WELLPROD_UPLOAD_LIMIT_MB="400")


@pytest.fixture(scope="module")
def plain(start_lab: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A plain `jupyter lab` of the same environment, under a path and with little patience for left kernels."""
    notebooks = _project(tmp_path_factory.mktemp("plain"))
    options = ("--ServerApp.base_url=/deep/er/", "--WellprodApp.page_grace_seconds=8")
    return start_lab(notebooks, *options, command=JUPYTER_LAB)


@pytest.fixture(scope="module")
def strict(start_lab: StartLab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A plain one over another folder than that of the notebooks, which lets nobody in unless a route says so."""
    folder = tmp_path_factory.mktemp("strict")
    (folder / "elsewhere").mkdir()
    options = (f"--ServerApp.root_dir={folder / 'elsewhere'}", "--ServerApp.allow_unauthenticated_access=False")
    return start_lab(_project(folder / "project"), *options, command=JUPYTER_LAB)


@pytest.fixture(params=["lab", "plain"])
def server(request: pytest.FixtureRequest) -> Lab:
    """Each of the two."""
    found: Lab = request.getfixturevalue(request.param)
    return found


def _export(lab: Lab, path: Path, at: str = "", **more: Any) -> str:
    """Enter a completed export of `path` and give its id."""
    ledger = Ledger(lab.settings.jobs_path)
    job_id = ledger.create("export", {"output": str(path)}).job_id
    written = {"path": at or str(path), "size_bytes": path.stat().st_size, "file_name": path.name}
    ledger.finish(job_id, Status.COMPLETED, summary={**written, **more})
    return job_id


def _download(lab: Lab, name: str, content: bytes = b"well,oil\n", **more: Any) -> str:
    path = lab.settings.downloads_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return _export(lab, path, **more)


# The login


def test_every_route_wants_the_login(server: Lab) -> None:
    """Without it a page leads to the login, and what a program asks for is refused."""
    job_id = _download(server, "guarded.csv")
    with server.client(signed_in=False) as stranger:
        for route in (*ROUTES, "lab", "files/secret.csv"):
            answer = stranger.get(route)
            assert answer.status_code == 302 and "/login?" in answer.headers["Location"], route
        assert stranger.get(f"api/v1/exports/{job_id}/file").status_code == 401
        assert stranger.put("wellprod/uploads/stranger.json", content=b"[]").status_code == 403
    assert not (server.settings.uploads_path / "stranger.json").exists()


def test_voila_hands_out_no_file(server: Lab) -> None:
    """Voila's own route for files, which asks for no login, refuses each of them."""
    with server.client(signed_in=False) as stranger:
        for path in (*(f"secret.{ending}" for ending in SECRETS), "notebooks/import.ipynb", ""):
            assert stranger.get(f"voila/files/{path}").status_code == 403, path


# The front page and the short addresses


def test_the_front_page_leads_everywhere(server: Lab, visitor: Visitor) -> None:
    """It links the dashboards and JupyterLab, wide and narrow, for everybody, and asks no other host."""
    for width in (1280, 390):
        page = visitor.open(server.link("wellprod"), width=width)
        assert page.title() == "Well production · wellprod"
        main = page.get_by_role("main")
        for name, address in {"Import": "wellprod/import", "JupyterLab": "lab"}.items():
            link = main.get_by_role("link", name=name)
            assert link.get_attribute("href") == f"{urlsplit(server.url).path}{address}"
        assert grave_violations(page) == []
        assert not scrolls_sideways(page)
    assert (visitor.off_host, visitor.failed, visitor.errors) == ([], [], [])


def test_a_short_address_opens_the_page(lab: Lab) -> None:
    """It leads to Voila with the query, and a browser gets the token that ends the kernel of a closed page."""
    answer = lab.get(f"wellprod/import?source=a%20b&token={lab.token}")
    assert answer.status_code == 302 and "_xsrf" in answer.cookies
    assert answer.headers["Location"] == "/voila/render/notebooks/import.ipynb?source=a+b"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("nothing", ["'nothing'", "import, status, explore, download"]),
        ("download", ["download.ipynb", "WELLPROD_NOTEBOOKS"]),
    ],
)
def test_a_page_that_is_not_there_is_said_so(lab: Lab, page: str, words: list[str]) -> None:
    """The answer names it, where it was looked for, and what to do; as a page to a browser."""
    answer = lab.get(f"wellprod/{page}", headers={"Accept": "text/html"})
    assert answer.status_code == 404 and answer.headers["Content-Type"].startswith("text/html")
    told = lab.get(f"wellprod/{page}").json()
    assert all(word in f"{told['message']} {told['next']}" for word in words)


def test_a_wrong_setting_leaves_jupyter_alone(start_lab: StartLab, tmp_path: Path) -> None:
    """The server runs, its log and our routes name the setting; and notebooks elsewhere are said to be so."""
    notebooks = _project(tmp_path / "wrong")
    with_error = start_lab(notebooks, command=JUPYTER_LAB, WELLPROD_PAGE_SIZE="0")
    assert with_error.get("lab").status_code == 200
    for route in ("wellprod/import", "health/live"):
        told = with_error.get(route)
        assert told.status_code == 503 and "WELLPROD_PAGE_SIZE is not allowed" in told.json()["message"]
    with with_error.client(signed_in=False) as stranger:
        told = stranger.get("health/live")
    assert told.status_code == 503 and "WELLPROD_PAGE_SIZE" not in told.text
    log = with_error.log.read_text()
    assert "WELLPROD_PAGE_SIZE is not allowed" in log and "Traceback" not in log


def test_notebooks_out_of_sight_are_said_to_be_so(strict: Lab) -> None:
    """A server over another folder names both folders."""
    told, notebooks = strict.get("wellprod/import"), strict.settings.notebooks
    assert told.status_code == 404
    assert all(str(folder) in told.json()["message"] for folder in (notebooks, notebooks.parents[1] / "elsewhere"))


# The page


def test_a_page_is_whole_without_a_network(server: Lab, visitor: Visitor) -> None:
    """It has title, language, landmarks and the current page marked, fits the window, and asks no other host."""
    page = visitor.open(server.link("wellprod/import"))
    expect(page.get_by_role("main").get_by_label("Address")).to_be_visible(timeout=60_000)
    assert page.title() == "Import · wellprod"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("navigation").locator("[aria-current=page]").inner_text() == "Import"
    expect(page.get_by_text(f"Home {server.settings.home} behind {urlsplit(server.url).path}")).to_be_visible()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert not scrolls_sideways(page)
        assert grave_violations(page) == []
    assert (visitor.off_host, visitor.errors) == ([], [])


def test_a_broken_page_speaks_to_people(lab: Lab, visitor: Visitor) -> None:
    """An error in a cell is a message with a way on, and no traceback."""
    page = visitor.open(lab.link("wellprod/status"))
    alert = page.get_by_role("alert").filter(has_text="Something went wrong")
    expect(alert).to_be_visible(timeout=60_000)
    assert "Traceback" not in page.content() and "ZeroDivisionError" not in page.content()


def test_closing_the_tab_ends_the_kernel(lab: Lab, visitor: Visitor) -> None:
    """In a browser that was never here before, too."""
    before = {kernel["id"] for kernel in lab.kernels()}
    page = visitor.open(lab.link("wellprod/import"))
    expect(page.get_by_label("Address")).to_be_visible(timeout=60_000)
    mine = {kernel["id"] for kernel in lab.kernels()} - before
    assert len(mine) == 1
    page.close(run_before_unload=True)
    until(lambda: not mine & {kernel["id"] for kernel in lab.kernels()}, 20, "the end of the kernel")


def test_a_kernel_left_behind_ends_and_one_with_a_session_stays(plain: Lab) -> None:
    """A page whose tab vanished loses its kernel after the grace; a notebook open in JupyterLab never does."""
    with plain.client() as client:
        asked = {"path": "notebooks/import.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        kept = client.post("api/sessions", json=asked).json()
        client.get("voila/render/notebooks/import.ipynb")
        assert len(plain.kernels()) >= 2
        until(lambda: [kernel["id"] for kernel in plain.kernels()] == [kept["kernel"]["id"]], 40, "only the session's")
        client.delete(f"api/sessions/{kept['id']}")


def test_a_page_says_when_its_kernel_died(lab: Lab, visitor: Visitor) -> None:
    """Killed and started again by Jupyter, it is another process: the page says so and offers to reload."""
    page = visitor.open(lab.link("wellprod/import"))
    expect(page.get_by_label("Address")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("alert")).to_have_count(0)
    kernel_id = page.evaluate("JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId")
    process = lab.get(f"wellprod/kernels/{kernel_id}").json()["process"]
    os.kill(process, signal.SIGKILL)
    until(lambda: lab.get(f"wellprod/kernels/{kernel_id}").json()["process"] not in (process, None), 20, "a restart")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("lost its connection to the calculation process", timeout=30_000)
    alert.get_by_role("button", name="Reload the page").click()
    expect(page.get_by_label("Address")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_page_says_when_the_server_is_away(lab: Lab, visitor: Visitor) -> None:
    """The message goes when the server is back."""
    page = visitor.open(lab.link("wellprod/import"))
    expect(page.get_by_label("Address")).to_be_visible(timeout=60_000)
    visitor.context.set_offline(True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached", timeout=30_000)
    visitor.context.set_offline(False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("alert")).to_have_count(0, timeout=30_000)


# The launcher


def test_the_launcher_has_the_pages(server: Lab, visitor: Visitor) -> None:
    """JupyterLab shows a card for each, a click opens it in a tab, and no other host is asked."""
    page = visitor.open(server.link("lab"))
    for label in ("Production status", "Download production", "Import production"):
        card = page.locator(".jp-LauncherCard", has_text=label)
        expect(card).to_be_visible(timeout=60_000)
    with visitor.context.expect_page() as opened:
        card.click()
    expect(opened.value.get_by_label("Address")).to_be_visible(timeout=60_000)
    assert (visitor.off_host, visitor.errors) == ([], [])


# Exports


@pytest.mark.parametrize("size", [400_000_000, pytest.param(1_500_000_000, marks=pytest.mark.long)])
def test_a_large_export_streams(lab: Lab, size: int) -> None:
    """It arrives whole or in the range asked for, while the server stays small; a repeat costs nothing."""
    path = lab.settings.downloads_path / "big.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    url = f"api/v1/exports/{_export(lab, path, file_name='Élan “A”.parquet')}/file"
    server = psutil.Process(lab.process.pid)
    lab.get(f"{url}", headers={"Range": "bytes=0-9"})
    before, most, received = server.memory_info().rss, 0, 0
    with lab.client() as client, client.stream("GET", url) as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
            most = max(most, server.memory_info().rss)
    assert (answer.status_code, received) == (200, size)
    assert most - before < SPARE_BYTES
    assert answer.headers["Content-Disposition"] == attachment("Élan “A”.parquet")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    part = lab.get(url, headers={"Range": f"bytes={size - 10}-"})
    assert part.status_code == 206 and len(part.content) == 10
    again = lab.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    with lab.client() as client:
        head = client.head(url)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(size), b"")


def test_a_browser_saves_an_export_under_its_name(server: Lab, visitor: Visitor) -> None:
    """A link on a page downloads it, by the cookie of the login."""
    job_id = _download(server, "0b1.csv", file_name="Tupi 2024.csv")
    page = visitor.open(server.link("wellprod"))
    path = f"{urlsplit(server.url).path}api/v1/exports/{job_id}/file"
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', '<a href=\"{path}\">the file</a>')")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="the file").click()
    assert waiting.value.suggested_filename == "Tupi 2024.csv"
    assert Path(waiting.value.path()).read_bytes() == b"well,oil\n"


def test_only_the_file_that_an_export_wrote_is_given(lab: Lab, tmp_path: Path) -> None:
    """Anything else is refused in words: no such job, another kind, not done, deleted, changed, a link to another."""
    ledger = Ledger(lab.settings.jobs_path)
    running, other = ledger.create("export", {}).job_id, ledger.create("report", {}).job_id
    ledger.finish(other, Status.COMPLETED, summary={"path": "x"})
    gone = _download(lab, "gone.csv")
    (lab.settings.downloads_path / "gone.csv").unlink()
    outside = tmp_path / "outside.csv"
    outside.write_text("written")
    for name in ("link.csv", "folder"):
        (lab.settings.downloads_path / name).symlink_to(outside if name == "link.csv" else tmp_path)
    cases = {
        "nonsense": (404, "is no job id"),
        "00000000-0000-0000-0000-000000000000": (404, "There is no job"),
        "..%2F..%2Fjobs.sqlite": (404, "nothing at this address"),
        running: (409, "has no file: it is processing"),
        other: (404, "is no export but"),
        gone: (404, "no longer there"),
        _export(lab, outside, size_bytes=8): (404, "has changed since: it has 7 bytes, written were 8 bytes"),
        _export(lab, lab.settings.downloads_path / ".." / "jobs.sqlite"): (404, "no longer there"),
        _export(lab, lab.settings.downloads_path / "link.csv"): (404, "no longer there"),
        _export(lab, lab.settings.downloads_path / "folder" / "outside.csv"): (404, "no longer there"),
        _export(lab, Path()): (404, "no longer there"),
        _export(lab, tmp_path): (404, "no longer there"),
        _export(lab, outside, at="s3://bucket/x.csv"): (409, "lies in S3, at s3://bucket/x.csv"),
    }
    for job_id, (status, words) in cases.items():
        answer = lab.get(f"api/v1/exports/{job_id}/file")
        assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
    assert lab.get(f"api/v1/exports/{_export(lab, outside)}/file").text == "written"
    ledger.finish(running, Status.CANCELLED)


# Links


def test_a_signed_link_opens_one_file_to_everybody(server: Lab, tmp_path: Path) -> None:
    """Without a login, whole, by its head or in part, under its name; wherever on this machine it was written."""
    outside = tmp_path / "Élan.csv"
    outside.write_bytes(b"well,oil\n")
    link = export_link(_export(server, outside), server.settings, 600)
    assert link.url == f"{server.url}{link.path}"
    with server.client(signed_in=False) as anybody:
        answer = anybody.get(link.url)
        assert (answer.status_code, answer.content) == (200, b"well,oil\n")
        assert answer.headers["Content-Disposition"] == attachment("Élan.csv")
        assert not answer.cookies
        head = anybody.head(link.url)
        assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "9", b"")
        part = anybody.get(link.url, headers={"Range": "bytes=5-7"})
        assert (part.status_code, part.content) == (206, b"oil")


def test_a_wrong_or_expired_link_opens_nothing(server: Lab) -> None:
    """It is answered with words, to whoever is signed in too, and never leads to the login."""
    link, other = (export_link(_download(server, f"{name}.csv"), server.settings, 600) for name in ("one", "two"))
    expired = export_link(link.job_id, server.settings, 1)
    until(lambda: time.time() > expired.expires_at, 10)
    path, _, query = str(link.path).partition("?")
    wrong = {
        str(expired.path): "This link has expired at ",
        f"{path}?{str(other.path).partition('?')[2]}": "was not made here",
        f"api/v1/exports/{link.job_id[:8]}/file?{query}": "was not made here",
        f"api/v1/exports/{uuid.uuid4()}/file?{query}": "was not made here",
        f"{path}?{query[:-1]}": "was not made here",
        f"{path}?{query.replace('expires=', 'expires=9')}": "was not made here",
        f"{path}?signature=": "was not made here",
    }
    for signed_in in (False, True):
        with server.client(signed_in=signed_in) as client:
            for address, words in wrong.items():
                answer = client.get(address)
                assert (answer.status_code, words in answer.json()["message"]) == (403, True), answer.text
                assert client.head(address).status_code == 403
    with server.client(signed_in=False) as stranger:
        page = stranger.get(str(expired.path), headers={"Accept": "text/html"})
        assert page.status_code == 403 and "Ask for a new one." in page.text
        assert stranger.post(str(link.path)).status_code == 405
        assert stranger.get(f"{path}?{query}&signature=0").status_code == 422
        for unsigned in ("expires=1", "expires=signature=", "expires=signature%3D", "signature", "x=signature="):
            assert stranger.get(f"{path}?{unsigned}").status_code in (401, 403, 422), unsigned


def test_the_log_has_no_signature(start_lab: StartLab, tmp_path: Path) -> None:
    """Neither for a file that is given nor for one that is gone, at the most talkative level; nor for another page."""
    server = start_lab(_project(tmp_path / "loud"), WELLPROD_LOG_LEVEL="DEBUG")
    link = export_link(_download(server, "seen.csv"), server.settings)
    signature = str(link.path).rpartition("=")[2]
    with server.client(signed_in=False) as anybody:
        assert anybody.get(str(link.url)).status_code == 200
        (server.settings.downloads_path / "seen.csv").unlink()
        assert anybody.get(str(link.url)).status_code == 404
        assert anybody.get(str(link.url), headers={"Range": "bytes=99-"}).status_code == 404
        assert anybody.get(f"wellprod/nothing?signature={signature}").status_code == 302
        assert anybody.get(f"nothing?signature={signature}").status_code == 404
        server.settings.link_key_path.write_bytes(b"")
        told = anybody.get(str(link.url))
        assert told.status_code == 503 and str(server.settings.home) not in told.text
    log = server.log.read_text()
    assert f"200 GET {urlsplit(server.url).path}api/v1/exports/{link.job_id}/file" in log
    assert signature not in log and "is no key" in log


def test_a_link_needs_no_login_where_jupyter_wants_one_everywhere(strict: Lab) -> None:
    """Also where the server lets nobody in unless a route says so."""
    link = export_link(_download(strict, "strict.csv"), strict.settings)
    with strict.client(signed_in=False) as anybody:
        assert anybody.get(str(link.url)).content == b"well,oil\n"
        assert anybody.head(str(link.url)).status_code == 200
        assert anybody.get(f"api/v1/exports/{link.job_id}/file").status_code == 401


def test_the_command_finds_the_server_of_the_home(server: Lab, run: CommandLine, tmp_path: Path) -> None:
    """It prints the whole address, which opens; over another home there is no server."""
    job_id = _download(server, "by command.csv")
    done = run("jobs", "link", job_id, WELLPROD_HOME=str(server.settings.home))
    assert done.returncode == 0 and done.stdout.startswith(f"{server.url}api/v1/exports/{job_id}/file?expires=")
    with server.client(signed_in=False) as anybody:
        assert anybody.get(done.stdout.strip()).status_code == 200
    assert server_of(server.settings.model_copy(update={"home": tmp_path})) is None


def test_a_server_that_is_gone_is_not_found(settings: Settings) -> None:
    """Neither one that ended nor one that was killed; of several the newest is."""
    with announced("http://127.0.0.1:1/", settings):
        assert server_of(settings) == "http://127.0.0.1:1/"
        (file,) = (settings.home / "servers").iterdir()
        dead = file.with_name("0.json")
        dead.write_text(file.read_text().replace(f'"pid": {os.getpid()}', '"pid": 4194399'))
        assert server_of(settings) == "http://127.0.0.1:1/" and not dead.exists()
    assert server_of(settings) is None


# Uploads


def test_a_file_chosen_in_the_browser_arrives(server: Lab, visitor: Visitor, tmp_path: Path) -> None:
    """The page sends it, says so, and tells the page's own parts; a refusal is said in words."""
    feed = tmp_path / "Feed März.json"
    feed.write_text(json.dumps([{"well": number} for number in range(50_000)]))
    page = visitor.open(server.link("wellprod/import"))
    chooser = page.get_by_label("Feed as a file")
    expect(chooser).to_be_visible(timeout=60_000)
    chooser.set_input_files(feed)
    status = page.get_by_role("status")
    expect(status).to_contain_text("Feed März.json is here")
    assert (server.settings.uploads_path / feed.name).read_bytes() == feed.read_bytes()
    wrong = tmp_path / "feed.doc"
    wrong.write_text("well")
    chooser.set_input_files(wrong)
    expect(status).to_contain_text("'feed.doc' is not allowed as the name of a feed. Choose a file with a plain name")


@pytest.mark.parametrize(
    "name",
    [
        "a%2Fb.json",
        "..%2Fb.json",
        "a/b.json",
        ".hidden.json",
        "plain.doc",
        ".json",
        "a%5Cb.json",
        "a%0A.json",
        "w" * 300 + ".json",
    ],
)
def test_only_plain_names_are_taken(lab: Lab, name: str) -> None:
    """A name that is a path, hidden, too long or of another kind is refused, and nothing is written."""
    before = sorted(lab.settings.home.rglob("*"))
    with lab.client() as client:
        for answer in (client.put(f"wellprod/uploads/{name}", content=b"[]"), client.get(f"wellprod/uploads/{name}")):
            assert (answer.status_code, "as the name of a feed" in answer.json()["message"]) == (400, True)
    assert sorted(lab.settings.home.rglob("*")) == before


def test_a_large_upload_streams(lab: Lab) -> None:
    """300 MB go to disk while the server stays small."""
    server = psutil.Process(lab.process.pid)
    before, most = server.memory_info().rss, 0

    def content() -> Iterator[bytes]:
        nonlocal most
        for _ in range(BIG_BYTES // 1_000_000):
            yield b"x" * 1_000_000
            most = max(most, server.memory_info().rss)

    with lab.client() as client:
        length = {"Content-Length": str(BIG_BYTES)}
        answer = client.put("wellprod/uploads/big.json", content=content(), headers=length)
    assert answer.json()["size_bytes"] == (lab.settings.uploads_path / "big.json").stat().st_size == BIG_BYTES
    assert most - before < SPARE_BYTES
    (lab.settings.uploads_path / "big.json").unlink()


def test_too_large_is_said_before_a_byte_is_sent(lab: Lab) -> None:
    """The limit is a setting; without a size nothing is taken."""
    answer = lab.get("wellprod/uploads/a.json?size=400000001")
    assert answer.status_code == 413 and "up to 400.0 MB are taken" in answer.json()["message"]
    assert lab.get("wellprod/uploads/a.json?size=400000000").status_code == 204
    assert b" 413 " in _raw_put(lab, "a.json", "Content-Length: 400000001", b"[")
    assert b" 411 " in _raw_put(lab, "a.json", "Transfer-Encoding: chunked", b"2\r\n[]\r\n0\r\n\r\n")
    assert not (lab.settings.uploads_path / "a.json").exists()


def test_a_cut_connection_leaves_nothing(lab: Lab) -> None:
    """Half a file is dropped, also under its temporary name."""
    with _raw_connection(lab, "half.json", "Content-Length: 2000000") as connection:
        connection.sendall(b"x" * 1_000_000)
        folder = lab.settings.uploads_path
        until(lambda: sum(part.stat().st_size for part in folder.glob(".*.part")) > 500_000, 20, "half a file")
    until(lambda: not list(folder.glob(".*.part")), 20, "its end")
    assert not (folder / "half.json").exists()


def test_a_foreign_page_cannot_upload(lab: Lab) -> None:
    """A cookie alone is not enough: the token against forged requests is wanted, as Jupyter does."""
    with lab.client(signed_in=False) as browser:
        browser.get("wellprod", params={"token": lab.token})
        assert browser.put("wellprod/uploads/forged.json", content=b"[]").status_code == 403
        header = {"X-XSRFToken": browser.cookies["_xsrf"]}
        assert not (lab.settings.uploads_path / "forged.json").exists()
        assert browser.put("wellprod/uploads/own.json", content=b"[]", headers=header).status_code == 200


def _raw_connection(lab: Lab, name: str, header: str) -> socket.socket:
    address = httpx.URL(lab.url)
    connection = socket.create_connection((address.host, address.port or 80), timeout=20)
    request = f"PUT {address.path}wellprod/uploads/{name} HTTP/1.1\r\nHost: localhost\r\n"
    connection.sendall(f"{request}Authorization: token {lab.token}\r\n{header}\r\n\r\n".encode())
    return connection


def _raw_put(lab: Lab, name: str, header: str, body: bytes) -> bytes:
    with _raw_connection(lab, name, header) as connection:
        connection.sendall(body)
        return connection.recv(200)


# The command


def test_the_command_says_where_to_go(lab: Lab) -> None:
    """Addresses with the token, the home and how to stop, each whole on its line; and nothing else."""
    lines = lab.log.read_text().splitlines()[:4]
    assert lines[0].split() == ["Dashboards", lab.link("wellprod")]
    assert lines[1].split() == ["JupyterLab", lab.link("lab")]
    assert lines[2].split() == ["Home", str(lab.settings.home)]
    assert lines[3].startswith("To stop     Ctrl-C")


def test_without_notebooks_there_is_nothing_to_serve(run: CommandLine, tmp_path: Path) -> None:
    """The command names the folder it looked for, and how to name another."""
    done = run("lab", WELLPROD_NOTEBOOKS=str(tmp_path / "none"))
    assert done.returncode == 2
    assert "no folder of notebooks" in done.stderr and "WELLPROD_NOTEBOOKS" in done.stderr
