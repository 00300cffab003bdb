"""The exports that lie ready to be fetched: the newest first, each with its file, until it is deleted."""

from __future__ import annotations

from pathlib import Path

from wellprod.errors import JobError
from wellprod.jobs import Job, Ledger, Status
from wellprod.settings import Settings


def downloads(settings: Settings, *, limit: int = 20) -> list[Job]:
    """Give the exports whose file lies in `downloads_path`, newest first; `summary` has its path and size."""
    jobs = Ledger(settings.jobs_path).jobs(kind="export", limit=1000)
    done = ((job, download_file(job, settings)) for job in jobs if job.status == Status.COMPLETED)
    return [job for job, path in done if path and path.is_file()][:limit]


def download_file(job: Job, settings: Settings) -> Path | None:
    """Give where the file of an export lies, or lay, in `downloads_path`; None for one that was written elsewhere.

    A home that has moved since took its downloads with it; no path of a job row leads out of the folder.
    """
    written = Path((job.summary or {}).get("path", ""))
    path = (written if job.parameters.get("output") else settings.downloads_path / written.name).resolve()
    return path if path.parent == settings.downloads_path.resolve() else None


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
