"""The field report: its facts in words and parts, its pages, and many fields at once."""

from __future__ import annotations

import json
import signal
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pypdf
import pytest

from wellprod.analysis.field.report import FieldReport, Shown, field_report
from wellprod.analysis.field.words import headline, spoken
from wellprod.analysis.measures import table
from wellprod.analysis.selection import Selection
from wellprod.errors import NotThere, SelectionError, UsageError, WellprodError
from wellprod.jobs import Status
from wellprod.reports import StopReport, Watch, run_report, run_reports
from wellprod.reports.blocks import Grid, Heading, NewPage, Picture, Text, blocks_of
from wellprod.reports.notebook import find_report
from wellprod.reports.subject import subject_of
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .conftest import CommandLine
from .test_import import tuned
from .test_reports import NOTEBOOKS, assert_fit_to_show, write_notebook
from .test_store import merged
from .test_volume_bridge import month

PARTS = [name for name, value in vars(FieldReport).items() if isinstance(value, property)]
FIELD = 'field: str = ""\nas_of: str | None = None\nunits: str = "oilfield"'


@pytest.fixture(scope="module")
def anp(tmp_path_factory: pytest.TempPathFactory, anp_records: list[dict[str, Any]]) -> Store:
    """A store with the ANP wells."""
    store = Store(tmp_path_factory.mktemp("anp") / "wells_production.duckdb")
    merged(store, anp_records)
    return store


@pytest.fixture
def three(settings: Settings, tmp_path: Path) -> Settings:
    """A store of three fields, of which one has no record of the last month; and notebooks of the test."""
    names = {1: "Home", 2: "Zwei/Drei", 3: "Old"}
    rows = [month(code, "2024-02", 1.0, field_code=code, _field_name=name) for code, name in names.items()]
    rows += [month(code, "2024-03", 1.0, field_code=code, _field_name=names[code]) for code in (1, 2)]
    merged(Store(settings.store_path), rows)
    folder = tmp_path / "notebooks"
    write_notebook(folder, "own", "assert field != '2', 'no second'", "print(field, as_of)", parameters=FIELD)
    return tuned(settings, notebooks=folder)


@cache
def told(store: Store, field: str, as_of: str | None = None, **options: Any) -> FieldReport:
    """Make a report."""
    with store.read() as reading:
        return field_report(reading, field, as_of, **options)


# What it says


def test_the_headline_says_what_changed_and_why(anp: Store) -> None:
    """In the order of weight, with the unit that people say; a gap in the data is told as one."""
    assert headline(told(anp, "Tupi").facts) == [
        "Tupi produced 983 thousand barrels of oil in May 2024 (31.7 thousand a day), 43.1 % less than in April:"
        " 1 well not reported now took 882 thousand barrels and growth of 1 well added 110 thousand barrels.",
        "Its rate is 48.1 % below that of May 2023.",
    ]
    assert "156 thousand Sm³ of oil in May 2024" in headline(told(anp, "Tupi", units="metric").facts)[0]
    assert "; it has no figure for July: 3 wells from Lula added" in headline(told(anp, "tupi", "2020-08").facts)[0]
    assert "1.35 billion cubic feet of gas" in headline(told(anp, "Mexilhão").facts)[0]


def test_volumes_are_said_in_words() -> None:
    """Three digits that count, and the word for thousands."""
    assert spoken(27_140.0, "oil", "oilfield") == "27.1 million barrels"
    assert spoken(0.0004, "gas", "oilfield") == "400 cubic feet"
    assert spoken(999.96, "boe", "metric") == "1.00 million Sm³ of oil equivalent"
    assert spoken(0.0, "oil", "metric") == "0.00 Sm³"


@pytest.mark.parametrize("field", ["Tupi", "Mexilhão", "1039", "Bonsucesso"])
def test_each_part_shows_itself_whatever_is_known(anp: Store, field: str) -> None:
    """Nulls, a gas field, a field that ended and one with a single month: each part is HTML or a chart."""
    report = told(anp, field)
    for name in PARTS:
        part = getattr(report, name)
        assert part.html.startswith("<") if isinstance(part, Shown) else part.to_dict()["config"], name


def test_a_reader_is_told_what_not_to_trust(anp: Store) -> None:
    """A month that is not the latest, wells that did not report, records without the figure, a poor forecast."""
    page = told(anp, "Tupi").headline.html
    assert "2 of 5 wells expected did not report" in page and "2 of 3 wells with a record have no figure of oil" in page
    assert "Not reported for this month: water rate and uptime." in page
    assert "This is not the latest month: the source has records up to May 2024" in told(anp, "Lula").headline.html
    assert "Not to be trusted" in told(anp, "Tupi").outlook.html


def test_restatements_are_told_in_the_units_of_the_report(tmp_path: Path) -> None:
    """With what was known before; none is said too."""
    store = Store(tmp_path / "wells_production.duckdb")
    merged(store, [month(1, "2024-02", 1.0)], "00000000-0000-0000-0000-000000000001")
    merged(store, [month(1, "2024-03", 1.0)], "00000000-0000-0000-0000-000000000002")
    with store.read() as reading:
        before = field_report(reading, "1")
    assert "No record that was known before has changed" in before.restatements.html
    merged(store, [month(1, "2024-02", 2.0)], "00000000-0000-0000-0000-000000000003")
    report = told(store, "1", units="metric")
    assert "0.159" in report.restatements.html and "0.318" in report.restatements.html
    assert "as known" in json.dumps(report.bridge_chart.to_dict())
    assert "in February as it was then known" in report.headline.html
    assert "as it was then known" not in FieldReport(before.facts).headline.html


def test_oil_equivalent_is_bridged_where_its_measure_is_there(tmp_path: Path) -> None:
    """Of a field whose gas is not reported it would be its oil under another name."""
    store = Store(tmp_path / "wells_production.duckdb")
    merged(store, [month(1, each, 1.0) for each in ("2024-02", "2024-03")])
    merged(store, [month(2, each, 1.0, field_code=2, gas_production_mmcfd=6.0) for each in ("2024-02", "2024-03")])
    with store.read() as reading:
        of_oil, of_both = (field_report(reading, field).facts for field in ("1", "2"))
    assert set(of_oil.bridges) == {"oil"} and set(of_both.bridges) == {"oil", "gas", "boe"}
    assert of_both.bridges["boe"].end == pytest.approx(of_both.figures["boe_volume"].now)


def test_a_field_has_one_title_everywhere(tmp_path: Path) -> None:
    """That of groups.toml, also where it names the field by its code alone."""
    store = Store(tmp_path / "wells_production.duckdb")
    merged(store, [month(1, "2024-02", 1.0)])
    (tmp_path / "groups.toml").write_text('[fields]\nHouse = ["1"]\n')
    with store.read() as reading:
        by_field = table(reading, measures=("oil_rate",), by="field")
        assert field_report(reading, "Home").facts.about.title == by_field["field"][0] == "House"


# What it may be asked for


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"field": "Hom"}, NotThere, "Near to it: Home"),
        ({}, UsageError, "--each-field"),
        ({"field": "3", "as_of": "2024-03"}, UsageError, "Old has no record of 2024-03. It has records from 2024-02"),
        ({"field": "1", "as_of": "March"}, SelectionError, "YYYY-MM"),
        ({"field": "1", "units": "metrik"}, UsageError, "oilfield, metric"),
    ],
)
def test_a_field_and_its_month_are_checked_before_a_kernel_starts(
    three: Settings, given: dict[str, str], kind: type[WellprodError], says: str
) -> None:
    """The message names what there is; no file is made."""
    with pytest.raises(kind) as refused:
        run_report("own", given, three)
    assert says in str(refused.value) and refused.value.exit_code == 2
    assert not three.reports_path.exists()


def test_the_names_of_the_files_tell_the_field(three: Settings) -> None:
    """By code and name, without what a file cannot be called; another notebook's parameters are its own."""
    about = subject_of(find_report("own", three), {"field": "zwei/drei"}, three)
    assert about and (about.title, about.label) == ("Zwei/Drei", "2-Zwei-Drei")
    write_notebook(three.notebooks, "free", parameters="field: str | None = None")
    assert subject_of(find_report("free", three), {}, three) is None


# Its pages


def test_a_notebook_becomes_blocks() -> None:
    """Headings, sentences, items, tables with their figures, pictures; marks of polars and styles are left out."""
    new: Any = nbformat.v4
    table = (
        "<style>x</style><small>shape: (1, 2)</small><table class='dataframe'><thead><tr><th>a</th><th>b</th></tr>"
        "<tr><td>str</td><td>f64</td></tr></thead><tbody><tr><td>x</td><td style='text-align: right'>1.5</td></tr>"
        "</tbody></table>"
    )
    outputs = [
        new.new_output("display_data", {"text/html": table, "text/plain": "no"}),
        new.new_output("display_data", {"image/svg+xml": "<svg/>", "text/plain": "no"}),
        new.new_output("display_data", {"text/html": "<p class='lead'>First <b>of</b> all.</p>bare"}),
        new.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "no"}),
        new.new_output("stream", name="stdout", text="said\n"),
    ]
    cells = [new.new_markdown_cell("## Two\n\nA `b`.\n\n- one\n\n---"), new.new_code_cell("", outputs=outputs)]
    assert list(blocks_of(new.new_notebook(cells=cells))) == [
        Heading("Two", 2),
        Text("A b."),
        Text("one", "item"),
        NewPage(),
        Grid(["a", "b"], [["x", "1.5"]], [False, True]),
        Picture("<svg/>"),
        Text("First of all.", "lead"),
        Text("bare"),
        Text("said", "printed"),
    ]


@pytest.mark.slow
def test_the_report_is_kept_as_notebook_html_and_pdf(anp: Store) -> None:
    """One page for a manager, the detail after it; the title is the field, and each page says which it is."""
    ours = load_settings(home=anp.path.parent, notebooks=NOTEBOOKS)
    result = run_report("field_report", {"field": "Tupi", "units": "metric"}, ours)
    assert (result.status, result.field, result.notebook.name[:22]) == (
        Status.COMPLETED,
        "Tupi",
        "field_report-1064-Tupi",
    )
    html = result.html.read_text("utf-8")
    assert_fit_to_show(html)
    assert "<h1>Tupi, May 2024</h1>" in html and html.count("<h1") == 1 and "10³ Sm³" in html
    assert result.pdf
    pages = [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(result.pdf).pages]
    for words in ("Tupi, May 2024", "43.1 % less than in April", "Completeness", "Page 1 of"):
        assert words in pages[0]
    assert "Why the volumes changed" not in pages[0] and pages[1].startswith("Tupi, May 2024")
    assert len(pypdf.PdfReader(result.pdf).pages[0].images) == 2
    whole = " ".join(pages)
    for words in (
        "Not reported",
        "rate before x (days now - days before)",
        "Boletim Mensal",
        "6:1",
        f"of {len(pages)}",
    ):
        assert words in whole


# Many fields at once


@pytest.mark.slow
def test_each_field_has_a_report_and_a_failure_stays_alone(run: CommandLine, three: Settings) -> None:
    """Two at once: exit 1 with the one that failed, the files of all are kept, what has no such month is left out."""
    three.reports_path.mkdir()
    for name in ("own-1-Home", "own-2-Zwei-Drei", "own"):
        (three.reports_path / f"{name}-20200101-000000.ipynb").touch()
    arguments = ["report", "own", "--each-field", "-p", "as_of", "2024-03", "--no-pdf", "--json"]
    done = run(*arguments, WELLPROD_NOTEBOOKS=str(three.notebooks), WELLPROD_REPORTS_KEPT="1")
    result = json.loads(done.stdout)
    assert (done.returncode, done.stderr, result["status"], result["done"]) == (1, "", "FAILED", 1)
    assert [(one["field"], one["status"], one["pdf"]) for one in result["reports"]] == [
        ("Home", "COMPLETED", None),
        ("Zwei/Drei", "FAILED", None),
    ]
    (failed,) = result["failed"]
    assert failed["field"] == "Zwei/Drei" and "AssertionError: no second" in failed["message"]
    assert result["left_out"] == [{"field": "3", "reason": "Old has no record of 2024-03."}]
    kept = sorted(path.name[: path.name.index("-20")] for path in three.reports_path.iterdir())
    assert kept == ["own", *["own-1-Home"] * 2, *["own-2-Zwei-Drei"] * 2]
    assert "1 2024-03" in Path(result["reports"][0]["html"]).read_text("utf-8")


def test_wrong_use_for_many_is_told_before_a_kernel_starts(three: Settings) -> None:
    """A report without a field, one field beside each, an unknown field, a month that no field has."""
    everything = Selection()
    write_notebook(three.notebooks, "plain", "print(1)")
    for name, given, chosen, says in (
        ("plain", {}, everything, "takes no field"),
        ("own", {"field": "1"}, everything, "Leave out -p field"),
        ("own", {}, Selection(fields=("Hom",)), "Near to it: Home"),
        ("own", {"as_of": "2031-01"}, everything, "has no record of 2031-01"),
        ("own", {"as_off": "2031-01"}, everything, "Did you mean as_of?"),
    ):
        with pytest.raises(WellprodError) as refused:
            run_reports(name, given, chosen, three)
        assert says in str(refused.value)
    assert not three.reports_path.exists()


def test_fields_of_one_name_are_told_apart(three: Settings) -> None:
    """By their codes, so that each has its own line and its own error; none begins once the stop is asked for."""
    merged(Store(three.store_path), [month(4, "2024-03", 1.0, field_code=4, _field_name="Home")])
    stop = StopReport()
    stop.ask()
    assert run_reports("own", {}, Selection(), three, stop=stop).not_begun == (
        *("Home (1)", "Zwei/Drei", "Old", "Home (4)"),
    )


@pytest.mark.slow
def test_asked_to_stop_those_that_run_end_and_none_begins(three: Settings) -> None:
    """The months of a selection are those of its reports; what did not begin is told; exit code as of Ctrl-C."""
    write_notebook(three.notebooks, "own", "import time; time.sleep(600)", parameters=FIELD)
    stop = StopReport()

    class Stopping(Watch):
        def cell(self, field: str, done: int, total: int) -> None:
            if done == 2:
                stop.ask(signal.SIGINT)

    chosen = Selection(last_month="2024-02")
    result = run_reports("own", {}, chosen, three, at_once=1, pdf=False, watch=Stopping(), stop=stop)
    assert (result.status, result.exit_code, result.done) == (Status.CANCELLED, 130, 0)
    assert len(result.not_begun) == 2 and [one.status for one in result.reports] == [Status.CANCELLED]
    assert "2024-02" in result.reports[0].html.read_text("utf-8")
