"""The work on many wells, in this process or side by side in others; these import this much and no more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any

from wellprod.analysis.decline.well import Task
from wellprod.errors import WellprodError

OnProgress = Callable[[int, int], None]
"""Told how many wells are done, and of how many."""


def here(tasks: Sequence[Task], on_progress: OnProgress | None) -> list[dict[str, Any]]:
    """Work on the tasks one after the other, and give their rows in order."""
    rows: list[dict[str, Any]] = []
    for task in tasks:
        rows += task.rows()
        if on_progress:
            on_progress(len(rows), sum(len(each.wells) for each in tasks))
    return rows


def in_processes(tasks: Sequence[Task], workers: int, on_progress: OnProgress | None) -> list[dict[str, Any]]:
    """Work on the tasks side by side, and give their rows in order.

    The processes are new ones: those of a fork would wait for locks whose threads they lack.

    Raises
    ------
    WellprodError
        A process ended before its work was done.
    """
    total, done = sum(len(task.wells) for task in tasks), 0
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)
    try:
        futures = [pool.submit(task.rows) for task in tasks]
        for future in as_completed(futures):
            done += len(future.result())
            if on_progress:
                on_progress(done, total)
        return [row for future in futures for row in future.result()]
    except BrokenProcessPool:
        raise WellprodError(
            f"A process that fitted declines ended before its work was done, after {done:,} of {total:,} wells.",
            next='Give workers=1. In a script, call it under if __name__ == "__main__":.',
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Leave an interrupt to the process that asked, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := multiprocessing.parent_process():
        threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
