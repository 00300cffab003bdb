"""One field at the end of one month: what a report of a field is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from wellprod.analysis.identity import Key, keys_of, same_codes
from wellprod.analysis.selection import Selection
from wellprod.errors import UsageError
from wellprod.store import Reading


@dataclass(frozen=True, slots=True)
class FieldMonth:
    """A field and a month in which it has records.

    Attributes
    ----------
    title
        What it is called: the main name in `groups.toml`, else the latest one, else its code.
    keys
        The data sources and codes that are this field, with those of its other names.
    selection
        The field, in all its months.
    month, store_month
        The first day of the month, and of the last month of its data sources.
    """

    title: str
    keys: tuple[Key, ...]
    selection: Selection
    month: date
    store_month: date


def field_month(reading: Reading, field: str, as_of: str | None = None, *, last_month: str | None = None) -> FieldMonth:
    """Find a field by its code or name, and its month: `as_of`, or the last one with a record up to `last_month`.

    Raises
    ------
    UsageError
        No field is named, or it has no record of the month.
    NotThere
        The field is not in the store; the message names the nearest.
    SelectionError
        `as_of` is no month.
    """
    if not field:
        raise UsageError("No field is named.", next="Give the code or name of one; wellprod stats lists some.")
    keys = keys_of(reading, "field", field)
    where, values = Selection(fields=(field,), first_month=as_of, last_month=as_of or last_month).condition(reading)
    month: date | None = reading.value(f"SELECT max(production_period) FROM production WHERE {where}", values)
    chosen = Selection(fields=(field,))
    whole, more = chosen.condition(reading)
    name, first, last = reading.table(
        "SELECT coalesce(max_by(field_name, production_period), max_by(field_code, production_period)::VARCHAR),"
        f" min(production_period), max(production_period) FROM production WHERE {whole}",
        more,
    ).row(0)
    mains = {(source, code): main for source, code, _, main in same_codes(reading, "field").rows()}
    main = next((mains[key] for key in keys if key in mains), name)
    if month is None:
        raise UsageError(
            f"{main} has no record {f'of {as_of[:7]}' if as_of else f'up to {last_month}'}.",
            next=f"It has records from {first:%Y-%m} to {last:%Y-%m}.",
        )
    sources = sorted({source for source, _ in keys})
    store_month = reading.value(
        f"SELECT max(production_period) FROM production WHERE data_source IN ({', '.join('?' * len(sources))})", sources
    )
    return FieldMonth(main, tuple(keys), chosen, month, store_month)


def fields_of(reading: Reading, selection: Selection) -> list[str]:
    """Give the codes of the fields of a selection, once where several codes are one field, the largest first."""
    where, values = selection.condition(reading)
    codes = reading.table(
        f"SELECT field_code FROM production WHERE {where} GROUP BY field_code"
        " ORDER BY sum(coalesce(oil_production_kbd, 0) + coalesce(gas_production_mmcfd, 0) / 6) DESC, field_code",
        values,
    )["field_code"]
    given: list[str] = []
    seen: set[int] = set()
    for code in codes:
        if code not in seen:
            seen |= {other for _, other in keys_of(reading, "field", str(code))}
            given.append(str(code))
    return given
