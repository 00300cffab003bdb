"""Files through the browser: exports out, feeds saved as JSON in; both as streams, never whole in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from tornado import web

from wellprod.errors import ExportError, JobNotFound, TooLarge, UsageError, WellprodError
from wellprod.export import check_link, exported_file
from wellprod.ingest import Arrival, check_upload
from wellprod.jobs import Job, Ledger, Status
from wellprod.server.door import Door, Refusal
from wellprod.text import attachment

_PLAIN_JSON_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*\.json", re.IGNORECASE)
_NAME_BYTES = 200
_SHORT_BYTES = 1_000_000


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


@web.stream_request_body
class UploadDoor(Door):
    """PUT /wellprod/uploads/NAME.json: a file from the browser into the uploads folder.

    GET on the same address, with `?size=BYTES`, asks whether it would be taken: a browser that has begun to send
    cannot read a refusal.
    """

    _arrival: Arrival | None = None
    _failure: WellprodError | None = None
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
            name = self._accepted(self.path_args[0], length)
        except Refusal as refusal:
            if not _is_short(length):
                raise
            self._refusal = refusal
            return
        self.request.connection.set_max_body_size(int(length))  # type: ignore[union-attr]
        with _refusing():
            self._arrival = Arrival(self.workbench, name, length=int(length))

    def data_received(self, chunk: bytes) -> None:
        """Write a piece of the body; after a failure the rest is read past, so that the answer can be."""
        if self._failure is None and self._arrival:
            try:
                self._arrival.write(chunk)
            except WellprodError as error:
                self._failure = error

    @web.authenticated
    @authorized
    async def put(self, name: str) -> None:
        """Keep the file, now that all of it is here."""
        if self._refusal:
            raise self._refusal
        assert self._arrival  # noqa: S101 - `prepare` has refused otherwise
        with _refusing():
            if self._failure:
                raise self._failure
            target = self._arrival.keep()
        self.finish({"name": target.name, "path": str(target), "size_bytes": target.stat().st_size})

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Say whether a file of that name and size would be taken."""
        self._accepted(name, self.get_query_argument("size", "0"))
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

    def _accepted(self, name: str, length: str) -> str:
        """Give the name of a file that would be taken, or refuse it."""
        if not _PLAIN_JSON_NAME.fullmatch(name) or len(name.encode()) > _NAME_BYTES:
            raise Refusal(
                400, f"{name[:80]!r} is not allowed as the name of a feed.", "Choose a .json file with a plain name."
            )
        if not (length.isascii() and length.isdigit()):
            raise Refusal(400, f"{length[:80]!r} is no size.", "Give it in bytes.")
        with _refusing():
            check_upload(self.workbench, int(length), name)
        return name


def _is_short(length: str) -> bool:
    return length.isascii() and length.isdigit() and int(length) <= _SHORT_BYTES


@contextmanager
def _refusing() -> Iterator[None]:
    """Answer with a refusal what a file cannot be taken for."""
    try:
        yield
    except TooLarge as error:
        raise Refusal(413, error.message, error.next) from None
    except WellprodError as error:
        raise Refusal(507, error.message, error.next) from None
