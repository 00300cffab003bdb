"""An importer in a process of its own that is killed, as nothing can refuse, in the midst of what is named."""

from __future__ import annotations

import linecache
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

from wellprod.errors import BusinessRuleViolation
from wellprod.ingest import ImportRequest, resume_import, start_import
from wellprod.settings import load_settings

PHASES = ("reading", "merging", "committing", "checkpointing", "any")
"""What the importer is at when it is killed: a request, a merge, a commit, the end of one; or whatever it is at."""

_LONGEST = {"reading": 0.003, "merging": 0.02, "committing": 0.01, "checkpointing": 0.01, "any": 0.3}
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.crash"])


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds into the `nth` time that a phase begins."""

    phase: str
    nth: int
    seconds: float

    @classmethod
    def random(cls, chance: Random, phase: str) -> Moment:
        """Give one of a phase."""
        return cls(phase, chance.randint(1, 3), chance.uniform(0, _LONGEST[phase]))


def importing(home: Path, url: str, job_id: str | None, moment: Moment | None) -> int:
    """Start an import, or go on with one, in a process that is killed at a moment; give its exit code."""
    process = _context.Process(target=_import, args=(home, url, job_id, moment))
    process.start()
    process.join()
    return process.exitcode if process.exitcode is not None else 0


@contextmanager
def starting_at_once(home: Path, url: str, processes: int) -> Iterator[list[ForkServerProcess]]:
    """Start importers that begin at the same instant; each ends with 0, or with 1 where another one runs."""
    barrier = _context.Barrier(processes)
    started = [_context.Process(target=_import_at, args=(home, url, barrier)) for _ in range(processes)]
    try:
        for process in started:
            process.start()
        yield started
    finally:
        for process in started:
            process.kill()
            process.join()


def phase_of(home: Path) -> str:
    """Give what the last importer was at when it was killed."""
    return (home.parent / "phase").read_text()


def _import(home: Path, url: str, job_id: str | None, moment: Moment | None) -> None:
    settings = load_settings(home=home, feed_retry_seconds=0.01, group_records=10)
    if moment:
        _Killer(moment, home.parent / "phase").watch()
    if job_id:
        resume_import(job_id, settings)
    else:
        start_import(ImportRequest(url), settings)


def _import_at(home: Path, url: str, barrier: Any) -> None:
    settings = load_settings(home=home, feed_retry_seconds=0.01)
    barrier.wait()
    try:
        start_import(ImportRequest(url), settings)
    except BusinessRuleViolation as refused:
        sys.exit(1 if refused.details["rule"] == "SINGLE_IMPORT_RULE" else 2)


class _Killer:
    """Looks at what begins in this process, and kills it."""

    def __init__(self, moment: Moment, file: Path) -> None:
        self.moment, self.file, self.begun = moment, file, 0

    def watch(self) -> None:
        """Begin to look, in all threads to come too."""
        if self.moment.phase == "any":
            self._kill_soon()
        else:
            threading.setprofile(self._seen)
            sys.setprofile(self._seen)

    def _seen(self, frame: FrameType, event: str, argument: Any) -> None:
        if _phase(frame, event, argument) == self.moment.phase:
            self.begun += 1
            if self.begun == self.moment.nth:
                self._kill_soon()

    def _kill_soon(self) -> None:
        threading.Thread(target=self._kill, daemon=True).start()

    def _kill(self) -> None:
        sys.setprofile(None)
        end = time.perf_counter() + self.moment.seconds
        self.file.write_text(self.moment.phase)
        while time.perf_counter() < end:
            os.sched_yield()
        os.kill(os.getpid(), signal.SIGKILL)


def _phase(frame: FrameType, event: str, argument: Any) -> str | None:
    code = frame.f_code
    if event == "call" and code.co_name == "_get" and code.co_filename.endswith("wire.py"):
        return "reading"
    if event == "call" and code.co_name == "run" and code.co_filename.endswith("merge.py"):
        return "merging"
    if event == "c_call" and code.co_filename.endswith(("store.py", "gate.py")):
        if argument.__name__ == "execute" and '"COMMIT"' in linecache.getline(code.co_filename, frame.f_lineno):
            return "committing"
        if argument.__name__ == "close" and code.co_name == "opened":
            return "checkpointing"
    return None
