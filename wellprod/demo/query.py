"""The query of a request: its system query options, checked, and the rows of a frame that they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from wellprod.demo.filters import QueryError, parse_filter, property_value

OPTIONS = ("$filter", "$orderby", "$select", "$skip", "$top", "$count", "$format", "$skiptoken")
"""The system query options that the service knows."""


@dataclass(frozen=True)
class Query:
    """What a request asks for; `filter` and `orderby` as text, checked only when rows are looked for."""

    filter: str = ""
    orderby: str = ""
    select: tuple[str, ...] = ()
    skip: int = 0
    top: int | None = None
    count: bool = False
    skiptoken: str = ""


def parse_query(options: Iterable[tuple[str, str]], properties: Mapping[str, str]) -> Query:
    """Read the options of a request, given as decoded names and values; names without `$` are left alone.

    Raises
    ------
    QueryError
        An option is unknown, given twice, or has a value that is not allowed.
    """
    given: dict[str, str] = {}
    for name, value in options:
        if not name.startswith("$"):
            continue
        if name not in OPTIONS:
            raise QueryError(f"{name} is no query option here; allowed are {', '.join(OPTIONS)}.")
        if name in given:
            raise QueryError(f"{name} is given twice, as {given[name]!r} and {value!r}; allowed is once.")
        if not value.strip():
            raise QueryError(f"{name} is empty; give it a value or leave it out.")
        given[name] = value.strip()
    if not re.match(r"(?i)(json|application/json)\b", given.get("$format", "json")):
        raise QueryError(f"$format is {given['$format']!r}; allowed is json.")
    if given.get("$count", "false") not in ("true", "false"):
        raise QueryError(f"$count is {given['$count']!r}; allowed are true and false.")
    return Query(
        filter=given.get("$filter", ""),
        orderby=given.get("$orderby", ""),
        select=_select(given.get("$select", "*"), properties),
        skip=_whole_number("$skip", given.get("$skip", "0")),
        top=_whole_number("$top", given["$top"]) if "$top" in given else None,
        count=given.get("$count") == "true",
        skiptoken=given.get("$skiptoken", ""),
    )


def row_numbers(
    frame: pl.DataFrame, properties: Mapping[str, str], filter_text: str, orderby_text: str
) -> pl.Series | None:
    """Give the numbers of the rows that pass the filter, in the order asked for; None for all as they are.

    An empty text stands for no filter, or no order. Null comes first in ascending order and last in
    descending, and equal rows keep their order.

    Raises
    ------
    QueryError
        The filter or the order is not allowed.
    """
    if not filter_text and not orderby_text:
        return None
    rows = frame.lazy().with_row_index("@row")
    if filter_text:
        rows = rows.filter(parse_filter(filter_text, properties))
    if orderby_text:
        by, descending = _order(orderby_text, properties)
        rows = rows.sort(by, descending=descending, nulls_last=descending, maintain_order=True)
    return rows.select("@row").collect().to_series()


def _order(text: str, properties: Mapping[str, str]) -> tuple[list[pl.Expr], list[bool]]:
    by, descending = [], []
    for part in text.split(","):
        name, *direction = part.split() or [""]
        _check("$orderby", name, properties)
        if direction not in ([], ["asc"], ["desc"]):
            raise QueryError(f"$orderby has {' '.join(direction)!r} after {name}; allowed are asc and desc.")
        by.append(property_value(name, properties[name]))
        descending.append(direction == ["desc"])
    return by, descending


def _select(text: str, properties: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if "*" in names:
        return ()
    for name in names:
        _check("$select", name, properties)
    return names


def _check(option: str, name: str, properties: Mapping[str, str]) -> None:
    if name not in properties:
        raise QueryError(f"{option} names {name!r}, which is no property; there are {', '.join(properties)}.")


def _whole_number(option: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise QueryError(f"{option} is {text!r}; allowed is a whole number from 0 on.")
    return int(text)
