"""What every request passes: an id, a look at who asks and how much, and a line in the log when it is answered."""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Callable
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wellprod.log import get_logger
from wellprod.metrics import HttpMetrics
from wellprod.server.api.envelope import Refused, refused, route_path

SignIn = Callable[[Scope], bool]
"""Tells whether a request comes from somebody who may ask."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LONGEST_QUERY = 60_000  # an address of more than 65,535 bytes does not get past the parser of the server
_LONGEST_BODY = 1_000_000
_UPLOAD = "/api/v1/wells/import"  # which counts its own bytes, against a limit of its own
_LIVENESS = "/health/live"
_FILE = re.compile(r"/api/v1/exports/[^/]+/file")
_PAPERS = re.compile(r"/docs(/.*)?|/openapi\.json")
_UNFORESEEN = Refused(
    500,
    "INTERNAL_ERROR",
    "Something went wrong that was not foreseen.",
    "Report it with the request id; the log says more.",
)


class Gate:
    """The middleware that each request passes before any route.

    Parameters
    ----------
    app
        What is behind it.
    sign_in
        Tells who may ask; liveness and signed links are open to all.
    metrics
        Told of each request that was answered.
    """

    def __init__(self, app: ASGIApp, sign_in: SignIn, metrics: HttpMetrics) -> None:
        self.app = app
        self.sign_in = sign_in
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(raw=message.setdefault("headers", []))
                answer["X-Request-ID"] = request_id
                answer["Server-Timing"] = f"total;dur={1000 * (time.perf_counter() - began):.1f}"
                answer.setdefault("Cache-Control", "no-store")
                answer.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                self._check(scope, headers)
                has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
                if has_body and route_path(scope) != _UPLOAD:
                    receive = await _whole_body(receive)
                await self.app(scope, receive, sending)
            except Refused as refusal:
                await refused(scope, refusal)(scope, receive, sending)
            except Exception as error:
                get_logger().error("request_failed", error=f"{type(error).__name__}: {error}", exc_info=error)
                if status:  # half an answer is not to pass for a whole one
                    raise
                await refused(scope, _UNFORESEEN)(scope, receive, sending)
            finally:
                method, seconds = scope["method"], time.perf_counter() - began
                self.metrics.observe(method, getattr(scope.get("route"), "path_format", None), status, seconds)
                path = scope["raw_path"].decode("latin-1")  # as it came, so that it stays one line
                get_logger().info("request", method=method, path=path, status=status, seconds=round(seconds, 4))

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Let a request pass, or refuse it.

        Raises
        ------
        Refused
            Nobody has signed in, or it is too long.
        """
        path = route_path(scope)
        scope["state"]["signed_in"] = signed_in = self.sign_in(scope)
        signed_link = bool(_FILE.fullmatch(path)) and b"signature=" in scope["query_string"]
        if not (signed_in or signed_link or path == _LIVENESS):
            raise Refused(
                401,
                "UNAUTHORIZED",
                "You are not signed in.",
                "Send the header Authorization: Bearer TOKEN, with the token that the server was started with.",
                headers={"WWW-Authenticate": 'Basic realm="wellprod"' if _PAPERS.fullmatch(path) else "Bearer"},
            )
        if len(scope["query_string"]) > _LONGEST_QUERY:
            raise Refused(
                414, "TOO_LARGE", f"The query is longer than {_LONGEST_QUERY:,} bytes.", "Ask for less at a time."
            )
        length = headers.get("content-length", "0")
        if path != _UPLOAD and length.isdigit() and int(length) > _LONGEST_BODY:
            raise _too_long(int(length))


async def _whole_body(receive: Receive) -> Receive:
    """Take the whole body, up to the limit, and give what hands it on.

    Raises
    ------
    Refused
        It is longer.
    """
    body = b""
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        if len(body) > _LONGEST_BODY:
            raise _too_long(len(body))
    messages = [message if message["type"] != "http.request" else {"type": "http.request", "body": body}]

    async def handing_on() -> Message:
        return messages.pop() if messages else await receive()

    return handing_on


def _too_long(length: int) -> Refused:
    return Refused(
        413,
        "TOO_LARGE",
        f"The body has {length:,} bytes or more; up to {_LONGEST_BODY:,} are taken here.",
        "Files of records go to POST /api/v1/wells/import.",
        headers={"Connection": "close"},
    )


def bearer(token: str) -> SignIn:
    """Let in who sends the token: as a bearer, or, for the documentation in a browser, as the password of any user."""
    expected = hmac.digest(b"wellprod", token.encode(), "sha256")

    def is_signed_in(scope: Scope) -> bool:
        scheme, _, sent = Headers(scope=scope).get("authorization", "").partition(" ")
        given = sent.strip()
        if scheme.lower() == "basic" and _PAPERS.fullmatch(route_path(scope)):
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except ValueError:
                return False
        elif scheme.lower() != "bearer":
            return False
        # of equal length, whatever is sent, so that the time tells nothing
        return hmac.compare_digest(hmac.digest(b"wellprod", given.encode("utf-8", "replace"), "sha256"), expected)

    return is_signed_in
