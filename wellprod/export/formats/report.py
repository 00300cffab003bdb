"""The report to print: a page of summary with a chart, then each well month by month, then sources and units."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from wellprod.analysis import charts
from wellprod.analysis.production import FieldProduction, Totals, WellProduction
from wellprod.export.formats.base import ExportData
from wellprod.paper import UNKNOWN, Column, Paper, paper
from wellprod.text import number

_NULL = "–"
_NEVER = "not reported"
_DAYS_FORM, _RATE_FORM, _VOLUME_FORM, _SUM_FORM = (1, 6), (3, 10), (2, 12), (1, 14)  # digits; characters at most
_MONTH, _DAYS = 16.0, 14.0  # mm, of columns
_WITH_FIELD, _WITH_ROWS, _SOURCES = 31.0, 18.0, 60.0  # mm that are needed: headings with two rows, the last part
_NAMED = 3  # fields or wells in a title
_LISTED = 12  # fields or wells on the first page


class _Stream(NamedTuple):
    """One of the four streams: what a record and a total call it, and its units."""

    name: str
    rate: str
    rate_unit: str
    volume: str
    volume_unit: str


_STREAMS = (
    _Stream("Oil", "oil_production_kbd", "kbd", "cum_oil_kbbl", "kbbl"),
    _Stream("Gas", "gas_production_mmcfd", "mmcfd", "cum_gas_mmscf", "MMscf"),
    _Stream("Liquids", "liquids_production_kbd", "kbd", "cum_liquids_kbbl", "kbbl"),
    _Stream("Water", "water_production_kbd", "kbd", "cum_water_kbbl", "kbbl"),
)
_NOTE = "Rates in kbd, mmcfd (calendar day); volumes in kbbl, MMscf"


def write_report(data: ExportData, path: Path) -> None:
    """Write the report of a selection that holds some records to a new PDF; what the fonts lack is told.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    with paper(_title(data), _NOTE, data.made_at) as sheets:
        _Report(data, sheets).write()
        sheets.output(path)
        if lacking := sorted(sheets.lacking):
            shown = f"{', '.join(lacking[:10])}{', ...' if len(lacking) > 10 else ''}"
            what = "1 character" if len(lacking) == 1 else f"{len(lacking)} characters"
            data.warn(f"The fonts of the report lack {what} ({shown}), shown as {UNKNOWN}.")


class _Report:
    """The parts of one report, in the order of its pages."""

    def __init__(self, data: ExportData, sheets: Paper) -> None:
        self.data, self.sheets = data, sheets
        self.production = data.production
        totals = self.production.totals
        assert totals is not None  # noqa: S101 - an empty selection is refused before
        self.totals = totals
        self.streams = [stream for stream in _STREAMS if stream.rate in self.production.reported]
        self.has_days = "days_on_production" in self.production.reported
        self.fields = self.production.field_totals
        self.sources = self.production.data_sources

    def write(self) -> None:
        """Write all parts: what needs the totals first, since the records pass by but once."""
        updated_at = self.production.updated_at
        self.sheets.add_page()
        self.sheets.section("Summary", 0)
        self.sheets.paragraph(self.sheets.running_title, size=17, bold=True, after=1)
        self._about()
        self._summary()
        self._chart()
        self._table_of_fields()
        self._wells()
        self._sources(f" The store last changed one of them on {updated_at:%Y-%m-%d %H:%M} UTC." if updated_at else "")

    def _about(self) -> None:
        selection, write = self.data.selection, self.sheets.paragraph
        if selection.client:
            write(f"For {selection.client}", size=11, after=1)
        if selection.description:
            write(selection.description, after=1)
        asked = [
            f"{kind}{'s' if len(given) > 1 else ''} {_some(given, _LISTED)}"
            for kind, given in (("field", selection.fields), ("well", selection.wells))
            if given
        ]
        chosen = f"Selected: {'; '.join(asked) or 'all fields and wells'}; months {_months(self.totals)}."
        made = f"Made {self.data.made_at:%Y-%m-%d %H:%M} UTC by wellprod, of records from {', '.join(self.sources)}."
        write(f"{chosen}\n{made}", size=8, grey=True, after=3)

    def _summary(self) -> None:
        extent = (
            ("Fields", number(len(self.fields))),
            ("Wells", number(self.totals.wells)),
            ("Records (one well, one month)", number(self.totals.records)),
            ("Months", f"{_months(self.totals)} ({number(self.totals.months)})"),
        )
        volumes = ((stream, getattr(self.totals, stream.volume)) for stream in _STREAMS)
        summed = [
            (
                f"Cumulative {stream.name.lower()}",
                _NEVER if volume is None else f"{_figure(volume, _SUM_FORM)} {stream.volume_unit}",
            )
            for stream, volume in volumes
        ]
        self.sheets.pairs([*zip(extent, summed, strict=True)], absent=_NEVER)

    def _chart(self) -> None:
        volumes = self.production.monthly_volumes
        if not any(volumes[name].count() for name in ("oil_kbbl", "gas_mmscf", "water_kbbl")):
            return
        picture = charts.as_png(charts.monthly_volumes(volumes), scale=3)
        self.sheets.picture("Monthly production", BytesIO(picture))

    def _table_of_fields(self) -> None:
        if len(self.fields) == 1:
            return
        sheets = self.sheets
        figures = [("Wells", "", 13.0), ("First", "month", 15.0), ("Last", "month", 15.0)]
        volumes = [Column(stream.name, stream.volume_unit, 22, "Cumulative volume") for stream in self.streams]
        width = sheets.epw - sum(width for _, _, width in figures) - sum(column.width for column in volumes)
        sheets.title_of_table("Production by field")
        sheets.start_table(
            [Column("Field", "", width, is_figure=False), *(Column(*column) for column in figures), *volumes]
        )
        for field in self.fields:
            sheets.row([self._name(field), *self._extent(field.totals), *self._volumes(field.totals, _SUM_FORM)])
        sheets.row(["Total", *self._extent(self.totals), *self._volumes(self.totals, _SUM_FORM)], bold=True)
        sheets.end_table()

    def _wells(self) -> None:
        sheets = self.sheets
        days = [Column("Days on", "", _DAYS)] if self.has_days else []
        each = (sheets.epw - _MONTH - _DAYS * len(days)) / (2 * len(self.streams) or 1)
        rates = [Column(stream.name, stream.rate_unit, each - 2, "Calendar-day rate") for stream in self.streams]
        volumes = [Column(stream.name, stream.volume_unit, each + 2, "Volume of the month") for stream in self.streams]
        sheets.add_page()
        sheets.title_of_table("Production by well")
        sheets.start_table([Column("Month", "", _MONTH, is_figure=False), *days, *rates, *volumes])
        for field in self.production.fields():
            for place, well in enumerate(field.wells):
                sheets.need(_WITH_FIELD if place == 0 else _WITH_ROWS)
                if place == 0:
                    self._field_heading(field)
                self._well(well)
        sheets.end_table()

    def _field_heading(self, field: FieldProduction) -> None:
        self.sheets.y += 1.5
        self.sheets.section(self._name(field), 0)
        wells = f"{number(field.totals.wells)} {'well' if field.totals.wells == 1 else 'wells'}"
        code = [f"code {field.field_code}"] if field.field_name else []
        details = ", ".join([*code, wells, _months(field.totals)])
        self.sheets.heading(self._name(field), details, self._volumes(field.totals, _VOLUME_FORM), is_band=True)

    def _well(self, well: WellProduction) -> None:
        sheets = self.sheets
        sheets.y += 1
        sheets.section(well.title, 1)
        details = [well.well_reference] if well.well_reference not in (None, well.title) else []
        details += [f"code {well.well_code}"] if well.title != str(well.well_code) else []
        sheets.heading(well.title, ", ".join(filter(None, details)), self._volumes(well.totals, _VOLUME_FORM))
        sheets.going_on = well.title
        days = ["days_on_production"] if self.has_days else []
        records = well.records.select("production_period", *days, *(stream.rate for stream in self.streams))
        for month, *figures in records.iter_rows():
            rates, length = figures[len(days) :], _days_of(month)
            volumes = [None if rate is None else rate * length for rate in rates]
            texts = [f"{month:%Y-%m}", *(_figure(value, _DAYS_FORM) for value in figures[: len(days)])]
            texts += [_figure(rate, _RATE_FORM) for rate in rates]
            sheets.row([*texts, *(_figure(volume, _VOLUME_FORM) for volume in volumes)])
        sheets.going_on = ""

    def _sources(self, changed: str) -> None:
        sheets, sources = self.sheets, ", ".join(self.sources)
        missing = [stream.name.lower() for stream in _STREAMS if stream not in self.streams]
        missing += [] if self.has_days else ["days on production"]
        left_out = f" Never reported, and so without a column: {', '.join(missing)}." if missing else ""
        is_shared = sum(field.totals.wells for field in self.fields) > self.totals.wells
        once = " A well with records in several fields counts once in the total." if is_shared else ""
        sheets.need(_SOURCES)
        sheets.y += 5
        sheets.section("Sources and units", 0)
        sheets.paragraph("Sources and units", size=12, bold=True)
        for text in (
            f"Records: {number(self.totals.records)}, one for each well and month, from {sources}.{changed}",
            "A rate is a calendar-day rate: what was produced in a month, divided by all the days of the month. kbd is "
            "thousand barrels a day, mmcfd is million standard cubic feet a day.",
            "A volume is the rate times the days of the month, whatever the days on production. kbbl is thousand "
            "barrels, MMscf is million standard cubic feet. The figures beside the name of a field or well are the "
            f"sums of its months in this report.{once}",
            f"A dash ({_NULL}) means not reported, which is not zero; it adds nothing to a sum.{left_out}",
        ):
            sheets.paragraph(text)

    def _name(self, field: FieldProduction) -> str:
        return f"{field.title} ({field.data_source})" if len(self.sources) > 1 else field.title

    def _extent(self, totals: Totals) -> list[str]:
        return [number(totals.wells), f"{totals.first_month:%Y-%m}", f"{totals.last_month:%Y-%m}"]

    def _volumes(self, totals: Totals, form: tuple[int, int]) -> list[str]:
        return [_figure(getattr(totals, stream.volume), form) for stream in self.streams]


def _title(data: ExportData) -> str:
    """Give the name of the selection, or one made of what was chosen."""
    selection, production = data.selection, data.production
    if selection.name or production.totals is None:
        return selection.name or "Well production"
    fields = [field.title for field in production.field_totals] if selection.fields else []
    chosen = _some([*selection.wells] or fields, _NAMED) if selection.fields or selection.wells else "all fields"
    return f"Well production: {chosen}, {_months(production.totals)}"


def _some(names: Sequence[str], most: int) -> str:
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {number(left)} more" if left > 0 else "")


def _months(totals: Totals) -> str:
    first, last = (f"{month:%Y-%m}" for month in (totals.first_month, totals.last_month))
    return first if first == last else f"{first} to {last}"


def _days_of(month: date) -> int:
    return monthrange(month.year, month.month)[1]


def _figure(value: float | None, form: tuple[int, int]) -> str:
    """Give a figure of a table; one too wide has fewer digits, and what is not zero does not show as zero."""
    if value is None:
        return _NULL
    digits, widest = form
    if value and abs(value) < 0.5 * 10**-digits:
        return f"{value:.0e}"
    texts = (number(value, places) for places in range(digits, -1, -1))
    return next((text for text in texts if len(text) <= widest), f"{value:.3g}")
