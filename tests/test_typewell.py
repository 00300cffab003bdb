"""Type wells: percentiles by month on production, and the wells that are left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.conftest import ANP_WELLS
from tests.scripted import record
from tests.test_store import merged
from wellprod.analysis.selection import Selection
from wellprod.analysis.typewell import normalised_wells, type_well
from wellprod.errors import UsageError
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import Settings, load_settings
from wellprod.store import Reading, Store

RATES: dict[int, dict[str, float | None]] = {
    1: {"2023-01": 8.0, "2023-02": 4.0, "2023-03": 2.0, "2023-04": 1.0},  # as old as the data
    2: {"2023-02": 0.0, "2023-03": 6.0, "2023-04": 9.0, "2023-05": 3.0},  # began in 2023-03, with its peak after
    3: {"2023-02": 4.0},  # ended
    4: {"2023-02": 10.0, "2023-03": 0.0, "2023-04": None, "2023-06": 5.0},  # shut in, not reported, no record
    5: {"2023-06": None},  # has no oil at all
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of five wells of short lives."""
    store = Store(tmp_path_factory.mktemp("lives") / "wells.duckdb")
    rows = [
        record(well, month, oil_production_kbd=oil, gas_production_mmcfd=None)
        for well, months in RATES.items()
        for month, oil in months.items()
    ]
    merged(store, rows)
    return store


@pytest.fixture
def reading(store: Store) -> Iterator[Reading]:
    """A read on it."""
    with store.read() as reading:
        yield reading


def by_index(frame: pl.DataFrame, name: str) -> list[float | None]:
    """Give a column in the order of the index."""
    assert frame["index"].to_list() == list(range(1, frame.height + 1))
    return frame[name].to_list()


def test_wells_are_aligned_by_their_first_production(reading: Reading) -> None:
    """Calendar months from the first with oil or gas; a month of 0 counts, one without figure or record does not."""
    wells = normalised_wells(reading)
    lives = {
        code: dict(zip(part["index"], part["value"], strict=True)) for (code,), part in wells.group_by("well_code")
    }
    assert lives == {
        1: {1: 8.0, 2: 4.0, 3: 2.0, 4: 1.0},
        2: {1: 6.0, 2: 9.0, 3: 3.0},
        3: {1: 4.0},
        4: {1: 10.0, 2: 0.0, 5: 5.0},
    }
    assert wells.columns == ["data_source", "well_code", "well", "index", "month", "value"]
    assert wells.filter(well_code=2)["month"].to_list() == [date(2023, month, 1) for month in (3, 4, 5)]


def test_a_type_well_shows_the_bias_of_survivors(reading: Reading) -> None:
    """The plain mean is over wells with a figure; mean_all has an ended well as 0 until the data end."""
    curve = type_well(reading)
    assert by_index(curve, "wells") == [4, 3, 2, 1, 1]
    assert by_index(curve, "mean") == [7.0, pytest.approx(13 / 3), 2.5, 1.0, 5.0]
    assert by_index(curve, "wells_possible") == [4, 4, 4, 4, 3]
    assert by_index(curve, "share_left") == [1.0, 0.75, 0.5, 0.25, pytest.approx(1 / 3)]
    assert by_index(curve, "mean_all") == [
        7.0,
        pytest.approx(13 / 4),
        pytest.approx(5 / 3),
        pytest.approx(1 / 3),
        pytest.approx(5 / 3),
    ]
    assert by_index(curve, "wells_older") == [1, 1, 1, 1, 0]
    assert by_index(curve, "one_well_tail") == [False, False, False, True, True]


def test_other_alignments(reading: Reading) -> None:
    """By the peak month, and by months on production without the shut-in ones."""
    peak = type_well(reading, align="peak")
    assert by_index(peak, "mean") == [31 / 4, pytest.approx(7 / 3), 2.0, 1.0, 5.0]
    assert by_index(peak, "wells_possible") == [4, 4, 4, 3, 3]
    producing = type_well(reading, align="producing months")
    assert by_index(producing, "mean") == [7.0, pytest.approx(18 / 3), 2.5, 1.0]
    assert by_index(producing, "wells_possible") == [4, 4, 3, 3]


def test_what_is_chosen_is_kept_to(reading: Reading) -> None:
    """Wells, the last month, units, other measures, known starts; the first month cuts no life short."""
    assert type_well(reading, Selection(wells=("1", "2"), first_month="2023-04")).height == 4
    until = type_well(reading, Selection(last_month="2023-03"))
    assert by_index(until, "wells_possible") == [4, 3, 1]
    known = type_well(reading, known_starts_only=True)
    assert known.select("index", "wells").rows() == [(1, 3), (2, 2), (3, 1), (5, 1)]
    metric = type_well(reading, units="metric")["mean"][0]
    assert metric == pytest.approx(7.0 * 0.158987294928, rel=1e-12)
    cumulative = type_well(reading, measure="cum_oil")
    assert cumulative["mean_all"][1] == pytest.approx((360 + 456 + 112 + 280) / 4)
    assert type_well(reading, measure="water_cut")["mean_all"].null_count() == 5
    assert type_well(reading, Selection(wells=("5",))).is_empty()
    for wrong in (
        {"measure": "wells_expected"},
        {"measure": "oil"},
        {"align": "birth"},
        {"units": "cgs"},
        {"boe": "7"},
    ):
        with pytest.raises(UsageError):
            type_well(reading, **wrong)  # type: ignore[arg-type]


def test_percentiles_are_those_of_the_source(tmp_path: Path) -> None:
    """P90 lies at the position (N - 1) p + 1 of the wells in order, which gives the 1.27 of Harmony's sample."""
    rates = [1.0, 1.3, 1.9, 2.5, 2.6, 2.8, 3.1, 3.6, 4.4, 5.0]
    store = Store(tmp_path / "wells.duckdb")
    merged(store, [record(well, oil_production_kbd=rate) for well, rate in enumerate(rates)])
    with store.read() as reading:
        first = type_well(reading).row(0, named=True)
    assert first["p90"] == pytest.approx(1.27)
    assert (first["p90"], first["p50"], first["p10"]) == pytest.approx(tuple(np.quantile(rates, [0.1, 0.5, 0.9])))


@pytest.fixture(scope="module")
def anp(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with the ANP wells."""
    settings = load_settings(home=tmp_path_factory.mktemp("anp"))
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    return settings


@pytest.mark.parametrize("align", ["first production", "peak", "producing months"])
def test_the_curve_is_that_of_its_wells(anp: Settings, align: str) -> None:
    """Percentiles, mean and counts over the ANP wells are those that numpy makes of the wells themselves."""
    with Store(anp.store_path).read() as reading:
        curve = type_well(reading, align=align)  # type: ignore[arg-type]
        wells = normalised_wells(reading, align=align)  # type: ignore[arg-type]
        few = normalised_wells(reading, align=align, at_most=20)  # type: ignore[arg-type]
    assert curve["index"].to_list() == sorted(wells["index"].unique())
    for row in curve.iter_rows(named=True):
        values = wells.filter(index=row["index"])["value"].to_numpy()
        expected = (*np.quantile(values, [0.9, 0.5, 0.1]), values.mean(), len(values))
        assert tuple(row[name] for name in ("p10", "p50", "p90", "mean", "wells")) == pytest.approx(expected)
        assert row["wells"] <= row["wells_possible"] and row["mean_all"] <= row["mean"] * (1 + 1e-12)
    sizes = wells.group_by("well_code").agg(pl.col("value").sum()).sort("value")["well_code"]
    assert few["well_code"].n_unique() == 20 and {sizes[0], sizes[-1]} <= set(few["well_code"])
