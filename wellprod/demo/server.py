"""Running a service over HTTP: in the foreground for people, in a thread for tests and notebooks."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Thread

import uvicorn
from starlette.applications import Starlette

from wellprod.demo.documents import ENTITY_SET
from wellprod.demo.service import ROOT
from wellprod.errors import UsageError


def serve(app: Starlette, host: str, port: int, ready: Callable[[str], None] | None = None) -> None:
    """Serve `app` until Ctrl-C; port 0 takes any free one.

    `ready` is called once, as soon as connections are accepted, with the URL of the records.

    Raises
    ------
    UsageError
        The port is in use or not allowed, or the host is not of this machine.
    """
    with _listen(host, port) as listener:
        if ready is not None:
            ready(_url(listener))
        _Server(app).run(sockets=[listener])


@contextmanager
def running(app: Starlette) -> Iterator[str]:
    """Serve `app` on a free port of this machine while the context lasts, and give the URL of the records.

    Requests that are still without an answer at the end lose their connection.
    """
    server = _Server(app)
    with _listen("127.0.0.1", 0) as listener:
        # The socket listens already: what connects before the thread is ready waits, and is served.
        thread = Thread(target=server.run, args=([listener],), name="wellprod demo feed", daemon=True)
        thread.start()
        try:
            yield _url(listener)
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


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=128)
    except OverflowError:
        problem = f"Port {port} is not allowed; ports are from 0 to 65535."
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        problem = f"Cannot listen on port {port} of {host}: {reason}."
    else:
        # Else each small answer waits 40 ms for the client's acknowledgement of its headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    raise UsageError(problem, next="Choose another port, or 0 for any free one.")


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    address = ip_address(host)
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    shown = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{shown}:{port}{ROOT}{ENTITY_SET}"
