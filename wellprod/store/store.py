"""The store of one workbench: a DuckDB file, opened for one read or one group and closed again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl

from wellprod.errors import StoreError, StoreFull, StoreMissing, WellprodError
from wellprod.settings import bytes_of
from wellprod.store.gate import opened
from wellprod.store.history import Undoing, Undone, end_removed, end_unmet, show_as_known
from wellprod.store.imports import ImportNote, write_note
from wellprod.store.merge import Merged, merge
from wellprod.store.migrations import migrate, pending
from wellprod.store.reading import Reading


@dataclass(frozen=True, slots=True)
class Limits:
    """What one read may take of the machine; of the memory DuckDB gets `share`, and who reads keeps the rest."""

    memory: str
    threads: int
    share: float = 1.0

    def apply(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Hold the connection to them."""
        connection.execute(f"SET memory_limit = '{int(bytes_of(self.memory) * self.share)}B'")
        connection.execute(f"SET threads = {self.threads:d}")


@dataclass(frozen=True, slots=True)
class Store:
    """The records of one workbench and their history.

    Parameters
    ----------
    path
        The DuckDB file; the first write makes it.
    wait_seconds
        Longest wait for the file while other processes use it.
    memory
        Memory that DuckDB may take for one read or write, such as ``"512MB"``.
    """

    path: Path
    wait_seconds: float = 30.0
    memory: str = "512MB"

    @contextmanager
    def read(
        self, limits: Limits | None = None, *, or_empty: bool = False, as_known_on: datetime | None = None
    ) -> Iterator[Reading]:
        """Open the store for reading; writers wait until the block ends, so keep it short or export.

        Parameters
        ----------
        limits
            What the read may take, where it is not what the store was made with.
        or_empty
            Whether to read empty tables where there is no store yet, for a page or a report of it.
        as_known_on
            A moment, UTC; the tables then hold the records and their history as the store had them at it.

        Raises
        ------
        StoreMissing, StoreBusy, StoreTooNew, StoreError
            There is no store, it is held, newer than this version, or broken.
        """
        if not self.path.exists():
            if or_empty:
                with duckdb.connect() as connection:
                    migrate(connection, self.path)
                    yield Reading(connection)
                return
            raise StoreMissing(
                f"There is no store at {self.path} yet.",
                next="Import a feed first: wellprod import URL, or wellprod demo.",
            )
        with self.connected(write=False) as connection:
            if not pending(connection, self.path):
                if limits:
                    limits.apply(connection)
                else:
                    connection.execute(f"SET memory_limit = '{bytes_of(self.memory)}B'")
                if as_known_on:
                    show_as_known(connection, as_known_on)
                yield Reading(connection, self.path.parent)
                return
        with self.write():
            pass  # to write is to bring the tables to this version
        with self.read(limits, as_known_on=as_known_on) as reading:
            yield reading

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """Open the store for one transaction: it is committed at the end of the block, or undone by an exception.

        Raises
        ------
        StoreBusy, StoreFull, StoreTooNew, StoreError
            The store is held, cannot be written, is newer than this version, or broken.
        """
        with self.connected(write=True) as connection:
            connection.execute(f"SET memory_limit = '{bytes_of(self.memory)}B'")
            connection.execute("SET checkpoint_threshold = '1KB'")  # a commit goes to the file, not to the log first
            migrate(connection, self.path)
            connection.execute("BEGIN")
            yield Writing(connection, _now(connection))
            connection.execute("COMMIT")

    @contextmanager
    def connected(self, *, write: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file as it is, for `read`, `write` and the care of it; DuckDB's errors become those of the store."""
        try:
            with opened(self.path, write=write, wait_seconds=self.wait_seconds) as connection, _interruptible():
                yield connection
        except WellprodError:
            raise
        except duckdb.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: duckdb.Error) -> StoreError:
        text = str(error).splitlines()[0]
        if any(sign in text for sign in ("No space left", "File too large", "Disk quota", "Could not write")):
            return StoreFull(
                f"The disk of {self.path.parent} is full: {text}. The last group was not stored; the rest is whole.",
                next="Make room, then go on where it stopped: wellprod jobs resume ID.",
            )
        if isinstance(error, duckdb.CatalogException):
            return StoreError(
                f"The store {self.path} lacks something it needs: {text}.",
                next="Restore a backup with wellprod store restore PATH, or move it away and import again.",
            )
        if isinstance(error, duckdb.OutOfMemoryException):
            return StoreError(
                f"The store needs more memory than it may use: {text}.",
                next="Raise WELLPROD_STORE_MEMORY, or WELLPROD_EXPORT_MEMORY for an export.",
            )
        if isinstance(error, duckdb.IOException | duckdb.SerializationException | duckdb.FatalException):
            return StoreError(
                f"The store {self.path} is damaged: {text}.", next="Restore a backup: wellprod store restore PATH."
            )
        return StoreError(f"The store {self.path} failed: {text}.", next="Run it again with --debug to see where.")


def _now(connection: duckdb.DuckDBPyConnection) -> datetime:
    """Give the time, UTC, later than that of any import before, though the clock was set back meanwhile."""
    last = connection.execute(
        "SELECT greatest(max(noted_at), (SELECT max(undone_at) FROM undone_imports)) FROM imports"
    )
    now, (told,) = datetime.now(UTC).replace(tzinfo=None), last.fetchone() or (None,)
    return max(now, told + timedelta(microseconds=1)) if told else now


@contextmanager
def _interruptible() -> Iterator[None]:
    """Take DuckDB's own word for a signal that came during a query as what it is."""
    try:
        yield
    except (duckdb.InterruptException, RuntimeError) as error:
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from None
        raise


@contextmanager
def read_copy(path: Path, limits: Limits) -> Iterator[Reading]:
    """Read records that were written in order to a Parquet file, as the table `production`; the store stays free."""
    with duckdb.connect(config={"temp_directory": str(path.parent)}) as connection, _interruptible():
        limits.apply(connection)
        connection.read_parquet(str(path)).create_view("production")
        yield Reading(connection, is_in_order=True)


@dataclass(frozen=True, slots=True)
class FigureBasis:
    """What a feed profile says of the figures of its records: what they were, and what its liquids are."""

    profile: str
    figures: str
    liquids_include_oil: bool
    liquids_include_condensate: bool


@dataclass(frozen=True, slots=True)
class Writing:
    """One open transaction on the store; `now` stamps all that it writes."""

    connection: duckdb.DuckDBPyConnection
    now: datetime

    def merge(self, records: pl.DataFrame, *, job_id: str, well_in_one_field: bool = False) -> Merged:
        """Merge one group of records; see `store.merge.merge`."""
        return merge(self.connection, records, job_id=job_id, now=self.now, well_in_one_field=well_in_one_field)

    def records_of(self, profile: str) -> int:
        """Count the records of the data sources that a profile filled."""
        query = "SELECT count(*) FROM production SEMI JOIN (FROM data_sources WHERE profile = ?) USING (data_source)"
        row = self.connection.execute(query, [profile]).fetchone()
        return int(row[0]) if row else 0

    def end_removed(self, keys: pl.DataFrame, *, job_id: str, feed: str | None, profile: str) -> int:
        """End what the source says it no longer has; see `store.history.end_removed`."""
        return end_removed(self.connection, keys, job_id=job_id, feed=feed, profile=profile, now=self.now)

    def keep_rejects(self, rejects: pl.DataFrame, *, job_id: str) -> None:
        """Keep rows that could not be stored: columns page, row_number, reason, raw_row."""
        if not rejects.is_empty():
            self.connection.register("rejects", rejects)
            self.connection.execute(
                "INSERT INTO rejected_rows SELECT ?::UUID, page, row_number, reason, raw_row, ?::TIMESTAMP"
                " FROM rejects",
                [job_id, self.now],
            )

    def note_sources(self, basis: FigureBasis, data_sources: Collection[str], *, job_id: str) -> None:
        """Keep what an import says of the figures of its data sources, in the place of what the one before said."""
        for source in data_sources:
            self.connection.execute("DELETE FROM data_sources WHERE data_source = ?", [source])
            row = [source, *astuple(basis), job_id, self.now]
            self.connection.execute("INSERT INTO data_sources VALUES (?, ?, ?, ?, ?, ?::UUID, ?)", row)

    def sources_told_by(self, job_id: str) -> list[tuple[str, str, str]]:
        """Give the data sources whose figures an import told of last, and the newest other import with records of each.

        These are data source, profile and job id, where that import kept its profile.
        """
        return self.connection.execute(
            "SELECT data_source, arg_max(profile, noted_at), arg_max(job_id, noted_at)::VARCHAR FROM imports"
            " JOIN (SELECT DISTINCT data_source, job_id FROM production WHERE data_source IN"
            " (SELECT data_source FROM data_sources WHERE job_id = $job::UUID)) USING (job_id)"
            " WHERE profile IS NOT NULL AND job_id <> $job::UUID GROUP BY data_source",
            {"job": job_id},
        ).fetchall()

    def note_import(self, note: ImportNote, *, job_id: str) -> None:
        """Keep what there is to know of an import beside its records."""
        write_note(self.connection, job_id, note, self.now)

    def undone_since(self, moment: datetime) -> bool:
        """Tell whether an import was undone after a moment (UTC)."""
        return self.connection.execute("FROM undone_imports WHERE undone_at > ?", [moment]).fetchone() is not None

    def end_unmet(self, feed: str, *, job_id: str, began: datetime) -> int:
        """End the records that a whole load of a feed did not meet; see `store.history.end_unmet`."""
        return end_unmet(self.connection, job_id, feed, began=began, now=self.now)

    def undo(
        self,
        job_id: str,
        *,
        undone_by: str,
        well_in_one_field: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Undone:
        """Take an import back; see `store.history.Undoing`."""
        undoing = Undoing(self.connection, job_id, undone_by, self.now, well_in_one_field=well_in_one_field)
        return undoing.run(on_progress or (lambda _done, _total: None))

    def save_cursor(self, job_id: str, state: str) -> None:
        """Keep where the import `job_id` stands, as text, in the place of what was kept before."""
        self.connection.execute("DELETE FROM import_cursor WHERE job_id = ?::UUID", [job_id])
        self.connection.execute("INSERT INTO import_cursor VALUES (?::UUID, ?)", [job_id, state])

    def forget_confirmed(self, job_id: str) -> None:
        """Drop the marks of records that the import met unchanged; it has ended."""
        self.connection.execute("DELETE FROM import_confirmed WHERE job_id = ?::UUID", [job_id])


def load_cursor(store: Store, job_id: str) -> str | None:
    """Give where the import `job_id` stood after its last commit, or None when it has committed nothing."""
    if not store.path.exists():
        return None
    with store.read() as reading:
        state = reading.value("SELECT state FROM import_cursor WHERE job_id = ?::UUID", [job_id])
    return None if state is None else str(state)
