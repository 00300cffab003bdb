"""Presets: the layouts of other software, monthly volumes to the bit, running sums over all that the store holds."""

from __future__ import annotations

import csv
import json
from calendar import monthrange
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellprod.analysis.selection import Selection
from wellprod.analysis.wells import well_ids
from wellprod.cli.work import run_pending
from wellprod.demo import generate_wells
from wellprod.errors import PresetError, UsageError
from wellprod.export import ExportRequest, ExportResult, export_records, resume_export, run_export
from wellprod.export.formats import FORMATS, ExportData, Format
from wellprod.export.layout import figure
from wellprod.export.preset import find_preset, load_presets, read_preset
from wellprod.feed.units import parse_unit
from wellprod.ingest import ImportRequest, start_import
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings
from wellprod.store import Store
from wellprod.workbench import Workbench

from .conftest import ANP_WELLS, CommandLine
from .scripted import record
from .test_store import merged

HEADERS = {
    "combocurve": "chosenID,dataSource,date,oil,gas,water",
    "enverus": "Entity ID,API/UWI,API/UWI List,Production Date,Liquid (bbl),Gas (mcf),Water (bbl),Well Count,Days",
    "petroai": "wellId,prodDate,uptime_days,duration_days,oilRate_bblPerDay,oilVol_bbl,oilCum_bbl,gasRate_McfPerDay,"
    "gasVol_Mcf,gasCum_Mcf,waterRate_bblPerDay,waterVol_bbl,waterCum_bbl,boeRate_boePerDay,boeVol_boe,boeCum_boe",
    "phdwin": "ID Code,Production Date,Oil,Gas,Water",
}
ROWS = {  # one month of 29 days at 1.5 and 0.5 kbd, 2.25 mmcfd and 1.75 kbd of liquids, reckoned by hand
    "combocurve": "W-7,test,2024-02-01,43500.0,65250.0,14500.0",
    "enverus": "7,W-7,W-7,2024-02-01,50750.0,65250.0,14500.0,1,28.5",
    "petroai": "W-7,2024-02-01,28.5,29,1500.0,43500.0,43500.0,2250.0,65250.0,65250.0,500.0,14500.0,14500.0,"
    "1875.0,54375.0,54375.0",
    "phdwin": "W-7,02/01/2024,43500.0,65250.0,14500.0",
}
NOTHING = {  # the next month, which reported nothing: cumulatives stay where they were
    "combocurve": "W-7,test,2024-03-01,,,",
    "enverus": "7,W-7,W-7,2024-03-01,,,,1,",
    "petroai": "W-7,2024-03-01,,31,,,43500.0,,,65250.0,,,14500.0,,,54375.0",
    "phdwin": "W-7,03/01/2024,,,",
}
RATES = {"oil": "oil_production_kbd", "gas": "gas_production_mmcfd", "water": "water_production_kbd"}
FIGURES = ("days_on_production", "liquids_production_kbd", *RATES.values())


@pytest.fixture(params=["anp", "generated"])
def wells(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """A workbench that holds the ANP wells, of which many change their field, or generated ones with every stream."""
    path = ANP_WELLS
    if request.param == "generated":
        path = tmp_path / "wells.json"
        path.write_text(json.dumps(generate_wells(30, 36, 1, date(2024, 5, 1)).to_dicts()))
    start_import(ImportRequest(str(path)), settings)
    return settings


def exported(settings: Settings, preset: str, *, selection: Selection | None = None, **asked: Any) -> ExportResult:
    """Export in a preset, beside the store where nothing else is asked."""
    return export_records(ExportRequest(selection or Selection(), preset=preset, **asked), settings)


def table(result: ExportResult) -> pl.DataFrame:
    """Read a CSV with the standard library; what is empty is null, what is a number is one."""
    with Path(result.path).open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    columns = {name: [row[place] or None for row in rows] for place, name in enumerate(header)}
    return pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))


def figures(frame: pl.DataFrame, name: str) -> list[float | None]:
    """Give a column as numbers."""
    return [None if text is None else float(text) for text in frame[name]]


def approx(found: list[float | None], expected: pl.Series) -> bool:
    """Say whether numbers are equal within 1e-12, and nulls stand where nulls stand."""
    pairs = zip(found, expected, strict=True)
    return all(a is b if None in (a, b) else abs(a - b) <= 1e-12 * abs(b) for a, b in pairs)


def own_preset(settings: Settings, text: str, name: str = "own") -> Path:
    """Write a preset of the user's."""
    path = settings.presets_path / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


# What ships


@pytest.mark.parametrize("preset", HEADERS)
def test_a_shipped_preset_has_the_columns_of_its_source(settings: Settings, preset: str) -> None:
    """The header is that of the source, a row is as reckoned by hand, a month without figures is blank, not 0."""
    silent = dict.fromkeys(FIGURES)
    month = {"days_on_production": 28.5, "gas_production_mmcfd": 2.25}
    rows = [record(7, "2024-02", **month), record(7, "2024-03", **silent)]
    merged(Store(settings.store_path), rows)
    result = exported(settings, preset)
    assert Path(result.path).read_text().splitlines() == [HEADERS[preset], ROWS[preset], NOTHING[preset]]
    assert (result.preset, result.format, result.records, result.warnings) == (preset, "csv", 2, ())
    assert result.path == str(settings.home / f"wells_prod_{preset}.csv")
    assert not settings.csv_path.exists()  # what is in the record's own layout stays apart
    assert result.file_name == f"wells_prod_{preset}.csv"


def test_what_ships_is_what_is_tested() -> None:
    """Each of the shipped presets tells where it was read."""
    presets = load_presets()
    assert set(presets) == set(HEADERS)
    assert all(preset.title and preset.source for preset in presets.values())


@pytest.mark.parametrize("preset", HEADERS)
def test_volumes_are_those_of_the_store(wells: Settings, preset: str) -> None:
    """All wells, in the order of the key: every volume is the rate times days times a thousand, and null stays null."""
    names = {
        "combocurve": ("oil", "gas", "water"),
        "enverus": ("Liquid (bbl)", "Gas (mcf)", "Water (bbl)"),
        "petroai": ("oilVol_bbl", "gasVol_Mcf", "waterVol_bbl"),
        "phdwin": ("Oil", "Gas", "Water"),
    }[preset]
    found = table(exported(wells, preset))
    liquids = {"oil": "coalesce(liquids_production_kbd, oil_production_kbd)"} if preset == "enverus" else {}
    days = "(1000 * day(last_day(production_period)))::DOUBLE"
    volumes = ", ".join(f"{rate} * {days} AS {phase}" for phase, rate in {**RATES, **liquids}.items())
    with Store(wells.store_path).read() as reading:
        expected = reading.table(
            f"SELECT {volumes} FROM production ORDER BY data_source, field_code, well_code, production_period"
        )
    assert found.columns == HEADERS[preset].split(",")
    for name, phase in zip(names, RATES, strict=True):
        assert figures(found, name) == expected[phase].to_list()


def test_liquids_that_are_not_reported_are_told(wells: Settings) -> None:
    """Enverus has one column of liquids: where only oil is reported it holds that, and the result says how often."""
    with Store(wells.store_path).read() as reading:
        lacking = "liquids_production_kbd IS NULL AND oil_production_kbd IS NOT NULL"
        records = reading.value(f"SELECT count(*) FROM production WHERE {lacking}")
    told = exported(wells, "enverus").warnings
    assert told == (f"Liquid (bbl) holds oil for want of liquids (records: {records:,}).",)


# Volumes to the bit

MONTHS = st.dates(date(1900, 1, 1), date(2100, 12, 31)).map(lambda day: day.replace(day=1))
AMOUNTS = st.floats(-1e9, 1e9, allow_nan=False)


def laid(rate: float, month: date, name: str, unit: str) -> float:
    """Give one figure as a preset does."""
    frame = pl.DataFrame({"production_period": [month], name: [rate]})
    return float(frame.select(figure(name, unit))[0, 0])


@given(rate=AMOUNTS, month=MONTHS)
def test_a_volume_is_the_correctly_rounded_product(rate: float, month: date) -> None:
    """In bbl and Mcf it is the float nearest to rate x days x 1,000, in kbbl to rate x days; rates likewise."""
    days = monthrange(month.year, month.month)[1]
    exact = Fraction(rate) * days
    assert laid(rate, month, "oil_production_kbd", "bbl") == float(exact * 1000)
    assert laid(rate, month, "gas_production_mmcfd", "Mscf/month") == float(exact * 1000)
    assert laid(rate, month, "water_production_kbd", "kbbl") == float(exact)
    assert laid(rate, month, "liquids_production_kbd", "bbl/d") == float(Fraction(rate) * 1000)


@pytest.mark.parametrize("month", ["2023-02", "2024-02", "1900-02", "2000-02", "2024-04", "2024-12"])
def test_each_length_of_month_counts(month: str) -> None:
    """February has 29 days in leap years, of which 1900 is none."""
    first = date.fromisoformat(f"{month}-01")
    assert laid(1.0, first, "oil_production_kbd", "bbl") == 1000 * monthrange(first.year, first.month)[1]


@given(rate=AMOUNTS, month=MONTHS, unit=st.sampled_from(["m3", "Sm3", "kSm3", "MMSm3", "MMbbl"]))
def test_other_units_have_their_exact_factor(rate: float, month: date, unit: str) -> None:
    """Cubic metres come from the exact factor, days in it, with at most one rounding more."""
    exact = Fraction(rate) * monthrange(month.year, month.month)[1] / parse_unit("oil_production_kbd", unit)[0]
    found = laid(rate, month, "oil_production_kbd", unit)
    assert abs(Fraction(found) - exact) <= abs(exact) * Fraction(1, 2**52) + Fraction(5e-324)


def test_six_thousand_cubic_feet_are_a_barrel_of_oil_equivalent(settings: Settings) -> None:
    """A boe is what the oil and gas of the same row come to, and null where either was not reported."""
    rows = [
        record(1, oil_production_kbd=1.0, gas_production_mmcfd=3.0),
        record(2, oil_production_kbd=None),
        record(3, gas_production_mmcfd=None),
    ]
    merged(Store(settings.store_path), rows)
    found = table(exported(settings, "petroai"))
    assert figures(found, "boeRate_boePerDay") == [1500.0, None, None]
    assert figures(found, "boeVol_boe") == [46500.0, None, None]
    assert figures(found, "boeCum_boe") == [46500.0, None, None]


# Running sums


@pytest.mark.parametrize("batch", [197, 100_000])
@pytest.mark.parametrize("first_month", [None, "2023-09"])
def test_cumulatives_run_over_all_that_the_store_holds(wells: Settings, first_month: str | None, batch: int) -> None:
    """Small batches, a later first month and a well that changes its field give the sums of one pass over the store."""
    tuned = wells.model_copy(update={"export_batch_records": batch})
    found = table(exported(tuned, "petroai", selection=Selection(first_month=first_month)))
    by_well = "OVER (PARTITION BY data_source, well_code ORDER BY production_period)"
    days = "day(last_day(production_period))"
    phases = {**RATES, "boe": "(oil_production_kbd + gas_production_mmcfd / 6)"}
    sums = ", ".join(f"1000 * sum({rate} * {days}) {by_well} AS {phase}" for phase, rate in phases.items())
    with Store(wells.store_path).read() as reading:
        expected = reading.table(
            f"SELECT {sums}, production_period >= '{first_month or '0001-01'}-01' AS selected FROM production"
            " ORDER BY data_source, field_code, well_code, production_period"
        ).filter("selected")
    names = {"oil": "oilCum_bbl", "gas": "gasCum_Mcf", "water": "waterCum_bbl", "boe": "boeCum_boe"}
    for phase, name in names.items():
        assert approx(figures(found, name), expected[phase]), name


def test_the_batch_size_changes_no_byte(wells: Settings, tmp_path: Path) -> None:
    """A well whose records come in several batches has the same sums."""
    whole = exported(wells, "petroai", output=tmp_path / "whole.csv")
    parts = exported(wells.model_copy(update={"export_batch_records": 211}), "petroai", output=tmp_path / "parts.csv")
    assert parts.sha256 == whole.sha256


def test_a_slow_format_has_the_same_sums(wells: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written from a copy of the selected records, it still counts what lies before them."""
    asked = Selection(first_month="2023-09")
    quick = exported(wells, "petroai", selection=asked)
    monkeypatch.setattr(FORMATS["csv"], "is_slow", True)
    assert exported(wells, "petroai", selection=asked).sha256 == quick.sha256


def test_a_cumulative_is_null_until_something_is_reported(settings: Settings) -> None:
    """Null adds nothing and is not zero; fields that take turns add up to one well."""
    months = [("2024-01", 1, None), ("2024-02", 2, 1.0), ("2024-03", 1, None), ("2024-04", 2, 2.0), ("2024-05", 1, 0.5)]
    rows = [record(9, month, field_code=field, oil_production_kbd=rate) for month, field, rate in months]
    merged(Store(settings.store_path), rows)
    found = table(exported(settings, "petroai"))
    assert found["prodDate"].str.slice(5, 2).to_list() == ["01", "03", "05", "02", "04"]
    assert figures(found, "oilCum_bbl") == [None, 29e3, 29e3 + 60e3 + 15.5e3, 29e3, 89e3]
    of_field = table(exported(settings, "petroai", selection=Selection(fields=("1",), first_month="2024-03")))
    assert figures(of_field, "oilCum_bbl") == [29e3, 29e3 + 60e3 + 15.5e3]


# Names of wells


def test_each_well_has_one_name_of_its_own(settings: Settings) -> None:
    """The latest reference, whatever is selected; the code where it is lacking or shared; no two are mixed up."""
    rows = [
        record(1, "2024-01", _well_reference="A-1 old"),
        record(1, "2024-02", _well_reference="A-1"),
        record(1, "2024-03", _well_reference=None),
        record(2, _well_reference=None),
        record(3, _well_reference="shared"),
        record(4, _well_reference="shared"),
        record(5, _well_reference="6"),
        record(6, _well_reference="B-6"),
        record(7, _well_reference="7"),
        record(8, _well_reference=" "),
        record(8, data_source="other", _well_reference=None),
    ]
    store = Store(settings.store_path)
    merged(store, rows)
    with store.read() as reading:
        names = dict(well_ids(reading, ("data_source = 'test'", [])).select("well_code", "well_id").iter_rows())
        assert well_ids(reading, ("TRUE", []))["well_id"].is_unique().all()
    assert names == {1: "A-1", 2: "2", 3: "3", 4: "4", 5: "5", 6: "B-6", 7: "7", 8: "8 test"}
    result = exported(settings, "combocurve", selection=Selection(wells=("1",), last_month="2024-01"))
    assert table(result)["chosenID"].to_list() == ["A-1"]
    assert exported(settings, "phdwin").warnings == (
        "A code stands for each well whose reference is another's too (wells: 3).",
    )


def test_a_well_in_two_fields_in_one_month_is_told(settings: Settings) -> None:
    """It has two rows with the same name and month, which other software may take for one; moving on is none."""
    moved = [record(well, "2024-02", field_code=2) for well in (1, 2)]
    merged(Store(settings.store_path), [record(1), record(1, field_code=2), record(2), *moved])
    result = exported(settings, "combocurve")
    assert result.records == 5
    assert result.warnings == ("A well in several fields has a row for each in one month (months: 1).",)
    assert exported(settings, "combocurve", selection=Selection(fields=("2",))).warnings == ()


# The user's own

OWN = """
title = "Partner"
date_form = "%d.%m.%Y"
null = "n/a"

[columns]
Well = ["well_name", "well_reference"]
Month = "production_period"
"Oil Sm3" = { from = "oil_production_kbd", unit = "Sm3" }
Hours = { from = "days_on_production", unit = "h" }
Kind = { constant = "actual" }
"""


def test_a_preset_of_the_user(settings: Settings) -> None:
    """Dates and nulls have their form in CSV, other units are converted, the first name that is there counts."""
    own_preset(settings, OWN)
    rows = [record(1), record(2, well_name=None, days_on_production=None, oil_production_kbd=None)]
    merged(Store(settings.store_path), rows)
    text = Path(exported(settings, "own").path).read_text()
    barrels = float(Fraction("158.987294928") * 31)
    assert text.splitlines() == [
        "Well,Month,Oil Sm3,Hours,Kind",
        f"Well 1,01.01.2024,{1.5 * barrels},720.0,actual",
        "W-2,01.01.2024,n/a,n/a,actual",
    ]


def test_formats_with_types_keep_dates_and_nulls(settings: Settings, tmp_path: Path) -> None:
    """The forms of date and null are for texts: Parquet has dates and nulls, JSON ISO dates and null."""
    own_preset(settings, OWN)
    merged(Store(settings.store_path), [record(1, days_on_production=None)])
    found = pl.read_parquet(exported(settings, "own", output=tmp_path / "own.parquet").path)
    assert found.schema == {
        "Well": pl.String(),
        "Month": pl.Date(),
        "Oil Sm3": pl.Float64(),
        "Hours": pl.Float64(),
        "Kind": pl.String(),
    }
    assert found.select("Month", "Hours").row(0) == (date(2024, 1, 1), None)
    line = json.loads(Path(exported(settings, "own", output=tmp_path / "own.ndjson").path).read_text())
    assert (line["Month"], line["Hours"]) == ("2024-01-01", None)


def test_an_own_preset_goes_before_and_a_broken_one_is_passed_by(settings: Settings) -> None:
    """Presets of the user's folder are found by name, also as files; one that is wrong does not stop the others."""
    own_preset(settings, 'title = "Mine"\n[columns]\nid = "well_code"', "enverus")
    path = own_preset(settings, 'title = "Mine too"\n[columns]\nid = "well_code"', "mine")
    own_preset(settings, "title =", "broken")
    presets = load_presets(settings.presets_path)
    assert presets["enverus"].title == "Mine"
    assert set(presets) == {*HEADERS, "mine"}
    merged(Store(settings.store_path), [record(1)])
    assert Path(exported(settings, "enverus").path).read_text() == "id\n1\n"
    result = exported(settings, str(path))
    assert (result.preset, result.file_name) == ("mine", "wells_prod_mine.csv")
    own_preset(settings, 'title = "Beside"\n[columns]\nid = "well_code"', "../beside")
    with pytest.raises(PresetError, match=r"no export preset '../beside'"):
        find_preset("../beside", settings.presets_path)
    with pytest.raises(PresetError, match=r"no export preset 'nobody'.*combocurve, enverus, mine, petroai, phdwin;"):
        find_preset("nobody", settings.presets_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title = ", "is no TOML"),
        ("null = 1", "null: Input should be a valid string (given: 1)"),
        (
            'colour = "red"',
            "colour: Extra inputs are not permitted (given: 'red'). Allowed keys: title, source",
        ),
        ('[columns]\nOil = {form = "well_code"}', "Allowed keys: from, unit, cumulative, constant"),
        ('[columns]\nOil = "oil_kbd"', "columns.Oil: there is nothing called 'oil_kbd'; allowed: field_code"),
        ('[columns]\nOil = "oil_production_kbd"', "columns.Oil: oil_production_kbd needs a unit"),
        (
            '[columns]\nOil = {from = "oil_production_kbd", unit = "Mscf"}',
            "unit 'Mscf' is not known for oil",
        ),
        ('[columns]\nBoe = {from = "boe", unit = "bbl"}', "unit 'bbl' is not known for boe; allowed: boe, kboe"),
        ('[columns]\nName = {from = "well_name", unit = "bbl"}', "columns.Name: well_name takes no unit"),
        ('[columns]\nOne = {from = "well_name", constant = 1}', "a column takes either from or a constant"),
        ('[columns]\nOne = {constant = 1, unit = "bbl"}', "a constant takes no unit"),
        ("[columns]\nOne = {unit = 'bbl'}", "a column takes either from or a constant"),
        (
            '[columns]\nCum = {from = "boe", unit = "boe/d", cumulative = true}',
            "only the volume of one phase",
        ),
        ('[columns]\nCum = {from = "well_code", cumulative = true}', "only the volume of one phase is cumulative"),
        ('[columns]\nOil = "well_code"\nOil = "well_name"', "is no TOML: Cannot overwrite a value"),
        ("[columns]\n", "columns: Dictionary should have at least 1 item"),
        ('format = "docx"', "format: allowed: csv"),
        ('date_form = "whenever"', "date_form: it does not tell the months apart; allowed: 'iso', or a form such as"),
        ('date_form = "%Y%Q"', "date_form: it does not tell the months apart"),
        ('date_form = "%m"', "(given: '%m')"),
    ],
)
def test_a_wrong_preset_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    """The message names the file, the key, what was given and what is allowed."""
    path = tmp_path / "own.toml"
    head = "" if text.startswith("title") else 'title = "t"\n'
    path.write_text(f"{head}{text}" + ("" if "[columns]" in text else '\n[columns]\nid = "well_code"'))
    with pytest.raises(PresetError) as caught:
        read_preset(path)
    assert says in str(caught.value)
    assert "own.toml" in str(caught.value)


# What is asked


class Page(Format):
    """A format that has no columns to lay out."""

    title, extensions = "Page", ("page",)

    def write(self, data: ExportData, path: Path) -> None:
        """Write nothing."""


def test_what_does_not_go_together_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset with columns, or into a format without columns, is wrong use; so is one that is not known."""
    monkeypatch.setitem(FORMATS, "page", Page())
    merged(Store(settings.store_path), [record(1)])
    with pytest.raises(UsageError, match=r"The preset enverus has columns of its own. Choose columns, or a preset"):
        ExportRequest(preset="enverus", columns=("well_code",))
    for format, output in (("page", None), (None, "x.page")):
        with pytest.raises(UsageError, match=r"The format page has columns of its own. .* csv, csv.gz"):
            ExportRequest(preset="enverus", format=format, output=output)
    with pytest.raises(PresetError, match=r"format: allowed: csv, csv\.gz"):
        read_preset(own_preset(settings, 'title = "t"\nformat = "page"\n[columns]\nid = "well_code"'))
    with pytest.raises(PresetError, match="no export preset 'nobody'"):
        exported(settings, "nobody")
    assert Ledger(settings.jobs_path).jobs() == []


def test_the_format_is_what_is_asked_then_what_the_name_tells_then_the_presets(settings: Settings) -> None:
    """CSV where nobody says anything; compressed CSV and Parquet take a preset too."""
    own_preset(settings, 'title = "t"\nformat = "parquet"\n[columns]\nid = "well_code"')
    merged(Store(settings.store_path), [record(1)])
    assert exported(settings, "own").format == "parquet"
    assert exported(settings, "own", format="json").format == "json"
    assert exported(settings, "own", output=settings.home / "x.csv.gz").format == "csv.gz"
    assert exported(settings, "enverus").format == "csv"


def test_a_download_is_named_after_its_preset(settings: Settings, tmp_path: Path) -> None:
    """The file that people save tells preset and selection; the job keeps the preset."""
    merged(Store(settings.store_path), [record(1, _field_name="Tupi")])
    result = exported(settings, "enverus", selection=Selection(fields=("Tupi",)), output=f"{tmp_path}/")
    assert result.file_name == "wells_prod_enverus_Tupi.csv"
    job = Ledger(settings.jobs_path).get(result.job_id)
    assert job.parameters["preset"] == "enverus"
    assert ExportRequest.from_parameters(job.parameters).preset == "enverus"
    assert result.as_pairs()["Preset"] == "enverus"


def test_a_preset_that_is_gone_when_the_job_runs_fails_it(settings: Settings) -> None:
    """A job that waits or is run again without its preset says so, and no file is made."""
    path = own_preset(settings, 'title = "t"\n[columns]\nid = "well_code"')
    merged(Store(settings.store_path), [record(1)])
    ledger = Ledger(settings.jobs_path)
    request = ExportRequest(preset="own", output=settings.home / "out.csv")
    waiting = ledger.create("export", request.as_parameters(), status=Status.PENDING)
    running = ledger.create("export", request.as_parameters(), status=Status.RUNNING)
    path.unlink()
    with pytest.raises(PresetError, match="no export preset 'own'"):
        run_pending(waiting.job_id, settings)
    with pytest.raises(PresetError, match="no export preset 'own'"):
        run_export(running, request, settings)
    for job in (waiting, running):
        ended = ledger.get(job.job_id)
        assert (ended.status, (ended.error or {})["message"]) == (Status.FAILED, "There is no export preset 'own'.")
        with pytest.raises(PresetError):  # and so when it is run again, until the preset is back
            resume_export(job.job_id, settings)
    assert not (settings.home / "out.csv").exists()
    own_preset(settings, 'title = "t"\n[columns]\nid = "well_code"')
    assert resume_export(waiting.job_id, settings).records == 1


def test_a_notebook_exports_in_a_preset(settings: Settings, tmp_path: Path) -> None:
    """The workbench takes a preset as the command line does."""
    merged(Store(settings.store_path), [record(1)])
    result = Workbench(settings.home).export(tmp_path / "out.csv", preset="phdwin")
    assert Path(result.path).read_text().splitlines()[0] == HEADERS["phdwin"]


@pytest.mark.slow
def test_the_command_line_lists_and_takes_presets(settings: Settings, run: CommandLine, tmp_path: Path) -> None:
    """`presets` tells what each column holds and where the layout was read; `export --preset` writes one."""
    own_preset(settings, OWN)
    merged(Store(settings.store_path), [record(1)])
    shown = run("presets").stdout
    for told in ("Enverus (DrillingInfo)", "liquids else oil, bbl a month", "petro-ai/petro-utils", "period, %d.%m.%Y"):
        assert told in shown
    listed = json.loads(run("presets", "--json").stdout)
    assert [preset["name"] for preset in listed["presets"]] == sorted([*HEADERS, "own"])
    done = run("export", "--preset", "combocurve", "--json", "--output", tmp_path / "out.csv")
    assert json.loads(done.stdout)["preset"] == "combocurve"
    refused = run("export", "--preset", "nobody")
    assert refused.returncode == 2
    assert "Known presets: combocurve, enverus, own, petroai, phdwin" in refused.stderr
