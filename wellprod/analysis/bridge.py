"""Why a volume changed from one month to the next: parts that sum to the change, each with its formula.

In the formulas `before` and `now` are a well's volumes of the two months, a rate is a volume by the days of its month,
and days on are those on production. Null is not zero: a figure that is not there is a gap in the data, never a shut-in.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from math import fsum
from typing import Literal, NamedTuple

import polars as pl

from wellprod.analysis.identity import same_codes
from wellprod.analysis.measures import BOE_RULES, MEASURES, Units
from wellprod.analysis.selection import Selection
from wellprod.store import Reading

Phase = Literal["oil", "gas", "water", "boe"]
PHASES: tuple[Phase, ...] = ("oil", "gas", "water", "boe")

_RATES = {"oil": "oil_production_kbd", "gas": "gas_production_mmcfd", "water": "water_production_kbd"}
_WELL = ("data_source", "well_code")
_LEAST_DAYS = 1 / 24  # a volume over less than an hour tells no rate


class Part(NamedTuple):
    """A part of a bridge: its name, what people read, and the formula of what one well adds to it."""

    name: str
    title: str
    formula: str


PARTS = (
    Part("restated", "Restatements", "before as the store holds it now - before as it was known"),
    Part("came", "From another field", "+ before, of a well that was in another field then"),
    Part("went", "To another field", "- before, of a well that is in another field now"),
    Part("new", "New wells", "+ now, of a well whose first oil or gas in the store is of this month"),
    Part("restarted", "Restarted", "+ now, of a well that last reported zero"),
    Part("reported_again", "Reported again", "+ now, of a well without a figure for the month before"),
    Part("shut_in", "Shut in", "- before, of a well that reports zero now"),
    Part("not_reported", "Not reported", "- before, of a well without a record or a figure now"),
    Part("calendar", "Days in the month", "rate before x (days now - days before)"),
    Part(
        "uptime",
        "Uptime",
        "before / days on before x (days on now - days on before x days now / days before); 0 without days on",
    ),
    Part("growth", "Growth", "the rest where it is above zero: change of the producing-day rate x days on now"),
    Part("decline", "Decline", "the rest where it is below zero: change of the producing-day rate x days on now"),
)
"""The parts in their order, from the month before to this one."""

TITLES = {part.name: part.title for part in PARTS}
_ORDER = pl.Enum([part.name for part in PARTS])


@dataclass(frozen=True, slots=True, repr=False)
class Bridge:
    """The volume of a month, that of the month before, and the parts between them.

    Attributes
    ----------
    before, month
        The first days of the two months.
    start, end
        The volume of the month before as it was known when this month first came, and that of this month; None where
        no well reported one, which counts as zero in the change. Of boe, what was reported of oil and gas, though the
        measure `boe_volume` has none where one of the two is lacking altogether.
    known_at
        When the import began that first brought a record of this month (UTC); None where there is none.
    wells
        What each well adds to each part: data_source, well_code, well, part, volume, other_field (where it came from
        or went to), has_days (in both months). The parts of a well sum to its own change.
    """

    phase: Phase
    before: date
    month: date
    start: float | None
    end: float | None
    known_at: datetime | None
    wells: pl.DataFrame

    @property
    def change(self) -> float:
        """The volume of this month less that of the month before."""
        return fsum((self.end or 0.0, -(self.start or 0.0)))

    @property
    def parts(self) -> pl.DataFrame:
        """The parts that are not zero: part, title, volume, wells, formula; the volumes sum to the change."""
        rows = []
        for part in PARTS:
            volumes = self.wells.filter(part=part.name)["volume"]
            if not volumes.is_empty():
                rows.append((part.name, part.title, fsum(volumes), volumes.len(), part.formula))
        names = {"part": pl.String, "title": pl.String, "volume": pl.Float64, "wells": pl.Int64, "formula": pl.String}
        return pl.DataFrame(rows, schema=names, orient="row")

    @property
    def is_restated(self) -> bool:
        """Whether the month before has changed since it was as `start` has it."""
        return not self.wells.filter(part="restated").is_empty()

    @property
    def without_days(self) -> int:
        """The wells in growth and decline that lack days on in one of the months, so that these hold their uptime."""
        rest = self.wells.filter(pl.col("part").is_in(("growth", "decline")) & ~pl.col("has_days"))
        return rest.select(_WELL).n_unique()

    def movers(self, count: int = 10) -> pl.DataFrame:
        """Give the wells that changed most: data_source, well_code, well, volume, part (the title of its largest)."""
        largest = pl.col("part").sort_by(pl.col("volume").abs(), descending=True).first()
        each = self.wells.group_by(*_WELL, "well", maintain_order=True).agg(pl.col("volume").sum(), largest)
        moved = (
            each.filter(pl.col("volume") != 0)
            .sort(pl.col("volume").abs(), "well_code", descending=[True, False])
            .head(count)
        )
        return moved.with_columns(pl.col("part").replace_strict(TITLES, return_dtype=pl.String))

    def __repr__(self) -> str:
        return f"<Bridge of {self.phase} from {self.before:%Y-%m} to {self.month:%Y-%m}: {self.change:+,.3f}>"


def volume_bridge(
    reading: Reading,
    selection: Selection | None,
    month: date,
    *,
    phase: Phase = "oil",
    units: Units = "oilfield",
    boe: str = "6:1",
) -> Bridge:
    """Part the change of a selection's volume from the month before to `month`.

    Each well is parted by itself, and its parts sum to its change:

    - restated = before as the store holds it now - before as it was known: as the store held it when the import came
      that first brought a record of this month. What it lacked then and the same import brought counts as known; what
      came later counts as restated.
    - came = + before, went = - before: of a well whose records lie in the selection in one of the months and outside
      it in the other, as after a renaming or unitisation. A well that came goes on from the volume that it had.
    - A well with a volume in one of the months has one part more. new: + now, where its first oil or gas in the store
      is of this month, and its source reported the month before. restarted: + now, where the last figure was zero.
      reported_again: + now, where there was no figure for the month before. shut_in: - before, where the figure is
      zero. not_reported: - before, where there is none. A well that goes on with oil or gas is neither shut in nor
      restarted when another phase ends or begins: that is decline or growth.
    - A well with both volumes has three. calendar = rate before x (days now - days before). uptime = before / days on
      before x (days on now - days on before x days now / days before): the producing-day rate of the month before x
      the change in days on, at the calendar of this month; 0 where days on are null or below an hour. decline or
      growth, the rest = (now / days on now - before / days on before) x days on now, with the days of the month in
      place of days on where those are not known.

    The parts of boe are those of oil and, as oil equivalent, those of gas.

    Parameters
    ----------
    selection
        Fields and wells; its months count for nothing.
    month
        The first day of the month.
    units, boe
        As for `measures.table`; the volumes have the units of the measures `oil_volume` and so on.

    Raises
    ------
    NotThere
        A field or well is not in the store.
    """
    return volume_bridges(reading, selection, month, (phase,), units=units, boe=boe)[phase]


def volume_bridges(
    reading: Reading,
    selection: Selection | None,
    month: date,
    phases: Sequence[Phase] = PHASES,
    *,
    units: Units = "oilfield",
    boe: str = "6:1",
) -> dict[Phase, Bridge]:
    """Give the bridges of several phases by one query, as `volume_bridge` gives each."""
    wells = _wells(reading, selection or Selection(), month)
    return {phase: _bridge(wells, month, phase, units, boe) for phase in phases}


def _bridge(wells: pl.DataFrame, month: date, phase: Phase, units: Units, boe: str) -> Bridge:
    factor = float(MEASURES[f"{phase}_volume"].quantity.times(units))
    scales = {"oil": factor, "gas": factor / float(BOE_RULES[boe].mscf)} if phase == "boe" else {phase: factor}

    def total(state: str) -> float | None:
        volumes = [wells[f"{state}_{each}"].drop_nulls() * scale for each, scale in scales.items()]
        return fsum(map(fsum, volumes)) if any(map(len, volumes)) else None

    parted = pl.concat(_parted(wells, each, month, scale) for each, scale in scales.items())
    detail = (
        parted.group_by(*_WELL, "well", "part", "other_field", "has_days")
        .agg(pl.col("volume").sum())
        .filter(pl.col("volume") != 0)
        .sort(pl.col("part").cast(_ORDER), pl.col("volume").abs(), "well_code", descending=[False, True, False])
        .select(*_WELL, "well", "part", "volume", "other_field", "has_days")
    )
    known_at: list[datetime] = wells["known_at"].head(1).to_list()
    known = known_at[0] if known_at else None
    return Bridge(phase, month_before(month), month, total("known"), total("now"), known, detail)


def month_before(month: date) -> date:
    """Give the first day of the month before."""
    return (month - timedelta(days=1)).replace(day=1)


_QUERY = """
WITH same(data_source, code, into_code) AS ({same}),
versions AS (
    SELECT {columns}, NULL::TIMESTAMP AS replaced_at, NULL::UUID AS replaced_by FROM production
    WHERE production_period IN ({before}, {now})
    UNION ALL
    SELECT {columns}, replaced_at, replaced_by FROM production_history
    WHERE production_period IN ({before}, {now})
),
marked AS (SELECT *, coalesce(({inside}), FALSE) AS inside FROM versions),
placed AS ({one_code} FROM marked AS rows {joined}),
wells AS (SELECT DISTINCT data_source, well_code FROM placed WHERE inside),
brought AS (
    SELECT job_id AS job, min(updated_at) AS begun FROM placed
    WHERE job_id = (
        SELECT job_id FROM placed ANTI JOIN undone_imports USING (job_id) WHERE inside AND production_period = {now}
        ORDER BY updated_at, replaced_at NULLS LAST LIMIT 1
    ) GROUP BY job_id
),
states AS (
    SELECT 'known' AS state, placed.* FROM placed LEFT JOIN brought ON TRUE
    WHERE production_period = {before} AND CASE
        WHEN job IS NULL THEN replaced_at IS NULL
        WHEN created_at < begun THEN updated_at < begun AND coalesce(replaced_at >= begun, TRUE)
        ELSE job_id = job AND replaced_by IS DISTINCT FROM job
    END
    UNION ALL
    SELECT CASE production_period WHEN {now} THEN 'now' ELSE 'before' END, * FROM placed WHERE replaced_at IS NULL
),
volumes AS (
    SELECT data_source, well_code, {volumes} FROM states SEMI JOIN wells USING (data_source, well_code)
    GROUP BY data_source, well_code
),
past AS (
    SELECT data_source, well_code, {past} FROM ({one_code} FROM production AS rows {joined})
    SEMI JOIN wells USING (data_source, well_code)
    GROUP BY data_source, well_code
)
SELECT * REPLACE (coalesce(well, well_code::VARCHAR) AS well),
    data_source IN (SELECT data_source FROM placed WHERE production_period = {before}) AS source_reported,
    (SELECT begun FROM brought) AS known_at
FROM volumes LEFT JOIN past USING (data_source, well_code)
"""
_ONE_CODE = "SELECT rows.* REPLACE (coalesce(into_code, well_code) AS well_code)"
_JOINED = "LEFT JOIN same ON same.data_source = rows.data_source AND code = well_code"
_COLUMNS = (
    *("data_source", "well_code", "field_code", "field_name", "production_period", "days_on_production"),
    *_RATES.values(),
    *("created_at", "updated_at", "job_id"),
)


def _wells(reading: Reading, selection: Selection, month: date) -> pl.DataFrame:
    """Give each well of the two months with what it had in the selection and outside it, and what is known of it.

    Columns for the states known, before and now, outside with `_out` behind: known_records, known_oil, known_gas,
    known_water (volumes), known_days, known_field, ...; well, first_production, last_oil, ...; source_reported.
    """
    inside, values = replace(selection, first_month=None, last_month=None).condition(reading)
    before = month_before(month)
    volumes = []
    for state, length in (("known", _days(before)), ("before", _days(before)), ("now", _days(month))):
        for side, lies in (("", "inside"), ("_out", "NOT inside")):
            rows = f"FILTER (state = '{state}' AND {lies})"
            volumes.append(f"count(*) {rows} AS {state}_records{side}")
            volumes += [f"sum({rate}) {rows} * {length} AS {state}_{phase}{side}" for phase, rate in _RATES.items()]
            volumes.append(
                f"CASE count(*) {rows} WHEN count(days_on_production) {rows} THEN max(days_on_production) {rows} END"
                f" AS {state}_days{side}"
            )
            volumes.append(f"any_value(coalesce(field_name, field_code::VARCHAR)) {rows} AS {state}_field{side}")
    last = [
        f"max_by({rate}, production_period) FILTER (production_period < DATE '{month}' AND {rate} IS NOT NULL)"
        f" AS last_{phase}"
        for phase, rate in _RATES.items()
    ]
    past = [
        "coalesce(max_by(well_name, production_period), max_by(well_reference, production_period), well_code::VARCHAR)"
        " AS well",
        "min(production_period) FILTER (oil_production_kbd > 0 OR gas_production_mmcfd > 0) AS first_production",
        *last,
    ]
    renamed = same_codes(reading, "well").select("data_source", "code", "into_code").rows()
    query = _QUERY.format(
        same=f"VALUES {', '.join(['(?, ?, ?)'] * len(renamed))}" if renamed else "SELECT NULL, 0, 0 WHERE FALSE",
        one_code=_ONE_CODE,
        joined=_JOINED,
        columns=", ".join(_COLUMNS),
        inside=inside,
        before=f"DATE '{before}'",
        now=f"DATE '{month}'",
        volumes=", ".join(volumes),
        past=", ".join(past),
    )
    return reading.table(query, [*(value for row in renamed for value in row), *values])


def _parted(wells: pl.DataFrame, phase: str, month: date, scale: float) -> pl.DataFrame:
    """Give what each well adds to each part, times `scale`."""
    days_before, days_now = _days(month_before(month)), _days(month)

    def of(state: str, what: str, side: str = "") -> pl.Expr:
        return pl.col(f"{state}_{what}{side}")

    def only(condition: pl.Expr, volume: pl.Expr) -> pl.Expr:
        return pl.when(condition).then(volume.fill_null(0.0)).otherwise(0.0)

    inside, outside = (
        {state: of(state, "records", side) > 0 for state in ("known", "before", "now")} for side in ("", "_out")
    )
    changes = {}  # of the side on which a well lies: by a restatement, and from one month to the next
    for first, second in (("known", "before"), ("before", "now")):
        changes[second] = (
            ~inside[first] & outside[first] & inside[second] & ~outside[second],
            inside[first] & ~outside[first] & ~inside[second] & outside[second],
        )
    (fetched, sent), (came, went) = changes["before"], changes["now"]

    def base(what: str) -> pl.Expr:
        """Give what a well had in the month before, from where it now goes on."""
        return pl.when(came).then(of("before", what, "_out")).when(~went).then(of("before", what))

    def is_on(oil: pl.Expr, gas: pl.Expr) -> pl.Expr:
        return ((oil > 0).fill_null(False)) | ((gas > 0).fill_null(False))

    known = wells.with_columns(
        before=base(phase),
        now=of("now", phase),
        days_on_before=base("days"),
        days_on=of("now", "days"),
        was_on=is_on(base("oil"), base("gas")),
        is_on=is_on(of("now", "oil"), of("now", "gas")),
        other_field=pl.when(fetched).then(of("known", "field", "_out"))
        .when(came | sent).then(of("before", "field", "_out"))
        .when(went).then(of("now", "field", "_out")),
    ).with_columns(
        had=pl.col("before").fill_null(0.0) != 0,
        has=pl.col("now").fill_null(0.0) != 0,
        has_days=pl.min_horizontal(pl.col("days_on_before", "days_on").fill_null(0.0)) >= _LEAST_DAYS,
    )  # fmt: skip
    before, now, had, has = (pl.col(name) for name in ("before", "now", "had", "has"))
    begins, ends, goes_on = has & ~had, had & ~has, had & has
    is_new = begins & (pl.col("first_production") == month).fill_null(False) & pl.col("source_reported")
    was_zero = pl.when(before.is_null()).then(pl.col(f"last_{phase}") == 0).otherwise(~pl.col("was_on"))
    is_restart = begins & ~is_new & was_zero.fill_null(False)
    is_return = begins & ~is_new & ~is_restart & before.is_null()
    is_shut_in, is_gap = ends & now.is_not_null() & ~pl.col("is_on"), ends & now.is_null()
    calendar = before / days_before * (days_now - days_before)
    on_before, on_now = pl.col("days_on_before"), pl.col("days_on")
    uptime = before / on_before * (on_now - on_before * days_now / days_before)
    parts = {
        "restated": of("before", phase).fill_null(0.0)
        - of("known", phase).fill_null(0.0)
        - only(fetched, of("known", phase, "_out"))
        + only(sent, of("known", phase)),
        "came": only(fetched, of("known", phase, "_out")) + only(came, of("before", phase, "_out")),
        "went": -only(sent, of("known", phase)) - only(went, of("before", phase)),
        "new": only(is_new, now),
        "restarted": only(is_restart, now),
        "reported_again": only(is_return, now),
        "shut_in": -only(is_shut_in, before),
        "not_reported": -only(is_gap, before),
        "calendar": only(goes_on, calendar),
        "uptime": only(goes_on & pl.col("has_days"), uptime),
    }
    has_rest = goes_on | (begins & ~is_new & ~is_restart & ~is_return) | (ends & ~is_shut_in & ~is_gap)
    change = now.fill_null(0.0) - before.fill_null(0.0)
    parted = known.with_columns(**parts).with_columns(
        rest=only(has_rest, change - pl.col("calendar") - pl.col("uptime"))
    )
    rest = pl.col("rest")
    return (
        parted.with_columns(growth=rest.clip(lower_bound=0.0), decline=rest.clip(upper_bound=0.0))
        .unpivot(
            [part.name for part in PARTS],
            index=[*_WELL, "well", "other_field", "has_days"],
            variable_name="part",
            value_name="volume",
        )
        .with_columns(
            pl.col("volume") * scale,
            other_field=pl.when(pl.col("part").is_in(("came", "went"))).then("other_field"),
        )
    )


def _days(month: date) -> int:
    return monthrange(month.year, month.month)[1]
