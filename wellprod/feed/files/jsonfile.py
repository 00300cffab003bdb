"""A JSON file as a feed: an object with `value`, or a bare list, read as a stream in pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from typing import Any, BinaryIO

import ijson

from wellprod.errors import FeedUnreadable
from wellprod.feed.files.base import FeedFile, unopened

_ENDS = 65536
_PIECE = 65536
_DEEPEST = 100  # nested values; the parser's memory grows with the square of them
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|(\\?\Z))', re.DOTALL)  # whole, or to the end of the piece
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_FIRST = 100


class JsonFile(FeedFile):
    """An OData answer or a list of records, UTF-8."""

    def first_records(self, within: int | None = None) -> list[Any]:
        """Give some records from the head of the file, to recognise its profile from.

        Parameters
        ----------
        within
            Bytes to look at; what is cut off there is no fault of the file.
        """
        found: list[Any] = []
        with self._opened() as file:
            is_cut = within is not None and self.path.stat().st_size > within
            head = BytesIO(file.read(within or 0)) if is_cut else file
            try:
                for record in islice(self._records(head), _FIRST):
                    found.append(record)
            except FeedUnreadable:
                if not is_cut:
                    raise
        return found

    def records(self) -> Iterator[Any]:
        """Give the records one by one."""
        if self._is_one_page_of_several():
            self.warn("The file is one page of several: it names a next page that is not in it.")
        with self._opened() as file:
            yield from self._records(file)

    def _is_one_page_of_several(self) -> bool:
        """Tell whether the file is a saved answer that names a next page, which is not in it."""
        with self._opened() as file:
            head = file.read(_ENDS)
            file.seek(max(self.path.stat().st_size - _ENDS, 0))
            return any(name in end for end in (head, file.read()) for name in (b'"@odata.nextLink"', b'"@nextLink"'))

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise unopened(self.path, error) from None

    def _records(self, file: BinaryIO) -> Iterator[Any]:
        head = file.read(64)
        mark = 3 if head.startswith(b"\xef\xbb\xbf") else 0
        bare = head[mark:].lstrip().startswith(b"[")
        file.seek(mark)
        found = False
        try:
            for record in ijson.items(_Shallow(file), "item" if bare else "value.item", use_float=True):
                found = True
                yield record
            if not found and not bare:
                file.seek(mark)
                events = ijson.parse(_Shallow(file))
                if not any((at, event) == ("value", "start_array") for at, event, _ in events):
                    raise FeedUnreadable(
                        f"The file {self.path} holds no records: expected a list, or an object with a list in 'value'.",
                        next="Give a file in the form of an OData answer.",
                    )
        except _TooDeep:
            raise FeedUnreadable(
                f"The file {self.path} is nested more than {_DEEPEST} deep.",
                next="Give a file in the form of an OData answer.",
            ) from None
        except (ijson.JSONError, UnicodeDecodeError) as error:
            told = error.args[0] if isinstance(error, ijson.JSONError) and error.args else str(error)
            reason = (
                (told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)).splitlines()[0].strip(" .")
            )
            raise FeedUnreadable(
                f"The file {self.path} is no whole JSON: {reason}.",
                next="Get the file again; it may have been cut off.",
            ) from None


class _TooDeep(Exception):
    """A file whose values are nested deeper than any record."""


class _Shallow:
    """A JSON file that is read only while it is not nested too deep.

    The brackets that are left open are counted over all bytes, which is quick; only where they are many is the file
    looked through without its strings, which may have brackets too.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._open: bytes | None = b""

    def read(self, size: int = _PIECE) -> bytes:
        """Give the next piece; raises _TooDeep."""
        piece = self._file.read(size)
        if self._open is not None:
            self._open = _left_open(self._open, piece)
            if len(self._open) > _DEEPEST:
                place = self._file.tell()
                self._file.seek(0)
                _check_depth(self._file)
                self._file.seek(place)
                self._open = None  # it is not deep anywhere
        return piece


def _check_depth(file: BinaryIO) -> None:
    left, cut = b"", b""
    while piece := file.read(_PIECE):
        told = _STRING.sub(lambda string: b"" if string[1] is None else b'"' + string[1], cut + piece)
        outside, quote, escape = told.partition(b'"')
        cut = quote + escape  # a string that goes on in the next piece
        left = _left_open(left, outside)
        if len(left) > _DEEPEST:
            raise _TooDeep


def _left_open(before: bytes, piece: bytes) -> bytes:
    """Give the brackets that are still open, or stand against each other, after a further piece."""
    brackets = before + piece.translate(None, _NO_BRACKETS)
    for _ in range(_DEEPEST):
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return brackets
