"""The workbench of an analyst, over a store that the demo feed has filled."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import wellprod
from wellprod.demo import create_app, generate_wells, running
from wellprod.errors import FeedUnreachable, JobNotFound, SelectionError, SettingsError, StoreMissing, UsageError
from wellprod.jobs import Ledger, Status
from wellprod.schema import KEY, RECORD
from wellprod.workbench import Workbench

from .lab import until
from .scripted import Reply, record, scripted_feed

WELLS = generate_wells(30, 24, 1, date(2024, 5, 1))
RATES = {
    "oil_production_kbd": "oil_kbbl",
    "gas_production_mmcfd": "gas_mmscf",
    "water_production_kbd": "water_kbbl",
}


@pytest.fixture(scope="module")
def feed() -> Iterator[str]:
    """The address of a feed of thirty generated wells."""
    with running(create_app(WELLS)) as url:
        yield url


@pytest.fixture(scope="module")
def bench(feed: str, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A workbench that holds these wells; its tests only read."""
    bench = Workbench(tmp_path_factory.mktemp("bench"), page_size=200)
    assert bench.start_import(feed).status == Status.COMPLETED
    return bench


def expected_volumes() -> pl.DataFrame:
    """Give the feed's records with their volumes, worked out one by one in Python."""
    months = [date.fromisoformat(text[:10]) for text in WELLS["production_period"]]
    days = [monthrange(month.year, month.month)[1] for month in months]
    volumes = [
        pl.Series(volume, [None if r is None else r * d for r, d in zip(WELLS[rate], days, strict=True)], pl.Float64)
        for rate, volume in RATES.items()
    ]
    return WELLS.with_columns(pl.Series("production_period", months), *volumes)


def summed(frame: pl.DataFrame, by: str) -> dict[Any, tuple[float | None, ...]]:
    """Give the volumes by a key; a key with no figure at all has none."""
    totals = [pl.when(pl.col(v).count() > 0).then(pl.col(v).sum()) for v in RATES.values()]
    rows = frame.group_by(by).agg(totals).rows()
    return {row[0]: row[1:] for row in rows}


def assert_same(found: dict[Any, tuple[Any, ...]], expected: dict[Any, tuple[Any, ...]]) -> None:
    """Compare volumes by key, to a part in a thousand million."""
    assert found.keys() == expected.keys()
    for key, values in found.items():
        assert values == pytest.approx(expected[key], rel=1e-9), key


# What is there


def test_it_says_what_is_in_the_store_and_where(bench: Workbench) -> None:
    """The overview counts the feed's records; the workbench shows them with its home, in a line and as HTML."""
    found = bench.overview()
    assert (found.records, found.wells, found.data_sources) == (WELLS.height, 30, ("wellprod demo (generated)",))
    assert repr(found) == f"<Overview: {WELLS.height:,} records, 2 fields, 30 wells, 2022-06 to 2024-05>"
    assert repr(bench) == f"<Workbench at {bench.settings.home}>"
    for shown in (found._repr_html_(), bench._repr_html_()):
        assert f">{WELLS.height:,}<" in shown and "2022-06 to 2024-05" in shown
    assert str(bench.settings.home) in bench._repr_html_()


def test_records_come_whole_and_in_key_order(bench: Workbench) -> None:
    """All columns of the record, by source, field, well and month; a selection is by name, code and month."""
    records = bench.records()
    assert records.schema == pl.Schema(RECORD)
    assert records.equals(records.sort(KEY)) and records.height == WELLS.height
    field = records["field_name"][0]
    some = bench.records(fields=field, first_month="2024-01", last_month="2024-03")
    assert set(some["field_name"]) == {field}
    assert (some["production_period"].min(), some["production_period"].max()) == (date(2024, 1, 1), date(2024, 3, 1))
    code, name = records.select("well_code", "well_name").row(-1)
    assert bench.records(wells=code).equals(bench.records(wells=[name]))


def test_fields_and_wells_add_up_to_the_feed(bench: Workbench) -> None:
    """Cumulative volumes are rates times days of the month, summed in Python to compare; the largest comes first."""
    for totals, code in ((bench.fields(), "field_code"), (bench.wells(), "well_code")):
        found = {
            row[0]: row[1:] for row in totals.select(code, "cum_oil_kbbl", "cum_gas_mmscf", "cum_water_kbbl").rows()
        }
        assert_same(found, summed(expected_volumes(), code))
        assert totals["cum_oil_kbbl"].is_sorted(descending=True, nulls_last=True)
    assert bench.fields()["wells"].sum() == 30
    wells = bench.wells(fields=bench.fields()["field_name"][0])
    assert wells.height == bench.fields()["wells"][0]
    first, last, months = bench.wells(last_month="2023-12").select("first_month", "last_month", "months").row(0)
    assert date(2022, 6, 1) <= first <= last <= date(2023, 12, 1) and 0 < months <= 19


def test_measures_of_a_selection_add_up_to_the_feed(bench: Workbench) -> None:
    """Month by month: the sum of the wells, in order, with the wells that have a record."""
    names = ("oil_volume", "gas_volume", "water_volume", "wells")
    found = bench.select().measures(*names)
    assert found.columns == ["month", "oil_kbbl", "gas_mmscf", "water_kbbl", "wells"]
    assert found["month"].is_sorted() and found.height == 24
    rows = {row[0]: row[1:4] for row in found.rows()}
    assert_same(rows, summed(expected_volumes(), "production_period"))
    assert found["wells"].sum() == WELLS.height
    well = bench.wells()["well_code"][0]
    assert set(bench.select(wells=well).measures(*names)["wells"]) == {1}


def test_null_adds_nothing_and_is_not_zero(tmp_path: Path) -> None:
    """A month with one reported well is that well; a month that nobody reported has no volume."""
    rows = [record(1, oil_production_kbd=2.0), record(2, oil_production_kbd=None)]
    rows.append(record(1, "2024-02", oil_production_kbd=None))
    bench = Workbench(tmp_path)
    with scripted_feed(lambda _: Reply({"value": rows})) as (url, _):
        bench.start_import(f"{url}/Wells")
    assert bench.select().measures("oil_volume")["oil_kbbl"].to_list() == [62.0, None]
    assert bench.wells().select("well_code", "cum_oil_kbbl").rows() == [(1, 62.0), (2, None)]


def test_a_query_reads_and_changes_nothing(bench: Workbench) -> None:
    """Any SELECT with parameters is answered; what would change the store is refused in words."""
    assert bench.query("SELECT count(*) AS n FROM production WHERE well_code < ?", [50_010])["n"][0] > 0
    for table in ("production_history", "rejected_rows"):
        assert bench.query(f"SELECT * FROM {table}").is_empty()
    with pytest.raises(UsageError, match="read-only"):
        bench.query("DELETE FROM production")
    assert bench.overview().records == WELLS.height
    assert bench.query("-- nothing").is_empty()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM prod", "prod does not exist"),
        ("SELECT 'a'::INT", "Could not convert"),
    ],
)
def test_a_wrong_query_is_told_with_its_place(bench: Workbench, sql: str, says: str) -> None:
    """The message is DuckDB's own, and the next step names the tables."""
    with pytest.raises(UsageError, match=says) as caught:
        bench.query(sql)
    assert sql in caught.value.message and "rejected_rows" in caught.value.next


def test_what_is_not_there_is_told_with_what_is(bench: Workbench) -> None:
    """A misspelt field, an unknown job and an unknown setting each say what to do."""
    name = bench.fields()["field_name"][0]
    with pytest.raises(SelectionError, match=re.escape(name)):
        bench.wells(fields=name[:-1] + "x")
    with pytest.raises(JobNotFound):
        bench.job("12345678")
    with pytest.raises(SettingsError, match="page_sise"):
        Workbench(bench.settings.home, page_sise=3)


def test_an_empty_home_says_how_to_fill_it(tmp_path: Path) -> None:
    """The workbench opens and shows what to do; whatever reads says the same, and no file appears."""
    bench = Workbench(tmp_path / "none")
    assert "wellprod demo" in bench._repr_html_()
    with pytest.raises(StoreMissing, match="wellprod demo"):
        bench.fields()
    assert (list(bench.jobs()), bench.jobs()._repr_html_()) == ([], "<p>There are no jobs yet.</p>")
    assert not (tmp_path / "none").exists()


# What comes in, what ran, what goes out


def test_a_dry_run_shows_the_first_page(bench: Workbench, feed: str) -> None:
    """Records, rejects and the whole to come; nothing is stored and no job is made."""
    jobs = bench.jobs()
    found = bench.dry_run(feed, page_size=100)
    assert (found.records.height, found.expected_records) == (100, WELLS.height)
    assert repr(found) == "<DryRun of one page: 100 records, 0 rejected, profile woodmac; nothing stored>"
    assert f"{WELLS.height:,} records" in found._repr_html_() and "dry run" in found._repr_html_()
    assert bench.jobs() == jobs and bench.overview().records == WELLS.height


def test_rejects_and_raw_text_are_shown_as_text(tmp_path: Path) -> None:
    """Raw rows that hold HTML are shown as they came, never run; the job keeps them."""
    bench = Workbench(tmp_path)
    rows = [record(1), {**record(2), "production_period": "<script>alert(1)</script>"}]
    with scripted_feed(lambda _: Reply({"value": rows})) as (url, _):
        shown = bench.dry_run(f"{url}/Wells")._repr_html_()
        summary = bench.start_import(f"{url}/Wells")
    assert "&lt;script&gt;" in shown and "<script>" not in shown
    rejects = bench.rejects(summary.job_id[:8])
    assert rejects.columns == ["reason", "page", "row_number", "raw_row"]
    assert json.loads(rejects["raw_row"][0]) == rows[1]


def test_jobs_show_as_a_table_and_one_by_one(bench: Workbench) -> None:
    """Newest first, with status, records and time; one job shows what was asked and what became of it."""
    import_id = bench.jobs(kind="import")[-1].job_id
    job = bench.job(import_id[:8])
    assert re.fullmatch(rf"<Job {import_id}: import, COMPLETED, {WELLS.height:,} records, [\d.]+ m?s>", repr(job))
    assert bench.jobs(kind="import")._repr_html_().count("<tr>") == 2
    assert f"{WELLS.height:,}" in job._repr_html_() and "New records" in job._repr_html_()
    assert bench.cancel(import_id).status == Status.COMPLETED
    assert bench.resume(import_id).status == Status.COMPLETED


def test_an_import_in_the_background_is_followed_by_its_id(tmp_path: Path) -> None:
    """`trigger_import` gives the id of a job that ends by itself."""
    bench = Workbench(tmp_path)
    with running(create_app(WELLS)) as url:
        job_id = bench.trigger_import(url)
        until(lambda: not bench.job(job_id).is_active)
    assert (bench.job(job_id).status, bench.overview().records) == (Status.COMPLETED, WELLS.height)


def test_a_link_to_an_export_can_be_clicked(bench: Workbench, tmp_path: Path) -> None:
    """A notebook shows it under the readable name, at the address of the server that it runs in."""
    result = bench.export(tmp_path / "out.csv")
    link = bench.link(result.job_id, 60)
    assert link.path and link._repr_html_().startswith(
        f"<a href='/{link.path.replace('&', '&amp;')}'>out.csv</a> until"
    )
    with pytest.raises(UsageError, match="7 days"):
        bench.link(result.job_id, 8 * 24 * 3600)


def test_an_export_writes_a_selection(bench: Workbench, tmp_path: Path) -> None:
    """The file holds what `records` gives, in the columns that were asked for."""
    field = bench.fields()["field_name"][0]
    result = bench.export(tmp_path / "some.csv", fields=field, columns=["well_code", "oil_production_kbd"])
    back = pl.read_csv(tmp_path / "some.csv")
    assert back.columns == ["well_code", "oil_production_kbd"]
    assert back["well_code"].to_list() == bench.records(fields=field)["well_code"].to_list()
    assert f"{result.records:,} records" in repr(result) and "some.csv" in result._repr_html_()
    assert bench.export().path == str(bench.settings.csv_path)


def test_a_feed_that_fails_is_told(tmp_path: Path) -> None:
    """A dry run raises, an import keeps it in its summary; no source at all is wrong use."""
    bench = Workbench(tmp_path, feed_attempts=1)
    with pytest.raises(FeedUnreachable):
        bench.dry_run("http://127.0.0.1:9/odata")
    assert bench.start_import("http://127.0.0.1:9/odata").status == Status.FAILED
    with pytest.raises(UsageError, match="nothing to import"):
        bench.start_import()


def test_names_complete_by_tab_and_are_described(bench: Workbench) -> None:
    """Each public name of the workbench has a docstring; it is reached from the package."""
    assert wellprod.Workbench is Workbench
    public = [name for name in vars(Workbench) if not name.startswith("_")]
    assert {"query", "records", "wells", "export"} <= set(public)
    assert all(getattr(Workbench, name).__doc__ for name in public)
    assert isinstance(bench.ledger, Ledger)


def test_ipython_shows_an_error_without_a_traceback(tmp_path: Path) -> None:
    """Message and next step, two lines, instead of a page of frames."""
    code = "from wellprod import Workbench; Workbench(home='none').fields()"
    command = [sys.executable, "-m", "IPython", "--colors=NoColor", "--no-confirm-exit", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env={"HOME": str(tmp_path), "PATH": ""}, timeout=60
    )
    shown = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)
    assert "StoreMissing: There is no store at" in shown and "Next: Import a feed first" in shown
    assert "Traceback" not in shown and 'File "' not in shown


@pytest.mark.slow
def test_an_export_in_the_background_is_followed_and_linked_to(bench: Workbench) -> None:
    """From Python too: a job id at once, the job with its file in the end, and a link to it."""
    job_id = bench.trigger_export(format="json")
    until(lambda: not bench.job(job_id).is_active)
    done = bench.job(job_id).as_dict()
    assert done["status"] == "COMPLETED" and done["key"] == f"exports/all/{job_id}.ndjson"
    assert str(job_id) in bench.link(job_id).href
