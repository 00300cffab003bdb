"""The commands of `wellprod selections`."""

from __future__ import annotations

from typing import Annotated

import typer

from wellprod.cli import screen
from wellprod.cli.options import AsJson, Fields, FirstMonth, GroupNames, LastMonth, Wells, print_json, read_settings

commands = typer.Typer(help="Saved selections: which fields, wells and months, under a name.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the selection.", show_default=False)]


@commands.command("list")
def selections_list(as_json: AsJson = False) -> int:
    """List the saved selections."""
    from wellprod.analysis.saved import list_selections

    folder = read_settings().selections_path
    found = list_selections(folder)
    if as_json:
        print_json({"selections": [saved.as_dict() for saved in found]})
    else:
        screen.show_selections(found, folder)
    return 0


@commands.command("show")
def selections_show(name: Name, as_json: AsJson = False) -> int:
    """Show one selection whole."""
    from wellprod.analysis.saved import load_selection

    selection = load_selection(name, read_settings().selections_path)
    if as_json:
        print_json(selection.as_dict())
    else:
        screen.show_pairs(selection.as_pairs())
    return 0


@commands.command("save")
def selections_save(
    name: Name,
    field: Fields = None,
    well: Wells = None,
    group: GroupNames = None,
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    description: Annotated[str, typer.Option(help="What it is for.", show_default=False)] = "",
    client: Annotated[str, typer.Option(help="For whom it is.", show_default=False)] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of the one with this name.")] = False,
    as_json: AsJson = False,
) -> int:
    """Save a selection under a name, for exports to ask for; its fields and wells must be in the store."""
    from wellprod.analysis.saved import save_selection
    from wellprod.analysis.selection import Selection
    from wellprod.store import Store

    settings = read_settings()
    fields, wells, groups = (tuple(names or ()) for names in (field, well, group))
    asked = Selection(fields, wells, first_month, last_month, name, description, client, groups)
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        saved = save_selection(asked, settings.selections_path, reading, replace=replace)
    if as_json:
        print_json(saved.as_dict())
    else:
        screen.show_pairs({**saved.as_pairs(), "Saved in": str(settings.selections_path)})
    return 0


@commands.command("delete")
def selections_delete(name: Name, as_json: AsJson = False) -> int:
    """Delete a saved selection; what was exported stays."""
    from wellprod.analysis.saved import delete_selection

    deleted = delete_selection(name, read_settings().selections_path)
    if as_json:
        print_json({"deleted": deleted})
    else:
        screen.out.print(f"The selection {deleted!r} is deleted.", markup=False, soft_wrap=True)
    return 0
