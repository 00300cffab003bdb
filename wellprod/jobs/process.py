"""Who a process is, so that a job whose process is gone is told from one that runs."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_CLOCK_SLACK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """A process of one machine: a number is used again, a number with its start time is not."""

    host: str
    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int | None = None) -> ProcessMark:
        """Mark the process `pid`, or this one."""
        process = psutil.Process(pid)
        return cls(socket.gethostname(), process.pid, process.create_time())

    @property
    def is_here(self) -> bool:
        """Whether it belongs to this machine, so that `is_alive` can tell."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs on this machine."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < _CLOCK_SLACK_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def peak_memory_mb() -> float:
    """Give the most memory that this process has held, in MB."""
    status = Path(f"/proc/{os.getpid()}/status")
    if status.exists():  # ru_maxrss would count what the parent held before the fork
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource  # there is none on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
