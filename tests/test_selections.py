"""Selections with a name: saved as TOML, checked, found again, and exported."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import CommandLine
from tests.lab import until
from tests.scripted import record
from tests.test_store import merged
from wellprod.analysis.saved import delete_selection, list_selections, load_selection, save_selection
from wellprod.analysis.selection import Selection, check_name, selected_records
from wellprod.errors import SelectionError
from wellprod.export import ExportRequest, trigger_export
from wellprod.ingest import ImportRequest, start_import
from wellprod.jobs import Ledger, Status
from wellprod.pages.picker import selector
from wellprod.settings import Settings, load_settings
from wellprod.store import Store
from wellprod.workbench import Workbench

ROWS = [
    record(well, f"2024-{month:02}", field_code=well // 10, _field_name=name)
    for well, name in ((10, "Búzios"), (11, "Búzios"), (20, "Tupi"), (30, "Poço [velho]"))
    for month in range(1, 7)
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose store has four wells of three fields over six months."""
    home = tmp_path_factory.mktemp("filled")
    (home / "wells.json").write_text(json.dumps(ROWS))
    start_import(ImportRequest(str(home / "wells.json")), load_settings(home=home))
    return home


@pytest.fixture
def bench(filled: Path, home: Path) -> Workbench:
    """A workbench over a home of the test's own, with that store in it."""
    home.mkdir()
    os.link(filled / "wells_production.duckdb", home / "wells_production.duckdb")
    return Workbench(home)


def test_a_selection_is_saved_and_found_again(bench: Workbench) -> None:
    """The file is TOML that people read and write; what is loaded is what was saved, in any letter case."""
    saved = bench.save_selection(
        "Poços do Sul", fields=["Búzios", "tupi"], first_month="2024-02", description='He said "all"', client="N & W"
    )
    folder = bench.settings.selections_path
    assert tomllib.loads((folder / "Poços do Sul.toml").read_text("utf-8")) == {
        "name": "Poços do Sul",
        "description": 'He said "all"',
        "client": "N & W",
        "fields": ["Búzios", "tupi"],
        "first_month": "2024-02",
    }
    assert load_selection("poços do sul", folder) == saved
    assert [path.name for path in folder.iterdir()] == ["Poços do Sul.toml"]
    assert bench.records(selection="Poços do Sul").height == 3 * 5
    assert "N &amp; W" in saved._repr_html_() and "from 2024-02" in saved._repr_html_()


@pytest.mark.parametrize("reader", ["records", "wells"])
def test_what_reads_takes_a_saved_selection(bench: Workbench, reader: str) -> None:
    """By name or as an object; what is given beside it takes the place of its own."""
    saved = bench.save_selection("Two", fields="Búzios", last_month="2024-03")
    read = getattr(bench, reader)
    assert read(selection="Two").equals(read(fields="Búzios", last_month="2024-03"))
    assert read(selection=saved, wells="11", last_month="2024-01").equals(read(wells=11, last_month="2024-01"))


def test_the_name_goes_with_other_fields_and_stays_with_other_months() -> None:
    """A file never bears the name of a selection that it does not hold."""
    saved = Selection(("Tupi",), (), "2024-01", "2024-06", "North", "for the letter", "N & W")
    later = saved.narrowed(first_month="2024-03")
    assert (later.name, later.first_month, later.last_month) == ("North", "2024-03", "2024-06")
    other = saved.narrowed(wells=["20"])
    assert (other.name, other.description, other.client) == ("", "", "N & W")
    assert (other.fields, other.wells, other.first_month) == (("Tupi",), ("20",), "2024-01")
    assert saved.narrowed() == saved


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", "a/b", "a\\b", "../up", ".hidden", "-x", "end.", "end ", "x" * 61, "new\nline", "a:b", "all", "ALL",
     "100%", "a'b", "nul\0", "🛢 oil"],
)  # fmt: skip
def test_a_name_that_is_none_is_refused(bench: Workbench, name: str) -> None:
    """It is part of file names and keys, so it is held to letters, digits, spaces and . _ -; "all" is taken."""
    with pytest.raises(SelectionError, match=r"name|called") as caught:
        bench.save_selection(name, fields="Tupi")
    assert caught.value.next and not bench.settings.selections_path.exists()


@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=20))
def test_letters_of_any_script_make_a_name(name: str) -> None:
    """So do names with marks on their letters, such as those of Hindi."""
    if name.casefold() != "all":
        check_name(name)
    check_name("बॉम्बे हाई")


def test_what_is_there_is_not_replaced_by_chance(bench: Workbench) -> None:
    """A name that is taken is refused unless replacing is asked for; one that differs in case or form alone, always."""
    bench.save_selection("Búzios", fields="Búzios")
    with pytest.raises(SelectionError, match="There is a selection 'Búzios' already") as caught:
        bench.save_selection("Búzios", fields="Tupi")
    assert "--replace" in caught.value.next
    assert load_selection("Búzios", bench.settings.selections_path).fields == ("Búzios",)
    bench.save_selection("Bu\u0301zios", fields="Tupi", replace=True)
    assert load_selection("Búzios", bench.settings.selections_path).fields == ("Tupi",)
    with pytest.raises(SelectionError, match="case or form"):
        bench.save_selection("BÚZIOS", fields="Tupi", replace=True)
    assert len(bench.selections()) == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [({"fields": "Tupy"}, "Near to it: Tupi"), ({"wells": 99}, "no well '99'"), ({"first_month": "May"}, "no month")],
)
def test_an_unknown_field_or_well_is_refused(bench: Workbench, given: dict[str, str], says: str) -> None:
    """Nothing is saved that could not be exported."""
    with pytest.raises(SelectionError, match=says):
        bench.save_selection("North", **given)  # type: ignore[arg-type]
    assert not bench.settings.selections_path.exists()


def test_a_name_is_looked_for_in_its_own_data_source(settings: Settings) -> None:
    """Two sources may have the same codes: a name selects what is called so, a code what has it in either."""
    ours = record(7, data_source="ours", field_code=5, _field_name="Tupi", well_name="North")
    theirs = record(7, data_source="theirs", field_code=5, _field_name="Campos", well_name="South")
    merged(Store(settings.store_path), [ours, theirs])
    with Store(settings.store_path).read() as reading:
        for asked, fields in {
            Selection(("tupi",)): ["Tupi"],
            Selection(wells=("South",)): ["Campos"],
            Selection(("Tupi", "Campos"), ("North",)): ["Tupi"],
            Selection(("5",), ("7",)): ["Tupi", "Campos"],
        }.items():
            assert selected_records(reading, asked)["field_name"].to_list() == fields
        assert selector(reading, "field", "Tupi", "5") == "Tupi"
        assert selector(reading, "well", "South", "7") == "South"


def test_an_unknown_selection_is_told_with_those_there_are(bench: Workbench) -> None:
    """The nearest, else all; without any, how to save one."""
    with pytest.raises(SelectionError, match="None is saved yet"):
        bench.records(selection="North")
    bench.save_selection("North Sea", fields="Tupi")
    with pytest.raises(SelectionError, match="Near to it: North Sea"):
        bench.export(selection="Nord Sea")
    with pytest.raises(SelectionError, match="Saved are: North Sea"):
        bench.delete_selection("xyz")
    bench.delete_selection("north sea")
    assert list(bench.selections()) == [] and "No selection is saved" in bench.selections()._repr_html_()


WRONG = {
    "fields = 'Tupi'": r"fields: Input should be a valid list \(given: 'Tupi'\)",
    "wells = [true]": r"wells\.0: Input should be a valid string \(given: True\)",
    "field = ['Tupi']": "has the key 'field'; keys are name, description, client, fields, wells, groups, first_month",
    "first_month = '2024'": "'2024' is no month",
    "first_month = '2024-03'\nlast_month = '2024-01'": "lies before the first",
    "name = 'South'": "has another name in it: name = 'South'",
    "client = \nfields = []": r"is no TOML: .*line 1",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_told(bench: Workbench, text: str) -> None:
    """Which file and key, what was given, what is allowed; the others are listed all the same."""
    bench.save_selection("Fine", fields="Tupi")
    folder = bench.settings.selections_path
    (folder / "North.toml").write_text(text)
    with pytest.raises(SelectionError, match=WRONG[text]) as caught:
        load_selection("North", folder)
    assert "North.toml" in caught.value.message and caught.value.next
    fine, wrong = list_selections(folder)
    assert fine.selection and wrong.problem and str(wrong.problem) == str(caught.value)
    assert "Fine" in bench.selections()._repr_html_() and "(its file is wrong)" in repr(bench.selections())


def test_files_are_taken_as_people_leave_them(bench: Workbench) -> None:
    """Codes as numbers, months as dates, a byte order mark; what is no selection in the folder is passed by."""
    folder = bench.settings.selections_path
    folder.mkdir()
    (folder / "North.toml").write_text("\ufeffwells = [20, 'Well 30']\nfirst_month = 2024-05-01", "utf-8")
    (folder / "._North.toml").write_bytes(b"\0\5")
    (folder / "notes.txt").write_text("hello")
    (folder / "Folder.toml").mkdir()
    (folder / "Old.toml").write_bytes(b"client = '\xff'")
    assert bench.records(selection="North").height == 4
    assert [(saved.name, bool(saved.problem)) for saved in bench.selections()] == [
        ("Folder", True),
        ("North", False),
        ("Old", True),
    ]


def test_a_selection_that_cannot_be_written_says_so(bench: Workbench) -> None:
    """The message names the file, and nothing else is left."""
    bench.settings.selections_path.write_text("a file, no folder")
    with pytest.raises(SelectionError, match="cannot be saved as"):
        bench.save_selection("North", fields="Tupi")


def test_an_export_bears_the_name(bench: Workbench) -> None:
    """The key and the file's name have it, the job row the whole selection, whatever becomes of the saved one."""
    saved = bench.save_selection("Pre-salt 2024", fields="Tupi", client="N & W")
    job_id = trigger_export(ExportRequest(load_selection("Pre-salt 2024", bench.settings.selections_path)),
                            bench.settings)  # fmt: skip
    bench.save_selection("Pre-salt 2024", fields="Búzios", replace=True)
    ledger = Ledger(bench.settings.jobs_path)
    until(lambda: not ledger.get(job_id).is_active)
    job = ledger.get(job_id)
    assert job.status == Status.COMPLETED and job.summary
    assert Selection.from_dict(job.parameters["selection"]) == saved
    assert (job.summary["selection"], job.summary["key"]) == ("Pre-salt 2024", f"exports/Pre-salt 2024/{job_id}.csv")
    assert job.summary["file_name"] == "wells_prod_Pre-salt-2024.csv"
    assert pl.read_csv(job.summary["path"])["field_name"].unique().to_list() == ["Tupi"]


def test_selections_on_the_command_line(run: CommandLine, bench: Workbench, tmp_path: Path) -> None:
    """Saved, listed, shown, exported in part and deleted; what is wrong ends with 2 and makes no job."""
    done = run("selections", "save", "North [a]", "--field", "Tupi", "--json")
    assert (done.returncode, "cannot be the name" in done.stdout) == (2, True)
    save = ("selections", "save", "North", "--field", "Poço [velho]", "--from", "2024-02", "--client", "N & W")
    assert "Poço [velho]" in run(*save).stdout
    again = run(*save)
    assert (again.returncode, "already" in again.stderr) == (2, True)
    assert run(*save, "--replace").returncode == 0
    (bench.settings.selections_path / "Bad.toml").write_text("fields = 3")
    listed = run("selections", "list")
    assert listed.returncode == 0 and "N & W" in listed.stdout and "Bad.toml" in listed.stderr
    found = {saved["name"]: saved for saved in json.loads(run("selections", "list", "--json").stdout)["selections"]}
    assert found["North"]["problem"] is None and "fields" in found["Bad"]["problem"]["message"]
    assert json.loads(run("selections", "show", "north", "--json").stdout)["first_month"] == "2024-02"
    done = run("export", "--selection", "North", "--to", "2024-03", "--output", tmp_path / "n.csv", "--json")
    assert (json.loads(done.stdout)["records"], json.loads(done.stdout)["selection"]) == (2, "North")
    unknown = run("export", "--selection", "Nort")
    assert (unknown.returncode, "Near to it: North" in unknown.stderr) == (2, True)
    assert len(Ledger(bench.settings.jobs_path).jobs()) == 1
    assert run("selections", "delete", "North").returncode == 0
    assert run("selections", "show", "North").returncode == 2


def test_saving_and_deleting_need_no_workbench(bench: Workbench) -> None:
    """The functions take a folder and an open read."""
    with bench.store.read() as reading:
        save_selection(Selection(name="North"), bench.settings.selections_path, reading)
    assert delete_selection("NORTH", bench.settings.selections_path) == "North"
