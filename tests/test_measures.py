"""Measures: against worked examples of their sources, and against a plain computation over the records."""

from __future__ import annotations

import math
from bisect import bisect_right
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

from tests.conftest import ANP_WELLS
from wellprod.analysis import measures
from wellprod.analysis.measures import BOE_RULES, KEYS, MEASURES, By, Units, gor, table, top
from wellprod.analysis.measures.describe import as_markdown
from wellprod.analysis.selection import Selection
from wellprod.errors import NotThere, UsageError
from wellprod.ingest import ImportRequest, start_import
from wellprod.schema import RECORD
from wellprod.settings import load_settings
from wellprod.store import Reading, Store
from wellprod.text import heading

Record = dict[str, Any]
Row = dict[str, float | None]
_SYSTEMS: tuple[Units, ...] = ("oilfield", "metric")
FIGURES = {
    "oil": "oil_production_kbd",
    "gas": "gas_production_mmcfd",
    "liquids": "liquids_production_kbd",
    "water": "water_production_kbd",
}
ALL = tuple(MEASURES)
BBL_M3, FT3_M3 = Fraction("0.158987294928"), Fraction("0.028316846592")


def record(well: int = 1, month: str = "2024-04", field: int = 5, source: str = "A", **figures: float | None) -> Record:
    """Give a record; `oil`, `gas`, `liquids`, `water` and `days` are its figures, null unless given."""
    names = {**FIGURES, "days": "days_on_production"}
    return {
        "data_source": source,
        "field_code": field,
        "field_name": f"Field {field}",
        "well_code": well,
        "well_name": f"Well {well}",
        "production_period": date.fromisoformat(f"{month}-01"),
        **{names[name]: figure for name, figure in figures.items()},
    }


@contextmanager
def held(*records: Record, folder: Path | None = None) -> Iterator[Reading]:
    """Open a read on a store in memory that holds just these records; `groups.toml` may lie in `folder`."""
    with Store(Path("nowhere")).read(or_empty=True) as empty:
        reading = Reading(empty.connection, folder=folder)
        stamps = "now()::TIMESTAMP AS created_at, now()::TIMESTAMP AS updated_at, 1 AS day_given, uuid() AS job_id"
        frame = pl.DataFrame([*records], schema={name: RECORD[name] for name in RECORD if not name.endswith("_at")})
        reading.table(f"INSERT INTO production BY NAME SELECT *, {stamps} FROM given", given=frame)
        yield reading


def only(frame: pl.DataFrame) -> Record:
    """Give the one row of a table."""
    assert frame.height == 1
    return frame.row(0, named=True)


@pytest.fixture(scope="module")
def anp_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the records of ANP."""
    home = tmp_path_factory.mktemp("anp")
    start_import(ImportRequest(str(ANP_WELLS)), load_settings(home=home))
    return home


@pytest.fixture
def anp(anp_home: Path) -> Iterator[Reading]:
    """A read on the records of ANP, where nothing is said of names and groups."""
    with Store(anp_home / "wells_production.duckdb").read() as reading:
        yield reading


# What the sources say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "measure", "value"),
    [
        pytest.param([record(oil=0.3 / 30, days=15)], "oil_rate", 0.010, id="Harmony: 300 bbl, 30 d, 10 bbl/d"),
        pytest.param([record(oil=0.3 / 30, days=15)], "oil_producing_day_rate", 0.020, id="Harmony: 15 d on, 20 bbl/d"),
        pytest.param([record(oil=0.3 / 30, days=15)], "uptime", 0.5, id="Harmony: uptime factor"),
        pytest.param([record(month="2024-02", oil=1.0)], "oil_volume", 29.0, id="February 2024: 1 kbd is 29 kbbl"),
        pytest.param([record(oil=2.0, gas=3.0)], "gor", 1500.0, id="GOR: 1,000 x mmcfd / kbd"),
        pytest.param([record(oil=1.0, water=3.0)], "wor", 3.0, id="WOR"),
        pytest.param([record(oil=1.0, water=3.0)], "water_cut", 3 / (1 + 3), id="water cut is WOR / (1 + WOR)"),
        pytest.param([record(oil=0.0, gas=6.0)], "boe_rate", 1.0, id="USGS: 6,000 ft³ are 1 boe"),
        pytest.param([record(1, oil=1.0, gas=1.0), record(2, oil=3.0, gas=9.0)], "gor", 2500.0, id="sums, then ratio"),
        pytest.param([record(1, oil=1.0, days=30), record(2, oil=2.0, days=10)], "oil_producing_day_rate", 90 / 40,
                     id="producing-day rates do not add"),
        pytest.param([record(oil=0.0, gas=1.0)], "gor", None, id="no oil, no GOR"),
        pytest.param([record(oil=0.0, water=0.0)], "water_cut", None, id="neither oil nor water"),
        pytest.param([record(oil=0.0, water=1.0)], "water_cut", 1.0, id="water alone"),
        pytest.param([record(oil=0.0, water=1.0)], "wor", None, id="no oil, no WOR"),
        pytest.param([record(oil=1.0)], "boe_rate", None, id="no gas reported, no oil equivalent"),
        pytest.param([record(1, oil=1.0), record(2, gas=6.0)], "boe_rate", 2.0, id="each phase of one well"),
        pytest.param([record(oil=1.0, days=0)], "oil_producing_day_rate", None, id="no day on"),
        pytest.param([record(oil=1.0)], "uptime", None, id="no days reported"),
    ],
)  # fmt: skip
def test_worked_examples(records: list[Record], measure: str, value: float | None) -> None:
    """What the cited sources work out comes out, and null where they divide by nothing."""
    with held(*records) as reading:
        found = only(table(reading, measures=[measure]))[MEASURES[measure].column()]
    assert found == (None if value is None else pytest.approx(value, rel=1e-12))


@pytest.mark.parametrize(("rule", "mscf"), [("6:1", 6.0), ("5.8:1", 5.8), ("norway", 5.614583333333333)])
def test_oil_equivalents_by_rule(rule: str, mscf: float) -> None:
    """Each rule has its factor and says it; in Norway 1,000 Sm³ of gas are 1 Sm³ o.e., whatever the units."""
    with held(record(oil=0.0, gas=mscf)) as reading:
        assert only(table(reading, measures=["boe_rate"], boe=rule))["boe_kboed"] == pytest.approx(1.0, rel=1e-15)
        metric = only(table(reading, None, ["boe_rate", "gas_rate"], boe="norway", units="metric"))
    assert metric["boe_ksm3oed"] == pytest.approx(metric["gas_mmsm3d"], rel=1e-15)
    assert f"{mscf:.5g} Mscf" in str(BOE_RULES[rule])


def test_condensate_where_the_feed_says_so() -> None:
    """Liquids, less the oil in them, over the gas of feeds whose liquids include condensate; null for others."""
    rows = [
        record(1, oil=1.0, liquids=1.5, gas=10.0, source="A"),
        record(2, oil=1.0, liquids=9.0, gas=10.0, source="B"),
        record(3, oil=None, liquids=0.3, gas=10.0, source="C"),
    ]
    with held(*rows) as reading:
        assert only(table(reading, measures=["cgr"]))["cgr_bbl_per_mmscf"] is None
        told = "source, 'own', 'calendar-day rate', source <> 'C', source <> 'B', uuid(), now()::TIMESTAMP"
        reading.connection.execute(
            f"INSERT INTO data_sources SELECT {told} FROM (VALUES ('A'), ('B'), ('C')) t(source)"
        )
        assert only(table(reading, measures=["cgr"]))["cgr_bbl_per_mmscf"] == pytest.approx(40.0)
        by_well = table(reading, measures=["cgr"], by="well", units="metric")["cgr_sm3_per_mmsm3"].to_list()
    assert by_well == [pytest.approx(50 * 5.614583333333333), None, pytest.approx(30 * 5.614583333333333)]


# A plain computation -------------------------------------------------------------------------------------------------


def add(values: list[float | None]) -> float | None:
    """Add up what is reported."""
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def ratio(one: float | None, other: float | None) -> float | None:
    """Divide where there is something to divide by."""
    return None if one is None or not other else one / other


def place(month: date) -> int:
    """Count months."""
    return 12 * month.year + month.month - 1


def rates_of(records: list[Record]) -> Row:
    """Give the calendar-day rates of a month."""
    rates = {phase: add([one[name] for one in records]) for phase, name in FIGURES.items()}
    oil, gas = rates["oil"], rates["gas"]
    return {**rates, "boe": None if oil is None or gas is None else oil + gas / 6}


def computed(records: list[Record], by: By) -> dict[tuple[Any, ...], Row]:
    """Compute all measures but the CGR in plain Python; the keys are codes, and the month."""
    codes = [name for name in KEYS[by] if name == "data_source" or name.endswith("_code")]
    owned: dict[tuple[Any, ...], dict[int, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for one in records:
        owned[tuple(one[name] for name in codes)][place(one["production_period"])].append(one)
    whole: dict[int, list[Record]] = defaultdict(list)
    ends: dict[str, int] = defaultdict(int)
    for one in records:
        whole[place(one["production_period"])].append(one)
        ends[one["data_source"]] = max(ends[one["data_source"]], place(one["production_period"]))
    totals = {at: rates_of(records) for at, records in whole.items()}
    anywhere = months_of_wells(whole)
    return {
        (*owner, date(at // 12, at % 12 + 1, 1)): row
        for owner, months in owned.items()
        for at, row in rows_of(months, totals, ends, anywhere).items()
    }


Wells = dict[tuple[str, int], set[int]]


def months_of_wells(months: dict[int, list[Record]]) -> Wells:
    """Give the months in which each well has a record."""
    wells: Wells = defaultdict(set)
    for at, records in months.items():
        for one in records:
            wells[one["data_source"], one["well_code"]].add(at)
    return wells


def rows_of(
    months: dict[int, list[Record]], totals: dict[int, Row], ends: dict[str, int], anywhere: Wells
) -> dict[int, Row]:
    """Compute the rows of one owner."""
    rates = {at: rates_of(records) for at, records in months.items()}
    wells = months_of_wells(months)
    on = [at for at, rate in rates.items() if (rate["oil"] or 0) > 0 or (rate["gas"] or 0) > 0]
    gone = sorted(at for held in wells.values() for at in range(min(held), max(held)) if at not in held)
    rows: dict[int, Row] = {}
    for at in sorted(months):
        records, rate, days = months[at], rates[at], monthrange(at // 12, at % 12 + 1)[1]
        row: Row = {}
        past = [before for before in months if before <= at]
        missing = bisect_right(gone, at)
        for phase, name in [*FIGURES.items(), ("boe", "")]:
            row[f"{phase}_volume"] = None if rate[phase] is None else (rate[phase] or 0) * days
            row[f"{phase}_rate"] = rate[phase]
            row[f"cum_{phase}"] = add(
                [None if (r := rates[b][phase]) is None else r * monthrange(b // 12, b % 12 + 1)[1] for b in past]
            )
            lacks = (lambda one, name=name: one[name] is None) if name else _lacks_boe
            row[f"{phase}_nulls"] = sum(map(lacks, records))
            row[f"cum_{phase}_nulls"] = missing + sum(lacks(one) for b in past for one in months[b])
            if name:
                both = [one for one in records if (one["days_on_production"] or 0) > 0 and one[name] is not None]
                volume = add([one[name] * days for one in both])
                row[f"{phase}_producing_day_rate"] = ratio(volume, add([one["days_on_production"] for one in both]))
            if phase != "liquids":
                for change, months_ago in (("mom", 1), ("yoy", 12)):
                    part = ratio(rate[phase], rates.get(at - months_ago, {}).get(phase))
                    row[f"{phase}_{change}"] = None if part is None else part - 1
                row[f"{phase}_share"] = ratio(rate[phase], totals[at][phase])
        oil, gas, water = rate["oil"], rate["gas"], rate["water"]
        row["gor"] = None if gas is None else ratio(1000 * gas, oil)
        row["wor"] = ratio(water, oil)
        row["water_cut"] = None if oil is None or water is None else ratio(water, oil + water)
        told = [one["days_on_production"] for one in records if one["days_on_production"] is not None]
        row["uptime"] = ratio(add(told), len(told) * days)
        row["months_on_production"] = at - min(on) + 1 if on and at >= min(on) else None
        row["wells"] = len({(one["data_source"], one["well_code"]) for one in records})
        row["wells_on"] = len(
            {
                (one["data_source"], one["well_code"])
                for one in records
                if (one[FIGURES["oil"]] or 0) > 0 or (one[FIGURES["gas"]] or 0) > 0
            }
        )
        row["wells_expected"] = sum(
            at in held or (at not in anywhere[well] and any(at - back in held for back in (1, 2, 3)))
            for well, held in wells.items()
            if at <= ends[well[0]]
        )
        row["completeness"] = ratio(row["wells"], row["wells_expected"])
        rows[at] = row
    return rows


def _lacks_boe(one: Record) -> bool:
    return one[FIGURES["oil"]] is None or one[FIGURES["gas"]] is None


def agree(found: pl.DataFrame, expected: dict[tuple[Any, ...], Row], by: By, names: tuple[str, ...] = ALL) -> None:
    """Hold a table against the plain computation; nothing in it is infinite or NaN."""
    codes = [name for name in KEYS[by] if name == "data_source" or name.endswith("_code")]
    keys = found.select(*codes, "month").rows()
    assert keys == sorted(expected)
    for name in names:
        if name == "cgr":
            continue
        values = found[MEASURES[name].column()].cast(pl.Float64)
        wanted = pl.Series(values.name, [expected[key][name] for key in keys], pl.Float64)
        assert values.drop_nulls().is_finite().all(), name
        assert_series_equal(values, wanted, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("by", ["all", "field", "well"])
def test_all_measures_agree_with_a_plain_computation(anp: Reading, by: By) -> None:
    """On the records of ANP, whose wells come and go, each figure of each row is what Python computes of them."""
    records = anp.table("SELECT * FROM production").to_dicts()
    agree(table(anp, None, ALL, by=by), computed(records, by), by)


figures = st.one_of(st.none(), st.just(0.0), st.integers(1, 1000).map(lambda n: n / 8))
some_records = st.lists(
    st.builds(
        record,
        st.integers(1, 3),
        st.integers(0, 17).map(lambda n: f"{2023 + n // 12}-{n % 12 + 1:02}"),
        st.integers(5, 6),
        st.sampled_from(["A", "B"]),
        oil=figures,
        gas=figures,
        liquids=figures,
        water=figures,
        days=st.one_of(st.none(), st.integers(0, 28).map(float)),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda one: (one["data_source"], one["field_code"], one["well_code"], one["production_period"]),
)


@settings(max_examples=10, deadline=None)
@given(records=some_records, by=st.sampled_from(["all", "field", "well"]))
def test_nulls_zeros_gaps_and_wells_of_two_fields(records: list[Record], by: By) -> None:
    """Whatever is null, zero, missing, or of a well in two fields: each figure is the plain one, and finite."""
    with held(*records) as reading:
        agree(table(reading, None, ALL, by=by), computed(records, by), by)
        parts, whole = (table(reading, None, ("oil_volume", "oil_share", "oil_nulls"), by=kind) for kind in (by, "all"))
    summed = parts.group_by("month").agg(
        pl.col("oil_kbbl").drop_nulls().sum(), pl.col("oil_share").drop_nulls().sum(), pl.col("oil_nulls").sum()
    )
    for row, month in zip(whole.iter_rows(named=True), summed.sort("month").iter_rows(named=True), strict=True):
        assert month["oil_kbbl"] == pytest.approx(row["oil_kbbl"] or 0, rel=1e-12)
        assert month["oil_share"] == pytest.approx(1.0 if row["oil_kbbl"] else 0.0)
        assert month["oil_nulls"] == row["oil_nulls"]


# Units, months, owners -----------------------------------------------------------------------------------------------


def test_both_systems_of_units_by_the_exact_factor(anp: Reading) -> None:
    """The metric figure is the oilfield one times the factor of its units; the column's name says which."""
    factors = {
        "": Fraction(1),
        **dict.fromkeys(("ksm3", "ksm3d", "ksm3oe", "ksm3oed"), BBL_M3),
        **dict.fromkeys(("mmsm3", "mmsm3d"), FT3_M3),
        "sm3_per_sm3": FT3_M3 / BBL_M3,
        "sm3_per_mmsm3": BBL_M3 / FT3_M3,
    }
    oilfield, metric = (table(anp, None, ALL, units=units) for units in _SYSTEMS)
    for measure in MEASURES.values():
        factor = factors[measure.quantity.metric]
        assert measure.quantity.factor == factor
        turned = metric.select(pl.col(measure.column("metric")).cast(pl.Float64).alias("figure"))
        assert _nearly(turned, oilfield.select(figure=pl.col(measure.column()) * float(factor)))
        for units in _SYSTEMS:
            words, unit = heading(measure.column(units))
            assert unit == (measure.unit(units) if measure.quantity.ending(units) else "") and words


@pytest.mark.parametrize("by", ["all", "field", "well"])
def test_a_range_of_months_shows_a_part_of_the_whole(anp: Reading, by: By) -> None:
    """Cumulatives, changes, counts and titles are those of the table of all months, alone or together with others."""
    whole, some = table(anp, None, ALL, by=by), Selection(first_month="2020-08", last_month="2021-03")
    expected = whole.filter(pl.col("month").is_between(date(2020, 8, 1), date(2021, 3, 1)))
    assert _nearly(table(anp, some, ALL, by=by), expected)
    assert _nearly(table(anp, some, ("oil_rate", "wells"), by=by), expected)


def _nearly(found: pl.DataFrame, expected: pl.DataFrame) -> bool:
    assert_frame_equal(found, expected.select(found.columns), rel_tol=1e-12)
    return True


def test_a_well_that_changes_its_field_is_one_well(anp: Reading) -> None:
    """Lula became Tupi: by well nothing ends or begins anew; by field it does, as long as nobody says they are one."""
    several = (
        "SELECT well_code FROM production GROUP BY ALL HAVING count(DISTINCT field_code) > 1 AND"
        " bool_or(field_name = 'Lula') AND bool_or(field_name = 'Tupi') ORDER BY count(*) DESC LIMIT 1"
    )
    well = str(anp.value(several))
    alone = table(anp, Selection(wells=(well,)), ("oil_rate", "cum_oil", "months_on_production"), by="well")
    assert alone.select("data_source", "well_code", "field").n_unique() == 1 and set(alone["field"]) == {"Tupi"}
    assert alone["cum_oil_kbbl"].is_sorted() and alone["months_on_production"].is_sorted()
    assert alone["months_on_production"].n_unique() == alone.height
    fields = table(anp, Selection(wells=(well,)), ("cum_oil",), by="field")
    assert set(fields["field"]) == {"Lula", "Tupi"}
    last = fields.group_by("field").agg(pl.last("cum_oil_kbbl"))["cum_oil_kbbl"].sum()
    assert last == pytest.approx(alone["cum_oil_kbbl"][-1], rel=1e-12)


def test_fields_that_are_called_one_are_one(anp: Reading, tmp_path: Path) -> None:
    """As groups.toml says: one row a month under the main name, in order, and a well of both counts once."""
    (tmp_path / "groups.toml").write_text('[fields]\nTupi = ["Lula"]\n')
    reading = Reading(anp.connection, folder=tmp_path)
    one = table(reading, Selection(fields=("Lula",)), ALL, by="field")
    assert set(one["field"]) == {"Tupi"} and one["field_code"].n_unique() == 1 and one["month"].is_unique().all()
    together = table(reading, Selection(fields=("Lula",)), ALL)
    assert _nearly(together, one)
    assert "Lula" not in set(table(reading, None, ("oil_rate",), by="well")["field"])


def test_wells_that_are_called_one_are_one(tmp_path: Path) -> None:
    """Two codes of a well count as one well, by well and among all."""
    (tmp_path / "groups.toml").write_text('[wells]\n"Well 2" = ["Well 1"]\n')
    rows = [record(1, "2024-01", oil=1.0), record(1, "2024-02", oil=2.0), record(2, "2024-02", oil=3.0)]
    with held(*rows, record(2, "2024-03", oil=4.0), record(3, "2024-03"), folder=tmp_path) as reading:
        wells = table(reading, None, ("oil_rate", "months_on_production"), by="well")
        counts = table(reading, None, ("wells", "wells_expected", "cum_oil_nulls"))
    assert wells.select("well", "well_code", "oil_kbd", "months_on_production").rows() == [
        ("Well 2", 2, 1.0, 1),
        ("Well 2", 2, 5.0, 2),
        ("Well 2", 2, 4.0, 3),
        ("Well 3", 3, None, None),
    ]
    assert counts.drop("month").rows() == [(1, 1, 0), (1, 1, 0), (2, 2, 1)]


def test_groups_have_rows_of_their_own(anp: Reading, tmp_path: Path) -> None:
    """Each as a selection of it, in the order of the file; a well may be of several; without any it is told."""
    (tmp_path / "groups.toml").write_text(
        '[groups.Santos]\nfields = ["Tupi", "Búzios"]\n[groups.Mixed]\nwells = ["7-BUZ-10-RJS"]\n'
        '[groups.Elsewhere]\nfields = ["nowhere"]\n'
    )
    reading = Reading(anp.connection, folder=tmp_path)
    names = tuple(name for name in ALL if not name.endswith("_share"))
    found = table(reading, None, names, by="group")
    assert found["group"].unique(maintain_order=True).to_list() == ["Santos", "Mixed"]
    for group in ("Santos", "Mixed"):
        alone = table(reading, Selection(groups=(group,)), names)
        assert _nearly(found.filter(group=group).drop("group"), alone)
    share = table(reading, None, ("oil_share", "oil_volume"), by="group").filter(group="Santos")
    whole = share.join(table(reading, None, ("oil_volume",)), on="month", suffix="_whole")
    assert (whole["oil_share"] - whole["oil_kbbl"] / whole["oil_kbbl_whole"]).abs().max() < 1e-12  # type: ignore[operator]
    with pytest.raises(NotThere, match="no group 'Campos'"):
        table(reading, Selection(groups=("Campos",)), by="group")
    with pytest.raises(UsageError, match="no group of which"):
        table(anp, by="group")


def test_titles_tell_owners_apart() -> None:
    """The latest name, else the reference, else the code; where several have the same, the code stands behind it."""
    rows = [
        {**record(1, "2024-01", oil=1.0), "well_name": "Old"},
        {**record(1, "2024-02", oil=1.0), "well_name": "New"},
        {**record(1, "2024-03", oil=1.0), "well_name": None},
        {**record(2, oil=1.0), "well_name": None, "well_reference": "REF"},
        {**record(3, oil=1.0), "well_name": None},
        {**record(4, oil=1.0), "well_name": "Same"},
        {**record(6, oil=1.0), "well_name": "Same"},
        {**record(6, oil=1.0, source="B"), "well_name": "Same"},
    ]
    with held(*rows) as reading:
        found = table(reading, None, ("oil_rate",), by="well")
    titles = found.unique(["data_source", "well_code"], maintain_order=True)["well"].to_list()
    assert titles == ["New", "REF", "3", "Same (4)", "Same (6) (A)", "Same (6) (B)"]


@pytest.mark.parametrize("measure", ["oil_volume", "gas_rate", "boe_rate"])
@pytest.mark.parametrize("by", ["well", "field"])
def test_the_largest_and_all_others_add_up(anp: Reading, measure: str, by: Any) -> None:
    """The largest over the selected months come first, each as it is alone; with the others they make the whole."""
    chosen, column = Selection(first_month="2022-01"), MEASURES[measure].column()
    found = top(anp, chosen, measure, 4, by=by)
    titles = found[by].unique(maintain_order=True).to_list()
    assert len(titles) == 5 and titles[-1] == measures.OTHERS
    assert (
        found.columns == [*KEYS[by], "month", column]
        and found.filter(pl.col(by) == "Others")["data_source"].is_null().all()
    )
    each = MEASURES[measure](anp, chosen, by=by)
    days = pl.col("month").dt.days_in_month() if measure.endswith("rate") else pl.lit(1)
    sizes = each.group_by(by).agg(size=(pl.col(column) * days).sum()).sort("size", descending=True)
    assert measure == "boe_rate" or titles[:-1] == sizes[by].head(4).to_list()
    assert _nearly(found.filter(pl.col(by) == titles[0]), each.filter(pl.col(by) == titles[0]))
    together = found.group_by("month").agg(pl.col(column).sum()).sort("month")
    if measure != "boe_rate":  # wells that report one phase alone have no oil equivalent of their own
        assert _nearly(together, MEASURES[measure](anp, chosen))
    assert top(anp, Selection(fields=("Tupi",)), "oil_volume", 4, by="field")["field"].unique().to_list() == ["Tupi"]


# What is told --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "given", "says"),
    [
        (table, {"measures": ["oil_rat"]}, "no measure 'oil_rat'. Near to it: oil_rate"),
        (table, {"by": "basin"}, "Known: all, field, well, group"),
        (gor, {"by": "wells"}, "Near to it: well"),
        (gor, {"units": "SI"}, "Known: oilfield, metric"),
        (gor, {"boe": "7:1"}, "Known: 6:1, 5.8:1, norway"),
        (top, {"measure": "gor"}, "no measure that adds up 'gor'"),
        (top, {"count": 0}, "0 is no number of rows"),
        (top, {"by": "all"}, "Known: well, field"),
    ],
)
def test_what_is_not_known_is_told(call: Callable[..., pl.DataFrame], given: dict[str, Any], says: str) -> None:
    """With what was given, the nearest and all that are allowed."""
    with held(record()) as reading, pytest.raises(UsageError) as caught:
        call(reading, **given)
    assert says in str(caught.value)


@pytest.mark.parametrize("by", KEYS)
def test_where_there_is_nothing_the_table_is_empty(by: By, tmp_path: Path) -> None:
    """It has its columns and no rows, whether the store is empty or the months hold none."""
    (tmp_path / "groups.toml").write_text('[groups.One]\nfields = ["Field 5"]\n')
    with held(record(), folder=tmp_path) as reading:
        found = table(reading, Selection(first_month="2030-01"), ALL, by=by)
        assert found.is_empty() and found.columns == [*KEYS[by], "month", *(one.column() for one in MEASURES.values())]
    with held() as reading:
        assert by == "group" or table(reading, None, ALL, by=by).is_empty()


def test_every_measure_says_how_it_is_made() -> None:
    """The page of documentation is what the docstrings say, and each says formula, null rule and source."""
    page = Path(__file__).parents[1] / "docs" / "measures.md"
    assert page.read_text("utf-8") == as_markdown()
    for measure in MEASURES.values():
        assert (
            all(measure.told[part] for part in ("", "Formula", "Null", "Source")) and measure.__doc__ == measure.about
        )
        assert getattr(measures, measure.name) is measure
    columns = [measure.column(units) for measure in MEASURES.values() for units in _SYSTEMS]
    assert len(set(columns)) == len(columns) - sum(not measure.quantity.metric for measure in MEASURES.values())
