"""The demo: a feed in a process of its own, an import from it, a CSV, and what to try next."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellprod.cli import screen, work
from wellprod.cli.options import read_settings
from wellprod.errors import BusinessRuleViolation, FeedUnreachable, UsageError
from wellprod.settings import Settings
from wellprod.text import duration, number, size

if TYPE_CHECKING:
    from wellprod.store import Store

commands = typer.Typer()


@commands.command()
def demo(
    wells: Annotated[int, typer.Option(help="Wells to generate.", min=1)] = 1500,
    months: Annotated[int, typer.Option(help="Months of history at most.", min=1)] = 180,
) -> int:
    """Serve a feed of generated wells, import it, export it as CSV, and show the ten largest wells."""
    return run_demo(read_settings(), wells=wells, months=months)


@commands.command()
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


def run_feed(
    file: Path | None,
    *,
    port: int,
    wells: int,
    months: int,
    seed: int,
    until_stdin_closes: bool,
    basic_auth: str | None,
    faults: list[str],
    **service: Any,
) -> int:
    """Serve until Ctrl-C; the address of the records is the first line on stdout."""
    from wellprod.demo import Fault, create_app, generate_wells, read_records, serve

    user, colon, password = (basic_auth or "").partition(":")
    if basic_auth and not colon:
        raise UsageError("The sign-in has no colon.", next="Write --basic-auth USER:PASSWORD.")
    last_month = date.today().replace(day=1) - timedelta(days=1)
    frame = read_records(file) if file else generate_wells(wells, months, seed, last_month.replace(day=1))
    app = create_app(
        frame,
        basic_auth=(user, password) if basic_auth else None,
        faults=[Fault.parse(text) for text in faults],
        **service,
    )

    def ready(url: str) -> None:
        typer.echo(url)
        sys.stdout.flush()
        if not until_stdin_closes:
            screen.err.print(
                f"Serving {number(frame.height)} records; try: wellprod import {url}\nCtrl-C ends it.",
                soft_wrap=True,
            )

    if until_stdin_closes:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    serve(app, "127.0.0.1", port, ready)
    return 0


def _end_with_stdin() -> None:
    """End this process when the one that started it is gone, however it went."""
    import os

    sys.stdin.read()
    os._exit(0)


def run_demo(settings: Settings, *, wells: int, months: int) -> int:
    """Import a feed of generated wells, export it, and show the largest wells.

    Raises
    ------
    BusinessRuleViolation
        The store holds records of another source; a demo never mixes with them.
    """
    from wellprod.analysis.overview import largest_wells
    from wellprod.export import ExportRequest
    from wellprod.ingest import ImportRequest, start_import
    from wellprod.jobs import Status
    from wellprod.store import Store

    store = Store(settings.store_path, settings.store_wait_seconds)
    _refuse_other_data(store)
    with _feed_process(wells, months) as url:
        screen.out.print(f"[bold]1.[/] A feed of {number(wells)} generated wells at {url}")
        request = ImportRequest(url, page_size=5000)
        with work.watched_import() as watching:
            summary = start_import(request, settings, **watching)
    screen.out.print("[bold]2.[/] Imported, page by page, into DuckDB")
    screen.show_import(summary, settings.store_path)
    if summary.status != Status.COMPLETED:
        return summary.exit_code
    result = work.export(ExportRequest(), settings)
    screen.out.print("[bold]3.[/] Exported as CSV")
    screen.show_pairs(
        {
            "File": f"{result.path} ({size(result.size_bytes)})",
            "Records": f"{number(result.records)} in {duration(result.execution_time_seconds)}",
        }
    )
    with store.read() as reading:
        screen.show_table("4. The ten largest wells by oil so far", largest_wells(reading))
    screen.out.print(
        "\n[bold]Next[/]\n"
        "  uv run wellprod lab                          import, status, explore and download pages, and JupyterLab\n"
        "  uv run wellprod stats                        what is in the store\n"
        "  uv run wellprod export --from 2024-01 --output recent.csv\n"
        "  uv run wellprod jobs list                    what ran, and how it ended\n"
        "  uv run wellprod feed --fault error500:5      a feed that fails, to import from\n"
        "  uv run wellprod import URL                   your own feed; or FILE.json"
    )
    return summary.exit_code


def _refuse_other_data(store: Store) -> None:
    from wellprod.demo import DATA_SOURCE

    if not store.path.exists():
        return
    with store.read() as reading:
        others = reading.table("SELECT DISTINCT data_source FROM production WHERE data_source <> ?", [DATA_SOURCE])
    if not others.is_empty():
        raise BusinessRuleViolation(
            f"The store {store.path} holds {', '.join(others['data_source'])}; a demo does not mix with other data.",
            next="Give the demo a folder of its own: WELLPROD_HOME=demo-data uv run wellprod demo",
            rule="DEMO_APART",
        )


@contextmanager
def _feed_process(wells: int, months: int) -> Iterator[str]:
    """Run `wellprod feed` beside this process while the block lasts, and give the address of its records."""
    command = [sys.executable, "-m", "wellprod", "feed", "--port", "0", "--until-stdin-closes"]
    command += ["--wells", str(wells), "--months", str(months)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout  # noqa: S101 - asked for above
            url = process.stdout.readline().strip()
            if not url:
                raise FeedUnreachable("The demo feed did not start.", next="Try: wellprod feed --port 0")
            yield url
        finally:
            process.kill()
