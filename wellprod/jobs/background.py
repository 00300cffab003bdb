"""A job as a process of its own: it outlives the kernel, the tab and the server that asked for it."""

from __future__ import annotations

import subprocess
import sys
import threading

from wellprod.errors import JobError
from wellprod.jobs.job import Job, Status
from wellprod.jobs.ledger import Ledger
from wellprod.jobs.process import ProcessMark
from wellprod.log import current_request_id
from wellprod.settings import Settings


def start_in_background(job: Job, ledger: Ledger, settings: Settings, **changes: str | None) -> None:
    """Start a process that runs the pending `job` with `settings`; what it logs goes to the ledger's `log_path`.

    Its lines have the id of the request that is being answered here, if one is.

    Parameters
    ----------
    changes
        Settings that differ in that process.

    Raises
    ------
    JobError
        No process can be started; the job has failed.
    """
    command = [sys.executable, "-P", "-m", "wellprod", "jobs", "run", job.job_id]
    try:
        log_path = ledger.log_path(job.job_id)
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=settings.home,
                env=settings.process_environment(request_id=current_request_id(), **changes),
                start_new_session=True,
            )
    except OSError as failure:
        error = JobError(f"No process could be started for the job {job.job_id}: {failure}.", next="Try again later.")
        ledger.finish(job.job_id, Status.FAILED, error=error.as_dict())
        raise error from None
    ledger.hand_over(job.job_id, ProcessMark.of(process.pid))
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()  # else it would stay as a zombie
