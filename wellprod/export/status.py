"""What a job says of an export, for programs: every name is there, whatever its state."""

from __future__ import annotations

from typing import Any

from wellprod.jobs import Job


def export_status(job: Job) -> dict[str, Any]:
    """Give an export as plain values; what is not known yet is None.

    `export_id` and `task_id` are both the job id: one id serves for the file, its work and its history. Times are
    seconds since 1970, UTC; sizes are bytes; `progress_percentage` is of the `stage`, which is ``upload`` while a file
    that is written is sent to S3, and else None.
    """
    asked, progress, summary, error = job.parameters, job.progress or {}, job.summary or {}, job.error or {}
    written = {name: summary.get(name) for name in ("key", "path", "file_name", "size_bytes", "sha256")}
    far = {name: progress.get(name) for name in ("progress_percentage", "records_processed", "estimated_total")}
    return {
        "export_id": job.job_id,
        "task_id": job.job_id,
        "status": str(job.status),
        "format": summary.get("format", asked.get("format")),
        "preset": asked.get("preset"),
        "selection": asked.get("selection"),
        "columns": asked.get("columns"),
        "target": asked.get("output"),
        **far,
        "stage": progress.get("stage") if job.is_active else None,
        **written,
        "rows": summary.get("records"),
        "warnings": list(summary.get("warnings", ())),
        "error_message": error.get("message"),
        "next": error.get("next"),
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
    }
