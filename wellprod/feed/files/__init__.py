"""Files as feeds: JSON, CSV, Excel and Parquet, told apart by what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wellprod.feed.files.base import FeedFile
from wellprod.feed.files.delimited import GZIP, ZSTD, DelimitedFile
from wellprod.feed.files.jsonfile import JsonFile
from wellprod.feed.files.parquet import PARQUET, ParquetFile
from wellprod.feed.files.workbook import OLE, ZIP, WorkbookFile
from wellprod.feed.profile import Profile

__all__ = ["ENDINGS", "FeedFile", "ending_of", "open_file"]

_DELIMITED = (".csv", ".csv.gz", ".csv.zst", ".txt", ".tsv")
_WORKBOOKS = (".xlsx", ".xlsm")
ENDINGS = (".json", *_DELIMITED, *_WORKBOOKS, ".parquet")
"""How the names of files that are taken end."""


def ending_of(name: str) -> str | None:
    """Give how the name of a file ends, where it says that the file is one of those that are taken."""
    return next((ending for ending in ENDINGS if name.lower().endswith(ending)), None)


def open_file(path: Path, profiles: Iterable[Profile], *, page_size: int) -> FeedFile:
    """Give a file as what it is; nothing is raised before its records are asked for.

    Parameters
    ----------
    profiles
        Those that may read it: the one that was asked for, or all.
    """
    name = path.name.lower()
    head = _head(path)
    if head.startswith((ZIP, OLE)) or name.endswith(_WORKBOOKS):
        return WorkbookFile(path, profiles, page_size=page_size)
    if head.startswith(PARQUET) or name.endswith(".parquet"):
        return ParquetFile(path, profiles, page_size=page_size)
    is_text = not name.endswith(".json") and not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    if head.startswith((GZIP, ZSTD)) or name.endswith(_DELIMITED) or (is_text and head):
        return DelimitedFile(path, profiles, page_size=page_size)
    return JsonFile(path, page_size=page_size)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError:  # whoever reads it says so
        return b""
