"""What changes in the store: restated, deleted, taken back, guarded, and read as it was known on a day."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from wellprod import Workbench
from wellprod.analysis.bridge import volume_bridge
from wellprod.analysis.overview import overview
from wellprod.analysis.quality import marks
from wellprod.analysis.restated import net_oil_kbbl, restated_since, restatements
from wellprod.analysis.selection import Selection
from wellprod.demo import create_app, running
from wellprod.errors import BusinessRuleViolation, SelectionError, UsageError
from wellprod.ingest import ImportRequest, ImportSummary, resume_import, start_import, undo_import
from wellprod.jobs import Ledger, Status
from wellprod.pages.job import JobPanel
from wellprod.pages.parts import Html
from wellprod.settings import Settings
from wellprod.store import ImportNote, Store, Writing

from .conftest import CommandLine
from .scripted import Asked, Reply, record, scripted_feed
from .test_clean import cleaned
from .test_import import frame_of, stored, tuned

HOME = Selection()


class Feed:
    """A feed at one address, whose rows a test changes between imports; `broken` pages fail, `count` may be a lie."""

    url = ""

    def __init__(self, rows: list[dict[str, Any]], name: str = "Wells") -> None:
        self.rows, self.name, self.extra_count, self.broken = rows, name, 0, False

    def answer(self, asked: Asked) -> Reply:
        """Give all rows, or pages of 2 where they are numbered."""
        rows = self.rows
        if "$skip" in asked.options:
            skip = int(asked.options["$skip"])
            if self.broken and skip == 2:
                return Reply("broken", 500)
            rows = rows[skip : skip + 2]
        return Reply({"@odata.count": len(self.rows) + self.extra_count, "value": rows})

    @contextmanager
    def serving(self) -> Iterator[Feed]:
        """Serve it while the block lasts."""
        with scripted_feed(self.answer) as (url, _):
            self.url = f"{url}/{self.name}"
            yield self

    def imported(self, settings: Settings, rows: list[dict[str, Any]] | None = None, **options: Any) -> ImportSummary:
        """Import it, with other rows if they are given."""
        self.rows = rows if rows is not None else self.rows
        return start_import(ImportRequest(self.url, **options), settings)


@pytest.fixture
def feed() -> Iterator[Feed]:
    """A feed that serves."""
    with Feed([]).serving() as feed:
        yield feed


def wells(settings: Settings) -> list[tuple[int, float]]:
    """Give well and oil of each record."""
    return stored(settings, "well_code, oil_production_kbd").rows()


def changes(settings: Settings, **asked: Any) -> list[tuple[Any, ...]]:
    """Give well, figure, before, after and change of each changed figure."""
    with Store(settings.store_path).read() as reading:
        found = restatements(reading, **asked)
    return found.select("well_code", "figure", "before", "after", "change").rows()


# Any sequence of imports and undos

Cell = tuple[int, int]
Versions = dict[Cell, tuple[int, float]]


class Model:
    """A store in plain Python: what each import said of each record, in order, and which are undone."""

    def __init__(self, *, well_in_one_field: bool) -> None:
        self.well_in_one_field = well_in_one_field
        self.said: list[tuple[str, Cell, tuple[int, float] | None]] = []
        self.undone: set[str] = set()

    def cell(self, well: int, field: int) -> Cell:
        """Give what tells a record."""
        return (well, 0 if self.well_in_one_field else field)

    def now(self) -> Versions:
        """Give the records: the last word of the imports that are not undone."""
        found: Versions = {}
        for job, cell, version in self.said:
            if job in self.undone:
                continue
            if version is None:
                found.pop(cell, None)
            else:
                found[cell] = version
        return found

    def take(self, job: str, rows: list[tuple[int, int, float]], *, is_whole: bool) -> int:
        """Import rows; give how many records a whole import deletes."""
        present = self.now()
        for well, field, oil in rows:
            cell = self.cell(well, field)
            if present.get(cell) != (field, oil):
                self.said.append((job, cell, (field, oil)))
                present[cell] = (field, oil)
        met = {self.cell(well, field) for well, field, _ in rows}
        gone = [cell for cell in present if cell not in met] if is_whole and rows else []
        self.said += [(job, cell, None) for cell in gone]
        return len(gone)

    def rows(self) -> list[tuple[int, int, float]]:
        """Give well, field and oil of each record."""
        return sorted((cell[0], field, oil) for cell, (field, oil) in self.now().items())


ROWS = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2), st.sampled_from([0.0, 1.0, 2.0])), max_size=5)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("import"), ROWS, st.booleans()),
        st.tuples(st.just("undo"), st.integers(0, 5), st.none()),
    ),
    min_size=2,
    max_size=7,
)


def step_import(
    store: Store, rows: list[tuple[int, int, float]], *, is_whole: bool, well_in_one_field: bool
) -> tuple[str, int, datetime]:
    """Import rows in one group; give the job, how many records it deleted, and when."""
    job, began = str(uuid.uuid4()), datetime.now(UTC).replace(tzinfo=None)
    raw = [record(well, field_code=field, oil_production_kbd=oil) for well, field, oil in rows]
    with store.write() as writing:
        if raw:
            merged = writing.merge(cleaned(raw).records, job_id=job, well_in_one_field=well_in_one_field)
            assert merged.rejects.is_empty()
        writing.note_import(ImportNote("feed", is_whole=is_whole, is_complete=True), job_id=job)
        deleted = writing.end_unmet("feed", job_id=job, began=began) if is_whole and raw else 0
        writing.forget_confirmed(job)
        return job, deleted, writing.now


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, well_in_one_field=st.booleans())
def test_any_imports_and_undos_equal_a_plain_model(tmp_path: Path, steps: list[Any], well_in_one_field: bool) -> None:
    """New, changed and missing records, imports taken back in any order: the store and each past of it are right."""
    store = Store(tmp_path / f"{uuid.uuid4()}.duckdb")
    model, jobs = Model(well_in_one_field=well_in_one_field), list[str]()
    pasts: list[tuple[datetime, list[tuple[int, int, float]]]] = []
    for kind, given_rows, is_whole in steps:
        if kind == "import":
            job, deleted, now = step_import(store, given_rows, is_whole=is_whole, well_in_one_field=well_in_one_field)
            assert deleted == model.take(job, given_rows, is_whole=is_whole)
            jobs.append(job)
        elif not jobs:
            continue
        else:
            job = jobs.pop(given_rows % len(jobs))
            before = len(model.now())
            model.undone.add(job)
            with store.write() as writing:
                by = str(uuid.uuid4())
                undone = writing.undo(job, undone_by=by, well_in_one_field=well_in_one_field)
                assert writing.undo(job, undone_by=by, well_in_one_field=well_in_one_field) == undone
                now = writing.now
            assert len(model.now()) == before - undone.removed + undone.returned
        pasts.append((now, model.rows()))
    query = "SELECT well_code, field_code, oil_production_kbd FROM production ORDER BY ALL"
    if pasts:
        with store.read() as reading:
            assert reading.table(query).rows() == model.rows()
    for moment, rows in pasts:
        with store.read(as_known_on=moment) as reading:
            assert reading.table(query).rows() == rows
    if pasts:
        with store.read(as_known_on=pasts[0][0] - timedelta(microseconds=1)) as reading:
            assert reading.table(query).is_empty()


def test_a_clock_that_is_set_back_keeps_the_order(tmp_path: Path) -> None:
    """A group is stamped later than any import before it."""
    store, ahead = Store(tmp_path / "s.duckdb"), datetime.now(UTC).replace(tzinfo=None) + timedelta(days=3)
    with store.write() as writing:
        Writing(writing.connection, ahead).note_import(ImportNote("feed"), job_id=str(uuid.UUID(int=1)))
    with store.write() as writing:
        assert writing.now == ahead + timedelta(microseconds=1)


# Undo


def test_an_undone_import_is_kept_in_the_history(settings: Settings, feed: Feed) -> None:
    """New records go, restated ones come back with their import, and what it said is read in the history."""
    first = feed.imported(settings, [record(1)])
    second = feed.imported(settings, [record(1, oil_production_kbd=9.0), record(2)])
    undone = undo_import(second.job_id, settings)
    assert asdict(undone.records) == {"removed": 1, "restored": 1, "returned": 0, "kept": 0}
    assert wells(settings) == [(1, 1.5)]
    assert stored(settings, "job_id::VARCHAR").item() == first.job_id
    old = stored(settings, "well_code, oil_production_kbd, change, replaced_by::VARCHAR", "production_history").rows()
    assert sorted(old) == [
        (1, 1.5, "restated", second.job_id),
        (1, 9.0, "undone", undone.job_id),
        (2, 1.5, "undone", undone.job_id),
    ]
    job = Ledger(settings.jobs_path).get(undone.job_id)
    assert (job.kind, job.status, (job.summary or {})["removed_records"]) == ("undo", Status.COMPLETED, 1)


def test_an_undone_import_is_over(settings: Settings, feed: Feed) -> None:
    """It is neither resumed nor undone again; imported again, its records are new."""
    first = feed.imported(settings, [record(1), record(2)])
    undo_import(first.job_id, settings)
    with pytest.raises(BusinessRuleViolation, match=r"was undone by the job .* cannot go on.*Import again"):
        resume_import(first.job_id, settings)
    with pytest.raises(BusinessRuleViolation, match="was undone already"):
        undo_import(first.job_id, settings)
    assert feed.imported(settings).state.new == 2
    with pytest.raises(UsageError, match="only an import"):
        undo_import(Ledger(settings.jobs_path).create("export", {}).job_id, settings)


def test_an_undo_that_was_killed_goes_on(settings: Settings, feed: Feed) -> None:
    """Killed after the commit, before the ledger knew: the same job goes on, and counts what was done."""
    first = feed.imported(settings, [record(1), record(2)])
    ledger = Ledger(settings.jobs_path)
    job = ledger.create("undo", {"undoes": first.job_id})
    with Store(settings.store_path).write() as writing:
        writing.undo(first.job_id, undone_by=job.job_id)
    ledger.finish(job.job_id, Status.FAILED)
    again = Workbench(settings.home).resume(job.job_id)
    assert again.as_dict()["job_id"] == job.job_id and again.as_dict()["removed_records"] == 2
    assert ledger.get(job.job_id).status == Status.COMPLETED


def test_an_undo_and_an_import_run_one_at_a_time(settings: Settings, feed: Feed) -> None:
    """While an import is pending no undo begins, and while an undo runs no import; each says which job it is."""
    first = feed.imported(settings, [record(1)])
    ledger = Ledger(settings.jobs_path)
    pending = ledger.create("import", {"source": "x"}, status=Status.PENDING)
    with pytest.raises(BusinessRuleViolation, match=f"import is running already: job {pending.job_id}"):
        undo_import(first.job_id, settings)
    ledger.finish(pending.job_id, Status.CANCELLED)
    running_undo = ledger.create("undo", {"undoes": first.job_id})
    with pytest.raises(BusinessRuleViolation, match=f"An undo is running already: job {running_undo.job_id}"):
        feed.imported(settings)


def test_an_undo_frees_the_codes_of_texts(settings: Settings, tmp_path: Path) -> None:
    """A text that only the undone import used does not keep its code."""
    row = {"ProductionDate": "2024-01-01", "OilProduction": 1}
    wrong, right = tmp_path / "wrong.json", tmp_path / "right.json"
    wrong.write_text(json.dumps([{**row, "WellCode": "007"}]))
    right.write_text(json.dumps([{**row, "WellCode": "7"}]))
    undo_import(start_import(ImportRequest(str(wrong)), settings).job_id, settings)
    assert start_import(ImportRequest(str(right)), settings).state.failed == 0


# Tombstones


def test_what_a_whole_load_lacks_is_deleted(settings: Settings, feed: Feed) -> None:
    """It goes to the history as deleted, is counted, and comes back as new when the feed has it again."""
    feed.imported(settings, [record(1), record(2)])
    second = feed.imported(settings, [record(1)])
    assert (second.state.deleted, second.as_dict()["import_summary"]["deleted_records"]) == (1, 1)
    assert wells(settings) == [(1, 1.5)]
    assert stored(settings, "well_code, change, replaced_by::VARCHAR", "production_history").rows() == [
        (2, "deleted", second.job_id)
    ]
    third = feed.imported(settings, [record(1), record(2)])
    assert (third.state.new, third.state.duplicate) == (1, 1)
    undone = undo_import(third.job_id, settings)
    assert undone.records.removed == 1
    assert undo_import(second.job_id, settings).records.returned == 1
    assert wells(settings) == [(1, 1.5), (2, 1.5)]


@pytest.mark.parametrize("case", ["part", "broken page", "fewer than counted", "reject", "empty", "file", "other feed"])
def test_nothing_is_deleted_unless_all_was_read(settings: Settings, feed: Feed, tmp_path: Path, case: str) -> None:
    """A partial load, a failed page, a count that is not met, a reject, an empty feed, a file, another feed."""
    feed.imported(settings, [record(n) for n in range(4)])
    rows, options = [record(1), record(3)], dict[str, Any]()
    if case == "part":
        options = {"paging": "skip", "max_pages": 1}
    elif case == "broken page":
        feed.broken, rows, options = True, [record(n) for n in range(4)], {"paging": "skip", "page_size": 2}
    elif case == "fewer than counted":
        feed.extra_count = 1
    elif case == "reject":
        rows.append({**record(2), "oil_production_kbd": "n/a"})
    elif case == "empty":
        rows = []
    if case == "file":
        path = tmp_path / "wells.json"
        path.write_text(json.dumps(rows))
        summary = start_import(ImportRequest(str(path)), settings)
    elif case == "other feed":
        with Feed([record(1), record(9)], "Others").serving() as other:
            summary = other.imported(settings)
            assert feed.imported(settings, [record(n) for n in range(4)]).state.deleted == 0
            assert other.imported(settings, [record(1)]).state.deleted == 1, "its own record"
    else:
        summary = feed.imported(settings, rows, **options)
    assert summary.state.deleted == 0
    assert [well for well, _ in wells(settings)] == [0, 1, 2, 3]


def test_what_another_option_of_the_address_gave_is_not_deleted(settings: Settings, feed: Feed) -> None:
    """Two companies at one address, told apart by an option of the service's own, are two feeds; `$` ones are not."""
    feed.imported(settings, [record(1), record(2)])
    address = feed.url
    feed.url = f"{address}?company=2"
    assert feed.imported(settings, [record(3)]).state.deleted == 0
    assert [well for well, _ in wells(settings)] == [1, 2, 3]
    feed.url = f"{address}?$format=json"
    assert feed.imported(settings, [record(1)]).state.deleted == 1


def test_what_came_since_the_load_began_is_not_deleted(settings: Settings, feed: Feed) -> None:
    """An import that stopped and goes on after another one does not delete what that one brought."""
    rows = [record(n) for n in range(4)]
    feed.rows, feed.broken = rows, True
    stopped = Ledger(settings.jobs_path).create("import", ImportRequest(feed.url).as_parameters())
    Ledger(settings.jobs_path).finish(stopped.job_id, Status.FAILED)
    feed.imported(settings, [*rows, record(7)])
    feed.rows = rows
    assert resume_import(stopped.job_id, settings).state.deleted == 0
    assert len(wells(settings)) == 5


# The guard


@pytest.fixture
def thousand(settings: Settings, feed: Feed) -> tuple[Feed, list[dict[str, Any]]]:
    """A feed whose 1,200 records are in the store."""
    rows = [record(n) for n in range(1200)]
    feed.imported(settings, rows)
    return feed, rows


def test_an_import_that_restates_too_much_stops(settings: Settings, thousand: Any, run: CommandLine) -> None:
    """Exit code 1, nothing of the group stored, and the way on that is told works; then it is undone."""
    feed, rows = thousand
    feed.rows = [*rows[:900], *({**row, "oil_production_kbd": None} for row in rows[900:])]
    done = run("import", feed.url)
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert "change 300 of the 1,200 old months compared so far, 25.0 %; 20 % are allowed" in told
    job = Ledger(settings.jobs_path).jobs(limit=1)[0]
    assert f"accept it with: wellprod jobs resume {job.job_id} --accept-restatements. 0 records" in told
    assert stored(settings, "count(oil_production_kbd)").item() == 1200
    assert job.error and (job.error["code"], job.error["changed_months"]) == ("TOO_MANY_RESTATEMENTS", 300)
    assert run("jobs", "resume", job.job_id).returncode == 1
    accepted = run("jobs", "resume", job.job_id, "--accept-restatements", "--json")
    counts = json.loads(accepted.stdout)["import_summary"]
    assert (accepted.returncode, counts["restated_records"], counts["duplicate_records"]) == (0, 300, 900)
    undone = json.loads(run("jobs", "undo", job.job_id, "--json").stdout)
    assert (undone["restored_records"], undone["removed_records"]) == (300, 0)
    shown = run("jobs", "show", job.job_id)
    assert undone["job_id"] in shown.stdout and "Undone" in shown.stdout
    assert "COMPLETED, undone" in run("jobs", "list").stdout
    assert "Restored records 300" in " ".join(run("jobs", "show", undone["job_id"]).stdout.split())
    assert stored(settings, "count(oil_production_kbd)").item() == 1200


def test_the_page_says_of_an_undone_import_that_it_was_undone(settings: Settings, feed: Feed) -> None:
    """It does not tell that the records are in the store, and offers no button to go on."""
    summary = feed.imported(settings, [record(1)])
    panel = JobPanel(settings, "")
    panel.follow(summary.job_id)
    assert "1 records are in the store" in shown_by(panel)
    undone = undo_import(summary.job_id, settings)
    panel.refresh()
    assert f"by the job {undone.job_id[:8]}" in shown_by(panel) and "are in the store" not in shown_by(panel)


def shown_by(panel: JobPanel) -> str:
    """Give the markup that a panel shows."""
    return " ".join(part.value for part in panel.children if isinstance(part, Html))


@pytest.mark.parametrize(("kept", "changed", "stops"), [(900, 0, True), (1000, 0, False), (1000, 100, True)])
def test_deletions_count_as_changes(settings: Settings, thousand: Any, kept: int, changed: int, stops: bool) -> None:
    """What a whole load no longer has and what it changes count together, before the last group is stored."""
    feed, rows = thousand
    restated = [{**row, "oil_production_kbd": 7.0} for row in rows[:changed]]
    summary = feed.imported(settings, [*restated, *rows[changed:kept]])
    assert (summary.status == Status.FAILED) == stops
    assert len(wells(settings)) == (1200 if stops else kept)
    if stops:
        assert summary.error and f"delete {1200 - kept} of the 1,200 old months" in summary.error["message"]
        done = resume_import(summary.job_id, settings, accept=["restatements"])
        assert (done.state.total, done.state.deleted, done.state.restated) == (kept, 1200 - kept, changed)


def test_the_share_is_a_setting_and_few_months_say_nothing(settings: Settings, feed: Feed) -> None:
    """Below 1,000 compared months nothing is refused; groups before the one that is refused stay."""
    rows = [record(n) for n in range(1500)]
    feed.imported(settings, rows)
    feed.rows = [{**row, "oil_production_kbd": 7.0} for row in rows]
    with running(create_app(frame_of(feed.rows))) as url:
        small = tuned(settings, group_records=500)
        summary = start_import(ImportRequest(url, page_size=500), small)
    assert summary.state.restated == 500, "the second group makes 1,000"
    assert feed.imported(tuned(settings, restated_share=1.0)).status == Status.COMPLETED


def test_new_months_are_not_held_against_an_import(settings: Settings, thousand: Any) -> None:
    """What is new, and what this import itself brought before, is no old month."""
    feed, rows = thousand
    new = [record(n, "2024-02") for n in range(1500)]
    again = [{**row, "oil_production_kbd": 8.0} for row in new]
    summary = feed.imported(settings, [*rows, *new, *again])
    assert (summary.status, summary.state.compared, summary.state.changed) == (Status.COMPLETED, 1200, 0)


# What changed


def test_restatements_tell_each_changed_figure(settings: Settings, feed: Feed) -> None:
    """Restated, deleted, undone and returned: before, after, percent, when and by which job; names as text."""
    first = [record(1), record(2), record(3, oil_production_kbd=0.0)]
    feed.imported(settings, first)
    restated = [record(1, oil_production_kbd=3.0, _field_name="New"), record(3, oil_production_kbd=None)]
    second = feed.imported(settings, restated)
    with Store(settings.store_path).read() as reading:
        found = restatements(reading)
        assert net_oil_kbbl(found) == pytest.approx((1.5 - 1.5 + 0.0) * 31)
    assert found["job_id"].unique().to_list() == [second.job_id]
    rows = {(row["well_code"], row["figure"]): row for row in found.to_dicts()}
    assert rows[1, "oil"] | {"changed_at": None} == {
        "data_source": "test",
        "field_code": 1,
        "field": "New",
        "well_code": 1,
        "well": "Well 1",
        "month": date(2024, 1, 1),
        "figure": "oil",
        "unit": "kbd",
        "before": 1.5,
        "after": 3.0,
        "before_text": None,
        "after_text": None,
        "change_percent": 100.0,
        "changed_at": None,
        "job_id": second.job_id,
        "change": "restated",
    }
    names = rows[1, "field_name"]
    assert (names["before_text"], names["after_text"], names["before"]) == ("Field", "New", None)
    assert rows[3, "oil"]["change_percent"] is None, "there was zero before"
    deleted = [row for (well, _), row in rows.items() if well == 2]
    assert {row["figure"] for row in deleted} == {"oil", "gas", "liquids", "water", "days"}
    assert {(row["change"], row["after"]) for row in deleted} == {("deleted", None)}
    third = feed.imported(settings, first)
    assert (2, "oil", None, 1.5, "returned") in changes(settings, job_id=third.job_id)
    undo = undo_import(third.job_id, settings)
    after_undo = changes(settings, job_id=undo.job_id)
    assert {(1, "oil", 1.5, 3.0, "undone"), (2, "oil", 1.5, None, "undone")} <= set(after_undo)
    undo_import(second.job_id, settings)
    assert changes(settings)[0][-1] in ("undone", "returned")
    with Store(settings.store_path).read() as reading:
        found = restatements(reading)
    assert net_oil_kbbl(found) == pytest.approx(0.0), "all is as it was"


def test_restatements_of_a_selection_and_of_a_time(settings: Settings, feed: Feed) -> None:
    """Fields, wells and months narrow them; since a day, of one job; another field is a change of its own."""
    feed.imported(settings, [record(1), record(2)])
    feed.imported(settings, [record(1, oil_production_kbd=2.0), record(2, oil_production_kbd=3.0)])
    assert changes(settings, selection=Selection(wells=("2",))) == [(2, "oil", 1.5, 3.0, "restated")]
    assert changes(settings, selection=Selection(first_month="2024-02")) == []
    today = datetime.now(UTC).date()
    assert len(changes(settings, since=today)) == 2 and not changes(settings, since=today + timedelta(days=2))
    bench = Workbench(settings.home)
    assert bench.restatements(selection=Selection(wells=("1",)))["after"].to_list() == [2.0]
    assert bench.select(wells=2).restatements()["after"].to_list() == [3.0]


def test_a_record_that_moved_to_another_field_is_one_change(tmp_path: Path) -> None:
    """Where a well is in one field at a time the change is of its field, there and back, never a deletion."""
    store = Store(tmp_path / "s.duckdb")
    for field in (1, 2, 1):
        step_import(store, [(1, field, 1.0)], is_whole=True, well_in_one_field=True)
    with store.read() as reading:
        found = restatements(reading).select("figure", "before_text", "after_text", "change").rows()
        assert restated_since(reading, HOME, datetime.now(UTC).replace(tzinfo=None)).is_empty()
    assert found == [("field_code", "2", "1", "restated"), ("field_code", "1", "2", "restated")]


def test_a_record_without_figures_that_goes_is_told(settings: Settings, feed: Feed) -> None:
    """It has one row, `record`."""
    figures = ("days_on_production", *(f"{name}_production_kbd" for name in ("oil", "liquids", "water")))
    none = dict.fromkeys((*figures, "gas_production_mmcfd"))
    feed.imported(settings, [record(1), {**record(2), **none}])
    feed.imported(settings, [record(1)])
    assert changes(settings) == [(2, "record", None, None, "deleted")]


def test_the_command_shows_them(settings: Settings, feed: Feed, run: CommandLine) -> None:
    """By job, the largest on top, with what they come to; as JSON with the selection; nothing is told as such."""
    feed.imported(settings, [record(1), record(2)])
    assert "Nothing that was stored has changed" in run("restatements").stderr
    second = feed.imported(settings, [record(1, oil_production_kbd=2.0), record(2, oil_production_kbd=9.0)])
    shown = run("restatements", "--limit", "1", COLUMNS="80")
    assert shown.returncode == 0 and max(map(len, shown.stdout.splitlines())) <= 80
    for words in (second.job_id[:8], "Well 2", "oil (kbd)", "+500.0 %", "2 records, 2 wells, 1 month; oil +248.0 kbbl"):
        assert words in shown.stdout
    assert "Well 1" not in shown.stdout and "The first 1 of 2 changes" in shown.stderr
    told = json.loads(run("restatements", "--json", "--job", second.job_id[:8], "--well", "1").stdout)
    assert told["selection"]["wells"] == ["1"] and [row["after"] for row in told["restatements"]] == [2.0]
    assert run("restatements", "--since", "May").returncode == 2
    feed.imported(settings, [record(2, oil_production_kbd=9.0)])
    done = run("restatements", "--output", str(settings.home / "changes.csv"))
    assert "2 records (2 restated, 1 deleted)" in done.stdout and "changes are in" in done.stderr
    table = pl.read_csv(settings.home / "changes.csv")
    assert table.filter(figure="oil")["change"].to_list() == ["deleted", "restated", "restated"]
    assert run("restatements", "--output", str(settings.home / "no" / "changes.csv")).returncode == 1


# As it was known


def test_measures_and_exports_as_known_before(settings: Settings, feed: Feed, run: CommandLine, tmp_path: Path) -> None:
    """Before a restatement the old figures, before a deletion the record, before the first import nothing."""
    feed.imported(settings, [record(1), record(2)])
    with Store(settings.store_path).write() as writing:  # as if it had been a month ago
        for table, column in (("production", "created_at"), ("production", "updated_at"), ("imports", "noted_at")):
            writing.connection.execute(f"UPDATE {table} SET {column} = {column} - INTERVAL 30 DAY")
    now = datetime.now(UTC)
    before, early = ((now - timedelta(days=days)).strftime("%Y-%m-%d") for days in (10, 40))
    feed.imported(settings, [record(1, oil_production_kbd=4.0)])
    rates = {}
    for day in (None, before):
        asked = ("--as-known-on", day) if day else ()
        told = json.loads(run("measures", "--measure", "oil_rate", "--json", *asked).stdout)
        rates[day] = told["months"][0]["oil_kbd"]
    assert rates == {None: 4.0, before: 3.0}
    out = tmp_path / "then.csv"
    done = json.loads(run("export", "--output", out, "--as-known-on", before, "--json").stdout)
    assert done["records"] == 2 and pl.read_csv(out)["oil_production_kbd"].to_list() == [1.5, 1.5]
    assert run("export", "--as-known-on", before).returncode == 0
    assert [path.name for path in settings.home.glob("*.csv")] == [f"wells_prod_as_known_on_{before}.csv"]
    assert run("export", "--output", out, "--as-known-on", early).returncode == 1
    bench = Workbench(settings.home)
    then = bench.select(as_known_on=before)
    assert then.measures("oil_rate")["oil_kbd"].to_list() == [3.0] and before in repr(then)
    assert then.quality().filter(mark="restated").is_empty()
    assert bench.select().quality().filter(mark="restated").height == 1
    assert bench.select(as_known_on=early).measures("oil_rate").is_empty()
    with pytest.raises(SelectionError, match="is no day"):
        bench.select(as_known_on="2024-13-01")


# Who reads the history


def test_readers_of_the_history_tell_the_kinds_apart(settings: Settings, feed: Feed) -> None:
    """Counts, marks and bridges: a restatement that was taken back is none, a deletion takes its volume away."""
    months = [record(well, "2024-01") for well in (1, 2)] + [record(1, "2024-02")]
    feed.imported(settings, months[:2])
    feed.imported(settings, months)
    moment = stored(settings, "max(updated_at)").item()
    bad = feed.imported(settings, [record(1, "2024-01", oil_production_kbd=5.0), *months[1:]])
    store = Store(settings.store_path)
    with store.read() as reading:
        assert overview(reading).restated_versions == 1
        assert marks(reading).filter(mark="restated").height == 1
        bridge = volume_bridge(reading, HOME, date(2024, 2, 1))
        assert dict(bridge.parts.select("part", "volume").rows())["restated"] == pytest.approx(3.5 * 31)
    undo_import(bad.job_id, settings)
    with store.read() as reading:
        assert marks(reading).filter(mark="restated").is_empty()
        assert restated_since(reading, HOME, moment).is_empty()
        assert "restated" not in dict(
            volume_bridge(reading, HOME, date(2024, 2, 1)).parts.select("part", "volume").rows()
        )
    feed.imported(settings, [months[0], months[2]])
    with store.read() as reading:
        assert overview(reading).restated_versions == 1, "the one that was taken back is kept"
        gone = restated_since(reading, HOME, moment)
        assert gone.select("well_code", "oil_before", "oil_now").rows() == [(2, 1.5, None)]
        bridge = volume_bridge(reading, HOME, date(2024, 2, 1))
        assert dict(bridge.parts.select("part", "volume").rows())["restated"] == pytest.approx(-1.5 * 31)
