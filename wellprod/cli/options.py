"""What the commands share: their common options, the settings they run with, JSON on stdout, and tables as CSV."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellprod.errors import ExportError
from wellprod.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from wellprod.analysis.selection import Selection
    from wellprod.ingest import Accepted

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
Background = Annotated[bool, typer.Option("--background", help="Run it in a process of its own; tell its id at once.")]
Fields = Annotated[list[str] | None, typer.Option("--field", help="Field code or name; may be given several times.")]
Wells = Annotated[list[str] | None, typer.Option("--well", help="Well code, name or reference; may be repeated.")]
GroupNames = Annotated[list[str] | None, typer.Option("--group", help="Group of groups.toml; may be repeated.")]
FirstMonth = Annotated[str | None, typer.Option("--from", help="First month, such as 2023-01.")]
LastMonth = Annotated[str | None, typer.Option("--to", help="Last month, such as 2024-05.")]
AsKnownOn = Annotated[
    str | None, typer.Option("--as-known-on", metavar="DATE", help="As the store had it at the end of that day, UTC.")
]
AcceptRestatements = Annotated[
    bool, typer.Option("--accept-restatements", help="Change any share of the old months; see WELLPROD_RESTATED_SHARE.")
]
AcceptDrift = Annotated[
    bool, typer.Option("--accept-drift", help="Go on though the feed changed what the profile reads.")
]
SelectionName = Annotated[
    str | None, typer.Option("--selection", metavar="NAME", help="Saved selection; what else is given replaces it.")
]


def read_settings() -> Settings:
    """Read the settings from the environment, and set up the logs as they say."""
    from wellprod.log import configure_logs

    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format, request_id=settings.request_id)
    return settings


def read_selection(
    settings: Settings,
    name: str | None,
    fields: list[str] | None,
    wells: list[str] | None,
    first_month: str | None,
    last_month: str | None,
    groups: list[str] | None = None,
) -> Selection:
    """Give the saved selection called `name`, or all there is, with what else was given in place of its own."""
    from wellprod.analysis.saved import selection_of

    chosen = (fields or (), wells or (), first_month, last_month, groups or ())
    return selection_of(name, settings.selections_path, *chosen)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def accepted(*, restatements: bool, drift: bool) -> tuple[Accepted, ...]:
    """Give what an import is not to stop for."""
    given: dict[Accepted, bool] = {"restatements": restatements, "drift": drift}
    return tuple(what for what, is_given in given.items() if is_given)


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a table to a CSV file, in place of one that is there.

    Raises
    ------
    ExportError
        It cannot be written there.
    """
    try:
        with path.expanduser().open("wb") as file:
            frame.write_csv(file)
    except OSError as error:
        raise ExportError(
            f"The file {path} cannot be written: {error.strerror or error}.", next="Choose another place."
        ) from None
