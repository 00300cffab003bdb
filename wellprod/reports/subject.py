"""What a report is about, where its parameters name a field: checked before a kernel starts, and told by its files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wellprod.analysis.field.month import field_month
from wellprod.errors import UsageError
from wellprod.reports.notebook import Report
from wellprod.settings import Settings
from wellprod.store import Store

_LONGEST = 40  # letters of a field in the name of a file
_UNITS = ("oilfield", "metric")


@dataclass(frozen=True, slots=True)
class Subject:
    """A field, by its title, and how the names of its files tell it."""

    title: str
    label: str


def subject_of(report: Report, given: Mapping[str, Any], settings: Settings) -> Subject | None:
    """Give the field that a report is about; None where its parameters name none.

    In any notebook `field` is a field of the store, `as_of` a month in which it has records, and `units` a system of
    units. A field that is empty text has to be given.

    Raises
    ------
    UsageError
        One of them is not allowed, or not in the store; the message names the nearest.
    StoreMissing
        Nothing was imported yet.
    """
    values = {parameter.name: parameter.default for parameter in report.parameters} | dict(given)
    if (units := values.get("units", "oilfield")) not in _UNITS:
        raise UsageError(f"There is no system of units {units!r}.", next=f"Give one of: {', '.join(_UNITS)}.")
    field = values.get("field")
    if field is None:
        return None
    if field == "":
        raise UsageError(
            f"{report.name} needs a field.",
            next=f"wellprod report {report.name} -p field NAME, or --each-field for all of them.",
        )
    with Store(settings.store_path, settings.store_wait_seconds).read() as reading:
        found = field_month(reading, str(field), values.get("as_of"))
    codes = sorted({code for _, code in found.keys})
    own = [str(codes[0])] if len(codes) == 1 and str(codes[0]) != found.title else []
    return Subject(found.title, "-".join([*own, _as_file_name(found.title)]))


def _as_file_name(title: str) -> str:
    text = unicodedata.normalize("NFC", title)
    return re.sub(r"[^\w]+", "-", text).strip("-_")[:_LONGEST].rstrip("-_")
