"""What ran on a workbench, and what changed in its store: the part of it that looks back."""

from __future__ import annotations

from datetime import date
from typing import Literal

import polars as pl

from wellprod.analysis.rejects import rejected_rows
from wellprod.analysis.restated import restatements
from wellprod.analysis.saved import selection_of
from wellprod.analysis.selection import Selection
from wellprod.export import ExportResult
from wellprod.ingest import ImportSummary, UndoSummary, undo_import
from wellprod.jobs import Job, Jobs, Ledger
from wellprod.resume import resume_job
from wellprod.settings import Settings
from wellprod.store import Store


class Past:
    """The jobs of a workbench, and what they changed; `Workbench` says what its methods share."""

    settings: Settings
    store: Store
    ledger: Ledger

    def jobs(self, limit: int = 20, offset: int = 0, *, kind: Literal["import", "export"] | None = None) -> Jobs:
        """Give the jobs, newest first."""
        return Jobs(self.ledger.jobs(kind=kind, limit=limit, offset=offset))

    def job(self, job_id: str) -> Job:
        """Give one job, by its id or the first eight characters of it.

        Raises
        ------
        JobNotFound
            No job has this id; so for each method that takes one.
        """
        return self.ledger.get(job_id)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop, which it does within a page; what it stored stays, and `resume` goes on."""
        return self.ledger.cancel(job_id)

    def resume(
        self, job_id: str, *, accept_restatements: bool = False, accept_drift: bool = False
    ) -> ImportSummary | ExportResult | UndoSummary:
        """Go on with a stopped or killed job, and wait for its end: an import where it was, others from their start.

        `accept_restatements` lets an import go on that stopped since it would change too many old months,
        `accept_drift` one that stopped since the feed changed what the profile reads.

        Raises
        ------
        BusinessRuleViolation
            It runs, or another import does.
        """
        return resume_job(job_id, self.settings, accept_restatements=accept_restatements, accept_drift=accept_drift)

    def undo(self, job_id: str) -> UndoSummary:
        """Take an import back: what it brought, restated and deleted; the history keeps it.

        Raises
        ------
        BusinessRuleViolation
            An import runs, or this one was undone already.
        """
        return undo_import(job_id, self.settings)

    def rejects(self, job_id: str) -> pl.DataFrame:
        """Give the rows that an import could not store: reason, page, row_number (from 0), raw_row (JSON text)."""
        job = self.ledger.get(job_id)
        with self.store.read() as reading:
            return rejected_rows(reading, job.job_id)

    def restatements(
        self, *, selection: Selection | str | None = None, since: date | None = None, job_id: str | None = None
    ) -> pl.DataFrame:
        """Give what the store says otherwise than it did, the last change first: one row a changed figure.

        Parameters
        ----------
        selection
            A saved selection by its name, or one made with `Selection`; None for all.
        since
            The first day, UTC, of changes to give.
        job_id
            The one job whose changes to give.

        Raises
        ------
        SelectionError
            A field, well or group is not there. `wellprod.analysis.restated.restatements` tells the columns.
        """
        if not isinstance(selection, Selection):
            selection = selection_of(selection, self.settings.selections_path)
        job = self.ledger.get(job_id).job_id if job_id else None
        with self.store.read() as reading:
            return restatements(reading, selection, since=since, job_id=job)
