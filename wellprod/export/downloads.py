"""The exports that lie ready to be fetched: the newest first, each with its file, until it is deleted."""

from __future__ import annotations

from pathlib import Path

from wellprod.errors import JobError
from wellprod.jobs import Job, Ledger, Status
from wellprod.settings import Settings


def downloads(settings: Settings, *, limit: int = 20) -> list[Job]:
    """Give the exports whose file lies in `downloads_path`, newest first; `summary` has its path and size."""
    jobs = Ledger(settings.jobs_path).jobs(kind="export", limit=1000)
    return [job for job in jobs if job.status == Status.COMPLETED and _file(job, settings).is_file()][:limit]


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
    path = _file(job, settings)
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError as error:
        raise JobError(
            f"The file of the export {job.job_id} cannot be deleted: {error.strerror or error}.",
            next=f"Look into {settings.downloads_path}.",
        ) from None
    return size


def _file(job: Job, settings: Settings) -> Path:
    """Give where the file of a job lies, or would; no path of a job row leads out of the folder."""
    return settings.downloads_path / Path((job.summary or {}).get("path", job.job_id)).name
