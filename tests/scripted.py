"""A feed that answers as a test says, over real HTTP: for replies that no sound service gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.lab import until


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    path: str
    options: dict[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer; text is sent as JSON, anything else is made JSON."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def scripted_feed(
    answer: Callable[[Asked], Reply], metadata: Callable[[], Reply] = lambda: Reply("", 404)
) -> Iterator[tuple[str, list[Asked]]]:
    """Serve `answer` and give the address of the service and the list of what it is asked, its `$metadata` apart."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            options = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            request = Asked(parts.path, options, {name.lower(): value for name, value in self.headers.items()})
            is_metadata = parts.path.endswith("$metadata")
            if not is_metadata:
                asked.append(request)
            reply = metadata() if is_metadata else answer(request)
            body = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **reply.headers}
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    with serving(Handler) as address:
        yield f"http://{address}", asked


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve what `handler` answers on a free port of this machine, and give its host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class PagedFeed:
    """A feed of `pages` pages with `size` records each, that gives page `held` and those after it on release."""

    def __init__(
        self, pages: int, size: int = 2, *, held: int | None = None, seconds: float = 0.0, key: str = ""
    ) -> None:
        self.pages, self.size, self.held, self.seconds, self.key = pages, size, held, seconds, key
        self.released = threading.Event()
        self.url = ""
        self.asked: list[Asked] = []

    @property
    def wells(self) -> list[int]:
        """The wells of all pages."""
        return list(range(self.pages * self.size))

    def answer(self, asked: Asked) -> Reply:
        """Give one page, later ones by next links."""
        page = int(asked.options.get("p", 1))
        if self.key and asked.options.get("key") != self.key:
            return Reply("", 401)
        if self.held and page >= self.held:
            self.released.wait(60)
        threading.Event().wait(self.seconds)
        key = f"key={self.key}&" if self.key else ""
        link = {"@odata.nextLink": f"Wells?{key}p={page + 1}"} if page < self.pages else {}
        rows = [record(well) for well in range((page - 1) * self.size, page * self.size)]
        return Reply({"@odata.count": len(self.wells), "value": rows, **link})

    @contextmanager
    def serving(self) -> Iterator[PagedFeed]:
        """Serve it while the block lasts."""
        with scripted_feed(self.answer) as (url, self.asked):
            self.url = f"{url}/Wells" + (f"?key={self.key}" if self.key else "")
            try:
                yield self
            finally:
                self.released.set()

    def wait_for_page(self, page: int) -> None:
        """Wait until somebody has asked for `page`."""
        until(lambda: any(asked.options.get("p") == str(page) for asked in self.asked))


def record(well: int, month: str = "2024-01", **changes: Any) -> dict[str, Any]:
    """Give one record in the shape of the ANP wells."""
    return {
        "field_code": 1,
        "_field_name": "Field",
        "well_code": well,
        "_well_reference": f"W-{well}",
        "well_name": f"Well {well}",
        "production_period": f"{month}-01T00:00:00+00:00",
        "days_on_production": 30.0,
        "oil_production_kbd": 1.5,
        "gas_production_mmcfd": 2.5,
        "liquids_production_kbd": 1.75,
        "water_production_kbd": 0.5,
        "data_source": "test",
        "source_data": "made up",
        "partition_0": "latest",
        **changes,
    }
