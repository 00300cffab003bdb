"""The store: the one part that knows DuckDB and where the records lie."""

from wellprod.store.history import Undone
from wellprod.store.imports import ImportNote, last_note, note_since_undo
from wellprod.store.migrations import SCHEMA_VERSION
from wellprod.store.reading import Reading
from wellprod.store.store import FigureBasis, Limits, Store, Writing, load_cursor, read_copy

__all__ = [
    "SCHEMA_VERSION",
    "FigureBasis",
    "ImportNote",
    "Limits",
    "Reading",
    "Store",
    "Undone",
    "Writing",
    "last_note",
    "load_cursor",
    "note_since_undo",
    "read_copy",
]
