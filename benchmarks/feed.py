"""A feed that costs next to nothing: all pages lie in memory, as bytes, in a process of their own."""

from __future__ import annotations

import asyncio
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

    def __init__(self, records: int, root: str) -> None:
        self.root = root
        frame = generate_wells(wells=records // (_MONTHS // 2), months=_MONTHS, seed=1, last_month=date(2024, 12, 1))
        if frame.height < records:
            raise SystemExit(f"There are {frame.height:,} records, too few for {records:,}.")
        parts = frame.head(records).iter_slices(PAGE_RECORDS)
        self.bodies = [part.write_ndjson().strip().replace("\n", ",").encode() for part in parts]

    def reply(self, path: str) -> list[bytes]:
        """Give the reply to `/{records}/WellProduction?page={number}` in pieces."""
        number = int(path.partition("page=")[2] or 0)
        records = int(path.split("/")[1])
        first = b'{"@odata.context":"%s/$metadata#WellProduction",' % self.root.encode()
        count = b'"@odata.count":%d,' % records if number == 0 else b""
        last = (number + 1) * PAGE_RECORDS >= records
        link = f',"@odata.nextLink":"{self.root}/{records}/WellProduction?page={number + 1}"'
        pieces = [first, count, b'"value":[', self.bodies[number], b"]", b"" if last else link.encode(), b"}"]
        return [_HEADERS.format(sum(map(len, pieces))).encode(), *pieces]


async def _serve(records: int) -> None:
    server = await asyncio.start_server(lambda reader, writer: _answer(pages, reader, writer), "127.0.0.1", 0)
    root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pages = _Pages(records, root)
    print(root, flush=True)
    await server.serve_forever()


async def _answer(pages: _Pages, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            writer.writelines(pages.reply(head.split(b" ", 2)[1].decode()))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@contextmanager
def feed(records: int) -> Iterator[str]:
    """Serve `records` generated records in a process of its own; give the root that `/{records}/` comes after."""
    command = [sys.executable, "-m", "benchmarks.feed", str(records)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
