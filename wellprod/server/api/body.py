"""The body of a request as a file: streamed to disk, never whole in memory; as it is, or the first file of a form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from anyio import to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from wellprod.errors import UsageError
from wellprod.ingest import Arrival
from wellprod.server.api.envelope import Refused
from wellprod.settings import Settings

_FORM = b"multipart/form-data"
_TAKEN = (b"application/json", _FORM)
_BLANK_BYTES = 64
_SEND_FORM = "Send the file as curl -F file=@NAME does."


async def received(request: Request, settings: Settings) -> Path | None:
    """Keep the body of a request as a file in `uploads_path`, piece by piece; None where it says nothing.

    Raises
    ------
    Refused
        It is of a kind that is not taken, or broke off.
    UsageError
        It is a form that cannot be read, or has no file; or it is above the limit.
    StoreFull
        The disk has no room for it.
    """
    kind, options = parse_options_header(request.headers.get("content-type", "application/json"))
    if kind not in _TAKEN:
        raise Refused(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f"A body of type {kind.decode('latin-1')[:80]!r} is not taken.",
            f"Send a file as curl -F file=@NAME does, or one of: {', '.join(name.decode() for name in _TAKEN)}.",
        )
    length = int(request.headers.get("content-length", "0"))
    head = b""
    with Arrival(settings, length=length) as arrival:
        form = _Form(options.get(b"boundary", b""), arrival) if kind == _FORM else None
        try:
            async for piece in request.stream():
                head = (head + piece)[:_BLANK_BYTES]
                await to_thread.run_sync(form.write if form else arrival.write, piece)
        except ClientDisconnect:
            raise Refused(400, "BODY_INCOMPLETE", "The body broke off.", "Send it again.") from None
        if form:
            form.end()
        elif _is_blank(head):
            return None
        return await to_thread.run_sync(arrival.keep)


def _is_blank(head: bytes) -> bool:
    """Tell whether a body that begins so says nothing; one that does is shorter than what is looked at."""
    try:
        return not head.strip() or orjson.loads(head) in ({}, None)
    except orjson.JSONDecodeError:
        return False


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise UsageError(f"The form cannot be read: {error}.", next=_SEND_FORM) from None


class _Form:
    """A form whose first file is kept, as it comes; what else is in it is passed by."""

    def __init__(self, boundary: bytes, arrival: Arrival) -> None:
        self._arrival = arrival
        self._name = self._value = b""
        self._is_file = self._is_kept = self._is_whole = False
        if not boundary:
            raise UsageError("The form has no boundary.", next=_SEND_FORM)
        with _readable():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_begin": self._on_header_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )

    def write(self, piece: bytes) -> None:
        """Take a piece of the body."""
        with _readable():
            self._parser.write(piece)

    def end(self) -> None:
        """Make sure that the form is whole and had a file."""
        if not (self._is_whole and self._is_kept):
            what = "has no file" if self._is_whole else "broke off"
            raise UsageError(f"The form {what}.", next=_SEND_FORM)

    def _on_part_begin(self) -> None:
        self._is_file = False

    def _on_header_begin(self) -> None:
        self._name = self._value = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            options = parse_options_header(self._value)[1]
            self._is_file = not self._is_kept and (b"filename" in options or options.get(b"name") == b"file")
            if self._is_file:
                self._arrival.call(options.get(b"filename", b"").decode("utf-8", "replace"))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._arrival.write(data[start:end])

    def _on_part_end(self) -> None:
        self._is_kept = self._is_kept or self._is_file

    def _on_end(self) -> None:
        self._is_whole = True
