"""Chooses the form of a file: its format, its layout or columns."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.export import FORMATS, ExportRequest, load_presets
from wellprod.export.formats import Format
from wellprod.export.formats.csv import Csv
from wellprod.pages import parts
from wellprod.schema import RECORD
from wellprod.settings import Settings
from wellprod.text import number

_OWN_COLUMNS = "wellprod's own columns"


def layouts(settings: Settings) -> dict[str, str]:
    """Give the titles of the presets by their names."""
    return {name: preset.title for name, preset in sorted(load_presets(settings.presets_path).items())}


class FileForm(w.VBox):
    """Format, layout and columns of an export; only what the format leaves open can be chosen.

    Parameters
    ----------
    on_change
        Told when the choice is another one.
    """

    def __init__(self, settings: Settings, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        names = sorted(FORMATS, key=lambda name: not FORMATS[name].is_table)  # tables first, else as registered
        self._format = w.Dropdown(options=[(FORMATS[name].title, name) for name in names], description="Format")
        own = [(_OWN_COLUMNS, "")]
        self._layout = w.Dropdown(
            options=own + [(title, name) for name, title in layouts(settings).items()], description="Layout"
        )
        self._hint = parts.Html()
        self._formulas_as_text = w.Checkbox(
            value=False, description="Keep spreadsheets from running text as formulas", indent=False
        )
        self._every_column = w.Checkbox(value=True, description="All columns", indent=False)
        self._columns = {name: w.Checkbox(value=True, description=name, indent=False) for name in RECORD}
        self._choose_columns = w.Box(list(self._columns.values()))
        self._choose_columns.add_class("wp-columns")
        choices = (self._format, self._layout, self._formulas_as_text, self._every_column, *self._columns.values())
        for choice in choices:
            choice.observe(lambda _: self._changed(), "value")
        super().__init__(
            [
                parts.row(self._format, self._layout),
                self._hint,
                self._formulas_as_text,
                self._every_column,
                self._choose_columns,
            ]
        )
        self.add_class("wp-file")
        self._show()

    @property
    def is_table(self) -> bool:
        """Whether the file holds one flat table."""
        return self._form.is_table

    @property
    def _form(self) -> Format:
        return FORMATS[self._format.value]

    @property
    def _has_columns(self) -> bool:
        return self.is_table and not self._layout.value

    def request(self, selection: Selection) -> ExportRequest:
        """Give what is asked for.

        Raises
        ------
        UsageError
            No column is chosen.
        """
        every = self._every_column.value or not self._has_columns
        columns = () if every else tuple(name for name, box in self._columns.items() if box.value)
        if not columns and not every:
            raise UsageError("No column is chosen.", next="Choose at least one.")
        as_text = self._formulas_as_text.value and isinstance(self._form, Csv)
        preset = self._layout.value if self.is_table else ""
        return ExportRequest(
            selection, self._format.value, columns=columns, formulas_as_text=as_text, preset=preset or None
        )

    def _changed(self) -> None:
        self._show()
        self._on_change()

    def _show(self) -> None:
        """Show what can be chosen for the format."""
        self._hint.put(parts.aside(_hint(self._form)))
        parts.show(self._layout, self.is_table and len(self._layout.options) > 1)
        parts.show(self._formulas_as_text, isinstance(self._form, Csv))
        parts.show(self._every_column, self._has_columns)
        parts.show(self._choose_columns, self._has_columns and not self._every_column.value)


def _hint(form: Format) -> str:
    """Say what a format makes, and what it takes at most."""
    one, several = form.endings(1)[0], form.endings(2)[0]
    ending = f"A .{one} file." if one == several else f"One month makes a .{one} file, several make a .{several}."
    told = [form.about, ending]
    if form.most_records is not None:
        told.append(f"It takes up to {number(form.most_records)} records.")
    return " ".join(told)
