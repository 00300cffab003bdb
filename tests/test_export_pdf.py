"""The PDF report: every record on paper, totals as elsewhere, pages that can be read one by one."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pypdf import PdfReader

from wellprod.analysis import charts
from wellprod.analysis.overview import field_totals, overview
from wellprod.analysis.production import SelectedProduction
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.export import ExportRequest, ExportResult, export_records
from wellprod.export.formats import ExportData, find_format
from wellprod.ingest import ImportRequest, start_import
from wellprod.jobs import Ledger
from wellprod.schema import RECORD
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .conftest import ANP_WELLS
from .scripted import record
from .test_store import merged

RATES = ("oil_production_kbd", "gas_production_mmcfd", "liquids_production_kbd", "water_production_kbd")
MONTH = re.compile(r"^(\d{4}-\d{2}) (.*)$", re.MULTILINE)


def report(settings: Settings, rows: list[dict[str, Any]], selection: Selection | None = None) -> ExportResult:
    """Export rows as a report."""
    merged(Store(settings.store_path), rows)
    return export_records(ExportRequest(selection or Selection(), "pdf"), settings)


def pages_of(result: ExportResult | Path) -> list[str]:
    """Read the text of each page."""
    path = result if isinstance(result, Path) else result.path
    return [page.extract_text() for page in PdfReader(path).pages]


def year(well: int, number: int, **changes: Any) -> list[dict[str, Any]]:
    """Give twelve records of a well."""
    return [record(well, f"{number}-{month:02}", **changes) for month in range(1, 13)]


@pytest.fixture(scope="module")
def anp(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, PdfReader, list[str]]:
    """The report of all ANP wells, and the text of its pages."""
    settings = load_settings(home=tmp_path_factory.mktemp("anp"))
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    reader = PdfReader(export_records(ExportRequest(format="pdf"), settings).path)
    return settings, reader, [page.extract_text() for page in reader.pages]


def test_the_first_page_sums_up(anp: tuple[Settings, PdfReader, list[str]]) -> None:
    """What was chosen, the extent and the sums as everywhere else; a stream never reported is said, not zero."""
    settings, _, pages = anp
    with Store(settings.store_path).read() as reading:
        extent, fields = overview(reading), field_totals(reading)
    first = pages[0]
    assert first.startswith("Well production: all fields, 2018-01 to 2024-05\n")
    assert f"Wells {extent.wells} Cumulative gas {fields['cum_gas_mmscf'].sum():,.1f} MMscf" in first
    assert f"Fields {extent.fields} Cumulative oil {fields['cum_oil_kbbl'].sum():,.1f} kbbl" in first
    assert "6,505 Cumulative liquids not reported" in first and "Cumulative water not reported" in first
    assert extent.data_sources[0] in first
    by_field = "\n".join(pages[:3])
    for row in fields.iter_rows(named=True):
        volumes = ("–" if row[name] is None else f"{row[name]:,.1f}" for name in ("cum_oil_kbbl", "cum_gas_mmscf"))
        assert f" {row['wells']} {row['first_month']:%Y-%m} {row['last_month']:%Y-%m} {' '.join(volumes)}\n" in by_field


def test_every_record_is_on_paper(anp: tuple[Settings, PdfReader, list[str]]) -> None:
    """A row a month with its rates and its volumes, in the order of the key; what is null is a dash, not zero."""
    settings, _, pages = anp
    start = next(number for number, text in enumerate(pages) if "Production by well" in text)
    printed = [row for text in pages[start:] for row in MONTH.findall(text)]
    with Store(settings.store_path).read() as reading:
        records = pl.concat(SelectedProduction(reading).batches())
    assert records.height == len(printed) == 6505

    def figures(month: Any, *rates: float | None) -> str:
        days = monthrange(month.year, month.month)[1]
        texts = ["–" if rate is None else f"{rate:,.3f}" for rate in rates]
        return " ".join([*texts, *("–" if rate is None else f"{rate * days:,.2f}" for rate in rates)])

    rows = records.select("production_period", *RATES[:2]).iter_rows()
    assert printed == [(f"{month:%Y-%m}", figures(month, *rates)) for month, *rates in rows]


def test_each_page_can_be_read_by_itself(anp: tuple[Settings, PdfReader, list[str]]) -> None:
    """It says which page of how many it is, what of, and has the head of its table; a well goes on by its name."""
    _, _, pages = anp
    for number, text in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)} wellprod, 20" in text
        assert "Well production: all fields" in text
        assert "Oil Gas" in text and "kbbl MMscf" in text
    assert len(re.findall(r" \(continued\)\n\d{4}-\d{2} ", "\n".join(pages))) > 50
    for text in pages[:-1]:
        last = text.split("\nPage ")[0].splitlines()[-1]
        assert MONTH.match(last) or re.search(r" \d{4}-\d{2} \d{4}-\d{2} ", last), "a heading alone at the foot"


def test_the_outline_leads_to_fields_and_wells(anp: tuple[Settings, PdfReader, list[str]]) -> None:
    """Summary, each field with its wells below it, sources; the file says what it is."""
    settings, reader, _ = anp
    top = [entry for entry in reader.outline if not isinstance(entry, list)]
    wells = [entry for entry in reader.outline if isinstance(entry, list)]
    assert [top[0].title, top[-1].title] == ["Summary", "Sources and units"]
    with Store(settings.store_path).read() as reading:
        fields = SelectedProduction(reading).field_totals
    assert [entry.title for entry in top[1:-1]] == [field.title for field in fields]
    assert [len(entries) for entries in wells] == [field.totals.wells for field in fields]
    about = reader.metadata
    assert about is not None
    assert (about.title, about.author) == ("Well production: all fields, 2018-01 to 2024-05", "wellprod")


def test_sources_and_units_are_told(anp: tuple[Settings, PdfReader, list[str]]) -> None:
    """Where the figures come from, what the units are, and that a dash is not zero."""
    last = anp[2][-1].replace("\n", " ")
    for words in ("Records: 6,505", "(ANP)", "calendar-day rate", "thousand barrels", "which is not zero"):
        assert words in last
    assert "Never reported, and so without a column: liquids, water, days on production." in last


def test_a_named_selection_is_the_title(settings: Settings) -> None:
    """With its client and its description, and only what was chosen."""
    chosen = Selection(("1",), name="Partners meeting", description="All wells.\nTwice.", client="Acme")
    first, second = pages_of(report(settings, [record(1), record(2), record(3, field_code=2)], chosen))
    assert first.startswith("Partners meeting\nFor Acme\nAll wells.\nTwice.\nSelected: field 1; months 2024-01.")
    assert "Well 2" in second and "Well 3" not in second


def test_a_title_is_made_of_what_was_chosen(settings: Settings) -> None:
    """Names of fields, whatever they were called by; the first of many; wells as they were asked for."""
    rows = [record(n, field_code=n, _field_name=f"Field {n}") for n in range(1, 6)]
    merged(Store(settings.store_path), rows)
    for selection, title in (
        (Selection(("1", "2")), "Field 1, Field 2, 2024-01"),
        (Selection(tuple("12345")), "Field 1, Field 2, Field 3 and 2 more, 2024-01"),
        (Selection(wells=("w-3",)), "w-3, 2024-01"),
    ):
        result = export_records(ExportRequest(selection, "pdf"), settings)
        assert pages_of(result)[0].replace("\n", " ").startswith(f"Well production: {title} Selected")


def test_null_is_a_dash_and_little_is_not_zero(settings: Settings) -> None:
    """A month without a figure, a rate of zero and one near it are told apart; the sums leave nulls out."""
    rates = {"2024-01": None, "2024-02": 0.0, "2024-03": 1e-5, "2024-04": 123456.789, "2024-05": -1.0}
    second = pages_of(report(settings, [record(1, month, oil_production_kbd=rate) for month, rate in rates.items()]))[1]
    rows = {month: rest.split() for month, rest in MONTH.findall(second)}
    assert {month: (row[1], row[5]) for month, row in rows.items()} == {
        "2024-01": ("–", "–"),
        "2024-02": ("0.000", "0.00"),
        "2024-03": ("1e-05", "3e-04"),
        "2024-04": ("123,456.79", "3,703,703.67"),
        "2024-05": ("-1.000", "-31.00"),
    }
    assert "Well 1 W-1, code 1 3,703,672.67 380.00" in second


def test_a_stream_never_reported_has_no_column(settings: Settings) -> None:
    """Neither in the tables nor in the chart; where nothing was reported the months are listed all the same."""
    first, second = pages_of(report(settings, year(1, 2024, gas_production_mmcfd=None)))
    assert "Cumulative gas not reported" in first and "MMscf" not in second.partition("\n")[2].partition("Sources")[0]
    nothing = dict.fromkeys((*RATES, "days_on_production"))
    other = settings.model_copy(update={"home": settings.home / "other"})
    first, second = pages_of(report(other, year(1, 2024, **nothing)))
    assert first.count("not reported") == 4 and "Monthly production" not in first
    assert len(re.findall(r"^\d{4}-\d{2}$", second, re.MULTILINE)) == 12


def test_one_record_makes_a_report(settings: Settings) -> None:
    """One well and one month fill two pages, with a chart of one point."""
    first, second = pages_of(report(settings, [record(1)]))
    assert "Monthly production" in first and "Production by field" not in first
    assert MONTH.findall(second) == [("2024-01", "30.0 1.500 2.500 1.750 0.500 46.50 77.50 54.25 15.50")]
    assert "Page 2 of 2" in second


def test_names_of_any_script_are_shown(settings: Settings) -> None:
    """Latin, Greek, Cyrillic, Georgian, Thai and Devanagari as they are, Hebrew and Arabic from the right."""
    names = [
        "Búzios Łódź",
        "Ωμέγα 7",
        "Қашаған",
        "საქართველო",
        "บงกช",
        "मुंबई",
        "e\u0301 \u200bx\ny",
        "\u200b",
        "a\x07b\xa0c",
    ]
    shown = [*names[:-3], "é x y", "", "ab c", "לויתן"]
    result = report(settings, [record(n, well_name=name) for n, name in enumerate([*names, "לויתן"])])
    second = pages_of(result)[1]
    for number, name in enumerate(shown):
        assert f"{name} W-{number}, code {number} 46.50 77.50" in second.replace("\xa0", " ")
    assert result.warnings == ()


def test_what_no_font_has_is_seen_and_told(settings: Settings) -> None:
    """A character that the fonts lack shows as the mark for it, and the export says so."""
    chosen = Selection(name="大庆", description="油田")
    result = report(settings, [record(1, well_name="大庆 5", _field_name="🛢 Field")], chosen)
    first, second = pages_of(result)
    assert first.startswith("��\n��\n") and "�� 5 W-1" in second and "� Field code 1" in second
    assert result.warnings == ("The fonts of the report lack 5 characters (大, 庆, 油, 田, 🛢), shown as �.",)


def test_long_names_stay_on_the_page(settings: Settings) -> None:
    """A title and a description wrap; the name of a well gets a line of its own and ends in an ellipsis."""
    chosen = Selection(name=("name " * 12).strip(), description="words " * 2000, client="x" * 300)
    rows = year(1, 2024, well_name="W" * 500, _well_reference="R" * 500, _field_name="Field of a name " * 20)
    result = report(settings, rows, chosen)
    text = "\n".join(pages_of(result))
    assert text.count("name name") > 4 and text.count("words") >= 2000
    assert re.search(r"^W{30,120}…$", text, re.MULTILINE) and re.search(r"^R{30,120}… 549.00", text, re.MULTILINE)
    for page in PdfReader(result.path).pages:
        rights: list[float] = []

        def seen(text: str, cm: Any, tm: Any, font: Any, size: Any, rights: list[float] = rights) -> None:
            rights.append(tm[4])

        page.extract_text(visitor_text=seen)
        assert 0 < max(rights) < 595 - 34


def test_a_long_table_has_its_head_on_each_page(settings: Settings) -> None:
    """A well of thirty years goes on under its name; its head is never left alone at the foot of a page."""
    pages = pages_of(report(settings, [row for well in (1, 2) for n in range(1990, 2020) for row in year(well, n)]))
    assert sum(len(MONTH.findall(text)) for text in pages[1:]) == 720
    for text in pages[2:]:
        assert (
            "Calendar-day rate Volume of the month\nMonth Days on Oil Gas Liquids Water Oil Gas Liquids Water" in text
        )
    assert all(re.search(r"Well \d \(continued\)\n\d{4}", text) for text in pages[2:-1])


def test_the_same_data_gives_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    """Nothing but the records and the moment goes into the file."""
    merged(Store(settings.store_path), [row for well in range(5) for row in year(well, 2024, field_code=well % 2)])
    written = []
    for place, second in enumerate((1, 1, 2)):
        path = tmp_path / f"{place}.pdf"
        with Store(settings.store_path).read() as reading:
            data = ExportData(
                production=SelectedProduction(reading),
                selection=Selection(),
                schema=RECORD,
                table=lambda batch: batch,
                folder=tmp_path,
                made_at=datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC),
                extension="pdf",
                threads=1,
                formulas_as_text=False,
                warn=pytest.fail,
            )
            find_format("pdf").write(data, path)
        written.append(path.read_bytes())
    assert written[0] == written[1] != written[2]


def test_more_than_a_report_holds_is_refused(settings: Settings) -> None:
    """Before a job exists, with the number that there is and the number that it takes."""
    with Store(settings.store_path).write() as writing:
        writing.connection.execute(
            "INSERT INTO production BY NAME SELECT 1 AS field_code, i AS well_code, DATE '2024-01-01' AS"
            " production_period, 'x' AS data_source, now()::TIMESTAMP AS created_at, now()::TIMESTAMP AS updated_at,"
            " 1 AS day_given, uuid() AS job_id FROM range(200001) t(i)"
        )
    with pytest.raises(UsageError, match=r"holds 200,001 records; pdf takes 200,000\. Select fewer"):
        export_records(ExportRequest(format="pdf"), settings)
    assert not Ledger(settings.jobs_path).jobs()


@pytest.mark.parametrize("months", [1, 3, 30])
def test_the_chart_tells_phases_without_colours(months: int) -> None:
    """Water is dashed, a phase that was never reported is left out, and a picture is made of it."""
    volumes = pl.DataFrame(
        {
            "production_period": pl.date_range(
                pl.date(2022, 1, 1), pl.date(2022 + (months - 1) // 12, (months - 1) % 12 + 1, 1), "1mo", eager=True
            )
        }
    ).with_columns(oil_kbbl=pl.lit(1.0), gas_mmscf=pl.lit(None, pl.Float64), water_kbbl=pl.lit(2.0))
    chart = charts.monthly_volumes(volumes)
    text = str(chart.to_dict())
    assert "[6, 3]" in text.replace("(", "[").replace(")", "]") and "Oil volume, water volume (kbbl)" in text
    assert "Gas" not in text.replace("gas volume", "").replace("Gas volume by", "")
    assert charts.as_png(chart, scale=1).startswith(b"\x89PNG")
