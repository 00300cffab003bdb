"""A report of a field whose parts show themselves: a page for a manager, and the detail after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any

import polars as pl
from altair.typing import ChartType

from wellprod.analysis import charts, quality
from wellprod.analysis.bridge import Bridge, Phase, month_before
from wellprod.analysis.field.facts import FieldFacts, Figure, field_facts
from wellprod.analysis.field.outlook import MONTHS, Outlook
from wellprod.analysis.field.words import headline, listed
from wellprod.analysis.measures import BOE_RULES, MEASURES, Units
from wellprod.store import Reading
from wellprod.text import html_table, number

_MONTHS_DRAWN = 60
_WELLS_LISTED = 40
_MOVERS = 10
_SHARES = ("water_cut", "uptime", "completeness")
_COUNTS = ("wells_on",)


@dataclass(frozen=True, slots=True)
class Shown:
    """HTML that a notebook, a page and a printed report show."""

    html: str

    def _repr_html_(self) -> str:
        return self.html


def field_report(
    reading: Reading, field: str, as_of: str | None = None, *, units: Units = "oilfield", boe: str = "6:1"
) -> FieldReport:
    """Make the report of a field for a month, its last one unless given.

    Parameters
    ----------
    field
        Code or name, in any letter case.
    as_of
        Month such as ``2024-05``.
    units, boe
        As for `measures.table`.

    Raises
    ------
    UsageError, NotThere
        The field, the month, the units or the rule of oil equivalents is not there.
    """
    return FieldReport(field_facts(reading, field, as_of, units=units, boe=boe))


@dataclass(frozen=True, slots=True)
class FieldReport:
    """The report of a field; each property is a part of it, in the order of the pages."""

    facts: FieldFacts

    # The page for a manager

    @property
    def title(self) -> Shown:
        """The field and the month."""
        return Shown(f"<h1>{escape(self.facts.about.title)}, {self.facts.month:%B %Y}</h1>")

    @property
    def headline(self) -> Shown:
        """What was produced, and why it changed; and what a reader has to know of the figures."""
        lead = f'<p class="lead">{escape(" ".join(headline(self.facts)))}</p>'
        return Shown(lead + "".join(f'<p class="note">{escape(note)}</p>' for note in self._cautions()))

    @property
    def key_figures(self) -> Shown:
        """The figures of the month beside those of the month before and of a year before."""
        facts, month = self.facts, self.facts.month
        ago = month.replace(year=month.year - 1)
        there = [figure for figure in facts.figures.values() if _any(figure)]
        headings = ["", "Unit", *(f"{day:%b %Y}" for day in (month, month_before(month)))]
        headings += ["Change", f"{ago:%b %Y}", "Change"]
        table = html_table(headings, [self._row(figure) for figure in there], figures=[False, False, *[True] * 5])
        return Shown(table + "".join(f'<p class="note">{text}</p>' for text in self._unlike_wells()))

    def _unlike_wells(self) -> list[str]:
        """Say which ratios of the month are of wells that did not all report both figures."""
        facts = self.facts
        last = facts.months.filter(month=facts.month).row(0, named=True)
        told = []
        for name, phases in (("gor", ("gas", "oil")), ("water_cut", ("water", "oil"))):
            lacking = {phase: last[f"{phase}_nulls"] for phase in phases}
            if facts.figures[name].now is not None and len(set(lacking.values())) > 1:
                of = " and ".join(f"{number(count)} reported no {phase}" for phase, count in lacking.items() if count)
                told.append(
                    f"The {facts.figures[name].title.lower()} is that of all {phases[0]} and all {phases[1]} reported,"
                    f" not of the same wells: of {number(last['wells'])} wells {of}."
                )
        return told

    @property
    def bridge_chart(self) -> ChartType:
        """The change of the main phase since the month before, part by part."""
        return self._bridge_chart(self.facts.main)

    @property
    def rate_chart(self) -> ChartType:
        """The rates of the last five years, with the decline that was fitted and its forecast."""
        facts = self.facts
        shown = facts.months.filter(pl.col("month") > _months_before(facts.month, _MONTHS_DRAWN))
        rates = [f"{phase}_rate" for phase in ("oil", "water", "gas")]
        there = [rate for rate in rates if shown[MEASURES[rate].column(facts.units)].count()]
        rate = MEASURES[f"{facts.main}_rate"].column(facts.units)
        fit, ahead = (months.rename({"rate": rate}) for months in (facts.outlook.fitted, facts.outlook.months))
        drawn = fit.filter(pl.col("month").is_in(shown["month"].implode()))
        return charts.rate_time(
            shown,
            facts.units,
            measures=there or rates[:1],
            fit=drawn if drawn.height else None,
            forecast=ahead if ahead.height else None,
        )

    # The detail

    @property
    def ratio_chart(self) -> ChartType | Shown:
        """The rate of the main phase with the gas-oil ratio and the water cut below, where they are known."""
        facts = self.facts
        shown = facts.months.filter(pl.col("month") > _months_before(facts.month, _MONTHS_DRAWN))
        known = [name for name in ("gor", "water_cut") if shown[MEASURES[name].column(facts.units)].count()]
        if not known:
            return Shown("<p>Neither is known: oil, or both gas and water, are not reported.</p>")
        return charts.ratios(shown, facts.units, rate=f"{facts.main}_rate", measures=known)

    @property
    def bridges(self) -> Shown:
        """Each phase's bridge as a table, with the formulas."""
        return Shown("".join(self._bridge_table(bridge) for bridge in self.facts.bridges.values()))

    @property
    def movers(self) -> Shown:
        """The wells that changed most in the main phase."""
        bridge = self.facts.bridge
        if bridge is None or bridge.wells.is_empty():
            return Shown("<p>No well changed.</p>")
        digits = _digits(bridge.wells["volume"])
        moved = bridge.movers(_MOVERS)
        rows = [(row["well"], f"{row['volume']:+,.{digits}f}", row["part"]) for row in moved.iter_rows(named=True)]
        return Shown(
            html_table(["Well", f"Change ({self._unit(bridge)})", "Mostly"], rows, figures=[False, True, False])
        )

    @property
    def wells(self) -> Shown:
        """The wells with a record in the month, the largest first."""
        facts = self.facts
        names = [f"{facts.main}_rate", *(f"{phase}_rate" for phase in ("oil", "gas", "water") if phase != facts.main)]
        names += ["gor", "water_cut", "uptime", "months_on_production"]
        columns = {name: MEASURES[name].column(facts.units) for name in names}
        columns = {name: column for name, column in columns.items() if facts.wells[column].count()}
        listed_wells = facts.wells.head(_WELLS_LISTED)
        main = columns.get(f"{facts.main}_rate")
        headings = ["Well", *(_heading(name, facts.units) for name in columns)]
        figures = {name: _formatted(name, listed_wells[column]) for name, column in columns.items()}
        if main:
            headings.insert(2, f"Change to {month_before(facts.month):%b}")
            change = _formatted(f"{facts.main}_rate", listed_wells["change"], signed=True)
            figures = {main: figures.pop(f"{facts.main}_rate"), "change": change, **figures}
        rows = list(zip(listed_wells["well"].to_list(), *figures.values(), strict=True))
        left = facts.wells.height - listed_wells.height
        more = f'<p class="note">and {number(left)} more wells</p>' if left else ""
        return Shown(html_table(headings, rows, figures=[False, *[True] * (len(headings) - 1)]) + more)

    @property
    def outlook(self) -> Shown:
        """The next 12 months against the last 12, last year's forecast against what came, and what that is worth."""
        facts, ahead = self.facts, self.facts.outlook
        unit = MEASURES[f"{facts.main}_volume"].unit(facts.units)
        digits = _digits([ahead.last_year, ahead.next_year])
        reported = ahead.months_reported
        changed = _change("", ahead.next_year, ahead.last_year) if reported == MONTHS else ""
        told = "Last 12 months" if reported == MONTHS else f"Last 12 months, of which {reported} were reported"
        rows = [
            (told, _volume(ahead.last_year, digits), ""),
            ("Next 12 months, forecast", _volume(ahead.next_year, digits), changed),
        ]
        if ahead.foretold is not None:
            came = _change("", ahead.came, ahead.foretold)
            rows += [
                ("Forecast of a year before for these months", _volume(ahead.foretold, digits), ""),
                ("What came, against that forecast", _volume(ahead.came, digits), came),
            ]
        table = html_table([facts.main.capitalize(), unit, "Change"], rows, figures=[False, True, True])
        doubts = [f"Not to be trusted: {doubt}." for doubt in ahead.doubts]
        words = doubts or [f"It may be trusted: {ahead.check.reason}."]
        words.append(f"Fitted to the rates of the field as a whole: {_decline(ahead)}")
        return Shown(table + "".join(f'<p class="note">{escape(text)}</p>' for text in words))

    @property
    def data_quality(self) -> Shown:
        """The marks of the last year by rule, and what is missing now."""
        marks = quality.by_rule(self.facts.marks)
        if marks.is_empty():
            return Shown("<p>No rule of data quality was broken in the last 13 months.</p>")
        rows = [
            (
                row["severity"],
                row["words"],
                number(row["marks"]),
                number(row["wells"]),
                f"{row['first_month']:%Y-%m}",
                f"{row['last_month']:%Y-%m}",
            )
            for row in marks.iter_rows(named=True)
        ]
        headings = ["Severity", "What", "Marks", "Wells", "First", "Last"]
        return Shown(html_table(headings, rows, figures=[False, False, True, True, True, True]))

    @property
    def quality_chart(self) -> ChartType:
        """The marks of the last 13 months, well by month."""
        return charts.quality_map(self.facts.marks)

    @property
    def restatements(self) -> Shown:
        """What has changed up to this month since its records first came."""
        restated, phase = self.facts.restated, self.facts.main
        known_at, month = self.facts.known_at, self.facts.month
        since = f"since {known_at:%Y-%m-%d %H:%M} UTC, when the records of {month:%B} began to come" if known_at else ""
        if restated.is_empty():
            return Shown(f"<p>No record that was known before has changed {since}.</p>")
        unit = MEASURES[f"{phase}_rate"].unit(self.facts.units)
        told = [f'<p class="note">{number(restated.height)} records changed {escape(since)}.</p>']
        rows = [
            (row["well"], f"{row['month']:%Y-%m}", *_as_changed(row, phase), f"{row['restated_at']:%Y-%m-%d %H:%M}")
            for row in restated.head(_WELLS_LISTED).iter_rows(named=True)
        ]
        headings = ["Well", "Month", f"{phase.capitalize()} before ({unit})", "now", "change", "Restated (UTC)"]
        return Shown("".join(told) + html_table(headings, rows, figures=[False, True, True, True, True, True]))

    @property
    def sources(self) -> Shown:
        """Where the figures come from, when they came, and how they are to be read."""
        facts, rule = self.facts, BOE_RULES[self.facts.boe]
        headings = [
            "Data source",
            "Feed gives",
            "Profile",
            "Records",
            "First import (UTC)",
            "Last change (UTC)",
            "By job",
        ]
        rows = [
            (
                row["data_source"] + (f": {row['source_data']}" if row["source_data"] else ""),
                row["figures"] or "not known",
                row["profile"] or "not known",
                number(row["records"]),
                f"{row['first_import']:%Y-%m-%d %H:%M}",
                f"{row['last_import']:%Y-%m-%d %H:%M}",
                row["job_id"][:8],
            )
            for row in facts.sources.iter_rows(named=True)
        ]
        factors = "oilfield" if facts.units == "oilfield" else "metric, by the exact barrel and cubic foot"
        told = [
            "A rate is a calendar-day rate: what was produced in a month, by all the days of the month; a volume is"
            " that rate times those days. Figures of the field are sums over its wells, and ratios are formed of the"
            " sums. What was not reported adds nothing to a sum, and is not zero.",
            f"Units: {factors}. Oil equivalent: {self.facts.boe}, {float(rule.mscf):g} thousand cubic feet of gas for a"
            " barrel.",
        ]
        table = html_table(headings, rows, figures=[False, False, False, True, True, True, True])
        return Shown(table + "".join(f'<p class="note">{escape(text)}</p>' for text in told))

    # How they are put together

    def _cautions(self) -> list[str]:
        """Say what a reader has to know of the figures before trusting them."""
        facts, told = self.facts, []
        if facts.about.month < facts.about.store_month:
            told.append(
                f"This is not the latest month: the source has records up to {facts.about.store_month:%B %Y}, and the"
                f" report is of {facts.month:%B %Y}."
            )
        this = facts.months.filter(month=facts.month).row(0, named=True)
        if missing := this["wells_expected"] - this["wells"]:
            expected = number(this["wells_expected"])
            told.append(f"{number(missing)} of {expected} wells expected did not report, so sums are of the others.")
        if lacking := this[f"{facts.main}_nulls"]:
            told.append(
                f"{number(lacking)} of {number(this['wells'])} wells with a record have no figure of {facts.main}."
            )
        absent = [
            MEASURES[name].title.lower()
            for name in ("oil_rate", "gas_rate", "water_rate", "uptime")
            if facts.figures[name].now is None
        ]
        if absent:
            told.append(f"Not reported for this month: {listed(absent)}.")
        return told

    def _bridge_chart(self, phase: Phase) -> ChartType:
        bridge = self.facts.bridges.get(phase)
        if bridge is None:
            return charts.volume_bridge(
                pl.DataFrame(schema={"part": pl.String, "change": pl.Float64}), self.facts.units
            )
        as_known = ", no figure" if bridge.start is None else ", as known" if bridge.is_restated else ""
        known = f"{bridge.before:%b %Y}{as_known}"
        labels = [f"{title} ({wells})" for title, wells in bridge.parts.select("title", "wells").iter_rows()]
        changes = [bridge.start or 0.0, *bridge.parts["volume"], bridge.end or 0.0]
        rows = pl.DataFrame({"part": [known, *labels, f"{bridge.month:%b %Y}"], "change": changes})
        return charts.volume_bridge(rows, self.facts.units, measure=f"{phase}_volume")

    def _bridge_table(self, bridge: Bridge) -> str:
        unit, parts = self._unit(bridge), bridge.parts
        digits = _digits([*parts["volume"], bridge.start or 0.0, bridge.end or 0.0])
        known = f"{bridge.before:%B %Y}, as known when {bridge.month:%B} first came"
        rows = [(known, _volume(bridge.start, digits), "", "")]
        for row in parts.iter_rows(named=True):
            rows.append((row["title"], f"{row['volume']:+,.{digits}f}", number(row["wells"]), row["formula"]))
        rows.append((f"{bridge.month:%B %Y}", _volume(bridge.end, digits), "", "the sum of the above"))
        name = "BOE" if bridge.phase == "boe" else bridge.phase.capitalize()
        table = html_table(["Part", unit, "Wells", "Formula"], rows, figures=[False, True, True, False])
        lacking = bridge.without_days
        several = f"{number(lacking)} {'well' if lacking == 1 else 'wells'}"
        told = f"Growth and decline hold the uptime of {several} without days on."
        return f"<h3>{name}</h3>{table}" + (f'<p class="note">{told}</p>' if lacking else "")

    def _row(self, figure: Figure) -> list[str]:
        values = [figure.now, figure.before, figure.year_before]
        now, before, year_before = _formatted(figure.name, values)
        changes = [_change(figure.name, figure.now, other) for other in (figure.before, figure.year_before)]
        unit = "%" if figure.name in _SHARES else MEASURES[figure.name].unit(self.facts.units)
        return [figure.title, unit, now, before, changes[0], year_before, changes[1]]

    def _unit(self, bridge: Bridge) -> str:
        return MEASURES[f"{bridge.phase}_volume"].unit(self.facts.units)


def _decline(ahead: Outlook) -> str:
    """Say what was fitted to what."""
    fit = ahead.fit
    if fit.decline is None or fit.start is None:
        return f"there is no decline, since {fit.reason}."
    yearly = 1 - fit.decline.rate(1.0) / fit.decline.qi if fit.decline.qi else 0.0
    return (
        f"{fit.model} from {fit.start:%Y-%m} on, {fit.months_used} months, {fit.months_left_out} left out; b"
        f" {fit.decline.b:.2f}, {100 * yearly:.0f} % less after the first year."
    )


def _any(figure: Figure) -> bool:
    return any(value is not None for value in (figure.now, figure.before, figure.year_before))


def _months_before(month: date, count: int) -> date:
    years, rest = divmod(month.year * 12 + month.month - 1 - count, 12)
    return date(years, rest + 1, 1)


def _heading(name: str, units: Units) -> str:
    unit = "%" if name in _SHARES else "" if name == "months_on_production" else MEASURES[name].unit(units)
    return f"{MEASURES[name].title} ({unit})" if unit else MEASURES[name].title


def _formatted(name: str, values: Iterable[float | None], *, signed: bool = False) -> list[str]:
    """Give figures of one measure as people read them, with one number of digits; shares in per cent."""
    scaled = [None if value is None else value * (100 if name in _SHARES else 1) for value in values]
    digits = 0 if name in (*_COUNTS, "months_on_production") else 1 if name in _SHARES else _digits(scaled)
    return ["" if value is None else f"{value:{'+' if signed else ''},.{digits}f}" for value in scaled]


def _digits(values: Iterable[float | None]) -> int:
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    return 0 if largest >= 1000 else 1 if largest >= 10 else 2 if largest >= 1 else 3


def _volume(value: float | None, digits: int) -> str:
    return "not reported" if value is None else f"{value:,.{digits}f}"


def _change(name: str, now: float | None, then: float | None) -> str:
    """Give a change: in per cent, of shares in percentage points, of counts in wells."""
    if now is None or then is None:
        return ""
    if name in _SHARES:
        return f"{100 * (now - then):+.1f} points" if abs(now - then) >= 0.0005 else "0.0 points"
    if name in _COUNTS:
        return f"{now - then:+,.0f}" if now != then else "0"
    return f"{100 * (now / then - 1):+,.1f} %" if then else ""


def _as_changed(row: dict[str, Any], phase: str) -> Sequence[str]:
    before, now = row[f"{phase}_before"], row[f"{phase}_now"]
    change = f"{now - before:+,.3f}" if before is not None and now is not None else ""
    return ("" if before is None else f"{before:,.3f}", "" if now is None else f"{now:,.3f}", change)
