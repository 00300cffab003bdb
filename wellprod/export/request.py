"""What is asked of an export, checked before a job exists."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from wellprod.analysis.selection import UNNAMED, Selection, known_until
from wellprod.errors import UsageError
from wellprod.export.formats import FORMATS, FORMER_NAMES, Format, endings, find_format, format_of
from wellprod.export.targets import FileTarget, S3Target, find_target
from wellprod.schema import RECORD

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One export: which records, in which form, with which columns, to which target.

    Parameters
    ----------
    selection
        Fields, wells and months.
    format
        Name of a format; None for the one that the name of the output tells, else CSV.
    output
        A file, a folder or an address such as ``s3://bucket/prefix``; None for the default one.
    columns
        Columns of the record, given in the record's order whatever the order here; empty for all.
    formulas_as_text
        Whether CSV keeps a spreadsheet from running text as a formula, by an apostrophe before it.
    preset
        Name of a preset, or path of its TOML file, whose columns are written in place of the record's.
    as_known_on
        A day, YYYY-MM-DD: the records as the store had them at its end, UTC; None for now.
    shelf_name
        For what goes to the shelf: its name there, as the records were when it was asked for.

    Raises
    ------
    UsageError
        The format, a column or the kind of target is not known, or they do not go together; the message lists those
        that are allowed.
    """

    selection: Selection = field(default_factory=Selection)
    format: str | None = None
    output: str | Path | None = None
    columns: tuple[str, ...] = ()
    formulas_as_text: bool = False
    preset: str | None = None
    shelf_name: str | None = None
    as_known_on: str | None = None

    def __post_init__(self) -> None:
        find_format(self.format_name)
        if self.as_known_on:
            known_until(self.as_known_on)
        target = find_target(str(self.output)) if self.output else None
        if isinstance(target, S3Target) and (like := format_of(str(self.output))):
            raise UsageError(
                f"{target.address} is no folder but a file; an export to S3 has a name of its own.",
                next=f"Leave {PurePath(target.address).name} out, and say what it is with --format {like}.",
            )
        ending = format_of(self.named)
        if self.output and not (ending or self.format or self.preset) and isinstance(target, FileTarget):
            raise UsageError(
                f"The name {target.path.name} does not tell the format of the file.",
                next=f"Say it with --format, or end the name in {', '.join(f'.{name}' for name in endings())};"
                " a slash at the end makes it a folder.",
            )
        if ending and self.format and self.format_name != ending:
            raise UsageError(
                f"{self.output} is the name of a file in the format {ending}, not {self.format_name}.",
                next="Leave the format out, or give the file another name.",
            )
        if unknown := [name for name in self.columns if name not in RECORD]:
            raise UsageError(f"There is no column {unknown[0]!r}.", next=f"Columns: {', '.join(RECORD)}.")
        if self.columns and self.preset:
            raise UsageError(
                f"The preset {self.preset_name} has columns of its own.", next="Choose columns, or a preset, not both."
            )
        if (self.columns or self.preset) and not self.form.is_table:
            tables = ", ".join(name for name in FORMATS if FORMATS[name].is_table)
            raise UsageError(
                f"The format {self.format_name} has columns of its own.",
                next=f"Formats with columns to choose or lay out: {tables}.",
            )

    @property
    def known_until(self) -> datetime | None:
        """The moment, UTC, as of which the records are; None for now."""
        return known_until(self.as_known_on) if self.as_known_on else None

    @property
    def named(self) -> str:
        """The name that the file is to have; nothing where it goes to a folder or a bucket, under one of its own."""
        output = str(self.output or "")
        return PurePath(output).name if output and isinstance(find_target(output), FileTarget) else ""

    @property
    def format_name(self) -> str:
        """The name of the format; ``csv`` into a file whose name ends in ``.csv.gz`` is ``csv.gz``."""
        ending = format_of(self.named)
        given = FORMER_NAMES.get(self.format or "", self.format)
        if given is None or (ending or "").startswith(f"{given}."):
            return ending or given or "csv"
        return given

    @property
    def form(self) -> Format:
        """The format itself."""
        return find_format(self.format_name)

    @property
    def notices(self) -> list[str]:
        """What the one who asked should know of how this was understood."""
        now = FORMER_NAMES.get(self.format or "")
        return [f"The format {self.format} is no longer made; {now} has taken its place."] if now else []

    @property
    def _handed_on(self) -> str:
        """The format as another request gets it: a former name stays, so that its notice does."""
        return self.format if self.format in FORMER_NAMES else self.format_name

    @property
    def columns_in_order(self) -> list[str]:
        """The columns of the file."""
        return [name for name in RECORD if not self.columns or name in self.columns]

    @property
    def preset_name(self) -> str | None:
        """What the preset is called, also where it was given as a file."""
        return PurePath(self.preset).stem if self.preset and self.preset.endswith(".toml") else self.preset

    def or_format(self, name: str) -> ExportRequest:
        """Give the same request in the format `name`, unless it asks for one or the name of its output tells one."""
        return self if self.format or format_of(self.named) else replace(self, format=name)

    def to(self, output: str | Path) -> ExportRequest:
        """Give the same request with another output."""
        return replace(self, format=self._handed_on, output=output)

    def file_name(self, extension: str) -> str:
        """Give a name that tells what the file holds, such as ``wells_prod_Tupi_2023-01_2024-05.csv``."""
        chosen = [self.selection.name] if self.selection.name else [*self.selection.fields, *self.selection.wells]
        months = [month[:7] for month in (self.selection.first_month, self.selection.last_month) if month]
        named = [self.preset_name or "", *chosen[:3], *(["and_others"] if len(chosen) > 3 else []), *months]
        named += [f"as_known_on_{self.as_known_on}"] if self.as_known_on else []
        words = [re.sub(r"[^\w.-]+", "-", word).strip("-.") for word in ("wells_prod", *named)]
        return f"{'_'.join(word for word in words if word)[:_LONGEST_NAME]}.{extension}"

    def key(self, job_id: str, extension: str) -> str:
        """Give the name of the file in a folder or a bucket, which a second run of the job has too.

        On the shelf it is that of the file while it is written, which tells whose it is when the job is killed.
        """
        if self.shelf_name:
            return f"{job_id}.{extension}"
        return f"exports/{self.selection.name or UNNAMED}/{job_id}.{extension}"

    def as_parameters(self) -> dict[str, Any]:
        """Give it as a job row keeps it."""
        output = find_target(str(self.output)).address if self.output else None
        chosen = {"selection": self.selection.as_dict(), "columns": list(self.columns)}
        asked = {"format": self._handed_on, "formulas_as_text": self.formulas_as_text}
        preset = self.preset
        if preset and preset.endswith(".toml"):
            preset = str(Path(preset).expanduser().resolve())
        more = {name: value for name in ("shelf_name", "as_known_on") if (value := getattr(self, name))}
        return {**chosen, **asked, "preset": preset, "output": output, **more}

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any]) -> ExportRequest:
        """Make it again from a job row."""
        return cls(
            selection=Selection.from_dict(parameters["selection"]),
            format=parameters["format"],
            output=parameters["output"],
            columns=tuple(parameters["columns"]),
            formulas_as_text=parameters.get("formulas_as_text", False),
            preset=parameters.get("preset"),
            shelf_name=parameters.get("shelf_name"),
            as_known_on=parameters.get("as_known_on"),
        )
