"""The nested production of a selection: each level with its totals, read as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from wellprod.analysis.overview import field_totals, monthly_volumes, well_totals
from wellprod.analysis.production import SelectedProduction
from wellprod.analysis.selection import Selection
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import Settings
from wellprod.store import Reading, Store

from .conftest import ANP_WELLS
from .scripted import record
from .test_store import merged


@pytest.fixture
def reading(settings: Settings) -> Iterator[Reading]:
    """A read on the ANP wells."""
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    with Store(settings.store_path).read() as reading:
        yield reading


@pytest.mark.parametrize("batch_records", [1000, 100_000])
def test_wells_and_fields_hold_what_the_batches_hold(reading: Reading, batch_records: int) -> None:
    """Gone through by field and well, whatever the batches, the records are those of the flat view, in its order."""
    nested = SelectedProduction(reading, batch_records=batch_records)
    wells = [well.records for field in nested.fields() for well in field.wells]
    assert len(wells) == reading.value("SELECT count(DISTINCT (field_code, well_code)) FROM production") > 413
    assert all(well.select("field_code", "well_code").n_unique() == 1 for well in wells)
    assert pl.concat(wells).equals(pl.concat(nested.batches()))


def test_each_level_has_the_totals_of_the_analysis(reading: Reading) -> None:
    """Selection, fields and wells add up to what the overview says of them; a well of two fields is in both."""
    production = SelectedProduction(reading)
    known_fields = {row["field_code"]: row for row in field_totals(reading).iter_rows(named=True)}
    known_wells = {row["well_code"]: row for row in well_totals(reading).iter_rows(named=True)}
    volumes = monthly_volumes(reading)
    totals = production.totals
    assert totals and (totals.records, totals.wells, totals.months) == (6505, 413, 76)
    assert totals.cum_oil_kbbl == pytest.approx(volumes["oil_kbbl"].sum(), rel=1e-12)
    assert production.monthly_volumes.equals(volumes)
    found: dict[int, list[float | None]] = {}
    for field in production.fields():
        known = known_fields.pop(field.field_code)
        assert (field.title, field.totals.wells) == (known["field_name"], known["wells"])
        gas = field.totals.cum_gas_mmscf, known["cum_gas_mmscf"]
        assert gas == (None, None) or gas[0] == pytest.approx(gas[1], rel=1e-12)
        count = 0
        for well in field.wells:
            assert well.totals.records == well.totals.months == well.records.height
            assert well.well_name == known_wells[well.well_code]["well_name"]
            found.setdefault(well.well_code, []).append(well.totals.cum_oil_kbbl)
            count += 1
        assert count == field.totals.wells
    assert not known_fields and found.keys() == known_wells.keys()
    for code, parts in found.items():
        assert sum(part or 0 for part in parts) == pytest.approx(known_wells[code]["cum_oil_kbbl"] or 0, rel=1e-12)


def test_a_field_may_be_passed_by(reading: Reading) -> None:
    """Wells that nobody looks at are read past, and the next field has its own."""
    codes = [next(iter(field.wells)).field_code for field in SelectedProduction(reading).fields()]
    assert codes == [field.field_code for field in SelectedProduction(reading).fields()]
    assert len(codes) == len(set(codes)) > 1


def test_records_are_read_as_they_are_asked_for(reading: Reading) -> None:
    """The first well is there before the second batch is read."""
    read: list[int] = []

    def counted(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        for batch in batches:
            read.append(batch.height)
            yield batch

    production = SelectedProduction(reading, batch_records=1000, watch=counted)
    next(iter(next(production.fields()).wells))
    assert read == [1000]


def test_the_months_of_a_selection_are_parts_of_it(reading: Reading) -> None:
    """Month by month, the parts hold each record once."""
    production = SelectedProduction(reading, Selection(fields=("Tupi",)).condition(reading))
    parts = [production.in_month(month) for month in production.months]
    assert sum(part.record_count for part in parts) == production.record_count
    assert [part.months for part in parts] == [(month,) for month in production.months]


def test_what_was_never_reported_has_no_total(settings: Settings) -> None:
    """Null is not zero: a stream without a figure adds up to nothing; a month in February has its own days."""
    store = Store(settings.store_path)
    month = {"oil_production_kbd": 1.0, "water_production_kbd": 0.0}
    merged(store, [record(1, "2024-02", **month, gas_production_mmcfd=None, liquids_production_kbd=None)])
    with store.read() as reading:
        totals = SelectedProduction(reading).totals
        assert SelectedProduction(reading, ("FALSE", ())).totals is None
    assert totals
    assert (totals.cum_oil_kbbl, totals.cum_water_kbbl) == (29.0, 0.0)
    assert (totals.cum_gas_mmscf, totals.cum_liquids_kbbl) == (None, None)
