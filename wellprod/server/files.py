"""Feeds saved as files, through the browser: as streams, never whole in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from wellprod.errors import TooLarge, WellprodError
from wellprod.ingest import ENDINGS, Arrival, check_upload, ending_of
from wellprod.server.door import Door, Refusal

_PLAIN_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
_NAME_BYTES = 200
_SHORT_BYTES = 1_000_000


@web.stream_request_body
class UploadDoor(Door):
    """PUT /wellprod/uploads/NAME: a file from the browser into the uploads folder.

    GET on the same address, with `?size=BYTES`, asks whether it would be taken: a browser that has begun to send
    cannot read a refusal.
    """

    _arrival: Arrival | None = None
    _failure: WellprodError | None = None
    _refusal: Refusal | None = None  # of a short body, which is read past so that the answer surely arrives

    async def prepare(self) -> None:  # type: ignore[override]
        """Decide before the first byte of the body is read."""
        await super().prepare()
        if self.request.method == "PUT":
            await self._begin()

    @authorized
    async def _begin(self) -> None:
        length = self.request.headers.get("Content-Length")
        if length is None:
            raise Refusal(411, "The size of the file is not given.", "Send it with Content-Length.")
        try:
            name = self._accepted(self.path_args[0], length)
        except Refusal as refusal:
            if not _is_short(length):
                raise
            self._refusal = refusal
            return
        self.request.connection.set_max_body_size(int(length))  # type: ignore[union-attr]
        with _refusing():
            self._arrival = Arrival(self.workbench, name, length=int(length))

    def data_received(self, chunk: bytes) -> None:
        """Write a piece of the body; after a failure the rest is read past, so that the answer can be."""
        if self._failure is None and self._arrival:
            try:
                self._arrival.write(chunk)
            except WellprodError as error:
                self._failure = error

    @web.authenticated
    @authorized
    async def put(self, name: str) -> None:
        """Keep the file, now that all of it is here."""
        if self._refusal:
            raise self._refusal
        assert self._arrival  # noqa: S101 - `prepare` has refused otherwise
        with _refusing():
            if self._failure:
                raise self._failure
            target = self._arrival.keep()
        self.finish({"name": target.name, "path": str(target), "size_bytes": target.stat().st_size})

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Say whether a file of that name and size would be taken."""
        self._accepted(name, self.get_query_argument("size", "0"))
        self.set_status(204)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Refuse, and read no more on this connection where the body has not been read."""
        if self.request.method == "PUT" and not self._refusal and not self._arrival:
            self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)

    def on_connection_close(self) -> None:
        """Drop what came when the connection was cut."""
        if self._arrival:
            self._arrival.drop()
        super().on_connection_close()

    def _accepted(self, name: str, length: str) -> str:
        """Give the name of a file that would be taken, or refuse it."""
        if not (_PLAIN_NAME.fullmatch(name) and ending_of(name)) or len(name.encode()) > _NAME_BYTES:
            raise Refusal(
                400,
                f"{name[:80]!r} is not allowed as the name of a feed.",
                f"Choose a file with a plain name that ends in one of: {', '.join(ENDINGS)}.",
            )
        if not (length.isascii() and length.isdigit()):
            raise Refusal(400, f"{length[:80]!r} is no size.", "Give it in bytes.")
        with _refusing():
            check_upload(self.workbench, int(length), name)
        return name


def _is_short(length: str) -> bool:
    return length.isascii() and length.isdigit() and int(length) <= _SHORT_BYTES


@contextmanager
def _refusing() -> Iterator[None]:
    """Answer with a refusal what a file cannot be taken for."""
    try:
        yield
    except TooLarge as error:
        raise Refusal(413, error.message, error.next) from None
    except WellprodError as error:
        raise Refusal(507, error.message, error.next) from None
