"""The `$filter` language: comparisons of properties with literals, joined by and, or, not and parentheses."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'[^']*(?:''[^']*)*')
      | (?P<time>\d{4}-\d{2}-\d{2}(?:T[\d:.]+)?(?:Z|[+-]\d{2}:\d{2})?)
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<mark>[^\s\w'])
    )""",
    re.VERBOSE,
)
_KINDS = {
    "Edm.Int64": "number",
    "Edm.Double": "number",
    "Edm.Boolean": "true or false",
    "Edm.DateTimeOffset": "date-time",
    "Edm.String": "text",
}
_COMPARISONS: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "eq": pl.Expr.eq_missing,
    "ne": pl.Expr.ne_missing,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_DEEPEST = 100
_LARGEST_INTEGER = 2**63 - 1


class QueryError(ValueError):
    """A query option has a value that is not allowed; the message says which, and what is allowed."""


class Token(NamedTuple):
    """A word, literal or parenthesis of an expression; its kind is the group that it matched."""

    kind: str
    text: str


@dataclass(frozen=True)
class Operand:
    """One side of a comparison: its value, what kind of value that is, and how it was written."""

    value: pl.Expr
    kind: str
    text: str


def property_value(name: str, edm_type: str) -> pl.Expr:
    """Give the values of a property in the form in which they compare: date-times in UTC, all else as is."""
    column = pl.col(name)
    if edm_type != "Edm.DateTimeOffset":
        return column
    dates = column.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.coalesce(column.str.to_datetime("%+", strict=False, time_unit="us"), dates)


def parse_filter(text: str, properties: Mapping[str, str]) -> pl.Expr:
    """Turn a `$filter` into the boolean expression of the rows that it lets through.

    `properties` gives the OData type of each property by name. Null is equal to null alone, and neither
    above nor below anything, so that the expression is never null.

    Raises
    ------
    QueryError
        `text` is no filter of this language, or names or compares what cannot be.
    """
    parser = _Parser(_tokens(text), properties)
    expression = parser.any_of(0)
    parser.expect_end()
    return expression


def _tokens(text: str) -> list[Token]:
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise QueryError(
                f"$filter cannot be read from {text[position:].strip()[:40]!r} on; allowed are properties in "
                "ASCII letters and text in single quotes, a quote in it doubled."
            )
        kind = str(match.lastgroup)
        tokens.append(Token(kind, match[kind]))
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent, loosest first: `or`, `and`, `not`, then one comparison or parenthesis."""

    def __init__(self, tokens: list[Token], properties: Mapping[str, str]) -> None:
        self._tokens = [*tokens, Token("end", "the end")]
        self._next = 0
        self._properties = properties

    def any_of(self, depth: int) -> pl.Expr:
        parts = [self._all_of(depth)]
        while self._take("or"):
            parts.append(self._all_of(depth))
        return parts[0] if len(parts) == 1 else pl.any_horizontal(parts)

    def expect_end(self) -> None:
        if self._tokens[self._next].kind != "end":
            raise self._unexpected("`and`, `or` or the end")

    def _all_of(self, depth: int) -> pl.Expr:
        parts = [self._one(depth)]
        while self._take("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else pl.all_horizontal(parts)

    def _one(self, depth: int) -> pl.Expr:
        if depth > _DEEPEST:
            raise QueryError(f"$filter is nested too deeply; {_DEEPEST} levels are allowed.")
        if self._take("not"):
            return ~self._one(depth + 1)
        if self._take("("):
            inner = self.any_of(depth + 1)
            if not self._take(")"):
                raise self._unexpected("`and`, `or` or `)`")
            return inner
        return self._comparison()

    def _comparison(self) -> pl.Expr:
        left = self._operand()
        for name, compare in _COMPARISONS.items():
            if self._take(name):
                right = self._operand()
                _check_kinds(left, right)
                return compare(left.value, right.value).fill_null(value=False)
        if left.kind == "true or false":
            return left.value.fill_null(value=False)
        raise self._unexpected(f"one of {', '.join(_COMPARISONS)}")

    def _operand(self) -> Operand:
        kind, text = token = self._tokens[self._next]
        if kind in ("end", "mark"):
            raise self._unexpected("a property or a literal")
        self._next += 1
        if kind != "word" or text in ("null", "true", "false"):
            return _literal(token)
        if text not in self._properties:
            raise QueryError(f"$filter names {text!r}, which is no property; there are {', '.join(self._properties)}.")
        edm_type = self._properties[text]
        return Operand(property_value(text, edm_type), _KINDS[edm_type], text)

    def _take(self, text: str) -> bool:
        token = self._tokens[self._next]
        if token.text != text or token.kind not in ("word", "mark"):
            return False
        self._next += 1
        return True

    def _unexpected(self, due: str) -> QueryError:
        found = self._tokens[self._next].text
        before = self._tokens[self._next - 1].text if self._next else "its beginning"
        return QueryError(f"$filter has {found!r} after {before!r}, where {due} is due.")


def _literal(token: Token) -> Operand:
    kind, text = token
    if kind == "text":
        return Operand(pl.lit(text[1:-1].replace("''", "'")), "text", text)
    if kind == "time":
        return Operand(pl.lit(_time(text), pl.Datetime("us", "UTC")), "date-time", text)
    if kind == "number":
        digits = text.removeprefix("-")
        whole = digits.isdecimal() and len(digits) < 20 and int(digits) <= _LARGEST_INTEGER
        return Operand(pl.lit(int(text) if whole else float(text)), "number", text)
    if text == "null":
        return Operand(pl.lit(None), "null", text)
    return Operand(pl.lit(text == "true"), "true or false", text)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00Z")
    except ValueError as error:
        raise QueryError(f"$filter has {text!r}, which is no date: {error}.") from None
    if time.tzinfo is None:
        raise QueryError(f"$filter has {text!r} without a zone; add Z or an offset, its + written as %2B.")
    return time.astimezone(UTC)


def _check_kinds(left: Operand, right: Operand) -> None:
    if left.kind != right.kind and "null" not in (left.kind, right.kind):
        raise QueryError(
            f"$filter compares {left.text} ({left.kind}) with {right.text} ({right.kind}); both must be of "
            "one kind, written 12.5, 'text', true, null, or unquoted 2024-01-01 or 2024-01-01T00:00:00Z."
        )
