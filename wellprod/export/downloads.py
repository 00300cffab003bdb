"""The exports that lie ready to be fetched, the newest first: here until deleted, or where they were sent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

from wellprod.errors import ExportError, JobError
from wellprod.jobs import Job, Ledger, Status
from wellprod.settings import Settings
from wellprod.text import size

_READ_AT_ONCE = 50


def downloads(settings: Settings, *, limit: int = 20) -> list[Job]:
    """Give the exports whose file can be fetched, newest first; `summary` has its path or address, and its size.

    It lies in `downloads_path`, or in the folder or bucket that the export went to; a bucket is not asked whether it
    is there still. What went to a file that somebody named is not listed.
    """
    done = (job for job in _exports(Ledger(settings.jobs_path)) if job.status == Status.COMPLETED)
    return list(islice((job for job in done if _is_there(job, settings)), limit))


def is_for_fetching(job: Job) -> bool:
    """Tell whether an export goes under a key of its own, for others to fetch.

    One that goes to a file that was named does not, nor one to the shelf, which comes and goes by itself.
    """
    output = str(job.parameters.get("output") or "/")
    return not job.parameters.get("shelf_name") and (output.endswith("/") or "://" in output)


def _is_there(job: Job, settings: Settings) -> bool:
    if path := download_file(job, settings):
        return path.is_file()
    place = str((job.summary or {}).get("path", ""))
    return is_for_fetching(job) and ("://" in place or Path(place).is_file())


def _exports(ledger: Ledger) -> Iterator[Job]:
    """Give the exports, newest first, read a few at a time: pages ask often, and mostly the newest serve."""
    for offset in count(0, _READ_AT_ONCE):
        jobs = ledger.jobs(kind="export", limit=_READ_AT_ONCE, offset=offset)
        yield from jobs
        if len(jobs) < _READ_AT_ONCE:
            return


def download_file(job: Job, settings: Settings) -> Path | None:
    """Give where the file of an export lies, or lay, in `downloads_path`; None for one that was written elsewhere.

    A home that has moved since took its downloads with it; no path of a job row leads out of the folder.
    """
    summary, folder = job.summary or {}, settings.downloads_path.resolve()
    written = summary.get("path", "") if job.parameters.get("output") else summary.get("key", "")
    if "://" in written:
        return None
    path = (folder / written).resolve()
    return path if path.is_relative_to(folder) and path != folder else None


def exported_file(job: Job, settings: Settings) -> Path:
    """Give where the file of a completed export lies on this machine, in `downloads_path` or elsewhere.

    It is the very file: no link is followed, and its size is the one that was written.

    Raises
    ------
    ExportError
        It lies in S3, is gone, or is not what was written.
    """
    summary = job.summary or {}
    written = str(summary.get("path", ""))
    if "://" in written:
        raise ExportError(
            f"The file of the export {job.job_id} lies in S3, at {written}.",
            next=f"Get a link to it with: wellprod jobs link {job.job_id}",
        )
    path = download_file(job, settings) or Path(written)
    if not path.is_absolute() or path != path.resolve() or not path.is_file():
        raise ExportError(f"The file of the export {job.job_id} is no longer there.", next="Export it again.")
    if (now := path.stat().st_size) != summary.get("size_bytes"):
        raise ExportError(
            f"The file of the export {job.job_id} has changed since: it has {size(now)},"
            f" written were {size(summary.get('size_bytes') or 0)}.",
            next="Export it again.",
        )
    return path


def delete_download(job_id: str, settings: Settings) -> int:
    """Delete the file of an export, the job stays in the history; give the bytes that this frees.

    Raises
    ------
    JobNotFound
        There is no such job.
    JobError
        The job has no file in `downloads_path`, or it cannot be deleted.
    """
    job = Ledger(settings.jobs_path).get(job_id)
    path = download_file(job, settings)
    if path is None:
        raise JobError(f"The job {job.job_id} has no file in {settings.downloads_path}.")
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError as error:
        raise JobError(
            f"The file of the export {job.job_id} cannot be deleted: {error.strerror or error}.",
            next=f"Look into {settings.downloads_path}.",
        ) from None
    return size
