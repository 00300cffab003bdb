"""The commands of wellprod."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from wellprod.cli import (
    demo,
    dryrun,
    jobs,
    lab,
    measures,
    quality,
    report,
    restatements,
    screen,
    selections,
    serve,
    store,
    work,
)
from wellprod.cli.options import (
    AcceptDrift,
    AcceptRestatements,
    AsJson,
    AsKnownOn,
    Background,
    Fields,
    FirstMonth,
    GroupNames,
    LastMonth,
    SelectionName,
    Wells,
    print_json,
    read_selection,
    read_settings,
)
from wellprod.errors import UsageError, WellprodError, redact
from wellprod.text import size

app = typer.Typer(
    name="wellprod",
    help="Oil and gas well production: feeds into DuckDB, files out. Settings come from WELLPROD_*; see the README.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(jobs.commands, name="jobs")
app.add_typer(demo.commands)
app.add_typer(lab.commands)
app.add_typer(serve.commands)
app.add_typer(measures.commands)
app.add_typer(quality.commands)
app.add_typer(restatements.commands)
app.add_typer(report.commands)
app.add_typer(selections.commands, name="selections")
app.add_typer(store.commands, name="store")


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
        print_json(
            {
                "job_id": error.get("job_id"),
                "status": "REFUSED",
                "warnings": [],
                "errors": [{"page": None, **error}],
            }
        )
    else:
        screen.show_error(error)


@app.callback()
def _prepare(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; works in any place.")] = False,
) -> None:
    pass


# The main job


@app.command("import")
def import_(
    source: Annotated[
        str | None,
        typer.Argument(
            help="Address of an OData feed, or a JSON, CSV, Excel or Parquet file.", show_default="WELLPROD_FEED_URL"
        ),
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
    changes: Annotated[
        bool, typer.Option("--changes", help="Only what may have changed: by a delta link, or the last months.")
    ] = False,
    accept_drift: AcceptDrift = False,
    accept_restatements: AcceptRestatements = False,
    only_look: Annotated[
        bool, typer.Option("--dry-run", help="Read and map the first page, show it, and store nothing.")
    ] = False,
    background: Background = False,
    as_json: AsJson = False,
) -> int:
    """Import a feed or a file into the store; what is there already is counted and left."""
    from wellprod.ingest import ImportRequest, start_import, trigger_import

    settings = read_settings()
    request = ImportRequest.from_settings(
        settings,
        source,
        profile=profile,
        page_size=page_size,
        paging=paging,
        start_page=start_page,
        max_pages=max_pages,
        since=since,
        changes=changes,
        accept_drift=accept_drift,
        accept_restatements=accept_restatements,
    )
    if only_look:
        return dryrun.run(request, settings, as_json)
    if background:
        return work.end_trigger(trigger_import(request, settings), settings, as_json)
    with work.watched_import() as watching:
        summary = start_import(request, settings, **watching)
    return work.end_import(summary, settings, as_json)


@app.command()
def export(
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, csv.gz, csv.zst, excel, json, parquet, pdf or prodml; else what the name of the file tells.",
            show_default="csv",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            help="A file, a folder/ or s3://bucket/prefix.",
            show_default="wells_prod.csv beside the store; downloads/ in the background",
        ),
    ] = None,
    selection: SelectionName = None,
    field: Fields = None,
    well: Wells = None,
    group: GroupNames = None,
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Column to write; may be given several times.", show_default="all")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Layout of other software, by name or as a .toml file; see: wellprod presets.")
    ] = None,
    formulas_as_text: Annotated[
        bool,
        typer.Option("--formulas-as-text", help="In CSV: an apostrophe before text that a spreadsheet would run."),
    ] = False,
    as_known_on: AsKnownOn = None,
    background: Background = False,
    as_json: AsJson = False,
) -> int:
    """Write records of the store to a file, ordered by source, field, well and month."""
    from wellprod.export import ExportRequest, trigger_export

    settings = read_settings()
    chosen = read_selection(settings, selection, field, well, first_month, last_month, group)
    columns = tuple(column or ())
    request = ExportRequest(chosen, format, output, columns, formulas_as_text, preset, as_known_on=as_known_on)
    if background:
        return work.end_trigger(trigger_export(request, settings), settings, as_json)
    return work.end_export(work.export(request, settings), as_json)


@app.command()
def presets(as_json: AsJson = False) -> int:
    """List the presets: layouts of other software, for export --preset NAME."""
    from wellprod.export import load_presets

    settings = read_settings()
    found = [preset for _, preset in sorted(load_presets(settings.presets_path).items())]
    if as_json:
        print_json({"presets": [preset.model_dump(by_alias=True, exclude_none=True) for preset in found]})
    else:
        screen.show_presets(found, settings.presets_path)
    return 0


# The store


@app.command()
def stats(as_json: AsJson = False) -> int:
    """Say what is in the store."""
    from wellprod.analysis.overview import overview
    from wellprod.store import Store

    settings = read_settings()
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        found = overview(reading)
    if as_json:
        print_json(
            {
                **found.as_dict(),
                "store": str(settings.store_path),
                "size_bytes": settings.store_path.stat().st_size,
            }
        )
        return 0
    size_now = size(settings.store_path.stat().st_size)
    screen.show_pairs({**found.as_pairs(), "Store": f"{settings.store_path} ({size_now})"})
    return 0


@app.command()
def health(as_json: AsJson = False) -> int:
    """Say whether the workbench is well: the folder, the store, the jobs, the disk. Exit code 1 if something is not."""
    from wellprod.health import check_health
    from wellprod.store import SCHEMA_VERSION

    settings = read_settings()
    checks = check_health(settings)
    healthy = all(check.is_well for check in checks)
    found = {check.name: check.finding if check.is_well else f"FAILED: {check.finding}" for check in checks}
    if as_json:
        print_json({"healthy": healthy, "home": str(settings.home), "schema_version": SCHEMA_VERSION, **found})
    else:
        titled = {name.capitalize(): text for name, text in found.items()}
        screen.show_pairs({"Health": "well" if healthy else "NOT WELL", "Home": str(settings.home), **titled})
    return 0 if healthy else 1
