"""A file as a feed: its records one by one, in pages of JSON, so that a page of a file is as one of a feed."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from wellprod.errors import FeedUnreachable
from wellprod.feed.page import Page, Place, Reader
from wellprod.feed.profile import Profile


class FeedFile(ABC):
    """The records of one file, larger than memory if need be.

    Parameters
    ----------
    path
        The file.
    page_size
        Records in one page.

    Attributes
    ----------
    warnings
        What was noticed so far.
    """

    def __init__(self, path: Path, *, page_size: int) -> None:
        self.path = path
        self.page_size = page_size
        self.warnings: list[str] = []

    @property
    def profile(self) -> Profile | None:
        """The profile by which the file was looked through, where it must be."""
        return None

    @abstractmethod
    def first_records(self, within: int | None = None) -> list[Any]:
        """Give some records from the head of the file, to recognise its profile from.

        Parameters
        ----------
        within
            Bytes to look at; what is cut off there is no fault of the file.
        """

    @abstractmethod
    def records(self) -> Iterator[Any]:
        """Give the records one by one, each as an object of properties.

        Raises
        ------
        FeedUnreachable
            The file cannot be opened.
        FeedUnreadable
            It is not what it seems to be, breaks off, or holds no records; those before have been given.
        """

    def pages(self, read: Reader, place: Place) -> Iterator[Page]:
        """Yield the pages from `place` on; raises what `records` does, after the pages before have been given."""
        number, skip = place.page, place.skip
        records = self.records()
        next(islice(records, skip, skip), None)
        began = time.perf_counter()
        while rows := list(islice(records, self.page_size)):
            body = _dumps({"value": rows})
            content = read(body)
            skip += len(rows)
            number += 1
            yield Page(number - 1, content, body, time.perf_counter() - began, Place(number, skip=skip))
            began = time.perf_counter()

    def warn(self, text: str) -> None:
        """Notice something, once."""
        if text not in self.warnings:
            self.warnings.append(text)


def unopened(path: Path, error: OSError) -> FeedUnreachable:
    """Give the error of a file that cannot be opened."""
    return FeedUnreachable(
        f"The file {path} cannot be opened: {error.strerror or error}.",
        next="Give the path of a JSON, CSV, Excel or Parquet file.",
    )


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a whole number beyond 64 bits
        return json.dumps(value).encode()
