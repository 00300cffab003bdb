"""Windows fetched side by side: the same records in the same order as one after another, whatever the feed does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import hypothesis
import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from wellprod.demo import create_app, running
from wellprod.errors import FeedLinkRefused
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import FailedPage, Page, Place
from wellprod.feed.wire import Stopped
from wellprod.ingest import ImportRequest, resume_import, start_import
from wellprod.jobs import Status
from wellprod.settings import Settings

from .reading import ORDER, frame, read, tuned, wells_of
from .scripted import Asked, Reply, record, scripted_feed
from .test_import import counted, stored, stored_wells


def windows_of(count: int, size: int) -> Callable[[Asked], Reply]:
    """Give a feed of `count` records in windows of `size`, whatever $top says."""

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options["$skip"])
        return Reply({"@odata.count": count, "value": [record(n) for n in range(skip, min(skip + size, count))]})

    return answer


def skips(asked: list[Asked]) -> list[int]:
    """Give where each window that was asked for begins."""
    return [int(one.options["$skip"]) for one in asked]


class Crowd:
    """A feed that answers a window only when `size` requests are at it at once, or it is told to be quick."""

    def __init__(self, size: int, count: int = 1000) -> None:
        self.size, self.answer_now = size, windows_of(count, 10)
        self.at_once = self.most_at_once = 0
        self.changed = threading.Condition()
        self.is_quick = False

    def answer(self, asked: Asked) -> Reply:
        """Wait for the others, and answer."""
        skip = int(asked.options["$skip"])
        with self.changed:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.changed.notify_all()
            if skip >= 20 and not self.is_quick:
                assert self.changed.wait_for(lambda: self.most_at_once >= self.size or self.is_quick, 20)
        reply = self.answer_now(asked)
        with self.changed:
            self.at_once -= 1
        return reply

    def hurry(self) -> None:
        """Let every request go."""
        with self.changed:
            self.is_quick = True
            self.changed.notify_all()


@pytest.mark.parametrize("lanes", [2, 8])
def test_so_many_windows_are_fetched_at_once(settings: Settings, lanes: int) -> None:
    """The feed sees as many requests at a time as there are lanes, never more, and the records come in order."""
    crowd = Crowd(lanes)
    with scripted_feed(crowd.answer) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=lanes))
        pages = list(feed.windows(read, Place(), ORDER))
        feed.close()
    assert wells_of(pages) == list(range(1000))
    assert [page.number for page in pages] == list(range(1, 101))
    assert crowd.most_at_once == lanes
    assert sorted(skips(asked)) == list(range(0, 1001, 10))  # each once, and one look beyond the count


def test_one_lane_asks_one_after_another(settings: Settings) -> None:
    """With one lane there is one request at a time, in order."""
    crowd = Crowd(1)
    with scripted_feed(crowd.answer) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=1))
        list(feed.windows(read, Place(), ORDER))
        feed.close()
    assert (crowd.most_at_once, skips(asked)) == (1, list(range(0, 1001, 10)))


def test_few_windows_lie_ahead(settings: Settings) -> None:
    """However many there are: who reads slowly has the lanes and four more windows ahead, and no further request."""
    crowd = Crowd(4, count=100_000)
    with scripted_feed(crowd.answer) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=4))
        pages = feed.windows(read, Place(), ORDER)
        for number in range(1, 20):
            next(pages)
            assert len(asked) <= number + 4 + 4
        feed.close()


@hypothesis.settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 60),
    size=st.integers(1, 9),
    cap=st.integers(1, 9),
    linked=st.integers(1, 9),
    lanes=st.integers(1, 5),
    start=st.integers(0, 30),
)
def test_none_is_lost_and_none_is_doubled(
    settings: Settings, count: int, size: int, cap: int, linked: int, lanes: int, start: int
) -> None:
    """Whatever the feed counts, caps or links inside windows, and wherever the reading begins."""

    def answer(asked: Asked) -> Reply:
        skip, top = int(asked.options["$skip"]), min(int(asked.options.get("$top", 0)), cap)
        given, end = min(linked, top), min(skip + top, count)
        rows = [record(n) for n in range(skip, min(skip + given, end))]
        after = skip + len(rows)
        link = {"@odata.nextLink": f"Wells?$skip={after}&$top={end - after}"} if rows and after < end else {}
        return Reply({"@odata.count": count, "value": rows, **link})

    with scripted_feed(answer) as (url, _):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=size, feed_lanes=lanes))
        wells = wells_of(list(feed.windows(read, Place(skip=start), ORDER)))
        feed.close()
    assert wells == list(range(start, count))


def test_a_feed_that_caps_top_is_read_on_lanes_with_its_own_windows(settings: Settings) -> None:
    """A feed that gives 4 records where 10 were asked for: lanes go by 4, and no window is asked for twice."""
    with scripted_feed(windows_of(101, 4)) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=3))
        assert wells_of(list(feed.windows(read, Place(), ORDER))) == list(range(101))
        feed.close()
    assert sorted(skips(asked)) == sorted([*range(0, 101, 4), 101])


@pytest.mark.parametrize("height", [lambda skip: 1 + skip % 7, lambda skip: 10 if skip % 3 else 4])
def test_windows_of_changing_height_lose_and_double_nothing(settings: Settings, height: Callable[[int], int]) -> None:
    """Wrong guesses are thrown away; after three of them the reading goes on with one lane."""

    def answer(asked: Asked) -> Reply:
        return windows_of(300, height(int(asked.options["$skip"])))(asked)

    with scripted_feed(answer) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=4))
        pages = list(feed.windows(read, Place(), ORDER))
        feed.close()
    assert wells_of(pages) == list(range(300))
    assert len(asked) <= len(pages) + 1 + 3 * 8


def test_next_links_inside_windows_mean_one_lane(settings: Settings) -> None:
    """A feed that pages inside $top is followed by its links, with nothing asked for ahead."""
    with running(create_app(frame(60), max_page_size=3)) as url:
        feed = ODataFeed(url, tuned(settings, page_size=7, feed_lanes=4))
        assert wells_of(list(feed.windows(read, Place(), ORDER))) == list(range(60))
        feed.close()


@pytest.mark.parametrize("counted_as", [None, 10, 35, 95, 500])
def test_a_count_that_is_not_there_or_wrong_misleads_no_lane(settings: Settings, counted_as: int | None) -> None:
    """Without a count there is one lane; a count too low or too high loses nothing."""

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options["$skip"])
        count = {} if counted_as is None else {"@odata.count": counted_as}
        return Reply({**count, "value": [record(n) for n in range(skip, min(skip + 10, 95))]})

    with scripted_feed(answer) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=4))
        assert wells_of(list(feed.windows(read, Place(), ORDER))) == list(range(95))
        feed.close()
    if counted_as is None:
        assert skips(asked) == sorted(skips(asked))


def test_a_feed_that_ignores_skip_gets_no_lanes(settings: Settings) -> None:
    """The same page again is found out by one lane, after three requests."""
    same = Reply({"@odata.count": 5000, "value": [record(1), record(2)]})
    with scripted_feed(lambda _: same) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=2, feed_lanes=4))
        with pytest.raises(FeedLinkRefused, match="the feed seems to ignore"):
            list(feed.windows(read, Place(), ORDER))
        feed.close()
    assert len(asked) == 3


def test_a_window_that_fails_in_a_lane_is_passed_by_in_its_place(settings: Settings) -> None:
    """It comes as a failed page between its neighbours, and the others are there."""

    def answer(asked: Asked) -> Reply:
        return Reply("broken", 500) if asked.options["$skip"] == "60" else windows_of(200, 10)(asked)

    with scripted_feed(answer) as (url, _):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=4))
        pages = list(feed.windows(read, Place(), ORDER))
        feed.close()
    assert [page.number for page in pages if isinstance(page, FailedPage)] == [7]
    assert [page.number for page in pages] == list(range(1, 21))
    assert wells_of(pages) == [*range(60), *range(70, 200)]


def test_three_failed_windows_in_a_row_end_the_reading_on_lanes_too(settings: Settings) -> None:
    """The place to go on from is before the first of them, and the resume may have any number of lanes."""
    broken = threading.Event()
    broken.set()

    def answer(asked: Asked) -> Reply:
        dead = broken.is_set() and int(asked.options.get("$skip", 0)) >= 60
        return Reply("broken", 500) if dead else windows_of(200, 10)(asked)

    def sample(asked: Asked) -> Reply:
        return answer(asked) if "$skip" in asked.options else Reply({"value": [record(0)]})

    with scripted_feed(sample) as (url, asked):
        request = ImportRequest(f"{url}/Wells", paging="skip", page_size=10)
        failed = start_import(request, tuned(settings, feed_lanes=5))
        assert (failed.status, failed.state.place) == (Status.FAILED, Place(7, skip=60))
        broken.clear()
        asked.clear()
        done = resume_import(failed.job_id, tuned(settings, feed_lanes=2))
    assert (done.status, done.exit_code, counted(done)) == (Status.COMPLETED, 0, (200, 0, 0, 0))
    assert min(skips(asked)) == 60
    assert stored_wells(settings) == list(range(200))


def test_the_later_record_wins_on_lanes_too(settings: Settings) -> None:
    """Of many versions of one record that on the last page stays, though its page came before another."""
    last_came = threading.Event()

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options.get("$skip", 0))
        if skip == 30:
            assert last_came.wait(20)
        rows = [record(1, oil_production_kbd=skip), *(record(n) for n in range(skip + 2, skip + 11))]
        if skip == 50:
            last_came.set()
        return Reply({"@odata.count": 60, "value": rows if skip < 60 else []})

    with scripted_feed(answer) as (url, _):
        request = ImportRequest(f"{url}/Wells", paging="skip", page_size=10)
        done = start_import(request, tuned(settings, feed_lanes=3))
    assert done.status == Status.COMPLETED
    assert stored(settings, "oil_production_kbd, well_code").filter(pl.col("well_code") == 1).rows() == [(50.0, 1)]


def test_closing_ends_every_lane(settings: Settings) -> None:
    """Who stops does not wait for windows that are under way, and no lane asks for another."""
    crowd = Crowd(4)
    with scripted_feed(crowd.answer) as (url, asked):
        crowd.size = 99  # nobody answers any more
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=4))
        pages = feed.windows(read, Place(), ORDER)
        assert isinstance(next(pages), Page) and isinstance(next(pages), Page)
        ended: list[BaseException] = []

        def work() -> None:
            try:
                list(pages)
            except BaseException as error:
                ended.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        with crowd.changed:
            assert crowd.changed.wait_for(lambda: crowd.at_once == 4, 20)
        feed.close()
        crowd.hurry()
        thread.join(20)
        assert not thread.is_alive()
    assert len(asked) == 6
    assert not ended or isinstance(ended[0], Stopped)
