"""Raw text columns into production records: types, units, months; what cannot be a record is a reject with its reason.

Pure and vectorised: a page in, records and rejects out. A quality rule that a record breaks is counted, and rejects
the record only where the settings name the rule.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from wellprod.errors import SettingsError
from wellprod.feed.page import FAULT
from wellprod.feed.profile import RATES, Profile
from wellprod.feed.units import parse_unit, scaled
from wellprod.schema import CONTENT, FIGURES, KEY, RECORD

_ISO = r"^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$"
_INTEGER = r"^[+-]?\d{1,18}(?:\.0+)?$"
_YEARS = (1800, 2199)  # of production; a feed may say 0000 or 9999 where it knows none
_BLANKS = " \u00a0\u2009\u202f"
_HASH_BITS = 52  # the widest that a spreadsheet and JSON read back without loss

NO_RECORD = "the row holds nothing that the profile names"
"""The reason of a reject that is no object, or one of another kind."""

REMOVED_KEY: dict[str, pl.DataType] = {
    **{name: RECORD[name] for name in KEY},
    "page": pl.Int32(),
    "row_number": pl.Int32(),
}
"""The columns that say which record was removed, and where it was said."""

RULES: dict[str, str] = {
    "negative_rate": "a rate below zero",
    "negative_days": "days on production below zero",
    "days_above_month": "more days on production than the month has",
    "production_without_days": "oil or gas above zero with zero days on production",
    "days_without_production": "days on production above zero, and every rate zero or not reported",
    "future_month": "a month that has not begun",
    "month_not_first_day": "a date that is not the first of its month; it is moved there",
    "liquids_below_oil": "liquids below oil, where the source's liquids include oil",
    "nothing_reported": "no rate reported at all",
}
"""The quality rules that one row can answer, and what breaks them (petroleum reference C4)."""


def check_rules(names: Sequence[str]) -> None:
    """Check that each of `names` is a quality rule.

    Raises
    ------
    SettingsError
        One is none; the message lists the rules.
    """
    for name in names:
        if name not in RULES:
            raise SettingsError(
                f"WELLPROD_REJECT_RULES names {name!r}, which is no quality rule.", next=f"Rules: {', '.join(RULES)}."
            )


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What pages gave.

    `records` has the content columns of the record, `day_given`, `page` and `row_number` (and `field_text`,
    `well_text` where codes were made from text); `rejects` has page, row_number and reason; `findings` counts
    breaches by rule. `removed` has the key, page and row_number of what the source says it no longer has; a null
    data_source stands for any.
    """

    records: pl.DataFrame
    rejects: pl.DataFrame
    findings: dict[str, int]
    removed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=REMOVED_KEY))


def clean(rows: pl.DataFrame, profile: Profile, *, reject_rules: Sequence[str] = (), today: date) -> Cleaned:
    """Make records of the text columns `rows` of one page or more (`Page.numbered`), as `profile` reads them.

    Rates are turned into calendar-day kbd and mmcfd: a monthly volume over the days of the month; a producing-day
    rate times days on production over the days of the month (Harmony, "Flow rate calculations"). The month is taken
    as written, whatever its zone offset.
    """
    return _Cleaning(profile, tuple(reject_rules), today).run(rows)


@dataclass(frozen=True, slots=True)
class _Cleaning:
    profile: Profile
    reject_rules: tuple[str, ...]
    today: date

    def run(self, rows: pl.DataFrame) -> Cleaned:
        typed = self._typed(rows)
        typed = typed.with_columns(reason=self._reason(typed))
        findings = typed.filter(pl.col("reason").is_null()).select(
            breach.sum().alias(rule) for rule, breach in self._breaches().items()
        )
        if self.reject_rules:
            typed = typed.with_columns(reason=pl.coalesce("reason", self._reason_by_rule()))
        good = pl.col("reason").is_null()
        texts = [name for name in ("field_text", "well_text") if name in typed.columns]
        return Cleaned(
            records=typed.filter(good).select(*CONTENT, "day_given", *texts, "page", "row_number"),
            rejects=typed.filter(~good).select("page", "row_number", "reason"),
            findings={rule: int(count) for rule, count in findings.row(0, named=True).items() if count},
        )

    def _typed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give every column in its type beside its text, figures in our units; unreadable is null."""
        texts = rows.select(
            pl.col("#page").alias("page"),
            pl.col("#row").alias("row_number"),
            *([pl.col(FAULT)] if FAULT in rows.columns else []),
            *(self._text(name).alias(f"{name}:text") for name in CONTENT),
        )
        typed = texts.with_columns(
            *(pl.col(f"{name}:text").alias(name) for name in CONTENT if RECORD[name] == pl.String),
            *(self._figure(f"{name}:text").alias(f"{name}:given") for name in FIGURES),
            self._date().alias("date_given"),
        )
        typed = self._with_codes(typed).with_columns(
            data_source=pl.col("data_source").fill_null(self.profile.name),
            production_period=pl.col("date_given").dt.month_start(),
            day_given=pl.col("date_given").dt.day().cast(pl.UInt8),
            days_in_month=pl.col("date_given").dt.days_in_month(),
            days_on_production=self._scaled("days_on_production"),
        )
        return typed.with_columns(self._rate(name).alias(name) for name in RATES)

    def _text(self, name: str) -> pl.Expr:
        """Give the text of a column: names as they are, all else without blanks around it; blank is null."""
        column = self.profile.columns.get(name)
        if column is None:
            return pl.lit(None, dtype=pl.String)
        if column.constant is not None:
            return pl.lit(str(column.constant), dtype=pl.String)
        parts = [self._given(names, is_text=RECORD[name] == pl.String) for names in column.needs]
        if not column.year:
            return parts[0]
        year, month = (part.fill_null("").str.replace(r"\.0+$", "") for part in parts)
        told = pl.format("{}-{}-01", year, month.str.zfill(2))
        return pl.when(pl.any_horizontal(part.is_not_null() for part in parts)).then(told)

    def _given(self, names: Sequence[str], *, is_text: bool) -> pl.Expr:
        """Give the text of a property under the first of its names that has one."""

        def told(name: str) -> pl.Expr:
            stripped = pl.col(name).str.strip_chars()
            is_told = (stripped != "") & ~stripped.is_in(self.profile.nulls)
            return pl.when(is_told).then(pl.col(name) if is_text else stripped)

        return pl.coalesce(told(name) for name in names) if len(names) > 1 else told(names[0])

    def _date(self) -> pl.Expr:
        date = self._any_date()
        return pl.when(date.dt.year().is_between(*_YEARS)).then(date)

    def _any_date(self) -> pl.Expr:
        text, form = pl.col("production_period:text"), self.profile.date_form
        if form == "iso" or self.profile.columns["production_period"].year:
            return pl.when(text.str.contains(_ISO)).then(text.str.head(10)).str.to_date("%Y-%m-%d", strict=False)
        if "%d" in form:
            return text.str.to_date(form, strict=False)
        return pl.concat_str(text, pl.lit("|01")).str.to_date(f"{form}|%d", strict=False)

    def _with_codes(self, typed: pl.DataFrame) -> pl.DataFrame:
        for kind in ("field", "well"):
            code, text = f"{kind}_code", pl.col(f"{kind}_code:text")
            whole = (
                pl.when(text.str.contains(_INTEGER)).then(text.str.replace(r"\.0+$", "")).cast(pl.Int64, strict=False)
            )
            if self.profile.codes == "integer" or not self.profile.columns[code].needs:
                typed = typed.with_columns(whole.alias(code))
                continue
            text = text.str.replace(r"^([+-]?\d+)\.0+$", "$1")
            hashed = text.replace_strict(_hashes(typed[f"{code}:text"]), default=None, return_dtype=pl.Int64)
            typed = typed.with_columns(pl.coalesce(whole, hashed).alias(code), text.alias(f"{kind}_text"))
            kept_in = "well_reference" if kind == "well" else "field_name"
            typed = typed.with_columns(pl.coalesce(kept_in, f"{kind}_text").alias(kept_in))
        return typed

    def _figure(self, name: str) -> pl.Expr:
        """Give a column of text as numbers; -0.0 is 0.0, since the store keeps a sign of zero only at times."""
        text, decimal, thousands = pl.col(name), self.profile.decimal, self.profile.thousands
        if decimal != "." or thousands:
            blank = _BLANKS if thousands == " " else re.escape(thousands)
            whole = rf"(?:\d{{1,3}}(?:[{blank}]\d{{3}})+|\d+)" if thousands else r"\d+"
            form = rf"^[+-]?(?:{whole}(?:{re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)(?:[eE][+-]?\d+)?$"
            plain = text.str.replace_all(f"[{blank}]", "") if thousands else text
            text = pl.when(text.str.contains(form)).then(plain.str.replace(decimal, ".", literal=True))
        number = text.cast(pl.Float64, strict=False)
        return pl.when(number == 0).then(0.0).otherwise(number)

    @property
    def _marks(self) -> str:
        """The marks that figures have, where they are not the usual ones."""
        profile = self.profile
        if profile.decimal == "." and not profile.thousands:
            return ""
        return f" (decimal '{profile.decimal}'" + (f", thousands '{profile.thousands}')" if profile.thousands else ")")

    def _scaled(self, name: str) -> pl.Expr:
        column = self.profile.columns.get(name)
        factor, _ = parse_unit(name, column.unit) if column and column.unit else (None, None)
        return scaled(pl.col(f"{name}:given"), factor) if factor is not None else pl.col(f"{name}:given")

    def _rate(self, name: str) -> pl.Expr:
        figure = self._scaled(name)
        if self.profile.figures == "monthly volume":
            return figure / pl.col("days_in_month")
        if self.profile.figures == "producing-day rate":
            return (
                pl.when(figure == 0)
                .then(figure)
                .otherwise(figure * pl.col("days_on_production") / pl.col("days_in_month"))
            )
        return figure

    def _reason(self, typed: pl.DataFrame) -> pl.Expr:
        """Say why a row cannot be a record; the first reason found, null when there is none."""
        nothing = pl.all_horizontal(pl.col(f"{name}:text").is_null() for name in self.profile.mapped)
        faults = [pl.col(FAULT)] if FAULT in typed.columns else []
        reasons: list[pl.Expr] = [*faults, pl.when(nothing).then(pl.lit(NO_RECORD))]
        reasons += [self._unreadable(name, pl.col(name).is_null()) for name in ("field_code", "well_code")]
        reasons.append(self._unreadable("production_period", pl.col("date_given").is_null()))
        for name in FIGURES:
            given = pl.col(f"{name}:given")
            bad = pl.col(f"{name}:text").is_not_null() & (given.is_null() | ~given.is_finite())
            reasons.append(pl.when(bad).then(self._says(name, f"is no finite number{self._marks}")))
            reasons.append(pl.when(~pl.col(name).is_finite()).then(self._says(name, "is too large to convert")))
        if self.profile.figures == "producing-day rate":
            lost = pl.any_horizontal(pl.col(f"{n}:given").is_not_null() & pl.col(n).is_null() for n in RATES)
            reasons.append(pl.when(lost).then(pl.lit("a producing-day rate without days on production")))
        return pl.coalesce(reasons)

    def _unreadable(self, name: str, bad: pl.Expr) -> pl.Expr:
        what = "is no date" if name == "production_period" else "is no whole number of up to 18 digits"
        missing = pl.col(f"{name}:text").is_null()
        return pl.when(missing).then(pl.lit(f"{name} is missing")).when(bad).then(self._says(name, what))

    def _says(self, name: str, what: str) -> pl.Expr:
        return pl.format(f"{name} {what}: '{{}}'", pl.col(f"{name}:text").str.head(60))

    def _reason_by_rule(self) -> pl.Expr:
        breaches = self._breaches()
        return pl.coalesce(
            [pl.when(breaches[rule]).then(pl.lit(f"rule {rule}: {RULES[rule]}")) for rule in self.reject_rules]
            + [pl.lit(None, dtype=pl.String)]
        )

    def _breaches(self) -> dict[str, pl.Expr]:
        days, oil, gas = (pl.col(n) for n in ("days_on_production", "oil_production_kbd", "gas_production_mmcfd"))
        rates = [pl.col(name) for name in RATES]
        liquids_below_oil = pl.col("liquids_production_kbd") < oil
        breaches = {
            "negative_rate": pl.any_horizontal(rate < 0 for rate in rates),
            "negative_days": days < 0,
            "days_above_month": days > pl.col("days_in_month"),
            "production_without_days": (days == 0) & ((oil > 0) | (gas > 0)),
            "days_without_production": (days > 0) & pl.all_horizontal(rate.fill_null(0) == 0 for rate in rates),
            "future_month": pl.col("production_period") > self.today,
            "month_not_first_day": pl.col("day_given") != 1,
            "liquids_below_oil": liquids_below_oil if self.profile.liquids_include_oil else pl.lit(False),
            "nothing_reported": pl.all_horizontal(rate.is_null() for rate in rates),
        }
        return {rule: breach.fill_null(False) for rule, breach in breaches.items()}


def _hashes(texts: pl.Series) -> dict[str, int]:
    return {text: _stable_hash(text) for text in texts.unique().drop_nulls()}


def _stable_hash(text: str) -> int:
    """Give 52 bits of the SHA-256 of a text, the same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> (64 - _HASH_BITS)
