"""`wellprod measures`: what people and programs get of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.scripted import record
from wellprod.analysis.measures import MEASURES
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import load_settings

ROWS = [
    record(
        well,
        f"2024-{month:02}",
        field_code=5,
        _field_name="Tupi",
        well_name=f"North {well}",
        days_on_production=None if well == 2 else 15.0,
        oil_production_kbd=None if (well, month) == (2, 2) else 2.0,
        gas_production_mmcfd=12.0,
        liquids_production_kbd=None,
        water_production_kbd=6.0,
    )
    for well in (1, 2)
    for month in (1, 2, 3)
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose store has two wells over three months; one lacks the oil of February."""
    home = tmp_path_factory.mktemp("filled")
    (home / "wells.json").write_text(json.dumps(ROWS))
    start_import(ImportRequest(str(home / "wells.json")), load_settings(home=home))
    return home


@pytest.fixture(autouse=True)
def _stored(filled: Path, home: Path) -> None:
    home.mkdir()
    os.link(filled / "wells_production.duckdb", home / "wells_production.duckdb")


def test_programs_get_one_entry_a_month_with_units_in_the_names(run: CommandLine) -> None:
    """All measures, under `months`, with what they were taken over."""
    result = run("measures", "--field", "Tupi", "--from", "2024-02", "--json")
    found = json.loads(result.stdout)
    assert (result.returncode, result.stderr, found["boe"]["name"], found["units"]) == (0, "", "6:1", "oilfield")
    assert found["selection"]["fields"] == ["Tupi"]
    february, march = found["months"]
    assert set(march) == {"month", *(measure.column() for measure in MEASURES.values())}
    assert february["month"] == "2024-02-01"
    assert (february["oil_kbbl"], february["oil_kbd"], february["oil_nulls"]) == (58.0, 2.0, 1)
    assert (march["oil_kbbl"], march["gas_mmscf"], march["boe_kboe"]) == (124.0, 744.0, 248.0)
    assert (march["gor_scf_per_bbl"], march["water_cut"], march["wor"]) == (6000.0, 0.75, 3.0)
    assert march["cum_oil_kbbl"] == 124.0 + 58.0 + 124.0 and march["cum_oil_nulls"] == 1
    assert march["uptime"] == pytest.approx(15 / 31) and march["cgr_bbl_per_mmscf"] is None


def test_people_get_a_table_that_says_what_is_lacking(run: CommandLine) -> None:
    """Units are in the headings, the months as people write them; what a cumulative lacks is told."""
    result = run("measures", "--well", "North 2", "--by", "well", "--measure", "oil_rate", "--measure", "cum_oil")
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and "(kbd)" in result.stdout and "(kbbl)" in result.stdout
    assert [line.split()[:2] for line in lines if "2024-02" in line] == [["North", "2"]]
    assert "Cum oil lacks the figures of 1 well-month that was not reported." in " ".join(result.stderr.split())
    both = run("measures", "--by", "well", "--measure", "cum_liquids")
    assert "lacks the figures of 6 well-months that were not reported." in " ".join(both.stderr.split())
    empty = run("measures", "--from", "2030-01")
    assert (empty.returncode, empty.stdout) == (0, "") and "No record is in this selection" in empty.stderr


def test_the_list_says_how_each_is_made(run: CommandLine) -> None:
    """Name, columns, formula, null rule, also as JSON."""
    assert "GOR" not in run("measures", "--list").stdout.splitlines()[0]
    listed = json.loads(run("measures", "--list", "--json").stdout)["measures"]
    gor = next(measure for measure in listed if measure["name"] == "gor")
    assert gor["metric"] == {"column": "gor_sm3_per_sm3", "unit": "Sm³/Sm³"}
    assert all(measure[part] for measure in listed for part in ("title", "formula", "null", "source"))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--measure", "oil_rat"), "Near to it: oil_rate"),
        (("--by", "basin"), "'all', 'field', 'well', 'group'"),
        (("--boe", "7:1"), "6:1, 5.8:1, norway"),
        (("--field", "Tupy"), "Near to it: Tupi"),
    ],
)
def test_what_is_not_allowed_is_told(run: CommandLine, given: tuple[str, str], says: str) -> None:
    """With what is."""
    result = run("measures", *given)
    assert (result.returncode, result.stdout) == (2, "")
    assert says in " ".join(result.stderr.split())


def test_a_file_gets_each_name_and_figure_whole_and_no_empty_column(run: CommandLine) -> None:
    """What is not a terminal has no width; a figure that no record has is told once, and asked for it stands there."""
    result = run("measures", "--by", "well", "--to", "2024-01")
    headings, first = result.stdout.splitlines()[2:4]
    assert headings.split()[-1] == "wells" and first.split()[:4] == ["North", "1", "Tupi", "2024-01"]
    assert "…" not in result.stdout and first.split()[-1] == "1" and "Not reported" not in result.stderr
    second = run("measures", "--well", "North 2", "--to", "2024-01")
    assert "uptime" not in second.stdout and "Not reported: uptime." in second.stderr
    assert "uptime" in run("measures", "--well", "North 2", "--measure", "uptime").stdout
