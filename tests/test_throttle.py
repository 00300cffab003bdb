"""How often a feed is asked: less when it becomes slow, at full speed when it is well, never against its wish."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import Place
from wellprod.feed.throttle import Throttle
from wellprod.feed.wire import Stopped
from wellprod.settings import Settings

from .reading import ORDER, read, tuned, wells_of
from .scripted import Asked, Reply, record, scripted_feed


class Reader:
    """One lane that reads as soon as it may, in a time of its own; `own` seconds are its work between two requests."""

    def __init__(self, throttle_gap: float = 0.0, own: float = 0.01) -> None:
        self.now = 1000.0
        self.own = own
        self.throttle = Throttle(throttle_gap, lambda: self.now)
        self.starts: list[float] = []

    def read(self, times: Iterable[float]) -> None:
        """Ask once for each response time."""
        for seconds in times:
            while wait := self.throttle.turn():
                self.now += wait
            self.starts.append(self.now)
            self.now += seconds
            self.throttle.answered(seconds)
            self.now += self.own

    def seconds(self, times: Iterable[float]) -> float:
        """Give how long it takes to ask so often."""
        began = self.now
        self.read(times)
        return self.now - began


@given(
    usual=st.floats(0.06, 5.0),
    own=st.floats(0.0, 0.5),
    times=st.floats(2.0, 20.0),
    before=st.integers(9, 200),
    cold=st.floats(1.0, 50.0),
    jitter=st.lists(st.floats(0.93, 1.07), min_size=20, max_size=20),
)
def test_the_rate_is_halved_within_five_requests_and_comes_back(
    usual: float, own: float, times: float, before: int, cold: float, jitter: list[float]
) -> None:
    """Once the mean has doubled, from the fifth request on they start half as often; five after its end as before."""
    reader = Reader(own=own)
    reader.read([usual * cold, *(usual * jitter[n % 20] for n in range(before))])
    gap = (reader.starts[-1] - reader.starts[-before]) / (before - 1)
    reader.read([usual * times] * 8)
    assert min(after - before for before, after in pairwise(reader.starts[-5:])) >= 2 * gap * 0.9
    reader.read([usual * jitter[0]] * 5)
    assert reader.seconds([usual] * 20) == pytest.approx(20 * (usual + own))


@given(st.lists(st.floats(0.75, 1.25), min_size=10, max_size=100), st.floats(0.001, 3.0), st.floats(0.0, 0.5))
def test_a_steady_feed_is_never_made_to_wait(shares: list[float], usual: float, own: float) -> None:
    """Times that vary by a quarter around the usual, one request after another: no wait at all."""
    reader = Reader(own=own)
    times = [usual * share for share in shares]
    assert reader.seconds(times) == pytest.approx(sum(times) + own * len(times))


def test_a_few_milliseconds_more_are_nothing() -> None:
    """Pages that take 3 ms and then 9 or 40 ms tell of this machine, not of the feed."""
    reader = Reader()
    reader.read([0.003] * 50)
    for slower in (0.009, 0.040):
        assert reader.seconds([slower] * 50) == pytest.approx(50 * (slower + 0.01))


def test_one_late_answer_changes_nothing() -> None:
    """A single page that takes a hundred times as long is no slow feed."""
    reader = Reader()
    reader.read([0.1] * 20)
    assert reader.seconds([10.0]) == pytest.approx(10.01)
    assert reader.seconds([0.1] * 20) == pytest.approx(20 * 0.11)


def test_a_feed_that_stays_slow_becomes_the_usual_one() -> None:
    """After some forty slow pages they are what is usual, and the reader is at full speed again."""
    reader = Reader(own=0.3)
    reader.read([0.1] * 40)
    reader.read([0.4] * 60)
    assert reader.seconds([0.4] * 10) == pytest.approx(10 * 0.7)


def test_the_rate_never_falls_to_nothing() -> None:
    """A feed that is a thousand times as slow is asked an eighth as often as usual."""
    reader = Reader(own=0.0)
    reader.read([0.1] * 20)
    reader.read([100.0] * 4)
    reader.throttle.turn()
    reader.now += 0.001
    assert 0.5 < reader.throttle.turn() <= 0.8


def test_the_polite_gap_is_from_start_to_start_over_all_lanes() -> None:
    """Whoever asks, no two requests start nearer than the setting says; a slow answer has used its gap up."""
    throttle = Reader(2.0).throttle
    assert throttle.turn() == 0.0
    assert throttle.turn() == throttle.turn() == 2.0
    assert throttle.reason == "WELLPROD_FEED_DELAY_SECONDS"
    reader = Reader(2.0)
    assert reader.seconds([0.1] * 5) == pytest.approx(4 * 2.0 + 0.11)
    assert Reader(2.0).seconds([3.0] * 5) == pytest.approx(5 * 3.01)


def test_a_pause_that_the_feed_asks_for_holds_every_lane_and_then_slows_them() -> None:
    """Until the pause is over nobody starts; then starts are spread, and at full speed again after a while."""
    reader = Reader()
    reader.read([0.1] * 10)
    reader.throttle.hold(20.0)
    reader.throttle.hold(5.0)  # of a request that was under way: the longer pause stays
    assert reader.throttle.turn() == 20.0
    assert reader.throttle.reason == "the feed asked for a pause"
    reader.now += 20.0
    assert reader.throttle.turn() == 0.0
    assert reader.throttle.turn() == pytest.approx(0.5)
    assert reader.throttle.reason == "the feed refused some"
    reader.read([0.1] * 200)
    assert reader.seconds([0.1] * 10) == pytest.approx(10 * 0.11)


def test_many_lanes_find_the_rate_that_a_feed_allows() -> None:
    """Eight lanes against two requests a second: refused now and then, and the feed gives what it can."""
    now, allowed, last, given, refused = 0.0, 2.0, 0.0, 0, 0
    throttle = Throttle(0.0, lambda: now)
    while now < 100:
        if wait := throttle.turn():
            now += wait
            continue
        allowed, last = min(2.0, allowed + 2 * (now - last)), now
        if allowed >= 1:
            allowed, given = allowed - 1, given + 1
            throttle.answered(0.01)
        else:
            refused += 1
            throttle.hold(1.0)
    assert given > 120
    assert refused < given / 4


def test_a_feed_that_slows_down_is_asked_less_often_and_then_at_full_speed_again(settings: Settings) -> None:
    """Over HTTP: a page that comes quickly again is still followed by a pause, which is told and passes."""
    starts: list[float] = []
    slow, last = range(14, 18), 28

    def answer(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 0))
        starts.append(time.monotonic())
        threading.Event().wait(0.4 if page in slow else 0.06)
        more = {"@odata.nextLink": f"Wells?p={page + 1}"} if page < last else {}
        return Reply({"value": [record(page)], **more})

    told: list[str] = []
    with scripted_feed(answer) as (url, _):
        feed = ODataFeed(f"{url}/Wells", settings, notify=told.append)
        wells = wells_of(list(feed.pages(read, Place())))
        feed.close()
    gaps = [after - before for before, after in pairwise(starts)]
    assert wells == list(range(last + 1))
    assert gaps[slow[-1] + 1] > 2 * 0.06
    assert min(gaps[-8:]) < gaps[slow[-1] + 1]
    assert told and all(": pages take 0." in text for text in told)


def test_a_pause_for_one_lane_is_a_pause_for_all(settings: Settings) -> None:
    """Once the feed wants a pause, no lane begins another request; each that would says what it waits for."""
    asked_since: list[int] = []
    held = threading.Event()

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options["$skip"])
        if skip == 50 or asked_since:
            asked_since.append(skip)
        if skip == 50:
            return Reply("", 503, {"Retry-After": "50"})
        rows = [record(n) for n in range(skip, min(skip + 10, 2000))]
        return Reply({"@odata.count": 2000, "value": rows})

    def tell(text: str) -> None:
        if "the feed asked for a pause" in text:
            held.set()

    with scripted_feed(answer) as (url, _):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10, feed_lanes=4), notify=tell)
        pages = iter(feed.windows(read, Place(), ORDER))
        assert wells_of([next(pages) for _ in range(5)]) == list(range(50))
        assert held.wait(20)
        feed.close()
        with pytest.raises(Stopped):
            next(pages)
    assert len(asked_since) <= 7
