"""Care of the store: backed up, restored, checked and compacted, while others read it and imports go on in turn.

What is written goes to a file beside its place, is checked there, and takes its place by a rename. Whoever is killed on
the way leaves the store and the backup whole; the file that is left goes the next time.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psutil

from wellprod.errors import StoreBusy, StoreError, StoreFull, StoreMissing, UsageError, WellprodError
from wellprod.schema import KEY
from wellprod.settings import bytes_of
from wellprod.store.findings import Finding, Watch, contradictions, unreadable
from wellprod.store.gate import connect, opened, turn
from wellprod.store.migrations import migrate, pending
from wellprod.store.store import Store

_COPIED_AT_ONCE = 1 << 23
_ORDERED = {"production": ", ".join(KEY), "production_history": ", ".join((*KEY, "updated_at"))}
_NO_ROOM = ("No space left", "File too large", "Disk quota", "Could not write")


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was written whole: where it is, and its size in bytes."""

    path: Path
    size_bytes: int

    @classmethod
    def of(cls, path: Path) -> Kept:
        """Look at the file."""
        return cls(path, path.stat().st_size)


def backup(store: Store, target: Path, *, on_progress: Watch, replace: bool = False) -> Kept:
    """Copy the store as it is at one moment, between two groups of an import if one runs.

    Writers wait while it is copied; readers do not.

    Raises
    ------
    UsageError
        The target is there and not to be replaced, or is the store itself.
    StoreMissing, StoreBusy, StoreFull, StoreError
        There is no store, it is held, or the copy cannot be written or read back.
    """
    _check_there(store)
    if target.exists() and target.samefile(store.path):
        raise UsageError(f"{target} is the store itself.", next="Give another place.")
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", next=f"Give the name of a file, such as {target / store.path.name}.")
    if target.exists() and not replace:
        raise UsageError(f"There is {target} already.", next="Give another name, or say --replace.")
    with _part(target) as part, _explained(target, f"No backup was made, and {target} is as it was."):
        with opened(store.path, write=False, wait_seconds=store.wait_seconds):
            _copy(store.path, part, on_progress)
        with duckdb.connect(part) as connection:  # what the store had logged goes into the copy
            if found := unreadable(connection, on_progress):
                raise StoreError(f"The store is damaged: {found[0].example}.", next="See: wellprod store check")
        _settle(part, target, on_progress)
    return Kept.of(target)


def restore(store: Store, source: Path, kept: Path, *, on_progress: Watch) -> Kept | None:
    """Put a backup in the place of the store; give where the former store is kept, None where there was none.

    Raises
    ------
    UsageError
        There is no such file, or it is the store itself.
    StoreTooNew, StoreError
        It is no store, is damaged, or is of a newer version.
    StoreBusy, StoreFull
        The store is held, or there is no room. In each case the store is unchanged.
    """
    if not source.is_file():
        raise UsageError(f"There is no file {source}.", next="Give the path of a backup.")
    if store.path.exists() and source.samefile(store.path):
        raise UsageError(f"{source} is the store itself.", next="Give the path of a backup.")
    with _part(store.path) as part, _explained(store.path, "The store is unchanged."):
        _copy(source, part, on_progress)
        _check_sound(part, source, on_progress)
        with turn(store.path, store.wait_seconds):
            former = _set_aside(store, kept)
            _settle(part, store.path, on_progress)
    return former


def check(store: Store, *, on_progress: Watch) -> list[Finding]:
    """Read every table whole and look for what cannot be so; give what was found, nothing if all is well.

    Raises
    ------
    StoreMissing, StoreBusy, StoreTooNew, StoreError
        There is no store, it is held, of a newer version, or so damaged that it cannot be opened.
    """
    with store.read() as reading:
        return unreadable(reading.connection, on_progress) or contradictions(reading.connection, on_progress)


def compact(store: Store, *, on_progress: Watch) -> tuple[int, int]:
    """Write the store anew, the records in the order of the key; give its size in bytes before and after.

    All others wait meanwhile, as long as their own wait allows.

    Raises
    ------
    StoreMissing, StoreBusy, StoreFull, StoreError
        There is no store, it is held, or the new file cannot be written; the store is unchanged.
    """
    _check_there(store)
    with (
        _part(store.path) as part,
        _explained(store.path, "The store is unchanged."),
        opened(store.path, write=True, wait_seconds=store.wait_seconds) as connection,
    ):
        connection.execute(f"SET memory_limit = '{bytes_of(store.memory)}B'")
        migrate(connection, store.path)
        connection.execute("CHECKPOINT")
        before = store.path.stat().st_size
        _rewrite(connection, part, on_progress)
        connection.close()
        _settle(part, store.path, on_progress)
    return before, store.path.stat().st_size


def _rewrite(connection: duckdb.DuckDBPyConnection, part: Path, on_progress: Watch) -> None:
    """Write all tables of the open store, those of its owner too, into a fresh file."""
    (name,) = connection.execute("SELECT current_database()").fetchone() or ("",)
    tables = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT temporary"
        " ORDER BY table_oid"
    ).fetchall()
    quoted = str(part).replace("'", "''")
    connection.execute(f"ATTACH '{quoted}' AS fresh (STORAGE_VERSION 'v1.3.0')")
    connection.execute(f'COPY FROM DATABASE "{name}" TO fresh (SCHEMA)')
    for number, (schema, table) in enumerate(tables):
        on_progress(f"writing {table}", 100.0 * number / len(tables))
        order = f" ORDER BY {_ORDERED[table]}" if table in _ORDERED and schema == "main" else ""
        old, new = f'"{name}"."{schema}"."{table}"', f'fresh."{schema}"."{table}"'
        connection.execute(f"INSERT INTO {new} FROM {old}{order}")
        counts = connection.execute(f"SELECT (SELECT count(*) FROM {new}), (SELECT count(*) FROM {old})").fetchone()
        if counts and counts[0] != counts[1]:
            raise StoreError(f"Of {counts[1]:,} rows of {table}, {counts[0]:,} were written.", next="Run it again.")
    connection.execute("CHECKPOINT fresh")
    connection.execute("DETACH fresh")


def _check_sound(part: Path, source: Path, on_progress: Watch) -> None:
    """Bring what is to be restored to this version; refuse it where it is no sound store."""
    another = "Restore another backup."
    try:
        with duckdb.connect(part) as connection:
            known = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'migrations'")
            if known.fetchone() == (0,):
                raise StoreError(f"The file {source} is no store of wellprod.", next=another)
            if pending(connection, source):
                migrate(connection, source)
            found = unreadable(connection, on_progress) or contradictions(connection, on_progress)
    except duckdb.Error as error:
        said = str(error).splitlines()[0].replace(str(part), str(source))
        raise StoreError(f"The file {source} cannot be opened as a store: {said}", next=another) from None
    if found:
        first = found[0]
        example = first.example.replace(str(part), str(source))
        raise StoreError(f"The file {source} is not sound: it has {first.rule}: {example}.", next=another)


def _set_aside(store: Store, kept: Path) -> Kept | None:
    """Give the store another name too, so that it has one at any moment."""
    if not store.path.exists():
        return None
    deadline = time.monotonic() + store.wait_seconds
    with suppress(StoreError, duckdb.Error):  # who is damaged is set aside as it is
        try:
            connect(store.path, write=True, deadline=deadline, wait_seconds=store.wait_seconds).close()
        except StoreBusy as busy:
            raise _Held(busy) from None
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(store.path, kept)
    except OSError:  # a file system without links
        shutil.copy2(store.path, kept)
    if (log := _log_of(store.path)).exists():
        log.replace(_log_of(kept))
    return Kept.of(kept)


class _Held(Exception):
    def __init__(self, busy: StoreBusy) -> None:
        self.busy = busy


# Files


@contextmanager
def _part(target: Path) -> Iterator[Path]:
    """Give the name of a file to write beside its place, and remove what is left of it, or of who was killed."""
    owner = f"{socket.gethostname()}-{os.getpid()}"
    part = target.with_name(f".{target.name}.{owner}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target.parent)
    except OSError as error:
        raise StoreFull(
            f"The folder {target.parent} cannot be used: {error.strerror or error}.",
            next="Make room or give the right to write there, or choose another place.",
        ) from None
    try:
        yield part
    finally:
        _remove(part)


def _remove_leftovers(folder: Path) -> None:
    here = re.compile(rf"\..+\.{re.escape(socket.gethostname())}-(\d+)\.part")
    for path in folder.glob(".*.part"):
        if (found := here.fullmatch(path.name)) and not psutil.pid_exists(int(found[1])):
            _remove(path)


def _remove(part: Path) -> None:
    for path in (part, _log_of(part)):
        path.unlink(missing_ok=True)
    shutil.rmtree(f"{part}.tmp", ignore_errors=True)


def _log_of(path: Path) -> Path:
    """Give DuckDB's log beside a file, which a killed writer leaves."""
    return path.with_name(f"{path.name}.wal")


def _copy(source: Path, part: Path, on_progress: Watch) -> None:
    total = max(source.stat().st_size, 1)
    for old, new in ((_log_of(source), _log_of(part)), (source, part)):
        if not old.exists():
            continue
        # To close the file takes DuckDB's lock on it from this process, so it comes last.
        with old.open("rb") as reading, new.open("wb") as writing:
            while block := reading.read(_COPIED_AT_ONCE):
                on_progress("copying", 100.0 * reading.tell() / total if old == source else None)
                writing.write(block)


def _settle(part: Path, target: Path, on_progress: Watch) -> None:
    """Put a whole file in its place, in one step."""
    on_progress("putting it in its place", None)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)


def _check_there(store: Store) -> None:
    if not store.path.exists():
        raise StoreMissing(
            f"There is no store at {store.path} yet.",
            next="Import a feed first: wellprod import URL, or wellprod demo.",
        )


@contextmanager
def _explained(place: Path, unharmed: str) -> Iterator[None]:
    try:
        yield
    except _Held as held:
        raise held.busy from None
    except WellprodError:
        raise
    except (OSError, duckdb.Error) as error:
        text = str(error).splitlines()[0]
        if isinstance(error, OSError) or any(sign in text for sign in _NO_ROOM):
            raise StoreFull(
                f"The file for {place} cannot be written: {text}. {unharmed}",
                next="Make room or give the right to write there, then try again.",
            ) from None
        raise StoreError(f"{text}. {unharmed}", next="See: wellprod store check") from None
