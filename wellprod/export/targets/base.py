"""What a target of an export does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Target(Protocol):
    """Takes the file of an export, which is there whole or not at all."""

    @property
    def address(self) -> str:
        """The whole address, as a job row keeps it."""

    def place(self, key: str) -> str:
        """Give the path or the URL under which the file of `key` will be."""

    def receiving(self, key: str) -> AbstractContextManager[Path]:
        """Give a local path to write to; the end of the block puts the file in its place, an error does not.

        Raises
        ------
        ExportError
            It cannot be put there: the message says why and what to do.
        """
