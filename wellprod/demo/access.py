"""Who may ask, how often, and how late the answer comes: what stands before each request of the service."""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from wellprod.demo.documents import error_reply
from wellprod.demo.faults import RateLimit, client_gone


@dataclass(frozen=True, repr=False)
class SignIn:
    """The credentials that are accepted, any one of them; with none set everyone may read."""

    basic: tuple[str, str] | None = None
    bearer: str | None = None
    api_key: tuple[str, str] | None = None

    def admits(self, headers: Headers) -> bool:
        """Say whether a request with these headers may be answered; each comparison takes the same time."""
        expected: list[tuple[str, str]] = []
        if self.basic is not None:
            expected.append(("basic", b64encode(":".join(self.basic).encode()).decode()))
        if self.bearer is not None:
            expected.append(("bearer", self.bearer))
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        given = (scheme.lower(), credentials.strip())
        admitted = [given[0] == name and _same(given[1], secret) for name, secret in expected]
        if self.api_key is not None:
            header, secret = self.api_key
            admitted.append(_same(headers.get(header, ""), secret))
        return any(admitted) or not admitted

    def refusal(self) -> Response:
        """Give the 401 that names the ways to sign in."""
        schemes = [*(["Basic"] if self.basic else []), *(["Bearer"] if self.bearer is not None else [])]
        headers = {"WWW-Authenticate": ", ".join(f'{scheme} realm="wellprod demo"' for scheme in schemes)}
        ways = [*schemes, *([self.api_key[0]] if self.api_key else [])]
        return error_reply(401, f"Sign in: {' or '.join(ways)}.", headers if schemes else None)


def _same(given: str, secret: str) -> bool:
    # Headers arrive decoded as Latin-1, whatever bytes the client sent.
    return hmac.compare_digest(given.encode("latin-1"), secret.encode())


class Gate:
    """ASGI middleware: waits `delay_seconds` before each answer, signs in, and keeps the rate."""

    def __init__(self, app: ASGIApp, *, sign_in: SignIn, rate_limit: RateLimit | None, delay_seconds: float) -> None:
        self._app = app
        self._sign_in = sign_in
        self._rate_limit = rate_limit
        self._delay_seconds = delay_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse one request, or hand it on to the service."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        if self._delay_seconds and await client_gone(receive, self._delay_seconds):
            return None
        answer = self._refusal(Headers(scope=scope)) or self._app
        return await answer(scope, receive, send)

    def _refusal(self, headers: Headers) -> Response | None:
        if not self._sign_in.admits(headers):
            return self._sign_in.refusal()
        wait = 0 if self._rate_limit is None else self._rate_limit.retry_after(time.monotonic())
        if wait == 0:
            return None
        return error_reply(429, f"Too many requests; try again in {wait} s.", {"Retry-After": str(wait)})
