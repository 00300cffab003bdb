"""One well, one field, and pages of records: found by code or name, in one data source, in the order of the key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl
import pytest

from wellprod.analysis.lookup import find_field, find_well, records_page, wells_page
from wellprod.analysis.overview import field_totals, well_totals
from wellprod.analysis.selection import Selection, all_of, selected_records
from wellprod.errors import NotThere, SelectionError, UsageError
from wellprod.ingest import ImportRequest, start_import
from wellprod.schema import RECORD
from wellprod.settings import Settings, load_settings
from wellprod.store import Reading, Store

from .conftest import ANP_WELLS
from .scripted import record
from .test_store import merged


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store of the ANP wells."""
    settings = load_settings(home=tmp_path_factory.mktemp("anp"))
    start_import(ImportRequest(str(ANP_WELLS)), settings)
    return Store(settings.store_path)


@pytest.fixture
def reading(store: Store) -> Iterator[Reading]:
    """A read on the ANP wells."""
    with store.read() as reading:
        yield reading


@pytest.fixture
def mixed(settings: Settings) -> Iterator[Reading]:
    """A read on two sources that share the well code 1, and on one of them with two wells of one name."""
    rows = [
        record(1),
        record(1, "2024-02", field_code=2, _field_name="Other"),
        record(2, well_name="Twin"),
        record(3, well_name="TWIN"),
        record(1, data_source="second", well_name="Second", oil_production_kbd=9.0),
        record(7, data_source="second", well_name="2"),
        record(8, well_name=None, _well_reference=None, oil_production_kbd=None),
    ]
    merged(Store(settings.store_path), rows)
    with Store(settings.store_path).read() as reading:
        yield reading


@pytest.mark.parametrize("asked", ["50000", "1-BRSA-1116-RJS", "1-brsa-1116-rjs"])
def test_a_well_is_found_by_code_name_or_reference(reading: Reading, asked: str) -> None:
    """It has the totals of the analysis and the field of its latest month, and its records are all there."""
    found = find_well(reading, asked)
    known = well_totals(reading, Selection(wells=(asked,))).row(0, named=True)
    assert {name: value for name, value in found.totals.items() if name != "field_code"} == known
    assert (found.totals["field_code"], found.totals["well_code"]) == (1032, 50000)
    page = records_page(reading, found.condition, limit=1000)
    assert page.rows.equals(selected_records(reading, Selection(wells=(asked,)))) and page.rows.columns == [*RECORD]
    assert page.total == page.rows.height == found.totals["months"] == 12


@pytest.mark.parametrize("asked", ["1032", "itapu / itapu_eco"])
def test_a_field_is_found_with_its_wells(reading: Reading, asked: str) -> None:
    """It has the totals of the analysis; its wells come in pages that together are all, the largest first."""
    found = find_field(reading, asked)
    assert found.totals == field_totals(reading).filter(field_code=1032).row(0, named=True)
    pages = [wells_page(reading, found.condition, limit=2, offset=offset) for offset in range(0, 12, 2)]
    wells = pl.concat(page.rows for page in pages)
    assert {page.total for page in pages} == {wells.height} == {found.totals["wells"]}
    assert wells.drop("field_code").equals(well_totals(reading, Selection(fields=(asked,))))
    assert set(wells["field_code"]) == {1032}


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_of_records_are_the_whole(reading: Reading, limit: int) -> None:
    """Page after page gives each record of a field once, in the order of the key; past the end there is none."""
    found = find_field(reading, "1032")
    whole = selected_records(reading, Selection(fields=("1032",)))
    pages = [records_page(reading, found.condition, limit=limit, offset=at) for at in range(0, whole.height, limit)]
    assert pl.concat(page.rows for page in pages).equals(whole)
    last = records_page(reading, found.condition, limit=limit, offset=whole.height)
    assert (last.rows.height, last.total, last.rows.columns) == (0, whole.height, whole.columns)


def test_months_narrow_the_records_and_not_the_totals(reading: Reading) -> None:
    """Both months are included, one alone bounds one side, and months without a record are an empty page."""
    found = find_well(reading, "50000")
    whole = records_page(reading, found.condition, limit=1000).rows
    month = pl.col("production_period")
    first, last = date(2023, 2, 1), date(2023, 4, 1)
    for months, kept in [
        (("2023-02", "2023-04"), month.is_between(first, last)),
        (("2023-02-17", None), month >= first),
        ((None, "2023-04"), month <= last),
        ((None, None), pl.lit(value=True)),
        (("2150-01", None), pl.lit(value=False)),
    ]:
        page = records_page(reading, found.between(*months), limit=1000)
        assert page.rows.equals(whole.filter(kept)) and page.total == page.rows.height, months
    with pytest.raises(SelectionError, match="'soon' is no month"):
        found.between("soon")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("1-BRSA-1116-RJ", "Near to it: 1-BRSA-1116-RJS"),
        ("999", "There is no well '999' in the store"),
        ("0050000", "There is no well"),
        ("9" * 30, "There is no well"),
        ("' OR 1=1 --", "There is no well"),
        ("\0", "There is no well"),
        ("", "There is no well"),
        ("５００００", "There is no well"),
    ],
)
def test_a_well_that_is_not_there_is_told_as_such(reading: Reading, asked: str, says: str) -> None:
    """Whatever is asked for, the answer is an error of its own class, with what is near or there."""
    with pytest.raises(NotThere) as caught:
        find_well(reading, asked)
    assert says in str(caught.value) and caught.value.next
    assert caught.value.code == "NOT_FOUND"


@pytest.mark.parametrize("is_made", [False, True])
def test_an_empty_store_has_no_well(settings: Settings, is_made: bool) -> None:
    """Before the first import, with or without a file, the advice is to import."""
    store = Store(settings.store_path)
    if is_made:
        with store.write():
            pass
    with store.read(or_empty=True) as reading:
        for find in (find_well, find_field):
            with pytest.raises(NotThere, match="wellprod import"):
                find(reading, "1")


def test_a_code_of_several_sources_wants_one_named(mixed: Reading) -> None:
    """Two sources with the code are told; with one of them named it is its well, and its records alone."""
    with pytest.raises(UsageError, match=r"'1' in 2 data sources: second, test.*data_source") as caught:
        find_well(mixed, "1")
    assert not isinstance(caught.value, NotThere)
    found: dict[str, Any] = {source: find_well(mixed, "1", source) for source in ("test", "second")}
    assert [found[source].totals["well_name"] for source in found] == ["Well 1", "Second"]
    assert [records_page(mixed, found[source].condition, limit=9).total for source in found] == [2, 1]
    with pytest.raises(UsageError, match="2 data sources"):
        find_field(mixed, "Field")
    assert find_field(mixed, "field", "second").totals["wells"] == 2
    with pytest.raises(NotThere, match=r"no well '1' in the data source 'third'.*Data sources: second, test"):
        find_well(mixed, "1", "third")


def test_a_name_of_several_wells_wants_a_code(mixed: Reading) -> None:
    """Two wells of one source that are called so are told by their codes, which stand for one each."""
    with pytest.raises(UsageError, match=r"'twin' stands for 2 wells of the data source 'test': 2, 3"):
        find_well(mixed, "twin")
    assert find_well(mixed, "3").totals["well_name"] == "TWIN"


def test_a_code_goes_before_a_name_within_a_source(mixed: Reading) -> None:
    """Where the named source has no such code, a well that is called so is meant."""
    assert find_well(mixed, "2").totals["well_code"] == 2
    assert find_well(mixed, "2", "second").totals["well_code"] == 7


def test_a_well_has_the_field_of_its_latest_month(mixed: Reading) -> None:
    """A well that moved is in its new field, and in a page of the wells of the old one with what it made there."""
    totals = find_well(mixed, "1", "test").totals
    assert (totals["field_code"], totals["field_name"], totals["months"]) == (2, "Other", 2)
    wells = wells_page(mixed, find_field(mixed, "1", "test").condition, limit=10).rows
    assert wells.filter(well_code=1).select("field_code", "months").row(0) == (1, 1)
    assert wells["well_code"].to_list() == [1, 2, 3, 8]  # the one that reported nothing last


def test_conditions_together_hold_both() -> None:
    """What is put together keeps the values in their order; nothing is no bound."""
    assert all_of(("a = ? OR b = ?", [1, 2]), ("TRUE", ()), ("c = ?", [3])) == (
        "(a = ? OR b = ?) AND (c = ?)",
        [1, 2, 3],
    )
    assert all_of(("TRUE", ())) == ("TRUE", [])
