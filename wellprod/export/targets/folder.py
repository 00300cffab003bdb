"""A file, or a folder with a file for each export: whole or not there."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from uuid import uuid4

import psutil

from wellprod.errors import ExportError, ExportFull
from wellprod.export.targets.base import Outgoing


@dataclass(frozen=True, slots=True)
class FileTarget:
    """One file, which the export replaces."""

    path: Path

    @property
    def address(self) -> str:
        """The path."""
        return str(self.path)

    def place(self, key: str) -> str:
        """Give the path, whatever the key."""
        return str(self.path)

    def check(self) -> None:
        """Leave it to the first write, which is soon told."""

    def receiving(self, key: str, work_path: Path) -> AbstractContextManager[Path]:
        """Give a temporary path beside the file."""
        return beside(self.path)

    def put(self, part: Path, file: Outgoing) -> None:
        """Let what was written take the place of the file."""
        part.replace(self.path)


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """A folder in which each export has its file at its key."""

    folder: Path

    @property
    def address(self) -> str:
        """The path, with a slash that tells it from a file's."""
        return f"{self.folder}/"

    def place(self, key: str) -> str:
        """Give the path of the key in the folder."""
        return str(self.folder / key)

    def check(self) -> None:
        """Leave it to the first write, which is soon told."""

    def receiving(self, key: str, work_path: Path) -> AbstractContextManager[Path]:
        """Give a temporary path beside the file."""
        return beside(self.folder / key)

    def put(self, part: Path, file: Outgoing) -> None:
        """Let what was written be the file of its key."""
        part.replace(self.folder / file.key)


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Give a temporary path of its own beside `target`, on the same disk, in a folder that is made.

    Raises
    ------
    ExportError
        The folder or the file cannot be written, or the disk is full.
    """
    part = target.with_name(f".{target.name}.{uuid4().hex[:8]}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "it is no regular file")
        _clear_dead_parts(target)
        yield part
    except OSError as error:
        raise explained(target, error, "Give a path that you may write, with --output.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _clear_dead_parts(target: Path) -> None:
    """Remove what killed exports to the same target have left."""
    for part in target.parent.glob(f".{escape(target.name)}.*.part"):
        pid = part.suffixes[-2].removeprefix(".")
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            part.unlink(missing_ok=True)


def explained(target: Path, error: OSError, otherwise: str) -> ExportError:
    """Give what is said of a path that cannot be written; `otherwise` is the advice where the reason tells none."""
    if isinstance(error, FileExistsError):
        error = NotADirectoryError(errno.ENOTDIR, f"{error.filename} is no folder")
    number = error.errno or _number_in(str(error))
    advice = {
        errno.ENOSPC: "Make room on the disk, then export again.",
        errno.EDQUOT: "Make room in your quota, then export again.",
        errno.EFBIG: "Choose a disk that takes larger files.",
        errno.EISDIR: "Give the path of a file.",
        errno.ENOTDIR: "Give a path whose folders are folders.",
    }.get(number, otherwise)
    kind = ExportFull if number in (errno.ENOSPC, errno.EDQUOT) else ExportError
    return kind(
        f"{target} cannot be written: {os.strerror(number) if number else error}. No partial file is left.", next=advice
    )


def _number_in(text: str) -> int:
    """Give the number of the error that a library written in Rust tells in words only."""
    found = re.search(r"os error (\d+)", text)
    return int(found[1]) if found else 0
