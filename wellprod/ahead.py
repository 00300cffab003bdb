"""Read ahead: a thread fetches the next items while the present one is worked on."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Exception):
    """Nothing came within the time given."""


class ReadAhead(Generic[T]):
    """The items of an iterator, produced by a thread of its own, at most `depth` of them ahead."""

    def __init__(self, items: Iterator[T], *, depth: int = 2) -> None:
        self._items = items
        self._ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        here = contextvars.copy_context()  # so that what the thread logs names the job too
        self._thread = threading.Thread(target=here.run, args=(self._produce,), name="read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        """Give all items, each as soon as it is there."""
        while True:
            try:
                yield self.next(None)
            except StopIteration:
                return

    def next(self, timeout: float | None) -> T:
        """Give the next item; None waits for it without end.

        Raises
        ------
        Waiting
            None came within `timeout` seconds.
        StopIteration
            There is none any more.
        """
        try:
            item, error = self._ready.get(timeout=timeout)
        except queue.Empty:
            raise Waiting from None
        if error is not None:
            raise error
        assert item is not None  # noqa: S101 - one of the two is given
        return item

    def stop(self, *, wait: bool = False) -> None:
        """Let the thread end after the item it is at, and wait for that where what it reads from is closed next."""
        self._stopped.set()
        if wait:
            self._thread.join()

    def _produce(self) -> None:
        try:
            for item in self._items:
                if not self._put((item, None)):
                    return
            self._put((None, StopIteration()))
        except BaseException as error:
            self._put((None, error))

    def _put(self, result: tuple[T | None, BaseException | None]) -> bool:
        while not self._stopped.is_set():
            try:
                self._ready.put(result, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False
