"""PRODML export: volumes that turn back into the rates of the store, and files that any XML reader takes."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from energyml.eml.v2_3 import commonv2 as eml
from energyml.prodml.v2_2 import prodmlv2 as prodml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lxml import etree
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig

from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError, UsageError
from wellprod.export import ExportRequest, ExportResult, export_records
from wellprod.export.formats.prodml_objects import PRODUCTS, ProdmlObjects
from wellprod.settings import Settings
from wellprod.store import Store

from .scripted import record as with_liquids
from .test_store import merged


def record(well: int, month: str = "2024-01", **changes: Any) -> dict[str, Any]:
    """Give one record without liquids, of which a file holds none."""
    return with_liquids(well, month, **{"liquids_production_kbd": None, **changes})


RATES = {product.fluid: product.column for product in PRODUCTS}
PARSER = XmlParser(
    context=XmlContext(),
    config=ParserConfig(
        fail_on_unknown_properties=True, fail_on_unknown_attributes=True, fail_on_converter_warnings=True
    ),
)


def exported(
    settings: Settings, rows: list[dict[str, Any]], file: str, /, **selection: Any
) -> tuple[ExportResult, dict[str, bytes]]:
    """Store rows, export them to a file of this name, and give the result and the XML files by their names."""
    if rows:
        merged(Store(settings.store_path), rows)
    path = settings.home / file
    result = export_records(ExportRequest(Selection(**selection), output=path), settings)
    if path.suffix == ".xml":
        return result, {file: path.read_bytes()}
    with ZipFile(path) as archive:
        return result, {entry: archive.read(entry) for entry in archive.namelist()}


def read(xml: bytes) -> Any:
    """Read a file into the generated class of its root; anything that the class does not know is an error."""
    return PARSER.from_bytes(xml, getattr(prodml, etree.QName(etree.fromstring(xml)).localname))


def volumes_of(xml: bytes) -> prodml.AssetProductionVolumes:
    """Read a file of volumes."""
    volumes = read(xml)
    assert isinstance(volumes, prodml.AssetProductionVolumes)
    return volumes


def rates(volumes: prodml.AssetProductionVolumes) -> dict[tuple[int, int, date], dict[str, float]]:
    """Turn volumes back to rates: the figures of each record that are there, by field, well and month."""
    month = date.fromisoformat(volumes.start_date[:10])
    days = monthrange(month.year, month.month)[1]
    found: dict[tuple[int, int, date], dict[str, float]] = {}
    for well in volumes.reporting_entity_volumes:
        known = {more.name: more.value.value for more in well.reporting_entity.extension_name_value}
        figures: dict[str, float] = {}
        for duration in well.duration:
            figures["days_on_production"] = duration.value
        for production in well.production:
            for quantity in production.production_quantity:
                [volume] = quantity.volume
                figures[RATES[quantity.product_fluid_reference]] = volume.volume.value / days
        found[int(known["field_code"]), int(known["well_code"]), month] = figures
    return found


def stored(settings: Settings) -> dict[tuple[int, int, date], dict[str, float]]:
    """Give what the store holds, as `rates` does."""
    columns = ["days_on_production", *RATES.values()]
    with Store(settings.store_path).read() as reading:
        rows = reading.table("SELECT * FROM production").iter_rows(named=True)
        return {
            (row["field_code"], row["well_code"], row["production_period"]): {
                name: row[name] for name in columns if row[name] is not None
            }
            for row in rows
        }


def stored_record(settings: Settings) -> dict[str, Any]:
    """Give one record as the store holds it."""
    if not settings.store_path.exists():
        merged(Store(settings.store_path), [record(1)])
    with Store(settings.store_path).read() as reading:
        return reading.table("SELECT * FROM production LIMIT 1").row(0, named=True)


def assert_equal_rates(read_back: dict[Any, dict[str, float]], expected: dict[Any, dict[str, float]]) -> None:
    """The same records with the same figures, within 1e-9 relative."""
    assert read_back.keys() == expected.keys()
    for key, figures in expected.items():
        assert read_back[key].keys() == figures.keys(), key
        for name, value in figures.items():
            assert math.isclose(read_back[key][name], value, rel_tol=1e-9), (key, name)


def objects_in(thing: Any) -> Iterator[Any]:
    """Yield an object of the generated classes and all that it holds."""
    if is_dataclass(thing):
        yield thing
        for field in fields(thing):
            yield from objects_in(getattr(thing, field.name))
    elif isinstance(thing, list):
        for part in thing:
            yield from objects_in(part)


def assert_fits_classes(thing: Any) -> None:
    """What the generated classes demand of an object and of all in it: what must be there, lengths, patterns."""
    for part in objects_in(thing):
        for field in fields(part):
            value, where = getattr(part, field.name), f"{type(part).__name__}.{field.name}"
            assert value is not None or not field.metadata.get("required"), where
            held = value if isinstance(value, list) else [value]
            assert len(held) >= field.metadata.get("min_occurs", 0), where
            for text in (text for text in held if isinstance(text, str)):
                assert len(text) <= field.metadata.get("max_length", math.inf), where
                assert re.fullmatch(field.metadata.get("pattern", ".*"), text, re.DOTALL), where


def test_a_month_is_one_file_of_volumes(settings: Settings) -> None:
    """Title, sources, period, conditions and figures stand where PRODML has them, in its words."""
    rows = [record(7, "2023-12", field_code=3, _field_name="Búzios", days_on_production=30.5)]
    result, files = exported(settings, rows, "one.xml", name="Partners", description="For the partners.")
    volumes = volumes_of(files["one.xml"])
    assert (result.format, result.warnings) == ("prodml", ())
    assert volumes.citation.title == "Partners, 2023-12"
    assert volumes.citation.description == "For the partners.\nSources: test"
    assert (volumes.start_date, volumes.end_date) == ("2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z")
    assert volumes.nominal_period == prodml.ReportingDurationKind.MONTH
    assert volumes.standard_conditions == eml.ReferenceTemperaturePressure(eml.ReferenceCondition.VALUE_60_DEG_F_1_ATM)
    [well] = volumes.reporting_entity_volumes
    assert well.duration == [eml.TimeMeasure(30.5, eml.TimeUom.D)]
    assert well.reporting_entity.title == "Well 7"
    assert [more.value.value for more in well.reporting_entity.extension_name_value] == ["3", "Búzios", "7"]
    [production] = well.production
    assert production.quantity_method == prodml.QuantityMethod.ALLOCATED
    assert [
        (quantity.product_fluid_kind.value, quantity.volume[0].volume.value, quantity.volume[0].volume.uom.value)
        for quantity in production.production_quantity
    ] == [
        ("oil - net", 1.5 * 31, "1000 bbl"),
        ("gas - wet", 2.5 * 31, "1E6 ft3"),
        ("water - processed", 0.5 * 31, "1000 bbl"),
    ]


def test_several_months_are_a_zip_that_holds_all_it_refers_to(settings: Settings) -> None:
    """One file of volumes a month; each reference leads to an entity of its own file; the wells stand below fields."""
    rows = [record(well, month, field_code=well // 10) for month in ("2024-01", "2024-02") for well in (11, 12, 21)]
    rows += [record(12, "2024-03", field_code=2, _field_name="Other")]
    _, files = exported(settings, rows, "all.zip")
    things = {name: read(xml) for name, xml in files.items()}
    months = [name for name, thing in things.items() if isinstance(thing, prodml.AssetProductionVolumes)]
    assert months == ["2024-01.xml", "2024-02.xml", "2024-03.xml"]
    entities = {thing.uuid: thing for thing in things.values() if isinstance(thing, prodml.ReportingEntity)}
    assert {f"ReportingEntities/{uuid}.xml" for uuid in entities} == {name for name in files if "/" in name}
    references = [part for part in objects_in(list(things.values())) if isinstance(part, eml.DataObjectReference)]
    assert {reference.uuid for reference in references} == set(entities)
    assert all(reference.title == entities[reference.uuid].citation.title for reference in references)
    tree = {
        field.name: [child.name for child in field.child_node]
        for field in things["ReportingHierarchy.xml"].reporting_node
    }
    assert tree == {"Field": ["Well 11", "Well 12"], "Other": ["Well 21", "Well 12"]}
    kinds = [entity.kind.value for entity in entities.values()]
    assert (kinds.count("well"), kinds.count("field")) == (3, 2)
    aliases = {entity.citation.title: entity.aliases for entity in entities.values()}
    assert [(alias.authority, alias.identifier) for alias in aliases["Well 21"]] == [("test", "21"), ("test", "W-21")]


def test_the_name_of_the_file_says_whether_a_month_is_zipped(settings: Settings) -> None:
    """A month goes into .xml or .zip, with the same volumes; several months into .zip alone."""
    _, one = exported(settings, [record(1)], "one.xml")
    _, zipped = exported(settings, [], "one.zip")
    assert zipped["2024-01.xml"] == one["one.xml"]
    merged(Store(settings.store_path), [record(1, "2024-02")])
    assert export_records(ExportRequest(format="prodml"), settings).path.endswith("wells_prod.zip")
    folder = export_records(ExportRequest(format="prodml", output=f"{settings.home / 'kept.xml'}/"), settings)
    assert folder.path.endswith(f"/kept.xml/exports/all/{folder.job_id}.zip")
    with pytest.raises(UsageError, match=r"2 months make a \.zip file; two\.xml is none\. Name it two\.zip"):
        export_records(ExportRequest(output=settings.home / "two.xml"), settings)


def test_what_was_not_reported_is_not_there(settings: Settings) -> None:
    """A null phase has no quantity, null days no duration, a well without a phase no production; zero is zero."""
    nothing: dict[str, Any] = dict.fromkeys(("days_on_production", *RATES.values()))
    rows = [{**record(well), **nothing} for well in (1, 2, 3)]
    rows[1]["gas_production_mmcfd"] = 0.0
    rows[2]["days_on_production"] = 12.0
    _, files = exported(settings, rows, "one.xml")
    volumes = volumes_of(files["one.xml"])
    assert rates(volumes) == {
        (1, 1, date(2024, 1, 1)): {},
        (1, 2, date(2024, 1, 1)): {"gas_production_mmcfd": 0.0},
        (1, 3, date(2024, 1, 1)): {"days_on_production": 12.0},
    }
    assert [len(well.production) for well in volumes.reporting_entity_volumes] == [0, 1, 0]


def test_liquids_are_left_out_and_told(settings: Settings) -> None:
    """Liquids may include the oil: they are no quantity, and the result says how many records have them."""
    rows = [with_liquids(1), with_liquids(2), record(3)]
    result, files = exported(settings, rows, "one.xml")
    assert b"iquid" not in files["one.xml"]
    assert result.warnings == ("Liquids are left out, since they may include the oil; records with them: 2.",)


def test_every_object_fits_the_generated_classes(settings: Settings) -> None:
    """Nothing mandatory is missing, no text is too long, uids are unique in a file, kinds and units are listed ones."""
    long = "x" * 3000
    rows = [record(1), record(2, "2024-02", well_name=long, _field_name=long, _well_reference=long, data_source=long)]
    result, files = exported(settings, rows, "all.zip", description=long)
    for xml in files.values():
        thing = read(xml)
        assert_fits_classes(thing)
        uids = [part.uid for part in objects_in(thing) if hasattr(part, "uid")]
        assert len(uids) == len(set(uids))
        for part in objects_in(thing):
            for name in ("uom", "product_fluid_kind", "quantity_method", "nominal_period", "reference_temp_pres"):
                assert isinstance(getattr(part, name, None), Enum | None), (part, name)
    assert any("longer than PRODML allows" in warning for warning in result.warnings)


def test_what_is_written_is_a_closed_list() -> None:
    """Each phase has a kind and a unit that the generated classes list, and each fluid is in the catalogue."""
    assert {product.column for product in PRODUCTS} == {
        "oil_production_kbd",
        "gas_production_mmcfd",
        "water_production_kbd",
    }
    for product in PRODUCTS:
        assert product.kind in list(prodml.ProductFluidKind)
        assert product.uom.value in [uom.value for uom in eml.VolumeUom], "no legacy unit"


def test_the_same_records_give_the_same_bytes(settings: Settings) -> None:
    """A file made again is the same file; ids and times come from the records."""
    rows = [record(well, month) for month in ("2024-01", "2024-02") for well in (1, 2)]
    exported(settings, rows, "first.zip")
    exported(settings, [], "second.zip")
    assert (settings.home / "first.zip").read_bytes() == (settings.home / "second.zip").read_bytes()


def test_a_restated_month_changes_its_own_figures(settings: Settings) -> None:
    """After a restatement the line of its volume differs, and times of change; another month is the same file."""
    rows = [record(well, month) for month in ("2024-01", "2024-02") for well in (1, 2)]
    _, before = exported(settings, rows, "all.zip")
    _, after = exported(settings, [record(1, "2024-02", oil_production_kbd=9.0)], "all.zip")
    assert before["2024-01.xml"] == after["2024-01.xml"]
    assert before.keys() == after.keys()
    for name in before:
        lines = zip(before[name].splitlines(), after[name].splitlines(), strict=True)
        changed = [new.strip().decode() for old, new in lines if old != new and b"LastUpdate" not in new]
        assert changed == (['<eml:Volume uom="1000 bbl">261.0</eml:Volume>'] if name == "2024-02.xml" else [])


def test_a_well_keeps_its_id(settings: Settings) -> None:
    """A well has one id in every month, field and selection; wells of two sources, and two selections, have two."""
    rows = [record(1), record(1, "2024-02", field_code=2), record(1, data_source="other"), record(2)]
    _, files = exported(settings, rows, "all.zip")
    _, alone = exported(settings, [], "alone.xml", wells=("1",), first_month="2024-02")

    def ids(xml: bytes) -> list[str]:
        return [well.reporting_entity.uuid for well in volumes_of(xml).reporting_entity_volumes]

    other, first, second = ids(files["2024-01.xml"])
    assert len({other, first, second}) == 3
    assert ids(files["2024-02.xml"]) == ids(alone["alone.xml"]) == [first]
    assert volumes_of(files["2024-02.xml"]).uuid != volumes_of(alone["alone.xml"]).uuid


def test_the_former_name_is_taken_with_a_notice(settings: Settings) -> None:
    """What was asked for as ost is PRODML, and the result says so."""
    merged(Store(settings.store_path), [record(1)])
    notice = "The format ost is no longer made; prodml has taken its place."
    for request in (ExportRequest(format="ost"), ExportRequest(format="ost", output=settings.home / "named.xml")):
        result = export_records(request, settings)
        assert (result.format, Path(result.path).suffix) == ("prodml", ".xml")
        assert notice in result.warnings
        assert ExportRequest.from_parameters(request.as_parameters()).notices == [notice]


AWKWARD = "a<&>\"'\r\n\t ü \U0001f6e2 ]]> &amp; \x85\u2028 "


def test_texts_that_xml_takes_come_back_as_they_are(settings: Settings) -> None:
    """Markup, quotes, ends of line and any script are the same for two XML readers."""
    _, files = exported(settings, [record(1, well_name=AWKWARD, _field_name=AWKWARD)], "one.zip", fields=(AWKWARD,))
    titles = f"{{{eml.__NAMESPACE__}}}Title"
    for reader in (etree.fromstring, ElementTree.fromstring):
        for name, xml in files.items():
            found = [element.text for element in reader(xml).iter(titles)]
            assert all(text and text.startswith(AWKWARD) for text in found), name


def test_characters_that_xml_has_not_are_replaced_and_told(settings: Settings) -> None:
    """A control character or half of a pair never breaks a file: a replacement character stands for it, once told."""
    name = "a\x01b\x08c\x0bd\x1fe\ufffef\uffffg"
    result, files = exported(settings, [record(1, m, well_name=name) for m in ("2024-01", "2024-02")], "all.zip")
    for xml in files.values():
        ElementTree.fromstring(xml)
        etree.fromstring(xml)
    [well] = volumes_of(files["2024-02.xml"]).reporting_entity_volumes
    assert well.reporting_entity.title == "a�b�c�d�e�f�g"
    assert "Texts with characters that XML does not allow: 1; � stands for each." in result.warnings
    half = ProdmlObjects(Selection(fields=("half \ud83d",))).volumes(date(2024, 1, 1), [stored_record(settings)])
    assert half.citation.title == "half �, 2024-01"


@pytest.mark.parametrize("column", ["oil_production_kbd", "water_production_kbd"])
def test_a_volume_beyond_all_numbers_is_refused(settings: Settings, column: str) -> None:
    """A rate whose volume overflows names its well and month; no file is left."""
    merged(Store(settings.store_path), [record(1), {**record(77), column: 1e308}])
    with pytest.raises(ExportError, match=r"volume of well 77 in 2024-01 is inf, which PRODML cannot hold"):
        export_records(ExportRequest(format="prodml"), settings)
    assert not list(settings.home.glob("*.xml"))


@pytest.mark.parametrize("column", ["days_on_production", "gas_production_mmcfd"])
def test_what_is_no_number_is_refused(settings: Settings, column: str) -> None:
    """NaN, which the store does not take, is not written either."""
    with pytest.raises(ExportError, match=r"of well 1 in 2024-01 is nan, which PRODML cannot hold"):
        ProdmlObjects(Selection()).volumes(date(2024, 1, 1), [{**stored_record(settings), column: math.nan}])


def test_progress_goes_over_all_months(settings: Settings) -> None:
    """Each month is told, and the last one ends at all records."""
    merged(Store(settings.store_path), [record(well, f"2024-0{m}") for well in range(5) for m in range(1, 7)])
    told: list[tuple[int, int]] = []
    export_records(ExportRequest(format="prodml"), settings, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(5 * month, 30) for month in range(1, 7)]


NUMBERS = st.one_of(
    st.none(),
    st.floats(min_value=-1e306, max_value=1e306),
    st.sampled_from([-0.0, 1e-12, 5e-324, 0.1, 1e306]),
)
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12))


@hypothesis_settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.integers(1, 12), TEXTS, NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=8))
def test_awkward_records_come_back(settings: Settings, rows: list[tuple[Any, ...]]) -> None:
    """Any text and any number, extremes and nulls: the files parse, fit the classes, and give the rates back."""
    settings.store_path.unlink(missing_ok=True)
    names = ("well_name", "days_on_production", *RATES.values())
    made = [
        record(
            n, f"2024-{month:02}", field_code=n % 3, _field_name=figures[0], **dict(zip(names, figures, strict=True))
        )
        for n, (month, *figures) in enumerate(rows)
    ]
    _, files = exported(settings, made, "all.zip")
    found: dict[Any, dict[str, float]] = {}
    for xml in files.values():
        ElementTree.fromstring(xml)
        thing = read(xml)
        assert_fits_classes(thing)
        if isinstance(thing, prodml.AssetProductionVolumes):
            found |= rates(thing)
    assert_equal_rates(found, stored(settings))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "records", "months"), [("2023-06", 905, 11), pytest.param("2018-01", 6505, 76, marks=pytest.mark.long)]
)
def test_the_anp_wells_come_back(
    settings: Settings, anp_records: list[dict[str, Any]], kept: str, records: int, months: int
) -> None:
    """The records of all months, with their nulls, within 1e-9 of the store."""
    result, files = exported(settings, [row for row in anp_records if row["production_period"] >= kept], "anp.zip")
    assert (result.records, result.warnings) == (records, ())
    names = [name for name in files if re.fullmatch(r"\d{4}-\d\d\.xml", name)]
    assert len(names) == months
    found: dict[Any, dict[str, float]] = {}
    for name in names:
        found |= rates(volumes_of(files[name]))
    assert_equal_rates(found, stored(settings))


@pytest.mark.slow
def test_the_classes_are_loaded_for_a_prodml_export_only() -> None:
    """Energyml takes seconds to import, so that nothing but a PRODML export does it."""
    code = "import sys, wellprod.export.run, wellprod.cli.main; print([m for m in sys.modules if 'energyml' in m])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
