"""Running a service over HTTP: in the foreground for people, in a thread for tests and notebooks."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.applications import Starlette

from wellprod.demo.documents import ENTITY_SET
from wellprod.demo.service import ROOT
from wellprod.listen import address_of, listen


def serve(app: Starlette, host: str, port: int, ready: Callable[[str], None] | None = None) -> None:
    """Serve `app` until Ctrl-C; port 0 takes any free one.

    `ready` is called once, as soon as connections are accepted, with the URL of the records.

    Raises
    ------
    UsageError
        The port is in use or not allowed, or the host is not of this machine.
    """
    with listen(host, port) as listener:
        if ready is not None:
            ready(_records_at(listener))
        _Server(app).run(sockets=[listener])


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Serve `app` on a free port of this machine while the context lasts, and give the URL of the records.

    Requests that are still without an answer at the end lose their connection.
    """
    server = _Server(app)
    with listen("127.0.0.1", 0) as listener:
        # The socket listens already: what connects before the thread is ready waits, and is served.
        thread = Thread(target=server.run, args=([listener],), name="wellprod demo feed", daemon=True)
        thread.start()
        try:
            yield _records_at(listener)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """A server that ends at once: it does not wait for answers that may never come."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(
            app,
            http="h11",  # it closes the connection of an answer that ends early, as the cut fault needs
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
        )
        super().__init__(config)
        logging.getLogger("uvicorn.error").addFilter(_no_cuts)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def _no_cuts(record: logging.LogRecord) -> bool:
    """Leave out what uvicorn says of an answer that the cut fault ended early, on purpose."""
    return "without completing response" not in record.getMessage()


def _records_at(listener: socket.socket) -> str:
    return f"{address_of(listener)}{ROOT}{ENTITY_SET}"
