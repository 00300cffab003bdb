"""Links to exported files: they open one file to whoever has them, without a login, until they expire."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from filelock import FileLock

from wellprod.address import server_of
from wellprod.errors import ExportError, UsageError
from wellprod.export.downloads import exported_file
from wellprod.export.targets import S3Target, target_of
from wellprod.jobs import Ledger, Status
from wellprod.settings import Settings
from wellprod.text import moment, number

LINK_SECONDS = range(1, 7 * 24 * 3600 + 1)
_KEY_BYTES = 32
_LOCK_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Link:
    """A link to the file of an export, which is as good as the file: who has it can fetch it until it expires.

    Parameters
    ----------
    job_id, file_name
        The export, and what its file is saved as.
    url
        The whole address; None for a file of this machine while no server runs over its home.
    path
        The address on the server of this home, below its base; None for an object of S3.
    href
        The address for a page or a notebook of the server itself, whatever host a proxy shows it under.
    expires_at
        Seconds since 1970, UTC.
    """

    job_id: str
    file_name: str
    url: str | None
    path: str | None
    href: str
    expires_at: float

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    def _repr_html_(self) -> str:
        return f"<a href='{escape(self.href, quote=True)}'>{escape(self.file_name)}</a> until {moment(self.expires_at)}"


def export_link(job_id: str, settings: Settings, seconds: int | None = None) -> Link:
    """Give a link to the file of an export, of `export_link_seconds` life where no other is asked for.

    That of an object in S3 also ends when the session does whose credentials signed it.

    Raises
    ------
    JobNotFound
        There is no such job.
    UsageError
        The life is not within 1 second and 7 days, or the job is no export that is done.
    ExportError
        The file is gone or is no longer what was written, or S3 cannot be used.
    """
    life = settings.export_link_seconds if seconds is None else seconds
    if life not in LINK_SECONDS:
        raise UsageError(
            f"A link cannot last {number(life)} seconds.",
            next=f"Give 1 to {number(LINK_SECONDS[-1])} seconds, which is 7 days.",
        )
    job = Ledger(settings.jobs_path).get(job_id)
    if job.kind != "export" or job.status != Status.COMPLETED:
        raise UsageError(
            f"The job {job.job_id} is a {job.status} {job.kind}.", next="Only an export that is done has a link."
        )
    summary = job.summary or {}
    expires = int(time.time()) + life
    target = target_of(job.parameters.get("output"), settings)
    if isinstance(target, S3Target):
        url = target.link(summary["key"], life)
        return Link(job.job_id, summary["file_name"], url, None, url, expires)
    exported_file(job, settings)
    path = f"api/v1/exports/{job.job_id}/file?expires={expires}&signature={_signature(job.job_id, expires, settings)}"
    server, href = server_of(settings), f"{settings.server_path.rstrip('/')}/{path}"
    return Link(job.job_id, summary["file_name"], server and f"{server}{path}", path, href, expires)


def check_link(job_id: str, expires: str, signature: str, settings: Settings) -> None:
    """Hold a signed link against what was signed.

    Raises
    ------
    UsageError
        It was not made here for this job and this time, or its time is over.
    ExportError
        The secret that signs links cannot be used.
    """
    until = int(expires) if re.fullmatch(r"[0-9]{1,12}", expires) else 0
    expected = _signature(job_id, until, settings)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise UsageError("This link is not whole, or was not made here.", next="Copy it again, or ask for a new one.")
    if until <= time.time():
        raise UsageError(f"This link has expired at {moment(until)}.", next="Ask for a new one.")


def _signature(job_id: str, expires: int, settings: Settings) -> str:
    told = f"wellprod export {job_id} until {expires}"
    return hmac.new(_key(settings.link_key_path), told.encode(), hashlib.sha256).hexdigest()


def _key(path: Path) -> bytes:
    """Give the secret of the workbench that signs its links; the first use makes it."""
    try:
        if not path.exists():
            _make_key(path)
        rights = stat.S_IMODE(path.stat().st_mode)
        key = path.read_bytes()
    except OSError as error:
        raise ExportError(
            f"Links cannot be signed: {path} cannot be used ({error.strerror or error}).",
            next="Make room or give the right to write there.",
        ) from None
    if os.name == "posix" and rights & 0o077:
        raise ExportError(f"Others may read {path} (its rights are {rights:o}).", next=f"Delete {path}: links end.")
    if len(key) != _KEY_BYTES:
        raise ExportError(f"{path} is no key.", next=f"Delete {path}: a new one is made, and the links there are end.")
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
        if path.exists():  # another process was first
            return
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        part.replace(path)
