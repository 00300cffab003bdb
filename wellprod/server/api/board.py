"""The jobs as many callers ask for them: from memory until the ledger changes, and awaited without holding a thread."""

from __future__ import annotations

import asyncio
import time

from anyio import to_thread

from wellprod.jobs import Job, Ledger

_LOOK_SECONDS = 0.05
_OLDEST_SECONDS = 1.0  # a job whose process is gone changes nothing in the ledger until somebody looks
_MOST_JOBS = 1000


class JobBoard:
    """What the ledger says of jobs.

    Parameters
    ----------
    ledger
        The jobs of the workbench.

    Attributes
    ----------
    closing
        Set when the server is about to end: nobody waits any longer, and the jobs go on.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.closing = asyncio.Event()
        self._jobs: dict[str, Job] = {}
        self._revision: tuple[int, ...] = ()
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def job(self, job_id: str) -> Job:
        """Give one job, by its id or the first eight characters of it.

        Raises
        ------
        JobNotFound
            No job has this id.
        """
        if job := self._known(job_id):
            return job
        async with self._reading:
            if job := self._known(job_id):  # somebody else has read it meanwhile
                return job
            revision = self.ledger.revision()
            job = await to_thread.run_sync(self.ledger.get, job_id)
            if revision != self._revision or self._is_old() or len(self._jobs) >= _MOST_JOBS:
                self._jobs, self._revision, self._read_at = {}, revision, time.monotonic()
            self._jobs[job_id] = job
            return job

    async def ended(self, job_id: str) -> Job:
        """Give a job when it has ended; or as it is when the server is about to end.

        Raises
        ------
        JobNotFound
            No job has this id.
        """
        while (job := await self.job(job_id)).is_active and not self.closing.is_set():
            try:
                await asyncio.wait_for(self.closing.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue
        return job

    def _known(self, job_id: str) -> Job | None:
        if self._is_old() or self.ledger.revision() != self._revision:
            return None
        return self._jobs.get(job_id)

    def _is_old(self) -> bool:
        return time.monotonic() - self._read_at > _OLDEST_SECONDS
