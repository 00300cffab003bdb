"""The progress of an import while it runs, and its summary when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from wellprod.errors import ImportFailed
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.state import ImportState
from wellprod.jobs import SUMMARY_MIME, Status
from wellprod.text import duration, html_pairs, number


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running import is; None where it cannot be known."""

    current_page: int
    total_pages: int | None
    progress_percentage: float | None
    records_processed: int
    estimated_total: int | None
    estimated_completion: str | None
    records_per_second: float
    new_records: int
    duplicate_records: int
    restated_records: int
    failed_records: int
    failed_pages: int
    deleted_records: int = 0
    waiting_for: str | None = None


def progress_of(
    state: ImportState, *, run_seconds: float, run_records: int, waiting_for: str | None = None
) -> Progress:
    """Tell how far an import is, from what is stored and the speed of this run."""
    speed = run_records / run_seconds if run_seconds > 0 else 0.0
    share = completion = None
    if state.expected_records:
        share = round(min(100.0 * state.pass_records / state.expected_records, 100.0), 1)
        if speed > 0:
            left = timedelta(seconds=state.missing_records() / speed)
            completion = (datetime.now(UTC) + left).isoformat(timespec="seconds")
    return Progress(
        current_page=state.pages + state.failed_pages,
        total_pages=state.total_pages(),
        progress_percentage=share,
        records_processed=state.total,
        estimated_total=state.expected_records,
        estimated_completion=completion,
        records_per_second=round(speed, 1),
        new_records=state.new,
        duplicate_records=state.duplicate,
        restated_records=state.restated,
        failed_records=state.failed,
        failed_pages=state.failed_pages,
        deleted_records=state.deleted,
        waiting_for=waiting_for,
    )


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did, over all its runs."""

    job_id: str
    status: Status
    request: ImportRequest
    state: ImportState
    error: dict[str, Any] | None = None
    signal: int | None = None

    @property
    def exit_code(self) -> int:
        """0 done; 1 failed or cancelled; 3 done with rejects, failed pages or records missing; 128 + a signal."""
        if self.status == Status.CANCELLED and self.signal is not None:
            return 128 + self.signal
        if self.status != Status.COMPLETED:
            return 1
        return 3 if self.state.failed or self.state.failed_pages or self._fewer_than_counted() else 0

    def _fewer_than_counted(self) -> bool:
        return self.state.is_complete and self.state.missing_records() > 0

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod import --json` prints it; seconds, MB and records a second."""
        state, pages = self.state, self.state.pages
        elapsed = state.elapsed_seconds
        return {
            "job_id": self.job_id,
            "status": str(self.status),
            "source": self.request.as_parameters()["source"],
            "profile": state.profile,
            "read": {"part": state.part, "first_month": state.first_month, "told": state.part_told},
            "schema": dict(state.schema),
            "kept_pages": state.kept_pages,
            "warnings": list(state.warnings),
            "errors": [*state.errors, *([{"page": None, **self.error}] if self.error else [])],
            "batch_result": {
                "total_items": state.total,
                "processed_items": state.processed,
                "failed_items": state.failed,
                "success_rate": round(100.0 * state.processed / state.total, 2) if state.total else 100.0,
                "memory_usage_mb": round(state.peak_memory_mb, 1),
            },
            "pagination_summary": {
                "total_pages": state.total_pages(),
                "processed_pages": pages,
                "failed_pages": state.failed_pages,
                "page_size": self.request.page_size,
                "average_page_time_seconds": round(elapsed / pages, 6) if pages else None,
            },
            "import_summary": {
                "new_records": state.new,
                "duplicate_records": state.duplicate,
                "restated_records": state.restated,
                "deleted_records": state.deleted,
                "error_records": state.failed,
                "rejects_by_reason": dict(state.reject_reasons),
                "quality_findings": dict(state.findings),
            },
            "performance": {
                "total_execution_time_seconds": round(elapsed, 3),
                "average_throughput_per_second": round(state.total / elapsed, 1) if elapsed else 0.0,
                "api_request_time_seconds": round(state.request_seconds, 3),
                "database_time_seconds": round(state.database_seconds, 3),
            },
        }

    @property
    def counts(self) -> dict[str, int]:
        """What became of the records: new, duplicate, restated, rejected."""
        state = self.state
        return {"new": state.new, "duplicate": state.duplicate, "restated": state.restated, "rejected": state.failed}

    def raise_if_failed(self) -> None:
        """Let a program end that shall not go on without the records; rejects and failed pages are no failure.

        Raises
        ------
        ImportFailed
            The import failed or was stopped; the message says why, and how to go on.
        """
        if self.status != Status.COMPLETED:
            told = self.error or {"message": f"The import {self.job_id} ended as {self.status}."}
            raise ImportFailed(told["message"], next=told.get("next", ""), job_id=self.job_id)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            "text/plain": ", ".join([str(self.status), *(f"{number(n)} {name}" for name, n in self.counts.items())]),
            "text/html": html_pairs(self._as_pairs()),
            SUMMARY_MIME: {**self.as_dict(), "exit_code": self.exit_code},
        }

    def _as_pairs(self) -> dict[str, str]:
        state, values = self.state, self.as_dict()
        failed = f", {number(state.failed_pages)} failed" if state.failed_pages else ""
        pairs = {
            "Status": str(self.status),
            "Source": values["source"] + (f" (profile {state.profile})" if state.profile else ""),
            "Read": state.part_told if self.request.changes else "",
            "Records": f"{number(state.total)} read, {number(state.processed)} stored",
            "Of these": " · ".join(f"{number(count)} {name}" for name, count in self.counts.items()),
            "Deleted": f"{number(state.deleted)} that the feed no longer has" if state.deleted else "",
            "Pages": f"{number(state.pages)} read{failed}",
            "Not mapped": ", ".join(state.schema.get("unmapped", ())),
            "Time": duration(state.elapsed_seconds),
            "Job": self.job_id,
            "Kept pages": state.kept_pages or "",
            "Warnings": " ".join(state.warnings),
            "Errors": " ".join(f"{error['message']} {error['next']}" for error in values["errors"][:10]),
        }
        return {name: text for name, text in pairs.items() if text}
