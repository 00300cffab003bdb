"""The CSV of a selection that is made once for each state of the records, and stands until they change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from wellprod.analysis.production import SelectedProduction
from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError, StoreBusy
from wellprod.export.request import ExportRequest
from wellprod.export.run import extension_of
from wellprod.export.shelf import is_of_one_selection, note_use, shelf_name
from wellprod.export.start import begin_export
from wellprod.export.targets.folder import explained
from wellprod.jobs import Job, Ledger, Status
from wellprod.settings import Settings
from wellprod.store import Store

_LOCK_SECONDS = 30.0
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class StandingFile:
    """A whole file that does not change under its name.

    Parameters
    ----------
    path
        Where it lies on this machine.
    file_name
        What people save it as.
    etag
        The strong entity tag of HTTP, with its quotation marks: two files with the same one are the same bytes.
    size_bytes, made_at
        Its size, and when it was made in seconds since 1970, UTC.
    """

    path: Path
    file_name: str
    etag: str
    size_bytes: int
    made_at: float


def standing_csv(selection: Selection, settings: Settings, *, wait_seconds: float | None = None) -> StandingFile | str:
    """Give the CSV of a selection as the records are now, or the id of the job that makes it.

    The records decide which file it is: not the name of the selection, nor the order or the letter case of what is
    in it. While neither store nor selection change, it costs no look into either store or ledger. A job that makes
    the same already is joined, also that of another process; else one is started in a process of its own. When that
    is completed, `standing_file` gives its file.

    Parameters
    ----------
    wait_seconds
        Longest wait for the store here, where it is not that of the settings; that of the job is.

    Raises
    ------
    SelectionError, StoreMissing, StoreBusy, StoreError
        As for `export_records`.
    ExportError
        The selection is empty, or the shelf cannot be written.
    BusinessRuleViolation, JobError
        As for `begin_export`.
    """
    plain = replace(selection, name="", description="", client="")
    wait = settings.store_wait_seconds if wait_seconds is None else wait_seconds
    name = _name(_Wanted(plain, settings.store_path, _stamps(settings.store_path), wait))
    ledger = Ledger(settings.jobs_path)
    if found := _on_shelf(settings, name, selection) or _making(ledger, name):
        return found
    with _alone(settings.shelf_path):
        making = _making(ledger, name)  # asked first: a job that has ended by then has its file on the shelf
        if found := _on_shelf(settings, name, selection) or making:
            return found
        request = ExportRequest(selection, format="csv", output=f"{settings.shelf_path}/", shelf_name=name)
        return begin_export(request, settings)


def standing_file(job: Job, selection: Selection, settings: Settings) -> StandingFile:
    """Give the file that a job of `standing_csv` has made; the records may have changed since.

    Raises
    ------
    ExportError
        The job has not come to a good end, and the message is its own; or the file is gone since.
    """
    if job.status != Status.COMPLETED or not job.summary:
        error = job.error or {"message": f"The export {job.job_id} is {job.status}.", "next": "Wait for its end."}
        raise ExportError(str(error["message"]), next=str(error["next"]))
    found = _on_shelf(settings, Path(job.summary["key"]).stem, selection)
    if found is None:
        raise ExportError(f"The file of the export {job.job_id} is no longer there.", next="Ask for it again.")
    return found


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A selection over the records as they lie in a store whose files have these stamps."""

    selection: Selection
    store_path: Path
    stamps: tuple[tuple[int, int], ...]
    wait_seconds: float = field(compare=False)


@lru_cache(maxsize=256)
def _name(wanted: _Wanted) -> str:
    with Store(wanted.store_path, wanted.wait_seconds).read() as reading:
        condition = wanted.selection.condition(reading)
        extension_of(ExportRequest(), SelectedProduction(reading, condition))
        return shelf_name(reading, condition)


def _stamps(store_path: Path) -> tuple[tuple[int, int], ...]:
    """Give what differs after each write to the store, which may lie in its log for a while."""
    stamps = []
    for file in (store_path, store_path.with_name(f"{store_path.name}.wal")):
        with suppress(OSError):
            found = file.stat()
            stamps.append((found.st_mtime_ns, found.st_size))
    return tuple(stamps)


def _on_shelf(settings: Settings, name: str, selection: Selection) -> StandingFile | None:
    path = settings.shelf_path / f"{name}.csv"
    if (found := note_use(path)) is None:
        return None
    return StandingFile(
        path=path,
        file_name=ExportRequest(selection).file_name("csv"),
        etag=f'"{name}-{found.st_mtime_ns:x}"',  # a file that is made again after it went counts as another one
        size_bytes=found.st_size,
        made_at=found.st_mtime,
    )


@contextmanager
def _alone(shelf: Path) -> Iterator[None]:
    """Keep other threads and processes from starting a job meanwhile."""
    lock = FileLock(shelf / ".lock", timeout=_LOCK_SECONDS, poll_interval=_LOOK_SECONDS)
    try:
        shelf.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StoreBusy(
            f"More downloads are asked for than can be begun; this one has waited for {_LOCK_SECONDS:g} seconds.",
            next="Ask again a little later.",
        ) from None
    except OSError as error:
        raise explained(shelf, error, "Give the right to write there.") from None
    try:
        yield
    finally:
        lock.release()


def _making(ledger: Ledger, name: str) -> str | None:
    """Give the job that makes a file of this name, or one of the same selection that has not begun to read."""
    for job in ledger.active_jobs(kind="export"):
        asked = job.parameters.get("shelf_name")
        is_ahead = job.status == Status.PENDING and is_of_one_selection(asked or "", name)
        if asked and not job.cancel_requested and (asked == name or is_ahead):
            return job.job_id
    return None
