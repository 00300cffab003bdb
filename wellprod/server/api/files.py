"""Files as answers: streamed, whole or the range asked for, and not sent again to who has them."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from wellprod.server.api.describe import headers
from wellprod.server.api.envelope import Refusal, Refused, Responses, refused
from wellprod.text import attachment

_BYTES = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_OF_FILE = ("ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition")
FILE_ANSWERS: Responses = {
    200: {"description": "The file", "content": _BYTES, "headers": headers(*_OF_FILE)},
    206: {
        "description": "The part of it that was asked for by Range",
        "content": _BYTES,
        "headers": headers("Content-Range", *_OF_FILE),
    },
    304: {"description": "The caller has it already", "headers": headers("ETag", "Last-Modified")},
    416: {"model": Refusal, "description": "The file has no such part", "headers": headers("Content-Range")},
}
"""What a file is answered with, for the schema."""

_RANGE = "([0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})"
_RANGES = re.compile(rf"bytes={_RANGE}(, ?{_RANGE})*")


class FileAnswer(FileResponse):
    """A file of this machine, to be saved under a name (RFC 9110, 13 and 14).

    Parameters
    ----------
    path, name
        Where it lies, and what it is saved as.
    etag
        What tells one state of it from another, with its quotation marks; None to tell it by time and size.
    """

    chunk_size = 256 * 1024

    def __init__(self, path: Path, name: str, etag: str | None = None) -> None:
        found = path.stat()
        tag = etag or f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
        headers = {"ETag": tag, "Content-Disposition": attachment(name), "Cache-Control": "no-cache"}
        kind = "text/csv; charset=utf-8" if name.endswith(".csv") else None
        super().__init__(path, headers=headers, media_type=kind, filename=name, stat_result=found)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or a part of it, or nothing where the caller has it already."""
        asked = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        tag, length = self.headers["etag"], int(self.headers["content-length"])
        if any(given.strip().removeprefix("W/") in (tag, "*") for given in asked.get("if-none-match", "").split(",")):
            kept = {name: self.headers[name] for name in ("etag", "cache-control", "last-modified")}
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        ranges = asked.get("range", "")
        if ranges and not _RANGES.fullmatch(ranges):  # what cannot be understood is passed by
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        elif ranges and asked.get("if-range", tag) == tag and not _is_within(ranges, length):
            await refused(scope, _not_within(ranges, length))(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def _is_within(ranges: str, size: int) -> bool:
    """Tell whether a file of `size` bytes has any of the ranges."""
    parts = [part.strip().partition("-") for part in ranges.removeprefix("bytes=").split(",") if part.strip()]
    ordered = all(not (first and last) or int(first) <= int(last) for first, _, last in parts)
    return ordered and any((int(first) < size) if first else (int(last) > 0 and size > 0) for first, _, last in parts)


def _not_within(ranges: str, size: int) -> Refused:
    return Refused(
        416,
        "RANGE_NOT_SATISFIABLE",
        f"The file has {size:,} bytes; it has no {ranges[:80]}.",
        "Ask for a range within it, or for the whole.",
        headers={"Content-Range": f"bytes */{size}"},
    )
