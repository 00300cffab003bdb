"""The ledger: one lifecycle, one import at a time, dead processes told from living ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wellprod.errors import BusinessRuleViolation, JobError, JobNotFound
from wellprod.jobs import Job, Ledger, ProcessMark, Status, peak_memory_mb


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger(tmp_path / "home" / "jobs.sqlite")


CREATE = """
import pathlib, sys
from wellprod.jobs import Ledger
print(Ledger(pathlib.Path(sys.argv[1])).create(sys.argv[2], {}).job_id, flush=True)
if sys.argv[3:]:
    sys.stdin.read()
"""


def created_elsewhere(ledger: Ledger, kind: str = "import") -> Job:
    """Give a job of a process that has ended without finishing it."""
    command = [sys.executable, "-c", CREATE, str(ledger.path), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return ledger.get(done.stdout.strip())


def test_reading_an_empty_ledger_makes_no_file(ledger: Ledger) -> None:
    """Before the first job there is nothing, and nothing is written."""
    assert ledger.jobs() == []
    assert ledger.running_import() is None
    assert not ledger.path.exists()


def test_one_lifecycle(ledger: Ledger) -> None:
    """Created and running, reported, finished; times and summary are kept, newest first and in pages."""
    first = ledger.create("import", {"source": "a"})
    assert (first.status, first.runs, first.parameters) == (Status.RUNNING, 1, {"source": "a"})
    ledger.report(first.job_id, {"records_processed": 5})
    ledger.finish(first.job_id, Status.COMPLETED, summary={"x": 1})
    second = ledger.create("import", {})
    assert [job.job_id for job in ledger.jobs()] == [second.job_id, first.job_id]
    assert [job.job_id for job in ledger.jobs(limit=1, offset=1)] == [first.job_id]
    done = ledger.get(first.job_id.upper())
    assert (done.status, done.summary, done.progress) == (Status.COMPLETED, {"x": 1}, {"records_processed": 5})
    assert ledger.get(first.job_id[:8]).job_id == first.job_id
    assert done.execution_time_seconds is not None and done.execution_time_seconds >= 0


def test_one_import_at_a_time_and_any_exports(ledger: Ledger) -> None:
    """The second import is refused with the rule and the id; exports are not."""
    running = ledger.create("import", {})
    for _ in range(2):
        ledger.create("export", {})
    with pytest.raises(BusinessRuleViolation) as caught:
        ledger.create("import", {})
    assert caught.value.details == {"rule": "SINGLE_IMPORT_RULE", "job_id": running.job_id}
    other = created_elsewhere(ledger, "export")
    ledger.finish(running.job_id, Status.FAILED)
    assert ledger.create("import", {}).job_id != other.job_id


def test_a_job_whose_process_is_gone_shows_as_failed_at_once(ledger: Ledger) -> None:
    """It says how to go on, and does not stand in the way of the next import."""
    gone = created_elsewhere(ledger)
    assert gone.status == Status.FAILED
    assert gone.error and gone.error["code"] == "PROCESS_GONE"
    assert f"wellprod jobs resume {gone.job_id}" in gone.error["next"]
    assert ledger.create("import", {}).status == Status.RUNNING


def test_a_stopped_job_is_claimed_once(ledger: Ledger) -> None:
    """A claim takes it for this process; a running one is refused, a completed one given back as it is."""
    gone = created_elsewhere(ledger)
    assert (ledger.claim(gone.job_id).status, ledger.get(gone.job_id).runs) == (Status.RUNNING, 2)
    with pytest.raises(BusinessRuleViolation, match="runs already"):
        ledger.claim(gone.job_id)
    ledger.finish(gone.job_id, Status.COMPLETED)
    assert (ledger.claim(gone.job_id).status, ledger.get(gone.job_id).runs) == (Status.COMPLETED, 2)


def test_a_claim_keeps_the_single_import_rule(ledger: Ledger) -> None:
    """A stopped import cannot be resumed while another one runs."""
    gone = created_elsewhere(ledger)
    running = ledger.create("import", {})
    with pytest.raises(BusinessRuleViolation) as caught:
        ledger.claim(gone.job_id)
    assert caught.value.details["job_id"] == running.job_id


def test_cancelling_marks_a_running_job_only(ledger: Ledger) -> None:
    """A job that has ended is left as it is."""
    job = ledger.create("import", {})
    assert not ledger.is_cancel_requested(job.job_id)
    ledger.cancel(job.job_id)
    assert ledger.is_cancel_requested(job.job_id)
    ledger.finish(job.job_id, Status.COMPLETED)
    other = ledger.create("import", {})
    ledger.finish(other.job_id, Status.COMPLETED)
    assert ledger.cancel(other.job_id).cancel_requested is False


@pytest.mark.parametrize("job_id", ["", "x", "00000000", "'; DROP TABLE jobs"])
def test_a_malformed_id_is_told(ledger: Ledger, job_id: str) -> None:
    """It says what an id looks like."""
    ledger.create("export", {})
    with pytest.raises(JobNotFound, match="is no job id; an id looks like"):
        ledger.get(job_id)


def test_a_ledger_that_cannot_be_used_is_told(ledger: Ledger) -> None:
    """A file that is no ledger is a clear error."""
    ledger.path.parent.mkdir()
    ledger.path.write_text("no database " * 500)
    with pytest.raises(JobError, match="cannot be used"):
        ledger.jobs()


def test_many_processes_make_the_ledger_at_once(ledger: Ledger) -> None:
    """Processes that all find no ledger make one together, and each has its job in it."""
    command = [sys.executable, "-c", CREATE, str(ledger.path), "export", "stay"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(5)]  # type: ignore[call-overload]
    ids = {process.stdout.readline().strip() for process in processes}
    assert {job.job_id for job in ledger.jobs() if job.status == Status.RUNNING} == ids
    for process in processes:
        process.communicate()
    assert {job.status for job in ledger.jobs()} == {Status.FAILED}


def test_a_process_is_known_by_its_start_too() -> None:
    """The same number with another start time is another process."""
    mark = ProcessMark.of()
    assert mark.is_alive and mark.is_here
    assert not ProcessMark(mark.host, os.getpid(), mark.started_at - 100).is_alive
    assert peak_memory_mb() > 10
