"""What a format of an export does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import polars as pl


class Format(Protocol):
    """Writes records to one file, batch by batch."""

    extension: str

    def write(self, batches: Iterable[pl.DataFrame], path: Path) -> None:
        """Write all batches, in order, to a new file at `path`; raises OSError when it cannot."""
