"""What a page shows, as the query of its address: read when the page opens, written when the choice changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from wellprod.analysis.saved import load_selection
from wellprod.analysis.selection import Selection
from wellprod.errors import SelectionError, WellprodError

LONGEST_QUERY = 6000
"""Characters of a query that servers, proxies and mail programs take without cutting it."""

_SEVERAL = {"group": "groups", "field": "fields", "well": "wells"}
_MONTHS = {"from": "first_month", "to": "last_month"}
_SELECTION = ("selection", *_SEVERAL, *_MONTHS)
_OTHERS = ("theme", "template")  # Voila's own
_TOLD = 12


@dataclass(frozen=True, slots=True)
class Address:
    """What an address asks for.

    Parameters
    ----------
    selection
        Fields, wells, groups and months; under its name where it was saved.
    choices
        The other choices by their names, each one that is allowed.
    others
        What is not the page's own and goes on with it, such as the theme.
    problems
        What could not be taken, in words.
    """

    selection: Selection = field(default_factory=Selection)
    choices: Mapping[str, str] = field(default_factory=dict)
    others: tuple[tuple[str, str], ...] = ()
    problems: tuple[WellprodError, ...] = ()


def read_address(query: str, allowed: Mapping[str, Collection[str]], folder: Path) -> Address:
    """Read the query of an address; what is wrong in it is passed over and told.

    Parameters
    ----------
    allowed
        The choices of the page by name, with the values that each may have.
    folder
        Where the selections are saved.
    """
    pairs = [(name, value.strip()) for name, value in parse_qsl(query, keep_blank_values=True)]
    problems: list[WellprodError] = []
    choices: dict[str, str] = {}
    for name, count in Counter(name for name, _ in pairs).items():
        if name in (*_SEVERAL, *_OTHERS, "token"):
            continue
        if name not in (*_SELECTION, *allowed):
            names = ", ".join((*_SELECTION, *allowed))
            message = f"The address says {name!r}, which means nothing here."
            problems.append(SelectionError(message, next=f"It may say: {names}."))
        elif count > 1:
            problems.append(SelectionError(f"The address says {name} {count} times.", next="The last one counts."))
    given = dict(pairs)
    for name, values in allowed.items():
        if (value := given.get(name, "")) in values:
            choices[name] = value
        elif value:
            told = ", ".join(sorted(values)[:_TOLD]) + (", ..." if len(values) > _TOLD else "")
            message = f"The address says {name}={value!r}, which is not allowed."
            problems.append(SelectionError(message, next=f"Allowed are: {told}."))
    return Address(
        _selection(pairs, folder, problems),
        choices,
        tuple((name, value) for name, value in pairs if name in _OTHERS),
        tuple(problems),
    )


def write_address(selection: Selection, choices: Mapping[str, str], others: Collection[tuple[str, str]] = ()) -> str:
    """Give the query of an address that asks for the same.

    Raises
    ------
    SelectionError
        It would be longer than what every program takes.
    """
    pairs: list[tuple[str, str]] = []
    if selection.name:
        pairs.append(("selection", selection.name))
    else:
        pairs += [(name, text) for name, given in _SEVERAL.items() for text in getattr(selection, given)]
    for name, month in _MONTHS.items():
        if (given := getattr(selection, month)) or selection.name:
            pairs.append((name, (given or "")[:7]))
    query = urlencode([*pairs, *choices.items(), *others])
    if len(query) > LONGEST_QUERY:
        raise SelectionError(
            "So many fields and wells do not fit into an address.",
            next="Save the selection under a name: the address then holds the name.",
        )
    return query


def _selection(pairs: list[tuple[str, str]], folder: Path, problems: list[WellprodError]) -> Selection:
    asked = Selection()
    given = dict(pairs)
    try:
        if name := given.get("selection"):
            asked = load_selection(name, folder)
    except WellprodError as error:
        problems.append(error)
    chosen = {
        kind: tuple(dict.fromkeys(value for name, value in pairs if name == own and value))
        for own, kind in _SEVERAL.items()
    }
    asked = asked.narrowed(chosen["fields"], chosen["wells"], groups=chosen["groups"])
    for name, month in _MONTHS.items():
        if name in given:
            try:
                asked = Selection.from_dict({**asked.as_dict(), month: given[name] or None})
            except SelectionError as error:
                problems.append(error)
    return asked
