"""A feed that costs next to nothing: all pages lie in memory, as bytes, in a process of their own."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from wellprod.demo import generate_wells

PAGE_RECORDS = 5000
_MONTHS = 240
_HEADERS = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"


class _Pages:
    """Pages without their end, which depends on how many records are asked for."""

    def __init__(self, records: int, page_records: int, root: str) -> None:
        self.root, self.page_records = root, page_records
        frame = generate_wells(wells=records // (_MONTHS // 2), months=_MONTHS, seed=1, last_month=date(2024, 12, 1))
        if frame.height < records:
            raise SystemExit(f"There are {frame.height:,} records, too few for {records:,}.")
        parts = frame.head(records).iter_slices(page_records)
        self.bodies = [part.write_ndjson().strip().replace("\n", ",").encode() for part in parts]

    def reply(self, path: str) -> list[bytes]:
        """Give the reply to `/{records}/WellProduction?page={number}`, or to one with `$skip`, in pieces."""
        if path.endswith("$metadata"):
            return [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
        records = int(path.split("/")[1])
        skip = re.search(r"\$skip=(\d+)", path)
        number = int(skip[1]) // self.page_records if skip else int(path.partition("page=")[2] or 0)
        first = b'{"@odata.context":"%s/$metadata#WellProduction",' % self.root.encode()
        count = b'"@odata.count":%d,' % records if skip or number == 0 else b""
        last = skip or (number + 1) * self.page_records >= records
        link = f',"@odata.nextLink":"{self.root}/{records}/WellProduction?page={number + 1}"'
        body = self.bodies[number] if number * self.page_records < records else b""
        pieces = [first, count, b'"value":[', body, b"]", b"" if last else link.encode(), b"}"]
        return [_HEADERS.format(sum(map(len, pieces))).encode(), *pieces]


async def _serve(records: int, page_records: int, delay_seconds: float) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(pages, delay_seconds, reader, writer)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pages = _Pages(records, page_records, root)
    print(root, flush=True)
    await server.serve_forever()


async def _answer(
    pages: _Pages, delay_seconds: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(delay_seconds)
            writer.writelines(pages.reply(head.split(b" ", 2)[1].decode()))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@contextmanager
def feed(records: int, page_records: int = PAGE_RECORDS, delay_seconds: float = 0.0) -> Iterator[str]:
    """Serve `records` generated records in a process of its own; give the root that `/{records}/` comes after."""
    command = [sys.executable, "-m", "benchmarks.feed", str(records), str(page_records), str(delay_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
