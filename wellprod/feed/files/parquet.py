"""A Parquet file as a feed: read by row groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wellprod.errors import FeedUnreadable
from wellprod.feed.files.base import unopened
from wellprod.feed.files.table import Cells, Table, TableFile
from wellprod.feed.profile import Profile

PARQUET = b"PAR1"
_BATCH = 4096


class ParquetFile(TableFile):
    """The columns of a Parquet file."""

    def tables(self) -> Iterator[Table]:
        """Give the one table that it is."""
        yield _Parquet(self.path, self.profiles)


class _Parquet(Table):
    def __init__(self, path: Path, profiles: Sequence[Profile]) -> None:
        self.path, self.profiles, self.title = path, profiles, "The file"

    def rows(self, names: Sequence[str] | None = None) -> Iterator[Cells]:
        """Give the names of the columns, then the rows, some thousand in memory at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.path.open("rb") as file:
                found = pq.ParquetFile(file, pre_buffer=False)
                yield found.schema_arrow.names
                for batch in found.iter_batches(_BATCH):
                    columns = [column.to_pylist() for column in batch.columns]
                    yield from zip(*columns, strict=True)
        except OSError as error:
            raise (_broken(self.path, error) if error.errno is None else unopened(self.path, error)) from None
        except (pa.ArrowException, ValueError) as error:
            raise _broken(self.path, error) from None


def _broken(path: Path, error: Exception) -> FeedUnreadable:
    reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(" .")
    return FeedUnreadable(
        f"The file {path} is no whole Parquet file: {reason}.", next="Get the file again; it may have been cut off."
    )
