"""The commands of `wellprod jobs`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellprod.cli import screen, work
from wellprod.cli.options import (
    AcceptDrift,
    AcceptRestatements,
    AsJson,
    Background,
    accepted,
    print_json,
    read_settings,
)
from wellprod.text import moment

if TYPE_CHECKING:
    from wellprod.jobs import Job

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
    ledger = Ledger(settings.jobs_path)
    jobs = ledger.jobs(limit=limit, offset=offset)
    if as_json:
        print_json({"jobs": [job.as_dict() for job in jobs]})
    else:
        screen.show_jobs(jobs, ledger.undone_imports(), settings.jobs_path)
    return 0


@commands.command("show")
def jobs_show(job_id: str, as_json: AsJson = False) -> int:
    """Show one job: what it does, how far it is, how it ended."""
    from wellprod.jobs import Ledger

    ledger = Ledger(read_settings().jobs_path)
    job = ledger.get(job_id)
    undo = ledger.undo_of(job.job_id) if job.kind == "import" else None
    undone = {"undone_at": undo.completed_at, "undone_by": undo.job_id} if undo and undo.summary else {}
    if as_json:
        print_json({**_values(job), **undone})
    else:
        told = f"{moment(undo.completed_at)}, by the job {undo.job_id}" if undone and undo else ""
        screen.show_job(job, {"Undone": told} if told else {})
    return 0


def _values(job: Job) -> dict[str, Any]:
    """Give a job as plain values; an export has all that is said of one."""
    if job.kind != "export":
        return job.as_dict()
    from wellprod.export import export_status

    return {**job.as_dict(), **export_status(job)}


@commands.command("link")
def jobs_link(
    job_id: str,
    seconds: Annotated[
        int | None, typer.Option(help="How long it lasts, up to 604800 (7 days).", show_default="3600")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Give a link to the file of an export: who has it can fetch the file, without a login, until it expires."""
    from wellprod.export import export_link

    settings = read_settings()
    link = export_link(job_id, settings, seconds)
    if as_json:
        print_json(link.as_dict())
    elif link.url:
        typer.echo(link.url)  # on one line, so that it can be copied whole
        screen.say(f"Opens {link.file_name} until {moment(link.expires_at)}.")
    else:
        screen.show_error(
            {
                "message": f"No server runs over {settings.home}, so there is nobody to give the file out.",
                "next": "Start wellprod lab or wellprod serve, then ask again.",
            }
        )
    return 0 if link.url else 1


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
def jobs_resume(
    job_id: str,
    accept_restatements: AcceptRestatements = False,
    accept_drift: AcceptDrift = False,
    background: Background = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a stopped or killed job: an import at the page after the last one stored, an export from its start."""
    from wellprod.resume import trigger_job_again

    settings = read_settings()
    accept = accepted(restatements=accept_restatements, drift=accept_drift)
    if background:
        again = trigger_job_again(job_id, settings, accept=accept)
        return work.end_trigger(again, settings, as_json)
    return work.resume(job_id, settings, as_json, accept=accept)


@commands.command("undo")
def jobs_undo(job_id: str, as_json: AsJson = False) -> int:
    """Take one import back: what it brought, restated and deleted; the history keeps it."""
    return work.undo(job_id, read_settings(), as_json)


@commands.command("run", hidden=True)
def jobs_run(job_id: str) -> int:
    """Run a pending job in this process; its log, when it is empty, goes with it."""
    import structlog

    from wellprod.jobs import Ledger

    settings = read_settings()
    try:
        with structlog.contextvars.bound_contextvars(job_id=job_id):
            return work.run_pending(job_id, settings)
    finally:
        log = Ledger(settings.jobs_path).log_path(job_id)
        with suppress(OSError):
            if log.stat().st_size == 0:
                log.unlink()
