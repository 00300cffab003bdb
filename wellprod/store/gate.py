"""The door to the DuckDB file: one writing process or several reading ones, in turn, with a bounded wait.

DuckDB gives a file to one writer or to several readers and refuses the rest at once, so a writer would never find a
moment without readers. The gate is a lock beside the file: a reader holds it only while it opens, a writer while it
waits, writes and closes. New readers then queue behind a waiting writer, and the present ones finish.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psutil
from filelock import FileLock, Timeout

from wellprod.errors import StoreBusy, StoreError, StoreFull

_RETRY_SECONDS = 0.01
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "storage_compatibility_version": "v1.3.0",  # of a new file: it packs text in half the time
}


@contextmanager
def turn(path: Path, wait_seconds: float) -> Iterator[FileLock]:
    """Hold the gate of the file: nobody opens it until the end of the block, unless the gate is released before.

    Raises
    ------
    StoreBusy
        The gate was not free within `wait_seconds`.
    StoreFull
        The folder cannot be written.
    """
    gate = FileLock(path.with_suffix(".gate"), thread_local=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        gate.acquire(timeout=wait_seconds, poll_interval=_RETRY_SECONDS)
    except Timeout:
        raise _busy(path, wait_seconds) from None
    except OSError as error:
        raise StoreFull(
            f"The folder {path.parent} cannot be used: {error.strerror or error}.",
            next="Make room or give the right to write there, or choose another folder with WELLPROD_HOME.",
        ) from None
    try:
        yield gate
    finally:
        gate.release()


@contextmanager
def opened(path: Path, *, write: bool, wait_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file for reading or writing; it is closed at the end of the block.

    Raises
    ------
    StoreBusy
        The file was not free within `wait_seconds`. The message names the process that holds it.
    StoreFull
        The folder cannot be written.
    StoreError
        The file is no DuckDB file.
    """
    deadline = time.monotonic() + wait_seconds
    with turn(path, wait_seconds) as gate:
        connection = connect(path, write=write, deadline=deadline, wait_seconds=wait_seconds)
        if not write:
            gate.release()
        try:
            yield connection
        finally:
            connection.close()


def connect(path: Path, *, write: bool, deadline: float, wait_seconds: float) -> duckdb.DuckDBPyConnection:
    """Open the file while the gate is held, once those who have it open let go of it; raises as `opened` does."""
    while True:
        try:
            connection = duckdb.connect(path, read_only=not write, config=_CONFIG)
            connection.execute("SET enable_progress_bar = false")  # it draws one wherever Python runs without a script
            return connection
        except duckdb.Error as error:
            if not _is_conflict(error):
                raise _unopenable(path, error) from None
            if time.monotonic() >= deadline:
                raise _busy(path, wait_seconds) from None
            time.sleep(_RETRY_SECONDS)


def _is_conflict(error: duckdb.Error) -> bool:
    text = str(error)
    return "Could not set lock" in text or "different configuration" in text or "being used by another" in text


def _unopenable(path: Path, error: duckdb.Error) -> StoreError:
    text = str(error)
    if "No space left" in text or "Permission denied" in text or "Read-only" in text:
        return StoreFull(
            f"The store {path} cannot be opened: {text.splitlines()[0]}.",
            next="Make room or give the right to write there, or choose another folder with WELLPROD_HOME.",
        )
    return StoreError(
        f"The store {path} cannot be opened: {text.splitlines()[0]}.",
        next="If it is no DuckDB file, move it away; else restore a backup: wellprod store restore PATH.",
    )


def _busy(path: Path, wait_seconds: float) -> StoreBusy:
    holders = ", ".join(_holders(path)) or "a process that cannot be seen from here"
    return StoreBusy(
        f"The store {path} was held by {holders} for longer than {wait_seconds:g} seconds.",
        next="Wait or close that program, then try again; WELLPROD_STORE_WAIT_SECONDS sets the wait.",
    )


def _holders(path: Path) -> list[str]:
    files = {str(path), str(path.with_suffix(".gate"))}
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        try:
            if any(file.path in files for file in process.open_files()):
                here = " (this one)" if process.pid == os.getpid() else ""
                found.append(f"process {process.pid} {process.name()}{here}")
        except psutil.Error:
            continue
    others = [name for name in found if not name.endswith("(this one)")]
    return others or found
