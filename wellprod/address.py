"""Where the running server of a home answers: written by the server, read by whoever hands out a link to it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from wellprod.jobs import ProcessMark
from wellprod.settings import Settings


@contextmanager
def announced(url: str, settings: Settings) -> Iterator[None]:
    """Let others find the server of this process at `url`, which holds no secret, while the block lasts."""
    path = _folder(settings) / f"{os.getpid()}.json"
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"url": url, **asdict(ProcessMark.of())}))
        part.replace(path)
    except OSError:
        pass  # the server can do without; a link is then given as a path
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def server_of(settings: Settings) -> str | None:
    """Give the address of the server that runs over this home, with a slash at its end; the newest of several."""
    found: list[tuple[float, str]] = []
    for path in _folder(settings).glob("*.json"):
        with suppress(OSError, ValueError, TypeError, KeyError):
            values = json.loads(path.read_text())
            url, mark = str(values.pop("url")), ProcessMark(**values)
            if mark.is_here and mark.is_alive:
                found.append((mark.started_at, url))
            elif mark.is_here:
                path.unlink()  # of a server that was killed
    return f"{max(found)[1].rstrip('/')}/" if found else None


def _folder(settings: Settings) -> Path:
    return settings.home / "servers"
