"""Lanes: windows of a feed fetched side by side, ahead of who reads them in order, and never many.

Whoever reads decides what comes next, from what came before; lanes only guess it. A wrong guess costs requests and
never a record.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from wellprod.feed.wire import Fetched

_WRONG_GUESSES = 3
_MORE_THAN_LANES = 4  # windows ahead, so that no lane stands still while the next window in order is late


class Lanes:
    """Fetches windows ahead on `lanes` threads.

    Parameters
    ----------
    fetch
        Gets the window that begins after so many records.
    lanes
        Windows that are fetched at once.
    """

    def __init__(self, fetch: Callable[[int], Fetched], lanes: int) -> None:
        self._fetch = fetch
        self._lanes = lanes
        self._ahead: deque[tuple[int, Future[Fetched]]] = deque()
        self._asked: queue.SimpleQueue[tuple[int, Future[Fetched]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._wrong_guesses = 0

    def go_ahead(self, skip: int, height: int, count: int) -> None:
        """Fetch ahead from `skip` on, in windows of `height` records, to the one after the last of `count` records."""
        if self._wrong_guesses >= _WRONG_GUESSES:
            return
        last = self._ahead[-1][0] if self._ahead else skip - height
        while last < count and len(self._ahead) < self._lanes + _MORE_THAN_LANES:
            last = min(last + height, count)
            self._ask(last)

    def take(self, skip: int) -> Fetched | None:
        """Give the window at `skip` when it is the next one ahead, waiting for it; else None, and none is ahead.

        Raises
        ------
        FeedError, Stopped
            As `fetch`.
        """
        if not self._ahead:
            return None
        if self._ahead[0][0] != skip:
            self._forget()
            return None
        return self._ahead.popleft()[1].result()

    def close(self) -> None:
        """Fetch nothing more; a request that is under way is left to its end, and not waited for."""
        self._forget()
        for _ in self._threads:
            self._asked.put(None)

    def _ask(self, skip: int) -> None:
        window = skip, Future[Fetched]()
        self._ahead.append(window)
        self._asked.put(window)
        if len(self._threads) < self._lanes:
            here = contextvars.copy_context()  # so that what the thread logs names the job too
            # A daemon, since a feed that stalls must not keep a process that has been stopped.
            thread = threading.Thread(target=here.run, args=(self._work,), name="lane", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while window := self._asked.get():
            skip, fetched = window
            if not fetched.set_running_or_notify_cancel():
                continue
            try:
                fetched.set_result(self._fetch(skip))
            except BaseException as error:
                fetched.set_exception(error)
            del window, fetched  # a page must not be kept until the next one comes

    def _forget(self) -> None:
        if self._ahead:
            self._wrong_guesses += 1
        for _, fetched in self._ahead:
            fetched.cancel()
        self._ahead.clear()
