"""Whatever kills an importer, at whatever moment: the store is whole, and the import goes on where it was."""

from __future__ import annotations

import random
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings, load_settings

from .crash import PHASES, Moment, importing, phase_of, starting_at_once
from .scripted import Asked, PagedFeed, Reply, record
from .test_import import stored

pytestmark = pytest.mark.slow

PAGES, SIZE = 30, 5


class RestatingFeed(PagedFeed):
    """A feed whose records all have the oil that it is set to."""

    oil = 1.5

    def answer(self, asked: Asked) -> Reply:
        """Give one page."""
        page = int(asked.options.get("p", 1))
        link = {"@odata.nextLink": f"Wells?p={page + 1}"} if page < self.pages else {}
        wells = range((page - 1) * self.size, page * self.size)
        rows = [record(well, oil_production_kbd=self.oil) for well in wells]
        return Reply({"@odata.count": len(self.wells), "value": rows, **link})


def killed_again_and_again(settings: Settings, feed: RestatingFeed, moments: list[Moment]) -> list[str]:
    """Import, killed at the moments one after the other as long as it runs; give what it was at each time."""
    ledger, job_id, phases = Ledger(settings.jobs_path), None, []
    known = {job.job_id for job in ledger.jobs()}
    for moment in [*moments, None]:
        code = importing(settings.home, feed.url, job_id, moment)
        found = [job for job in ledger.jobs() if job.job_id not in known]
        assert len(found) <= 1, "one job, however often it was resumed"
        job_id = found[0].job_id if found else None
        if code == 0:
            break
        assert code == -9
        phases.append(phase_of(settings.home))
        if found:
            (job,) = found
            assert job.status == Status.FAILED and job.error and job.error["code"] == "PROCESS_GONE"
            assert f"wellprod jobs resume {job.job_id}" in job.error["next"]
    assert job_id, "the last run is not killed"
    return phases


def assert_whole(settings: Settings, feed: RestatingFeed, runs: int, *, restated_from: float | None) -> None:
    """Check that the store equals the source, that no page was stored twice, and what the job says of it."""
    rows = stored(settings, "well_code, oil_production_kbd, well_name").rows()
    assert rows == [(well, feed.oil, f"Well {well}") for well in feed.wells]
    history = stored(settings, "well_code, oil_production_kbd, change", "production_history").rows()
    earlier = [(well, restated_from, "restated") for well in feed.wells] if restated_from else []
    assert history == earlier
    assert stored(settings, "*", "rejected_rows").is_empty() and stored(settings, "*", "import_confirmed").is_empty()
    job = Ledger(settings.jobs_path).jobs()[0]
    assert job.status == Status.COMPLETED and job.runs <= runs and job.error is None and job.summary
    counts, pages = job.summary["import_summary"], job.summary["pagination_summary"]
    assert pages["processed_pages"] == pages["total_pages"] == PAGES
    came = len(feed.wells)
    expected = (0, 0, came) if restated_from else (came, 0, 0)
    assert (counts["new_records"], counts["duplicate_records"], counts["restated_records"]) == expected


def imports_with_kills(folder: Path, kills: int) -> Counter[str]:
    """Import, and import what was restated, into store after store until so many kills are through."""
    chance = random.Random(8)
    done: Counter[str] = Counter()
    while done.total() < kills:
        settings = load_settings(home=folder / str(done.total()) / "home", feed_retry_seconds=0.01)
        settings.home.mkdir(parents=True)
        feed = RestatingFeed(PAGES, SIZE)
        with feed.serving():
            for oil, before in ((1.5, None), (2.5, 1.5)):
                feed.oil = oil
                phases = [PHASES[(done.total() + at) % len(PHASES)] for at in range(min(10, kills - done.total()))]
                met = killed_again_and_again(settings, feed, [Moment.random(chance, phase) for phase in phases])
                assert_whole(settings, feed, len(met) + 1, restated_from=before)
                done.update(met)
    return done


def test_kills_in_the_midst_lose_and_double_nothing(tmp_path: Path) -> None:
    """20 kills, each while it reads, merges, commits or checkpoints: the resumed import equals the source."""
    assert set(imports_with_kills(tmp_path, 20)) == set(PHASES)


@pytest.mark.long
def test_200_kills_in_the_midst_lose_and_double_nothing(tmp_path: Path) -> None:
    """200 kills, each while it reads, merges, commits or checkpoints: the resumed import equals the source."""
    done = imports_with_kills(tmp_path, 200)
    assert set(done) == set(PHASES) and min(done.values()) >= 20


def doubly_started(folder: Path, times: int) -> None:
    """Start two importers at the same instant, again and again; exactly one runs each time."""
    for at in range(times):
        home = folder / str(at) / "home"
        home.mkdir(parents=True)
        with PagedFeed(2, held=2).serving() as feed, starting_at_once(home, feed.url, 2) as both:
            feed.wait_for_page(2)  # the one that runs waits there, so the other one cannot follow it
            wait([process.sentinel for process in both], 60)
            feed.released.set()
            for process in both:
                process.join()
            assert sorted(process.exitcode or 0 for process in both) == [0, 1]
            (job,) = Ledger(home / "jobs.sqlite").jobs()
            assert (job.status, job.runs, job.records) == (Status.COMPLETED, 1, len(feed.wells))


def test_of_two_importers_at_the_same_instant_one_runs(tmp_path: Path) -> None:
    """5 times: the other one is refused, and the ledger has one job."""
    doubly_started(tmp_path, 5)


@pytest.mark.long
def test_of_two_importers_at_the_same_instant_one_runs_50_times(tmp_path: Path) -> None:
    """50 times: the other one is refused, and the ledger has one job."""
    doubly_started(tmp_path, 50)
