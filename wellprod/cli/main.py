"""The commands of wellprod."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.exceptions import TyperException

from wellprod.cli import screen, work
from wellprod.errors import StoreMissing, UsageError, WellprodError, redact
from wellprod.settings import Settings, load_settings

app = typer.Typer(
    name="wellprod",
    help="Oil and gas well production: feeds into DuckDB, files out. Settings come from WELLPROD_*; see the README.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
jobs_app = typer.Typer(help="Jobs: what runs, what ran, and how it ended.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
Fields = Annotated[list[str] | None, typer.Option("--field", help="Field code or name; may be given several times.")]
Wells = Annotated[list[str] | None, typer.Option("--well", help="Well code, name or reference; may be repeated.")]
FirstMonth = Annotated[str | None, typer.Option("--from", help="First month, such as 2023-01.")]
LastMonth = Annotated[str | None, typer.Option("--to", help="Last month, such as 2024-05.")]


def main() -> None:
    """Run the command line and exit with its code.

    0 done · 1 failed, refused or cancelled · 2 wrong use · 3 done with rejects, failed pages or fewer records than
    the feed counted · 130 Ctrl-C.
    """
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    as_json = "--json" in arguments
    try:
        code = app([a for a in arguments if a != "--debug"], standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except WellprodError as error:
        if debug:
            raise
        _tell(error.as_dict(), as_json)
        sys.exit(error.exit_code)
    except TyperException as error:
        command = " ".join(["wellprod", *(a for a in arguments[:1] if not a.startswith("-")), "--help"])
        if message := error.format_message():  # there is none where the help was shown in its place
            _tell({"code": UsageError.code, "message": message, "next": f"See: {command}"}, as_json)
        sys.exit(UsageError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        screen.err.print("Stopped.")
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        if debug:
            raise
        message = redact(f"{type(error).__name__}: {error}")
        _tell(
            {
                "code": "INTERNAL_ERROR",
                "message": message,
                "next": "Run it again with --debug and report it.",
            },
            as_json,
        )
        sys.exit(1)


def _tell(error: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _print_json(
            {
                "job_id": error.get("job_id"),
                "status": "REFUSED",
                "warnings": [],
                "errors": [{"page": None, **error}],
            }
        )
    else:
        screen.show_error(error)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@app.callback()
def _prepare(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; works in any place.")] = False,
) -> None:
    pass


def _settings() -> Settings:
    from wellprod.log import configure_logs

    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    return settings


# The main job


@app.command("import")
def import_(
    source: Annotated[
        str | None,
        typer.Argument(help="Address of an OData feed, or a JSON file.", show_default="WELLPROD_FEED_URL"),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Feed profile, by name or as a .toml file; else recognised.")
    ] = None,
    page_size: Annotated[
        int | None, typer.Option(help="Records a page to ask for, 1 to 5000.", show_default="1000")
    ] = None,
    paging: Annotated[str, typer.Option(help="'server' follows next links, 'skip' sends $skip and $top.")] = "server",
    start_page: Annotated[int, typer.Option(help="First page; needs --paging skip or a file.")] = 1,
    max_pages: Annotated[int | None, typer.Option(help="Pages to read at most.")] = None,
    since: Annotated[str | None, typer.Option(help="First production month, such as 2023-01.")] = None,
    as_json: AsJson = False,
) -> int:
    """Import a feed or a file into the store; what is there already is counted and left."""
    from wellprod.ingest import ImportRequest, start_import

    settings = _settings()
    address = source or settings.feed_url
    if address is None:
        raise UsageError(
            "There is nothing to import.",
            next="Give a feed or a file: wellprod import URL, or set WELLPROD_FEED_URL.",
        )
    request = ImportRequest(
        address,
        profile=profile or settings.feed_profile,
        page_size=settings.page_size if page_size is None else page_size,
        paging=_paging(paging),
        start_page=start_page,
        max_pages=max_pages,
        since=since,
    )
    with work.watched_import() as watching:
        summary = start_import(request, settings, **watching)
    return _end_import(summary, settings, as_json)


def _paging(text: str) -> Literal["server", "skip"]:
    if text not in ("server", "skip"):
        raise UsageError(f"paging {text!r} is not allowed; it must be 'server' or 'skip'.")
    return "skip" if text == "skip" else "server"


def _end_import(summary: Any, settings: Settings, as_json: bool) -> int:
    """Refresh the CSV where the settings ask for it, and show what the import did."""
    from wellprod.export import ExportRequest

    if settings.export_after_import and str(summary.status) == "COMPLETED" and summary.state.processed:
        try:
            work.export(ExportRequest(), settings)
        except WellprodError as error:
            summary.state.warn(f"The import is whole, but its CSV could not be refreshed: {error}")
    if as_json:
        _print_json(summary.as_dict())
    else:
        screen.show_import(summary, settings.store_path)
    return int(summary.exit_code)


@app.command()
def export(
    format: Annotated[str, typer.Option(help="Form of the file.")] = "csv",
    output: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="wells_prod.csv beside the store")
    ] = None,
    field: Fields = None,
    well: Wells = None,
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    as_json: AsJson = False,
) -> int:
    """Write records of the store to a file, ordered by source, field, well and month."""
    from wellprod.analysis.selection import Selection
    from wellprod.export import ExportRequest

    settings = _settings()
    selection = Selection(tuple(field or ()), tuple(well or ()), first_month, last_month)
    result = work.export(ExportRequest(selection, format, output), settings)
    if as_json:
        _print_json(result.as_dict())
    else:
        took = screen.duration(result.execution_time_seconds)
        screen.show_pairs(
            {
                "Exported": f"{screen.number(result.records)} records in {took}",
                "File": f"{result.path} ({screen.size(result.size_bytes)})",
            }
        )
    return 0


# Jobs


@jobs_app.command("list")
def jobs_list(
    limit: Annotated[int, typer.Option(help="Jobs to show at most.", min=1)] = 20,
    offset: Annotated[int, typer.Option(help="Jobs to pass by, newest first.", min=0)] = 0,
    as_json: AsJson = False,
) -> int:
    """List the jobs, newest first."""
    from wellprod.jobs import Ledger

    settings = _settings()
    jobs = Ledger(settings.jobs_path).jobs(limit=limit, offset=offset)
    if as_json:
        _print_json({"jobs": [job.as_dict() for job in jobs]})
    else:
        screen.show_jobs(jobs, settings.jobs_path)
    return 0


@jobs_app.command("show")
def jobs_show(job_id: str, as_json: AsJson = False) -> int:
    """Show one job: what it does, how far it is, how it ended."""
    from wellprod.jobs import Ledger

    job = Ledger(_settings().jobs_path).get(job_id)
    if as_json:
        _print_json(job.as_dict())
    else:
        screen.show_job(job)
    return 0


@jobs_app.command("cancel")
def jobs_cancel(job_id: str, as_json: AsJson = False) -> int:
    """Ask a job to stop; it does within a page, and can be resumed."""
    from wellprod.jobs import Ledger

    job = Ledger(_settings().jobs_path).cancel(job_id)
    if as_json:
        _print_json(job.as_dict())
    elif job.is_active:
        screen.out.print(f"The job {job.job_id} was asked to stop.")
    else:
        screen.out.print(f"The job {job.job_id} has ended: {job.status}.")
    return 0


@jobs_app.command("resume")
def jobs_resume(job_id: str, as_json: AsJson = False) -> int:
    """Go on with a stopped or killed import, at the page after the last one stored."""
    from wellprod.ingest import resume_import

    settings = _settings()
    with work.watched_import() as watching:
        summary = resume_import(job_id, settings, **watching)
    return _end_import(summary, settings, as_json)


# The store


@app.command()
def stats(as_json: AsJson = False) -> int:
    """Say what is in the store."""
    from wellprod.analysis.overview import overview
    from wellprod.store import Store

    settings = _settings()
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        found = overview(reading)
    if as_json:
        _print_json(
            {
                **found.as_dict(),
                "store": str(settings.store_path),
                "size_bytes": settings.store_path.stat().st_size,
            }
        )
        return 0
    months = (
        f"{found.first_month:%Y-%m} to {found.last_month:%Y-%m}" if found.first_month and found.last_month else "none"
    )
    reporting = screen.number(found.wells_in_last_month)
    screen.show_pairs(
        {
            "Records": screen.number(found.records),
            "Fields": screen.number(found.fields),
            "Wells": f"{screen.number(found.wells)}, of which {reporting} reported the last month",
            "Months": months,
            "Sources": ", ".join(found.data_sources) or "none",
            "Restated": f"{screen.number(found.restated_versions)} older versions kept",
            "Rejected": f"{screen.number(found.rejected_rows)} rows kept with their reason",
            "Store": f"{settings.store_path} ({screen.size(settings.store_path.stat().st_size)})",
        }
    )
    return 0


@app.command()
def health(as_json: AsJson = False) -> int:
    """Say whether the workbench is well: the folder, the store, the jobs, the disk. Exit code 1 if something is not."""
    from wellprod.jobs import Ledger
    from wellprod.store import SCHEMA_VERSION, Store

    settings = _settings()
    checks: dict[str, str] = {}
    try:
        with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
            checks["store"] = (
                f"{screen.number(reading.value('SELECT count(*) FROM production'))} records, schema {SCHEMA_VERSION}"
            )
    except StoreMissing:
        checks["store"] = "none yet"
    except WellprodError as error:
        checks["store"] = f"FAILED: {error}"
    try:
        running = Ledger(settings.jobs_path).running_import()
        checks["jobs"] = f"import {running.job_id} is running" if running else "no import is running"
    except WellprodError as error:
        checks["jobs"] = f"FAILED: {error}"
    folder = next(parent for parent in (settings.home, *settings.home.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    checks["disk"] = f"{screen.size(free)} free" if free > 1e9 else f"FAILED: only {screen.size(free)} free"
    healthy = not any(text.startswith("FAILED") for text in checks.values())
    if as_json:
        _print_json({"healthy": healthy, "home": str(settings.home), "schema_version": SCHEMA_VERSION, **checks})
    else:
        screen.show_pairs(
            {
                "Health": "well" if healthy else "NOT WELL",
                "Home": str(settings.home),
                **{n.capitalize(): t for n, t in checks.items()},
            }
        )
    return 0 if healthy else 1


# The demo


@app.command()
def demo(
    wells: Annotated[int, typer.Option(help="Wells to generate.", min=1)] = 1500,
    months: Annotated[int, typer.Option(help="Months of history at most.", min=1)] = 180,
) -> int:
    """Serve a feed of generated wells, import it, export it as CSV, and show the ten largest wells."""
    from wellprod.cli.demo import run_demo

    return run_demo(_settings(), wells=wells, months=months)


@app.command()
def feed(
    file: Annotated[Path | None, typer.Argument(help="JSON file to serve; without it, generated wells.")] = None,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8765,
    wells: Annotated[int, typer.Option(help="Wells to generate.", min=1)] = 1500,
    months: Annotated[int, typer.Option(help="Months of history at most.", min=1)] = 180,
    seed: Annotated[int, typer.Option(help="Another number gives other wells.")] = 1,
    page_size: Annotated[int, typer.Option(help="Records a page where the client does not ask.", min=1)] = 1000,
    basic_auth: Annotated[str | None, typer.Option(help="USER:PASSWORD that clients must give.")] = None,
    delay: Annotated[float, typer.Option(help="Seconds before each answer.", min=0)] = 0.0,
    rate_limit: Annotated[float | None, typer.Option(help="Requests a second; more get 429 with Retry-After.")] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="KIND:EVERY, such as error500:5 or cut:7; may be repeated.")
    ] = None,
    relative_links: Annotated[bool, typer.Option("--relative-links", help="Next links without the host.")] = False,
    top_cap: Annotated[int | None, typer.Option(help="Give at most so many records for $top.", min=1)] = None,
    until_stdin_closes: Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)] = False,
) -> int:
    """Serve generated wells or a JSON file as an OData feed, as slow, limited or broken as you like."""
    from wellprod.cli.demo import run_feed

    return run_feed(
        file,
        port=port,
        wells=wells,
        months=months,
        seed=seed,
        until_stdin_closes=until_stdin_closes,
        page_size=page_size,
        basic_auth=basic_auth,
        delay_seconds=delay,
        rate_limit=rate_limit,
        faults=fault or [],
        relative_links=relative_links,
        top_cap=top_cap,
    )
