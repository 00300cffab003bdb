"""What the store keeps of imports beside their records: from which feed, how much of it, and where to read on."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime

import duckdb

from wellprod.store.reading import Reading


@dataclass(frozen=True, slots=True)
class ImportNote:
    """What is kept of one import.

    `feed` tells feeds apart; `entity_type` is the JSON of what `$metadata` said of the records; `delta_link` is where
    the feed tells what changes from here on. `is_whole` says that the import met every record its feed has,
    `is_complete` that it came to its end.
    """

    feed: str
    profile: str | None = None
    entity_type: str | None = None
    delta_link: str | None = None
    is_whole: bool = False
    is_complete: bool = False


def write_note(connection: duckdb.DuckDBPyConnection, job_id: str, note: ImportNote, now: datetime) -> None:
    """Keep a note, in the place of what was kept of this import before."""
    connection.execute("DELETE FROM imports WHERE job_id = ?::UUID", [job_id])
    connection.execute("INSERT INTO imports VALUES (?::UUID, ?, ?, ?, ?, ?, ?, ?)", [job_id, *astuple(note), now])


def undone_by(reading: Reading, job_id: str) -> str | None:
    """Give the job that took an import back, or None where none did."""
    found = reading.value("SELECT undone_by::VARCHAR FROM undone_imports WHERE job_id = ?::UUID", [job_id])
    return None if found is None else str(found)


def profile_of(reading: Reading, job_id: str) -> str | None:
    """Give the name of the profile that an import read its feed by, where it was kept."""
    found = reading.value("SELECT profile FROM imports WHERE job_id = ?::UUID", [job_id])
    return None if found is None else str(found)


def last_note(reading: Reading, feed: str, condition: str = "is_complete") -> tuple[ImportNote, datetime] | None:
    """Give the newest note of a feed that meets a condition, and when (UTC) it was written; undone imports are none."""
    row = reading.connection.execute(
        "SELECT feed, profile, entity_type, delta_link, is_whole, is_complete, noted_at FROM imports"
        f" ANTI JOIN undone_imports USING (job_id) WHERE feed = ? AND {condition} ORDER BY noted_at DESC LIMIT 1",
        [feed],
    ).fetchone()
    return (ImportNote(*row[:-1]), row[-1]) if row else None


def note_since_undo(reading: Reading, feed: str, condition: str = "is_complete") -> tuple[ImportNote, datetime] | None:
    """Give it as `last_note`, if no import was undone since: with that went what this one may have met unchanged."""
    undone_at = "coalesce((SELECT max(undone_at) FROM undone_imports), '-infinity'::TIMESTAMP)"
    return last_note(reading, feed, f"{condition} AND noted_at > {undone_at}")
