"""Files that a browser or a program sends: under a temporary name until they are whole, never whole in memory."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from uuid import uuid4

from wellprod.errors import StoreFull, TooLarge
from wellprod.feed.files import ENDINGS, ending_of
from wellprod.jobs import SENT, Ledger, Status
from wellprod.settings import Settings
from wellprod.text import size

_JOBS_LOOKED_AT = 200
_LEFT_SECONDS = 24 * 3600.0  # what a killed server left of an upload goes after a day
_RESUMED_SECONDS = 7 * 24 * 3600.0  # what was sent and not imported whole can be resumed for a week


class Arrival:
    """A file on its way into `uploads_path`; at the end of a `with` block nothing is left of one that was not kept.

    Parameters
    ----------
    name
        What it is to be called: a plain name, which the caller has checked; None for one of our own.

    Raises
    ------
    TooLarge
        It is larger than `upload_limit_mb`; so for `write`.
    StoreFull
        The disk has no room for it, or the folder cannot be written; so for `write` and `keep`.
    """

    def __init__(self, settings: Settings, name: str | None = None, *, length: int = 0) -> None:
        self._limit = settings.upload_limit_mb * 1_000_000
        self._size = 0
        self.target = settings.uploads_path / (name or f"{SENT}{uuid4()}{ENDINGS[0]}")
        check_upload(settings, length, name)
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            _clear_old(self.target.parent.glob(".*.part"), _LEFT_SECONDS)
            self._part = NamedTemporaryFile(  # noqa: SIM115
                dir=self.target.parent, prefix=".", suffix=".part", delete=False
            )
        except OSError as failure:
            raise _unwritable(failure) from None

    def __enter__(self) -> Arrival:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def call(self, name: str) -> None:
        """Take over how the name of a file that a program sends ends, where it says what the file is."""
        if ending := ending_of(name):
            self.target = self.target.with_name(self.target.name.removesuffix(ENDINGS[0]) + ending)

    def write(self, chunk: bytes) -> None:
        """Take a piece of it; after a failure nothing is left."""
        self._size += len(chunk)
        try:
            if self._size > self._limit:
                raise _too_large("What came of the file", self._size, self._limit)
            self._part.write(chunk)
        except OSError as failure:
            self.drop()
            raise _unwritable(failure) from None
        except TooLarge:
            self.drop()
            raise

    def keep(self) -> Path:
        """Give it its name, now that it is whole, and say where it lies."""
        try:
            self._part.close()
            return Path(self._part.name).replace(self.target)
        except OSError as failure:
            self.drop()
            raise _unwritable(failure) from None

    def drop(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):  # a full disk also refuses what is still in the buffer
            self._part.close()
        Path(self._part.name).unlink(missing_ok=True)


def check_upload(settings: Settings, length: int, name: str | None = None) -> None:
    """Refuse a file of `length` bytes that would not be taken, before any of it is sent.

    Raises
    ------
    TooLarge, StoreFull
        It is larger than the limit, or than the disk has room for.
    """
    limit, folder, what = settings.upload_limit_mb * 1_000_000, settings.uploads_path, name or "The file"
    if length > limit:
        raise _too_large(what, length, limit)
    free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
    if length > free:
        raise StoreFull(f"{what} has {size(length)}; only {size(free)} are free.", next="Make room on the disk.")


def forget_imported(settings: Settings) -> None:
    """Delete the files that programs sent and whose import is done, or was not gone on with for a week."""
    if sent := list(settings.uploads_path.glob(f"{SENT}*")):
        jobs = Ledger(settings.jobs_path).jobs(kind="import", limit=_JOBS_LOOKED_AT)
        done = {job.parameters.get("source") for job in jobs if job.status == Status.COMPLETED}
        for path in sent:
            if str(path) in done:
                with suppress(OSError):
                    path.unlink()
        _clear_old(sent, _RESUMED_SECONDS)


def _clear_old(files: Iterable[Path], seconds: float) -> None:
    for file in files:
        with suppress(OSError):  # somebody else has cleared it, or holds it
            if time.time() - file.stat().st_mtime > seconds:
                file.unlink()


def _too_large(what: str, length: int, limit: int) -> TooLarge:
    return TooLarge(
        f"{what} has {size(length)}; up to {size(limit)} are taken.",
        next="Raise WELLPROD_UPLOAD_LIMIT_MB, or import it with: wellprod import FILE",
    )


def _unwritable(failure: OSError) -> StoreFull:
    full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
    return StoreFull(
        f"The file cannot be kept: {failure.strerror or failure}. Nothing of it is left.",
        next="Make room on the disk." if full else "Give the server the right to write in its uploads folder.",
    )
