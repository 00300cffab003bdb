"""The objects of a PRODML export, made of records: volumes by month, the wells and fields they refer to, a hierarchy.

Checked against the generated classes of energyml-prodml2-2: their elements, their mandatory ones, their closed lists.
Not schema-valid by proof: no XSD of PRODML 2.2 is to be had. What goes where follows the usage guide of PRODML 2.0,
chapters 4 to 6, "Simple Product Volume" (https://docs.energistics.org/PRODML/PRODML_TOPICS/PRO-SPV-000-018-0-C-sv2000.html).
"""

from __future__ import annotations

import json
import math
import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from energyml.eml.v2_3 import commonv2 as eml
from energyml.prodml.v2_2 import prodmlv2 as prodml
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.formats.dataclass.serializers.config import SerializerConfig

from wellprod.analysis.selection import Selection
from wellprod.errors import ExportError
from wellprod.text import number

SCHEMA_VERSION = "2.2"
STANDARD_CONDITIONS = eml.ReferenceCondition.VALUE_60_DEG_F_1_ATM
_NAMESPACES = {
    None: prodml.__NAMESPACE__,
    "eml": eml.__NAMESPACE__,
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_IDS = uuid5(NAMESPACE_URL, "urn:wellprod:prodml")
_FORMAT = f"wellprod:wellprod:{version('wellprod')}/prodml22"
_LONG, _TITLE, _SHORT = 2000, 256, 64  # letters that a description, the title of an object, and an identifier take
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # https://www.w3.org/TR/xml/#charsets


class Product(NamedTuple):
    """What one rate of the record is in a file: its column, its fluid in the catalogue, kind and unit.

    The unit is that of rate times days, so that no factor stands between them: 1 kbbl is 1000 bbl, 1 MMscf is 1E6 ft3.
    """

    column: str
    fluid: str
    kind: prodml.ProductFluidKind
    uom: eml.VolumeUomWithLegacy


PRODUCTS = (
    Product("oil_production_kbd", "oil", prodml.ProductFluidKind.OIL_NET, eml.VolumeUomWithLegacy.VALUE_1000_BBL),
    Product("gas_production_mmcfd", "gas", prodml.ProductFluidKind.GAS_WET, eml.VolumeUomWithLegacy.VALUE_1_E6_FT3),
    Product(
        "water_production_kbd", "water", prodml.ProductFluidKind.WATER_PROCESSED, eml.VolumeUomWithLegacy.VALUE_1000_BBL
    ),
)
"""All that is written. PRODML 2.2 has two kinds of water: that which was separated from the production, and that which
was discharged; the reference to formation water in the catalogue tells produced water from both. Liquids are left out:
they may include the oil, and who adds up what a well produced would count that twice."""

_CATALOGUE = prodml.FluidComponentCatalog(
    stock_tank_oil=[prodml.StockTankOil(uid="oil")],
    natural_gas=[prodml.NaturalGas(uid="gas")],
    formation_water=[prodml.FormationWater(uid="water")],
)


def id_of(*key: str | int | None) -> str:
    """Give the UUID that stands for a key, the same in every export."""
    return str(uuid5(_IDS, json.dumps(key)))


def as_xml(thing: Any) -> bytes:
    """Give an object as XML in UTF-8, one element a line."""
    return _SERIALIZER.render(thing, ns_map=_NAMESPACES).encode()


_SERIALIZER = XmlSerializer(context=XmlContext(), config=SerializerConfig(indent=" "))


@dataclass(frozen=True, slots=True)
class _Entity:
    """A well or a field: its code, other identifiers and name, and when the store took it first and changed it last."""

    kind: prodml.ReportingEntityKind
    source: str
    names: dict[str, str]
    created_at: datetime
    updated_at: datetime

    @property
    def title(self) -> str:
        """The last of the names that it has."""
        return list(self.names.values())[-1]


class ProdmlObjects:
    """Makes the objects of one export, month by month, and remembers which wells and fields they refer to.

    Memory is taken by the month at hand and by the names of the wells.
    """

    def __init__(self, selection: Selection) -> None:
        self._title = selection.name or ", ".join((*selection.fields, *selection.wells)) or "All wells"
        self._description = selection.description
        self._asked = json.dumps([sorted(map(str.casefold, asked)) for asked in (selection.fields, selection.wells)])
        self._entities: dict[str, _Entity] = {}
        self._wells_of: dict[str, dict[str, None]] = {}
        self._replaced: set[str] = set()
        self._shortened: set[str] = set()
        self._liquids = 0

    def volumes(self, month: date, records: Iterable[dict[str, Any]]) -> prodml.AssetProductionVolumes:
        """Give the volumes of one month: the calendar-day rate times the days of the month.

        A phase that was not reported has no quantity, a well without any phase no production, and days that were not
        reported are no duration. The name and the code of the field, and the code of the well, go with the reference
        to the well, since it may change its field.

        Raises
        ------
        ExportError
            A volume or a duration is no finite number.
        """
        held = list(records)
        sources = sorted({record["data_source"] for record in held})
        after = (month.year, month.month + 1) if month.month < 12 else (month.year + 1, 1)
        return prodml.AssetProductionVolumes(
            uuid=id_of("volumes", self._asked, month.isoformat()),
            schema_version=SCHEMA_VERSION,
            citation=self._citation(
                f"{self._title}, {month.isoformat()[:7]}",
                min(record["created_at"] for record in held),
                max(record["updated_at"] for record in held),
                "\n".join(text for text in (self._description, f"Sources: {', '.join(sources)}") if text),
            ),
            fluid_component_catalog=_CATALOGUE,
            standard_conditions=eml.ReferenceTemperaturePressure(reference_temp_pres=STANDARD_CONDITIONS),
            end_date=_first_moment(*after),
            nominal_period=prodml.ReportingDurationKind.MONTH,
            start_date=_first_moment(month.year, month.month),
            reporting_entity_volumes=[self._of_well(record) for record in held],
        )

    def entities(self) -> Iterator[prodml.ReportingEntity]:
        """Yield the wells and fields that the volumes so far refer to."""
        for entity_id, entity in self._entities.items():
            authority = self._fitting(entity.source, _SHORT)
            yield prodml.ReportingEntity(
                uuid=entity_id,
                schema_version=SCHEMA_VERSION,
                citation=self._citation(entity.title, entity.created_at, entity.updated_at),
                aliases=[
                    eml.ObjectAlias(self._fitting(alias, _SHORT), description=name, authority=authority)
                    for name, alias in entity.names.items()
                    if alias != entity.title
                ],
                kind=entity.kind,
            )

    def hierarchy(self) -> prodml.ReportingHierarchy:
        """Give the fields with their wells; a well that changed its field stands below each."""
        entities = self._entities.values()
        return prodml.ReportingHierarchy(
            uuid=id_of("hierarchy", self._asked),
            schema_version=SCHEMA_VERSION,
            citation=self._citation(
                f"{self._title}, wells by field",
                min(entity.created_at for entity in entities),
                max(entity.updated_at for entity in entities),
            ),
            reporting_node=[self._node(field, self._wells_of[field]) for field in self._wells_of],
        )

    def tell(self, warn: Callable[[str], None]) -> None:
        """Tell what the file could not take as it is."""
        if self._liquids:
            warn(f"Liquids are left out, since they may include the oil; records with them: {number(self._liquids)}.")
        if self._replaced:
            warn(
                f"Texts with characters that XML does not allow: {number(len(self._replaced))}; \ufffd stands for each."
            )
        if self._shortened:
            warn(f"Texts longer than PRODML allows: {number(len(self._shortened))}; they are cut, and end in \u2026.")

    def _of_well(self, record: dict[str, Any]) -> prodml.ReportingEntityVolumes:
        source, field_code, well_code = record["data_source"], record["field_code"], record["well_code"]
        well, field = id_of("well", source, well_code), id_of("field", source, field_code)
        self._keep(well, prodml.ReportingEntityKind.WELL, ("well_code", "well_reference", "well_name"), record)
        self._keep(field, prodml.ReportingEntityKind.FIELD, ("field_code", "field_name"), record)
        self._wells_of.setdefault(field, {})[well] = None
        self._liquids += record["liquids_production_kbd"] is not None
        days = record["days_on_production"]
        quantities = [
            _quantity(f"{well}-{field_code}-{product.fluid}", product, record)
            for product in PRODUCTS
            if record[product.column] is not None
        ]
        identifiers = {name: record[name] for name in ("field_code", "field_name", "well_code")}
        return prodml.ReportingEntityVolumes(
            duration=[] if days is None else [eml.TimeMeasure(_finite(days, "duration", record), eml.TimeUom.D)],
            reporting_entity=self._reference(well, identifiers),
            production=[prodml.Production(quantities, quantity_method=prodml.QuantityMethod.ALLOCATED)]
            if quantities
            else [],
        )

    def _keep(
        self, entity_id: str, kind: prodml.ReportingEntityKind, columns: tuple[str, ...], record: dict[str, Any]
    ) -> None:
        """Remember a well or a field under its latest names."""
        names = {name: str(record[name]) for name in columns if record[name] not in (None, "")}
        first, last = record["created_at"], record["updated_at"]
        if known := self._entities.get(entity_id):
            latest = {**known.names, **names}
            names = {name: latest[name] for name in columns if name in latest}
            first, last = min(first, known.created_at), max(last, known.updated_at)
        self._entities[entity_id] = _Entity(kind, record["data_source"], names, first, last)

    def _reference(self, entity_id: str, identifiers: dict[str, Any] | None = None) -> eml.DataObjectReference:
        return eml.DataObjectReference(
            uuid=entity_id,
            qualified_type="prodml22.ReportingEntity",
            title=self._fitting(self._entities[entity_id].title, _LONG),
            extension_name_value=[
                eml.ExtensionNameValue(name, eml.StringMeasure(self._fitting(str(value), _LONG)))
                for name, value in (identifiers or {}).items()
                if value is not None
            ],
        )

    def _node(self, entity_id: str, children: Iterable[str] = ()) -> prodml.ReportingHierarchyNode:
        reference = self._reference(entity_id)
        return prodml.ReportingHierarchyNode(
            id=entity_id,
            name=_cut(reference.title, _SHORT),  # which has it whole
            reporting_entity=[reference],
            child_node=[self._node(child) for child in children],
        )

    def _citation(self, title: str, created_at: datetime, updated_at: datetime, text: str = "") -> eml.Citation:
        return eml.Citation(
            title=self._fitting(title, _TITLE),
            originator="wellprod",
            creation=_moment(created_at),
            format=_FORMAT,
            last_update=_moment(updated_at),
            description=self._fitting(text, _LONG) or None,
        )

    def _fitting(self, text: str, longest: int) -> str:
        """Give a text as XML and its element take it."""
        if _NO_XML.search(text):
            self._replaced.add(text)
            text = _NO_XML.sub("\ufffd", text)
        if len(text) > longest:
            self._shortened.add(text)
        return _cut(text, longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}\u2026"


def _quantity(uid: str, product: Product, record: dict[str, Any]) -> prodml.ProductFluid:
    month = record["production_period"]
    volume = record[product.column] * monthrange(month.year, month.month)[1]
    measure = eml.VolumeMeasure(_finite(volume, f"{product.fluid} volume", record), product.uom)
    return prodml.ProductFluid(
        uid=uid,
        volume=[eml.VolumeValue(measure)],
        product_fluid_kind=product.kind,
        product_fluid_reference=product.fluid,
    )


def _finite(value: float, name: str, record: dict[str, Any]) -> float:
    if not math.isfinite(value):
        raise ExportError(
            f"The {name} of well {record['well_code']} in {record['production_period']:%Y-%m} is {value}, which PRODML"
            " cannot hold.",
            next="Correct it at its source and import again, or leave the well out.",
        )
    return value


def _first_moment(year: int, month: int) -> str:
    return f"{year:04}-{month:02}-01T00:00:00Z"


def _moment(utc: datetime) -> str:
    return f"{utc.isoformat(timespec='seconds')}Z"
