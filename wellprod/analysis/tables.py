"""Tables as a notebook shows them: headings with units, figures at the right, nothing cut off in silence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from wellprod.text import figure, heading, html_table, number

_ROWS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Table:
    """A frame to look at, at most 500 rows of it; `empty` is said where it has no rows."""

    frame: pl.DataFrame
    empty: str = "There are none."

    def _repr_html_(self) -> str:
        if self.frame.is_empty():
            return f"<p>{self.empty}</p>"
        named = [heading(name) for name in self.frame.columns]
        shown = self.frame.head(_ROWS_SHOWN)
        table = html_table(
            [f"{words} ({unit})" if unit else words for words, unit in named],
            ([_as_text(value) for value in row] for row in shown.iter_rows()),
            figures=[kind.is_numeric() for kind in self.frame.dtypes],
        )
        left = self.frame.height - shown.height
        return table + (f"<p>and {number(left)} more rows</p>" if left else "")


def _as_text(value: Any) -> str:
    if isinstance(value, date):
        return f"{value:%Y-%m}" if value.day == 1 else value.isoformat()
    return figure(value) if isinstance(value, int | float) else str(value or "")
