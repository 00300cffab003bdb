"""The wish to stop reports that run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class StopReport:
    """A wish to stop: the cell that runs is interrupted, as by Ctrl-C, and no further one begins."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.is_asked = False
        self._actions: list[Callable[[int | None], None]] = []

    def ask(self, signal: int | None = None) -> None:
        """Ask the report to stop; an import in it stores what it has and can be resumed."""
        self.is_asked, self.signal = True, signal
        for action in tuple(self._actions):
            action(signal)

    @contextmanager
    def telling(self, action: Callable[[int | None], None]) -> Iterator[None]:
        """Have an action taken when the stop is asked for while the block lasts; it is given the signal, if any."""
        self._actions.append(action)
        try:
            yield
        finally:
            self._actions.remove(action)
