"""How often a feed is asked: one polite limit over all lanes, which follows how quickly the feed answers.

The mean of the last answers is held against what is usual for this feed. Where it has doubled, requests start half as
often as usual, or less often still; they start at full speed again when the feed has recovered. A feed that stays slow
becomes the usual one. What the feed asks for with Retry-After (RFC 9110, 10.2.3) holds every lane.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from statistics import fmean

_RECENT = 4  # answers that are looked at, so that a change is met within five requests
_USUAL = 32  # answers before those, which say what is usual
_SLOW, _WELL = 1.75, 1.25  # times the usual; below two, since a mean that has doubled may lie a little below
_MOST_OF_ONE = 3.0  # times the usual that one answer may count, so that no single one slows the reading
_LEAST_SECONDS = 0.05  # shorter times say more of this machine than of the feed
_SLOWING = (2.0, 8.0)
_PACE_SECONDS = (0.5, 5.0)  # from start to start after a refusal: at first, and at most
_PACE_KEPT = 0.9
_SHORTEST_WAIT = 0.0005


class Throttle:
    """Says when the next request may start, for all lanes of one feed together.

    Parameters
    ----------
    least_gap
        Seconds from the start of one request to that of the next, at least.
    clock
        Gives the seconds since some moment.
    """

    def __init__(self, least_gap: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._least_gap = least_gap
        self._clock = clock
        self._lock = threading.Lock()
        self._last: float | None = None
        self._held_until = float("-inf")
        self._times: deque[float] = deque(maxlen=_USUAL + _RECENT)
        self._gaps: deque[float] = deque(maxlen=_USUAL + _RECENT)
        self._slowing = 1.0
        self._pace = 0.0

    def turn(self) -> float:
        """Take the next turn and give 0.0, or give the seconds to wait before asking again."""
        with self._lock:
            now = self._clock()
            since = now - self._last if self._last is not None else float("inf")
            wait = max(self._held_until - now, self._gap() - since)
            if wait > _SHORTEST_WAIT:
                return wait
            if self._last is not None and self._slowing == 1.0 and self._pace == 0.0:
                self._gaps.append(min(since, 10 * self._usual_seconds()))
            self._last = now
            return 0.0

    def answered(self, seconds: float) -> None:
        """Note that a whole answer came after so many seconds."""
        with self._lock:
            self._times.append(seconds)
            self._pace = self._pace * _PACE_KEPT if self._pace > _SHORTEST_WAIT else 0.0
            if len(self._times) < 2 * _RECENT:
                return
            usual, recent = self._usual_seconds(), _split(self._times)[1]
            mean = fmean(min(one, _MOST_OF_ONE * usual) for one in recent)
            is_slow = mean >= usual * (_SLOW if self._slowing == 1.0 else _WELL)
            least, most = _SLOWING
            self._slowing = min(max(fmean(recent) / usual, least), most) if is_slow else 1.0

    def hold(self, seconds: float) -> None:
        """Let no request start for so many seconds, since the feed asked for it, and then fewer than before."""
        with self._lock:
            now = self._clock()
            if now >= self._held_until:  # else it is the answer to a request of the time before the pause
                first, most = _PACE_SECONDS
                self._pace = max(min(2 * self._pace, seconds, most), min(seconds / 8, first))
            self._held_until = max(self._held_until, now + seconds)

    @property
    def reason(self) -> str:
        """Why there is a wait, in a few words for people."""
        with self._lock:
            if self._held_until > self._clock():
                return "the feed asked for a pause"
            gap = self._gap()
            if gap == self._least_gap:
                return "WELLPROD_FEED_DELAY_SECONDS"
            if gap == self._pace:
                return "the feed refused some"
            usual, recent = self._usual_seconds(), fmean(_split(self._times)[1])
            return f"pages take {recent:.1f} s, usually {usual:.1f} s"

    def _gap(self) -> float:
        usual = _split(self._gaps)[0] if self._slowing > 1.0 else ()
        return max(self._least_gap, self._pace, self._slowing * fmean(usual or [0.0]))

    def _usual_seconds(self) -> float:
        """Give the mean of the answers before the last few, without the quickest and the slowest eighth."""
        times = sorted(_split(self._times)[0])
        aside = max(1, len(times) // 8) if len(times) >= _RECENT else 0
        return max(fmean(times[aside : len(times) - aside] or [0.0]), _LEAST_SECONDS)


def _split(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Give those before the last few, and the last few."""
    all_of_them = list(values)
    return all_of_them[:-_RECENT], all_of_them[-_RECENT:]
