"""The command `wellprod restatements`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellprod.cli import screen
from wellprod.cli.options import (
    AsJson,
    Fields,
    FirstMonth,
    GroupNames,
    LastMonth,
    SelectionName,
    Wells,
    print_json,
    read_selection,
    read_settings,
    write_csv,
)
from wellprod.text import number

if TYPE_CHECKING:
    import polars as pl

commands = typer.Typer()

_SHOWN = 40


@commands.command()
def restatements(
    selection: SelectionName = None,
    field: Fields = None,
    well: Wells = None,
    group: GroupNames = None,
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    since: Annotated[str | None, typer.Option(help="First day of changes, UTC, such as 2024-05-31.")] = None,
    job: Annotated[str | None, typer.Option(help="The one job whose changes to show.")] = None,
    limit: Annotated[int, typer.Option(help="Changes to show at most; --json and --output give all.", min=1)] = _SHOWN,
    output: Annotated[
        Path | None, typer.Option(help="CSV to write all changes to, one a line.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Print what was restated, deleted or undone: before, after, by how much in percent, when, and by which job."""
    from wellprod.analysis.restated import restatements as changes
    from wellprod.analysis.selection import known_until
    from wellprod.jobs import Ledger
    from wellprod.store import Store

    settings = read_settings()
    chosen = read_selection(settings, selection, field, well, first_month, last_month, group)
    day = known_until(since).date() if since else None
    job_id = Ledger(settings.jobs_path).get(job).job_id if job else None
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        found = changes(reading, chosen, since=day, job_id=job_id)
    if output:
        write_csv(found, output)
    if as_json:
        print_json({"selection": chosen.as_dict(), "restatements": found.to_dicts()})
    elif found.is_empty():
        screen.say("Nothing that was stored has changed, in what was asked for.")
    else:
        _show(found, limit)
    if output and not as_json:
        screen.say(f"{_counted(found.height, 'change')} {'is' if found.height == 1 else 'are'} in {output}.")
    return 0


def _show(found: pl.DataFrame, limit: int) -> None:
    """Show changes by job, the newest first, the largest of each job on top, and what they come to."""
    import polars as pl

    from wellprod.analysis.restated import net_oil_kbbl
    from wellprod.text import figure

    left = limit
    largest = (pl.col("after").fill_null(0) - pl.col("before").fill_null(0)).abs()
    by_job = found.group_by("changed_at", "job_id", "change", maintain_order=True)
    for (changed_at, job_id, change), rows in by_job:
        if left <= 0:
            break
        title = f"{changed_at:%Y-%m-%d %H:%M} UTC · job {str(job_id)[:8]} · {change}"
        shown = rows.sort(pl.col("before_text").is_null() & pl.col("after_text").is_null(), largest, descending=True)
        shown = shown.head(left)
        screen.show_table(
            title,
            shown.select(
                "well",
                "month",
                pl.col("figure").str.replace_all("_", " ") + pl.format(" ({})", "unit").fill_null(""),
                before=_as_text("before"),
                after=_as_text("after"),
                change=pl.col("change_percent").map_elements(_percent, pl.String),
            ),
        )
        left -= shown.height
    if found.height > limit:
        screen.say(
            f"The first {number(limit)} of {number(found.height)} changes; --limit shows more, --json and --output all."
        )
    records = found.select("data_source", "field_code", "well_code", "month").n_unique()
    wells = found.select("data_source", "well_code").n_unique()
    oil = net_oil_kbbl(found)
    sign = "+" if oil > 0 else "-" if oil < 0 else ""
    kinds = found.unique(["data_source", "field_code", "well_code", "month", "changed_at", "change"])
    told = ", ".join(f"{number(n)} {kind}" for kind, n in kinds["change"].value_counts(sort=True).iter_rows())
    counts = (
        _counted(records, "record") + (f" ({told})" if kinds["change"].n_unique() > 1 else ""),
        _counted(wells, "well"),
        _counted(found["month"].n_unique(), "month"),
    )
    screen.out.print(f"{', '.join(counts)}; oil {sign}{figure(abs(oil))} kbbl in all")


def _counted(count: int, name: str) -> str:
    return f"{number(count)} {name}{'' if count == 1 else 's'}"


def _as_text(side: str) -> pl.Expr:
    import polars as pl

    from wellprod.text import figure

    return pl.coalesce(pl.col(side).map_elements(figure, pl.String), f"{side}_text", pl.lit("–"))


def _percent(value: float) -> str:
    return f"{value:+,.1f} %"
