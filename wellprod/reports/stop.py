"""The wish to stop a report that runs."""

from __future__ import annotations

import os
import signal as signals
from contextlib import suppress
from typing import Any


class StopReport:
    """A wish to stop: the cell that runs is interrupted, as by Ctrl-C, and no further one begins."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.is_asked = False
        self._kernel: Any = None

    def ask(self, signal: int | None = None) -> None:
        """Ask the report to stop; an import in it stores what it has and can be resumed."""
        self.is_asked, self.signal = True, signal
        process = getattr(self._kernel and self._kernel.provisioner, "pid", None)
        if process:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(process, signals.SIGINT)

    def watch(self, kernel: Any) -> None:
        """Take note of the manager of the kernel that is to be interrupted."""
        self._kernel = kernel
