"""The pages of imports as they came, compressed, so that they can be read again without the feed.

They lie in `pages/JOB/` of the home: `000001.json.zst` and on, a file a page by its number, beside `source.json`, which
says what they are. A secret in the next link of a page is masked, as it is wherever wellprod keeps an address.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import zstandard

from wellprod.errors import FeedUnreachable, FeedUnreadable, StoreFull, mask_secrets, mask_secrets_of
from wellprod.feed.page import Page, Place, Reader
from wellprod.ingest.request import ImportRequest
from wellprod.settings import Settings

_SOURCE = "source.json"
_NAME = re.compile(r"(\d{6,})\.json\.zst")
_LEVEL = 3


class PageKeeper:
    """Keeps the pages of one import, each before it is stored.

    What was kept from the first page of this run on is of pages that were not stored, or are read again, and goes; so
    does what was kept before the feed was read again from page one.
    """

    def __init__(self, job_id: str, request: ImportRequest, settings: Settings) -> None:
        self.folder = settings.pages_path / job_id
        self._request = request
        self._last = 0

    def keep(self, page: Page, profile: str | None, part: str) -> None:
        """Write a page to its file; `part` is that of the state, which says whether it holds changes alone.

        Raises
        ------
        StoreFull
            The disk is full, or the folder may not be written.
        """
        try:
            if not 0 < self._last < page.number:
                self._begin(page.number, profile, part)
            self._last = page.number
            packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(self._masked(page))
            _write(self.folder / f"{page.number:06}.json.zst", packed)
        except OSError as error:
            raise StoreFull(
                f"Page {page.number} cannot be kept in {self.folder}: {error.strerror or error}.",
                next="Make room, or unset WELLPROD_KEEP_PAGES.",
            ) from None

    def _begin(self, first: int, profile: str | None, part: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # a page may have a secret of its own
        for number, path in _kept(self.folder):
            if number >= first:
                path.unlink()
        asked = self._request.as_parameters()
        told = {name: asked[name] for name in ("source", "page_size", "paging", "since")}
        when = datetime.now(UTC).isoformat(timespec="seconds")
        told |= {"part": part, "profile": profile, "kept_at": when}
        _write(self.folder / _SOURCE, orjson.dumps(told, option=_INDENTED))

    def _masked(self, page: Page) -> bytes:
        """Give the body with the secrets of its links masked; all else is as it came."""
        body = page.body
        for link in filter(None, (page.content.next_link, page.content.delta_link)):
            masked = mask_secrets_of(self._request.source, mask_secrets(link))
            if masked != link:
                body = _with_link(body, link, masked)
        return body


class KeptPages:
    """The kept pages of an import as a feed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def profile(self) -> str | None:
        """The profile that the pages were read by."""
        return self._told("profile")

    @property
    def part(self) -> str:
        """What was read of the feed; see `ImportState`."""
        return self._told("part") or "all"

    def _told(self, name: str) -> str | None:
        try:
            told = orjson.loads((self.folder / _SOURCE).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return None
        value = told.get(name) if isinstance(told, dict) else None
        return value if isinstance(value, str) else None

    def pages(self, read: Reader, place: Place) -> Iterator[Page]:
        """Yield the pages from `place` on, under the numbers that they had.

        Raises
        ------
        FeedUnreachable
            The folder has no pages, or one cannot be opened.
        FeedUnreadable
            One is not whole; those before have been given.
        """
        kept = _kept(self.folder)
        if not kept:
            raise FeedUnreachable(
                f"The folder {self.folder} has no kept pages.",
                next="Give a file, or the folder of a job in pages/ of a home.",
            )
        skip = place.skip
        for number, path in kept:
            if number < place.page:
                continue
            began = time.perf_counter()
            body = self._body(path)
            content = read(body)
            skip += content.rows.height
            yield Page(number, content, body, time.perf_counter() - began, Place(number + 1, skip=skip))

    def _body(self, path: Path) -> bytes:
        try:
            frame = zstandard.ZstdDecompressor().decompressobj()
            body = frame.decompress(path.read_bytes())
            if not frame.eof:
                raise zstandard.ZstdError("it breaks off")
            return body
        except OSError as error:
            raise FeedUnreachable(
                f"The page {path} cannot be opened: {error.strerror}.", next="Look into its folder."
            ) from None
        except zstandard.ZstdError as error:
            raise FeedUnreadable(f"The kept page {path} is not whole: {error}.", next="Delete it.") from None


_INDENTED = orjson.OPT_INDENT_2


def _kept(folder: Path) -> list[tuple[int, Path]]:
    """Give the kept pages of a folder in their order."""
    try:
        found = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    except OSError:
        return []
    return sorted((int(match[1]), path) for match, path in found if match)


def _write(path: Path, content: bytes) -> None:
    """Write a file that is whole or not there, for its owner alone."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            part.chmod(0o600)
            file.write(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _with_link(body: bytes, link: str, masked: str) -> bytes:
    """Give a body with one link in the place of another, however it is written there."""
    text = orjson.dumps(link)[1:-1]
    for written in (text, text.replace(b"/", b"\\/"), text.replace(b"&", b"\\u0026")):
        if written in body:
            return body.replace(written, orjson.dumps(masked)[1:-1])
    return orjson.dumps(_with_text(orjson.loads(body), link, masked))


def _with_text(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {name: _with_text(given, old, new) for name, given in value.items()}
    return new if value == old else value
