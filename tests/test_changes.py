"""Only what changed: by delta links, by a window of recent months, and by a whole pass now and then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from wellprod.demo import create_app, generate_wells, running
from wellprod.errors import UsageError
from wellprod.feed.delta import ENTRY, LINK, REMOVED, read_delta
from wellprod.ingest import ImportRequest, ImportSummary, resume_import, start_import
from wellprod.jobs import Status
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .conftest import CommandLine
from .scripted import Asked, Reply, record, scripted_feed
from .test_import import counted, frame_of, stored, tuned

KEY = "field_code=1,well_code={},production_period={}-01T00:00:00Z"


@dataclass
class DeltaFeed:
    """A feed that tracks changes: what it holds, and what it says of them from each token on."""

    rows: list[dict[str, Any]]
    changes: dict[str, list[Any]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    key: str = ""
    url: str = ""

    def answer(self, asked: Asked) -> Reply:
        """Give everything with a delta link at the end, or the changes after a token."""
        token = asked.options.get("$deltatoken")
        if token is None:
            tracks = "odata.track-changes" in asked.headers.get("prefer", "")
            link = {"@odata.deltaLink": self.link(len(self.changes))} if tracks else {}
            return Reply({"@odata.count": len(self.rows), "value": self.rows, **link})
        if token in self.gone:
            return Reply({"error": {"code": "410", "message": "The token has expired."}}, 410)
        later = int(token) + 1
        entries = self.changes.get(token, [])
        link = {"@odata.deltaLink": self.link(max(later, len(self.changes)))}
        return Reply({"@odata.context": "$metadata#Wells/$delta", "value": entries, **link})

    def link(self, token: int) -> str:
        """Give a delta link."""
        return f"Wells?{self.key}&$deltatoken={token}" if self.key else f"Wells?$deltatoken={token}"

    @contextmanager
    def serving(self) -> Iterator[DeltaFeed]:
        """Serve it while the block lasts."""
        with scripted_feed(self.answer) as (url, self.asked):
            self.url = f"{url}/Wells?{self.key}".rstrip("?")
            yield self

    def tokens(self) -> list[str | None]:
        """Give the tokens that were sent since the last look, None for a request without."""
        found = [asked.options.get("$deltatoken") for asked in self.asked]
        self.asked.clear()
        return found


def changes_of(feed: DeltaFeed, settings: Settings) -> ImportSummary:
    """Import what changed."""
    return start_import(ImportRequest(feed.url, changes=True), settings)


def oil_by_well(settings: Settings) -> list[tuple[int, float]]:
    """Give well and oil of what the store holds."""
    return stored(settings, "well_code, oil_production_kbd").rows()


# Delta links (11.3)


def test_a_delta_link_brings_only_what_changed(settings: Settings) -> None:
    """After the first import the token alone is sent: changed, new and removed entities, each counted as what it is."""
    removed_40 = {"@odata.context": "$metadata#Wells/$deletedEntity", "id": f"Wells({KEY.format(2, '2024-01')})"}
    removed_401 = {"@removed": {"reason": "deleted"}, **{name: record(3)[name] for name in ("field_code", "well_code")}}
    removed_401["production_period"] = "2024-01-01T00:00:00Z"
    link = {"@odata.context": "$metadata#Wells/$deletedLink", "source": "Wells(1)", "target": "Fields(1)"}
    changed = [record(1, oil_production_kbd=9.0), removed_40, removed_401, link, record(5)]
    with DeltaFeed([record(well) for well in (1, 2, 3, 4)]).serving() as feed:
        assert counted(changes_of(feed, settings)) == (4, 0, 0, 0)
        assert feed.tokens() == [None]
        feed.changes["0"] = changed
        summary = changes_of(feed, settings)
        assert feed.tokens() == ["0"]
        assert (counted(summary), summary.state.deleted, summary.exit_code) == ((1, 0, 1, 0), 2, 0)
        assert (summary.state.part, summary.state.warnings) == ("delta", [])
        assert oil_by_well(settings) == [(1, 9.0), (4, 1.5), (5, 1.5)]
        assert counted(changes_of(feed, settings)) == (0, 0, 0, 0)
        assert feed.tokens() == ["1"]
    columns = "well_code, change, replaced_by::VARCHAR"
    assert stored(settings, columns, "production_history").rows() == [
        (1, "restated", summary.job_id),
        (2, "deleted", summary.job_id),
        (3, "deleted", summary.job_id),
    ]


def test_of_a_removal_and_a_record_the_later_one_counts(settings: Settings) -> None:
    """Removed and then there again it stays, changed and then removed it goes, within one group."""
    gone = {"@removed": {"reason": "changed"}, "@id": f"Wells({KEY.format(1, '2024-01')})"}
    also = {"@removed": {"reason": "deleted"}, "@id": f"Wells({KEY.format(2, '2024-01')})"}
    with DeltaFeed([record(1), record(2)]).serving() as feed:
        changes_of(feed, settings)
        feed.changes["0"] = [gone, record(1, oil_production_kbd=2.0), record(2, oil_production_kbd=3.0), also]
        assert changes_of(feed, settings).state.deleted == 1
    assert oil_by_well(settings) == [(1, 2.0)]


def test_what_was_removed_and_is_not_known_by_its_key_is_a_reject(settings: Settings) -> None:
    """An id that tells no well and month cannot be matched: exit code 3, and the row is kept as it came."""
    entry = {"@removed": {"reason": "deleted"}, "@id": "Wells(4711)"}
    with DeltaFeed([record(1)]).serving() as feed:
        changes_of(feed, settings)
        feed.changes["0"] = [entry]
        summary = changes_of(feed, settings)
    assert (summary.exit_code, oil_by_well(settings)) == (3, [(1, 1.5)])
    reason, raw = stored(settings, "reason, raw_row", "rejected_rows").row(0)
    assert reason.startswith("removed at the source, but which record is not told: ") and json.loads(raw) == entry


def test_an_expired_delta_token_means_all_again(settings: Settings) -> None:
    """410: everything is read, the warning says so, and the next token is the new one."""
    with DeltaFeed([record(1), record(2)]).serving() as feed:
        changes_of(feed, settings)
        feed.changes["0"] = []
        feed.gone.add("0")
        feed.asked.clear()
        summary = changes_of(feed, settings)
        assert feed.tokens() == ["0", None]
        assert (counted(summary), summary.state.part, summary.exit_code) == ((0, 2, 0, 0), "all", 0)
        assert "The saved delta link has expired" in summary.state.warnings[0]
        changes_of(feed, settings)
        assert feed.tokens() == ["1"]


def test_a_token_is_kept_only_with_its_rows(settings: Settings) -> None:
    """An import that fails before its last page keeps no token; its resume gets the same changes again."""
    broken = [True]

    def answer(asked: Asked) -> Reply:
        token, page = asked.options.get("$deltatoken"), asked.options.get("p")
        if token is None and page is None:
            return Reply({"value": [record(1)], "@odata.deltaLink": "Wells?$deltatoken=a"})
        if token == "a":
            return Reply({"value": [record(2)], "@odata.nextLink": "Wells?p=2"})
        if token == "b":
            return Reply({"value": [], "@odata.deltaLink": "Wells?$deltatoken=c"})
        entries = [record(3), {"@removed": {}, "@id": f"Wells({KEY.format(1, '2024-01')})"}]
        return Reply("", 500) if broken[0] else Reply({"value": entries, "@odata.deltaLink": "Wells?$deltatoken=b"})

    with scripted_feed(answer) as (url, asked):
        request = ImportRequest(f"{url}/Wells", changes=True)
        start_import(request, settings)
        failed = start_import(request, settings)
        assert failed.status == Status.FAILED and oil_by_well(settings) == [(1, 1.5), (2, 1.5)]
        again = start_import(request, settings)
        assert again.status == Status.FAILED and again.state.part == "delta"
        broken[0] = False
        asked.clear()
        done = resume_import(again.job_id, settings)
        assert [request.options for request in asked] == [{"p": "2"}]
        assert done.status == Status.COMPLETED and oil_by_well(settings) == [(2, 1.5), (3, 1.5)]
        asked.clear()
        start_import(request, settings)
    assert [request.options.get("$deltatoken") for request in asked] == ["b"]


def test_a_delta_link_to_another_origin_is_refused(settings: Settings) -> None:
    """It is where the credentials would go next time: it is told and not kept, and the import is whole."""
    with scripted_feed(lambda _: Reply({"value": [record(1)], "@odata.deltaLink": "https://elsewhere.example/x"})) as (
        url,
        _,
    ):
        summary = start_import(ImportRequest(f"{url}/Wells"), settings)
    assert (summary.status, summary.exit_code) == (Status.COMPLETED, 0)
    (warning,) = [warning for warning in summary.state.warnings if "delta link" in warning]
    assert "of page 1 leads to another origin, https://elsewhere.example:443" in warning
    assert stored(settings, "delta_link", "imports").item() is None


def test_changes_are_tracked_from_the_first_request_alone(settings: Settings) -> None:
    """The preference goes with the first page and not with a part of the feed."""

    def answer(asked: Asked) -> Reply:
        link = {} if "p" in asked.options else {"@odata.nextLink": "Wells?p=2"}
        return Reply({"value": [record(1)], **link})

    with scripted_feed(answer) as (url, asked):
        start_import(ImportRequest(f"{url}/Wells"), settings)
        start_import(ImportRequest(f"{url}/Wells", max_pages=1), settings)
    sent = ["track-changes" in request.headers["prefer"] for request in asked]
    assert sent[0] and not any(sent[1:])


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"@removed": {"reason": "deleted"}, "id": "W(a='it''s',b=2)"}, REMOVED),
        ({"@odata.context": "#W/$deletedEntity", "id": "https://h/W(b=2,a=%27it%27%27s%27)"}, REMOVED),
        ({"@context": "#W/$link", "source": "W(1)"}, LINK),
        ({"a": "it's", "b": 2}, None),
        (7, None),
    ],
)
def test_delta_entries_are_told_apart(entry: Any, kind: str | None) -> None:
    """Records, removed entities with the key that their id names, and links, in the forms of 4.0 and 4.01."""
    row = read_delta(json.dumps({"value": [entry]}).encode(), ["a", "b", "c"]).rows.row(0, named=True)
    assert row[ENTRY] == kind
    if kind == REMOVED:
        assert (row["a"], row["b"], row["c"]) == ("it's", "2", None)


# The window, and the whole pass


MONTHS = [f"{year}-{month:02}" for year in (2021, 2022, 2023) for month in range(1, 13)]


@pytest.fixture
def two_wells() -> list[dict[str, Any]]:
    """Three years of two wells."""
    return [record(well, month) for well in (1, 2) for month in MONTHS]


@pytest.mark.parametrize("paging", ["server", "skip"])
def test_without_a_delta_link_the_recent_months_are_read(
    settings: Settings, two_wells: list[dict[str, Any]], paging: Any
) -> None:
    """The first import reads all, the second 24 months to the newest one; restated months among them come in."""
    request: Callable[[str], ImportRequest] = lambda url: ImportRequest(url, changes=True, paging=paging)  # noqa: E731
    with running(create_app(frame_of(two_wells))) as url:
        assert counted(start_import(request(url), settings)) == (72, 0, 0, 0)
    later = [record(1, "2024-01"), *two_wells[:-1], {**two_wells[-1], "oil_production_kbd": 7.5}]
    with running(create_app(frame_of(later))) as url:
        summary = start_import(request(url), settings)
    assert counted(summary) == (1, 47, 1, 0)
    assert (summary.state.part, summary.state.first_month) == ("window", "2022-01-01")
    assert summary.state.part_told == "the last 24 months, from 2022-01 on"


def test_a_feed_that_refuses_to_filter_is_read_whole(settings: Settings) -> None:
    """A window that cannot be had is no end of all imports of changes: a warning says that all is read."""

    def answer(asked: Asked) -> Reply:
        rows = [record(1, month) for month in MONTHS]
        return Reply("", 501) if "$filter" in asked.options else Reply({"value": rows})

    with scripted_feed(answer) as (url, _):
        read = [start_import(ImportRequest(f"{url}/Wells", changes=True), settings) for _ in range(2)]
    assert [(summary.status, summary.state.part, summary.state.total) for summary in read] == [
        (Status.COMPLETED, "all", 36)
    ] * 2
    assert "refuses to filter" in read[1].state.warnings[0] and read[1].state.first_month is None


def test_the_window_ends_at_the_newest_month_that_has_begun(settings: Settings) -> None:
    """A month of a far future, a slip of the source, does not move it."""
    rows = [record(1, month) for month in (*MONTHS, "2099-01")]
    with running(create_app(frame_of(rows))) as url:
        start_import(ImportRequest(url, changes=True), settings)
        summary = start_import(ImportRequest(url, changes=True), tuned(settings, window_months=2))
    assert (summary.state.first_month, counted(summary)) == ("2023-11-01", (0, 3, 0, 0))


def test_a_whole_pass_comes_when_the_last_one_is_old(settings: Settings, two_wells: list[dict[str, Any]]) -> None:
    """After the days that the settings give all is read again, and a window follows from then on."""
    with running(create_app(frame_of(two_wells))) as url:
        request = ImportRequest(url, changes=True)
        start_import(request, settings)
        with Store(settings.store_path).write() as writing:
            writing.connection.execute("UPDATE imports SET noted_at = ?", [writing.now - timedelta(days=91)])
        read = [start_import(request, settings).state for _ in range(2)]
    assert [(state.part, state.total) for state in read] == [("all", 72), ("window", 48)]
    assert "the last whole pass was 91 days ago" in read[0].part_told


def test_a_part_is_no_whole_pass(settings: Settings, two_wells: list[dict[str, Any]]) -> None:
    """After an import of some months or pages, an import of changes reads all."""
    with running(create_app(frame_of(two_wells))) as url:
        for part in (ImportRequest(url, since="2023-01"), ImportRequest(url, max_pages=1, page_size=10)):
            start_import(part, settings)
        summary = start_import(ImportRequest(url, changes=True), settings)
    assert (summary.state.part, summary.state.total) == ("all", 72)


def test_a_killed_window_is_resumed_as_such(settings: Settings, two_wells: list[dict[str, Any]]) -> None:
    """What was chosen at the start holds to the end, though the store has changed meanwhile."""
    with running(create_app(frame_of(two_wells))) as url:
        request = ImportRequest(url, changes=True, page_size=5, paging="skip")
        start_import(request, settings)
        dead = tuned(settings, feed_attempts=1, feed_url="http://127.0.0.1:9", group_records=5)
        state = start_import(ImportRequest(url, changes=True, page_size=5, paging="skip", max_pages=2), dead)
        assert state.state.part == "window"
        job = resume_import(state.job_id, settings)
    assert job.state.first_month == "2022-01-01"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "records"), [(300, 30_000), pytest.param(8_200, 1_000_000, marks=pytest.mark.long)])
def test_of_an_unchanged_store_only_the_window_is_read_again(settings: Settings, number: int, records: int) -> None:
    """The second import asks for the last 24 months, meets each of their records once, and changes nothing."""
    made = generate_wells(number, 180, 3, date(2024, 12, 1))
    recent = made.filter(pl.col("production_period") >= "2023-01")
    with running(create_app(made, page_size=5000)) as url:
        request = ImportRequest(url, changes=True, page_size=5000)
        assert start_import(request, settings).state.new == made.height > records
        summary = start_import(request, settings)
    assert counted(summary) == (0, recent.height, 0, 0) and recent.height < made.height / 2
    assert summary.state.pages == -(-recent.height // 5000)


@pytest.mark.parametrize("asked", [{"since": "2024-01"}, {"start_page": 2, "paging": "skip"}])
def test_changes_go_with_no_other_part(asked: dict[str, Any]) -> None:
    """Two ways to say what is read contradict each other."""
    with pytest.raises(UsageError, match="changes reads what may have changed"):
        ImportRequest("http://127.0.0.1:9/odata", changes=True, **asked)


def test_a_file_has_no_changes() -> None:
    """A file is always read whole."""
    with pytest.raises(UsageError, match="does not go with a file"):
        ImportRequest("wells.json", changes=True)


def test_the_command_line_says_what_it_read(
    settings: Settings, run: CommandLine, two_wells: list[dict[str, Any]]
) -> None:
    """`import --changes` tells the window, on the screen and as JSON."""
    with running(create_app(frame_of(two_wells))) as url:
        assert run("import", url, "--changes").returncode == 0
        assert "the last 24 months, from 2022-01 on" in run("import", url, "--changes").stdout
        told = json.loads(run("import", url, "--changes", "--json").stdout)
    assert told["read"] == {
        "part": "window",
        "first_month": "2022-01-01",
        "told": "the last 24 months, from 2022-01 on",
    }


def test_kept_changes_are_replayed_as_changes(settings: Settings, tmp_path: Path) -> None:
    """The pages of a delta link, kept and read into another store, remove there what they removed here."""
    keeping = tuned(settings, keep_pages=True)
    removed = {"@removed": {"reason": "deleted"}, "@id": f"Wells({KEY.format(2, '2024-01')})"}
    with DeltaFeed([record(1), record(2)], key="secret=opensesame").serving() as feed:
        whole = changes_of(feed, keeping)
        feed.changes["0"] = [removed, record(1, oil_production_kbd=4.0)]
        later = changes_of(feed, keeping)
    other = load_settings(home=tmp_path / "other")
    for job in (whole, later):
        kept = settings.pages_path / job.job_id
        assert "opensesame" not in "".join(path.read_text("latin-1") for path in kept.iterdir())
        assert start_import(ImportRequest(str(kept)), other).exit_code == 0
    assert oil_by_well(other) == oil_by_well(settings) == [(1, 4.0)]


@pytest.mark.parametrize(("changed", "status"), [(300, Status.COMPLETED), (700, Status.FAILED)])
def test_changes_are_guarded_against_all_that_there_is(settings: Settings, changed: int, status: Status) -> None:
    """A delta link tells only what changed, so that its share is of all records of the source."""
    with DeltaFeed([record(well) for well in range(2000)]).serving() as feed:
        changes_of(feed, settings)
        feed.changes["0"] = [record(well, oil_production_kbd=9.0) for well in range(changed)]
        summary = changes_of(feed, settings)
    assert summary.status == status
    assert len([oil for _, oil in oil_by_well(settings) if oil == 9.0]) == (
        changed if status == Status.COMPLETED else 0
    )
