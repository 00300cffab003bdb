"""Excel export: every record once, typed, as exact as Excel is; text that stays text; a summary that adds up."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import polars as pl
import pytest
from fastexcel import read_excel
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from wellprod.analysis.production import SelectedProduction
from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError
from wellprod.export import ExportRequest, export_records
from wellprod.export.formats import ExportData
from wellprod.export.formats.excel import Excel
from wellprod.ingest import ImportRequest, start_import
from wellprod.jobs import Ledger
from wellprod.schema import RECORD
from wellprod.settings import Settings
from wellprod.store import Limits, Store, read_copy

from .conftest import ANP_WELLS
from .scripted import record
from .test_store import merged

MADE_AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    """Give records in the order of the key; what a row leaves out is that of a plain one."""
    plain = {
        "field_code": 1,
        "field_name": "Field",
        "well_reference": "W",
        "well_name": "Well",
        "production_period": date(2024, 1, 1),
        "oil_production_kbd": 1.5,
        "data_source": "test",
        "created_at": datetime(2026, 1, 2, 3, 4, 5, 678_901),
    }
    return pl.DataFrame([{"well_code": n, **plain, **row} for n, row in enumerate(rows)], schema=RECORD)


def written(
    folder: Path,
    frame: pl.DataFrame,
    *,
    rows_per_sheet: int = 1_048_576,
    batch_records: int = 1000,
    selection: Selection | None = None,
    table: Callable[[pl.DataFrame], pl.DataFrame] = pl.DataFrame.clone,
) -> tuple[Path, list[str]]:
    """Write records to a workbook; give its path and what was told."""
    path, copy, told = folder / "wells.xlsx", folder / "records.parquet", list[str]()
    frame.write_parquet(copy)
    with read_copy(copy, Limits("256MB", 1)) as reading:
        data = ExportData(
            production=SelectedProduction(reading, batch_records=batch_records),
            selection=selection or Selection(),
            schema=dict(table(frame).schema),
            table=table,
            folder=folder,
            made_at=MADE_AT,
            extension="xlsx",
            threads=1,
            formulas_as_text=False,
            warn=told.append,
        )
        Excel(rows_per_sheet).write(data, path)
    assert {file.name for file in folder.iterdir()} == {path.name, copy.name}
    return path, told


def cells(path: Path, sheet: str = "Data") -> list[list[Any]]:
    """Read a sheet with openpyxl, numbers as they stand in the file and the escapes of text undone."""
    book = openpyxl.load_workbook(path)
    rows = [[_plain(cell) for cell in row] for row in book[sheet].iter_rows()]
    book.close()
    return rows


def _plain(cell: Any) -> Any:
    assert cell.data_type in "nsd"  # no formula, no error
    assert not cell.hyperlink
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value


@pytest.fixture
def anp(settings: Settings) -> Settings:
    """A workbench that holds the ANP wells."""
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    return settings


def test_the_workbook_reads_back_equal_to_the_store(anp: Settings, tmp_path: Path) -> None:
    """All ANP records in order with every column: figures to the bit, codes as numbers, months as dates."""
    result = export_records(ExportRequest(format="excel", output=tmp_path / "wells.xlsx"), anp)
    assert (result.records, result.format, result.warnings) == (6505, "excel", ())
    with Store(anp.store_path).read() as reading:
        stored = pl.concat(reading.records())
    assert read_excel(result.path).sheet_names == ["Summary", "Data"]
    back = pl.DataFrame(
        cells(Path(result.path))[1:], schema={**RECORD, "production_period": pl.Datetime("us")}, orient="row"
    ).cast({"production_period": pl.Date})
    stamps = ["created_at", "updated_at"]  # openpyxl gives them to the millisecond
    assert back.drop(stamps).equals(stored.drop(stamps))
    for name in stamps:
        assert all(abs(a - b) < timedelta(milliseconds=1) for a, b in zip(back[name], stored[name], strict=True))
    assert list(anp.work_path.iterdir()) == []


def test_another_reader_finds_the_same_types(tmp_path: Path) -> None:
    """A reader that goes by the cells sees numbers, text, dates and times."""
    path, _ = written(tmp_path, records({}, {"days_on_production": 30.5}))
    sheet = read_excel(path).load_sheet("Data").to_polars()
    assert sheet.columns == list(RECORD)
    kinds = {name: kind for name, kind in sheet.schema.items() if not sheet[name].is_null().all()}
    for name, kind in kinds.items():
        expected = pl.Float64() if RECORD[name].is_numeric() else pl.Datetime("ms")
        assert kind == (pl.String() if RECORD[name] == pl.String else expected), name


FLOATS = st.one_of(st.none(), st.floats(), st.sampled_from([-0.0, 1e-12, 0.1 + 0.2, 1.7976931348623157e308, 5e-324]))
TEXTS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=12),
    st.sampled_from(["", "=1+1", "@x", "-", "\t", "\r\n", "<r>x</r>", "http://a", "mailto:b", "00123", "_x0041_", " "]),
)
WHOLE = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
DATES = st.one_of(st.none(), st.dates())
TIMES = st.one_of(st.none(), st.datetimes(datetime(1, 1, 1)))


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(FLOATS, TEXTS, WHOLE, DATES, TIMES), min_size=1, max_size=6))
@example([(-0.0, "", 999_999_999_999_999, date(1900, 3, 1), datetime(1900, 3, 1))])
@example([(math.nan, "a\x00\x1f", -(10**15), date(1900, 2, 28), datetime(1900, 2, 28, 23, 59, 59, 999_999))])
def test_awkward_values_survive(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    """Whatever a column holds reads back equal: as what it is where Excel has it, else as its text."""
    frame = pl.DataFrame(
        rows,
        schema={"x": pl.Float64, "text": pl.String, "n": pl.Int64, "day": pl.Date, "at": pl.Datetime("us")},
        orient="row",
    )
    path, _ = written(tmp_path, records(*({} for _ in rows)), table=lambda batch: frame)
    sheet = cells(path)
    assert sheet[0] == frame.columns
    empty = [[None] * frame.width] * (len(rows) + 1 - len(sheet))  # rows without a cell at the end are not there
    for (x, text, n, day, at), row in zip(rows, sheet[1:] + empty, strict=True):
        assert repr(_number(row[0])) == repr(x)
        assert row[1] == text
        assert (None if row[2] is None else int(row[2])) == n
        assert row[3] in (day and str(day), day and datetime.combine(day, datetime.min.time()))
        assert (row[4] is None) == (at is None)
        if at:
            back = datetime.fromisoformat(row[4]) if isinstance(row[4], str) else row[4]
            assert abs((back - at).total_seconds()) <= 0.001


def _number(cell: Any) -> float | None:
    return None if cell is None else float(cell)


def test_a_time_keeps_its_microseconds(tmp_path: Path) -> None:
    """The number of a time is the double nearest to it, which gives the microsecond back."""
    at = datetime(2026, 1, 2, 3, 4, 5, 678_901)
    path, _ = written(tmp_path, records({"created_at": at}))
    with ZipFile(path) as file:
        sheet = file.read("xl/worksheets/sheet2.xml").decode()
    number = float(sheet.partition('<c r="O2" ')[2].partition("<v>")[2].partition("</v>")[0])
    assert round((number - 46_024) * 86_400e6) == round((at - datetime(2026, 1, 2)).total_seconds() * 1e6)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("well_code", [10**15, -(10**15), 10**15 - 1], "Integers of more than 15 digits are written as text, which"),
        ("oil_production_kbd", [1e308, 5e-324, 0.0], "Numbers too large or too near to zero are written as text"),
        ("production_period", [date(1, 1, 1), date(1900, 2, 28), date(1900, 3, 1)], "Dates before 1900-03-01 or"),
        ("created_at", [datetime(1800, 1, 1), datetime(1900, 2, 1), datetime(2000, 1, 1)], "Times before 1900-03-01"),
        ("well_name", ["x" * 40_000, "😀" * 16_384, "y" * 32_767], "Texts are cut after 32,767 characters, the most"),
    ],
)
def test_what_excel_cannot_hold_is_told_once(tmp_path: Path, column: str, values: list[Any], says: str) -> None:
    """Two of three values do not fit: one note with their number, in whichever batches they come."""
    frame = records(*({column: value} for value in values))
    path, told = written(tmp_path, frame, table=lambda batch: batch.select(column), batch_records=1)
    assert len(told) == 1
    assert told[0].startswith(says)
    assert told[0].endswith(": 2 cells.")
    back = [row[0] for row in cells(path)[1:]]
    if column == "well_name":
        assert back == ["x" * 32_767, "😀" * 16_383, "y" * 32_767]
    else:
        assert [isinstance(cell, str) for cell in back] == [True, True, False]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\tx", "\rx", ""])
def test_a_formula_stays_text(tmp_path: Path, text: str) -> None:
    """Text that begins as a formula does is marked as by an apostrophe, also as a heading and in the summary."""
    path, told = written(
        tmp_path,
        records({"well_name": text, "field_name": text}),
        table=lambda batch: batch.select(pl.col("well_name").alias(text or "x")),
        selection=Selection(description=text, client=text, fields=(text,)),
    )
    book = openpyxl.load_workbook(path)
    assert book["Data"]["A2"].quotePrefix
    assert unescape(book["Data"]["A2"].value) == text
    assert book["Data"]["A1"].quotePrefix == bool(text)
    found = [
        cell for row in book["Summary"] for cell in row if isinstance(cell.value, str) and cell.value[:1] in "=+-@\t"
    ]
    assert all(cell.data_type == "s" and cell.quotePrefix for cell in found)
    assert told == []


def test_null_is_an_empty_cell_and_an_empty_text_is_not(tmp_path: Path) -> None:
    """What was not reported leaves no cell at all; a text without a letter is a cell with a text."""
    path, _ = written(tmp_path, records({"well_name": None}, {"well_name": ""}))
    sheet = openpyxl.load_workbook(path)["Data"]
    assert [(sheet.cell(row, 5).value, sheet.cell(row, 5).data_type) for row in (2, 3)] == [(None, "n"), ("", "s")]


@pytest.mark.parametrize(("count", "names"), [(9, ["Data"]), (10, ["Data 1", "Data 2"]), (18, ["Data 1", "Data 2"])])
def test_records_go_on_to_the_next_sheet(tmp_path: Path, count: int, names: list[str]) -> None:
    """A sheet holds its rows with the header, whatever the batches; the next one has a header of its own."""
    frame = records(*({} for _ in range(count)))
    path, _ = written(tmp_path, frame, rows_per_sheet=10, batch_records=4)
    assert read_excel(path).sheet_names == ["Summary", *names]
    sheets = [cells(path, name) for name in names]
    assert all(sheet[0] == list(RECORD) for sheet in sheets)
    assert [row[2] for sheet in sheets for row in sheet[1:]] == list(range(count))
    assert len(sheets[0]) == min(count + 1, 10)
    for sheet in openpyxl.load_workbook(path).worksheets[1:]:
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == f"A1:P{sheet.max_row}"
        assert sheet.print_title_rows == "$1:$1"


def test_chosen_columns_are_the_only_ones(anp: Settings, tmp_path: Path) -> None:
    """The data sheet has the chosen columns; the summary is that of the whole records."""
    request = ExportRequest(format="excel", output=tmp_path / "wells.xlsx", columns=("well_code", "oil_production_kbd"))
    export_records(request, anp)
    assert cells(tmp_path / "wells.xlsx")[0] == ["well_code", "oil_production_kbd"]
    assert dict(facts(tmp_path / "wells.xlsx"))["Wells"] == 413


def test_the_layout_of_a_preset_is_written_as_it_is(tmp_path: Path) -> None:
    """Columns of other names and types: short and long integers, single precision, times of a zone, anything else."""
    layout = {
        "API/UWI": pl.lit("42001"),
        "Well Count": pl.lit(1, pl.UInt8),
        "Id": pl.lit(2**63, pl.UInt64),
        "Gas (mcf)": pl.lit(0.5, pl.Float32),
        "At": pl.lit(datetime(2026, 1, 1, tzinfo=UTC))
        .dt.convert_time_zone("America/Sao_Paulo")
        .dt.cast_time_unit("ns"),
        "Is on": pl.lit(True),
    }
    path, told = written(tmp_path, records({}), table=lambda batch: batch.select(**layout))
    assert cells(path) == [[*layout], ["42001", 1, str(2**63), 0.5, datetime(2026, 1, 1), "true"]]
    assert told == ["Integers of more than 15 digits are written as text, which keeps them exact: 1 cell."]


def facts(path: Path) -> list[tuple[str, Any]]:
    """Give the pairs at the top of the summary."""
    rows = cells(path, "Summary")
    return [(row[0], row[1]) for row in rows[: _place(rows, "Volumes by month")] if row[0]]


def _place(rows: list[list[Any]], text: str) -> int:
    return next(place for place, row in enumerate(rows) if text in row)


def test_the_summary_says_what_the_selection_is(tmp_path: Path) -> None:
    """Its name, purpose and client, what was chosen, sources, counts, totals with units, when made, and the basis."""
    frame = records(
        {"gas_production_mmcfd": 2.0},
        {"production_period": date(2024, 2, 1), "oil_production_kbd": 0.1, "field_code": 2, "field_name": "Büzios"},
    )
    chosen = Selection(
        ("Field", "2"), ("7",), "2024-01", name="Basin", description="For the partners", client="Norte Energia"
    )
    path, _ = written(tmp_path, frame, selection=chosen)
    told = facts(path)
    assert told[:2] == [("Basin", None), ("For the partners", None)]
    said = dict(told)
    assert said["Client"] == "Norte Energia"
    assert (said["Fields chosen"], said["Wells chosen"], said["Months chosen"]) == ("Field, 2", "7", "from 2024-01")
    assert (said["Sources"], said["Records"], said["Fields"], said["Wells"]) == ("test", 2, 2, 2)
    assert said["Months"] == "2024-01 to 2024-02, 2 with records"
    assert (said["Oil"], said["Gas"], said["Water"]) == (1.5 * 31 + 0.1 * 29, 62.0, "not reported")
    assert said["Workbook made"] == "2026-11-21 12:30 UTC"
    assert "calendar-day rates" in said["Rates and volumes"]
    assert "kbbl: thousand barrels" in said["Units"]


def near(found: list[float | None], expected: list[float | None]) -> bool:
    """Whether sums are the same, in whichever order they were added up; null is null."""
    pairs = zip(found, expected, strict=True)
    return all(a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-12) for a, b in pairs)


def test_the_tables_of_the_summary_add_up(anp: Settings, tmp_path: Path) -> None:
    """Months and fields stand side by side, each ending with the totals; volumes are those of the selection."""
    path = tmp_path / "wells.xlsx"
    export_records(ExportRequest(format="excel", output=path), anp)
    rows = cells(path, "Summary")
    head = _place(rows, "Volumes by month") + 1
    assert rows[head][:5] == ["Month", "Oil, kbbl", "Gas, MMscf", "Water, kbbl", "Wells reporting"]
    months = [row[:5] for row in rows[head + 1 :] if row[0]]
    fields = [row[6:] for row in rows[head + 1 :] if row[6]]
    with Store(anp.store_path).read() as reading:
        production = SelectedProduction(reading)
        volumes, totals = production.monthly_volumes, production.totals
        by_field = sorted(production.field_totals, key=lambda field: -(field.totals.cum_oil_kbbl or -1))
    assert totals
    assert near([row[1] for row in months], [*volumes["oil_kbbl"], totals.cum_oil_kbbl])
    assert [row[4] for row in months] == [*volumes["wells"], totals.wells]
    assert (months[0][0], months[-1][0]) == (datetime(2018, 1, 1), "All months")
    names = [row[0] for row in fields]
    assert names == [*(field.title for field in by_field), "All fields"]
    oil = rows[head].index("Oil, kbbl", 6) - 6
    assert near([row[oil] for row in fields], [*(field.totals.cum_oil_kbbl for field in by_field), totals.cum_oil_kbbl])
    assert openpyxl.load_workbook(path)["Summary"].print_title_rows == f"${head}:${head + 1}"


@pytest.mark.parametrize(
    ("rates", "drawn"),
    [
        ({"oil_production_kbd": 1.0, "gas_production_mmcfd": 1.0, "water_production_kbd": 1.0}, ["Oil Water", "Gas"]),
        ({"oil_production_kbd": 1.0, "gas_production_mmcfd": None}, ["Oil"]),
        ({"oil_production_kbd": None, "gas_production_mmcfd": 1.0}, ["Gas"]),
        ({"oil_production_kbd": None}, []),
        ({"oil_production_kbd": 1.7e308}, ["Oil"]),
    ],
)
def test_the_charts_show_what_was_reported(tmp_path: Path, rates: dict[str, Any], drawn: list[str]) -> None:
    """Oil and water share a chart, gas has its own; a phase that nobody reported is in none."""
    path, _ = written(tmp_path, records(rates, rates))
    found = []
    for chart in openpyxl.load_workbook(path)["Summary"]._charts:  # type: ignore[attr-defined]
        found.append(" ".join(series.tx.v for series in chart.series))
        colours = [series.graphicalProperties.line.solidFill.srgbClr for series in chart.series]
        assert colours == [{"Oil": "2E7D32", "Water": "1565C0", "Gas": "C62828"}[name] for name in found[-1].split()]
        assert all(series.cat.numRef.numCache.pt[0].v == 45292 for series in chart.series)
    assert found == drawn


def test_fields_of_several_sources_are_told_apart(tmp_path: Path) -> None:
    """The source of a field stands beside it where there are several; a field without a name shows its code."""
    path, _ = written(tmp_path, records({"data_source": "A"}, {"data_source": "B", "field_name": None}))
    rows = cells(path, "Summary")
    head = _place(rows, "Volumes by month") + 1
    place = rows[head].index("Source")
    assert [(row[6], row[place]) for row in rows[head + 1 : head + 4]] == [
        ("Field", "A"),
        ("1", "B"),
        ("All fields", None),
    ]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from wellprod.export import ExportRequest, export_records
from wellprod.settings import load_settings
settings = load_settings(home=Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
export_records(ExportRequest(format="excel", output=sys.argv[2]), settings)
"""


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing(anp: Settings, tmp_path: Path) -> None:
    """A temporary file that finds no room ends the export with what to do, and no rest."""
    target = tmp_path / "wells.xlsx"
    target.write_text("before")
    arguments = [sys.executable, "-W", "error", "-c", FULL_DISK, str(anp.home), str(target), "300000"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "ExportError" in done.stderr.splitlines()[-1]
    assert "cannot be written: File too large" in done.stderr
    assert "Exception ignored" not in done.stderr
    assert target.read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"home", "wells.xlsx"}
    assert list(anp.work_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # ZipFile tries once more as it goes
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device without room here")
def test_a_workbook_that_finds_no_room_is_an_error_of_the_system(tmp_path: Path) -> None:
    """Where the rows had room but the workbook has none, the error is the system's own, for whoever explains it."""
    (tmp_path / "wells.xlsx").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        written(tmp_path, records({}))
    gc.collect()  # here, so that what ZipFile says at its end is no other test's


def test_a_cancelled_workbook_leaves_the_target(anp: Settings, tmp_path: Path) -> None:
    """Cancelling is heard between two batches; the old file stays, and no temporary file is left."""
    target = tmp_path / "wells.xlsx"
    target.write_text("before")
    ledger = Ledger(anp.jobs_path)

    def cancel(_: int, __: int) -> None:
        ledger.cancel(ledger.jobs()[0].job_id)

    with pytest.raises(ExportError, match="stopped on request"):
        export_records(
            ExportRequest(format="excel", output=target),
            anp.model_copy(update={"export_batch_records": 1000}),
            on_progress=cancel,
        )
    assert target.read_text() == "before"
    assert [path.name for path in anp.work_path.iterdir()] == []


@pytest.mark.parametrize("part", [1, 3, 1000])
def test_records_read_in_parts_are_all_there_in_order(settings: Settings, part: int) -> None:
    """Whatever the parts, the records are those of one read, in the same order."""
    rows = [record(well, f"2024-{month:02}", field_code=well % 2) for well in range(4) for month in (1, 2, 3)]
    merged(Store(settings.store_path), rows)
    with Store(settings.store_path).read() as reading:
        production = SelectedProduction(reading, ("well_code <> ?", [2]), batch_records=2)
        whole, parts = pl.concat(production.batches()), pl.concat(production.batches_in_parts(part))
    assert whole.height == 9
    assert parts.equals(whole)
