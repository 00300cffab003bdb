"""Charts as pictures: readable with nothing, one month, gaps and 50,000 wells; only the points that are drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import altair as alt
import polars as pl
import pytest
import vl_convert
from altair.typing import ChartType

from tests.browser import Visitor
from wellprod.analysis import charts
from wellprod.analysis.charts import data
from wellprod.analysis.colours import GAS, OIL, WATER
from wellprod.analysis.measures import MEASURES

NAMES = ("oil_rate", "gas_rate", "water_rate", "gor", "water_cut", "wor", "cum_oil", "oil_volume")
COLUMNS = {name: MEASURES[name].column() for name in NAMES}
WELL = {"data_source": pl.String, "well_code": pl.Int64, "well": pl.String, "field": pl.String}
MONTH = {"month": pl.Date, **dict.fromkeys(COLUMNS.values(), pl.Float64)}
CURVE = {"index": pl.Int64, **dict.fromkeys(("p10", "p50", "p90", "mean"), pl.Float64), "wells": pl.Int64}
MARK = {**WELL, "month": pl.Date, "mark": pl.String, "detail": pl.String}


def months(count: int, value: float | None = 2.0) -> pl.DataFrame:
    """Give a table of measures for all wells together."""
    rows = [{"month": month_of(n), **dict.fromkeys(COLUMNS.values(), value)} for n in range(count)]
    return pl.DataFrame(rows, schema=MONTH)


def month_of(number: int) -> date:
    """Give a month by its number from January 2015 on."""
    return date(2015 + number // 12, number % 12 + 1, 1)


def by_well(wells: int, count: int, value: float | None = 2.0) -> pl.DataFrame:
    """Give a table of measures by well; the first well has the most."""
    names = pl.DataFrame(
        [("source", n, f"Well {n}", "Field") for n in range(wells)], schema=WELL, orient="row"
    ).with_columns(size=1 + 1 / (1 + pl.col("well_code")))
    table = names.join(months(count, value), how="cross").with_columns(pl.col(*COLUMNS.values()) * pl.col("size"))
    return table.drop("size")


def curve(count: int, value: float | None = 2.0) -> pl.DataFrame:
    """Give the curve of a type well."""
    rows = [{"index": n + 1, **dict.fromkeys(("p10", "p50", "p90", "mean"), value), "wells": 3} for n in range(count)]
    return pl.DataFrame(rows, schema=CURVE)


def marks(wells: int, count: int) -> pl.DataFrame:
    """Give a missing month for each well and month."""
    rows = [
        ("source", n, f"Well {n}", "Field", month_of(m), "missing_month", None)
        for n in range(wells)
        for m in range(count)
    ]
    return pl.DataFrame(rows, schema=MARK, orient="row")


def bridge(*changes: float | None) -> pl.DataFrame:
    """Give the rows of a bridge."""
    names = [f"Part {n}" for n in range(len(changes))]
    return pl.DataFrame({"part": names, "change": list(changes)}, schema={"part": pl.String, "change": pl.Float64})


def indexed(wells: int, count: int, value: float | None = 2.0) -> pl.DataFrame:
    """Give the wells of a type well."""
    table = by_well(wells, count, value)
    place = pl.int_range(1, pl.len() + 1).over("well_code").alias("index")
    return table.select("data_source", "well_code", "well", place, value="oil_kbd")


DRAWN: dict[str, Callable[[int, int, float | None], ChartType]] = {
    "rate_time": lambda wells, count, value: charts.rate_time(months(count, value)),
    "rate_time_log": lambda wells, count, value: charts.rate_time(
        months(count, value), log=True, fit=months(count, value), forecast=months(count, value)
    ),
    "ratios": lambda wells, count, value: charts.ratios(months(count, value)),
    "linked": lambda wells, count, value: charts.linked(months(count, value)),
    "rate_cumulative": lambda wells, count, value: charts.rate_cumulative(
        months(count, value), fit=months(count, value), forecast=months(count, value)
    ),
    "wor_cumulative": lambda wells, count, value: charts.wor_cumulative(months(count, value)),
    "stacked": lambda wells, count, value: charts.stacked(by_well(wells, count, value)),
    "percent": lambda wells, count, value: charts.stacked(by_well(wells, count, value), percent=True),
    "ranked": lambda wells, count, value: charts.ranked(by_well(wells, count, value)),
    "bubbles": lambda wells, count, value: charts.bubbles(by_well(wells, count, value), log_x=True),
    "type_well": lambda wells, count, value: charts.type_well(curve(count, value), indexed(wells, count, value)),
    "quality_map": lambda wells, count, value: charts.quality_map(marks(wells, count if value else 0)),
    "volume_bridge": lambda wells, count, value: charts.volume_bridge(
        bridge(*[value] * (4 if count else 0)) if wells else bridge()
    ),
}
every_chart = pytest.mark.parametrize("name", DRAWN)


def svg(chart: ChartType) -> str:
    """Draw it as a picture."""
    return charts.as_svg(chart, "a chart")


def texts(picture: str) -> list[str]:
    """Give the words of a picture."""
    return re.findall(r"<text[^>]*>(.*?)</text>", picture)


def units_of(spec: dict[str, Any], source: Any = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each view of a chart that draws marks, with the name of its data."""
    source = spec.get("data", source)
    parts = [part for kind in ("vconcat", "layer") for part in spec.get(kind, [])]
    if not parts:
        yield json.dumps(source), spec
    for part in parts:
        yield from units_of(part, source)


def fields_of(view: dict[str, Any]) -> set[str]:
    """Give the columns that a view encodes."""
    folded = {name for step in view.get("transform", []) for name in step["fold"]}
    made = {name for step in view.get("transform", []) for name in step["as"]}
    encoded = set(re.findall(r'"field": "([^"]+)"', json.dumps(view.get("encoding", {}))))
    return folded | (encoded - made)


def drawn_data(chart: ChartType) -> dict[str, tuple[list[dict[str, Any]], set[str]]]:
    """Give the rows of each set of data of a chart, and the columns that its views encode."""
    spec = chart.to_dict()
    found: dict[str, tuple[list[dict[str, Any]], set[str]]] = {}
    for source, view in units_of(spec):
        given = json.loads(source)
        rows = given["values"] if "values" in given else spec["datasets"][given["name"]]
        found.setdefault(source, (rows, set()))[1].update(fields_of(view))
    return found


@every_chart
@pytest.mark.parametrize(("wells", "count", "value"), [(0, 0, 2.0), (2, 5, None)], ids=["nothing", "nulls"])
def test_nothing_is_a_picture_that_says_so(name: str, wells: int, count: int, value: float | None) -> None:
    """No row, or rows without a figure: a frame with words, and no axis that has nothing on it."""
    words = texts(svg(DRAWN[name](wells, count, value)))
    assert words in (["No figures in this selection"], ["No marks in this selection"])


@every_chart
@pytest.mark.parametrize(("wells", "count"), [(1, 1), (3, 40)], ids=["one month of one well", "three wells"])
def test_each_chart_draws_what_it_is_given(name: str, wells: int, count: int) -> None:
    """A picture with marks in their place, and words that are words, of one month and one well as well."""
    picture = svg(DRAWN[name](wells, count, 2.0))
    assert not re.findall(r"NaN|undefined|Infinity|Invalid", picture)
    assert re.findall(r'role="graphics-symbol"', picture)
    assert "No figures" not in picture and texts(picture)


@every_chart
def test_a_chart_gets_only_the_points_that_it_draws(name: str) -> None:
    """The columns of its data are those that it encodes, and no row is there twice."""
    for rows, encoded in drawn_data(DRAWN[name](3, 40, 2.0)).values():
        assert {column for row in rows for column in row} == encoded
        assert len({json.dumps(row) for row in rows}) == len(rows)


def rows_of(chart: ChartType) -> list[int]:
    """Count the rows of each set of data of a chart, the largest first."""
    return sorted((len(rows) for rows, _ in drawn_data(chart).values()), reverse=True)


def test_the_rows_are_as_many_as_the_points() -> None:
    """A month a row, however many measures; for many wells the named ones and the others, and no more."""
    assert rows_of(charts.rate_time(months(40))) == [40]
    assert rows_of(charts.stacked(by_well(100, 40), top=8)) == [9 * 40, 40]
    assert rows_of(charts.ranked(by_well(100, 40), top=15)) == [15, 1]
    assert rows_of(charts.type_well(curve(40), indexed(100, 40), drawn=60)) == [60 * 40, 40, 40]
    assert rows_of(charts.quality_map(marks(100, 40), top=30)) == [30 * 40, 30]
    assert rows_of(charts.bubbles(by_well(600, 2)))[0] == 500


@pytest.mark.slow
def test_fifty_thousand_wells_stay_readable() -> None:
    """A chart of 50,000 wells is a small one, and says what it leaves out."""
    table = by_well(50_000, 6)
    drawn = {
        "49,992 others": charts.stacked(table),
        "49,985 others": charts.ranked(table),
        "500 of 50,000 wells drawn": charts.bubbles(table),
        "60 of 50,000 wells drawn": charts.type_well(curve(6), indexed(50_000, 6)),
        "30 of 50,000 wells drawn": charts.quality_map(
            table.select(*WELL, "month", mark=pl.lit("restated"), detail=pl.lit("1 time"))
        ),
    }
    for words, chart in drawn.items():
        assert words in svg(chart)
        assert len(chart.to_json(indent=None)) < 150_000


def test_a_gap_is_a_gap() -> None:
    """A month that is missing, null, or not above zero on a log axis breaks the line, and is not filled."""
    table = months(6).filter(pl.col("month") != month_of(1))
    gone = table.with_columns(oil_kbd=pl.when(pl.col("month") == month_of(3)).then(None).otherwise("oil_kbd"))
    zero = table.with_columns(oil_kbd=pl.when(pl.col("month") == month_of(3)).then(0.0).otherwise("oil_kbd"))
    for given, log in ((gone, False), (gone, True), (zero, True)):
        [(rows, _)] = drawn_data(charts.rate_time(given, measures=("oil_rate",), log=log)).values()
        assert [row["oil_kbd"] for row in rows] == [2.0, None, 2.0, None, 2.0, 2.0]
    [(rows, _)] = drawn_data(charts.rate_time(zero, measures=("oil_rate",))).values()
    assert [row["oil_kbd"] for row in rows] == [2.0, None, 2.0, 0.0, 2.0, 2.0]


def test_a_point_without_neighbours_is_seen() -> None:
    """Between two gaps there is no line, so that a month there has a mark."""
    table = months(40).filter(~pl.col("month").is_in([month_of(10), month_of(12)]))
    lone = min(drawn_data(charts.rate_time(table, measures=("oil_rate",))).values(), key=lambda found: len(found[0]))
    assert lone[0] == [{"month": "2015-12-01T00:00:00", "name": "oil_kbd", "value": 2.0}]


@pytest.mark.parametrize("tiny", [1e-300, 5e-324, 1e-9])
def test_a_log_axis_has_five_cycles_at_most(tiny: float) -> None:
    """One figure next to zero does not take the room of all others; what is not finite is a gap."""
    table = months(30).with_columns(oil_kbd=pl.Series([tiny, float("inf"), float("nan"), -1.0, 0.0, *[1e5] * 25]))
    spec = charts.rate_time(table, measures=("oil_rate",), log=True).to_dict()
    assert next(view for _, view in units_of(spec))["encoding"]["y"]["scale"]["domain"] == [0.5, 2e5]


def test_phases_have_the_colours_of_the_industry() -> None:
    """Oil green, gas red, water blue; told by dash, and by shape where there are few, without a colour."""
    text = json.dumps(charts.rate_time(months(12)).to_dict())
    assert (OIL, GAS, WATER) == ("#2e7d32", "#c62828", "#1565c0")
    for words in (OIL, GAS, WATER, "Oil rate, water rate (kbd)", "Gas rate (mmcfd)", "[6, 3]", "square", "triangle-up"):
        assert words in text


def test_units_are_those_of_the_table() -> None:
    """In metric units the columns and the words on the axes are others."""
    table = months(3).rename({"oil_kbd": "oil_ksm3d", "gas_mmcfd": "gas_mmsm3d", "gor_scf_per_bbl": "gor_sm3_per_sm3"})
    words = " ".join(texts(svg(charts.ratios(table, "metric"))))
    assert MEASURES["oil_rate"].unit("metric") in words and "Gas-oil ratio (Sm³/Sm³)" in words


def test_tooltips_have_units_and_months() -> None:
    """The hidden line of each month tells all its figures."""
    titles = re.findall(r'"title": "([^"]+)", "type": "[a-z]+"', json.dumps(charts.rate_time(months(3)).to_dict()))
    for words in ("Month", "Oil rate (kbd)", "Gas rate (mmcfd)", "Water rate (kbd)"):
        assert words in titles


def test_wells_of_one_name_stay_apart() -> None:
    """Their codes tell them apart, and the source where codes are shared too; a name of one well stays as it is."""
    frame = pl.DataFrame(
        [("a", 1, "W"), ("a", 2, "W"), ("b", 1, "W"), ("a", 3, "V"), ("a", 4, "U"), ("a", 5, "U")],
        schema=["data_source", "well_code", "well"],
        orient="row",
    )
    assert data.named(frame)["name"].to_list() == ["W (1, a)", "W (2, a)", "W (1, b)", "V", "U (4)", "U (5)"]


def test_a_long_name_is_cut_in_its_middle() -> None:
    """Wells of a field begin alike; the whole name is in the tooltip."""
    table = by_well(2, 2).with_columns(
        well=pl.lit("A long name for a well, number ") + pl.col("well_code").cast(pl.String)
    )
    picture = svg(charts.ranked(table))
    assert "A long…well, number 1" in texts(picture)
    assert "A long name for a well, number 1" in picture


def test_others_are_summed_only_where_that_makes_sense() -> None:
    """Rates and volumes add up, ratios do not; a month's figure is the last one, volumes are those of all months."""
    table = by_well(20, 3)
    assert "1.000 together" not in texts(svg(charts.ranked(table, measure="gor", top=5)))
    assert "not drawn" in texts(svg(charts.ranked(table, measure="gor", top=5)))
    rest = sum(2 * (1 + 1 / (1 + n)) for n in range(5, 20))
    assert f"{rest:,.3f} together" in texts(svg(charts.ranked(table, measure="oil_rate", top=5)))
    volumes = texts(svg(charts.ranked(table, measure="oil_volume", top=5)))
    assert f"{3 * rest:,.1f} together" in volumes and "12.0" in volumes


def test_the_parts_of_a_bridge_lead_from_start_to_end() -> None:
    """Each begins where the one before ended; a fall is hollow, and figures have their sign."""
    chart = charts.volume_bridge(bridge(100.0, 20.0, -50.0, 70.0))
    rows = [row for rows, columns in drawn_data(chart).values() if "before" in columns for row in rows]
    assert {(row["before"], row.get("after")) for row in rows} >= {(100.0, 120.0), (120.0, 70.0)}
    words = texts(svg(chart))
    assert [word for word in words if word in ("100.0", "+20.0", "−50.0", "70.0")] == [
        "100.0",
        "70.0",
        "+20.0",
        "−50.0",
    ]


def test_the_worst_mark_of_a_month_is_drawn_and_all_are_told() -> None:
    """An error stands before a restatement, and the tooltip has both with their figures."""
    both = pl.DataFrame(
        [
            ("source", 1, "W", "F", month_of(0), "negative_rate", "oil -1"),
            ("source", 1, "W", "F", month_of(0), "restated", None),
        ],
        schema=MARK,
        orient="row",
    )
    rows = max(drawn_data(charts.quality_map(both)).values(), key=lambda found: len(found[1]))[0]
    assert [(row["kind"], row["marks"]) for row in rows] == [("error", "negative rate (oil -1); restated")]


@pytest.fixture
def _as_before() -> Iterator[None]:
    renderer, theme = alt.renderers.active, alt.theme.active
    yield
    alt.renderers.enable(renderer)
    alt.theme.enable(theme)


def shown(chart: ChartType) -> str:
    """Give the picture that Jupyter is handed."""
    bundle = chart._repr_mimebundle_()
    assert isinstance(bundle, dict)
    return str(bundle["image/svg+xml"])


def test_what_is_zoomed_stays_in_its_panel() -> None:
    """All marks of the panels that show the marked months are cut at their edges, what is hidden as well."""
    panels = charts.linked(months(40)).to_dict()["vconcat"]
    zoomed = [panel for panel in panels if "domainRaw" in json.dumps(panel)]
    assert len(zoomed) == 2 and all(view["mark"]["clip"] for panel in zoomed for _, view in units_of(panel))


@pytest.mark.usefixtures("_as_before")
def test_charts_are_pictures_when_asked() -> None:
    """Drawn as SVG, which needs no JavaScript, on a ground of their own; counts of zero are drawn too."""
    chart = charts.import_counts({"new": 12000, "duplicate": 0, "restated": 1, "rejected": 0})
    charts.draw_static()
    picture = shown(chart)
    nothing = str(charts.import_counts(dict.fromkeys(("new", "rejected"), 0))._repr_mimebundle_())
    assert "<svg" in picture and "12,000" in picture and "<script" not in picture and 'fill="white"' in picture
    assert "aria-label='Records by what became of them'" in picture
    assert "<svg" in nothing
    charts.draw_static(dark=True)
    assert 'fill="#111111"' in shown(chart)


def test_a_picture_stands_on_white_or_on_black() -> None:
    """The same chart has other ink on another ground; inside a page it takes the colour of the text around it."""
    chart = charts.rate_time(months(3))
    light, dark = (charts.as_png(chart, scale=1, dark=dark) for dark in (False, True))
    assert light.startswith(b"\x89PNG") and dark.startswith(b"\x89PNG") and light != dark
    assert "currentColor" in svg(chart) and 'fill="white"' not in svg(chart)


PAGE = """<!doctype html><html lang="en"><title>Charts</title>
<body style="background:{ground};color:{ink};font-family:sans-serif">{places}<script>{script}</script></body></html>"""


@pytest.mark.slow
@pytest.mark.usefixtures("_as_before")
def test_live_charts_follow_the_page_and_warn_of_nothing(visitor: Visitor) -> None:
    """In a browser: no warning of Vega, no other host, and text as light as the page's."""
    charts.draw_interactive()
    given = [(name, *case) for name in DRAWN for case in ((3, 30, 2.0), (1, 1, 2.0))]
    specs = [DRAWN[name](wells, count, value).to_dict() for name, wells, count, value in given]
    calls = "Promise.all(window.specs.map((spec, i) => vegaEmbed('#c' + i, spec, spec.usermeta.embedOptions)))"
    bundle = vl_convert.javascript_bundle(f"{calls}.then(() => document.title = 'Drawn')")
    places = "".join(f"<div id='c{number}'></div>" for number in range(len(specs)))
    script = f"window.specs = {json.dumps(specs)}".replace("</", "<\\/")
    told: list[str] = []
    visitor.context.on("console", lambda message: told.append(message.text))
    page = visitor.context.new_page()
    page.set_content(PAGE.format(ground="#111", ink="#e0e0e0", places=places, script=script))
    page.add_script_tag(content=bundle, type="module")
    page.wait_for_function("document.title == 'Drawn'")
    assert sorted(set(told)) == [] and visitor.errors == [] and visitor.off_host == []
    text = page.locator("#c0 .mark-text.role-axis-label text").first
    assert text.evaluate("node => getComputedStyle(node).fill") == "rgb(224, 224, 224)"
