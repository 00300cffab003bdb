"""The bridge from Jupyter's Tornado to the API, an ASGI app: one process, one event loop, streams both ways."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, unquote_plus
from uuid import uuid4

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.httputil import split_host_and_port, url_concat

from wellprod.server.door import Door, Refusal

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from wellprod.server.api.envelope import Refused

API = "wellprod_api"  # the key of the app in the settings of the server, once it was needed
METRICS = "wellprod_metrics"  # that of what Jupyter's own /metrics gives of ours
_LAST_SECONDS = 5.0  # for answers in flight when the server ends
_GONE: Message = {"type": "http.disconnect"}
_PIECES = 8  # of a body, 64 KB each, that may wait for the app to read them
_SHORT_BYTES = 1_000_000  # of a body that nobody wants, read past so that the answer surely arrives
_FORM_BYTES = 1_000_000  # what a form adds to a file
_BODILESS = (204, 304)
_JUPYTERS_OWN = ("token", "_xsrf")  # of a query: they sign in, and no app is to see or to log them
_CODES = {403: "FORBIDDEN", 405: "METHOD_NOT_ALLOWED", 500: "INTERNAL_ERROR", 503: "NOT_CONFIGURED"}
_WRITES_BY_GET = re.compile(r"/import/(run|trigger)/?$")
_NOT_NOW = Refusal(503, "The API does not work at present.", "Sign in to see why, or tell whoever runs the server.")

_in_flight: set[asyncio.Task[None]] = set()


async def finish_answers(api: FastAPI | None) -> None:
    """Tell those who wait for a job that it goes on without them; let answers in flight end, then break them off.

    What is left of them would keep the process alive: threads of anyio end with the task that they work for.
    """
    if api:
        api.state.desk.board.closing.set()
    for _ in range(2):
        if _in_flight:
            _, left = await asyncio.wait(_in_flight, timeout=_LAST_SECONDS)
            for answering in left:
                answering.cancel()


def _is_known(scope: Scope) -> bool:
    return bool(scope["state"]["signed_in"])


class _Body:
    """The body of a request on its way to the app, a few pieces at a time: a slow reader slows the sender."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()  # the app has asked for it, or never will
        self.over = asyncio.Event()  # the answer is complete, or the client is gone
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_PIECES)

    async def put(self, piece: bytes, *, more: bool) -> None:
        """Hand on a piece once there is room for it."""
        if not self.over.is_set():
            await self._messages.put({"type": "http.request", "body": piece, "more_body": more})

    async def receive(self) -> Message:
        """Give the app the next piece, and word of the end ever after."""
        self.wanted.set()
        message = _GONE if self.over.is_set() else await self._messages.get()
        if not self.over.is_set():
            return message
        self._tell()
        return _GONE

    def end(self) -> None:
        """Wake whoever waits for a piece or for room."""
        self.over.set()
        self.wanted.set()
        self._tell()

    def _tell(self) -> None:
        while not self._messages.empty():
            self._messages.get_nowait()
        self._messages.put_nowait(_GONE)


@web.stream_request_body
class ApiDoor(Door):
    """All routes of the API. Jupyter says who is signed in; the app decides what that opens."""

    def initialize(self, name: str) -> None:
        """Begin with nothing received and nothing sent; take the query out of the address, which is logged."""
        super().initialize(name)
        self._query, self.request.uri = self.request.query, self.request.path
        self._body = _Body()
        self._gone: asyncio.Future[None] = asyncio.Future()
        self._start: Message | None = None
        self._begun = self._closing = False
        self._past_bytes = 0
        length = self.request.headers.get("Content-Length", "0")
        self._is_odd = not re.fullmatch("[0-9]{1,18}", length)
        is_counted = not self._is_odd and "Transfer-Encoding" not in self.request.headers
        self._left_bytes = int(length) if is_counted else None

    async def app(self) -> ASGIApp:
        """Give the app that answers; the first request makes it, so that the server need not wait for it to start.

        Raises
        ------
        Refusal
            A setting is not allowed.
        """
        if API not in self.settings:
            workbench = self.workbench
            api = await asyncio.to_thread(import_module, "wellprod.server.api")  # it takes most of a second
            if API not in self.settings:
                self.settings[API] = api.create_api(workbench, _is_known, self.settings[METRICS])
        made: FastAPI = self.settings[API]
        return made

    # The request

    async def prepare(self) -> None:  # type: ignore[override]
        """Know the caller, and start the app."""
        signed_in = False
        try:
            await JupyterHandler.prepare(self)
            if self._is_odd:
                raise Refusal(400, "The Content-Length is no number.", "Send the size of the body, in bytes.")
            signed_in = await self._is_signed_in()
            if not signed_in and self._is_person:
                self.set_header("Connection", "close")  # as Tornado does with an answer that comes this early
                self.redirect(url_concat(self.get_login_url(), {"next": self.request.path}))
                return
            app = await self.app()
            limit = self.workbench.upload_limit_mb * 1_000_000 + _FORM_BYTES
            # A length beyond the limit is for the app to refuse, since it has words for it.
            self._connection.set_max_body_size(max(limit, self._left_bytes or 0))
        except web.HTTPError as error:
            app = _refusal(error if signed_in or error.status_code != 503 else _NOT_NOW)
        answering = asyncio.create_task(self._run(app, self._scope(signed_in)))
        _in_flight.add(answering)
        answering.add_done_callback(_in_flight.discard)
        if self._is_asking_first:
            await self._body.wanted.wait()

    async def data_received(self, chunk: bytes) -> None:
        """Hand a piece on; what comes after the answer is read past, up to a limit."""
        if self._left_bytes is not None:
            self._left_bytes -= len(chunk)
        await self._body.put(chunk, more=True)
        if self._body.over.is_set():
            self._past_bytes += len(chunk)
            if self._past_bytes > _SHORT_BYTES and not self._finished:
                self.finish()

    @allow_unauthenticated
    async def _respond(self, *path: str) -> None:
        """Wait for the answer, now that the request is here whole."""
        self._left_bytes = 0
        await self._body.put(b"", more=False)
        await self._body.over.wait()

    get = head = post = put = delete = patch = options = _respond

    def on_connection_close(self) -> None:
        """Tell the app that the client is gone."""
        if not self._gone.done():
            self._gone.set_result(None)
        self._body.end()
        super().on_connection_close()

    def set_cors_headers(self) -> None:
        """Leave it to the app which other origins may read, as under `wellprod serve`."""

    def check_xsrf_cookie(self) -> None:
        """Let Jupyter judge whoever is signed in; anybody else is for the app to refuse."""
        if not getattr(self, "_jupyter_current_user", None):
            return
        try:
            super().check_xsrf_cookie()
        except web.HTTPError:
            raise Refusal(
                403,
                "This request could come from another site: the login alone does not allow it.",
                "Send the value of the cookie _xsrf as the header X-XSRFToken, or send Authorization: token TOKEN.",
            ) from None

    async def _is_signed_in(self) -> bool:
        """Tell whether Jupyter knows the caller and lets them do this; an import begun by GET counts as a write."""
        user, method = self.current_user, str(self.request.method)
        action = HTTP_METHOD_TO_AUTH_ACTION[method]
        if action == "read" and _WRITES_BY_GET.search(unquote(self.request.path)):
            action = "write"
            if self.request.headers.get("Sec-Fetch-Site") not in ("same-origin", "none"):
                self.check_xsrf_cookie()
        return bool(user and await ensure_async(self.authorizer.is_authorized(self, user, action, self.auth_resource)))

    @property
    def _is_person(self) -> bool:
        """Whether somebody opens the documentation in a browser, where a login page helps more than an error."""
        wants_page = "text/html" in self.request.headers.get("Accept", "")
        return self.request.method == "GET" and wants_page and self.request.path.endswith("/docs")

    @property
    def _is_asking_first(self) -> bool:
        """Whether the client waits for a word before it sends the body."""
        return self.request.headers.get("Expect", "").lower() == "100-continue"

    @property
    def _connection(self) -> HTTP1Connection:
        return cast(HTTP1Connection, self.request.connection)

    def _scope(self, signed_in: bool) -> Scope:
        request = self.request
        parts = [part for part in self._query.split("&") if unquote_plus(part.partition("=")[0]) not in _JUPYTERS_OWN]
        host, port = split_host_and_port(request.host)
        address = getattr(self._connection.context, "address", None)
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.version.removeprefix("HTTP/"),
            "method": request.method,
            "scheme": request.protocol,
            "path": unquote(request.path),
            "raw_path": request.path.encode("latin-1"),
            "query_string": "&".join(parts).encode("latin-1"),
            "root_path": unquote(self.base_url).rstrip("/"),
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.get_all()
            ],
            "client": (request.remote_ip, address[1] if isinstance(address, tuple) else 0),
            "server": (host, port or (443 if request.protocol == "https" else 80)),
            "state": {"signed_in": signed_in},
        }

    # The answer

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._body.receive, self._send)
            if not self._body.over.is_set():
                raise RuntimeError("The API has ended without an answer.")
        except Exception as error:
            if self._gone.done():
                self.log.debug("wellprod: the client has gone", exc_info=True)
                return
            self.log.exception("wellprod: the API has failed")
            if not self._begun:
                await _refusal(error)(scope, self._body.receive, self._send)
        finally:
            if not self._body.over.is_set():
                self._connection.stream.close()  # half an answer is not to pass for a whole one
            self._body.end()

    async def _send(self, message: Message) -> None:
        """Send what the app answers, as fast as the client takes it."""
        if self._body.over.is_set():
            return
        if message["type"] == "http.response.start":
            self._start = message
            return
        if not self._begun:
            self._begin()
        if self.get_status() not in _BODILESS:
            self.write(bytes(message.get("body", b"")))
        # Where a connection breaks while its body arrives, Tornado forgets who waits for a write.
        await asyncio.wait((self.flush(), self._gone), return_when=asyncio.FIRST_COMPLETED)
        if not message.get("more_body", False):
            self._body.end()
            if self._closing and not self._finished:
                self.finish()

    def _begin(self) -> None:
        """Take over status and headers; of Jupyter's own stay its cookies and what guards a browser."""
        if self._start is None:
            raise RuntimeError("The API has sent a body before its status.")
        self._begun = True
        self.set_status(self._start["status"])
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._start["headers"]]
        for name in ("Server", "Content-Type", *(name for name, _ in headers)):
            self.clear_header(name)
        for name, value in headers:
            self.add_header(name, value)
        if self.get_status() == 401:
            self.set_header("WWW-Authenticate", "Bearer")  # a browser's own window for passwords leads nowhere here
        is_long = self._left_bytes is not None and self._left_bytes > _SHORT_BYTES
        if is_long or (self._is_asking_first and not self._body.wanted.is_set()):
            self._closing = True
            self.set_header("Connection", "close")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Refuse what does not even get as far as `prepare`."""
        from wellprod.server.api.envelope import refused

        answer = refused({}, _refused(kwargs.get("exc_info", (None, web.HTTPError(status_code)))[1]))
        self.set_header("Content-Type", "application/json")
        self.finish(bytes(answer.body))


def _refusal(error: Exception) -> ASGIApp:
    """Give an app that answers nothing but this, in the envelope of the API."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        from wellprod.server.api.envelope import refused

        scope["state"]["request_id"] = uuid4().hex
        await refused(scope, _refused(error))(scope, receive, send)

    return answer


def _refused(error: Exception) -> Refused:
    from wellprod.server.api.envelope import Refused

    status = error.status_code if isinstance(error, web.HTTPError) else 500
    message = error.message if isinstance(error, Refusal) else f"{HTTPStatus(status).phrase}."
    return Refused(status, _CODES.get(status, "HTTP_ERROR"), message, getattr(error, "next", ""))
