"""A Jupyter server as people start it, in a process of its own, for the tests of pages and routes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import nbformat
import pytest

from wellprod.settings import PREFIX, Settings, load_settings

WELLPROD_LAB = ("wellprod", "lab", "--no-browser", "--port", "0", "--")
JUPYTER_LAB = ("jupyterlab", "--no-browser", "--port=0", "--allow-root")
_START_SECONDS = 60.0

Found = TypeVar("Found")


class Lab:
    """A running server: its address, its token, and the workbench behind it."""

    def __init__(self, url: str, token: str, settings: Settings, process: subprocess.Popen[str], log: Path) -> None:
        self.url = url
        self.token = token
        self.settings = settings
        self.process = process
        self.log = log

    def link(self, path: str) -> str:
        """Give an address that signs a browser in."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={self.token}"

    def client(self, *, signed_in: bool = True) -> httpx.Client:
        """Give an HTTP client whose paths are relative to the server's."""
        headers = {"Authorization": f"token {self.token}"} if signed_in else {}
        quick: dict[str, Any] = {"timeout": 60, "trust_env": False, "verify": False}  # certificates take 40 ms to read
        return httpx.Client(base_url=self.url, headers=headers, **quick)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Get one path, signed in by the token."""
        with self.client() as client:
            return client.get(path, **more)

    def kernels(self) -> list[dict[str, Any]]:
        """Give the kernels that run."""
        kernels: list[dict[str, Any]] = self.get("api/kernels").json()
        return kernels


def until(look: Callable[[], Found | None], seconds: float = 60.0, what: str = "what the test waits for") -> Found:
    """Look until something is found, and give it; fail when the time is up."""
    deadline, pause = time.monotonic() + seconds, 0.01
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(pause)
        pause = min(1.2 * pause, 0.05)
    raise AssertionError(f"not within {seconds:g} s: {what}")


@contextmanager
def running_lab(
    folder: Path,
    notebooks: Path,
    *options: str,
    command: tuple[str, ...] = WELLPROD_LAB,
    **environment: str,
) -> Iterator[Lab]:
    """Run a server over `notebooks` with its home in `folder` while the block lasts."""
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    own |= {"JUPYTER_DATA_DIR": str(folder / "jupyter"), f"{PREFIX}HOME": str(folder / "home")}
    own |= {f"{PREFIX}NOTEBOOKS": str(notebooks)}
    own |= {"JUPYTER_PATH": str(Path(__file__).parents[1] / "jupyter")}  # as it is here, before what is installed
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not (name.startswith((PREFIX, "JUPYTER_")) or name.lower().endswith("_proxy"))
    }
    log = folder / "server.log"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", *command, *options],
            cwd=notebooks.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            env={**inherited, **own, **environment},
        ) as process,
    ):
        try:
            info = until(
                lambda: _server_info(Path(own["JUPYTER_RUNTIME_DIR"]), process, log), _START_SECONDS, "a start"
            )
            settings = load_settings(home=folder / "home", notebooks=notebooks)
            yield Lab(info["url"], info["token"], settings, process, log)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _server_info(folder: Path, process: subprocess.Popen[str], log: Path) -> dict[str, Any] | None:
    """Give what the server writes about itself once it listens."""
    if process.poll() is not None:
        raise AssertionError(log.read_text())
    for path in folder.glob("jpserver-*.json"):
        try:
            info: dict[str, Any] = json.loads(path.read_text())
        except json.JSONDecodeError:  # half written
            continue
        return info
    return None


def write_notebook(path: Path, *cells: str, title: str = "") -> None:
    """Write a notebook with a heading and cells, set up as our dashboards are."""
    heading = title or path.stem.capitalize()
    notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
        metadata={
            "title": heading,
            "voila": {"template": "wellprod"},
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        },
        cells=[
            nbformat.v4.new_markdown_cell(f"# {heading}"),  # type: ignore[no-untyped-call]
            *(nbformat.v4.new_code_cell(cell) for cell in cells),  # type: ignore[no-untyped-call]
        ],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


StartLab = Callable[..., Lab]


@pytest.fixture(scope="module")
def start_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartLab]:
    """Start servers that run until the module is done: `start_lab(notebooks, *options, **environment)`."""
    with ExitStack() as stack:

        def start(notebooks: Path, *options: str, **more: Any) -> Lab:
            folder = tmp_path_factory.mktemp("lab")
            return stack.enter_context(running_lab(folder, notebooks, *options, **more))

        yield start
