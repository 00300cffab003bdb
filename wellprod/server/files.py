"""Files through the browser: exports out, feeds saved as JSON in; both as streams, never whole in memory."""

from __future__ import annotations

import errno
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from tornado import web

from wellprod.errors import ExportError, JobNotFound, UsageError, WellprodError
from wellprod.export import check_link, exported_file
from wellprod.jobs import Job, Ledger, Status
from wellprod.server.door import Door, Refusal
from wellprod.text import attachment, size

_PLAIN_JSON_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*\.json", re.IGNORECASE)
_NAME_BYTES = 200
_SHORT_BYTES = 1_000_000
_LEFT_SECONDS = 24 * 3600.0  # what a killed server left of an upload goes after a day


class ExportDoor(Door, web.StaticFileHandler):
    """GET /wellprod/exports/JOB/file: the file of an export, for whoever is signed in or has a signed link to it."""

    def initialize(self, name: str) -> None:  # type: ignore[override]
        """Take the name of the extension; the folder is known once the settings are."""
        Door.initialize(self, name)

    async def prepare(self) -> None:  # type: ignore[override]
        """Take the query out of the address, since that is logged and a signature opens the file."""
        self.request.uri = self.request.path
        await Door.prepare(self)

    @allow_unauthenticated
    async def get(self, job_id: str, include_body: bool = True) -> None:
        """Stream the file, whole or the range asked for."""
        signature = self.get_query_argument("signature", None)
        if signature is not None:
            self._check_link(job_id, signature)
            await self._give(job_id, include_body)
        elif given := self._signed_in(job_id, include_body):  # nothing, where it leads to the login
            await given

    @allow_unauthenticated
    async def head(self, job_id: str) -> None:
        """Answer as `get` does, without the file."""
        await self.get(job_id, include_body=False)

    @web.authenticated
    @authorized
    async def _signed_in(self, job_id: str, include_body: bool) -> None:
        await self._give(job_id, include_body)

    def _check_link(self, job_id: str, signature: str) -> None:
        """Let a link be judged by what it says, whoever follows it; a stranger learns nothing else."""
        try:
            check_link(job_id, self.get_query_argument("expires", ""), signature, self.workbench)
        except UsageError as error:
            raise Refusal(403, error.message, error.next) from None
        except (ExportError, Refusal) as error:
            self.log.error("wellprod: %s", error)
            raise Refusal(503, "Links do not work at present.", "Tell whoever gave it to you.") from None

    async def _give(self, job_id: str, include_body: bool) -> None:
        job = self._finished_export(job_id)
        try:
            path = exported_file(job, self.workbench)
        except ExportError as error:
            raise Refusal(404, error.message, error.next) from None
        self._download_name = str((job.summary or {}).get("file_name") or path.name)
        web.StaticFileHandler.initialize(self, path=str(path.parent))
        await web.StaticFileHandler.get(self, path.name, include_body=include_body)

    def _finished_export(self, job_id: str) -> Job:
        try:
            job = Ledger(self.workbench.jobs_path).get(job_id)
        except JobNotFound as error:
            raise Refusal(404, error.message, "The status page shows the exports there are.") from None
        except WellprodError as error:
            raise Refusal(503, error.message, error.next) from None
        if job.kind != "export":
            raise Refusal(404, f"The job {job_id} is no export but an {job.kind}.", "Only an export has a file.")
        if job.status != Status.COMPLETED:
            wait = "Try again when it is done." if job.is_active else "Export again."
            raise Refusal(409, f"The export {job_id} has no file: its state is {job.status}.", wait)
        return job

    def compute_etag(self) -> str | None:
        """Tell one state of the file from another without reading it."""
        state = Path(str(self.absolute_path)).stat()
        return f'"{state.st_mtime_ns:x}-{state.st_size:x}"'

    def set_extra_headers(self, path: str) -> None:
        """Have the browser save the file under its name, and ask again next time."""
        self.set_header("Content-Disposition", attachment(self._download_name))
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")


class _Arrival:
    """A file on its way in, under a temporary name until it is whole."""

    def __init__(self, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(".*.part"):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink(missing_ok=True)
        self.target = target
        self._part = NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False)  # noqa: SIM115
        self.write = self._part.write

    def keep(self) -> None:
        """Give the file its name."""
        self._part.close()
        Path(self._part.name).replace(self.target)

    def drop(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):  # a full disk also refuses what is still in the buffer
            self._part.close()
        Path(self._part.name).unlink(missing_ok=True)


@web.stream_request_body
class UploadDoor(Door):
    """PUT /wellprod/uploads/NAME.json: a file from the browser into the uploads folder.

    GET on the same address, with `?size=BYTES`, asks whether it would be taken: a browser that has begun to send
    cannot read a refusal.
    """

    _arrival: _Arrival | None = None
    _failure: OSError | None = None
    _refusal: Refusal | None = None  # of a short body, which is read past so that the answer surely arrives

    async def prepare(self) -> None:  # type: ignore[override]
        """Decide before the first byte of the body is read."""
        await super().prepare()
        if self.request.method == "PUT":
            await self._begin()

    @authorized
    async def _begin(self) -> None:
        length = self.request.headers.get("Content-Length")
        if length is None:
            raise Refusal(411, "The size of the file is not given.", "Send it with Content-Length.")
        try:
            target = self._target(self.path_args[0], length)
        except Refusal as refusal:
            if not _is_short(length):
                raise
            self._refusal = refusal
            return
        self.request.connection.set_max_body_size(int(length))  # type: ignore[union-attr]
        try:
            self._arrival = _Arrival(target)
        except OSError as error:
            raise _unwritable(error) from None

    def data_received(self, chunk: bytes) -> None:
        """Write a piece of the body; after a failure the rest is read past, so that the answer can be."""
        if self._failure is None and self._arrival:
            try:
                self._arrival.write(chunk)
            except OSError as error:
                self._failure = error
                self._arrival.drop()

    @web.authenticated
    @authorized
    async def put(self, name: str) -> None:
        """Keep the file, now that all of it is here."""
        if self._refusal:
            raise self._refusal
        assert self._arrival  # noqa: S101 - `prepare` has refused otherwise
        try:
            if self._failure:
                raise self._failure
            self._arrival.keep()
        except OSError as error:
            self._arrival.drop()
            raise _unwritable(error) from None
        target = self._arrival.target
        self.finish({"name": target.name, "path": str(target), "size_bytes": target.stat().st_size})

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Say whether a file of that name and size would be taken."""
        self._target(name, self.get_query_argument("size", "0"))
        self.set_status(204)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Refuse, and read no more on this connection where the body has not been read."""
        if self.request.method == "PUT" and not self._refusal and not self._arrival:
            self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)

    def on_connection_close(self) -> None:
        """Drop what came when the connection was cut."""
        if self._arrival:
            self._arrival.drop()
        super().on_connection_close()

    def _target(self, name: str, length: str) -> Path:
        """Give where the file goes, or refuse it."""
        if not _PLAIN_JSON_NAME.fullmatch(name) or len(name.encode()) > _NAME_BYTES:
            raise Refusal(
                400, f"{name[:80]!r} is not allowed as the name of a feed.", "Choose a .json file with a plain name."
            )
        if not (length.isascii() and length.isdigit()):
            raise Refusal(400, f"{length[:80]!r} is no size.", "Give it in bytes.")
        folder, limit = self.workbench.uploads_path, self.workbench.upload_limit_mb * 1_000_000
        if int(length) > limit:
            raise Refusal(
                413,
                f"{name} has {size(int(length))}; up to {size(limit)} are taken.",
                "Raise WELLPROD_UPLOAD_LIMIT_MB, or import it with: wellprod import FILE",
            )
        free = shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free
        if int(length) > free:
            raise Refusal(507, f"{name} has {size(int(length))}; only {size(free)} are free.", "Make room on the disk.")
        return folder / name


def _is_short(length: str) -> bool:
    return length.isascii() and length.isdigit() and int(length) <= _SHORT_BYTES


def _unwritable(error: OSError) -> Refusal:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Refusal(
        507 if full else 500,
        f"The file cannot be kept: {error.strerror or error}. Nothing of it is left.",
        "Make room on the disk." if full else "Give the server the right to write in its uploads folder.",
    )
