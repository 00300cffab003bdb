"""The commands of `wellprod store`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellprod.cli import screen
from wellprod.cli.options import AsJson, print_json, read_settings
from wellprod.errors import WellprodError
from wellprod.text import number, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wellprod.jobs import Job, Ledger
    from wellprod.settings import Settings
    from wellprod.store import Store

commands = typer.Typer(help="Care of the store, while others use it.", no_args_is_help=True)

_MEMORY = "512MB"


@commands.command()
def backup(
    path: Annotated[
        Path | None, typer.Argument(help="Where it goes.", show_default="backups/ in the home, with date and time")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a file that is there.")] = False,
    as_json: AsJson = False,
) -> int:
    """Copy the store, as it is at one moment, to a file that is whole or not there."""
    from wellprod.store import care

    settings = read_settings()
    target = path.expanduser() if path else _backup_path(settings)
    with screen.live_bar("Backup") as bar:
        kept = care.backup(_store(settings), target, on_progress=bar.told, replace=replace)
    if as_json:
        print_json({"path": str(kept.path), "size_bytes": kept.size_bytes})
    else:
        screen.show_pairs({"Backup": f"{kept.path} ({size(kept.size_bytes)})"})
    return 0


@commands.command()
def restore(path: Annotated[Path, typer.Argument(help="A backup; it stays.")], as_json: AsJson = False) -> int:
    """Put a backup in the place of the store, once it is found sound; the former store is kept as a backup."""
    from wellprod.jobs import Ledger, Status
    from wellprod.store import care

    settings = read_settings()
    ledger = Ledger(settings.jobs_path)
    source, kept = path.expanduser(), _backup_path(settings, "-before-restore")
    with _as_job(ledger, source) as job, screen.live_bar("Restore") as bar:
        former = care.restore(_store(settings), source, kept, on_progress=bar.told)
        summary = {"restored": str(source), "former": str(former.path) if former else None}
        ledger.finish(job.job_id, Status.COMPLETED, summary=summary)
    if as_json:
        print_json({"job_id": job.job_id, "status": "COMPLETED", **summary})
    else:
        kept_as = {"Former store": f"{former.path} ({size(former.size_bytes)})"} if former else {}
        screen.show_pairs({"Restored": str(source), "Store": str(settings.store_path), **kept_as})
    return 0


@commands.command()
def check(as_json: AsJson = False) -> int:
    """Read the store whole and look for what cannot be so; exit code 1 if anything was found."""
    from wellprod.store import care

    settings = read_settings()
    with screen.live_bar("Check") as bar:
        found = care.check(_store(settings), on_progress=bar.told)
    if as_json:
        print_json({"store": str(settings.store_path), "sound": not found, "findings": [asdict(one) for one in found]})
        return 1 if found else 0
    screen.show_pairs({"Store": f"{settings.store_path} ({size(settings.store_path.stat().st_size)})"})
    for one in found:
        screen.show_error({"message": f"{number(one.count)} × {one.rule}, such as: {one.example}"})
    if found:
        screen.say("Restore a backup with wellprod store restore PATH; see wellprod jobs list for what ran.")
    else:
        screen.out.print("Every table was read whole; all is sound.")
    return 1 if found else 0


@commands.command()
def compact(as_json: AsJson = False) -> int:
    """Write the store anew, in the order of the key and without gaps; others wait meanwhile."""
    from wellprod.store import care

    settings = read_settings()
    with screen.live_bar("Compact") as bar:
        before, after = care.compact(_store(settings), on_progress=bar.told)
    if as_json:
        print_json({"store": str(settings.store_path), "size_bytes_before": before, "size_bytes": after})
    else:
        screen.show_pairs({"Store": str(settings.store_path), "Size": f"{size(before)} before, {size(after)} now"})
    return 0


def _store(settings: Settings) -> Store:
    from wellprod.store import Store

    return Store(settings.store_path, settings.store_wait_seconds, _MEMORY)


def _backup_path(settings: Settings, ending: str = "") -> Path:
    """Give a name that is free, with the time in it."""
    folder, stem = settings.home / "backups", f"{settings.store_path.stem}-{datetime.now():%Y%m%d-%H%M%S}{ending}"
    names = (folder / f"{stem}{again}.duckdb" for again in ("", *(f"-{count}" for count in range(2, 1000))))
    return next(path for path in names if not path.exists())


@contextmanager
def _as_job(ledger: Ledger, source: Path) -> Iterator[Job]:
    """Keep imports away while the block lasts, and write down how it ended."""
    from wellprod.jobs import Status

    job = ledger.create("restore", {"source": str(source.resolve())})
    try:
        yield job
    except WellprodError as failure:
        ledger.finish(job.job_id, Status.FAILED, error=failure.as_dict())
        raise
    except BaseException as failure:
        told = {"code": "CANCELLED", "message": f"The restore stopped: {type(failure).__name__}.", "next": ""}
        ledger.finish(job.job_id, Status.CANCELLED, error=told)
        raise
