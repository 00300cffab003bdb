"""The points that a chart draws, and no others: paths with their gaps, wells by rank, names that are one well's."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10

import altair as alt
import polars as pl

from wellprod.analysis.charts.look import AXIS_FIGURE

_DIGITS = 6  # significant ones, which no screen shows more of
_CYCLES = 5  # of a log axis at most, below the largest figure

FEW = 25
"""A path of fewer points has a mark at each."""


def values(frame: pl.DataFrame, *columns: str) -> alt.InlineData:
    """Give columns of a frame as the data of a chart: months as local time, six digits, null for what is no number."""
    number = pl.selectors.float()
    given = frame.select(columns or pl.all()).with_columns(
        pl.when(number.is_finite()).then(number.round_sig_figs(_DIGITS)).name.keep(),
        pl.selectors.date().dt.strftime("%Y-%m-%dT00:00:00"),  # a bare date would be midnight in Greenwich
    )
    return alt.InlineData(values=given.to_dicts())


def drawable(frame: pl.DataFrame, columns: Sequence[str], *, log: bool = False) -> pl.DataFrame:
    """Give null for what has no place on the axis: what is no number and, on a log one, what is not above zero."""
    return frame.with_columns(
        pl.when(pl.col(name).is_finite() & ((pl.col(name) > 0) if log else True)).then(pl.col(name)).alias(name)
        for name in columns
        for name in (name,)
    )


def path(frame: pl.DataFrame, columns: Sequence[str], *, by: Sequence[str] = (), at: str = "month") -> pl.DataFrame:
    """Give the rows that have one of `columns`, with a row of nulls behind each after which a month has none.

    A line then breaks where nothing was reported, and no row says so twice. Rows are ordered by `by` and `at`, a month
    or the number of one.
    """
    kept = frame.filter(pl.any_horizontal(pl.col(columns).is_not_null())).sort(*by, at)
    next_one = pl.col(at).dt.offset_by("1mo") if frame.schema[at] == pl.Date else pl.col(at) + 1
    after = pl.col(at).shift(-1).over(by) if by else pl.col(at).shift(-1)
    holes = kept.filter(after > next_one).select(*by, next_one.alias(at))
    return pl.concat([kept, holes], how="diagonal").sort(*by, at)


def alone(frame: pl.DataFrame, columns: Sequence[str], *, at: str = "month") -> pl.DataFrame:
    """Give, of a path of one series, the points that no line leads to or from: `at`, name, value."""
    lone = [
        frame.filter(
            pl.col(name).is_not_null() & pl.col(name).shift(1).is_null() & pl.col(name).shift(-1).is_null()
        ).select(at, name=pl.lit(name), value=pl.col(name))
        for name in columns
    ]
    return pl.concat(lone) if lone else pl.DataFrame(schema={at: pl.Date, "name": pl.String, "value": pl.Float64})


def scale(frame: pl.DataFrame, columns: Sequence[str], *, log: bool = False) -> alt.Scale:
    """Give the scale of what is drawn: from zero on, or from one step of a log axis to another, five cycles at most."""
    return alt.Scale(type="log", domain=_log_ends(frame, columns)) if log else alt.Scale(zero=True)


def axis(frame: pl.DataFrame, columns: Sequence[str], *, log: bool = False, share: bool = False) -> alt.Axis:
    """Give the axis of figures, or of fractions as percent; a log one has labels at 1, 2, 5 or at 1 of each cycle."""
    if not log:
        return alt.Axis(format="~%" if share else AXIS_FIGURE, tickCount=5)
    foot, top = _log_ends(frame, columns)
    steps = _STEPS if top / foot <= _MANY else _STEPS[:1]
    ticks = [step * 10.0**power for power in range(floor(log10(foot)), ceil(log10(top)) + 1) for step in steps]
    return alt.Axis(format=AXIS_FIGURE, values=[tick for tick in ticks if foot <= tick * _NEAR and tick <= top * _NEAR])


def counts(figures: pl.Series) -> alt.Axis:
    """Give the axis of numbers of wells, which are whole."""
    most = max(figures.drop_nulls().to_list(), default=0)
    return alt.Axis(format=",d", values=list(range(most + 1))) if most <= 3 else alt.Axis(format=",d", tickCount=3)


_STEPS, _MANY, _NEAR, _LAST_POWER = (1, 2, 5), 1000, 1 + 1e-9, 308


def _log_ends(frame: pl.DataFrame, columns: Sequence[str]) -> tuple[float, float]:
    """Give the steps (1, 2 or 5 times a power of ten) just below and above what is drawn, two of them at least."""
    figures = [figure for name in columns for figure in frame[name].drop_nulls() if figure > 0]
    least, most = max(min(figures), max(figures) / 10**_CYCLES), max(figures)
    powers = range(floor(log10(least)) - 1, min(ceil(log10(most)) + 2, _LAST_POWER))
    steps = [step * 10.0**power for power in powers for step in _STEPS]
    return max(step for step in steps if step < least), min((step for step in steps if step > most), default=most)


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """Give the frame with `name`, which is of one well, field or group alone: its title, with the code if need be."""
    title = next(name for name in ("well", "field", "group") if name in frame.columns)
    if title == "group":
        return frame.with_columns(name=pl.col("group"))
    source, code = "data_source", f"{title}_code"
    one_source = pl.col(code).n_unique().over(title) == pl.len().over(title)
    told = (
        pl.when(one_source)
        .then(pl.format("{} ({})", title, code))
        .otherwise(pl.format("{} ({}, {})", title, code, source))
    )
    names = (
        frame.select(source, code, title)
        .unique([source, code])
        .with_columns(name=pl.when(pl.len().over(title) > 1).then(told).otherwise(title))
    )
    return frame.join(names.select(source, code, "name"), on=[source, code], how="left", maintain_order="left")


_LONGEST = 21  # characters of a name: a longer one is cut in its middle, since wells of a field begin alike
_HEAD, _TAIL = 6, 14

CUT = (
    f"length(datum.label) > {_LONGEST}"
    f" ? slice(datum.label, 0, {_HEAD}) + '…' + slice(datum.label, -{_TAIL}) : datum.label"
)
"""The expression that cuts the names of an axis or a legend."""


def cut(names: pl.Expr) -> pl.Expr:
    """Cut long names likewise."""
    short = pl.concat_str(names.str.slice(0, _HEAD), pl.lit("…"), names.str.tail(_TAIL))
    return pl.when(names.str.len_chars() > _LONGEST).then(short).otherwise(names)
