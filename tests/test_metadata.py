"""The entity type out of `$metadata` documents of every version, whole, odd and hostile; and its drift."""

from __future__ import annotations

import dataclasses
import re
import tracemalloc

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from wellprod.demo.documents import metadata_document
from wellprod.demo.records import edm_types
from wellprod.errors import FeedUnreadable
from wellprod.feed.metadata import Drift, EntityType, Property, drift, read_entity_type

from .scripted import record

V2 = """<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"
    xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns:sap="http://www.sap.com/Protocols/SAPData">
 <edmx:DataServices m:DataServiceVersion="2.0">
  <Schema Namespace="PROD" xmlns="http://schemas.microsoft.com/ado/2008/09/edm" sap:schema-version="1">
   <EntityType Name="Month" sap:content-version="1">
    <Key><PropertyRef Name="well"/><PropertyRef Name="month"/></Key>
    <Property Name="well" Type="Edm.Int32" Nullable="false" sap:label="Well"/>
    <Property Name="month" Type="Edm.DateTime" Nullable="false" Precision="7"/>
    <Property Name="oil" Type="Edm.Decimal" Precision="18" Scale="3"/>
    <NavigationProperty Name="Field" Relationship="PROD.r" FromRole="a" ToRole="b"/>
   </EntityType>
   <EntityType Name="Field"><Key><PropertyRef Name="id"/></Key><Property Name="id" Type="Edm.String"/></EntityType>
  </Schema>
  <Schema Namespace="Container" xmlns="http://schemas.microsoft.com/ado/2006/04/edm">
   <EntityContainer Name="C" m:IsDefaultEntityContainer="true">
    <EntitySet Name="Months" EntityType="PROD.Month"/><EntitySet Name="Fields" EntityType="PROD.Field"/>
   </EntityContainer>
  </Schema>
 </edmx:DataServices>
</edmx:Edmx>"""

V4 = """<edmx:Edmx Version="4.01" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
 <edmx:Reference Uri="x.xml"><edmx:Include Namespace="Org.OData.Core.V1" Alias="Core"/></edmx:Reference>
 <edmx:DataServices>
  <Schema Namespace="oil.v1" Alias="Self" xmlns="http://docs.oasis-open.org/odata/ns/edm">
   <TypeDefinition Name="Kbd" UnderlyingType="Edm.Decimal"/>
   <EntityType Name="Base" Abstract="true">
    <Key><PropertyRef Name="id"/></Key>
    <Property Name="id" Type="Edm.Int64" Nullable="false"><Annotation Term="Core.Computed"/></Property>
   </EntityType>
   <EntityType Name="Month" BaseType="Self.Base" OpenType="true" Unheard="of">
    <Property Name="oil" Type="Self.Kbd"/>
    <Property Name="tags" Type="Collection(Self.Kbd)" Nullable="false"/>
    <Annotation Term="Core.Description"><Record><PropertyValue Property="oil" String="x"/></Record></Annotation>
    <o:Property xmlns:o="urn:other" Name="foreign" Type="Edm.String"/>
   </EntityType>
   <ComplexType Name="Place"><Property Name="lat" Type="Edm.Double"/></ComplexType>
   <EntityContainer Name="C"><EntitySet Name="Months" EntityType="Self.Month"/><Singleton Name="Me" Type="Self.Base"/>
   </EntityContainer>
   <Annotations Target="Self.C"><Annotation Term="Core.ODataVersions" String="4.01"/></Annotations>
  </Schema>
 </edmx:DataServices>
</edmx:Edmx>"""

JSON = {
    "$Version": "4.01",
    "$EntityContainer": "oil.v1.C",
    "oil.v1": {
        "$Alias": "Self",
        "@Core.Description": "any",
        "Kbd": {"$Kind": "TypeDefinition", "$UnderlyingType": "Edm.Decimal"},
        "Base": {"$Kind": "EntityType", "$Abstract": True, "$Key": ["id"], "id": {"$Type": "Edm.Int64"}},
        "Month": {
            "$Kind": "EntityType",
            "$BaseType": "Self.Base",
            "oil": {"$Type": "Self.Kbd", "$Nullable": True, "@Core.Computed": True},
            "tags": {"$Type": "Self.Kbd", "$Collection": True},
            "field": {"$Kind": "NavigationProperty", "$Type": "Self.Base"},
            "oil@Core.Description": {"any": 1},
        },
        "C": {"$Kind": "EntityContainer", "Months": {"$Collection": True, "$Type": "Self.Month"}},
    },
}

MONTH_V4 = EntityType(
    "oil.v1.Month",
    (
        Property("id", "Edm.Int64", False),
        Property("oil", "Edm.Decimal", True),
        Property("tags", "Collection(Edm.Decimal)", False),
    ),
    ("id",),
)


def test_version_2_is_read() -> None:
    """Namespaces of its own, one Schema for types and one for sets, attributes of other vocabularies."""
    assert read_entity_type(V2.encode(), "Months") == EntityType(
        "PROD.Month",
        (
            Property("well", "Edm.Int32", False),
            Property("month", "Edm.DateTime", False),
            Property("oil", "Edm.Decimal", True),
        ),
        ("well", "month"),
    )


@pytest.mark.parametrize(
    "body",
    [V4.encode(), V4.replace("4.01", "4.0").encode("utf-8-sig"), orjson.dumps(JSON), b"\r\n" + V4.encode()],
    ids=["4.01", "4.0-with-byte-order-mark", "json", "blank-lines-first"],
)
def test_version_4_is_read(body: bytes) -> None:
    """Inherited properties and key, aliases, type definitions, foreign elements, annotations; XML and JSON alike."""
    assert read_entity_type(body, "Months") == MONTH_V4


def test_version_3_and_utf16_are_read() -> None:
    """The namespace of version 3, and the other encoding that XML knows by itself."""
    text = V4.replace("http://docs.oasis-open.org/odata/ns/edm", "http://schemas.microsoft.com/ado/2009/11/edm")
    assert read_entity_type(text.encode("utf-16"), "Months") == MONTH_V4


def test_our_own_service_is_read() -> None:
    """The demo feed's document says what its records are."""
    frame = pl.DataFrame([record(1)])
    found = read_entity_type(bytes(metadata_document(edm_types(frame)).body), "WellProduction")
    assert found is not None
    assert [p.name for p in found.properties] == frame.columns
    assert found.key == ("field_code", "well_code", "production_period")


@pytest.mark.parametrize("name", ["months", "MONTHS", "Months()"])
def test_a_set_is_found_in_any_letter_case(name: str) -> None:
    """An address need not be written as the document writes it."""
    found = read_entity_type(V2.encode(), name)
    assert found is not None and found.name == "PROD.Month"


def test_a_set_that_is_not_there_has_the_only_type_or_none() -> None:
    """With one entity type there is no doubt; with two nothing can be told."""
    only = '<Schema Namespace="n"><EntityType Name="T"><Property Name="a" Type="Edm.String"/></EntityType></Schema>'
    assert read_entity_type(only.encode(), "Any") == EntityType("n.T", (Property("a", "Edm.String", True),), ())
    assert read_entity_type(V2.encode(), "Any") is None


@pytest.mark.parametrize(
    "body",
    [
        "<x/>",
        "<html><body>Please sign in</body></html>",
        "<Schema/>",
        "<Schema><EntityType/><EntityContainer><EntitySet/></EntityContainer></Schema>",
        '<Schema><EntityContainer><EntitySet Name="Months"/></EntityContainer></Schema>',
        '<Schema><EntityContainer><EntitySet Name="Months" EntityType="not.there"/></EntityContainer></Schema>',
        "{}",
        '{"$Version": 4, "n": 1, "m": {"A": [], "C": {"$Kind": "EntityContainer", "Months": {"$Collection": true}}}}',
    ],
)
def test_where_nothing_can_be_told_there_is_none(body: str) -> None:
    """A document without types, or with names that lead nowhere, is no error."""
    assert read_entity_type(body.encode(), "Months") is None


def test_types_that_inherit_in_a_circle_end() -> None:
    """Each is looked at once."""
    body = (
        '<Schema Namespace="n"><EntityType Name="A" BaseType="n.B"><Property Name="a" Type="Edm.String"/></EntityType>'
        '<EntityType Name="B" BaseType="n.A"><Property Name="b"/></EntityType>'
        '<EntityContainer><EntitySet Name="As" EntityType="n.A"/></EntityContainer></Schema>'
    )
    found = read_entity_type(body.encode(), "As")
    assert found is not None
    assert [p.name for p in found.properties] == ["b", "a"]


@pytest.mark.parametrize(
    "body",
    [b"", b"  ", b"<a>", b"<a></b>", b"not xml", b'{"a": ', b"<a/>\x00", b"\xff\xfe<", V4.encode()[:-20]],
    ids=repr,
)
def test_a_broken_document_is_unreadable(body: bytes) -> None:
    """What is no whole XML or JSON is told as such."""
    with pytest.raises(FeedUnreadable, match=r"\$metadata document is no whole"):
        read_entity_type(body, "Months")


@pytest.mark.parametrize("encoding", ["klingon", "utf-7", "utf-32"])
def test_an_unknown_encoding_is_unreadable(encoding: str) -> None:
    """One that expat does not know is no crash."""
    with pytest.raises(FeedUnreadable):
        read_entity_type(f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode(), "Months")


@given(st.data())
@example_settings(max_examples=150, deadline=None)
def test_no_document_is_too_odd(data: st.DataObject) -> None:
    """Whatever is cut out of a document, doubled or put in its place, it is read or told as unreadable."""
    body = data.draw(st.sampled_from([V2.encode(), V4.encode(), orjson.dumps(JSON)]))
    parts = data.draw(st.lists(st.sampled_from(re.findall(rb"[\w$.]+|[^\w$.]", body)), max_size=6))
    for part in parts:
        body = body.replace(part, data.draw(st.sampled_from([b"", part * 2, b"null", b"[]", b"Months", b"Name"])), 1)
    try:
        found = read_entity_type(body, "Months")
    except FeedUnreadable:
        return
    assert found is None or EntityType.from_text(found.to_text()) == found


def test_an_entity_bomb_is_unreadable_and_small() -> None:
    """A billion laughs, and a long entity told often, are stopped by the parser before they take memory."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bombs = [
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><x>&l9;</x>',
        f'<!DOCTYPE x [<!ENTITY l "{"l" * 100_000}">]><x>{"&l;" * 5_000}</x>',
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><x a="&l9;"/>',
    ]
    tracemalloc.start()
    for bomb in bombs:
        with pytest.raises(FeedUnreadable):
            read_entity_type(bomb.encode(), "Months")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_nothing_is_loaded_from_outside() -> None:
    """An entity that names a file is not opened."""
    body = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x>&e;</x>'
    with pytest.raises(FeedUnreadable, match="undefined entity"):
        read_entity_type(body, "Months")


def test_a_type_is_the_same_after_text() -> None:
    """What is kept of an import gives the type back."""
    assert EntityType.from_text(MONTH_V4.to_text()) == MONTH_V4


def test_the_hash_knows_names_types_nullability_and_key() -> None:
    """It does not know the order, nor the name of the type, which a service may version."""
    id_, oil, tags = MONTH_V4.properties
    turned = dataclasses.replace(MONTH_V4, name="oil.v2.Month", properties=(tags, id_, oil))
    assert turned.hash == MONTH_V4.hash
    for other in (Property("oil", "Edm.Double", True), Property("oil", "Edm.Decimal", False)):
        assert dataclasses.replace(MONTH_V4, properties=(id_, other, tags)).hash != MONTH_V4.hash
    assert dataclasses.replace(MONTH_V4, key=("id", "oil")).hash != MONTH_V4.hash


def test_drift_tells_what_came_went_and_changed() -> None:
    """Names that came and went, and a type before and now; nullability is none of it."""
    id_, oil, _ = MONTH_V4.properties
    now = (
        Property("id", "Edm.Int64", True),
        Property("oil", "Edm.Double", True),
        Property("water", "Edm.Double", True),
    )
    found = drift(MONTH_V4, dataclasses.replace(MONTH_V4, properties=now))
    assert found == Drift(("water",), ("tags",), (("oil", "Edm.Decimal", "Edm.Double"),))
    assert found and not drift(MONTH_V4, dataclasses.replace(MONTH_V4, properties=(id_, oil, MONTH_V4.properties[2])))
