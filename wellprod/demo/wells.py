"""Generated wells: invented fields that build up, decline, shut in and water out as real ones do."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from wellprod.demo.records import PROPERTIES
from wellprod.errors import UsageError

DATA_SOURCE = "wellprod demo (generated)"

_FIRST_FIELDS = ("São Velmor", "Brisa d'Arvo", "Tarnholm", "Kessary, East", "Ölvarsund", "Güemara")
_BEGINNINGS = ("Arv", "Belk", "Cald", "Dorm", "Elv", "Fandr", "Garn", "Hestm", "Ilv", "Keld", "Vantr")
_ENDINGS = ("enne", "ora", "ivan", "ira", "ered", "ake", "oth", "ary", "une", "ova", "ossel", "undra")
_PLACES = ("", " Ridge", " Norte", " Deep", " Sul", " Bank", " West", " Alto", " Basin", " Leste", " Sound")

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Spans:
    """Which well each record belongs to, its month (0 is the first of the feed), and its age in months."""

    well: Integers
    month: Integers
    age: Integers


def generate_wells(wells: int, months: int, seed: int, last_month: date) -> pl.DataFrame:
    """Give monthly records of `wells` invented wells for the `months` up to the month of `last_month`.

    The columns are `PROPERTIES`, the order is that of the key, and the same arguments give the same frame.
    Wells start and stop at different months, so that there are about 0.7 x `wells` x `months` records. Rates
    are calendar-day rates in kbd and mmcfd, figures have six decimals; some days, liquids and water are null.

    Raises
    ------
    UsageError
        `wells` or `months` is below 1, or the months begin before the year 1.
    """
    if wells < 1 or not 1 <= months <= 12 * (last_month.year - 1) + last_month.month:
        raise UsageError(
            f"{wells} wells and {months} months up to {last_month:%Y-%m} cannot be generated.",
            next="Give 1 well or more, and from 1 month on, none before the year 1.",
        )
    rng = np.random.default_rng(seed)
    sizes = rng.integers(12, 26, size=wells // 12 + 1)
    field = np.repeat(np.arange(len(sizes)), sizes)[:wells]
    spans = _spans(rng, field, months)
    end = last_month.year * 12 + last_month.month
    calendar = [divmod(month, 12) for month in range(end - months, end)]
    texts = [f"{year:04d}-{month + 1:02d}-01T00:00:00+00:00" for year, month in calendar]
    days_in_month = np.array([monthrange(year, month + 1)[1] for year, month in calendar], dtype=np.float64)
    names, references, field_names = _names(rng, field)

    columns: dict[str, pl.Series | pl.Expr] = {
        "field_code": pl.Series(1000 + field[spans.well]),
        "_field_name": pl.Series(field_names).gather(field[spans.well]),
        "well_code": pl.Series(50_000 + spans.well),
        "_well_reference": pl.Series(references).gather(spans.well),
        "well_name": pl.Series(names).gather(spans.well),
        "production_period": pl.Series(texts).gather(spans.month),
        **_figures(rng, field, spans, days_in_month[spans.month]),
        "data_source": pl.lit(DATA_SOURCE),
        "source_data": pl.lit("Monthly well production, invented"),
        "partition_0": pl.lit("latest"),
    }
    return pl.select(columns[name].alias(name).cast(dtype) for name, dtype in PROPERTIES.items())


def _spans(rng: np.random.Generator, field: Integers, months: int) -> _Spans:
    wells, fields = len(field), int(field[-1]) + 1
    # Evenly spread starts in random order: a seed changes which field is old, not how many records there are.
    field_start = -0.4 + 0.8 * (rng.permutation(fields) + 0.5) / fields
    well_start = field_start[field] + (0.97 - field_start[field]) * rng.beta(1.0, 2.6, wells)
    start = np.floor(well_start * months).astype(np.int64)
    first = np.maximum(start, 0)
    life = np.where(rng.random(wells) < 0.08, rng.uniform(0.4, 0.95, wells), 1.0)
    count = np.ceil((months - first) * life).astype(np.int64)
    well = np.repeat(np.arange(wells), count)
    month = np.arange(len(well)) - np.repeat(np.cumsum(count) - count, count) + first[well]
    return _Spans(well=well, month=month, age=month - start[well])


def _figures(rng: np.random.Generator, field: Integers, spans: _Spans, in_month: Floats) -> dict[str, pl.Series]:
    wells, fields, records = len(field), int(field[-1]) + 1, len(spans.well)
    well = spans.well

    def each_well(low: float, high: float) -> Floats:
        return rng.uniform(low, high, wells)[well]

    ramp = rng.integers(2, 7, wells)[well]
    years = np.maximum(spans.age + 1 - ramp, 0) / 12.0
    days = _days(rng, spans, in_month)
    uptime = days / in_month

    gas_field = (rng.random(fields) < 0.07)[field]
    peak_kbd = 0.9 * rng.lognormal(0.0, 0.7, fields)[field] * rng.lognormal(0.0, 0.75, wells)
    peak_kbd *= np.where(gas_field, 0.2, 1.0)
    b, decline_a_year = each_well(0.3, 1.1), rng.lognormal(np.log(0.3), 0.4, wells)[well]
    build_up = np.minimum((spans.age + 1) / ramp, 1.0)
    potential = peak_kbd[well] * build_up * (1.0 + b * decline_a_year * years) ** (-1.0 / b)
    oil = potential * uptime * rng.lognormal(0.0, 0.04, records)

    first_gor = np.where(gas_field, 40_000.0, 600.0) * rng.lognormal(0.0, 0.4, fields)[field]
    gor = first_gor[well] * (1.0 + each_well(0.3, 3.0) * (1.0 - np.exp(-years / 6.0)))
    gas = oil * gor * rng.lognormal(0.0, 0.03, records) / 1000.0
    liquids = oil + gas * each_well(0.0, 0.03)
    breakthrough = 1.0 + np.exp(-(years - each_well(1.0, 9.0)) / each_well(0.4, 1.5))
    water_cut = each_well(0.4, 0.96) / breakthrough
    water = oil * water_cut / (1.0 - water_cut) * rng.lognormal(0.0, 0.05, records)

    def sometimes_null(values: Floats, of_records: float, of_wells: float) -> pl.Series:
        missing = (rng.random(records) < of_records) | (rng.random(wells) < of_wells)[well]
        return pl.Series(np.where(missing, np.nan, np.round(values, 6))).fill_nan(None)

    return {
        "days_on_production": sometimes_null(days, 0.01, 0.0),
        "oil_production_kbd": pl.Series(np.round(oil, 6)),
        "gas_production_mmcfd": pl.Series(np.round(gas, 6)),
        "liquids_production_kbd": sometimes_null(liquids, 0.0, 0.03),
        "water_production_kbd": sometimes_null(water, 0.015, 0.04),
    }


def _days(rng: np.random.Generator, spans: _Spans, in_month: Floats) -> Floats:
    records = len(spans.well)
    shut_in = rng.random(records) < 0.008
    for _ in range(3):  # about every second shut-in goes on into the next month of the same well
        goes_on = shut_in[:-1] & (spans.well[1:] == spans.well[:-1]) & (rng.random(records - 1) < 0.5)
        shut_in[1:] |= goes_on
    partly = (rng.random(records) < 0.1) | (spans.age == 0)
    share = np.where(partly, rng.uniform(0.3, 0.98, records), 1.0)
    return np.where(shut_in, 0.0, np.round(in_month * share * 2.0) / 2.0)


def _names(rng: np.random.Generator, field: Integers) -> tuple[list[str], list[str], list[str]]:
    invented = [a + b + place for a in _BEGINNINGS for b in _ENDINGS for place in _PLACES]
    pool = [*_FIRST_FIELDS, *(invented[index] for index in rng.permutation(len(invented)))]
    field_names = [
        pool[index % len(pool)] + (f" {index // len(pool) + 1}" if index >= len(pool) else "")
        for index in range(int(field[-1]) + 1)
    ]
    names, references = [], []
    first_well = np.searchsorted(field, field)
    for index, (of_field, first) in enumerate(zip(field.tolist(), first_well.tolist(), strict=True)):
        platform, slot = divmod(index - first, 8)
        sidetrack = ", ST2" if index % 47 == 11 else ""
        names.append(f"{field_names[of_field]} {'ABCD'[platform]}-{slot + 1:02d}{sidetrack}")
        references.append(f"{1000 + of_field}/{'ABCD'[platform]}{slot + 1:02d}{'Z' if sidetrack else ''}")
    return names, references, field_names
