"""Files as feeds: CSV, Excel and Parquet through the same profiles, cleaning, merge and history as a feed."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
import zstandard

from wellprod.errors import FeedUnreadable, ProfileError, WellprodError
from wellprod.export import ExportRequest, export_records
from wellprod.feed.clean import NO_RECORD
from wellprod.ingest import DryRun, ImportRequest, ImportSummary, StopRequest, dry_run, resume_import, start_import
from wellprod.jobs import Status
from wellprod.schema import CONTENT
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .conftest import ANP_WELLS, CommandLine

HEADER = ["Wellbore name", "NPDCode", "Year", "Month", "On Stream", "Oil", "Gas", "Water", "GI", "WI"]
UNITS = [None] * 4 + ["hrs", "Sm3", "Sm3", "Sm3", "Sm3", "Sm3"]
PLAIN = ["WellCode", "ProductionDate", "OilProduction", "GasProduction", "WaterProduction"]
BBL_PER_M3 = 1 / 0.158987294928


def own_profile(settings: Settings, name: str = "own", **changes: str) -> str:
    """Write a profile of a plain shape, with other keys, into the home."""
    keys = {"figures": '"calendar-day rate"', "codes": '"text"', **changes}
    lines = [f"{key} = {value}" for key, value in keys.items() if not key.startswith("columns")]
    columns = {
        "field_code": "{ constant = 7 }",
        "well_code": '"Well"',
        "production_period": '"Month"',
        "oil_production_kbd": '{ property = "Oil", unit = "kbd" }',
        **{key.removeprefix("columns_"): value for key, value in changes.items() if key.startswith("columns_")},
    }
    settings.profiles_path.mkdir(parents=True, exist_ok=True)
    told = [f"{key} = {value}" for key, value in columns.items()]
    text = "\n".join(['title = "Own"', 'entity_set = "Own"', *lines, "[columns]", *told])
    (settings.profiles_path / f"{name}.toml").write_text(text)
    return name


Rows = Sequence[Any]


def workbook(path: Path, rows: Rows, title: str = "Sheet", **sheets: Rows) -> Path:
    """Make a workbook."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in {title: rows, **sheets}.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    book.save(path)
    return path


def looked(path: Path, settings: Settings, **asked: Any) -> DryRun:
    """Look at the first page of a file."""
    return dry_run(ImportRequest(str(path), **asked), settings)


def stored(settings: Settings, columns: str = ", ".join(CONTENT)) -> pl.DataFrame:
    """Give what the store holds."""
    with Store(settings.store_path).read() as reading:
        return reading.table(f"SELECT {columns} FROM production ORDER BY ALL")


# The workbook that ships as the example


def test_the_monthly_workbook_by_npd_code(settings: Settings, tmp_path: Path) -> None:
    """Its sheet is found, hours become days, monthly Sm3 calendar-day rates; the row of units is no record."""
    rows = [
        HEADER,
        UNITS,
        ["15/9-F-1 C", 7405, 2014, 4, 227.5, 11142.47, 1597936.65, 0, None, None],
        ["15/9-F-4", 5769, 2014, 4, None, "NULL", None, None, None, None],
    ]
    daily = [["DATEPRD", "WELL_BORE_CODE"], [datetime(2014, 4, 7), "NO 15/9-F-1 C"]]
    path = workbook(tmp_path / "production.xlsx", daily, "Daily Production Data", **{"Monthly Production Data": rows})
    summary = start_import(ImportRequest(str(path)), settings)
    assert (summary.exit_code, summary.state.profile, summary.state.new) == (0, "volve", 2)
    columns = "well_code, well_name, production_period, days_on_production, oil_production_kbd, gas_production_mmcfd,"
    first, second = stored(settings, f"{columns} water_production_kbd, data_source").sort("well_code").rows()[::-1]
    assert first[:3] == (7405, "15/9-F-1 C", date(2014, 4, 1)) and first[-2:] == (0.0, "volve")
    assert first[3] == pytest.approx(227.5 / 24)
    assert first[4] == pytest.approx(11142.47 * BBL_PER_M3 / 1000 / 30)
    assert first[5] == pytest.approx(1597936.65 / 0.028316846592 / 1e6 / 30)
    assert second == (5769, "15/9-F-4", date(2014, 4, 1), None, None, None, None, "volve")


@pytest.mark.parametrize("hours", ["On Stream", "On Stream hours", "On Stream\n(hrs)"])
def test_headers_vary(settings: Settings, tmp_path: Path, hours: str) -> None:
    """With the units in the names, over lines of a title, and with no row of units."""
    header = ["NPDCode", "Year", "Month", hours, "Oil (Sm3)", "Gas [Sm3]", "Water"]
    rows = [["Production of the year"], [], header, [7405, 2014, 4, 24, 1, 2, 3], [], ["Source: us"]]
    found = looked(workbook(tmp_path / "w.xlsx", rows), settings)
    assert found.records["days_on_production"].to_list() == [1.0] and found.records["well_code"].to_list() == [7405]
    assert found.rejects["reason"].to_list() == ["well_code is no whole number of up to 18 digits: 'Source: us'"]
    assert "1 row above the header is no record" in " ".join(found.warnings)


def test_other_units_under_the_header_stop_it(settings: Settings, tmp_path: Path) -> None:
    """What the file says of its units is compared with the profile."""
    units = [*UNITS[:5], "bbl", *UNITS[6:]]
    path = workbook(tmp_path / "w.xlsx", [HEADER, units, ["a", 1, 2020, 1, 1, 1, 1, 1, 1, 1]])
    with pytest.raises(ProfileError, match="'Oil' in bbl; profile 'volve' reads it in Sm3"):
        looked(path, settings)


# Text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "}"])
def test_separator_and_encoding_are_found(settings: Settings, tmp_path: Path, separator: str, encoding: str) -> None:
    """Whichever they are; what is no UTF-8 is told."""
    name = own_profile(settings, columns_well_name='"Name"')
    lines = [["Well", "Month", "Oil", "Name"], ["0012", "2024-01-01", "1.5", 'Búzios, "3"; x|y}\tz']]
    path = tmp_path / "wells.txt"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=separator).writerows(lines)
    found = looked(path, settings)
    row = found.records.select("well_reference", "oil_production_kbd", "well_name").row(0)
    assert (found.profile, row) == (name, ("0012", 1.5, lines[1][3]))
    assert any("Windows-1252" in warning for warning in found.warnings) == (encoding == "cp1252")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compressed_text_is_unpacked(settings: Settings, tmp_path: Path, pack: Any) -> None:
    """One that breaks off fails after the pages before."""
    own_profile(settings)
    text = "Well,Month,Oil\n" + "".join(f"w{n},2024-01-01,{n / 7}\n" for n in range(5000))
    path = tmp_path / "wells.csv.gz"
    path.write_bytes(pack(text.encode()))
    assert looked(path, settings).records.height == 1000
    path.write_bytes(pack(text.encode())[:-2000])
    summary = start_import(ImportRequest(str(path)), settings)
    assert summary.status == Status.FAILED and summary.error and "wells.csv.gz" in summary.error["message"]


@pytest.mark.parametrize(
    ("marks", "texts", "figures"),
    [
        ({"decimal": '","'}, ["1,5", "-0,25", "1234", "1.5"], [1.5, -0.25, 1234.0, None]),
        ({"decimal": '","', "thousands": '"."'}, ["1.234,5", "1.234", "12.34"], [1234.5, 1234.0, None]),
        ({"thousands": '","'}, ["1,234.5", "12,34", "7"], [1234.5, None, 7.0]),
        ({"decimal": '","', "thousands": '" "'}, ["1\u00a0234,5", "1 234"], [1234.5, 1234.0]),
        ({}, ["1,5", "1e-3"], [None, 0.001]),
    ],
)
def test_marks_in_figures(
    settings: Settings, tmp_path: Path, marks: dict[str, str], texts: list[str], figures: list[float | None]
) -> None:
    """As the profile says; what has another form is a reject and never another figure."""
    own_profile(settings, **marks)
    path = tmp_path / "wells.csv"
    path.write_text("Well;Month;Oil\n" + "".join(f"{n};2024-01-01;{text}\n" for n, text in enumerate(texts)))
    found = looked(path, settings)
    assert found.records["oil_production_kbd"].to_list() == [figure for figure in figures if figure is not None]
    assert found.rejects.height == figures.count(None)
    assert all("is no finite number" in reason for reason in found.rejects["reason"])
    assert any("Figures such as 1,5 have a comma" in warning for warning in found.warnings) == (not marks)


def test_lines_that_are_no_rows_are_rejects(settings: Settings, tmp_path: Path) -> None:
    """A cell too many or too few, a quote without an end and a NUL byte each cost one line, kept as it came."""
    own_profile(settings)
    good = [f"w{n},2024-01-01,{n}" for n in range(1, 5)]
    bad = ["w9,2024-01-01", "w9,2024-01-01,1,2", '"w9,2024-01-01,1', "w\0,2024-01-01,1", '"w9"x,2024-01-01,1']
    lines = [line for pair in zip(bad, [*good, "w5,2024-01-01,5"], strict=True) for line in pair]
    path = tmp_path / "wells.csv"
    path.write_text("\n".join(["Well,Month,Oil", "", *lines, '"end'.ljust(300_000, "x")[:100]]), newline="")
    summary = start_import(ImportRequest(str(path), page_size=3), settings)
    assert (summary.exit_code, summary.state.new, summary.state.failed) == (3, 5, 6)
    with Store(settings.store_path).read() as reading:
        kept = reading.table("SELECT reason, raw_row FROM rejected_rows ORDER BY page, row_number")
    quote = "a quote in the row has no end, or one too early"
    assert [json.loads(raw)["#line"] for raw in kept["raw_row"]][:5] == bad
    assert kept["reason"].to_list() == [
        "the row has 2 cells, the header 3",
        "the row has 4 cells, the header 3",
        quote,
        "the row has a NUL byte",
        quote,
        quote,
    ]


# Values


def test_no_digit_of_a_cell_is_lost(settings: Settings, tmp_path: Path) -> None:
    """Codes as text and as numbers, dates as cells, hours with fractions; a formula without its value is a reject."""
    own_profile(settings, "whole", codes='"integer"', columns_well_reference='"Ref"')
    rows = [
        ["Well", "Month", "Oil", "Ref", "Note"],
        [12.0, datetime(2024, 1, 1), 0.1, "0012", "x"],
        [123456789012345, date(2024, 2, 1), 1e-7, "000000000000123", None],
        ["0042", "2024-03-01", "2.5", 12.0, True],
        [43, datetime(2024, 4, 1), "=1/3", None, "=A1"],
    ]
    found = looked(workbook(tmp_path / "w.xlsx", rows), settings)
    assert found.records.select("well_code", "production_period", "oil_production_kbd", "well_reference").rows() == [
        (12, date(2024, 1, 1), 0.1, "0012"),
        (123456789012345, date(2024, 2, 1), 1e-7, "000000000000123"),
        (42, date(2024, 3, 1), 2.5, "12"),
    ]
    assert found.rejects["reason"].to_list() == ["oil_production_kbd is no finite number: '=1/3'"]


def test_typed_cells_take_the_forms_of_the_profile(settings: Settings, tmp_path: Path) -> None:
    """Numbers and dates that a workbook has as such are read so, whatever marks and form its texts have."""
    own_profile(settings, decimal='","', thousands='"."', date_form='"%d/%m/%Y"')
    rows = [["Well", "Month", "Oil"], ["a", date(2024, 1, 1), 1.234], ["b", "01/02/2024", "1.234,5"]]
    found = looked(workbook(tmp_path / "w.xlsx", rows), settings)
    assert found.records.select("production_period", "oil_production_kbd").rows() == [
        (date(2024, 1, 1), 1.234),
        (date(2024, 2, 1), 1234.5),
    ]


def test_the_types_of_parquet(settings: Settings, tmp_path: Path) -> None:
    """Dates, decimals, whole and floating numbers come in whole; a number that is none is a reject."""
    own_profile(settings, codes='"integer"')
    frame = pl.DataFrame(
        {
            "Well": [1, 2, 3],
            "Month": [date(2024, 1, 1)] * 3,
            "Oil": [0.1 + 0.2, None, float("nan")],
            "Other": [[1], [2], None],
        }
    )
    frame.write_parquet(tmp_path / "w.parquet")
    found = looked(tmp_path / "w.parquet", settings)
    assert found.records["oil_production_kbd"].to_list() == [0.1 + 0.2, None]
    assert found.rejects["reason"].to_list() == ["oil_production_kbd is no finite number: 'nan'"]


def test_nulls_and_months_of_two_columns(settings: Settings, tmp_path: Path) -> None:
    """What the profile calls null is null; a month without its year is a reject."""
    own_profile(settings, nulls='["-", "n/a"]', columns_production_period='{ year = "Y", month = ["M", "Mon"] }')
    path = tmp_path / "w.csv"
    path.write_text("Well,Y,Mon,Oil\na,2024,3,-\nb,2024,11,n/a\nc,,3,1\nd,2024,13,1\ne,,,1\n")
    found = looked(path, settings)
    assert found.records.select("production_period", "oil_production_kbd").rows() == [
        (date(2024, 3, 1), None),
        (date(2024, 11, 1), None),
    ]
    assert [reason.partition(":")[0] for reason in found.rejects["reason"]] == [
        "production_period is no date",
        "production_period is no date",
        "production_period is missing",
    ]


# Files that are none


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "is empty"),
        ("empty.xlsx", b"", "is no whole Excel workbook"),
        ("empty.parquet", b"", "is no whole Parquet file"),
        ("text.xlsx", b"Well,Month\n", "is no whole Excel workbook"),
        ("cut.parquet", b"PAR1\x15\x04", "is no whole Parquet file"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "kind before 2007"),
        (
            "locked.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "protected by a password",
        ),
        ("long.csv", b"x" * 200_000, "line of more than"),
        ("zip.xlsx", b"PK\x03\x04" + b"\0" * 100, "is no whole Excel workbook"),
    ],
)
def test_a_file_that_is_none_says_so(settings: Settings, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    """In plain words, and with what to do."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FeedUnreadable, match=says) as told:
        looked(tmp_path / name, settings)
    assert told.value.next


def test_columns_that_fit_no_profile_are_listed(settings: Settings, tmp_path: Path) -> None:
    """Also under a merged header; a profile that was asked for says which it lacks."""
    path = workbook(tmp_path / "w.xlsx", [["Well", None, "Production", None], [None, "Month", "Oil", "Gas"]])
    with pytest.raises(ProfileError, match="Its properties are: Gas, Month, Oil, column 1"):
        looked(path, settings)
    with pytest.raises(ProfileError, match=r"'NPDCode' or .* Its properties are: Gas"):
        looked(path, settings, profile="volve")


def test_two_columns_of_one_name_are_refused(settings: Settings, tmp_path: Path) -> None:
    """Where the profile reads one of them; others are told apart by a number."""
    own_profile(settings)
    path = tmp_path / "w.csv"
    path.write_text("Well,Month,Oil,Oil\na,2024-01-01,1,2\n")
    with pytest.raises(FeedUnreadable, match="2 columns called 'Oil': the 3 and 4 from the left"):
        looked(path, settings)
    path.write_text("Well,Month,Oil,Note,Note\na,2024-01-01,1,x,y\n")
    assert json.loads(looked(path, settings).raw_rows["raw_row"][0])["Note (2)"] == "y"


def test_a_header_alone_is_a_feed_without_records(settings: Settings, tmp_path: Path) -> None:
    """Which is told."""
    (tmp_path / "w.csv").write_text(",".join(PLAIN))
    summary = start_import(ImportRequest(str(tmp_path / "w.csv")), settings)
    assert (summary.status, summary.state.profile) == (Status.COMPLETED, "plain")
    assert "The feed has no records." in summary.state.warnings


def test_the_sheet_of_the_profile(settings: Settings, tmp_path: Path) -> None:
    """It is read though another comes first; where there is none the sheets are listed; others that fit are told."""
    rows = [PLAIN, ["w1", "2024-01-01", 1, 1, 1]]
    path = workbook(tmp_path / "w.xlsx", rows, "One", Two=[PLAIN, ["w2", "2024-01-01", 1, 1, 1]])
    found = looked(path, settings)
    assert found.records["well_reference"].to_list() == ["w1"]
    assert any("Sheet 'Two' have the columns" in warning for warning in found.warnings)
    shape = {"columns_well_code": '"WellCode"', "columns_production_period": '"ProductionDate"'}
    shape["columns_oil_production_kbd"] = '{ property = "OilProduction", unit = "kbd" }'
    second = own_profile(settings, "second", sheet='"two"', **shape)
    assert looked(path, settings, profile=second).records["well_reference"].to_list() == ["w2"]
    third = own_profile(settings, "third", sheet='"Three"', **shape)
    with pytest.raises(ProfileError, match="no sheet 'Three'") as told:
        looked(path, settings, profile=third)
    assert "One, Two" in told.value.next


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("thousands", '"."', "thousands and decimal are both '.'"),
        ("encoding", '"ebcdic-9"', "encoding 'ebcdic-9' is not known"),
        ("separator", '";;"', "separator"),
        ("rows_after_header", "-1", "rows_after_header"),
        ("columns_production_period", '{ year = "Y" }', "one of a property, a constant, or year and month"),
        ("columns_well_name", '{ year = "Y", month = "M" }', "columns.well_name takes no year and month"),
    ],
)
def test_a_wrong_key_of_a_profile_is_told(settings: Settings, tmp_path: Path, key: str, value: str, says: str) -> None:
    """With what is allowed."""
    name = own_profile(settings, **{key: value})
    (tmp_path / "w.csv").write_text("Well,Month,Oil\n")
    with pytest.raises(ProfileError, match=says):
        looked(tmp_path / "w.csv", settings, profile=name)


# Whole imports


@pytest.fixture(scope="module")
def anp_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home with the ANP wells."""
    found = load_settings(home=tmp_path_factory.mktemp("anp"))
    start_import(ImportRequest(str(ANP_WELLS), page_size=5000), found)
    yield found


@pytest.mark.parametrize("format", ["csv", "csv.gz", "csv.zst", "parquet"])
def test_an_export_comes_back_equal(anp_store: Settings, settings: Settings, tmp_path: Path, format: str) -> None:
    """Every column of the record, to the bit, in an empty home; the second time all are duplicates."""
    path = tmp_path / f"out.{format}"
    export_records(ExportRequest(output=str(path), format=format), anp_store)
    counts = [start_import(ImportRequest(str(path), page_size=2000), settings).counts for _ in range(2)]
    assert counts[0] == {"new": 6505, "duplicate": 0, "restated": 0, "rejected": 0} and counts[1]["duplicate"] == 6505
    assert stored(settings).equals(stored(anp_store))


@pytest.mark.parametrize("format", ["csv", "xlsx", "parquet"])
def test_a_stopped_import_of_a_file_goes_on_at_its_page(settings: Settings, tmp_path: Path, format: str) -> None:
    """Nothing comes twice; a file that has changed is read from its beginning."""
    path = tmp_path / f"wells.{format}"
    frame = pl.DataFrame([[f"w{n}", "2024-01-01", float(n), 1.0, 2.0] for n in range(900)], PLAIN, orient="row")
    if format == "xlsx":
        workbook(path, [PLAIN, *map(list, frame.iter_rows())])
    elif format == "csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    stop = StopRequest()

    def at_first(progress: Any) -> None:
        if progress.records_processed:
            stop.ask()

    small = settings.model_copy(update={"group_records": 200})
    summary: ImportSummary = start_import(
        ImportRequest(str(path), page_size=100), small, stop=stop, on_progress=at_first
    )
    assert summary.status == Status.CANCELLED and 0 < summary.state.new < 900
    summary = resume_import(summary.job_id, small)
    assert (summary.status, summary.state.new, summary.state.duplicate) == (Status.COMPLETED, 900, 0)
    assert summary.state.pages == 9


# The command line


def test_a_dry_run_shows_and_stores_nothing(run: CommandLine, settings: Settings, tmp_path: Path) -> None:
    """The profile, rows, records and rejects; 0, or 3 with rejects, and neither a store nor a job."""
    path = tmp_path / "w.csv"
    path.write_text(",".join(PLAIN) + "\nw1,2024-01-01,1,2,3\nw2,never,1,2,3\n")
    done = run("import", path, "--dry-run")
    assert done.returncode == 3 and not done.stderr
    for words in ("plain", "nothing; this was a dry run", "2024-01", "row 2: production_period is no date: 'never'"):
        assert words in done.stdout
    told = json.loads(run("import", path, "--dry-run", "--json").stdout)
    assert (told["profile"], told["rows"], len(told["records"]), len(told["rejects"])) == ("plain", 2, 1, 1)
    path.write_text(",".join(PLAIN) + "\nw1,2024-01-01,1,2,3\n")
    assert run("import", path, "--dry-run").returncode == 0
    assert not settings.store_path.exists() and not settings.jobs_path.exists()


def test_rows_that_are_no_objects_stay_rejects(settings: Settings, tmp_path: Path) -> None:
    """A JSON file is as it was."""
    (tmp_path / "w.json").write_text('[1, {"WellCode": "a", "ProductionDate": "2024-01-01"}]')
    assert looked(tmp_path / "w.json", settings).rejects["reason"].to_list() == [NO_RECORD]
    with pytest.raises(WellprodError, match=r"none.csv cannot be opened: No such file"):
        looked(tmp_path / "none.csv", settings)
