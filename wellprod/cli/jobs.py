"""The commands of `wellprod jobs`."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import typer

from wellprod.cli import screen, work
from wellprod.cli.options import AsJson, Background, print_json, read_settings

commands = typer.Typer(help="Jobs: what runs, what ran, and how it ended.", no_args_is_help=True)


@commands.command("list")
def jobs_list(
    limit: Annotated[int, typer.Option(help="Jobs to show at most.", min=1)] = 20,
    offset: Annotated[int, typer.Option(help="Jobs to pass by, newest first.", min=0)] = 0,
    as_json: AsJson = False,
) -> int:
    """List the jobs, newest first."""
    from wellprod.jobs import Ledger

    settings = read_settings()
    jobs = Ledger(settings.jobs_path).jobs(limit=limit, offset=offset)
    if as_json:
        print_json({"jobs": [job.as_dict() for job in jobs]})
    else:
        screen.show_jobs(jobs, settings.jobs_path)
    return 0


@commands.command("show")
def jobs_show(job_id: str, as_json: AsJson = False) -> int:
    """Show one job: what it does, how far it is, how it ended."""
    from wellprod.jobs import Ledger

    job = Ledger(read_settings().jobs_path).get(job_id)
    if as_json:
        print_json(job.as_dict())
    else:
        screen.show_job(job)
    return 0


@commands.command("cancel")
def jobs_cancel(job_id: str, as_json: AsJson = False) -> int:
    """Ask a job to stop; it does within a page, and can be resumed."""
    from wellprod.jobs import Ledger

    job = Ledger(read_settings().jobs_path).cancel(job_id)
    if as_json:
        print_json(job.as_dict())
    elif job.is_active:
        screen.out.print(f"The job {job.job_id} was asked to stop.")
    else:
        screen.out.print(f"The job {job.job_id} has ended: {job.status}.")
    return 0


@commands.command("resume")
def jobs_resume(job_id: str, background: Background = False, as_json: AsJson = False) -> int:
    """Go on with a stopped or killed job: an import at the page after the last one stored, an export from its start."""
    from wellprod.export import trigger_export_again
    from wellprod.ingest import trigger_resume
    from wellprod.jobs import Ledger

    settings = read_settings()
    if background:
        trigger = trigger_export_again if Ledger(settings.jobs_path).get(job_id).kind == "export" else trigger_resume
        return work.end_trigger(trigger(job_id, settings), settings, as_json)
    return work.resume(job_id, settings, as_json)


@commands.command("run", hidden=True)
def jobs_run(job_id: str) -> int:
    """Run a pending job in this process; its log, when it is empty, goes with it."""
    from wellprod.jobs import Ledger

    settings = read_settings()
    try:
        return work.run_pending(job_id, settings)
    finally:
        log = Ledger(settings.jobs_path).log_path(job_id)
        with suppress(OSError):
            if log.stat().st_size == 0:
                log.unlink()
