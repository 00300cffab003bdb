"""The command `wellprod report`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from wellprod.cli import many, screen, work
from wellprod.cli.options import AsJson, Fields, GroupNames, SelectionName, print_json, read_selection, read_settings
from wellprod.errors import UsageError

if TYPE_CHECKING:
    from wellprod.analysis.selection import Selection
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
    each_field: Annotated[
        bool, typer.Option("--each-field", help="Run it for every field, or for those of a selection, with its months.")
    ] = False,
    selection: SelectionName = None,
    field: Fields = None,
    group: GroupNames = None,
    at_once: Annotated[int, typer.Option(help="Fields at once, with --each-field.", min=1, max=64)] = 2,
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Whether to make a PDF too.")] = True,
    as_json: AsJson = False,
) -> int:
    """Run a notebook with parameters, and keep it with its HTML and PDF in the folder of the reports."""
    settings = read_settings()
    if name is None:
        if parameter or each_field:
            raise UsageError("There are parameters, but no report.", next="wellprod report NAME -p NAME VALUE")
        return _list(settings, as_json)
    if (selection or field or group) and not each_field:
        raise UsageError(
            "A selection is of several fields.", next="Add --each-field, or name one field: -p field NAME."
        )
    pairs = [_pair(text) for text in parameter or ()]
    given = dict(pairs)
    if len(given) < len(pairs):
        raise UsageError("A parameter is given twice.", next="Give each one once.")
    if each_field:
        chosen = read_selection(settings, selection, field, None, None, None, group)
        return _run_each(name, given, chosen, settings, at_once=at_once, pdf=pdf, as_json=as_json)
    from wellprod.reports import run_report

    with work.watched_report() as watching:
        result = run_report(name, given, settings, pdf=pdf, **watching)
    if as_json:
        print_json(result.as_dict())
    else:
        screen.show_report(result)
    return result.exit_code


def _run_each(
    name: str,
    given: dict[str, str],
    selection: Selection,
    settings: Settings,
    *,
    at_once: int,
    pdf: bool,
    as_json: bool,
) -> int:
    from wellprod.reports import run_reports

    with work.watched_reports() as watching:
        result = run_reports(name, given, selection, settings, at_once=at_once, pdf=pdf, **watching)
    if as_json:
        print_json(result.as_dict())
    else:
        many.show_reports(result, settings.reports_path)
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
