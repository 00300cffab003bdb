"""The volume bridge: each part where it belongs, and all of them the change, on real stores."""

from __future__ import annotations

import uuid
from datetime import date
from math import fsum
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from wellprod.analysis import measures
from wellprod.analysis.bridge import PARTS, PHASES, Bridge, Phase, volume_bridge
from wellprod.analysis.restated import restated_since
from wellprod.analysis.selection import Selection
from wellprod.store import Store

from .scripted import record
from .test_store import merged

FEBRUARY, MARCH = date(2024, 2, 1), date(2024, 3, 1)
EARLY, FIRST, SECOND, LATE = (str(uuid.UUID(int=number)) for number in range(1, 5))
HOME = Selection(fields=("1",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "wells.duckdb", wait_seconds=10)


@pytest.fixture(scope="module")
def anp_store(tmp_path_factory: pytest.TempPathFactory, anp_records: list[dict[str, Any]]) -> Store:
    """A store with the ANP wells."""
    store = Store(tmp_path_factory.mktemp("anp") / "wells.duckdb")
    merged(store, anp_records)
    return store


def month(well: int, month: str, oil: float | None, days: float | None = None, **given: Any) -> dict[str, Any]:
    """Give a record of a well of field 1 in a month of 2024, with oil alone unless more is given."""
    figures = {"oil_production_kbd": oil, "gas_production_mmcfd": None, "days_on_production": days}
    place = {"field_code": 1, "_field_name": "Home", "production_period": f"{month}-01T00:00:00Z"}
    return record(well, **{"water_production_kbd": None, **place, **figures, **given})


def bridged(store: Store, selection: Selection | None = HOME, phase: Phase = "oil", **options: Any) -> Bridge:
    """Give the bridge to March, checked: its parts sum to the change, those of each well to its own."""
    with store.read() as reading:
        bridge = volume_bridge(reading, selection, MARCH, phase=phase, **options)
    moved = fsum(map(abs, bridge.wells["volume"]))
    assert abs(fsum(bridge.parts["volume"]) - bridge.change) <= 1e-9 * max(1.0, moved)
    return bridge


def parts(bridge: Bridge) -> dict[str, float]:
    """Give the volume of each part that is there."""
    return {part: round(volume, 9) for part, volume in bridge.parts.select("part", "volume").iter_rows()}


def test_a_well_that_goes_on_has_calendar_uptime_and_the_rest(store: Store) -> None:
    """Worked: 10 kbd of 29 days, 14.5 of them on; then 9 kbd of 31 days, 31 on: 279 = 290 + 20 + 310 - 341."""
    merged(store, [month(1, "2024-02", 10.0, 14.5), month(1, "2024-03", 9.0, 31.0)])
    bridge = bridged(store)
    assert (bridge.start, bridge.end) == (290.0, 279.0)
    assert parts(bridge) == {"calendar": 20.0, "uptime": 310.0, "decline": -341.0}
    assert bridge.without_days == 0
    merged(store, [month(1, "2024-03", 9.0)], SECOND)
    bridge = bridged(store)
    assert parts(bridge) == {"calendar": 20.0, "decline": -31.0}
    assert bridge.without_days == 1


def test_wells_come_and_go_for_a_reason_each(store: Store) -> None:
    """New, restarted, back after a gap, shut in, no record and a null are six parts."""
    merged(
        store,
        [
            *(month(well, "2024-01", 1.0) for well in (2, 3, 4, 5, 6)),
            *(month(well, "2024-02", oil) for well, oil in ((2, 0.0), (4, 1.0), (5, 2.0), (6, 3.0))),
            *(month(well, "2024-03", oil) for well, oil in ((1, 1.0), (2, 2.0), (3, 3.0), (4, 0.0), (6, None))),
        ],
    )
    bridge = bridged(store)
    assert parts(bridge) == {
        "new": 31.0,
        "restarted": 62.0,
        "reported_again": 93.0,
        "shut_in": -29.0,
        "not_reported": -145.0,
    }
    assert set(bridge.wells.filter(part="not_reported")["well_code"]) == {5, 6}
    assert bridge.movers(2).select("well_code", "volume", "part").rows() == [
        (3, 93.0, "Reported again"),
        (6, -87.0, "Not reported"),
    ]


def test_nothing_is_new_in_the_first_month_of_a_source(store: Store) -> None:
    """Where the month before is not held at all, nobody knows what began."""
    merged(store, [month(1, "2024-03", 1.0)])
    bridge = bridged(store)
    assert (bridge.start, parts(bridge)) == (None, {"reported_again": 31.0})


def test_a_well_on_production_is_not_shut_in_when_one_phase_ends(store: Store) -> None:
    """Oil that falls to zero beside gas is decline; water that begins is growth."""
    rows = [month(1, "2024-02", 1.0, gas_production_mmcfd=5.0, water_production_kbd=0.0)]
    merged(store, [*rows, month(1, "2024-03", 0.0, gas_production_mmcfd=5.0, water_production_kbd=2.0)])
    assert parts(bridged(store)) == {"decline": -29.0}
    assert parts(bridged(store, phase="water")) == {"growth": 62.0}


def test_a_renamed_field_is_neither_a_shut_in_nor_new(store: Store) -> None:
    """A well whose records go on under another field came, or went, with its volume; the rest is as of any well."""
    old: dict[str, Any] = {"field_code": 7, "_field_name": "Lula"}
    merged(store, [month(1, "2024-02", 10.0, **old), month(1, "2024-03", 11.0)])
    came = bridged(store)
    assert (came.start, parts(came)) == (None, {"came": 290.0, "calendar": 20.0, "growth": 31.0})
    assert came.wells.filter(part="came")["other_field"].to_list() == ["Lula"]
    went = bridged(store, Selection(fields=("Lula",)))
    assert (went.end, parts(went)) == (None, {"went": -290.0})
    assert went.wells["other_field"].to_list() == ["Home"]
    assert parts(bridged(store, None)) == {"calendar": 20.0, "growth": 31.0}


def test_a_well_that_another_field_restates_moves_likewise(store: Store) -> None:
    """Where a well is in one field at a time, a later import may move its past: the volume comes by that."""
    merged(store, [month(1, "2024-02", 10.0, field_code=7, _field_name="Lula"), month(2, "2024-02", 1.0)])
    moved = [month(1, "2024-02", 11.0), month(1, "2024-03", 11.0), month(2, "2024-03", 1.0)]
    merged(store, moved, SECOND, well_in_one_field=True)
    bridge = bridged(store)
    assert bridge.start == 29.0
    assert parts(bridge) == {"restated": 29.0, "came": 290.0, "calendar": 24.0}


def test_what_was_known_is_what_the_store_held_before_the_month_came(store: Store) -> None:
    """Changes by the import that brought the month, and by later ones, are restatements; earlier ones are not."""
    merged(store, [month(1, "2024-02", 8.0), month(3, "2024-02", 4.0)], EARLY)
    merged(store, [month(1, "2024-02", 10.0)], FIRST)
    merged(store, [month(1, "2024-02", 10.5), month(2, "2024-02", 1.0), month(1, "2024-03", 10.5)], SECOND)
    merged(store, [month(1, "2024-02", 11.0), month(3, "2024-02", None), month(2, "2024-03", 1.0)], LATE)
    bridge = bridged(store)
    assert bridge.start == (10.0 + 4.0 + 1.0) * 29
    assert parts(bridge)["restated"] == (11.0 - 10.0 - 4.0) * 29
    with store.read() as reading:
        assert bridge.known_at
        restated = restated_since(reading, HOME, bridge.known_at)
    assert restated.select("well_code", "oil_before", "oil_now").rows() == [(1, 10.0, 11.0), (3, 4.0, None)]


def test_a_well_that_changed_its_code_is_one(store: Store) -> None:
    """As `groups.toml` says."""
    merged(store, [month(1, "2024-02", 10.0, well_name="A-1"), month(2, "2024-03", 10.0, well_name="A-1 ST")])
    assert set(parts(bridged(store))) == {"new", "not_reported"}
    (store.path.parent / "groups.toml").write_text('[wells]\n"A-1 ST" = ["A-1"]\n')
    assert parts(bridged(store)) == {"calendar": 20.0}


def test_units_and_oil_equivalent(store: Store) -> None:
    """BOE is oil and gas by the rule; metric volumes are those of the measures."""
    gas = {"gas_production_mmcfd": 12.0}
    merged(store, [month(1, "2024-02", 1.0, **gas), month(1, "2024-03", 1.0, **gas)])
    assert bridged(store, phase="boe").end == pytest.approx(31 * 3.0)
    for phase in ("oil", "gas", "boe"):
        bridge = bridged(store, phase=phase, units="metric")
        with store.read() as reading:
            volumes = measures.MEASURES[f"{phase}_volume"](reading, HOME, units="metric")
        assert [bridge.start, bridge.end] == pytest.approx(volumes[volumes.columns[-1]].to_list())


def test_each_part_says_its_formula(store: Store) -> None:
    """In the table, in order."""
    merged(store, [month(1, "2024-02", 1.0), month(1, "2024-03", 2.0), month(2, "2024-03", 2.0)])
    table = bridged(store).parts
    assert table["formula"].to_list() == [part.formula for part in PARTS if part.name in table["part"].to_list()]
    assert table["wells"].to_list() == [1, 1, 1]


def test_the_end_is_that_of_the_measures(anp_store: Store) -> None:
    """On the ANP data, for each field and each month it has: start and end are the volumes of the measures."""
    with anp_store.read() as reading:
        volumes = measures.gas_volume(reading, by="field").filter(pl.col("month") >= date(2024, 3, 1))
        held = {(code, month): volume for _, code, _, month, volume in volumes.iter_rows()}
        for code, this in list(held)[:: max(len(held) // 12, 1)]:
            bridge = volume_bridge(reading, Selection(fields=(str(code),)), this, phase="gas")
            assert bridge.end == pytest.approx(held[code, this]) if held[code, this] is not None else bridge.end is None
            assert abs(fsum(bridge.parts["volume"]) - bridge.change) < 1e-9


FIGURE = st.one_of(st.none(), st.just(0.0), st.floats(0, 1e4), st.floats(1e-9, 1e-3))
ROW = st.fixed_dictionaries(
    {
        "well": st.integers(1, 3),
        "month": st.sampled_from(["2024-01", "2024-02", "2024-02", "2024-03", "2024-03"]),
        "oil": FIGURE,
        "days": st.one_of(st.none(), st.floats(0, 29)),
        "gas_production_mmcfd": FIGURE,
        "water_production_kbd": FIGURE,
        "field_code": st.sampled_from([1, 1, 7]),
    }
)


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    imports=st.lists(st.lists(ROW, max_size=8), min_size=1, max_size=3),
    one_field=st.booleans(),
    phase=st.sampled_from(PHASES),
    selection=st.sampled_from([HOME, None]),
)
def test_the_parts_sum_to_the_change_whatever_the_data(
    tmp_path: Path, imports: list[list[dict[str, Any]]], one_field: bool, phase: Phase, selection: Selection | None
) -> None:
    """Nulls, zeros, no days, other fields, restatements of any kind: within 1e-9 of the volumes that were moved."""
    store = Store(tmp_path / f"{uuid.uuid4()}.duckdb")
    merged(store, [month(9, "2024-02", 1.0)], EARLY)
    for number, rows in enumerate(imports):
        merged(store, [month(**row) for row in rows], str(uuid.UUID(int=10 + number)), well_in_one_field=one_field)
    bridge = bridged(store, selection, phase)
    with store.read() as reading:
        now = measures.MEASURES[f"{phase}_volume"](reading, selection).filter(month=MARCH).to_series(1).drop_nulls()
    assert phase == "boe" or (bridge.end or 0.0) == pytest.approx(now.sum(), abs=1e-9)
    store.path.unlink()
