"""Where exports go: folders and S3, over a real service; whole or not there, whatever breaks; and links to them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest

from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError, UsageError
from wellprod.export import (
    ExportRequest,
    check_link,
    export_link,
    export_records,
    export_status,
    resume_export,
    trigger_export,
)
from wellprod.export.targets import S3Target, find_target
from wellprod.jobs import Job, Ledger, Status
from wellprod.settings import Settings
from wellprod.store import Store
from wellprod.text import attachment

from .conftest import CommandLine
from .lab import until
from .s3 import BUCKET, Wire, client, emptied, objects, running_s3, unfinished
from .scripted import record, serving
from .stores import fill
from .test_background import ended, files_in, killed
from .test_background import ledger as ledger
from .test_store import merged

pytestmark = pytest.mark.slow

RECORDS = 200_000
SECRET = "mysecretmysecret"
TO_S3 = f"s3://{BUCKET}/monthly/"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A service that lets everybody in."""
    with running_s3() as url:
        yield url


@pytest.fixture(autouse=True)
def _signed_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of the SDK: the service of this module, and nothing of this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL_S3": request.getfixturevalue("s3"),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bench(settings: Settings, s3: str) -> Settings:
    """A workbench of two records; the bucket is empty."""
    merged(Store(settings.store_path), [record(1), record(2)])
    emptied(s3)
    return settings


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose export is sent in several parts."""
    path = tmp_path_factory.mktemp("large") / "wells_production.duckdb"
    fill(path, RECORDS)
    return path


@pytest.fixture
def large(bench: Settings, large_store: Path) -> Settings:
    """A workbench whose export is sent in several parts."""
    shutil.copy(large_store, bench.store_path)
    return bench


def assert_nothing_left(settings: Settings, s3: str) -> None:
    """Check that neither an object nor a part nor a local file is there."""
    assert (objects(s3), unfinished(s3), files_in(settings.work_path)) == ([], [], [])


def assert_one_whole(settings: Settings, s3: str, job: Job) -> None:
    """Check that there is one object, with the bytes that the job says, and nothing beside it."""
    assert job.status == Status.COMPLETED and job.summary
    assert objects(s3) == [f"monthly/{job.summary['key']}"]
    body = client(s3).get_object(Bucket=BUCKET, Key=objects(s3)[0])["Body"].read()
    assert (hashlib.sha256(body).hexdigest(), len(body)) == (job.summary["sha256"], job.summary["size_bytes"])
    assert (unfinished(s3), files_in(settings.work_path)) == ([], [])


# S3


@pytest.mark.parametrize("amount", ["bench", "large"])
def test_an_export_to_s3_is_whole(amount: str, request: pytest.FixtureRequest, s3: str, ledger: Ledger) -> None:
    """The object has key, bytes, digest, type and readable name; what was sent is told; no local file stays."""
    settings: Settings = request.getfixturevalue(amount)
    told: list[tuple[int, int]] = []
    asked = ExportRequest(Selection(name="Tupi März"), "csv.gz" if amount == "bench" else "csv", TO_S3)
    result = export_records(asked, settings, on_sent=lambda *sent: told.append(sent))
    assert result.path == f"{TO_S3}exports/Tupi März/{result.job_id}.{result.format}"
    assert_one_whole(settings, s3, ledger.get(result.job_id))
    found = client(s3).head_object(Bucket=BUCKET, Key=objects(s3)[0], ChecksumMode="ENABLED")
    assert found["Metadata"] == {"sha256": result.sha256} and found["ChecksumSHA256"]
    kinds = {"csv": "text/csv; charset=utf-8", "csv.gz": "application/gzip"}
    assert found["ContentType"] == kinds[result.format]
    assert found["ContentDisposition"] == attachment(f"wells_prod_Tupi-März.{result.format}")
    assert told[-1] == (result.size_bytes, result.size_bytes)
    assert ("-4" in found["ETag"]) == (amount == "large"), "in parts, where it is large"


def test_a_service_without_checksums_is_served(
    bench: Settings, s3: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's own variable turns them off; size and digest are compared all the same."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    job_id = export_records(ExportRequest(output=TO_S3), bench).job_id
    assert_one_whole(bench, s3, ledger.get(job_id))
    assert "ChecksumSHA256" not in client(s3).head_object(Bucket=BUCKET, Key=objects(s3)[0], ChecksumMode="ENABLED")


def test_exports_in_the_background_go_to_the_target_of_the_settings(
    bench: Settings, s3: str, ledger: Ledger, tmp_path: Path
) -> None:
    """Without an output: to S3, or to a folder, which need not be there yet."""
    job = ended(ledger, trigger_export(ExportRequest(), bench.model_copy(update={"export_target": TO_S3})))
    assert_one_whole(bench, s3, job)
    folder = tmp_path / "shared" / "exports"
    job = ended(ledger, trigger_export(ExportRequest(), bench.model_copy(update={"export_target": str(folder)})))
    assert files_in(folder) == [folder / "exports" / "all" / f"{job.job_id}.csv"]


def test_an_address_in_a_path_is_an_address_still() -> None:
    """A `Path` keeps one slash of two; what was to go to a bucket does not go to a folder called s3:."""
    assert find_target(str(Path("s3://bucket/prefix"))) == S3Target("bucket", "prefix")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://Bucket/x", "'Bucket' is no name of a bucket"),
        ("s3://b/x", "'b' is no name"),
        ("s3://127.0.0.1/x", "is no name"),
        ("s3://AKIA:opensesame@bucket/x", "no sign-in"),
        ("s3://AKIA:open/sesame@bucket/x", "no sign-in"),
        ("s3://bucket:9000/x", "no port"),
        ("s3://bucket/a//b", "an empty part"),
        ("s3://bucket/../x", "one of dots"),
        ("s3://bucket/x?X-Amz-Signature=opensesame", "holds no ?"),
        ("s3://bucket/a\nb", "cannot be printed"),
        (f"s3://bucket/{'é' * 300}", "has 600 bytes"),
        ("s3://bucket/wells.csv", "is no folder but a file"),
        ("gs://me:opensesame@bucket/x", "gs://, which is not known"),
    ],
)
def test_a_bad_address_is_refused_before_a_job_exists(bench: Settings, address: str, says: str) -> None:
    """The message says what is wrong with it and repeats no secret; from the command line and the settings too."""
    with pytest.raises(UsageError) as caught:
        trigger_export(ExportRequest(), bench.model_copy(update={"export_target": address}))
    assert says in str(caught.value) and "sesame" not in str(caught.value)
    with pytest.raises(UsageError):
        ExportRequest(output=address)
    assert Ledger(bench.jobs_path).jobs() == []


@pytest.mark.parametrize(
    ("changes", "output", "says", "advice"),
    [
        ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, TO_S3, "S3 at http://127.0.0.1:9 cannot be reached", "it runs"),
        ({}, "s3://no-such-bucket/", "There is no bucket no-such-bucket in S3 at http", "Make the bucket"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, TO_S3, "no credentials", "AWS_ACCESS_KEY_ID"),
        ({"AWS_PROFILE": "absent"}, TO_S3, "AWS profile (absent) could not be found", "AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL_S3": "nonsense"}, TO_S3, "endpoint of S3 is no address", "AWS_ENDPOINT_URL_S3"),
    ],
    ids=["down", "bucket", "credentials", "profile", "endpoint"],
)
def test_what_keeps_s3_from_taking_it_is_told(
    bench: Settings,
    ledger: Ledger,
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    output: str,
    says: str,
    advice: str,
) -> None:
    """The job has FAILED with what is wrong and what to do, before anything is written."""
    with monkeypatch.context() as changed, pytest.raises(ExportError):
        for name, value in changes.items():
            changed.setenv(name, value)
        export_records(ExportRequest(output=output), bench)
    (job,) = ledger.jobs()
    assert job.status == Status.FAILED and job.error and job.progress is None
    assert says in job.error["message"] and advice in job.error["next"]
    assert SECRET not in json.dumps(job.as_dict())
    assert_nothing_left(bench, s3)


def test_wrong_keys_and_missing_rights_are_told_apart(
    bench: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown key, a wrong secret and a key without the right each say so."""
    with running_s3(INITIAL_NO_AUTH_ACTION_COUNT="4") as url:
        given: dict[str, Any] = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        iam = boto3.session.Session().client("iam", endpoint_url=url, **given)
        iam.create_user(UserName="analyst")
        key = iam.create_access_key(UserName="analyst")["AccessKey"]
        right = {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [right]})
        iam.put_user_policy(UserName="analyst", PolicyName="p", PolicyDocument=policy)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        for access, secret, says in (
            ("AKIAUNKNOWNUNKNOWN12", SECRET, "does not know the access key"),
            (key["AccessKeyId"], SECRET, "does not accept the secret key"),
            (key["AccessKeyId"], key["SecretAccessKey"], f"use the bucket {BUCKET} (PutObject: access denied)"),
        ):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
            with pytest.raises(ExportError) as caught:
                export_records(ExportRequest(output=TO_S3), bench)
            assert says in str(caught.value)
            assert secret not in json.dumps(ledger.jobs()[0].as_dict())
    assert files_in(bench.work_path) == []


@pytest.mark.parametrize(
    ("status", "code", "more", "says", "advice"),
    [
        (400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>", "region, eu-west-1", "REGION=eu-west-1"),
        (400, "ExpiredToken", "", "sign-in to S3 at http", "aws sso login"),
        (403, "RequestTimeTooSkewed", "", "another time", "clock"),
        (501, "NotImplemented", "", "does not know ListObjectsV2", "when_required"),
        (418, "Teapot", "<Message>I am short.</Message>", "refused ListObjectsV2: Teapot, I am short.", "who runs"),
    ],
)
def test_what_a_service_refuses_is_told(
    bench: Settings,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    more: str,
    says: str,
    advice: str,
) -> None:
    """Another region, an expired sign-in, a wrong clock, an older service and what nobody foresaw."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code>{more}</Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    with serving(Refusing) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://{address}")
        with pytest.raises(ExportError) as caught:
            export_records(ExportRequest(output=TO_S3), bench)
    assert says in caught.value.message and advice in caught.value.next


# What breaks in the midst


@pytest.fixture
def held(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A wire to the service that holds the third part of an upload."""
    wire = Wire(s3, hold_at=b"partNumber=", pieces=2)
    with wire.running() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        yield wire


def test_a_service_that_breaks_off_is_told_and_a_retry_leaves_one_object(
    large: Settings, ledger: Ledger, s3: str, held: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAILED with what happened and what is left; the same job then clears it, and writes the one object."""

    def cut() -> None:
        held.held.wait(60)
        held.cut()

    threading.Thread(target=cut, daemon=True).start()
    with pytest.raises(ExportError, match="S3 at http") as caught:
        export_records(ExportRequest(output=TO_S3), large)
    (job,) = ledger.jobs()
    assert job.status == Status.FAILED and job.progress and job.progress["stage"] == "upload"
    assert "may still be there" in str(job.error), caught.value
    assert (objects(s3), len(unfinished(s3)), files_in(large.work_path)) == ([], 1, [])
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
    resume_export(job.job_id, large)
    assert_one_whole(large, s3, ledger.get(job.job_id))


def test_a_killed_upload_leaves_no_object_and_a_retry_leaves_one(
    large: Settings, ledger: Ledger, s3: str, held: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the midst: no object; the resume drops the parts that were sent and writes one."""
    job_id = trigger_export(ExportRequest(output=TO_S3), large)
    assert held.held.wait(60)
    assert ledger.get(job_id).progress
    killed(large, job_id)
    assert ledger.get(job_id).status == Status.FAILED
    assert (objects(s3), len(unfinished(s3)), len(files_in(large.work_path))) == ([], 1, 1)
    held.cut()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
    assert resume_export(job_id, large).job_id == job_id
    assert_one_whole(large, s3, ledger.get(job_id))


def test_a_cancelled_upload_leaves_nothing(large: Settings, ledger: Ledger, s3: str, held: Wire) -> None:
    """Heard while parts are on their way: CANCELLED, and neither an object nor a part is there."""
    job_id = trigger_export(ExportRequest(output=TO_S3), large)
    assert held.held.wait(60)
    sent = until(lambda: (ledger.get(job_id).progress or {}).get("bytes_sent"))
    status = export_status(ledger.get(job_id))
    assert (status["stage"], status["rows"]) == ("upload", None) and sent > 0
    ledger.cancel(job_id)
    until(lambda: "stopped" not in str(ledger.get(job_id).error))
    held.released.set()
    job = ended(ledger, job_id)
    assert job.status == Status.CANCELLED and job.error
    assert job.error["message"] == "The export was stopped on request; s3://exports-of-wells/monthly is unchanged."
    assert_nothing_left(large, s3)


def test_a_time_out_in_a_stalled_upload_is_told(
    bench: Settings, ledger: Ledger, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAILED with the reason, though the service says nothing at all; and nothing is left."""
    wire = Wire(s3, hold_at=b"PUT /")
    with wire.running() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        job_id = trigger_export(ExportRequest(output=TO_S3), bench.model_copy(update={"export_timeout_seconds": 4}))
        job = ended(ledger, job_id)
        assert wire.held.is_set()
    assert job.status == Status.FAILED and job.error
    assert job.error["message"].startswith("The export took longer than 4.0 s;")
    assert "WELLPROD_EXPORT_TIMEOUT_SECONDS" in job.error["next"]
    assert_nothing_left(bench, s3)


@pytest.mark.parametrize("seconds", [0.001, 0.2, 0.5])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_time_out_in_reading_is_told(large: Settings, ledger: Ledger, form: str, seconds: float) -> None:
    """FAILED with the reason, before a query, in one or between two; no file is left, and no interrupt escapes."""
    slow = large.model_copy(update={"export_timeout_seconds": seconds, "export_batch_records": 1000})
    with pytest.raises(ExportError, match="The export took longer than"):
        export_records(ExportRequest(format=form, output=f"{large.downloads_path}/"), slow)
    (job,) = ledger.jobs()
    assert job.status == Status.FAILED and job.error and "is unchanged" in job.error["message"]
    assert files_in(large.downloads_path) == []


def test_a_time_out_breaks_off_a_query(bench: Settings, ledger: Ledger) -> None:
    """A query that would take hours ends with the time of the export."""
    with Store(bench.store_path).write() as writing:
        writing.connection.execute(
            "ALTER TABLE production RENAME TO kept; CREATE VIEW production AS SELECT kept.* FROM kept,"
            " (SELECT sum(hash(a.i * b.i)) AS s FROM range(1000000) a(i), range(1000000) b(i)) WHERE s > 0"
        )
    with pytest.raises(ExportError):
        job = ledger.create("export", ExportRequest().as_parameters())
        ledger.finish(job.job_id, Status.FAILED)
        resume_export(job.job_id, bench.model_copy(update={"export_timeout_seconds": 0.5}))
    (job,) = ledger.jobs()
    assert job.error and "took longer than 0.5 s" in job.error["message"]


def test_several_exports_at_once_are_each_whole(large: Settings, ledger: Ledger, s3: str, tmp_path: Path) -> None:
    """Three processes to S3 and three to a folder; the one that is killed leaves no file at its name."""
    outputs = [TO_S3, f"{tmp_path}/out/"] * 3
    ids = [
        trigger_export(ExportRequest(output=output, format=form), large)
        for output, form in zip(outputs, ["csv", "parquet", "csv.gz", "csv", "parquet", "csv.zst"], strict=True)
    ]
    doomed = trigger_export(ExportRequest(output=f"{tmp_path}/doomed/"), large)
    until(lambda: files_in(tmp_path / "doomed"))
    killed(large, doomed)
    jobs = [ended(ledger, job_id) for job_id in ids]
    assert [job.status for job in jobs] == [Status.COMPLETED] * 6
    for job in jobs:
        found = job.summary or {}
        key = f"monthly/{found['key']}"
        body = (
            client(s3).get_object(Bucket=BUCKET, Key=key)["Body"].read()
            if found["path"].startswith("s3://")
            else Path(found["path"]).read_bytes()
        )
        assert hashlib.sha256(body).hexdigest() == found["sha256"] and found["records"] == RECORDS
    assert (len(objects(s3)), len(files_in(tmp_path / "out"))) == (3, 3)
    assert not [path for path in files_in(tmp_path / "doomed") if not path.name.endswith(".part")]


def test_what_killed_exports_left_is_cleared(bench: Settings, ledger: Ledger) -> None:
    """The next export deletes the files of jobs that no longer run, and none of one that does or of anybody else."""
    running, gone = ledger.create("export", {}).job_id, ledger.create("export", {}).job_id
    ledger.finish(gone, Status.FAILED)
    folder = bench.downloads_path / "exports" / "all"
    kept = [bench.work_path / running / "records.parquet", bench.work_path / "notes.txt", folder / f"{gone}.csv"]
    left = [bench.work_path / gone / "records.parquet", folder / f".{gone}.csv.7.part"]
    for path in (*kept, *left):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    export_records(ExportRequest(), bench)
    assert [path for path in (*kept, *left) if path.exists()] == kept
    assert not (bench.work_path / gone).exists()
    ledger.finish(running, Status.CANCELLED)


# Links


def test_a_link_to_an_object_opens_it_until_it_expires(bench: Settings, s3: str, ledger: Ledger) -> None:
    """It gives the bytes under the readable name, to anybody; the job row and the log have none of it."""
    result = export_records(ExportRequest(Selection(first_month="2024-01"), output=TO_S3), bench)
    link = export_link(result.job_id[:8], bench)
    assert link.url and link.path is None and link.href == link.url
    assert time.time() + 3590 < link.expires_at <= time.time() + 3600 and "X-Amz-Expires=3600" in link.url
    with httpx.Client(trust_env=False) as anybody:
        answer = anybody.get(link.url)
    assert hashlib.sha256(answer.content).hexdigest() == result.sha256
    assert answer.headers["Content-Disposition"] == attachment("wells_prod_2024-01.csv")
    assert SECRET not in link.url and "Signature" not in json.dumps(ledger.get(result.job_id).as_dict())
    client(s3).delete_object(Bucket=BUCKET, Key=objects(s3)[0])
    with pytest.raises(ExportError, match="no object s3://"):
        export_link(result.job_id, bench)


@pytest.mark.parametrize("seconds", [0, -1, 604_801])
def test_a_link_has_a_life_within_bounds(bench: Settings, seconds: int) -> None:
    """Anything else is refused with the range."""
    job_id = export_records(ExportRequest(), bench).job_id
    with pytest.raises(UsageError, match="1 to 604,800 seconds"):
        export_link(job_id, bench, seconds)
    for allowed in (1, 604_800):
        assert export_link(job_id, bench, allowed).path


def test_a_local_link_is_for_one_file_and_one_time(bench: Settings) -> None:
    """Its path begins at the server's; another job, another time or a cut signature is not what was signed."""
    job_id, other = (export_records(ExportRequest(), bench).job_id for _ in range(2))
    link = export_link(job_id, bench.model_copy(update={"server_path": "/deep/er/"}), 60)
    assert link.url is None and link.path and link.href == f"/deep/er/{link.path}"
    expires, signature = (part.partition("=")[2] for part in urlsplit(link.path).query.split("&"))
    check_link(job_id, expires, signature, bench)
    for wrong in (
        (other, expires, signature),
        (job_id, str(int(expires) + 1), signature),
        (job_id, f"{expires} ", signature),
        (job_id, "", signature),
        (job_id, "9" * 5000, signature),
        (job_id, expires, signature[:-1]),
        (job_id, expires, ""),
        (job_id, expires, "é\udc80"),
        (job_id.upper(), expires, signature),
        (job_id[:8], expires, signature),
    ):
        with pytest.raises(UsageError, match="not whole, or was not made here"):
            check_link(*wrong, bench)


def test_the_secret_of_the_links_is_kept(bench: Settings) -> None:
    """It is made once, whole and for nobody else; one that others may read, or that is none, signs nothing."""
    job_id = export_records(ExportRequest(), bench).job_id
    threads = [threading.Thread(target=export_link, args=(job_id, bench)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path = bench.link_key_path
    assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, 32)
    path.chmod(0o644)
    with pytest.raises(ExportError, match="Others may read"):
        export_link(job_id, bench)
    path.chmod(0o600)
    path.write_bytes(b"")
    with pytest.raises(ExportError, match="is no key"):
        export_link(job_id, bench)


def test_a_link_needs_its_file(bench: Settings, ledger: Ledger, tmp_path: Path) -> None:
    """A file that is gone, was changed or is a link to another has none; nor has a job that is not done."""
    output = tmp_path / "out.csv"
    job_id = export_records(ExportRequest(output=output), bench).job_id
    assert export_link(job_id, bench).path
    moved = output.rename(tmp_path / "moved.csv")
    with pytest.raises(ExportError, match="no longer there"):
        export_link(job_id, bench)
    output.symlink_to(moved)
    with pytest.raises(ExportError, match="no longer there"):
        export_link(job_id, bench)
    output.unlink()
    output.write_text("other")
    with pytest.raises(ExportError, match="has changed since: it has 5 bytes"):
        export_link(job_id, bench)
    for kind in ("export", "import"):
        with pytest.raises(UsageError, match=f"is a RUNNING {kind}"):
            export_link(ledger.create(kind, {}).job_id, bench)


# What a job says


def test_the_status_of_an_export_has_every_name(bench: Settings, ledger: Ledger, run: CommandLine) -> None:
    """From before it began to its end; `jobs show --json` has the same."""
    names = set(export_status(ledger.create("export", ExportRequest().as_parameters(), status=Status.PENDING)))
    result = export_records(ExportRequest(Selection(wells=("1",)), output=TO_S3), bench)
    status = export_status(ledger.get(result.job_id))
    assert set(status) == names
    assert status["export_id"] == status["task_id"] == result.job_id
    assert (status["rows"], status["sha256"], status["target"]) == (1, result.sha256, TO_S3.rstrip("/"))
    assert status["selection"]["wells"] == ["1"] and status["stage"] is None
    shown = json.loads(run("jobs", "show", result.job_id, "--json").stdout)
    assert {name: shown[name] for name in status} == status and shown["job_id"] == result.job_id
    with pytest.raises(ExportError, match="no records"):
        export_records(ExportRequest(Selection(first_month="2030-01")), bench)


def test_the_command_gives_the_link(bench: Settings, run: CommandLine) -> None:
    """To an object on one line; to a local file only while a server runs, and else how to start one."""
    there = export_records(ExportRequest(output=TO_S3), bench).job_id
    done = run("jobs", "link", there, "--seconds", "60")
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and "X-Amz-Expires=60" in done.stdout
    assert "wells_prod.csv until" in done.stderr
    here = export_records(ExportRequest(), bench).job_id
    done = run("jobs", "link", here)
    assert (done.returncode, done.stdout) == (1, "") and "wellprod lab" in done.stderr
    done = run("jobs", "link", here, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["url"] is None
    assert told["path"].startswith(f"api/v1/exports/{here}/file?expires=")
    assert run("jobs", "link", here, "--seconds", "0").returncode == 2
