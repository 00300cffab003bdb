"""The explore page as people use it, its address, and what it asks: real browser, server, store."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from tests.browser import Visitor, grave_violations, scrolls_sideways
from tests.conftest import ANP_WELLS
from tests.lab import Lab, StartLab
from tests.stores import fill
from wellprod.analysis.measures import table
from wellprod.analysis.saved import save_selection
from wellprod.analysis.selection import Selection
from wellprod.errors import SelectionError
from wellprod.ingest import ImportRequest, start_import
from wellprod.pages.address import LONGEST_QUERY, read_address, write_address
from wellprod.pages.asking import Asking
from wellprod.pages.lookform import allowed
from wellprod.pages.seeing import see
from wellprod.pages.views import VIEWS, Look
from wellprod.store import Reading, Store

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PATIENCE = 120_000

names = st.lists(st.text(min_size=1, max_size=20).map(str.strip).filter(bool), unique=True, max_size=4).map(tuple)
months = st.sampled_from([None, "2019-12", "2023-01"])


@given(names, names, names, months, st.sampled_from(sorted(allowed("measure")["measure"])))
def test_an_address_says_what_was_chosen(
    fields: tuple[str, ...], wells: tuple[str, ...], groups: tuple[str, ...], first: str | None, measure: str
) -> None:
    """Whatever the names are, what is written into an address is what is read from it."""
    chosen = Selection(fields, wells, first, "2024-05", groups=groups)
    query = write_address(chosen, {"measure": measure}, [("theme", "dark")])
    asked = read_address(query, allowed(), Path("none"))
    assert (asked.selection, asked.choices, asked.others) == (chosen, {"measure": measure}, (("theme", "dark"),))
    assert not asked.problems


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("units=furlong", "units='furlong', which is not allowed. Allowed are: metric, oilfield."),
        ("from=2024-13", "'2024-13' is no month."),
        ("from=2024-05&to=2023-01", "The last month 2023-01 lies before the first"),
        ("fild=Tupi", "'fild', which means nothing here. It may say: selection, group, field, well, from, to, view"),
        ("view=rates&view=ranked", "view 2 times. The last one counts."),
        ("selection=nobody", "There is no selection 'nobody'"),
        ("measure=%00", "which is not allowed"),
    ],
)
def test_what_is_wrong_in_an_address_is_told(query: str, told: str, tmp_path: Path) -> None:
    """It is said in words with what is allowed, and the rest of the address counts."""
    asked = read_address(f"field=Tupi&{query}&token=s3cret", allowed(), tmp_path)
    assert [str(error) for error in asked.problems if told in str(error)]
    assert len(asked.problems) == 1 and "s3cret" not in str(asked.problems)
    assert asked.selection.fields == ("Tupi",)


def test_volumes_are_ranked_over_all_months_that_are_chosen(tmp_path: Path) -> None:
    """Of groups too; any other measure is that of the newest month."""
    fill(tmp_path / "wells_production.duckdb", 10_000)
    (tmp_path / "groups.toml").write_text('[groups.Own]\nwells = ["1"]\n')
    with Store(tmp_path / "wells_production.duckdb").read() as reading:
        by_view = {
            measure: see(reading, Selection(), Look("ranked", measure, by="group")).table["month"].n_unique()
            for measure in ("oil_volume", "oil_rate")
        }
    assert by_view == {"oil_volume": 2, "oil_rate": 1}


def test_an_address_has_an_end() -> None:
    """What no program takes is refused with what to do in its place; a saved selection fits, whatever it holds."""
    many = tuple(f"Well {number}" for number in range(1000))
    with pytest.raises(SelectionError, match="Save the selection under a name"):
        write_address(Selection(wells=many), {})
    assert len(write_address(Selection(wells=many, name="Many"), {})) < LONGEST_QUERY


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_what_reaches_the_page_is_small(tmp_path: Path, view: str) -> None:
    """Of 5,000 wells over 12 months each view gives the page a bounded table and chart."""
    fill(tmp_path / "store.duckdb", 60_000)
    with Store(tmp_path / "store.duckdb").read() as reading:
        seen = see(reading, Selection(), Look(view=view, by="well"))
    assert seen.table.height <= 1000
    assert len(json.dumps(seen.draw().to_dict())) < 300_000
    assert len(seen.wells) == (12 if view == "decline" else 0)


@pytest.mark.slow
def test_a_newer_question_breaks_the_older_off(tmp_path: Path) -> None:
    """What was asked before is interrupted in its query and answers None; no error and no wait is left of it."""
    fill(tmp_path / "store.duckdb", 5000)
    asking, begun = Asking(Store(tmp_path / "store.duckdb")), threading.Event()

    def endless(reading: Reading) -> int:
        begun.set()
        return int(reading.value("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a, b) = 1"))

    async def ask() -> tuple[int | None, int | None]:
        older = asyncio.ensure_future(asking.ask(endless, int))
        await asyncio.to_thread(begun.wait)
        newer = await asking.ask(lambda reading: int(reading.value("SELECT count(*) FROM production")), int)
        return await older, newer

    assert asyncio.run(asyncio.wait_for(ask(), 60)) == (None, 5000)


@pytest.fixture(scope="module")
def lab(start_lab: StartLab) -> Lab:
    """The server, whose pages wait for the store no longer than a test can."""
    return start_lab(NOTEBOOKS, WELLPROD_STORE_WAIT_SECONDS="1")


@pytest.fixture(scope="module")
def anp(lab: Lab) -> Lab:
    """The server with the ANP wells, two groups and a saved selection."""
    start_import(ImportRequest(str(ANP_WELLS)), lab.settings)
    groups = '[fields]\nTupi = ["Lula"]\n[groups."Santos pre-salt"]\nkind = "basin"\nfields = ["Tupi", "Lapa"]\n'
    (lab.settings.home / "groups.toml").write_text(groups)
    with Store(lab.settings.store_path).read() as reading:
        saved = Selection(fields=("Lapa",), first_month="2022-01", name="Lapa lately")
        save_selection(saved, lab.settings.selections_path, reading)
    return lab


def opened(visitor: Visitor, lab: Lab, query: str = "", **size: int) -> Page:
    """Open the page and wait until it shows something."""
    page = visitor.context.new_page()
    page.set_viewport_size({"width": size.get("width", 1280), "height": 900})
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)  # a first chart loads altair, scipy and its program
    page.goto(lab.link(f"wellprod/explore{query}"))
    page.locator(".wp-chart svg, [data-voila] .wp-notice").first.wait_for()
    return page


def says(page: Page, **query: str | list[str]) -> None:
    """Wait until the address says this."""
    wanted = {name: [value] if isinstance(value, str) else value for name, value in query.items()}
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query) == wanted)


@pytest.mark.slow
def test_an_empty_store_is_told(visitor: Visitor, lab: Lab) -> None:
    """There is nothing to choose yet, and where to begin; nothing is written."""
    page = opened(visitor, lab, "?field=Tupi")
    expect(page.get_by_text("The store is empty: there is nothing to explore yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Import a feed or a file")).to_have_attribute("href", "/wellprod/import")
    expect(page.get_by_label("View", exact=True)).to_be_hidden()
    assert not lab.settings.store_path.exists()


@pytest.mark.slow
def test_what_is_chosen_is_seen_and_is_in_the_address(visitor: Visitor, anp: Lab) -> None:
    """Chosen by name, drawn, told in figures and as rows; the address says it, and opens the same again."""
    page = opened(visitor, anp)
    expect(page.get_by_role("heading", name="Rates, GOR and water cut")).to_be_visible()
    expect(page.get_by_text("Newest month")).to_be_visible()
    page.get_by_label("Search fields").fill("lapa")
    page.get_by_label("Matching fields").select_option(label="Lapa (1035)")
    page.get_by_role("button", name="Add field").click()
    says(page, field="Lapa")
    page.get_by_label("View", exact=True).select_option(label="Who adds what")
    page.get_by_label("By", exact=True).select_option(label="Each well")
    page.get_by_label("First month").select_option("2023-01")
    page.get_by_label("Units").select_option(label="Metric: Sm³")
    says(page, **{"field": "Lapa", "from": "2023-01", "view": "stacked", "by": "well", "units": "metric"})
    expect(page.get_by_role("heading", name="Who adds what")).to_be_visible()
    expect(page.locator(".wp-facts").get_by_text("10³ Sm³/d").first).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name=re.compile("Download these [0-9]+ rows as CSV")).click()
    rows = list(csv.DictReader(io.StringIO(Path(started.value.path()).read_text("utf-8"))))
    with Store(anp.settings.store_path).read() as reading:
        selection = Selection(fields=("Lapa",), first_month="2023-01")
        expected = table(reading, selection, ("oil_rate",), by="well", units="metric")
    assert [row["well"] for row in rows] == expected["well"].to_list()
    figures = [float(row["oil_ksm3d"]) if row["oil_ksm3d"] else None for row in rows]
    assert figures == pytest.approx(expected["oil_ksm3d"].to_list())
    page.get_by_text("The data behind this chart").click()
    expect(page.get_by_role("cell", name="2024-05", exact=True).first).to_be_visible()

    shared = page.get_by_label("The address of what you see, to hand on").input_value()
    assert shared == f"{anp.url}wellprod/explore?{urlsplit(page.url).query}"
    other = opened(visitor, anp, f"?{urlsplit(shared).query}")
    expect(other.get_by_label("View", exact=True)).to_have_value("Who adds what")
    expect(other.get_by_role("button", name="Lapa ✕")).to_be_visible()
    expect(other.get_by_label("First month")).to_have_value("2023-01")
    other.get_by_role("link", name="Download the records themselves").click()
    expect(other.get_by_role("button", name="Lapa ✕")).to_be_visible()
    expect(other.get_by_label("First month")).to_have_value("2023-01")


@pytest.mark.slow
def test_what_cannot_be_shown_is_told_in_words(visitor: Visitor, anp: Lab) -> None:
    """A wrong address, a field that is not there, months without a record or in the wrong order: never a traceback."""
    page = opened(visitor, anp, "?units=furlong&field=Tupy&theme=dark")
    alerts = page.get_by_role("alert")
    expect(
        alerts.filter(has_text="units='furlong', which is not allowed. Allowed are: metric, oilfield.")
    ).to_be_visible()
    expect(alerts.filter(has_text="There is no field 'Tupy' in the store. Near to it: Tupi")).to_be_visible()
    page.get_by_role("button", name="Tupy ✕").click()
    expect(page.locator(".wp-chart svg").first).to_be_visible()
    says(page, theme="dark")
    expect(alerts).to_have_count(0)
    page.get_by_label("First month").select_option("2024-05")
    page.get_by_label("Last month").select_option("2023-01")
    expect(alerts.filter(has_text="The last month 2023-01 lies before the first")).to_be_visible()
    page.get_by_label("First month").select_option("2024-02")
    page.get_by_label("Last month").select_option("2024-02")
    expect(page.get_by_text("No record is in this selection.")).to_be_visible()
    assert "Traceback" not in page.content() and not visitor.errors


@pytest.mark.slow
def test_groups_saved_selections_and_one_well(visitor: Visitor, anp: Lab) -> None:
    """A group and a saved selection are chosen by name; of several wells the decline offers the largest."""
    page = opened(visitor, anp, "?group=Santos+pre-salt&view=decline")
    page.get_by_role("button", name=re.compile("^7-.*kbd")).first.click()
    page.wait_for_url(re.compile("group=Santos.pre-salt&well=7-.*view=decline"))
    expect(page.get_by_text("Backtest", exact=True)).to_be_visible()
    expect(page.get_by_text("Fit", exact=True)).to_be_visible()
    page.get_by_label("Saved selection").select_option("Lapa lately")
    says(page, **{"selection": "Lapa lately", "from": "2022-01", "view": "decline"})
    expect(page.get_by_text("Lapa lately · from 2022-01")).to_be_visible()


@pytest.mark.slow
def test_the_page_is_for_everybody(visitor: Visitor, anp: Lab) -> None:
    """Wide, narrow and dark: no grave finding of axe-core, no sideways scrolling, no other host; the chart in words.

    While somebody writes for longer than the page waits it says who does, and a button looks again.
    """
    page = opened(visitor, anp, "?theme=dark")
    expect(page.get_by_role("heading", level=1, name="Explore production", exact=True)).to_be_visible()
    expect(page.get_by_label("Oil rate, water rate, gas rate", exact=False).first).to_be_visible()
    for width in (1280, 700, 400):
        page.set_viewport_size({"width": width, "height": 900})
        chart = page.locator(".wp-chart").element_handle()
        page.wait_for_function("(place) => place.scrollWidth <= place.clientWidth + 1", arg=chart)
        assert not scrolls_sideways(page)
        for theme in ("theme-dark", "theme-light"):
            page.evaluate("(theme) => document.body.className = `jp-Notebook ${theme}`", theme)
            assert grave_violations(page) == []
    with Store(anp.settings.store_path).write():
        page.get_by_label("Units").select_option(label="Metric: Sm³")
        expect(page.get_by_role("alert").filter(has_text="was held by process")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".wp-facts").get_by_text("10³ Sm³/d").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert not visitor.off_host and not visitor.errors and not visitor.failed
