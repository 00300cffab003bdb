"""The progress of an import while it runs, and its summary when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from wellprod.ingest.request import ImportRequest
from wellprod.ingest.state import ImportState
from wellprod.jobs import Status


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
