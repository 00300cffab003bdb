"""Faults of a feed on purpose: which request meets one is counted, never left to chance."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from wellprod.demo.documents import error_reply, json_reply
from wellprod.errors import UsageError

KINDS = {
    "error500": "status 500 with an OData error",
    "error503": "status 503 with Retry-After: 0",
    "error429": "status 429 with Retry-After: 1",
    "cut": "the connection closes in the middle of the body, which Content-Length promised whole",
    "malformed": "status 200 with JSON that ends early, Content-Length in accord with it",
    "error-object": "status 200 with an OData error instead of records",
    "html": "status 200 with a sign-in page",
    "stall": "no answer until the client goes away",
    "delay": "the right answer, 1 second late",
}
"""The kinds of fault, and what a client then meets."""

DELAY_SECONDS = 1.0

_SIGN_IN_PAGE = "<!doctype html><html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>"


@dataclass(frozen=True)
class Fault:
    """One kind of fault, met by each `every`th data request."""

    kind: str
    every: int

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"{self.kind!r} is no kind of fault.", next=f"Allowed are {', '.join(KINDS)}.")
        if self.every < 1:
            raise UsageError(f"A fault each {self.every} requests cannot be.", next="Give 1 for each request, or more.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `kind:every`, for example `error500:5`.

        Raises
        ------
        UsageError
            The kind is unknown, or `every` is no whole number from 1 on.
        """
        kind, _, every = text.strip().partition(":")
        if not every.isascii() or not every.isdigit():
            raise UsageError(
                f"{text!r} is no fault.",
                next=f"Write KIND:EVERY, such as error500:5; kinds are {', '.join(KINDS)}.",
            )
        return cls(kind, int(every))


class Faults:
    """Counts the data requests of one service, and says which of them meet a fault.

    A page that met a fault is spared when it is asked for again, unless the fault is for each request, so
    that a client that tries again gets on, however many kinds and requests at once there are.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self._faults = tuple(faults)
        self._requests = 0
        self._spared: set[str] = set()

    def next_kind(self, page: str) -> str | None:
        """Count a request for `page`, a URL, and give the kind of fault that it meets, or None."""
        self._requests += 1
        due = [fault for fault in self._faults if self._requests % fault.every == 0]
        if page in self._spared:
            self._spared.discard(page)
            due = [fault for fault in due if fault.every == 1]
        if not due:
            return None
        self._spared.add(page)
        return due[0].kind


class RateLimit:
    """Lets through `per_second` requests a second, as many at once when there were none before."""

    def __init__(self, per_second: float) -> None:
        if per_second <= 0:
            raise UsageError(f"A limit of {per_second} requests a second cannot be.", next="Give a number above 0.")
        self._per_second = per_second
        self._most = max(per_second, 1.0)
        self._left = self._most
        self._last: float | None = None

    def retry_after(self, now: float) -> int:
        """Count a request at `now`, in seconds; give 0 when it may pass, else the whole seconds to wait."""
        since = 0.0 if self._last is None else now - self._last
        self._left = min(self._most, self._left + since * self._per_second)
        self._last = now
        if self._left < 1.0:
            return math.ceil((1.0 - self._left) / self._per_second)
        self._left -= 1.0
        return 0


class CutResponse(Response):
    """Promises its body whole, sends half of it, and lets the server close the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: len(self.body) // 2])
        await send({"type": "http.response.body", "body": half, "more_body": True})


async def client_gone(receive: Receive, within_seconds: float | None) -> bool:
    """Wait for the client to go away, for ever when `within_seconds` is None; say whether it did."""
    try:
        async with asyncio.timeout(within_seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


async def spoiled(kind: str, request: Request, right: Response) -> Response:
    """Give the answer with the fault `kind`, in place of the `right` one."""
    body = bytes(right.body)
    match kind:
        case "error500":
            return error_reply(500, "The service failed on purpose.")
        case "error503":
            return error_reply(503, "The service is away on purpose.", {"Retry-After": "0"})
        case "error429":
            return error_reply(429, "Too many requests, on purpose.", {"Retry-After": "1"})
        case "error-object":
            return error_reply(200, "The service failed on purpose, with status 200.")
        case "html":
            return HTMLResponse(_SIGN_IN_PAGE)
        case "malformed":
            return json_reply(body[: len(body) // 2])
        case "cut":
            return CutResponse(body, headers=right.headers)
        case _:
            await client_gone(request.receive, None if kind == "stall" else DELAY_SECONDS)
            return right
