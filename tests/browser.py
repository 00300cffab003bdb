"""A real browser for the tests of pages, and what a visit with it has asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_INSTALL = "apt-get update && apt-get install -y chromium"


def find_browser(tell: Callable[[str], None]) -> str:
    """Give the path of a browser, installed now where that is possible; without one, skip, or fail in CI."""
    if path := _on_path():
        return path
    if os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        tell(f"No browser was found for the tests of the pages; installing one: {_INSTALL}")
        subprocess.run(["sh", "-c", _INSTALL], check=False)
        if path := _on_path():
            return path
    message = f"These tests need a browser ({', '.join(NAMES)}). Install one, for example: {_INSTALL}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _on_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Give a browser for one module, because Playwright leaves an event loop running in this thread meanwhile."""

    def tell(text: str) -> None:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            request.config.pluginmanager.getplugin("terminalreporter").write_line(text)

    path = find_browser(tell)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        yield launched
        launched.close()


class Visitor:
    """One person with a fresh browser, and what the pages asked for."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.off_host: list[str] = []
        self.failed: list[str] = []
        self.errors: list[str] = []
        context.on("request", self._note)
        context.on("requestfailed", lambda request: self.failed.append(f"{request.url}: {request.failure}"))
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def _note(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            self.off_host.append(request.url)

    def open(self, url: str, *, width: int = 1280, height: int = 800) -> Page:
        """Open a tab."""
        page = self.context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.goto(url)
        return page


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Somebody who was never here before."""
    context = browser.new_context()
    yield Visitor(context)
    context.close()


def grave_violations(page: Page) -> list[str]:
    """Give what axe-core finds serious or critical for people with disabilities, each with its first place."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {violation['help']} at {violation['nodes'][0]['target']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]


def scrolls_sideways(page: Page) -> bool:
    """Tell whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))
