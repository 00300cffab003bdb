"""The REST API as people start it, `wellprod serve` in a process of its own, for the tests of its routes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.lab import until
from wellprod.settings import PREFIX, Settings, load_settings

TOKEN = "token-of-the-tests"


class Api:
    """A running server: its address, and the workbench behind it."""

    def __init__(self, url: str, settings: Settings, process: subprocess.Popen[str], log: Path) -> None:
        self.url = url
        self.settings = settings
        self.process = process
        self.log = log

    def client(self, *, token: str | None = TOKEN) -> httpx.Client:
        """Give an HTTP client whose paths are relative to the server's."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        quick: dict[str, Any] = {"timeout": 60, "trust_env": False, "verify": False}  # certificates take 40 ms to read
        return httpx.Client(base_url=self.url, headers=headers, **quick)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Get one path, signed in."""
        with self.client() as client:
            return client.get(path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """Post to one path, signed in."""
        with self.client() as client:
            return client.post(path, **more)

    def data(self, path: str, **more: Any) -> Any:
        """Get one path, signed in, and give the data of its answer."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


@contextmanager
def running_api(home: Path, *options: str, **environment: str) -> Iterator[Api]:
    """Run a server over `home` while the block lasts; `environment` has settings, such as ``feed_url``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {f"{PREFIX}{name.upper()}": value for name, value in {"api_token": TOKEN, **environment}.items()}
    given |= {f"{PREFIX}HOME": str(home), f"{PREFIX}FEED_RETRY_SECONDS": "0.01"}
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "wellprod", "serve", "--port", "0", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**inherited, **given},
        ) as process,
    ):
        try:
            assert process.stdout
            url = process.stdout.readline().removeprefix("API").strip()
            assert url, log.read_text()
            until(lambda: _answers(url), what="a server that answers")
            yield Api(url, load_settings(home=home), process, log)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", trust_env=False, verify=False).status_code == 200
    except httpx.TransportError:
        return False


StartApi = Callable[..., Api]


@pytest.fixture(scope="module")
def start_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartApi]:
    """Start servers that run until the module is done: `start_api(*options, home=None, **settings)`."""
    with ExitStack() as stack:

        def start(*options: str, home: Path | None = None, **settings: str) -> Api:
            return stack.enter_context(running_api(home or tmp_path_factory.mktemp("api"), *options, **settings))

        yield start
