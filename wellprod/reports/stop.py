"""The wish to stop reports that run."""

from __future__ import annotations

import os
import signal as signals
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class StopReport:
    """A wish to stop one report or several: the cells that run are interrupted, as by Ctrl-C, and none begins."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.is_asked = False
        self._kernels: list[Any] = []

    def ask(self, signal: int | None = None) -> None:
        """Ask the reports to stop; an import in one stores what it has and can be resumed."""
        self.is_asked, self.signal = True, signal
        for kernel in tuple(self._kernels):
            if process := getattr(kernel.provisioner, "pid", None):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(process, signals.SIGINT)

    @contextmanager
    def interrupting(self, kernel: Any) -> Iterator[None]:
        """Take note of the manager of a kernel that is to be interrupted while the block lasts."""
        self._kernels.append(kernel)
        try:
            yield
        finally:
            self._kernels.remove(kernel)
