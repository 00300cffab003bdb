"""What a target of an export does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file that is written and is to get its place.

    Parameters
    ----------
    key
        Its name in a folder or a bucket.
    file_name
        What people save it as.
    size_bytes, sha256
        What it holds; the digest in hexadecimal.
    seconds_left
        How long the export may still take.
    watch
        Told the bytes sent while a target sends them; what it raises stops the sending.
    """

    key: str
    file_name: str
    size_bytes: int
    sha256: str
    seconds_left: float
    watch: Callable[[int], None]


class Target(Protocol):
    """Takes the file of an export, which is there whole or not at all."""

    @property
    def address(self) -> str:
        """The whole address, as a job row keeps it."""

    def place(self, key: str) -> str:
        """Give the path or the URL under which the file of `key` will be."""

    def check(self) -> None:
        """Look, before the long work, whether it is there; raises ExportError when it plainly is not."""

    def receiving(self, key: str, work_path: Path) -> AbstractContextManager[Path]:
        """Give a local path to write to, which is gone at the end of the block; `put` is called inside of it.

        A target that is not of this machine takes a path in `work_path`, which goes by itself.

        Raises
        ------
        ExportError
            It cannot be written, or put in its place: the message says why and what to do.
        """

    def put(self, part: Path, file: Outgoing) -> None:
        """Give what was written its place, or raise and leave nothing there."""
