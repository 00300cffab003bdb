"""The kernels of the pages: whether a page still has its own, and the end of those that were left behind."""

from __future__ import annotations

import time
from logging import Logger
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.ioloop import PeriodicCallback

from wellprod.server.door import Door, Refusal


class KernelDoor(Door):
    """GET /wellprod/kernels/ID: which process calculates for a page; another one has lost what the page shows."""

    @web.authenticated
    @authorized
    def get(self, kernel_id: str) -> None:
        """Answer with the number of the process."""
        if kernel_id not in self.kernel_manager:
            raise Refusal(404, "The calculation process of this page has ended.", "Reload the page.")
        kernel = self.kernel_manager.get_kernel(kernel_id)
        self.finish({"process": getattr(kernel.provisioner, "pid", None)})


class LeftKernels:
    """Ends kernels that have neither a session nor a connection for longer than a grace, busy or not.

    A notebook or console in JupyterLab has a session. A page has none, and once its tab is gone without a word, no
    connection either. What must outlive a page, such as an import, runs in a process of its own.
    """

    def __init__(self, kernels: Any, sessions: Any, grace_seconds: float, log: Logger) -> None:
        self.kernels = kernels
        self.sessions = sessions
        self.grace_seconds = grace_seconds
        self.log = log
        self._alone_since: dict[str, float] = {}
        period_seconds = min(max(grace_seconds / 4, 0.5), 10.0)
        self._sweeping = PeriodicCallback(self.sweep, 1000 * period_seconds)

    def start(self) -> None:
        """Begin to look."""
        self._sweeping.start()

    def stop(self) -> None:
        """Look no more."""
        self._sweeping.stop()

    async def sweep(self) -> None:
        """Look once."""
        sessions = await ensure_async(self.sessions.list_sessions())
        owned = {session["kernel"]["id"] for session in sessions if session.get("kernel")}
        alone = {kernel["id"] for kernel in self.kernels.list_kernels() if not kernel["connections"]} - owned
        now = time.monotonic()
        self._alone_since = {kernel_id: self._alone_since.get(kernel_id, now) for kernel_id in alone}
        for kernel_id, since in self._alone_since.items():
            if now - since >= self.grace_seconds:
                self.log.info("wellprod: ending kernel %s, whose page is gone", kernel_id)
                await ensure_async(self.kernels.shutdown_kernel(kernel_id, now=True))
