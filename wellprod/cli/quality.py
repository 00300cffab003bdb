"""The command `wellprod quality`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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

commands = typer.Typer()

_SHOWN = 40


@commands.command()
def quality(
    selection: SelectionName = None,
    field: Fields = None,
    well: Wells = None,
    group: GroupNames = None,
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    by: Annotated[
        Literal["rule", "field", "well", "month"], typer.Option(help="What the marks are counted by.")
    ] = "rule",
    output: Annotated[
        Path | None, typer.Option(help="CSV to write each mark to: well, month, rule, figures.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Say what a reader should know of the records: gaps, contradictions, jumps, repeats, restatements."""
    from wellprod.analysis.quality import RULES, counts, marks
    from wellprod.store import Store

    settings = read_settings()
    chosen = read_selection(settings, selection, field, well, first_month, last_month, group)
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        found = marks(reading, chosen) if as_json or output else None
        counted = counts(reading, chosen, by)
    if output and found is not None:
        write_csv(found, output)
    if as_json:
        rules = [{"rule": name, "severity": rule.severity, "words": rule.words} for name, rule in RULES.items()]
        told = {"selection": chosen.as_dict(), "by": by, "rules": rules, "counts": counted.to_dicts()}
        print_json({**told, "findings": [] if found is None else found.to_dicts()})
    elif counted.is_empty():
        screen.say("No rule of data quality is broken in this selection.")
    else:
        titled = {"mark": "rule"} if by == "rule" else {}
        shown = counted.drop("words", "data_source", *(("rules",) if by in ("field", "well") else ()), strict=False)
        screen.show_table("", shown.head(_SHOWN).rename(titled))
        if counted.height > _SHOWN:
            screen.say(f"The first {_SHOWN} of {number(counted.height)}; --json and --output give all.")
        if by == "rule":
            screen.show_pairs({row["mark"]: row["words"] for row in counted.iter_rows(named=True)})
        if output and found is not None:
            screen.say(f"{number(found.height)} marks are in {output}.")
    return 0
