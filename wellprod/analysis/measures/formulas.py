"""The measures, each with its formula, null rule and source."""

from __future__ import annotations

from wellprod.analysis.measures import units as unit
from wellprod.analysis.measures.measure import measure, of_phases
from wellprod.analysis.measures.months import DAYS, RATES, Months, Phase, over

_VOLUMES: dict[Phase, unit.Quantity] = {
    "oil": unit.LIQUID,
    "gas": unit.GAS,
    "liquids": unit.LIQUID,
    "water": unit.LIQUID,
}
_RATES: dict[Phase, unit.Quantity] = {
    "oil": unit.LIQUID_RATE,
    "gas": unit.GAS_RATE,
    "liquids": unit.LIQUID_RATE,
    "water": unit.LIQUID_RATE,
}
_MAIN: tuple[Phase, ...] = ("oil", "gas", "water", "boe")
_FRACTIONS: dict[Phase, unit.Quantity] = dict.fromkeys(_MAIN, unit.FRACTION)
_COUNTS: dict[Phase, unit.Quantity] = dict.fromkeys((*RATES, "boe"), unit.COUNT)


def _volume(months: Months, phase: Phase) -> str:
    """Volume of the month.

    Formula: calendar-day rate x days of the month: 1 kbd in February 2024 is 29 kbbl.
    Null: a record without the figure adds nothing; null where no record has it.
    Source: Petra, Compute Average or Cumulative Production Stream.
    """
    return months.volume(phase)


def _rate(months: Months, phase: Phase) -> str:
    """Calendar-day rate.

    Formula: volume / days of the month: 300 bbl in 30 days are 10 bbl/d.
    Null: a record without the figure adds nothing; null where no record has it.
    Source: Harmony, Flow rate calculations.
    """
    return months.rate(phase)


def _producing_day_rate(months: Months, phase: Phase) -> str:
    """Rate per day on production; of several wells per well-day, since such rates do not add.

    Formula: volume / days on, over the records that have both with days on > 0: 300 bbl in 15 days are 20 bbl/d.
    Null: where no record has both.
    Source: Harmony, Flow rate calculations.
    """
    has = f"FILTER (days_on_production > 0 AND {RATES[phase]} IS NOT NULL)"
    rate = months.sum(f"{phase}_on", f"sum({RATES[phase]}) {has}")
    days = months.sum(f"{phase}_days_on", f"sum(days_on_production) {has}")
    return f"{rate} * {DAYS} / {days}"


def _cumulative(months: Months, phase: Phase) -> str:
    """Cumulative volume from the first month held.

    Formula: running sum of the volumes, months before the selection's first one included.
    Null: a null month adds nothing, and its count is in the measure of the same name and _nulls; null until the first
    figure.
    Source: OFM; Petra, Compute Average or Cumulative Production Stream.
    """
    return months.so_far(months.volume(phase))


def _mom(months: Months, phase: Phase) -> str:
    """Change against the month before.

    Formula: calendar-day rate / that of exactly one month before - 1.
    Null: where either is null or not there, or the one before is 0.
    Source: a rule of wellprod.
    """
    return f"{over(months.rate(phase), months.before(months.rate(phase), 1))} - 1"


def _yoy(months: Months, phase: Phase) -> str:
    """Change against the same month of the year before.

    Formula: calendar-day rate / that of exactly 12 months before - 1.
    Null: where either is null or not there, or the one before is 0.
    Source: a rule of wellprod.
    """
    return f"{over(months.rate(phase), months.before(months.rate(phase), 12))} - 1"


def _share(months: Months, phase: Phase) -> str:
    """Share of the month's total over the selection.

    Formula: volume / volume of all records of the selection in the month, each counted once: the shares of groups that
    overlap sum to more than 1.
    Null: where it is null, or the total is null or 0.
    Source: OFM, Plots (percent).
    """
    return over(months.rate(phase), months.total(phase))


def _nulls(months: Months, phase: Phase) -> str:
    """Records of the month that lack the figure.

    Formula: count of records where it is null; for oil equivalent, where oil or gas is.
    Null: never.
    Source: a rule of wellprod.
    """
    return months.nulls(phase)


def _cumulative_nulls(months: Months, phase: Phase) -> str:
    """Well-months that the cumulative lacks.

    Formula: running count of the records that lack the figure, and of the calendar months between a well's first and
    last record for which it has none.
    Null: never.
    Source: a rule of wellprod.
    """
    return f"{months.so_far(months.nulls(phase))}::BIGINT + {months.wells('missing')}"


oil_volume, gas_volume, liquids_volume, water_volume = of_phases(_volume, "{}_volume", "{} volume", _VOLUMES, stem="{}")


@measure(unit.BOE, "Oil equivalent volume", stem="boe")
def boe_volume(months: Months) -> str:
    """Volume of the month in barrels of oil equivalent, or Sm³ o.e.

    Formula: oil + gas / Mscf per boe, of the summed volumes: 6 Mscf by the rule 6:1, 5.8 by 5.8:1, 539/96 by norway.
    Null: where oil or gas is null altogether; of wells that report one phase alone each counts with that one.
    Source: USGS DDS-69-D, chapter 27 (6,000 ft³ = 1 boe); 26 USC 45K(d)(5); Norwegian Offshore Directorate, Conversion
    factors (1,000 Sm³ of gas = 1 Sm³ o.e.).
    """
    return months.volume("boe")


oil_rate, gas_rate, liquids_rate, water_rate = of_phases(_rate, "{}_rate", "{} rate", _RATES, stem="{}")


@measure(unit.BOE_RATE, "Oil equivalent rate", stem="boe")
def boe_rate(months: Months) -> str:
    """Calendar-day rate in barrels of oil equivalent, or Sm³ o.e.

    Formula: volume in oil equivalent / days of the month; kboed = kbd + mmcfd / Mscf per boe.
    Null: as for the volume in oil equivalent.
    Source: as for the volume in oil equivalent.
    """
    return months.rate("boe")


oil_producing_day_rate, gas_producing_day_rate, liquids_producing_day_rate, water_producing_day_rate = of_phases(
    _producing_day_rate, "{}_producing_day_rate", "{} rate per producing day", _RATES, stem="{}_producing_day"
)
cum_oil, cum_gas, cum_liquids, cum_water, cum_boe = of_phases(
    _cumulative, "cum_{}", "cumulative {}", {**_VOLUMES, "boe": unit.BOE}
)


@measure(unit.GAS_PER_LIQUID, "Gas-oil ratio")
def gor(months: Months) -> str:
    """Gas-oil ratio.

    Formula: gas / oil, of the summed volumes; scf/bbl is 1,000 x mmcfd / kbd.
    Null: where either is null, or oil is 0.
    Source: SEG Wiki, Gas-oil ratio (GOR).
    """
    return over(f"1000 * {months.rate('gas')}", months.rate("oil"))


@measure(unit.LIQUID_PER_GAS, "Condensate-gas ratio")
def cgr(months: Months) -> str:
    """Condensate-gas ratio.

    Formula: condensate / gas, over the records of feeds that say that their liquids include condensate; it is liquids -
    oil where they include oil too, else liquids.
    Null: where no feed says so, where no record has the condensate, or gas is null or 0.
    Source: a rule of wellprod; the feed's profile says liquids_include_oil and liquids_include_condensate.
    """
    has = f"FILTER ({months.has_condensate()})"
    oil = f"CASE WHEN has_oil THEN {RATES['oil']} ELSE 0 END"
    condensate = months.sum("condensate", f"sum({RATES['liquids']} - {oil}) {has}")
    gas = months.sum("gas_with_condensate", f"sum({RATES['gas']}) {has}")
    return over(f"1000 * {condensate}", gas)


@measure(unit.FRACTION, "Water cut")
def water_cut(months: Months) -> str:
    """Water cut.

    Formula: water / (oil + water), of the summed volumes; WOR / (1 + WOR).
    Null: where either is null, or both are 0.
    Source: Harmony, Ratio worksheet.
    """
    oil, water = months.rate("oil"), months.rate("water")
    return over(water, f"{oil} + {water}")


@measure(unit.VOLUME_RATIO, "Water-oil ratio")
def wor(months: Months) -> str:
    """Water-oil ratio.

    Formula: water / oil, of the summed volumes.
    Null: where either is null, or oil is 0.
    Source: Harmony, Ratio worksheet.
    """
    return over(months.rate("water"), months.rate("oil"))


@measure(unit.FRACTION, "Uptime")
def uptime(months: Months) -> str:
    """Uptime: the part of the time that wells were on production.

    Formula: days on / days of the month, over the records that report days on.
    Null: where no record does.
    Source: Harmony, Flow rate calculations (Uptime factor).
    """
    on = months.sum("days_on", "sum(days_on_production)")
    return over(on, f"{months.sum('days_reported', 'count(days_on_production)')} * {DAYS}")


@measure(unit.MONTHS, "Months on production")
def months_on_production(months: Months) -> str:
    """Months on production, in calendar months: 1 in the first with oil or gas > 0.

    Formula: months from the first one with oil or gas > 0, and 1.
    Null: before that.
    Source: Petra, normalization; Harmony, Normalized Time.
    """
    first = months.first(f"{months.rate('oil')} > 0 OR {months.rate('gas')} > 0")
    return f"CASE WHEN month >= {first} THEN date_diff('month', {first}, month) + 1 END"


oil_mom, gas_mom, water_mom, boe_mom = of_phases(_mom, "{}_mom", "{} against the month before", _FRACTIONS)
oil_yoy, gas_yoy, water_yoy, boe_yoy = of_phases(_yoy, "{}_yoy", "{} against the year before", _FRACTIONS)
oil_share, gas_share, water_share, boe_share = of_phases(_share, "{}_share", "share of {}", _FRACTIONS)


@measure(unit.COUNT, "Wells")
def wells(months: Months) -> str:
    """Wells with a record in the month.

    Formula: count of wells; a well of two fields counts once.
    Null: never.
    Source: a rule of wellprod.
    """
    return months.wells("held")


@measure(unit.COUNT, "Wells on production")
def wells_on(months: Months) -> str:
    """Wells that produced in the month.

    Formula: count of wells with a record of oil or gas > 0.
    Null: never.
    Source: a rule of wellprod.
    """
    return months.wells("producing")


@measure(unit.COUNT, "Wells expected")
def wells_expected(months: Months) -> str:
    """Wells that were expected to report.

    Formula: count of wells with a record in the month, or in one of the 3 months before and none in another field now,
    up to the last month of their data source.
    Null: never.
    Source: a rule of wellprod.
    """
    return months.wells("expected")


@measure(unit.FRACTION, "Completeness")
def completeness(months: Months) -> str:
    """Part of the expected wells that reported.

    Formula: wells / wells expected.
    Null: never.
    Source: a rule of wellprod.
    """
    return f"{months.wells('held')} / {months.wells('expected')}"


oil_nulls, gas_nulls, liquids_nulls, water_nulls, boe_nulls = of_phases(
    _nulls, "{}_nulls", "records without {}", _COUNTS
)
cum_oil_nulls, cum_gas_nulls, cum_liquids_nulls, cum_water_nulls, cum_boe_nulls = of_phases(
    _cumulative_nulls, "cum_{}_nulls", "months that cumulative {} lacks", _COUNTS
)
