"""What a table of measures has rows for: everything together, or each field, well or group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

By = Literal["all", "field", "well", "group"]

_FIELD = "coalesce(field_name, field_code::VARCHAR)"


@dataclass(frozen=True, slots=True)
class Key:
    """The columns that make a row's owner, and its titles with the SQL that finds the latest of each."""

    columns: tuple[str, ...] = ()
    titles: dict[str, str] = field(default_factory=dict)


KEYS: dict[By, Key] = {
    "all": Key(),
    "field": Key(
        ("data_source", "field_code"),
        {"field": "coalesce(max_by(field_name, production_period), field_code::VARCHAR)"},
    ),
    "well": Key(
        ("data_source", "well_code"),
        {
            "well": "coalesce(max_by(well_name, production_period), max_by(well_reference, production_period),"
            " well_code::VARCHAR)",
            "field": f"max_by({_FIELD}, production_period)",
        },
    ),
    "group": Key(("group",)),
}
"""By what the records are gathered. A well is one well code of one data source, in whichever fields it was."""
