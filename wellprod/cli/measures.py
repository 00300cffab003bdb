"""The command `wellprod measures`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wellprod.cli import screen
from wellprod.cli.options import (
    AsJson,
    AsKnownOn,
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
from wellprod.text import heading, number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import polars as pl

    from wellprod.analysis.selection import Selection

commands = typer.Typer()

_SHOWN = ("oil_rate", "gas_rate", "water_rate", "gor", "water_cut", "uptime", "cum_oil", "cum_gas", "wells")

_RATIO_NULLS = {
    "gor": ("oil_nulls", "gas_nulls"),
    "cgr": ("liquids_nulls", "gas_nulls"),
    "wor": ("oil_nulls", "water_nulls"),
    "water_cut": ("oil_nulls", "water_nulls"),
}


@commands.command()
def measures(
    selection: SelectionName = None,
    field: Fields = None,
    well: Wells = None,
    group: GroupNames = None,
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    by: Annotated[Literal["all", "field", "well", "group"], typer.Option(help="What has rows of its own.")] = "all",
    measure: Annotated[
        list[str] | None,
        typer.Option(help="Measure to give; may be repeated; see --list.", show_default="the main ones; in JSON all"),
    ] = None,
    units: Annotated[Literal["oilfield", "metric"], typer.Option(help="System of units.")] = "oilfield",
    as_known_on: AsKnownOn = None,
    boe: Annotated[str, typer.Option(help="How gas counts as oil: 6:1, 5.8:1 or norway.")] = "6:1",
    only_list: Annotated[bool, typer.Option("--list", help="List the measures with their formulas and units.")] = False,
    as_json: AsJson = False,
) -> int:
    """Print measures month by month: volumes, rates, ratios, cumulatives, changes, shares, counts of wells."""
    from wellprod.analysis.measures import BOE_RULES, KEYS, MEASURES, table
    from wellprod.analysis.selection import known_until
    from wellprod.store import Store

    settings = read_settings()
    if only_list:
        return _list(as_json)
    chosen = read_selection(settings, selection, field, well, first_month, last_month, group)
    names = tuple(measure or (MEASURES if as_json else _SHOWN))
    lacks = () if as_json else tuple(dict.fromkeys(name for shown in names for name in _nulls_of(shown, MEASURES)))
    then = known_until(as_known_on) if as_known_on else None
    with Store(settings.store_path, settings.store_wait_seconds).read(as_known_on=then) as reading:
        found = table(reading, chosen, tuple(dict.fromkeys((*names, *lacks))), by=by, units=units, boe=boe)
    if as_json:
        rule = {"name": boe, "meaning": str(BOE_RULES[boe])}
        told = {"selection": chosen.as_dict(), "by": by, "units": units, "boe": rule}
        then_told = {"as_known_on": as_known_on} if as_known_on else {}
        print_json({**told, **then_told, "months": found.to_dicts()})
    elif found.is_empty():
        screen.say("No record is in this selection.")
    else:
        codes = ("data_source", "field_code", "well_code")
        shown = found.drop(*(set(lacks) - set(names)), *codes, strict=False)
        empty = [] if measure else [name for name in shown.columns if shown[name].null_count() == shown.height]
        screen.show_table(_title(chosen, as_known_on), shown.drop(empty))
        unreported = [f"Not reported: {', '.join(heading(name)[0] for name in empty)}."] if empty else []
        cumulatives = [name for name in lacks if name.startswith("cum_")]
        shown_ratios = [name for name in names if name in _RATIO_NULLS and MEASURES[name].column(units) not in empty]
        ratios = dict.fromkeys(name for ratio in shown_ratios for name in _RATIO_NULLS[ratio])
        equivalent = [f"{BOE_RULES[boe]}."] if _has_boe(names) else []
        screen.say(" ".join([*unreported, *_lacking(found, cumulatives, ratios, KEYS[by]), *equivalent]))
    return 0


def _title(chosen: Selection, as_known_on: str | None) -> str:
    said = [text for name, text in chosen.as_pairs().items() if text != "all" and name != "Description"]
    return " · ".join([*said, *([f"as known on {as_known_on}"] if as_known_on else [])])


def _nulls_of(measure: str, known: Collection[str]) -> list[str]:
    """Give the measures that count what a measure lacks."""
    return [name for name in (f"{measure}_nulls", *_RATIO_NULLS.get(measure, ())) if name in known]


def _lacking(found: pl.DataFrame, cumulatives: Iterable[str], ratios: Iterable[str], key: Sequence[str]) -> list[str]:
    """Say what cumulatives and ratios lack: a null adds nothing to a volume."""
    last = found.group_by(key).last() if key else found.tail(1)
    told = [
        f"{name.removesuffix('_nulls').replace('_', ' ').capitalize()} lacks the figures of {number(count)}"
        f" well-month{'' if count == 1 else 's'} that {'was' if count == 1 else 'were'} not reported."
        for name in cumulatives
        if (count := int(last[name].sum()))
    ]
    lacking = {name.removesuffix("_nulls"): int(found[name].sum()) for name in ratios}
    if len(set(lacking.values())) > 1:
        counts = " and ".join(f"{number(count)} without {phase}" for phase, count in lacking.items() if count)
        told.append(f"Ratios are of all that was reported, with {counts}; by well they are of the same wells.")
    return told


def _has_boe(names: Iterable[str]) -> bool:
    return any("boe" in name for name in names)


def _list(as_json: bool) -> int:
    from wellprod.analysis.measures import MEASURES

    if as_json:
        print_json({"measures": [known.as_dict() for known in MEASURES.values()]})
    else:
        screen.show_measures(MEASURES.values())
    return 0
