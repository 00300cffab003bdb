"""A bucket of any S3 service: the object is there whole and compared with what was sent, or not at all.

Endpoint, region, proxy and credentials are those of the SDK: `AWS_ENDPOINT_URL_S3`, `AWS_ACCESS_KEY_ID`,
`AWS_PROFILE` and so on, its files, or the role of the machine. For a service that takes no checksums the SDK's own
`AWS_REQUEST_CHECKSUM_CALCULATION=when_required` turns them off; then size and digest are compared all the same where
the service gives them back.
"""

from __future__ import annotations

import hashlib
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from wellprod.errors import ExportError, UsageError
from wellprod.export.targets.base import Outgoing
from wellprod.export.targets.refusals import GONE, NOT_ALLOWED, NOT_OFFERED, code_of, told
from wellprod.text import attachment, number

_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX_BYTES = 500  # a key has 1,024 at most, and the name of the export is to go behind it
_PART_BYTES = 8 * 2**20
_THREADS = 4
_ATTEMPTS = 3
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_TOLD_SECONDS = 0.5
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "gz": "application/gzip",
    "json": "application/x-ndjson",
    "jsonl": "application/x-ndjson",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "zip": "application/zip",
    "zst": "application/zstd",
}


@dataclass(frozen=True)
class S3Target:
    """A bucket, and a prefix in it under which each export has its object."""

    bucket: str
    prefix: str = ""

    @classmethod
    def at(cls, address: str) -> S3Target:
        """Give the target of an address such as ``s3://bucket/prefix``.

        Raises
        ------
        UsageError
            It is no such address; the message repeats nothing that may be secret.
        """
        bucket, _, prefix = address.partition("://")[2].partition("/")
        prefix = prefix.strip("/")
        reason = _wrong_bucket(bucket) or _wrong_prefix(prefix)
        if reason:
            raise UsageError(reason, next="Write it as s3://bucket/prefix; endpoint and sign-in come from AWS_*.")
        return cls(bucket, prefix)

    @property
    def address(self) -> str:
        """The address, without a slash at its end."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def place(self, key: str) -> str:
        """Give the address of the object."""
        return f"s3://{self.bucket}/{self._key(key)}"

    def check(self) -> None:
        """Ask for a list of one object: a missing bucket or a wrong key is told; no right to list is no reason."""
        with self._connected() as client, _allowing(NOT_ALLOWED):
            client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)

    def receiving(self, key: str, work_path: Path) -> AbstractContextManager[Path]:
        """Give a path in `work_path`."""
        return nullcontext(work_path / PurePath(key).name)

    def put(self, part: Path, file: Outgoing) -> None:
        """Send the file in parts, several at a time, and compare; what an earlier run has left of them is dropped.

        An upload that fails or is stopped is aborted, and no object is left. That waits for the parts that are under
        way, at most as long as the service may take to answer.
        """
        key = self._key(file.key)
        with self._connected(read_seconds=file.seconds_left) as client:
            self._drop_unfinished(client, key)
            try:
                self._send(client, part, key, file)
                self._compare(client, part, key, file)
            except BaseException as failure:
                self._take_back(key, failure)
                raise

    def link(self, key: str, seconds: int) -> str:
        """Give an address that anybody can fetch the object from for so long, without signing in.

        Raises
        ------
        ExportError
            The object is gone, or there is nothing to sign with.
        """
        with self._connected() as client, _allowing(NOT_ALLOWED):
            try:
                client.head_object(Bucket=self.bucket, Key=self._key(key))
            except _client_error() as error:
                if code_of(error) in GONE:
                    raise ExportError(f"There is no object {self.place(key)} any more.", next="Export again.") from None
                raise
        with self._connected() as client:
            asked = {"Bucket": self.bucket, "Key": self._key(key)}
            return str(client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds))

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}".lstrip("/")

    @cached_property
    def _session(self) -> Any:
        import boto3  # it takes long to load

        return boto3.session.Session()

    @contextmanager
    def _connected(self, *, read_seconds: float = _READ_SECONDS, attempts: int = _ATTEMPTS) -> Iterator[Any]:
        """Give a client of the service; what it says no to is told in words."""
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=min(max(read_seconds, 1.0), _READ_SECONDS),
            retries={"mode": "standard", "total_max_attempts": attempts},
            signature_version="s3v4",  # links of the older form last no longer than the SDK likes
        )
        client = None
        try:
            client = self._session.client("s3", config=config)
            yield client
        except (BotoCoreError, ClientError) as error:
            raise told(error, self.bucket, client.meta.endpoint_url if client else "") from None
        except ValueError as error:
            if client is None and "endpoint" in str(error).lower():
                raise ExportError(
                    "The endpoint of S3 is no address.", next="Write AWS_ENDPOINT_URL_S3 as https://host:port."
                ) from None
            raise
        finally:
            if client:
                client.close()

    def _send(self, client: Any, part: Path, key: str, file: Outgoing) -> None:
        from boto3.s3.transfer import TransferConfig, create_transfer_manager

        extra = {
            "ContentType": _TYPES.get(PurePath(key).suffix[1:], "application/octet-stream"),
            "ContentDisposition": attachment(file.file_name),
            "Metadata": {"sha256": file.sha256},
        }
        if client.meta.config.request_checksum_calculation == "when_supported":
            extra["ChecksumAlgorithm"] = "SHA256"
        config = TransferConfig(
            multipart_threshold=_PART_BYTES,
            multipart_chunksize=_PART_BYTES,
            max_concurrency=_THREADS,
            preferred_transfer_client="classic",
        )
        sent = _Sent()
        file.watch(sent.count)
        with create_transfer_manager(client, config) as manager:
            future = manager.upload(str(part), self.bucket, key, extra_args=extra, subscribers=[sent])
            while not sent.ended.wait(_TOLD_SECONDS):
                file.watch(sent.count)
            future.result()
        file.watch(sent.count)

    def _compare(self, client: Any, part: Path, key: str, file: Outgoing) -> None:
        """Ask what is there now; whoever may write and not read has the checks of the SDK alone."""
        found: dict[str, Any] = {}
        with _allowing(NOT_ALLOWED):
            found = client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        length = found.get("ContentLength", file.size_bytes)
        digest = found.get("Metadata", {}).get("sha256", file.sha256)
        if (
            length != file.size_bytes
            or digest != file.sha256
            or _is_other(found.get("ChecksumSHA256", ""), part, digest)
        ):
            raise ExportError(
                f"The object {self.place(file.key)} is not what was sent: it has {number(length)} bytes, sent were"
                f" {number(file.size_bytes)}.",
                next="Export again. Where the service is an older one, set"
                " AWS_REQUEST_CHECKSUM_CALCULATION=when_required first.",
            )

    def _drop_unfinished(self, client: Any, key: str) -> None:
        """Abort the uploads of this key that were begun and not ended, where the service tells of them."""
        with _allowing({*NOT_ALLOWED, *NOT_OFFERED}):
            pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=key)
            begun = [upload for page in pages for upload in page.get("Uploads", ()) if upload["Key"] == key]
            for upload in begun:
                with _allowing({"NoSuchUpload"}):
                    client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload["UploadId"])

    def _take_back(self, key: str, failure: BaseException) -> None:
        """Leave neither an object nor parts of one; where that cannot be, `failure` gets a note."""
        try:
            with self._connected(read_seconds=_CONNECT_SECONDS, attempts=1) as client:
                self._drop_unfinished(client, key)
                with _allowing(NOT_ALLOWED):
                    client.delete_object(Bucket=self.bucket, Key=key)
        except ExportError:
            failure.add_note("What was sent may still be there; to run the job again clears it away.")


class _Sent:
    """What is told of an upload while it goes on, by threads of the SDK."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = threading.Event()
        self._lock = threading.Lock()

    def on_queued(self, **_: Any) -> None:
        """Hear that it begins."""

    def on_progress(self, bytes_transferred: int, **_: Any) -> None:
        """Add what went out; what is sent again is taken off first."""
        with self._lock:
            self.count += bytes_transferred

    def on_done(self, **_: Any) -> None:
        """Hear that it ended, well or not."""
        self.ended.set()


@contextmanager
def _allowing(codes: frozenset[str] | set[str]) -> Iterator[None]:
    """Pass by what the service refuses with one of these codes."""
    try:
        yield
    except _client_error() as error:
        if code_of(error) not in codes:
            raise


def _client_error() -> type[Exception]:
    from botocore.exceptions import ClientError

    return ClientError  # type: ignore[no-any-return]


def _is_other(checksum: str, part: Path, sha256: str) -> bool:
    """Tell whether a checksum of the service is of other bytes than those of `part`, whose digest is `sha256`.

    It is the digest of the whole in base64, or that of the digests of the parts, mostly with their number behind it:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    digest, _, parts = checksum.partition("-")
    ours = str(-(-part.stat().st_size // _PART_BYTES))
    if digest in ("", b64encode(bytes.fromhex(sha256)).decode()) or parts not in ("", ours):
        return False  # none was given, it is right, or of parts of another size than ours
    digests = hashlib.sha256()
    with part.open("rb") as file:
        while piece := file.read(_PART_BYTES):
            digests.update(hashlib.sha256(piece).digest())
    return digest != b64encode(digests.digest()).decode()


def _wrong_bucket(bucket: str) -> str:
    if "@" in bucket or ":" in bucket:
        return "An S3 address begins with the name of a bucket; it holds no sign-in and no port."
    if not bucket:
        return "The S3 address names no bucket."
    if not _BUCKET.fullmatch(bucket) or re.fullmatch(r"[\d.]+", bucket):
        return f"{bucket[:80]!r} is no name of a bucket: that has 3 to 63 small letters, digits, dots and hyphens."
    return ""


def _wrong_prefix(prefix: str) -> str:
    if re.search(r"[?#]", prefix):
        return "A prefix in a bucket holds no ? and no #."
    if prefix and {"", ".", ".."} & set(prefix.split("/")):
        return f"The prefix {prefix[:80]!r} has an empty part or one of dots."
    if not prefix.isprintable():
        return f"The prefix {prefix[:80]!r} holds a character that cannot be printed."
    if len(prefix.encode()) > _PREFIX_BYTES:
        return f"The prefix has {len(prefix.encode())} bytes; up to {_PREFIX_BYTES} are taken."
    return ""
