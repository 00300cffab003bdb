"""Where the parts of an import meet: windows, delta links, tombstones, undo, kept pages and several feeds."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wellprod.errors import BusinessRuleViolation
from wellprod.feed.profile import find_profile
from wellprod.ingest import ImportRequest, StopRequest, resume_import, start_import, undo_import
from wellprod.ingest.run import run_import
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings, load_settings

from .scripted import Asked, Reply, record, scripted_feed
from .test_changes import KEY, MONTHS, DeltaFeed, changes_of, oil_by_well
from .test_import import stored, tuned

ROWS = [record(1, month) for month in MONTHS]
REMOVED = {"@removed": {"reason": "deleted"}, "@id": f"Wells({KEY.format(2, '2024-01')})"}


def filtered(asked: Asked, page: int, size: int = 10) -> Reply:
    """Give a page of three years of one well, by next links that keep the filter, and a delta link if asked for."""
    first = asked.options.get("f") or asked.options.get("$filter", "ge 0000").partition(" ge ")[2][:7]
    rows = [row for row in ROWS if row["production_period"][:7] >= first]
    answer: dict[str, Any] = {"@odata.count": len(rows), "value": rows[(page - 1) * size : page * size]}
    if page * size < len(rows):
        answer["@odata.nextLink"] = f"Wells?p={page + 1}&f={first}"
    return Reply(answer)


def test_a_window_whose_link_expired_stays_a_window(settings: Settings) -> None:
    """Read again from its first page it is still a part of the feed, and deletes nothing of what it did not ask for."""
    says: list[Callable[[], int]] = [lambda: 200]

    def answer(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 1))
        status = says[0]() if page > 1 else 200
        return Reply("", status) if status != 200 else filtered(asked, page)

    impatient = tuned(settings, window_months=12, feed_attempts=1)
    with scripted_feed(answer) as (url, _):
        request = ImportRequest(f"{url}/Wells", changes=True)
        start_import(request, settings)
        says[0] = lambda: 500
        failed = start_import(request, impatient)
        once = iter([410])
        says[0] = lambda: next(once, 200)
        done = resume_import(failed.job_id, impatient)
        assert (done.status, done.state.part, done.state.deleted) == (Status.COMPLETED, "window", 0)
        assert "The saved next link has expired" in done.state.warnings[0]
    assert stored(settings, "production_period").height == len(MONTHS)


def test_a_window_leaves_no_delta_link(settings: Settings) -> None:
    """It would tell of recent months alone for ever after; nor does a load that lacks records leave one."""

    def answer(asked: Asked) -> Reply:
        rows = ROWS[: int(asked.options.get("$top", len(ROWS)))] if "$skip" in asked.options else ROWS
        skip = int(asked.options.get("$skip", 0))
        return Reply({"@odata.count": counted[0], "value": rows[skip:], "@odata.deltaLink": "Wells?$deltatoken=x"})

    counted = [len(ROWS)]
    with scripted_feed(answer) as (url, asked):
        request = ImportRequest(f"{url}/Wells", changes=True)
        start_import(ImportRequest(f"{url}/Wells", paging="skip"), settings)
        asked.clear()
        assert [start_import(request, settings).state.part for _ in range(2)] == ["window", "window"]
        assert not any("track-changes" in each.headers["prefer"] for each in asked)
        counted[0] += 1
        start_import(ImportRequest(f"{url}/Wells"), settings)
        assert stored(settings, "delta_link", "imports")["delta_link"].to_list() == [None] * 4


@pytest.mark.parametrize("has_links", [True, False])
def test_after_an_undo_all_is_read_again(settings: Settings, has_links: bool) -> None:
    """What a later import met unchanged went with the one that was undone, and is not among what has changed since."""
    with DeltaFeed([record(1), record(2)]).serving() as feed:
        base = start_import(ImportRequest(feed.url, paging="server" if has_links else "skip"), settings)
        feed.rows.append(record(3, "2024-02"))
        feed.changes["0"] = [feed.rows[-1]]
        start_import(ImportRequest(feed.url, changes=has_links), settings)
        undo_import(base.job_id, settings)
        assert [well for well, _ in oil_by_well(settings)] == [3]
        again = start_import(ImportRequest(feed.url, changes=True), tuned(settings, window_months=1))
        why = "this feed was never read as a whole" if has_links else "an import was undone after the last whole pass"
        assert again.state.part_told == f"all of it, since {why}"
    assert [well for well, _ in oil_by_well(settings)] == [1, 2, 3]


def test_a_load_that_saw_an_undo_is_no_whole_pass(settings: Settings) -> None:
    """What it had met unchanged before it was stopped is gone when it goes on; the next import reads all again."""
    rows = [record(well) for well in range(4)]
    is_broken = True

    def answer(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 1))
        link = {"@odata.nextLink": "Wells?p=2"} if page == 1 else {"@odata.deltaLink": "Wells?$deltatoken=a"}
        return Reply("", 500) if page == 2 and is_broken else Reply({"value": rows[2 * page - 2 : 2 * page], **link})

    with scripted_feed(answer) as (url, _):
        request = ImportRequest(f"{url}/Wells", changes=True)
        first, second = (start_import(request, tuned(settings, feed_attempts=1)) for _ in range(2))
        undo_import(first.job_id, settings)
        is_broken = False
        assert resume_import(second.job_id, settings).status == Status.COMPLETED
        assert [well for well, _ in oil_by_well(settings)] == [2, 3]
        assert start_import(request, settings).state.part == "all"
    assert [well for well, _ in oil_by_well(settings)] == [0, 1, 2, 3]


def test_what_a_feed_removed_is_removed_from_its_own_records(settings: Settings, tmp_path: Path) -> None:
    """A removed entity that names no data source leaves another feed's record of that well and month alone."""
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"value": [record(2, data_source="other")]}))
    with DeltaFeed([record(1), record(2)]).serving() as feed:
        changes_of(feed, settings)
        start_import(ImportRequest(str(path)), settings)
        feed.changes["0"] = [REMOVED]
        assert changes_of(feed, settings).state.deleted == 1
    assert stored(settings, "data_source, well_code").rows() == [("other", 2), ("test", 1)]


def test_addresses_that_differ_in_an_option_are_two_feeds(settings: Settings) -> None:
    """A whole load of the one deletes nothing of the other; a key in the address tells no feeds apart."""
    with scripted_feed(lambda asked: Reply({"value": [record(int(asked.options["region"]))]})) as (url, _):
        for region in (1, 2):
            summary = start_import(ImportRequest(f"{url}/Wells?region={region}&key=k{region}"), settings)
        assert summary.state.deleted == 0
    assert [well for well, _ in oil_by_well(settings)] == [1, 2]
    assert "region=2" in summary.request.feed and "k2" not in summary.request.feed


def test_a_count_that_moves_deletes_nothing(settings: Settings) -> None:
    """A record that went while windows were read moves the next one past a record that is still there."""
    rows = [record(well) for well in range(6)]

    def answer(asked: Asked) -> Reply:
        skip, top = int(asked.options.get("$skip", 0)), int(asked.options["$top"])
        if skip and len(rows) == 6 and is_moving:
            del rows[0]
        return Reply({"@odata.count": len(rows), "value": rows[skip : skip + top]})

    is_moving = False
    with scripted_feed(answer) as (url, _):
        request = ImportRequest(f"{url}/Wells", paging="skip", page_size=2)
        start_import(request, settings)
        is_moving = True
        assert start_import(request, tuned(settings, feed_lanes=1)).state.deleted == 0
        assert start_import(request, settings).state.deleted == 1
    assert [well for well, _ in oil_by_well(settings)] == [1, 2, 3, 4, 5]


def test_a_profile_given_as_a_file_is_known_later(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another folder too: for the window, for the guard of changes, for an undo and for kept pages."""
    text = (Path(find_profile.__globals__["__file__"]).parent / "profiles" / "woodmac.toml").read_text()
    (tmp_path / "own.toml").write_text(text.replace('name = "woodmac"', 'name = "own"'))
    monkeypatch.chdir(tmp_path)
    keeping = tuned(settings, keep_pages=True, restated_share=0.0)
    with DeltaFeed([record(well) for well in range(1000)]).serving() as feed:
        whole = start_import(ImportRequest(feed.url, profile="own.toml", changes=True), keeping)
        monkeypatch.chdir("/")
        feed.changes["0"] = [record(1, oil_production_kbd=9.0)]
        stopped = start_import(ImportRequest(feed.url, changes=True), keeping)
        assert stopped.error and stopped.error["code"] == "TOO_MANY_RESTATEMENTS"
    other = load_settings(home=tmp_path / "other")
    assert start_import(ImportRequest(str(settings.pages_path / whole.job_id)), other).state.new == 1000
    assert undo_import(whole.job_id, settings).records.removed == 1000


def test_a_delta_that_ends_half_way_is_read_and_kept_as_a_whole(settings: Settings) -> None:
    """410 after some pages of changes: what is counted, kept and deleted is that of the whole feed that follows."""

    def answer(asked: Asked) -> Reply:
        match asked.options.get("$deltatoken"):
            case None:
                wells = (1, 2, 3) if len(asked_for) < 2 else (1, 2)
                return Reply({"@odata.count": 3, "value": [*map(record, wells)], "@odata.deltaLink": "W?$deltatoken=a"})
            case "a":
                return Reply({"value": [record(4), record(5)], "@odata.nextLink": "W?$deltatoken=b"})
            case "b":
                return Reply({"value": [REMOVED], "@odata.nextLink": "W?$deltatoken=c"})
        return Reply("", 410)

    with scripted_feed(answer) as (url, asked_for):
        request = ImportRequest(f"{url}/W", changes=True)
        start_import(request, settings)
        state = start_import(request, tuned(settings, keep_pages=True)).state
    assert (state.part, state.missing_records(), state.deleted) == ("all", 1, 1)
    kept = settings.home / str(state.kept_pages)
    assert sorted(path.name for path in kept.iterdir()) == ["000001.json.zst", "source.json"]
    assert json.loads((kept / "source.json").read_text())["part"] == "all"


def test_no_changes_are_no_empty_feed(settings: Settings) -> None:
    """A delta link with nothing to tell is no warning."""
    with DeltaFeed([record(1)]).serving() as feed:
        changes_of(feed, settings)
        assert changes_of(feed, settings).state.warnings == []


def test_an_undone_import_does_not_run(settings: Settings) -> None:
    """Also where it was undone after somebody had asked to go on with it: nothing of it comes back."""
    with DeltaFeed([record(1)]).serving() as feed:
        job_id = changes_of(feed, settings).job_id
        undo_import(job_id, settings)
        with pytest.raises(BusinessRuleViolation, match="was undone by the job"):
            resume_import(job_id, settings)
        job = Ledger(settings.jobs_path).get(job_id)
        summary = run_import(job, ImportRequest(feed.url), settings)
    assert summary.error and summary.error["rule"] == "NOT_UNDONE"
    assert stored(settings, "well_code").is_empty()


def test_a_wish_to_stop_that_comes_with_the_last_page_finds_nothing_to_leave(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import is whole; a further run would have to read that page again, and count its records twice."""
    monkeypatch.setattr("wellprod.ingest.run._TICK_SECONDS", 60.0)
    stop, is_stored = StopRequest(), threading.Event()

    def answer(asked: Asked) -> Reply:
        if "p" not in asked.options:
            return Reply({"value": [record(1)], "@odata.nextLink": "Wells?p=2"})
        is_stored.wait(60)
        stop.ask()
        return Reply({"value": [record(2)]})

    with scripted_feed(answer) as (url, _):
        one_by_one = tuned(settings, group_records=1)
        watching = {"stop": stop, "on_progress": lambda _: is_stored.set()}
        summary = start_import(ImportRequest(f"{url}/Wells"), one_by_one, **watching)
        again = resume_import(summary.job_id, settings)
    assert (summary.status, again.state.total) == (Status.COMPLETED, 2)


def test_an_undo_takes_back_what_was_said_of_the_figures(settings: Settings, tmp_path: Path) -> None:
    """An import by a wrong profile changes no record, but what its liquids are said to be; that too comes back."""
    text = (Path(find_profile.__globals__["__file__"]).parent / "profiles" / "woodmac.toml").read_text()
    wrong = "liquids_include_condensate = true\n" + text.replace('name = "woodmac"', 'name = "wrong"')
    (tmp_path / "wrong.toml").write_text(wrong.replace("\nliquids_include_condensate = true", ""))
    (tmp_path / "wells.json").write_text(json.dumps({"value": [record(1)]}))
    request = ImportRequest(str(tmp_path / "wells.json"))
    first = start_import(request, settings)
    second = start_import(replace(request, profile=str(tmp_path / "wrong.toml")), settings)
    told = "profile, job_id::VARCHAR"
    assert stored(settings, told, "data_sources").rows() == [("wrong", second.job_id)]
    undo_import(second.job_id, settings)
    assert stored(settings, told, "data_sources").rows() == [("woodmac", first.job_id)]
