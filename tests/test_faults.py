"""Whatever happens on the way: when the troubles end the store equals the source, and progress never lied.

Bytes that are changed and still make a whole JSON page cannot be told over plain HTTP, which has no checksum; what is
changed here is what gzip, lengths, UTF-8 and JSON can tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wellprod.demo import create_app, running
from wellprod.errors import FeedError
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import FailedPage, Page, Place
from wellprod.ingest import ImportRequest, ImportSummary, Progress, resume_import, start_import
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .proxy import KINDS, SLOW, Proxy, Trouble
from .reading import ORDER, read
from .scripted import record
from .test_import import PAGING, frame_of

RECORDS = 30
ATTEMPTS = 2
HARMLESS = ("throttle", "redirect-here")
FINAL = ("html", "redirect-circle", "401", "404", "410")  # told at once, since another attempt would not mend them


@dataclass
class Case:
    """One import, however it is read, and all that is told of it."""

    paging: str
    page_size: int
    group_records: int
    lanes: int
    gzip: bool
    troubles: list[Trouble]


bursts = st.builds(
    lambda page, kinds, share: [Trouble(page, kind, share) for kind in kinds],
    page=st.integers(-1, RECORDS // 5 - 1),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=2 * ATTEMPTS),
    share=st.floats(0, 1),
)
troubles = st.lists(bursts, max_size=5).map(lambda found: [trouble for burst in found for trouble in burst])
cases = st.builds(
    Case,
    paging=st.sampled_from(PAGING),
    page_size=st.sampled_from([5, 8]),
    group_records=st.sampled_from([1, 12, 1000]),
    lanes=st.integers(1, 4),
    gzip=st.booleans(),
    troubles=troubles.filter(lambda found: sum(trouble.kind in SLOW for trouble in found) < 2),
)
DYING = [Trouble(page, "500") for page in (3, 3, 3, 3, 4, 4, 5, 5)]


@pytest.fixture(scope="module")
def proxies() -> Iterator[dict[bool, Proxy]]:
    """A way to a feed that compresses and to one that does not."""
    frame = frame_of([record(n) for n in range(RECORDS)])
    with ExitStack() as stack:
        urls = {gzip: stack.enter_context(running(create_app(frame, gzip=gzip))) for gzip in (True, False)}
        yield {gzip: stack.enter_context(Proxy(url).running()) for gzip, url in urls.items()}


def stored_wells(settings: Settings) -> list[int]:
    """Give the well codes in the store, each as often as it is there; none before there is a store."""
    if not settings.store_path.exists():
        return []
    with Store(settings.store_path).read() as reading:
        return reading.table("SELECT well_code FROM production ORDER BY ALL")["well_code"].to_list()


class Watch:
    """Compares what is told of an import with what is stored, each time something is told."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.told: list[Progress] = []
        self.new_before = len(stored_wells(settings))

    def __call__(self, now: Progress) -> None:
        """Compare this with what is stored and with what was told before."""
        assert now.new_records == len(stored_wells(self.settings)) - self.new_before
        assert now.records_processed == now.new_records + now.duplicate_records
        assert now.restated_records == now.failed_records == 0
        assert now.progress_percentage is None or now.progress_percentage <= 100
        if self.told:
            assert now.records_processed >= self.told[-1].records_processed
            assert now.current_page >= self.told[-1].current_page
        self.told.append(now)

    def ended(self, summary: ImportSummary) -> None:
        """Compare the end with what was told and with what is stored."""
        state, wells = summary.state, stored_wells(self.settings)
        job = Ledger(self.settings.jobs_path).get(summary.job_id)
        assert job.status == summary.status
        assert state.total == state.processed == state.new + state.duplicate
        assert state.new == len(wells) - self.new_before
        assert len(set(wells)) == len(wells) and set(wells) <= set(range(RECORDS))
        if self.told:
            assert self.told[-1].records_processed == state.total
            assert self.told[-1].current_page == state.pages + state.failed_pages
        if summary.status == Status.FAILED:
            assert summary.exit_code == 1
            assert summary.error and "jobs resume" in summary.error["next"]
        else:
            assert summary.status == Status.COMPLETED
            size, failed = summary.request.page_size, [error["page"] for error in state.errors]
            lost = {n for page in failed for n in range((page - 1) * size, min(page * size, RECORDS))}
            assert (state.failed_pages, state.pass_records) == (len(set(failed)), RECORDS - len(lost))
            assert set(range(RECORDS)) - set(wells) <= lost
            is_whole = not failed
            assert summary.exit_code == (0 if is_whole else 3)
            assert not is_whole or wells == list(range(RECORDS))
            if is_whole:
                assert self.told[-1].progress_percentage in (None, 100.0)


def live_through(case: Case, proxy: Proxy, home: Path) -> None:
    """Import until a whole import has come to its end, resuming what fails, as a person would."""
    settings = load_settings(
        home=home,
        feed_attempts=ATTEMPTS,
        feed_retry_seconds=0,
        feed_retry_max_seconds=0.02,
        feed_timeout_seconds=0.4,
        feed_lanes=case.lanes,
        group_records=case.group_records,
    )
    proxy.plan(case.troubles, case.page_size)
    request = ImportRequest(proxy.url, paging=case.paging, page_size=case.page_size)  # type: ignore[arg-type]
    most = len(case.troubles) + 3
    for _ in range(most):
        watch = Watch(settings)
        summary = start_import(request, settings, on_progress=watch)
        watch.ended(summary)
        for _ in range(most):
            if summary.status == Status.COMPLETED:
                break
            summary = resume_import(summary.job_id, settings, on_progress=watch)
            watch.ended(summary)
        assert summary.status == Status.COMPLETED
        if summary.exit_code == 0:
            break
    assert summary.exit_code == 0
    assert stored_wells(settings) == list(range(RECORDS))


def _in_a_fresh_home(proxies: dict[bool, Proxy], case: Case) -> None:
    with TemporaryDirectory() as home:
        live_through(case, proxies[case.gzip], Path(home))


@hypothesis.settings(max_examples=6, deadline=None, derandomize=True, database=None)
@example(case=Case("skip", 5, 1, 3, False, DYING))
@example(case=Case("server", 5, 12, 1, True, DYING))
@example(case=Case("skip", 5, 12, 4, False, DYING[2:-1]))
@example(case=Case("server", 5, 12, 1, False, [Trouble(2, "redirect-here"), *DYING]))
@given(case=cases)
def test_the_store_equals_the_source_whatever_happened(proxies: dict[bool, Proxy], case: Case) -> None:
    """For any troubles that end: each record once, counts and exit codes right, and nothing told that is not so."""
    _in_a_fresh_home(proxies, case)


@pytest.mark.long
@hypothesis.settings(max_examples=300, deadline=None)
@given(case=cases)
def test_the_store_equals_the_source_whatever_happened_at_length(proxies: dict[bool, Proxy], case: Case) -> None:
    """The same for many more troubles, other ones each time."""
    _in_a_fresh_home(proxies, case)


@pytest.mark.parametrize("paging", PAGING)
@pytest.mark.parametrize("kind", KINDS)
def test_one_answer_spoiled_is_no_page_lost(
    proxies: dict[bool, Proxy], settings: Settings, kind: str, paging: str
) -> None:
    """Each trouble by itself: it is tried again, or told as an error after which the next reading is whole."""
    proxy = proxies[False]
    for share in (0.0, 0.37, 1.0) if kind not in SLOW else (0.5,):
        proxy.plan([Trouble(2, kind, share)], 5)
        told: list[str] = []
        quick = settings.model_copy(update={"page_size": 5, "feed_retry_seconds": 0, "feed_retry_max_seconds": 0.02})
        feed = ODataFeed(proxy.url, quick.model_copy(update={"feed_timeout_seconds": 0.4}), notify=told.append)
        place: Place | None = Place()
        wells: list[int] = []
        errors: list[FeedError] = []
        while place is not None:
            try:
                for page in feed.windows(read, place, ORDER) if paging == "skip" else feed.pages(read, place):
                    if isinstance(page, FailedPage):
                        errors.append(page.error)
                        page = next(feed.windows(read, Place(page.number, skip=page.skip), ORDER))
                    assert isinstance(page, Page)
                    wells += page.rows["well_code"].cast(int).to_list()
                    place = page.next
                place = None
            except FeedError as error:
                errors.append(error)
        feed.close()
        assert wells == list(range(RECORDS))
        assert proxy.left == 0
        assert len(told) + len(errors) == (kind not in HARMLESS)
        assert not errors or kind in FINAL
