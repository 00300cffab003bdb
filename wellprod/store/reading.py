"""An open read on the store: tables as polars, and all records of a selection in batches, in the order of the key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from wellprod.errors import UsageError
from wellprod.schema import KEY, RECORD

SMALLEST_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """One open read; queries see the tables `production`, `production_history` and `rejected_rows`.

    `folder` is where the store lies, and None where it is in memory; `is_in_order` says that the records lie in the
    order of the key, so that none need be sorted.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path | None = None
    is_in_order: bool = False

    def table(self, query: str, parameters: Sequence[Any] = (), **frames: pl.DataFrame) -> pl.DataFrame:
        """Give the whole answer of a query, which sees `frames` as tables by their names."""
        for name, frame in frames.items():
            self.connection.register(name, frame)
        try:
            return self.connection.execute(query, parameters).pl()
        finally:
            for name in frames:
                self.connection.unregister(name)

    def answer(self, query: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Give the whole answer of a query that a person wrote.

        Raises
        ------
        UsageError
            DuckDB cannot answer it, or it would change the store; the message is DuckDB's own, with the place.
        """
        try:
            answer: duckdb.DuckDBPyConnection | None = self.connection.execute(query, parameters)
            return answer.pl() if answer else pl.DataFrame()
        except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
            names = "production, production_history, rejected_rows"
            raise UsageError(
                f"The query cannot be answered. {error}",
                next=f"The tables are {names}; DESCRIBE production lists the columns. A query changes nothing.",
            ) from None

    def value(self, query: str, parameters: Sequence[Any] = ()) -> Any:
        """Give the first value of a query's first row, or None when there is no row."""
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def mark(self) -> str:
        """Give a mark of the state of the records: it differs after each batch that changed one, and only then.

        It is of the records alone, so that it is the same in a copy of the store, after a restart, and after an import
        that brought nothing new. It takes milliseconds, however many records there are.
        """
        query = "SELECT count(*), epoch_us(max(updated_at)), sum(epoch_us(updated_at)) FROM production"
        return hashlib.sha256(repr(self.connection.execute(query).fetchone()).encode()).hexdigest()[:20]

    def interrupt(self) -> None:
        """Break off the query that runs, from another thread."""
        self.connection.interrupt()

    def records(
        self,
        where: str = "TRUE",
        parameters: Sequence[Any] = (),
        *,
        batch_records: int = 100_000,
        on_smaller: Callable[[int], None] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Yield the records that meet `where`, ordered by key, at most `batch_records` at a time.

        One stream, sorted where it must be, serves them as long as memory lasts. When it runs short, the batch is
        halved, down to 1,000, each further batch is a query of its own after the last key that was given, and
        `on_smaller` is told the new size; no record is lost or given twice.

        Raises
        ------
        duckdb.OutOfMemoryException
            Not even 1,000 records fit.
        """
        size, streaming, last = batch_records, True, None
        while True:
            after = "" if last is None else f" AND ({', '.join(KEY)}) > (?, ?, ?, ?)"
            query = f"SELECT {', '.join(RECORD)} FROM production WHERE ({where}){after}"
            if not (streaming and self.is_in_order):
                query += f" ORDER BY {', '.join(KEY)}{'' if streaming else f' LIMIT {size}'}"
            given = 0
            try:
                answer = self.connection.execute(query, [*parameters, *(last or ())])
                for arrow in answer.to_arrow_reader(size):
                    batch = pl.DataFrame(pl.from_arrow(arrow))
                    given += batch.height
                    last = batch.select(KEY).row(-1)
                    yield batch
            except Exception as error:  # Arrow passes DuckDB's error on as one of its own
                if not _is_out_of_memory(error):
                    raise
                if size <= SMALLEST_BATCH:
                    raise duckdb.OutOfMemoryException(str(error)) from error
                size, streaming = max(size // 2, SMALLEST_BATCH), False
                self.connection.execute("SET threads = 1")
                if on_smaller:
                    on_smaller(size)
                continue
            if streaming or given < size:
                return


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error)
