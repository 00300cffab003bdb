"""The REST API under load: what an import loses to callers who ask how far it is, and how long a trigger takes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

_TOKEN = "token-of-the-benchmark"
_IMPORT = "/api/v1/wells/import"


def watched_import(url: str, clients: int, seconds_between: float, run: int) -> dict[str, Any]:
    """Import by REST while `clients` each ask for its status every so many seconds, over a connection of their own."""
    with _server(url) as api:
        job_id = api.post(f"{_IMPORT}/trigger").raise_for_status().json()["data"]["job_id"]
        asked = asyncio.run(_watch(str(api.base_url), job_id, clients, seconds_between))
        job = _ended(api, job_id)
        took = job["completed_at"] - job["started_at"]
        waits = sorted(asked)
        slow = waits[int(len(waits) * 0.99)] if waits else 0.0
        return {
            "seconds": took,
            "records": job["batch_result"]["total_items"],
            "asked_a_second": len(asked) / took,
            "slow_ms": 1000 * slow,
        }


def trigger(url: str, run: int) -> dict[str, Any]:
    """Trigger an import by REST, in a server that has triggered one before."""
    with _server(url) as api:
        for _ in range(2):
            began = time.perf_counter()
            job_id = api.post(f"{_IMPORT}/trigger").raise_for_status().json()["data"]["job_id"]
            seconds = time.perf_counter() - began
            job = _ended(api, job_id)
        return {"seconds": seconds, "status": job["status"]}


@contextmanager
def _server(url: str) -> Iterator[httpx.Client]:
    with tempfile.TemporaryDirectory() as home:
        settings = {"HOME": home, "FEED_URL": url, "API_TOKEN": _TOKEN, "PAGE_SIZE": "5000"}
        process = subprocess.Popen(
            [sys.executable, "-m", "wellprod", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **{f"WELLPROD_{name}": value for name, value in settings.items()}},
        )
        with process:
            assert process.stdout
            root = process.stdout.readline().split()[1]
            client = httpx.Client(base_url=root, headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=60)
            with client:
                client.get("/health").raise_for_status()
                yield client
            process.terminate()


def _ended(api: httpx.Client, job_id: str) -> dict[str, Any]:
    while True:
        job: dict[str, Any] = api.get(f"{_IMPORT}/status/{job_id}").raise_for_status().json()["data"]
        if job["status"] not in ("PENDING", "RUNNING"):
            return job
        time.sleep(0.2)


async def _watch(root: str, job_id: str, clients: int, seconds_between: float) -> list[float]:
    """Ask until the job has ended, and give how long each answer took; plain sockets, so that asking costs little."""
    address, done, waits = urlsplit(root), asyncio.Event(), list[float]()
    request = (
        f"GET {_IMPORT}/status/{job_id} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {_TOKEN}\r\n\r\n"
    ).encode()

    async def client(number: int) -> None:
        await asyncio.sleep(seconds_between * number / clients)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while not done.is_set():
            began = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(line for line in head.splitlines() if line.startswith("content-length:"))
            body = await reader.readexactly(int(length.partition(":")[2]))
            waits.append(time.perf_counter() - began)
            if not head.startswith("http/1.1 200"):
                raise SystemExit(f"A status was answered with {head.splitlines()[0]}.")
            if b'"status":"RUNNING"' not in body and b'"status":"PENDING"' not in body:
                done.set()
            await asyncio.sleep(seconds_between)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return waits
