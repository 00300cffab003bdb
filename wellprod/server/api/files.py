"""Files as answers: streamed, whole or the range asked for, and not sent again to who has them."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.datastructures import Headers
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
        asked, tag, length = Headers(scope=scope), self.headers["etag"], int(self.headers["content-length"])
        tags = ",".join(asked.getlist("if-none-match")).split(",")
        if any(given.strip().removeprefix("W/") in (tag, "*") for given in tags):
            kept = {name: self.headers[name] for name in ("etag", "cache-control", "last-modified")}
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        ranges = ", ".join(asked.getlist("range"))
        others = [pair for pair in scope["headers"] if pair[0] != b"range"]
        # what cannot be understood, or is of another state of the file, is passed by
        if _RANGES.fullmatch(ranges) and asked.get("if-range", tag) in (tag, self.headers["last-modified"]):
            if not (within := _within(ranges, length)):
                await refused(scope, _not_within(ranges, length))(scope, receive, send)
                return
            others.append((b"range", f"bytes={','.join(within)}".encode()))
        await super().__call__({**scope, "headers": others}, receive, send)


def _within(ranges: str, size: int) -> list[str]:
    """Give those of the ranges that a file of `size` bytes has."""
    found = []
    for part in ranges.removeprefix("bytes=").split(","):
        first, _, last = part.strip().partition("-")
        if int(first) < size and (not last or int(first) <= int(last)) if first else min(int(last), size) > 0:
            found.append(part.strip())
    return found


def _not_within(ranges: str, size: int) -> Refused:
    return Refused(
        416,
        "RANGE_NOT_SATISFIABLE",
        f"The file has {size:,} bytes; it has no {ranges[:80]}.",
        "Ask for a range within it, or for the whole.",
        headers={"Content-Range": f"bytes */{size}"},
    )
