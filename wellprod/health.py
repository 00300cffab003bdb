"""Whether the workbench is well: the store, the jobs, the disk, and the feed where it is asked for."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wellprod.errors import StoreMissing, WellprodError, redact
from wellprod.feed.odata import ODataFeed
from wellprod.jobs import Ledger
from wellprod.settings import Settings
from wellprod.store import SCHEMA_VERSION, Store
from wellprod.text import number, size

_LEAST_FREE_BYTES = 1e9
_FEED_PATIENCE = {"feed_attempts": 1, "feed_timeout_seconds": 10.0}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, whether it is well, and what was found."""

    name: str
    is_well: bool
    finding: str


def check_health(settings: Settings) -> list[Check]:
    """Look at the store, the jobs and the disk; no problem of theirs is raised."""
    return [_store(settings), _jobs(settings), _disk(settings)]


def check_feed(source: str, settings: Settings) -> Check:
    """Ask the feed at `source` for one record, once, for at most ten seconds."""
    try:
        with closing(ODataFeed(source, settings.model_copy(update=_FEED_PATIENCE))) as feed:
            feed.sample()
    except WellprodError as error:
        return Check("feed", False, f"{error.message} {error.next}".strip())
    return Check("feed", True, f"{redact(source)} answers")


def free_bytes(home: Path) -> int:
    """Give the room left on the disk where the home is, or will be."""
    return shutil.disk_usage(next(folder for folder in (home, *home.parents) if folder.exists())).free


def _store(settings: Settings) -> Check:
    try:
        with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
            records = reading.value("SELECT count(*) FROM production")
    except StoreMissing:
        return Check("store", True, "none yet")
    except WellprodError as error:
        return Check("store", False, str(error))
    return Check("store", True, f"{number(records)} records, schema {SCHEMA_VERSION}")


def _jobs(settings: Settings) -> Check:
    try:
        running = Ledger(settings.jobs_path).running_import()
    except WellprodError as error:
        return Check("jobs", False, str(error))
    return Check("jobs", True, f"import {running.job_id} is running" if running else "no import is running")


def _disk(settings: Settings) -> Check:
    free = free_bytes(settings.home)
    if free < _LEAST_FREE_BYTES:
        return Check("disk", False, f"only {size(free)} free for {settings.home}")
    return Check("disk", True, f"{size(free)} free")
