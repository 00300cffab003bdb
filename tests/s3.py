"""A real S3 service on this machine, and a wire to it that can be held or cut, for the tests of the target."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import boto3
import httpx

from .lab import until

BUCKET = "exports-of-wells"
_PIECE = 65_536


@contextmanager
def running_s3(**environment: str) -> Iterator[str]:
    """Run a service with an empty bucket in a process of its own, and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, **environment}, **quiet) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: process.poll() is not None or _answers(url), 60, "a start of the S3 service")
            client(url).create_bucket(Bucket=BUCKET)
            yield url
        finally:
            process.kill()


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/moto-api/", trust_env=False, verify=False).status_code < 500
    return False


@cache
def client(url: str) -> Any:
    """Give a client of the service, for what a test looks at or prepares; the SDK takes long to make one."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return boto3.session.Session().client("s3", endpoint_url=url, **keys)


def objects(url: str) -> list[str]:
    """Give the keys of all objects."""
    return [found["Key"] for found in client(url).list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def unfinished(url: str) -> list[str]:
    """Give the keys of the uploads that were begun and not ended."""
    return [found["Key"] for found in client(url).list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())]


def emptied(url: str) -> None:
    """Delete all objects, and the uploads that were begun and not ended."""
    service = client(url)
    for key in objects(url):
        service.delete_object(Bucket=BUCKET, Key=key)
    for found in service.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()):
        service.abort_multipart_upload(Bucket=BUCKET, Key=found["Key"], UploadId=found["UploadId"])


class Wire:
    """A connection to a service that passes everything on, until it is held or cut."""

    def __init__(self, url: str, *, hold_at: bytes = b"", pieces: int = 0) -> None:
        self.target = url.rpartition("/")[2]
        self.hold_at, self.pieces = hold_at, pieces
        self.held, self.released, self.is_cut = threading.Event(), threading.Event(), False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()

    @contextmanager
    def running(self) -> Iterator[str]:
        """Give the address of this end while the block lasts."""
        wire = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                wire.carry(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        with Server(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                self.cut()
                server.shutdown()
                thread.join()

    def carry(self, near: socket.socket) -> None:
        """Pass on what comes from either end; hold what follows the pieces after the words it is to be held at."""
        if self.is_cut:
            return
        host, _, port = self.target.partition(":")
        with suppress(OSError), socket.create_connection((host, int(port))) as far:
            with self._lock:
                self._sockets |= {near, far}
            back = threading.Thread(target=self._pass, args=(far, near, False), daemon=True)
            back.start()
            self._pass(near, far, True)
            back.join()

    def _pass(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                if is_request and self.hold_at and self.hold_at in piece:
                    self.pieces -= 1
                    if self.pieces < 0 and not self.released.is_set():
                        self.held.set()
                        self.released.wait(60)
                if self.is_cut:
                    break
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Break all connections off, and take no more."""
        self.is_cut = True
        self.released.set()
        with self._lock:
            for end in self._sockets:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
