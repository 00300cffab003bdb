"""A CSV or another text with separators as a feed: plain or compressed, in whatever encoding it turns out to be."""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from wellprod.errors import FeedUnreadable
from wellprod.feed.files.base import unopened
from wellprod.feed.files.table import Cells, Fault, Table, TableFile
from wellprod.feed.profile import Profile

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_SEPARATORS = (",", ";", "\t", "|", "}")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_PIECE = 1 << 20
_PACKED = 1 << 17
_QUOTE = "a quote in the row has no end, or one too early"
_LONGEST_LINE = 1 << 17  # as many letters as the reader takes in one cell


class DelimitedFile(TableFile):
    """A text of one record a line, whose cells are separated by commas, semicolons, tabs, bars or right braces."""

    def tables(self) -> Iterator[Table]:
        """Give the text as a table for each encoding and separator that it may have, the likeliest first."""
        for told_encoding in sorted({profile.encoding for profile in self.profiles}, key=lambda told: told or ""):
            encoding = told_encoding or self._found_encoding()
            if encoding == "cp1252" and not told_encoding:
                self.warn("The text is not UTF-8; it is read as Windows-1252. A profile may name another encoding.")
            profiles = [profile for profile in self.profiles if profile.encoding == told_encoding]
            told = {profile.separator for profile in profiles}
            separators = list(_SEPARATORS) if None in told else []
            separators += [separator for separator in told if separator and separator not in separators]
            head = self._head(encoding)
            for separator in sorted(separators, key=head.count, reverse=True):
                fitting = [profile for profile in profiles if profile.separator in (None, separator)]
                yield _Delimited(self.path, encoding, separator, fitting)

    def _head(self, encoding: str) -> str:
        with opened(self.path) as file:
            return codecs.getincrementaldecoder(encoding)("replace").decode(file.read(_PIECE))

    def _found_encoding(self) -> str:
        """Find the encoding: by its mark, else UTF-8 if the text is that as a whole, else Windows-1252."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        left = self.within
        with opened(self.path) as file:
            piece = file.read(_PIECE)
            if marked := next((name for mark, name in _MARKS.items() if piece.startswith(mark)), None):
                return marked
            if b"\0" in piece[:2] and len(piece) > 1:
                return "utf-16-be" if piece[0] == 0 else "utf-16-le"
            try:
                while piece:
                    left = left and left - len(piece)
                    decoder.decode(piece)
                    piece = file.read(_PIECE) if left is None or left > 0 else b""
            except UnicodeDecodeError:
                return "cp1252"
        return "utf-8"


class _Delimited(Table):
    def __init__(self, path: Path, encoding: str, separator: str, profiles: Sequence[Profile]) -> None:
        self.path, self.encoding, self.separator, self.profiles = path, encoding, separator, profiles
        self.title = "The file"

    def rows(self, names: Sequence[str] | None = None) -> Iterator[Cells | Fault]:
        """Give the rows; a line that is none does not take the lines after it along."""
        with opened(self.path) as file:
            text = TextIOWrapper(cast(BufferedReader, file), self.encoding, self._on_error, newline="")
            lines = _Lines(text, self.path)
            reader = csv.reader(lines, delimiter=self.separator, strict=True)
            while True:
                lines.taken.clear()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    yield self._fault(lines, _QUOTE)
                    continue
                except UnicodeError as error:
                    raise FeedUnreadable(
                        f"The file {self.path} cannot be read as {self.encoding}: {error}.",
                        next="Name its encoding in a profile.",
                    ) from None
                if not any(cells):
                    continue
                if names is not None and (reason := _misfit(cells, len(names), lines.taken)):
                    yield self._fault(lines, reason)
                else:
                    yield cells

    @property
    def _on_error(self) -> str:
        return "wellprod-latin-1" if self.encoding == "cp1252" else "strict"

    def _fault(self, lines: _Lines, reason: str) -> Fault:
        """Give the first of the lines that were taken as a fault, and read the others again."""
        line = lines.give_back()
        return Fault(reason, line.rstrip("\r\n"))


class _Lines:
    """Lines of a text, some of which may be taken again."""

    def __init__(self, text: TextIOWrapper, path: Path) -> None:
        self._text, self._path = text, path
        self._again: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._text.readline(_LONGEST_LINE)
        if not line:
            raise StopIteration
        if len(line) == _LONGEST_LINE:
            raise FeedUnreadable(
                f"The file {self._path} has a line of more than {_LONGEST_LINE:,} letters: it is no CSV.",
                next="Give a file with one record a line.",
            )
        self.taken.append(line)
        return line

    def give_back(self) -> str:
        """Give the first line that was taken; those after it come again."""
        first, *others = self.taken
        self._again.extendleft(reversed(others))
        return first


def _misfit(cells: Sequence[str], width: int, lines: Sequence[str]) -> str | None:
    if len(cells) < width or any(cells[width:]):
        return f"the row has {len(cells)} cells, the header {width}"
    return "the row has a NUL byte" if any("\0" in line for line in lines) else None


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, unpacked where it is compressed.

    Raises
    ------
    FeedUnreachable
        It cannot be opened.
    FeedUnreadable
        What is compressed breaks off, also while it is read.
    """
    try:
        file: IO[bytes] = path.open("rb")
    except OSError as error:
        raise unopened(path, error) from None
    with file:
        head = file.read(4)
        file.seek(0)
        try:
            if head.startswith(GZIP):
                with gzip.open(file, "rb") as unpacked:
                    yield cast(IO[bytes], unpacked)
            elif head.startswith(ZSTD):
                with BufferedReader(_Zstd(file), _PIECE) as stream:
                    yield stream
            else:
                yield file
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            raise FeedUnreadable(
                f"The file {path} cannot be unpacked: {error}.", next="Get the file again; it may have been cut off."
            ) from None


class _Zstd(RawIOBase):
    """What is compressed by zstd, unpacked; unlike the library's own stream it says so where it breaks off."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, b""
        self._frame: Any = None

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give the next piece; raises EOFError in the middle of a frame."""
        while not self._left:
            packed = self._frame.unused_data if self._frame and self._frame.eof else b""
            packed = packed or self._file.read(_PACKED)
            if not packed:
                if self._frame and not self._frame.eof:
                    raise EOFError("it breaks off")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._left = self._frame.decompress(packed)
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("wellprod-latin-1", _as_latin)
