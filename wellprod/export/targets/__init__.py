"""Where an export goes: one file each kind of target, chosen by the form of the address."""

from __future__ import annotations

import re
from pathlib import Path

from wellprod.errors import UsageError
from wellprod.export.targets.base import Outgoing, Target
from wellprod.export.targets.folder import FileTarget, FolderTarget
from wellprod.export.targets.s3 import S3Target
from wellprod.settings import Settings

_SHORT_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")  # what a `Path` makes of an address
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def find_target(output: str) -> Target:
    """Give the target that an address stands for: a file, or a folder with many.

    A path is a file, unless it is a folder that is there or ends with a slash.

    Raises
    ------
    UsageError
        The address has a scheme that is not known, or names no bucket.
    """
    output = _SHORT_SCHEME.sub(r"\1://", output)
    scheme = found[1].lower() if (found := _SCHEME.match(output)) else ""
    if scheme == "s3":
        return S3Target.at(output)
    if scheme:
        raise UsageError(
            f"An export cannot go to {scheme}://, which is not known.",
            next="Give the path of a file, or of a folder with a slash at its end, or s3://bucket/prefix.",
        )
    path = Path(output).expanduser().resolve()
    return FolderTarget(path) if output.endswith("/") or path.is_dir() else FileTarget(path)


def target_of(output: str | Path | None, settings: Settings) -> Target:
    """Give the target of an export: that of its output, else the folder of the downloads.

    Raises
    ------
    UsageError
        As for `find_target`.
    """
    return find_target(str(output or f"{settings.downloads_path}/"))


__all__ = ["FileTarget", "FolderTarget", "Outgoing", "S3Target", "Target", "find_target", "target_of"]
