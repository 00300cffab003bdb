"""Takes one import back: what it brought, restated and deleted; all of it stays in the history."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from wellprod.errors import BusinessRuleViolation, ProfileError, UsageError, WellprodError
from wellprod.feed.profile import find_profile
from wellprod.ingest.mapping import basis_of
from wellprod.ingest.state import saved_state
from wellprod.jobs import Job, Ledger, Status
from wellprod.settings import Settings
from wellprod.store import Store, Undone
from wellprod.store import imports as notes
from wellprod.text import duration, html_pairs, number

_MEMORY = "256MB"

Watch = Callable[[int, int], None]
"""Told how many records were gone through, and how many there are."""


@dataclass(frozen=True, slots=True, repr=False)
class UndoSummary:
    """An import that was taken back: by which job, what became of its records, and the seconds that it took."""

    job_id: str
    status: Status
    undoes: str
    records: Undone
    execution_time_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, as `wellprod jobs undo --json` prints it."""
        return {
            "job_id": self.job_id,
            "status": str(self.status),
            "undoes": self.undoes,
            **{f"{name}_records": count for name, count in asdict(self.records).items()},
            "execution_time_seconds": self.execution_time_seconds,
        }

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it."""
        found = self.records
        return {
            "Undone": f"import {self.undoes}, in {duration(self.execution_time_seconds)}",
            "Removed": f"{number(found.removed)}, which only it had brought",
            "Restored": f"{number(found.restored)}, to what they were before it",
            "Returned": f"{number(found.returned)}, which it had deleted",
            "Left": f"{number(found.kept)}, which a later import has restated",
            "Job": self.job_id,
        }

    def __repr__(self) -> str:
        return f"<UndoSummary: {'; '.join(f'{name.lower()} {text}' for name, text in self.as_pairs().items())}>"

    def _repr_html_(self) -> str:
        return html_pairs(self.as_pairs())


def undo_import(job_id: str, settings: Settings, *, on_progress: Watch | None = None) -> UndoSummary:
    """Take an import back, in one transaction, as a job of its own; a job that was killed at it goes on.

    Parameters
    ----------
    job_id
        The import; or the job that was to take one back.
    on_progress
        Told how many of its records were gone through, and how many there are.

    Raises
    ------
    JobNotFound, UsageError
        There is no such job, or it is no import.
    BusinessRuleViolation
        It was undone already; or an import, an undo or a restore runs.
    ProfileError
        Its feed profile is not there any more.
    StoreMissing, StoreBusy, StoreFull, StoreError
        The store cannot be written; nothing was changed.
    """
    ledger = Ledger(settings.jobs_path)
    asked = ledger.get(job_id)
    undoes = ledger.get(asked.parameters["undoes"]) if asked.kind == "undo" else asked
    if undoes.kind != "import":
        raise UsageError(
            f"The job {job_id} is no import but a job of the kind {undoes.kind}; only an import can be undone.",
            next="Give the id of an import; wellprod jobs list shows them.",
        )
    ledger.check_idle()
    begun, done_by = ledger.undo_of(undoes.job_id), undone_by(undoes.job_id, settings)
    is_left = begun is not None and begun.status != Status.COMPLETED
    if done_by and not (is_left and begun and begun.job_id == done_by):
        raise BusinessRuleViolation(
            f"The import {undoes.job_id} was undone already, by the job {done_by}.",
            next="To have its records again, import again.",
            rule="NOT_UNDONE",
            job_id=done_by,
        )
    in_one_field = _is_well_in_one_field(undoes, settings)
    job = ledger.claim(begun.job_id) if begun and is_left else ledger.create("undo", {"undoes": undoes.job_id})
    return _undo(job, undoes, settings, ledger, in_one_field=in_one_field, on_progress=on_progress)


def undone_by(job_id: str, settings: Settings) -> str | None:
    """Give the job that took an import back, or None where none did."""
    if not settings.store_path.exists():
        return None
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        return notes.undone_by(reading, job_id)


def check_not_undone(job_id: str, settings: Settings) -> None:
    """Refuse to go on with an import that was taken back.

    Raises
    ------
    BusinessRuleViolation
        It was; `details` has rule and job_id.
    """
    if by := undone_by(job_id, settings):
        raise BusinessRuleViolation(
            f"The import {job_id} was undone by the job {by}, and cannot go on.",
            next="Import again.",
            rule="NOT_UNDONE",
            job_id=job_id,
        )


def _undo(
    job: Job, undoes: Job, settings: Settings, ledger: Ledger, *, in_one_field: bool, on_progress: Watch | None
) -> UndoSummary:
    began = time.monotonic()
    try:
        store = Store(settings.store_path, settings.store_wait_seconds, _MEMORY)
        with store.write() as writing:
            records = writing.undo(
                undoes.job_id, undone_by=job.job_id, well_in_one_field=in_one_field, on_progress=on_progress
            )
            for source, name, by in writing.sources_told_by(undoes.job_id):
                with suppress(ProfileError):  # it is gone; what was said last stays
                    basis = basis_of(find_profile(name, settings.profiles_path))
                    writing.note_sources(basis, [source], job_id=by)
    except WellprodError as failure:
        ledger.finish(job.job_id, Status.FAILED, error=failure.as_dict())
        raise
    except KeyboardInterrupt:
        told = {"code": "CANCELLED", "message": "The undo was stopped; nothing was changed.", "next": "Undo again."}
        ledger.finish(job.job_id, Status.CANCELLED, error=told)
        raise
    except BaseException as failure:
        ledger.finish(job.job_id, Status.FAILED, error={"code": "INTERNAL_ERROR", "message": repr(failure), "next": ""})
        raise
    seconds = round(time.monotonic() - began, 3)
    summary = UndoSummary(job.job_id, Status.COMPLETED, undoes.job_id, records, seconds)
    told = {name: value for name, value in summary.as_dict().items() if name not in ("job_id", "status")}
    ledger.finish(job.job_id, Status.COMPLETED, summary=told)
    return summary


def _is_well_in_one_field(job: Job, settings: Settings) -> bool:
    store = Store(settings.store_path, settings.store_wait_seconds)
    with store.read() as reading:
        name = notes.profile_of(reading, job.job_id)
    if name is None and (state := saved_state(store, job.job_id)):  # of a version that kept no notes
        name = state.profile
    return bool(name) and find_profile(name or "", settings.profiles_path).well_in_one_field
