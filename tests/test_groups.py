"""What `groups.toml` says: other names of fields and wells, and groups of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ANP_WELLS, CommandLine
from wellprod.analysis.groups import groups_of
from wellprod.analysis.identity import same_codes
from wellprod.errors import GroupsError, NotThere
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import load_settings
from wellprod.workbench import Workbench

NAMES = """
[fields]
Tupi = ["Lula", "What nobody calls it"]

[groups."Santos pre-salt"]
kind = "basin"
fields = ["Tupi", "Búzios", "A field to come"]

[groups.Mixed]
fields = ["Mero"]
wells = ["7-BUZ-10-RJS"]

[groups.Elsewhere]
wells = ["nowhere"]
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the records of ANP, in which Lula became Tupi."""
    home = tmp_path_factory.mktemp("filled")
    start_import(ImportRequest(str(ANP_WELLS)), load_settings(home=home))
    return home


@pytest.fixture
def bench(filled: Path, home: Path) -> Workbench:
    """A workbench over a home of the test's own, with that store and the names above."""
    home.mkdir()
    os.link(filled / "wells_production.duckdb", home / "wells_production.duckdb")
    (home / "groups.toml").write_text(NAMES)
    return Workbench(home)


@pytest.fixture
def records() -> pl.DataFrame:
    """The records of ANP as its file has them."""
    return pl.DataFrame(json.loads(ANP_WELLS.read_text())["value"], infer_schema_length=None)


def in_fields(records: pl.DataFrame, *names: str) -> pl.Expr:
    """Give what is true of the records of fields that were once called so; a field has one code in all spellings."""
    codes = records.filter(pl.col("_field_name").is_in(names))["field_code"].unique()
    return pl.col("field_code").is_in(codes.to_list())


@pytest.mark.parametrize("name", ["Tupi", "lula", "code of Tupi", "code of Lula"])
def test_a_field_is_what_it_was_called_too(bench: Workbench, records: pl.DataFrame, name: str) -> None:
    """Whether by its name, its old one, or the code of either, both are selected; other fields are not."""
    codes = dict(records.select("_field_name", "field_code").unique().iter_rows())
    asked = codes[name.removeprefix("code of ")] if name.startswith("code") else name
    found = bench.records(fields=asked)
    assert set(found["field_code"]) == {codes["Tupi"], codes["Lula"]}
    assert found.height == records.filter(pl.col("field_code").is_in([codes["Tupi"], codes["Lula"]])).height


def test_codes_that_are_one_field_go_into_one(bench: Workbench, records: pl.DataFrame) -> None:
    """The code of the main name stands for all."""
    codes = dict(records.select("_field_name", "field_code").unique().iter_rows())
    with bench.store.read() as reading:
        same = same_codes(reading, "field")
        assert same_codes(reading, "well").is_empty()
    assert dict(same.select("code", "into_code").iter_rows()) == {
        codes["Lula"]: codes["Tupi"],
        codes["Tupi"]: codes["Tupi"],
    }
    assert set(same["into_name"]) == {"Tupi"}


def test_a_group_selects_its_fields_and_wells(bench: Workbench, records: pl.DataFrame) -> None:
    """Members may be fields, wells or both; several groups add up; what else is given narrows them."""
    santos = in_fields(records, "Tupi", "Lula", "Búzios")
    mixed = in_fields(records, "Mero") | (pl.col("well_name") == "7-BUZ-10-RJS")
    assert bench.records(groups="santos PRE-salt").height == records.filter(santos).height
    assert bench.records(groups="Mixed").height == records.filter(mixed).height
    assert bench.records(groups=["Mixed", "Santos pre-salt"]).height == records.filter(mixed | santos).height
    both = bench.records(groups="Mixed", wells="7-BUZ-10-RJS", first_month="2022-01")
    assert set(both["well_name"]) == {"7-BUZ-10-RJS"} and min(both["production_period"]).year == 2022


def test_the_command_line_and_saved_selections_take_groups(
    bench: Workbench, run: CommandLine, records: pl.DataFrame
) -> None:
    """`--group` exports a group, and a saved selection keeps its groups by name."""
    expected = records.filter(in_fields(records, "Tupi", "Lula", "Búzios")).height
    saved = bench.save_selection("North", groups=["Santos pre-salt"])
    assert saved.groups == ("Santos pre-salt",) and "Santos pre-salt" in saved._repr_html_()
    assert bench.records(selection="North").height == expected
    result = run("export", "--group", "Santos pre-salt", "--json")
    assert json.loads(result.stdout)["records"] == expected


@pytest.mark.parametrize(
    ("name", "says"),
    [("Santos presalt", "Near to it: Santos pre-salt"), ("Elsewhere", "No field or well of the group 'Elsewhere'")],
)
def test_a_group_that_is_not_there_is_told(bench: Workbench, name: str, says: str) -> None:
    """An unknown name with the nearest; a group without any record as such."""
    with pytest.raises(NotThere, match=says):
        bench.records(groups=name)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[fields\n", "is no TOML"),
        ('[fields]\nTupi = "Lula"', r"fields.Tupi: .*given: 'Lula'"),
        ('[fields]\nTupi = ["Lula"]\nMero = ["LULA"]', "field 'lula' is listed under two names"),
        ("[groups.North]\nkind = 'basin'", "a group needs fields or wells"),
        ("[groups.North]\nfield = ['Tupi']", "Allowed keys: kind, fields, wells"),
        ("[group.North]\nfields = ['Tupi']", "Allowed keys: fields, wells, groups"),
        ("[groups.North]\nfields = ['Tupi']\n[groups.NORTH]\nfields = ['Tupi']", "two groups"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_wrong_file_is_told(bench: Workbench, text: str | bytes, says: str) -> None:
    """With its path, the key, what was given and what is allowed; a change of the file counts at once."""
    path = bench.settings.home / "groups.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(GroupsError, match=says) as caught:
        bench.records(fields="Tupi")
    assert str(path) in caught.value.message and caught.value.next
    path.unlink()
    with bench.store.read() as reading:
        assert not groups_of(reading).groups
