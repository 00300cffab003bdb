"""The REST API on a port of its own, until a signal ends it."""

from __future__ import annotations

import logging
import signal
import socket
from contextlib import suppress
from types import FrameType

import uvicorn

from wellprod.address import announced
from wellprod.listen import address_of
from wellprod.server.api import bearer, create_api
from wellprod.settings import Settings

_GRACE_SECONDS = 30


def serve(listener: socket.socket, token: str, settings: Settings) -> None:
    """Answer at `listener` until SIGINT or SIGTERM; what is in flight is finished first, and jobs go on.

    Parameters
    ----------
    listener
        Where to listen.
    token
        What callers have to send.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with announced(f"{address_of(listener)}/", settings), suppress(KeyboardInterrupt):
            _Server(settings, token).run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_no_upgrade(record: logging.LogRecord) -> bool:
    """Leave out what uvicorn says of each request for a WebSocket, which strangers could fill the log with."""
    return not any(words in record.getMessage() for words in ("upgrade request", "WebSocket library"))


class _Server(uvicorn.Server):
    def __init__(self, settings: Settings, token: str) -> None:
        logging.getLogger("uvicorn.error").addFilter(_is_no_upgrade)
        self._api = create_api(settings, bearer(token))
        super().__init__(
            uvicorn.Config(
                self._api,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,  # the API has a log line of its own, without the query
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                timeout_keep_alive=30,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell those who wait for a job that it goes on without them; then end as uvicorn does."""
        self._api.state.desk.board.closing.set()
        super().handle_exit(sig, frame)
