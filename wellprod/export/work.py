"""What exports need only while they run, and the end of what killed ones have left of it."""

from __future__ import annotations

import re
from contextlib import suppress

from wellprod.jobs import Ledger
from wellprod.settings import Settings

_UUID = re.compile(r"\.?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.")


def clear_left(settings: Settings, ledger: Ledger) -> None:
    """Delete the files of jobs that no longer run, from `work_path` and unfinished ones from `downloads_path`."""
    found = [*settings.work_path.glob("*"), *settings.downloads_path.rglob(".*.part")]
    files = [(name[1], path) for path in found if (name := _UUID.match(path.name))]
    if files:  # looked for before it is asked who runs: a file that comes later belongs to one that runs
        running = {job.job_id for job in ledger.active_jobs(kind="export")}
        for job_id, path in files:
            if job_id not in running:
                with suppress(OSError):
                    path.unlink()
