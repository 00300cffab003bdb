"""What a job is, and how a notebook shows one or several."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from wellprod.text import duration, html_pairs, html_table, moment, number, size

SENT = "sent-"
"""What the name of a file begins with that a program sent by REST, which gives it no name."""


class Status(StrEnum):
    """The states of a job."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ACTIVE = (Status.PENDING, Status.RUNNING)
"""The states of a job that runs or waits to be run."""


_OF_UNDO_AND_RESTORE = ("removed_records", "restored_records", "returned_records", "kept_records", "former")


@dataclass(frozen=True, slots=True, repr=False)
class Job:
    """One job as the ledger has it; times in seconds since 1970, UTC."""

    job_id: str
    kind: str
    status: Status
    parameters: dict[str, Any]
    created_at: float
    started_at: float | None
    completed_at: float | None
    runs: int
    progress: dict[str, Any] | None
    summary: dict[str, Any] | None
    error: dict[str, Any] | None
    cancel_requested: bool

    @property
    def is_active(self) -> bool:
        """Whether it runs or waits to be run."""
        return self.status in ACTIVE

    @property
    def execution_time_seconds(self) -> float | None:
        """Seconds from the start of the last run to its end, or to now."""
        return None if self.started_at is None else (self.completed_at or time.time()) - self.started_at

    @property
    def records(self) -> int | None:
        """Records read or written so far."""
        return (self.progress or {}).get("records_processed")

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, progress and summary flat beside the rest."""
        own = {name: getattr(self, name) for name in self.__slots__ if name not in ("progress", "summary")}
        values = {**own, "status": str(self.status), "execution_time_seconds": self.execution_time_seconds}
        return {**(self.progress or {}), **(self.summary or {}), **values}

    @property
    def reads(self) -> str:
        """What an import reads, as people know it: an address, a file, or what a program sent."""
        source = str(self.parameters.get("source", ""))
        return "a file sent by REST" if PurePath(source).name.startswith(SENT) else source

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it: what was asked, how far it is, what became of the records, and what went wrong."""
        written = self.summary or {}
        counts = written.get("import_summary") or {}
        counts = {**counts, **{name: written[name] for name in _OF_UNDO_AND_RESTORE if name in written}}
        pairs = {
            "Job": self.job_id,
            "Kind": self.kind,
            "Status": str(self.status),
            "Started": moment(self.started_at),
            "Took": duration(self.execution_time_seconds),
        }
        is_file = "sha256" in written
        far = {"records": written["records"]} if is_file else self.progress or {}
        asked = {**self.parameters, "shelf_name": None}  # a mark for programs
        if "source" in asked:
            asked["source"] = self.reads
        for name, value in {**asked, **far, **counts}.items():
            if text := _as_text(value):
                pairs[name.replace("_", " ").capitalize()] = text
        if is_file:
            pairs["File"] = f"{written['path']} ({size(written['size_bytes'])})"
            if written["path"].endswith(written["key"]):
                pairs |= {"Key": written["key"], "Saved as": written["file_name"]}
            pairs["SHA-256"] = written["sha256"]
        error = self.error or {}
        told = {
            "Warnings": " ".join((self.summary or {}).get("warnings", ())),
            "Error": error.get("message"),
            "Next": error.get("next"),
        }
        return {**pairs, **{name: text for name, text in told.items() if text}}

    def __repr__(self) -> str:
        what = [f"{number(self.records)} records"] if self.records is not None else []
        took = [duration(self.execution_time_seconds)] if self.started_at else []
        return f"<Job {self.job_id}: {', '.join([self.kind, str(self.status), *what, *took])}>"

    def _repr_html_(self) -> str:
        return html_pairs(self.as_pairs())


class Jobs(tuple[Job, ...]):
    """Several jobs, which a notebook shows as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "<no jobs>"

    def _repr_html_(self) -> str:
        if not self:
            return "<p>There are no jobs yet.</p>"
        headings = ["job", "kind", "status", "started", "took", "records"]
        rows = [
            (
                job.job_id,
                job.kind,
                str(job.status),
                moment(job.started_at),
                duration(job.execution_time_seconds),
                number(job.records),
            )
            for job in self
        ]
        return html_table(headings, rows, figures=[name in ("took", "records") for name in headings])


def _as_text(value: Any) -> str:
    """Give a value of a job as people read it; nothing for what was not given."""
    if isinstance(value, dict):
        shown = [(name.replace("_", " "), _as_text(inner)) for name, inner in value.items()]
        return ", ".join(f"{name} {text}" for name, text in shown if text)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool) or value is None:
        return "yes" if value else ""
    if isinstance(value, int | float):
        return number(value, 0 if float(value).is_integer() else 1)
    return str(value)
