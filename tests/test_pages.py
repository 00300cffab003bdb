"""The import, status and download pages as people use them: a real browser, server, feed and store."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ipywidgets import VBox
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from pydantic import SecretStr

from tests.browser import Visitor, grave_violations, scrolls_sideways
from tests.lab import Lab, StartLab, until
from tests.scripted import record
from wellprod.analysis.saved import delete_selection, load_selection, save_selection
from wellprod.analysis.selection import Selection, selected_records
from wellprod.demo import create_app, generate_wells, running
from wellprod.export import ExportRequest, delete_download, downloads, export_records
from wellprod.ingest import ImportRequest, trigger_import
from wellprod.jobs import Job, Ledger, Status
from wellprod.pages import DownloadPage, ImportPage, StatusPage, open_page
from wellprod.schema import RECORD
from wellprod.store import Store

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SECRET = "s3cr3t-t0ken"
PATIENCE = 30_000


@pytest.fixture(scope="module")
def wells() -> pl.DataFrame:
    """What the feed holds."""
    return generate_wells(40, 60, 1, date(2024, 5, 1))


class Gate:
    """A feed that gives some pages and then none until it is opened, so that an import runs as long as a test needs."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._opened = threading.Event()
        self._opened.set()
        self._pages = 0

    def shut(self, after: int) -> None:
        """Give so many pages more, then wait."""
        self._pages = after
        self._opened.clear()

    def open(self) -> None:
        """Give all that is asked for."""
        self._opened.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the feed does, in time."""
        if scope["type"] == "http" and scope["path"].endswith("/WellProduction"):
            self._pages -= 1
            while self._pages < 0 and not self._opened.is_set():
                await asyncio.sleep(0.01)
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def gate(wells: pl.DataFrame) -> Gate:
    """The feed, which wants a token."""
    return Gate(create_app(wells, bearer=SECRET))


@pytest.fixture(scope="module")
def feed(gate: Gate) -> Iterator[str]:
    """Where the feed is."""
    with running(gate) as url:  # type: ignore[arg-type]
        yield url
        gate.open()


@pytest.fixture(autouse=True)
def _open_gate(gate: Gate) -> Iterator[None]:
    yield
    gate.open()


@pytest.fixture(scope="module")
def lab(start_lab: StartLab, feed: str) -> Lab:
    """The server, with the feed and its token set in its environment, under a path of its own."""
    sets = {"FEED_URL": feed, "FEED_TOKEN": SECRET, "GROUP_SECONDS": "0.3", "PAGE_SIZE": "500"}
    command = ("wellprod", "lab", "--no-browser", "--port", "0", "--base-url", "/bench/", "--")
    return start_lab(
        NOTEBOOKS,
        "--WellprodApp.page_grace_seconds=20",
        command=command,
        **{f"WELLPROD_{name}": sets[name] for name in sets},
    )


@pytest.fixture(scope="module")
def form(browser: Browser, lab: Lab) -> Iterator[Page]:
    """An import page for the tests that start nothing."""
    context = browser.new_context()
    yield opened(Visitor(context), lab, "import")
    context.close()


def opened(visitor: Visitor, lab: Lab, name: str, **size: int) -> Page:
    """Open a page and wait until it is there."""
    page = visitor.open(lab.link(f"wellprod/{name}"), **size)
    page.locator(".wp-section:visible").first.wait_for(timeout=60_000)
    page.set_default_timeout(PATIENCE)
    return page


def assert_for_everybody(visitor: Visitor, page: Page, title: str) -> None:
    """Check a page as it stands: a title, no grave finding of axe-core, no sideways scrolling, no other host, no error.

    Each page is looked at where a test has it open anyhow, since every one has a kernel of its own.
    """
    expect(page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert grave_violations(page) == []
        assert not scrolls_sideways(page)
    assert not visitor.off_host and not visitor.errors and not visitor.failed


def imports(lab: Lab) -> list[Job]:
    """Give the imports, newest first."""
    return Ledger(lab.settings.jobs_path).jobs(kind="import")


def ended(lab: Lab) -> Job:
    """Wait until the newest job has ended, and give it."""
    ledger = Ledger(lab.settings.jobs_path)
    return until(lambda: next((j for j in ledger.jobs(limit=1) if not j.is_active), None), 60, "an end")


def records(lab: Lab) -> int:
    """Count what is in the store."""
    with Store(lab.settings.store_path).read() as reading:
        return int(reading.value("SELECT count(*) FROM production"))


@pytest.fixture
def stored(lab: Lab, feed: str, wells: pl.DataFrame) -> int:
    """A store with all that the feed has; gives the count."""
    if not lab.settings.store_path.exists() or records(lab) < wells.height:
        trigger_import(ImportRequest(feed), lab.settings.model_copy(update={"feed_token": SecretStr(SECRET)}))
        assert ended(lab).status == Status.COMPLETED
    return records(lab)


def test_a_wrong_setting_is_told_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the first thing that people meet who write a file of credentials."""
    filed = tmp_path / "credentials.env"
    filed.write_text(f"WELLPROD_FEED_TOKEN={SECRET}")
    filed.chmod(0o644)
    monkeypatch.setenv("WELLPROD_HOME", str(tmp_path))
    for page in (ImportPage, StatusPage, DownloadPage):
        sections = [part for part in open_page(page).children if isinstance(part, VBox)]
        shown = sections[-1].children[1].value
        assert f"chmod 600 {filed}" in shown and SECRET not in shown


def test_empty_pages_say_what_to_do(visitor: Visitor, lab: Lab) -> None:
    """Before the first import each page says that there is nothing yet and where to begin; nothing is written."""
    status = opened(visitor, lab, "status")
    expect(status.get_by_text("Nothing is in the store yet")).to_be_visible()
    expect(status.get_by_role("link", name="Import a feed or a file")).to_have_attribute(
        "href", "/bench/wellprod/import"
    )
    expect(status.get_by_text("No job has run yet.")).to_be_visible()
    download = opened(visitor, lab, "download")
    expect(download.get_by_text("there is nothing to export yet")).to_be_visible()
    expect(download.get_by_role("button", name="Export", exact=True)).to_be_disabled()
    expect(opened(visitor, lab, "import").get_by_text("No import has run yet.")).to_be_visible()
    assert not lab.settings.store_path.exists()


REFUSED = [
    ("Page size", "9000", "page size 9000 is not allowed; it must be from 1 to 5000."),
    ("Page size", "0", "page size 0 is not allowed; it must be from 1 to 5000."),
    ("Feed address or file", "~nobody-here/wells.json", "There is no file ~nobody-here/wells.json."),
    ("Feed address or file", "w" * 300, "There is no file www"),
    ("Page size", "many", "page size 'many' is not allowed; it must be a whole number."),
    ("Start page", "3", "start page 3 needs pages with numbers."),
    ("Max pages", "0", "max pages 0 is not allowed; it must be 1 or more."),
    ("Since month", "2024-13", "since '2024-13' is not allowed; it must be a month such as 2024-01."),
    ("Feed address or file", "https://host/x?key=abcdef", "The address holds a secret"),
    ("Feed address or file", "https://me:pw@host/x", "holds a secret"),
    ("Feed address or file", "nowhere.json", "There is no file nowhere.json."),
]


@pytest.mark.parametrize(("label", "value", "told"), REFUSED, ids=[value for _, value, _ in REFUSED])
def test_inputs_are_checked_as_typed(form: Page, label: str, value: str, told: str) -> None:
    """What is not allowed is told beside the form while it is typed, and cannot be started; what is allowed can."""
    field = form.get_by_label(label)
    before = field.input_value()
    field.fill(value)
    expect(form.get_by_role("alert")).to_contain_text(told)
    expect(form.get_by_role("button", name="Start import")).to_be_disabled()
    field.fill(before)
    expect(form.get_by_role("button", name="Start import")).to_be_enabled()


def test_a_dry_run_shows_the_first_page_and_stores_nothing(form: Page, lab: Lab, tmp_path: Path) -> None:
    """Its records, its rejects with the raw rows, the profile and the counts; names of the feed are never markup."""
    rows = [record(n, _field_name="<img src=x onerror=alert(1)> & Sons") for n in range(1, 6)]
    rows += [record(6, oil_production_kbd="much"), record(7, production_period="yesterday")]
    file = tmp_path / "feed.json"
    file.write_text(json.dumps({"value": rows}))
    before = form.get_by_label("Feed address or file").input_value()
    form.get_by_label("Feed address or file").fill(str(file))
    form.get_by_role("button", name="Look at the first page").click()
    expect(form.get_by_text("First 5 records, as they would be stored")).to_be_visible()
    expect(form.get_by_text("<img src=x onerror=alert(1)> & Sons").first).to_be_visible()
    form.get_by_text("oil_production_kbd is no finite number (1)").click()
    expect(form.get_by_text('"oil_production_kbd":"much"').first).to_be_visible()
    expect(form.get_by_text("production_period is no date (1)")).to_be_visible()
    form.get_by_label("Feed address or file").fill(before)
    assert not lab.settings.store_path.exists() and not imports(lab)


def test_the_page_says_which_sign_in_is_used(form: Page) -> None:
    """Kind and place of the credentials are told, the secret itself is nowhere in the form."""
    form.get_by_text("Signs in with a bearer token, from the environment.").click()
    expect(form.get_by_text("Credentials are never typed into a page.")).to_be_visible()
    assert SECRET not in form.content()
    assert form.get_by_label(re.compile("token|password|key", re.IGNORECASE)).count() == 0


def test_the_keyboard_reaches_each_input_in_order(form: Page) -> None:
    """Tab goes through the form as it is read, and shows where it is; Enter on the button starts."""
    form.get_by_label("Feed address or file").focus()
    met = []
    for _ in range(9):
        form.keyboard.press("Tab")
        met.append(form.evaluate("document.activeElement.labels?.[0]?.innerText || document.activeElement.innerText"))
        outline = form.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", met[-1]
    assert [text.strip().split(",")[0] for text in met] == [
        "Profile",
        "Or pick a JSON",
        "Page size",
        "Start page",
        "Max pages",
        "Since month",
        "Paging",
        "Only what changed since the last import",
        "Signs in with a bearer token",
    ]


def test_an_import_outlives_its_tab(visitor: Visitor, lab: Lab, gate: Gate, wells: pl.DataFrame) -> None:
    """Started, followed, left; found again running, cancelled, resumed, done: the store equals the source."""
    gate.shut(after=20)
    others = {kernel["id"] for kernel in lab.kernels()}
    page = opened(visitor, lab, "import")
    page.get_by_label("Page size").fill("50")
    page.get_by_role("button", name="Start import").click()
    expect(page.get_by_text("The import is running.")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", re.compile(r"\d"), timeout=PATIENCE)
    expect(page.get_by_text("Time left")).to_be_visible()
    page.close(run_before_unload=True)
    until(lambda: {kernel["id"] for kernel in lab.kernels()} <= others, 30, "no kernel left behind")
    assert imports(lab)[0].is_active

    page = opened(visitor, lab, "import")
    expect(page.get_by_text("The import is running.")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The import was stopped.")).to_be_visible(timeout=PATIENCE)
    assert 0 < records(lab) < wells.height

    gate.open()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("The import is done.")).to_be_visible(timeout=60_000)
    expect(page.get_by_text(f"{wells.height:,} records are in the store.")).to_be_visible()
    assert records(lab) == wells.height
    assert imports(lab)[0].runs == 2


def test_a_second_import_is_explained_and_shows_the_first(visitor: Visitor, lab: Lab, gate: Gate, stored: int) -> None:
    """While one runs, Start tells that only one may, and the page shows that one."""
    gate.shut(after=20)
    page = opened(visitor, lab, "import")
    page.get_by_label("Page size").fill("50")
    start = page.get_by_role("button", name="Start import")
    start.click()
    expect(page.get_by_text("The import is running.")).to_be_visible(timeout=PATIENCE)
    start.click()
    expect(page.get_by_text("Another import is running; only one runs at a time.")).to_be_visible()
    expect(page.get_by_text(imports(lab)[0].job_id)).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The import was stopped.")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Another import is running")).to_have_count(0)


def test_a_failed_import_says_why_and_how_to_go_on(visitor: Visitor, lab: Lab) -> None:
    """The page that failed, the reason and the next step are on the page."""
    with running(create_app(generate_wells(2, 12, 1, date(2024, 5, 1)), bearer="another")) as locked:
        page = opened(visitor, lab, "import")
        page.get_by_label("Feed address or file").fill(locked)
        page.get_by_role("button", name="Start import").click()
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("401", timeout=PATIENCE)
        expect(alert).to_contain_text("Resume goes on from there.")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert SECRET not in page.content()
    assert_for_everybody(visitor, page, "Import production")


def test_a_file_of_this_computer_can_be_imported(visitor: Visitor, lab: Lab, tmp_path: Path, stored: int) -> None:
    """A file picked in the browser is sent, chosen there alone, and imported with its rejects shown by reason."""
    file = tmp_path / "MONTHLY.JSON"
    other = opened(visitor, lab, "import")
    other.get_by_label("Feed address or file").fill("https://host/odata/Wells")
    rows = [record(900 + n) for n in range(5)] + [record(999, production_period="soon")]
    file.write_text(json.dumps({"value": rows}))
    page = opened(visitor, lab, "import")
    page.get_by_label("Or pick a JSON").set_input_files(file)
    expect(page.get_by_label("Feed address or file")).to_have_value(
        str(lab.settings.uploads_path / file.name), timeout=PATIENCE
    )
    expect(other.locator(f"datalist option[value$='{file.name}']")).to_be_attached()
    expect(other.get_by_label("Feed address or file")).to_have_value("https://host/odata/Wells")
    page.get_by_role("button", name="Start import").click()
    expect(page.get_by_text("5 records are in the store; 1 row was rejected")).to_be_visible(timeout=PATIENCE)
    page.get_by_text("production_period is no date (1)").click()
    expect(page.get_by_text('"production_period":"soon"').first).to_be_visible()


def test_the_status_page_checks_the_records_when_asked(visitor: Visitor, lab: Lab, stored: int) -> None:
    """Opening it looks at none of them; the button counts what they have about them, by rule."""
    page = opened(visitor, lab, "status")
    table = page.get_by_role("table", name="Data quality by rule")
    expect(page.get_by_text("Gaps, contradictions, jumps and repeats.")).to_be_visible(timeout=PATIENCE)
    expect(table).to_have_count(0)
    page.get_by_role("button", name="Check the records").click()
    expect(table.or_(page.get_by_text("No rule of data quality is broken."))).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Check the records")).to_be_enabled()


def test_the_status_page_keeps_itself_up_to_date(
    visitor: Visitor, lab: Lab, gate: Gate, feed: str, stored: int
) -> None:
    """A job that somebody else starts appears by itself, live, then in the history; the store's facts follow."""
    page = opened(visitor, lab, "status")
    expect(page.get_by_text(f"{records(lab):,}", exact=True).first).to_be_visible()
    expect(page.get_by_text("Nothing is running.")).to_be_visible()
    expect(page.get_by_text(f"{feed} answers")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("img", name=re.compile("Records a second"))).to_be_visible(timeout=PATIENCE)
    gate.shut(after=20)
    signed_in = lab.settings.model_copy(update={"feed_token": SecretStr(SECRET), "group_seconds": 0.3})
    job_id = trigger_import(ImportRequest(feed, page_size=50), signed_in)
    expect(page.get_by_text("The import is running.")).to_be_visible(timeout=PATIENCE)
    Ledger(lab.settings.jobs_path).cancel(job_id)
    expect(page.get_by_role("row", name=re.compile(job_id[:8]))).to_contain_text("CANCELLED", timeout=PATIENCE)
    expect(page.get_by_text("Nothing is running.")).to_be_visible()
    assert str(lab.settings.store_path) in page.content()
    assert_for_everybody(visitor, page, "Production status")


def test_a_download_is_what_the_store_holds(visitor: Visitor, lab: Lab, tmp_path: Path, stored: int) -> None:
    """Field by name, months, columns, exact count, export, and the file byte for byte; then it is deleted."""
    with Store(lab.settings.store_path).read() as reading:
        name = reading.value("SELECT field_name FROM production GROUP BY ALL ORDER BY count(*) DESC LIMIT 1")
        count = reading.value(
            "SELECT count(*) FROM production WHERE field_name = ? AND production_period >= '2022-03-01'", [name]
        )
    page = opened(visitor, lab, "download")
    page.get_by_label("Search fields").fill(name[1:].lower())
    page.get_by_label("Matching fields").select_option(index=0)
    page.get_by_role("button", name="Add field").click()
    page.get_by_label("First month").select_option("2022-03")
    chosen = page.get_by_text(re.compile(rf"^{count:,} records of"))
    expect(chosen).to_be_visible(timeout=PATIENCE)
    page.get_by_label("All columns").uncheck()
    for column in ("partition_0", "source_data", "created_at", "updated_at"):
        page.get_by_label(column).uncheck()
    expect(chosen).to_be_visible()
    page.get_by_role("button", name="Export", exact=True).click()
    link = page.get_by_role("link", name=re.compile("^Download wells_prod")).first
    expect(page.get_by_text("The file is ready.")).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as downloading:
        link.click()
    got = Path(downloading.value.path()).read_bytes()
    columns = tuple(got.splitlines()[0].decode().split(","))
    request = ExportRequest(Selection((name,), (), "2022-03"), output=tmp_path / "own.csv", columns=columns)
    export_records(request, lab.settings)
    assert hashlib.sha256(got).digest() == hashlib.sha256((tmp_path / "own.csv").read_bytes()).digest()
    assert "partition_0" not in columns and got.count(b"\n") == count + 1
    assert downloading.value.suggested_filename.endswith("_2022-03.csv")

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete for good?").click()
    expect(page.get_by_text("No export lies ready.")).to_be_visible()
    assert not list(lab.settings.downloads_path.rglob("*.csv"))


def test_a_saved_selection_is_what_is_exported(visitor: Visitor, lab: Lab, tmp_path: Path, stored: int) -> None:
    """Saved once a name is right, chosen after a reload, exported as JSON under its name; replaced, deleted."""
    with Store(lab.settings.store_path).read() as reading:
        early = "SELECT field_name FROM production WHERE production_period < '2024-01-01'"
        field = reading.value(f"{early} GROUP BY ALL ORDER BY count(*) LIMIT 1")
        held = selected_records(reading, Selection((field,), last_month="2023-12"))
    page = opened(visitor, lab, "download")
    page.get_by_label("Search fields").fill(field)
    page.get_by_label("Matching fields").select_option(index=0)
    page.get_by_role("button", name="Add field").click()
    page.get_by_label("Last month").select_option("2023-12")
    page.get_by_role("button", name="Save this selection").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("a/b")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("'a/b' cannot be the name of a selection.")
    page.get_by_label("Name", exact=True).fill("Smallest to 2023")
    page.get_by_label("Client").fill("N & W")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The selection is saved as 'Smallest to 2023'.")).to_be_visible()
    assert load_selection("Smallest to 2023", lab.settings.selections_path).fields == (field,)

    page = opened(visitor, lab, "download")
    page.get_by_label("Saved selection").select_option("Smallest to 2023")
    expect(page.get_by_label("Last month")).to_have_value("2023-12")
    expect(page.get_by_text("For N & W")).to_be_visible()
    page.get_by_label("Format").select_option("JSON, one record a line")
    expect(page.get_by_label("Keep spreadsheets")).to_be_hidden()
    expect(page.get_by_text(re.compile(rf"^{held.height:,} records of"))).to_be_visible()
    expect(page.get_by_text("wells_prod_Smallest-to-2023_2023-12.ndjson")).to_be_visible()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("The file is ready.")).to_be_visible(timeout=PATIENCE)
    with page.expect_download() as downloading:
        page.get_by_role("link", name=re.compile("Smallest")).first.click()
    assert pl.read_ndjson(downloading.value.path(), schema=RECORD).equals(held)

    page.get_by_role("button", name=f"{field} ✕").click()
    expect(page.get_by_text("Changed: without its name until it is saved again.")).to_be_visible()
    page.get_by_role("button", name="Save this selection").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("There is a selection 'Smallest to 2023' already.")).to_be_visible()
    page.get_by_role("button", name="Replace it").click()
    expect(page.get_by_text("The selection is saved as")).to_be_visible()
    assert load_selection("Smallest to 2023", lab.settings.selections_path).fields == ()
    page.get_by_role("button", name="Delete this selection").click()
    page.get_by_role("button", name="Delete for good?").click()
    expect(page.get_by_text("is deleted; what was exported stays.")).to_be_visible()
    assert page.get_by_label("Saved selection").locator("option").all_inner_texts() == ["None"]
    for job in downloads(lab.settings):
        delete_download(job.job_id, lab.settings)


def test_an_empty_selection_is_told(visitor: Visitor, lab: Lab, stored: int) -> None:
    """A choice without a record says so and cannot be exported."""
    page = opened(visitor, lab, "download")
    page.get_by_label("First month").select_option("2024-04")
    page.get_by_label("Last month").select_option("2024-01")
    expect(page.get_by_role("alert")).to_contain_text("lies before the first")
    expect(page.get_by_role("button", name="Export", exact=True)).to_be_disabled()
    page.get_by_label("Search wells").fill("no such well")
    expect(page.get_by_label("No well matches")).to_be_visible()
    assert_for_everybody(visitor, page, "Download production")


def test_what_changes_while_the_page_is_made_is_shown(visitor: Visitor, lab: Lab, stored: int) -> None:
    """What the kernel says after the page asked for its widgets, and before it has them, still gets there."""
    held: list[str | bytes] = []
    wires: list[WebSocketRoute] = []
    name = "Meanwhile"

    def hold(wire: WebSocketRoute) -> None:
        def passed(message: str | bytes) -> None:
            raw = message.encode() if isinstance(message, str) else message
            if wire not in wires and b"update_states" in raw:  # how the widgets are at that moment
                wires.append(wire)
            (held.append if wire in wires else wire.send)(message)

        wire.connect_to_server().on_message(passed)

    def told(text: str) -> bool:
        page.evaluate("0")  # lets messages come
        return any(text.encode() in (raw.encode() if isinstance(raw, str) else raw) for raw in held)

    ledger = Ledger(lab.settings.jobs_path)
    running_job = ledger.create("export", ExportRequest().as_parameters(), status=Status.RUNNING)  # pages look often
    page = visitor.context.new_page()
    page.route_web_socket(re.compile("/channels"), hold)
    page.goto(lab.link("wellprod/download"))
    until(lambda: told("update_states"), 60, "the widgets")
    with Store(lab.settings.store_path).read() as reading:
        save_selection(Selection(name=name), lab.settings.selections_path, reading)
    until(lambda: told(name), 30, "the selection")  # the browser waits 4 s for its widgets
    for message in held:
        wires[0].send(message)
    wires.clear()
    expect(page.get_by_label("Saved selection").get_by_role("option", name=name)).to_be_attached(timeout=PATIENCE)
    delete_selection(name, lab.settings.selections_path)
    ledger.finish(running_job.job_id, Status.CANCELLED)
