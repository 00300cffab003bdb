"""A Jupyter extension that hangs up a small ASGI app behind the bridge, to show what a bridge has to carry."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wellprod.server.bridge import ApiDoor

_PIECE = b"0123456789abcdef" * 4096
_seen: list[str] = []
_released = asyncio.Event()


async def small_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer by the last parts of the path."""
    assert scope["type"] == "http"
    name, _, rest = scope["path"].removeprefix(scope["root_path"]).removeprefix("/small/").partition("/")
    await {
        "scope": _scope,
        "count": _count,
        "flow": _flow,
        "refuse": _refuse,
        "seen": _tell_seen,
        "wait": _wait,
        "hold": _hold,
        "release": _release,
        "after": _after,
        "status": _status,
        "break": _break,
        "silent": _silent,
    }[name](rest, scope, receive, send)


async def _answer(send: Send, value: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    kind = (b"content-type", b"application/json")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *headers]})
    await send({"type": "http.response.body", "body": json.dumps(value).encode()})


async def _scope(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Give what the scope holds."""
    shown = {name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in scope.items()}
    shown["headers"] = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    await _answer(send, shown)


async def _count(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Give the size and the hash of the body."""
    digest, size = hashlib.sha256(), 0
    message: Message = {"more_body": True}
    while message["more_body"]:
        message = await receive()
        if message["type"] == "http.disconnect":
            _seen.append(f"gone after {size} bytes came")
            return
        digest.update(message["body"])
        size += len(message["body"])
        if rest == "seen":
            _seen.append(str(size))
    await _answer(send, {"bytes": size, "sha256": digest.hexdigest()})


async def _flow(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Give as many pieces as asked for, until the client is gone."""
    pieces, sent = int(rest), 0
    length = [(b"content-length", b"%d" % (pieces * len(_PIECE)))] if b"length" in scope["query_string"] else []
    await receive()
    gone = asyncio.create_task(_until_gone(receive))
    await send({"type": "http.response.start", "status": 200, "headers": length})
    while sent < pieces and not gone.done():
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
        sent += 1
    if gone.done():
        _seen.append("gone while it was sent")
    await send({"type": "http.response.body"})


async def _until_gone(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def _refuse(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without a look at the body."""
    await _answer(send, "no", 413)


async def _tell_seen(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    await _answer(send, _seen)


async def _wait(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer once another request releases it, or say that the client has gone before."""
    await receive()
    gone, released = asyncio.create_task(_until_gone(receive)), asyncio.create_task(_released.wait())
    await asyncio.sleep(0)
    _seen.append("waits")
    await asyncio.wait((gone, released), return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        _seen.append("gone while it waited")
    await _answer(send, "released")


async def _hold(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Read the first piece, and no more until another request releases it."""
    await receive()
    await _released.wait()
    await _answer(send, "released")


async def _release(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Release all that wait now."""
    _released.set()
    _released.clear()
    await _answer(send, "done")


async def _after(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, and go on until the end of the answer is told."""
    await receive()
    await _answer(send, "answered")
    both = (asyncio.create_task(_until_gone(receive)), asyncio.create_task(_until_gone(receive)))
    await asyncio.wait(both)
    _seen.append("went on after the answer")


async def _status(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a status, a body that some have to be without, and headers of one name."""
    headers = [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"etag", b'"x"'), (b"x-request-id", b"own")]
    await send({"type": "http.response.start", "status": int(rest), "headers": headers})
    await send({"type": "http.response.body", "body": b"12345", "more_body": True})
    await send({"type": "http.response.body", "body": b"678"})


async def _break(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Fail before the answer, or in the middle of it."""
    if rest == "late":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise ValueError("a secret of the app")


async def _silent(rest: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer nothing."""


class SmallDoor(ApiDoor):
    """The bridge, to the small app."""

    async def app(self) -> ASGIApp:
        """Give the small app."""
        return small_app


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    """Hang up the bridge."""
    app = serverapp.web_app
    app.add_handlers(  # type: ignore[no-untyped-call]
        ".*$", [(url_path_join(app.settings["base_url"], "/small/(.*)"), SmallDoor, {"name": "wellprod"})]
    )
