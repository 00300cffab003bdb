"""Follows the job ledger while a page is open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from wellprod.jobs import Ledger

_ACTIVE_SECONDS = 0.5
_IDLE_SECONDS = 2.0
_AGEING_SECONDS = 60.0  # how old things are is told in minutes


async def watch_jobs(ledger: Ledger, on_change: Callable[[], bool], on_error: Callable[[Exception], None]) -> None:
    """Call `on_change` at once, whenever the ledger has changed, and each minute, for as long as the page is open.

    It answers whether a job is active. While one is, it is called in any case: a process that was killed leaves no
    mark in the ledger. Else the ledger is only looked at from outside, which costs next to nothing.
    """
    seen: object = None
    active, called = True, 0.0
    while True:
        revision, now = ledger.revision(), time.monotonic()
        if active or revision != seen or now - called > _AGEING_SECONDS:
            seen, called = revision, now
            try:
                active = on_change()
            except Exception as error:  # whatever it is, the page goes on looking
                on_error(error)
        await asyncio.sleep(_ACTIVE_SECONDS if active else _IDLE_SECONDS)
