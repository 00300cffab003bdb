"""What the handlers work with: the settings, the jobs, and reads of the store that wait no longer than they may."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import Depends, Path, Request

from wellprod.errors import StoreBusy
from wellprod.jobs import Ledger
from wellprod.metrics import Metrics
from wellprod.server.api.board import JobBoard
from wellprod.server.api.envelope import Refused
from wellprod.server.api.models import JOB_ID
from wellprod.settings import Settings
from wellprod.store import Reading, Store

Found = TypeVar("Found")

_READS_AT_ONCE = 4


class Desk:
    """One for each app.

    Attributes
    ----------
    settings, ledger, board
        The settings, the ledger of the jobs, and what callers see of it.
    metrics
        What Prometheus is told.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.jobs_path)
        self.board = JobBoard(self.ledger)
        self.metrics = metrics
        self._store = Store(settings.store_path, settings.api_wait_seconds)
        self._reads = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(self, look: Callable[[Reading], Found]) -> Found:
        """Look into the store, in a thread; without a store there are empty tables to look into.

        Raises
        ------
        StoreBusy
            It is written or read by others for longer than `api_wait_seconds`.
        """
        return await self.at_store(lambda: self._look(look))

    async def at_store(self, work: Callable[[], Found]) -> Found:
        """Do in a thread what looks into the store; a few at a time, so that those who wait for it hold up nobody else.

        Raises
        ------
        StoreBusy
            Its turn did not come within `api_wait_seconds`; what `work` itself waits for is its own affair.
        """
        wait = self.settings.api_wait_seconds
        try:
            await asyncio.wait_for(self._reads.acquire(), wait)
        except TimeoutError:
            raise StoreBusy(
                f"More requests read the store than it answers; this one has waited for {wait:g} seconds.",
                next="Ask again a little later, and less often.",
            ) from None
        try:
            return await to_thread.run_sync(work)
        finally:
            self._reads.release()

    def _look(self, look: Callable[[Reading], Found]) -> Found:
        with self._store.read(or_empty=True) as reading:
            return look(reading)


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
JobId = Annotated[
    str,
    Path(max_length=64, description="The id of a job, or the first eight characters of it or more", examples=[JOB_ID]),
]


async def known_parameters(request: Request) -> None:
    """Refuse parameters that a route does not have, or not twice: one that is misspelt would else ask for all."""
    method = "get" if request.method == "HEAD" else request.method.lower()
    described = request.app.openapi()["paths"][request.scope["route"].path_format][method]
    schemas = {part["name"]: part["schema"] for part in described.get("parameters", ()) if part["in"] == "query"}
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in schemas:
            message, told = f"There is no parameter {name!r}.", ", ".join(sorted(schemas))
            advice = f"The parameters here are: {told}." if told else "This route takes none."
        elif given.count(name) > 1 and schemas[name].get("type") != "array":
            message, advice = f"The parameter {name!r} is given {given.count(name)} times.", "Give it once."
        else:
            continue
        raise Refused(422, "VALIDATION_ERROR", message, advice, details={"parameter": name})


def paging(limit: int, offset: int, total: int) -> dict[str, Any]:
    """Say which part of a list is given, and where the next one begins."""
    following = offset + limit
    return {"limit": limit, "offset": offset, "total": total, "next_offset": following if following < total else None}
