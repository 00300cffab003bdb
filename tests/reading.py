"""Reading a feed of wells with the client alone, without a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

import polars as pl

from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import Content, FailedPage, Page, Place, read_content
from wellprod.settings import Settings

from .scripted import Asked, Reply, record

ORDER = ("field_code", "well_code", "production_period")


def read(body: bytes) -> Content:
    """Read the well codes of a page."""
    return read_content(body, ("well_code",))


def frame(count: int) -> pl.DataFrame:
    """Give `count` records, one a well."""
    return pl.DataFrame([record(number) for number in range(count)], infer_schema_length=None)


def wells_of(pages: Sequence[Page | FailedPage]) -> list[int]:
    """Give the well codes of all pages that came, in order."""
    return [int(code) for page in pages if isinstance(page, Page) for code in page.rows["well_code"]]


def read_all(url: str, settings: Settings, paging: str = "server", **options: Any) -> tuple[list[int], ODataFeed]:
    """Read a feed to its end and give the well codes in the order they came."""
    feed = ODataFeed(url, settings, **options)
    try:
        pages = feed.windows(read, Place(), ORDER) if paging == "skip" else feed.pages(read, Place())
        return wells_of(list(pages)), feed
    finally:
        feed.close()


def tuned(settings: Settings, **changes: Any) -> Settings:
    """Give the settings with some changed."""
    return settings.model_copy(update=changes)


def wells(*codes: int) -> list[dict[str, Any]]:
    """Give a record a well."""
    return [record(code) for code in codes]


def two_pages(link: Callable[[str], str] | str, **first: Any) -> Callable[[Asked], Reply]:
    """Give a feed of two pages with one record each, the second behind `link`."""

    def answer(asked: Asked) -> Reply:
        if "p" in asked.options or asked.path.endswith("/2"):
            return Reply({"value": wells(2)})
        host = asked.headers["host"]
        return Reply({"value": wells(1), "@odata.nextLink": link(host) if callable(link) else link, **first})

    return answer


class Answering(BaseHTTPRequestHandler):
    """Answers over HTTP/1.1 as a test says, without a log."""

    protocol_version = "HTTP/1.1"

    def reply(self, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer; a header that is given stands for the usual one."""
        self.send_response(200)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""
