"""Asks the store for what a page shows, once the choice has settled; a newer question breaks the older off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from wellprod.pages.picker import SETTLE_SECONDS
from wellprod.store import Reading, Store

Found = TypeVar("Found")
Made = TypeVar("Made")

_AGAIN_SECONDS = 0.02


class Asking:
    """One question at a time, in a thread, so that the page stays awake."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asked = 0
        self._readings: set[Reading] = set()
        self._lock = threading.Lock()  # a reading that was closed cannot be interrupted

    async def ask(self, look: Callable[[Reading], Found], then: Callable[[Found], Made]) -> Made | None:
        """Give what `then` makes, without the store, of what `look` finds; None where more was asked meanwhile.

        Raises
        ------
        WellprodError
            The store cannot be read, or what is asked for is not in it.
        """
        self.stop()
        asked = self._asked
        await asyncio.sleep(SETTLE_SECONDS)
        while asked == self._asked and self._interrupt():
            await asyncio.sleep(_AGAIN_SECONDS)
        if asked != self._asked:
            return None
        made = await asyncio.to_thread(self._looked, asked, look, then)
        return made if asked == self._asked else None

    def stop(self) -> None:
        """Break off what was asked; its answer is None."""
        self._asked += 1
        self._interrupt()

    def _interrupt(self) -> bool:
        """Break off what is being read, if anything is; again and again, since there may be no query just now."""
        with self._lock:
            for reading in self._readings:
                reading.interrupt()
            return bool(self._readings)

    def _looked(self, asked: int, look: Callable[[Reading], Found], then: Callable[[Found], Made]) -> Made | None:
        try:
            with self._store.read() as reading:
                if asked != self._asked:
                    return None
                with self._lock:
                    self._readings.add(reading)
                try:
                    found = look(reading)
                finally:
                    with self._lock:
                        self._readings.discard(reading)
            return then(found)
        except KeyboardInterrupt:  # what an interrupted query says
            return None
        except Exception:
            if asked != self._asked:
                return None
            raise
