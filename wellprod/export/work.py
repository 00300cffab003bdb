"""What an export needs only while it runs, and the end of what killed ones have left of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wellprod.export.targets.folder import explained
from wellprod.jobs import Ledger
from wellprod.settings import Settings

_JOB_ID = re.compile(r"\.?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.|$)")


@contextmanager
def working_folder(settings: Settings, ledger: Ledger, job_id: str) -> Iterator[Path]:
    """Give a folder of this export alone, which goes when it ends; first goes what dead jobs have left.

    Raises
    ------
    ExportError
        It cannot be written, or the disk is full.
    """
    _clear_left(settings, ledger)
    folder = settings.work_path / job_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        advice = "Give the right to write there, or choose another folder with WELLPROD_HOME."
        raise explained(settings.work_path, error, advice) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear_left(settings: Settings, ledger: Ledger) -> None:
    found = [
        *settings.work_path.glob("*"),
        *settings.downloads_path.rglob(".*.part"),
        *settings.shelf_path.glob(".*.part"),
    ]
    left = [(name[1], path) for path in found if (name := _JOB_ID.match(path.name))]
    if left:  # looked for before it is asked who runs: what comes later belongs to one that runs
        running = {job.job_id for job in ledger.active_jobs(kind="export")}
        for job_id, path in left:
            if job_id not in running:
                with suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
