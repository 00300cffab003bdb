"""A proxy between the client and a feed that spoils answers: which ones is said page by page, never left to chance."""

from __future__ import annotations

import base64
import gzip
import http.client
import re
import socket
import socketserver
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

KINDS = (
    "no-answer",  # the connection closes before the head
    "cut-head",
    "cut-body",  # Content-Length promised it whole
    "cut-chunks",  # chunked, without the last chunk
    "stall",  # not one byte until the client goes away
    "stall-body",  # half of the body, and then nothing
    "drip",  # byte by byte, too slowly
    "throttle",  # small pieces, whole: no fault
    "garbled-head",
    "garbled-gzip",  # one byte of the compressed body, which its CRC tells
    "control-byte",  # in the body: no JSON has one
    "odd-byte",  # in the body: no UTF-8 has one
    "half-json",  # with a Content-Length in accord with it
    "empty",
    "500",
    "502",
    "503",
    "408",
    "429-seconds",
    "429-date",
    "429-nonsense",
    "503-seconds",
    "503-date",
    "html",  # a sign-in page with status 200
    "error-object",  # an OData error with status 200
    "redirect-dead",  # to where nobody listens
    "redirect-circle",
    "redirect-here",  # to this feed by another name: no fault
    "401",
    "404",
    "410",
)
SLOW = ("stall", "stall-body", "drip")
_KEPT = ("Content-Type", "Content-Encoding")
_PIECE = 700
_DRIP_SECONDS = 0.02


@dataclass(frozen=True)
class Trouble:
    """One answer that is spoiled: for which page, from 0 (-1 is `$metadata`), how, and at which share of the text."""

    page: int
    kind: str
    share: float = 0.5


class Proxy:
    """Passes requests on to the feed at `url`, and spoils answers as `troubles` say, each once, in their order."""

    def __init__(self, url: str) -> None:
        self.feed = urlsplit(url)
        self.url = ""
        self.page_size = 1
        self.asked: list[str] = []
        self._troubles: dict[int, list[Trouble]] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._port = 0

    def plan(self, troubles: Iterable[Trouble], page_size: int) -> None:
        """Spoil these answers from now on; `page_size` tells which page a request is for."""
        planned = defaultdict(list)
        for trouble in troubles:
            planned[trouble.page].append(trouble)
        self._troubles, self.page_size = planned, page_size
        self.asked.clear()

    @property
    def left(self) -> int:
        """How many troubles are to come."""
        return sum(map(len, self._troubles.values()))

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """Listen while the block lasts."""
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    while (head := proxy._head_of(self.rfile)) and proxy._answer(head, self.connection):
                        pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        with Server(("127.0.0.1", 0), Handler) as server:
            self._port = server.server_address[1]
            self.url = self.feed._replace(netloc=f"127.0.0.1:{self._port}").geturl()
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self._ended.set()
                server.shutdown()
                thread.join()

    def _head_of(self, lines: Iterable[bytes]) -> list[str]:
        head = []
        for line in lines:
            if not line.strip():
                break
            head.append(line.decode("latin-1").strip())
        return head

    def _answer(self, head: list[str], client: socket.socket) -> bool:
        """Answer one request; False when the connection is at its end."""
        path = head[0].split(" ")[1]
        with self._lock:
            self.asked.append(path)
            due = self._troubles.get(self._page_of(path))
            trouble = due.pop(0) if due else None
        headers = dict(line.split(": ", 1) for line in head[1:])
        if trouble is None:
            return self._send(client, self._right(path, headers))
        return self._spoil(trouble, path, headers, client)

    def _page_of(self, path: str) -> int:
        if path.endswith("$metadata"):
            return -1
        query = unquote(urlsplit(path).query)
        skip = re.search(r"\$skip=(\d+)", query)
        token = re.search(r"\$skiptoken=([\w-]+)", query)
        given = base64.urlsafe_b64decode(token[1] + "=" * (-len(token[1]) % 4)).decode() if token else "0"
        return (int(skip[1] if skip else 0) + int(given.partition(".")[0])) // self.page_size

    def _right(self, path: str, headers: dict[str, str]) -> bytes:
        """Give the whole answer of the feed, with its Content-Length."""
        connection = http.client.HTTPConnection(self.feed.netloc, timeout=30)
        connection.request("GET", path, headers={**headers, "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        kept = {
            name: value for name, value in answer.getheaders() if name.lower() in ("content-type", "content-encoding")
        }
        return _reply(answer.status, body, **kept)

    def _spoil(self, trouble: Trouble, path: str, headers: dict[str, str], client: socket.socket) -> bool:
        kind, share = trouble.kind, trouble.share
        if kind in ("no-answer", "stall"):
            return kind == "stall" and self._wait_for_end(client)
        if kind[:3].isdigit():
            return self._send(client, _refusal(kind))
        if kind.startswith("redirect"):
            host = {"dead": "127.0.0.1:1", "circle": headers["Host"], "here": f"localhost:{self._port}"}[kind[9:]]
            if kind == "redirect-circle":
                self._troubles[trouble.page][:0] = [trouble] * 5 if path not in self.asked[-6:-1] else []
            return self._send(client, _reply(307, b"", Location=f"http://{host}{path}"))
        if kind == "html":
            return self._send(
                client, _reply(200, b"<!doctype html><form>Sign in</form>", **{"Content-Type": "text/html"})
            )
        if kind == "error-object":
            return self._send(client, _reply(200, b'{"error":{"code":"x","message":"on purpose"}}'))
        if kind == "garbled-gzip":
            headers = {**headers, "Accept-Encoding": "gzip"}
        elif kind in ("control-byte", "odd-byte", "half-json", "cut-chunks"):
            headers = {**headers, "Accept-Encoding": "identity"}
        head, _, body = self._right(path, headers).partition(b"\r\n\r\n")
        whole = head + b"\r\n\r\n" + body
        at = int(share * (len(body) - 1))
        match kind:
            case "cut-head":
                return self._send(client, head[: max(1, int(share * len(head)))], last=True)
            case "cut-body":
                return self._send(client, whole[: len(head) + 4 + at], last=True)
            case "cut-chunks":
                chunked = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                return self._send(client, chunked + b"%x\r\n%s\r\n" % (at + 1, body[: at + 1]), last=True)
            case "stall-body":
                self._send(client, whole[: len(head) + 4 + at])
                return self._wait_for_end(client)
            case "drip":
                return self._drip(client, whole)
            case "throttle":
                return all(self._send(client, whole[n : n + _PIECE]) for n in range(0, len(whole), _PIECE))
            case "garbled-head":
                return self._send(client, b"\x00HTP" + whole[3:], last=True)
            case "garbled-gzip":
                if b"gzip" not in head.lower():
                    body = gzip.compress(body)
                at = 10 + int(
                    share * (len(body) - 11)
                )  # behind the head of gzip, which may differ in nothing that counts
                spoiled = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
                return self._send(client, _reply(200, spoiled, **{"Content-Encoding": "gzip"}))
            case "control-byte" | "odd-byte":
                byte = b"\x01" if kind == "control-byte" else b"\xff"
                return self._send(client, _reply(200, body[:at] + byte + body[at + 1 :]))
            case "half-json":
                return self._send(client, _reply(200, body[:at]))
            case "empty":
                return self._send(client, _reply(200, b""))
        raise AssertionError(kind)

    def _send(self, client: socket.socket, text: bytes, *, last: bool = False) -> bool:
        client.sendall(text)
        return not last

    def _drip(self, client: socket.socket, text: bytes) -> bool:
        for n in range(len(text)):
            client.sendall(text[n : n + 1])
            if self._ended.wait(_DRIP_SECONDS):
                break
        return False

    def _wait_for_end(self, client: socket.socket) -> bool:
        """Wait until the client has gone away."""
        client.settimeout(0.1)
        while not self._ended.is_set():
            with suppress(TimeoutError):
                if not client.recv(1024):
                    break
        return False


def _reply(status: int, body: bytes, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {http.client.responses[status]}"]
    lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **headers}.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def _refusal(kind: str) -> bytes:
    status, _, form = kind.partition("-")
    forms = {"seconds": "1", "date": format_datetime(datetime.now(UTC), usegmt=True), "nonsense": "tomorrow"}
    return _reply(int(status), b"", **({"Retry-After": forms[form]} if form else {}))
