"""The command `wellprod report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from wellprod.cli import screen, work
from wellprod.cli.options import AsJson, print_json, read_settings
from wellprod.errors import UsageError

if TYPE_CHECKING:
    from wellprod.settings import Settings

commands = typer.Typer()


class _WithPairs(TyperCommand):
    """Takes `-p NAME VALUE`, as papermill does, which typer has no type for, and `-p NAME=VALUE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join each pair to one word."""
        left, joined = list(args), []
        while left:
            word = left.pop(0)
            joined.append(word)
            if word in ("-p", "--parameter") and left:
                name = left.pop(0)
                has_value = "=" not in name and left and not left[0].startswith("--")
                joined.append(f"{name}={left.pop(0)}" if has_value else name)
        return super().parse_args(ctx, joined)


@commands.command(cls=_WithPairs)
def report(
    name: Annotated[str | None, typer.Argument(help="Notebook to run; without it, those there are.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME VALUE", help="A parameter of it; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run a notebook with parameters, and keep it with its HTML in the folder of the reports."""
    settings = read_settings()
    if name is None:
        if parameter:
            raise UsageError("There are parameters, but no report.", next="wellprod report NAME -p NAME VALUE")
        return _list(settings, as_json)
    pairs = [_pair(text) for text in parameter or ()]
    given = dict(pairs)
    if len(given) < len(pairs):
        raise UsageError("A parameter is given twice.", next="Give each one once.")
    from wellprod.reports import run_report

    with work.watched_report() as watching:
        result = run_report(name, given, settings, **watching)
    if as_json:
        print_json(result.as_dict())
    else:
        screen.show_report(result)
    return result.exit_code


def _list(settings: Settings, as_json: bool) -> int:
    from wellprod.reports import list_reports

    reports = list_reports(settings)
    if as_json:
        print_json({"reports": [found.as_dict() for found in reports]})
    else:
        screen.show_reports(reports, settings.notebooks)
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise UsageError(f"The parameter {name!r} has no value.", next=f"Write: -p {name} VALUE")
    return name, value
