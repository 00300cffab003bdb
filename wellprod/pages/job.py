"""One job on a page: how far it is, how it ended, and the buttons that stop it or go on with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import ipywidgets as w

from wellprod.errors import FeedDrift, JobNotFound, TooManyRestatements
from wellprod.ingest import Accepted
from wellprod.jobs import Job, Ledger, Status
from wellprod.pages import parts
from wellprod.resume import trigger_job_again
from wellprod.settings import Settings
from wellprod.text import duration, moment, number, size

STATUS: dict[Status, tuple[str, parts.Kind]] = {
    Status.PENDING: ("is about to start", "info"),
    Status.RUNNING: ("is running", "info"),
    Status.COMPLETED: ("is done", "good"),
    Status.FAILED: ("has failed", "bad"),
    Status.CANCELLED: ("was stopped", "warn"),
}
"""What is said of a job in each state, and how it looks."""

_ACCEPTABLE: dict[str, Accepted] = {TooManyRestatements.code: "restatements", FeedDrift.code: "drift"}


class JobPanel(w.VBox):
    """Shows one job live.

    Parameters
    ----------
    settings
        Where the ledger is.
    nothing
        What to say while there is no job.
    """

    def __init__(self, settings: Settings, nothing: str) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.jobs_path)
        self.job_id: str | None = None
        self.ended: Callable[[Job], str] = lambda _: ""
        self._nothing = nothing
        self._head, self._bar, self._facts, self._message = (parts.Html() for _ in range(4))
        guard = parts.guarded(self._message.put)
        self._cancel = parts.button("Cancel", guard(self._on_cancel), hint="Stop after the page it is at")
        self._resume = parts.button("Resume", guard(self._on_resume), hint="Go on after the last page stored")
        self._accept = parts.button(
            "Accept the changes and resume", guard(self._on_accept), hint="Take the feed as it is now"
        )
        self._buttons = parts.row(self._cancel, self._resume, self._accept)
        super().__init__([self._head, self._bar, self._facts, self._message, self._buttons])
        self.add_class("wp-job")
        self.refresh()

    def follow(self, job_id: str) -> None:
        """Show this job from now on."""
        self.job_id = job_id
        self.refresh()

    def refresh(self) -> Job | None:
        """Show how the job is now, and give it."""
        try:
            job = self.ledger.get(self.job_id) if self.job_id else None
        except JobNotFound:
            job = None
        undo = self.ledger.undo_of(job.job_id) if job and job.kind == "import" and not job.is_active else None
        undo = undo if undo and undo.status == Status.COMPLETED else None
        stopped = job is not None and job.status in (Status.FAILED, Status.CANCELLED) and not undo
        parts.show(self._cancel, bool(job and job.is_active))
        code = (job.error or {}).get("code") if stopped and job else None
        parts.show(self._resume, stopped and code not in _ACCEPTABLE)
        parts.show(self._accept, code in _ACCEPTABLE)
        parts.show(self._buttons, stopped or bool(job and job.is_active))
        if job is None:
            self._head.put(parts.notice("info", self._nothing))
            for part in (self._bar, self._facts, self._message):
                part.put("")
            return None
        self._cancel.disabled = job.cancel_requested
        self._head.put(_head(job))
        self._bar.put(_bar(job))
        self._facts.put(parts.facts(_facts(job)))
        told = _undone(undo) if undo else _messages(job)
        self._message.put(told + ("" if job.is_active else self.ended(job)))
        return job

    def _on_cancel(self) -> None:
        if self.job_id:
            self.ledger.cancel(self.job_id)
            self.refresh()

    def _on_resume(self) -> None:
        if self.job_id:
            trigger_job_again(self.job_id, self.settings)
            self.refresh()

    def _on_accept(self) -> None:
        if self.job_id:
            stopped_for = (self.ledger.get(self.job_id).error or {}).get("code", "")
            trigger_job_again(self.job_id, self.settings, accept=[_ACCEPTABLE[stopped_for]])
            self.refresh()


def describe(job: Job) -> str:
    """Give in a few words what a job reads, writes or takes back."""
    if job.kind == "import":
        return job.reads
    if job.kind == "undo":
        return f"import {str(job.parameters.get('undoes'))[:8]}"
    if job.kind == "restore":
        return str(job.parameters.get("source"))
    selection = job.parameters.get("selection") or {}
    ends = (("from", selection.get("first_month")), ("to", selection.get("last_month")))
    months = " ".join(f"{word} {str(month)[:7]}" for word, month in ends if month)
    chosen = [*selection.get("fields", ()), *selection.get("wells", ())]
    more = [f"{len(chosen) - 3} more"] if len(chosen) > 3 else []
    words = selection.get("name") or ", ".join([*chosen[:3], *more]) or "all"
    return f"{words} {months}".strip()


def _head(job: Job) -> str:
    says, kind = STATUS[job.status]
    if job.is_active and job.cancel_requested:
        says, kind = "stops after the page that it is at", "warn"
    what = f"The {job.kind}"
    badge = parts.badge(kind, job.status)
    return f"<p class='wp-jobline' role='status'>{badge} {what} {says}. <code>{job.job_id}</code></p>"


def _bar(job: Job) -> str:
    if not job.is_active:
        return ""
    return parts.bar((job.progress or {}).get("progress_percentage"), f"Progress of the {job.kind}")


def _facts(job: Job) -> dict[str, str]:
    """Give the figures of a job, those that are known."""
    found: dict[str, Any] = {**(job.progress or {}), **(job.summary or {})}
    known = {"Reads" if job.kind == "import" else "Selection": describe(job)}
    if job.started_at is not None:
        known["Started"] = moment(job.started_at)
        known["Has taken" if job.is_active else "Took"] = duration(job.execution_time_seconds)
    if job.kind == "import":
        known |= _import_facts(job, found)
    elif "records_processed" in found:
        known["Records"] = _of(found["records_processed"], found.get("estimated_total"))
    if job.is_active and found.get("stage") == "upload":
        known["Sent"] = f"{size(found['bytes_sent'])} of {size(found['bytes_total'])}"
    if "size_bytes" in found:
        known["File"] = f"{found['file_name']} ({size(found['size_bytes'])})"
        known |= {name: str(found[key]) for name, key in (("Key", "key"), ("SHA-256", "sha256")) if found.get(key)}
    return known


def _import_facts(job: Job, found: dict[str, Any]) -> dict[str, str]:
    if "current_page" not in found:
        return {}
    known = {
        "Pages": _of(found["current_page"], found.get("total_pages")),
        "Records": _of(found["records_processed"], found.get("estimated_total")),
        "New": number(found["new_records"]),
        "Duplicate": number(found["duplicate_records"]),
        "Restated": number(found["restated_records"]),
        **({"Deleted": number(deleted)} if (deleted := found.get("deleted_records")) else {}),
        "Rejected": number(found["failed_records"]),
        "Speed": f"{number(found['records_per_second'])} records/s",
    }
    if job.is_active and (completion := found.get("estimated_completion")):
        left = (datetime.fromisoformat(completion) - datetime.now(UTC)).total_seconds()
        known["Time left"] = duration(max(round(left), 1)) if left < 60 else f"about {duration(left)}"
    if memory := (found.get("batch_result") or {}).get("memory_usage_mb"):
        known["Memory"] = f"{number(memory)} MB at most"
    return known


def _of(done: int, total: int | None) -> str:
    return f"{number(done)} of {number(total)}" if total and total != done else number(done)


def _messages(job: Job) -> str:
    """Give what is to be told: what it waits for, warnings, pages that failed, and how it ended."""
    told = []
    if job.is_active and (waiting := (job.progress or {}).get("waiting_for")):
        told.append(parts.notice("warn", str(waiting)))
    summary = job.summary or {}
    told += [parts.notice("warn", warning) for warning in summary.get("warnings", ())]
    failed_pages = [error for error in summary.get("errors", ()) if error.get("page")]
    told += [parts.error_notice({**error, "failed_page": error["page"]}) for error in failed_pages[:5]]
    if len(failed_pages) > 5:
        told.append(parts.notice("warn", f"{number(len(failed_pages) - 5)} more pages failed."))
    if job.status == Status.COMPLETED and (counts := summary.get("batch_result")):
        told.insert(0, _outcome(counts))
    if job.error and job.status == Status.CANCELLED:
        goes_on = "What was stored is whole; Resume goes on." if job.kind == "import" else "Resume begins it again."
        told.append(parts.notice("warn", str(job.error["message"]), goes_on))
    elif job.error:
        told.append(parts.error_notice(job.error))
    return "".join(told)


def _undone(undo: Job) -> str:
    """Say that an import was taken back."""
    when = moment(undo.completed_at)[:16]
    return parts.notice(
        "warn", f"It was undone at {when}, by the job {undo.job_id[:8]}: what it brought is in the history alone."
    )


def _outcome(counts: dict[str, Any]) -> str:
    """Give in one sentence what a completed import did."""
    stored, failed = counts["processed_items"], counts["failed_items"]
    if not failed:
        return parts.notice("good", f"{number(stored)} records are in the store.")
    rows = "row was" if failed == 1 else "rows were"
    return parts.notice(
        "warn", f"{number(stored)} records are in the store; {number(failed)} {rows} rejected, see below."
    )
