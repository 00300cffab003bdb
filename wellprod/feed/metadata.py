"""The entity type that a `$metadata` document gives the records of a feed, and how one drifts from another.

Reads CSDL XML of versions 2, 3, 4.0 and 4.01, and CSDL JSON 4.01. Pure: bytes in, values out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import orjson

from wellprod.errors import FeedUnreadable

_UNTYPED = "Edm.String"  # what CSDL JSON leaves out (CSDL JSON 4.01, 7.1)


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an entity type; a type definition is given as the type beneath it."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class EntityType:
    """The shape of the records of an entity set, inherited properties first."""

    name: str
    properties: tuple[Property, ...]
    key: tuple[str, ...]

    @property
    def hash(self) -> str:
        """The same for the same names, types, nullability and key, whatever their order and the type's own name."""
        said = [sorted([p.name, p.type, p.nullable] for p in self.properties), sorted(self.key)]
        return hashlib.sha256(orjson.dumps(said)).hexdigest()

    def to_text(self) -> str:
        """Give it as JSON."""
        properties = [[p.name, p.type, p.nullable] for p in self.properties]
        return orjson.dumps({"name": self.name, "key": self.key, "properties": properties}).decode()

    @classmethod
    def from_text(cls, text: str) -> EntityType:
        """Give back what `to_text` made; raises ValueError, KeyError or TypeError for anything else."""
        said = orjson.loads(text)
        return cls(said["name"], tuple(Property(*each) for each in said["properties"]), tuple(said["key"]))


@dataclass(frozen=True, slots=True)
class Drift:
    """What differs between two entity types: names added and removed, and (name, type before, type now)."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[tuple[str, str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.retyped)


def drift(before: EntityType, now: EntityType) -> Drift:
    """Tell what came, went and changed its type.

    Nullability is no type: every column is read as one that may be null. It does change the hash.
    """
    old, new = ({p.name: p.type for p in each.properties} for each in (before, now))
    return Drift(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        retyped=tuple((name, old[name], type_) for name, type_ in new.items() if old.get(name, type_) != type_),
    )


def read_entity_type(body: bytes, entity_set: str) -> EntityType | None:
    """Give the type of an entity set, by its name in any letter case.

    Where the set is not there and the document has but one entity type, that; None where nothing can be told. What
    is unknown in the document is passed by.

    Raises
    ------
    FeedUnreadable
        The document is no whole XML or JSON, or its entities grow without measure: expat stops those itself since
        2.4.1, which every Python from 3.11 on has, and loads nothing from outside.
    """
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip()
    model = _read_json(body) if body[:1] == b"{" else _read_xml(body)
    wanted = entity_set.partition("(")[0]
    named = model.sets.get(wanted) or next((t for s, t in model.sets.items() if s.lower() == wanted.lower()), None)
    type_ = model.types.get(model.resolved(named)) if named else None
    if type_ is None and len(model.types) == 1:
        (type_,) = model.types.values()
    return model.entity_type(type_) if type_ else None


@dataclass(slots=True)
class _Type:
    name: str
    base: str | None
    properties: dict[str, Property] = field(default_factory=dict)
    key: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Model:
    """What a document says: types by qualified name, entity sets with their types as written, aliases."""

    types: dict[str, _Type] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)

    def resolved(self, name: str) -> str:
        """Give a qualified name with the namespace in place of its alias."""
        space, _, own = name.rpartition(".")
        return f"{self.aliases.get(space, space)}.{own}"

    def entity_type(self, type_: _Type) -> EntityType:
        """Put a type together with those that it inherits from."""
        line = [type_, *self._bases(type_)][::-1]
        properties = {name: given for each in line for name, given in each.properties.items()}
        return EntityType(
            type_.name,
            tuple(Property(p.name, self._beneath(p.type), p.nullable) for p in properties.values()),
            tuple(dict.fromkeys(name for each in line for name in each.key)),
        )

    def _bases(self, type_: _Type) -> Iterator[_Type]:
        seen = {type_.name}
        base = type_.base
        while base and (found := self.types.get(self.resolved(base))) and found.name not in seen:
            seen.add(found.name)
            yield found
            base = found.base

    def _beneath(self, type_: str) -> str:
        """Give the type beneath a type definition, and any other by its namespace."""
        one = type_.removeprefix("Collection(").removesuffix(")")
        name = self.resolved(one) if "." in one else one
        beneath = self.definitions.get(name, name)
        return f"Collection({beneath})" if one != type_ else beneath


class _Csdl:
    """Takes a model out of CSDL XML as it is parsed, so that a large document needs no tree in memory.

    An element counts by its local name and place if it has the XML namespace of the `Schema` around it: that
    namespace has changed with every version.
    """

    def __init__(self) -> None:
        self.model = _Model()
        self._path: list[str] = []
        self._xml_namespace = self._schema = ""
        self._type = _Type("", None)

    def start(self, tag: str, given: dict[str, str]) -> None:
        """Take in an element."""
        xml_namespace, _, element = tag.rpartition("}")
        if element == "Schema":
            self._xml_namespace, self._schema = xml_namespace, given.get("Namespace", "")
            self._path = []
            if alias := given.get("Alias"):
                self.model.aliases[alias] = self._schema
        self._path.append(element if xml_namespace == self._xml_namespace else "")
        name = given.get("Name")
        if not name:
            return
        match self._path:
            case ["Schema", "EntityType"]:
                self._type = _Type(f"{self._schema}.{name}", given.get("BaseType"))
                self.model.types[self._type.name] = self._type
            case ["Schema", "EntityType", "Property"]:
                type_ = given.get("Type", _UNTYPED)
                nullable = given.get("Nullable", "false" if type_.startswith("Collection(") else "true")
                self._type.properties[name] = Property(name, type_, nullable.lower() != "false")
            case ["Schema", "EntityType", "Key", "PropertyRef"]:
                self._type.key.append(name)
            case ["Schema", "TypeDefinition"]:
                self.model.definitions[f"{self._schema}.{name}"] = given.get("UnderlyingType", _UNTYPED)
            case ["Schema", "EntityContainer", "EntitySet"]:
                self.model.sets.setdefault(name, given.get("EntityType", ""))

    def end(self, tag: str) -> None:
        """Leave an element."""
        if self._path:
            self._path.pop()

    def close(self) -> _Model:
        """Give what was found."""
        return self.model


def _read_xml(body: bytes) -> _Model:
    target = _Csdl()
    parser = ElementTree.XMLParser(target=target)  # noqa: S314  expat guards itself, see `read_entity_type`
    try:
        parser.feed(body)
        parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FeedUnreadable(f"The $metadata document is no whole XML: {error}.") from None
    return target.model


def _read_json(body: bytes) -> _Model:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FeedUnreadable(f"The $metadata document is no whole JSON: {error}.") from None
    model = _Model()
    for namespace, schema in _members(document):
        if alias := _word(schema.get("$Alias")):
            model.aliases[alias] = namespace
        for name, element in _members(schema):
            match element.get("$Kind"):
                case "EntityType":
                    model.types[f"{namespace}.{name}"] = _json_type(f"{namespace}.{name}", element)
                case "TypeDefinition":
                    model.definitions[f"{namespace}.{name}"] = _word(element.get("$UnderlyingType")) or _UNTYPED
                case "EntityContainer":
                    for own, each in _members(element):
                        if each.get("$Collection") is True:
                            model.sets.setdefault(own, _word(each.get("$Type")) or "")
    return model


def _json_type(name: str, given: dict[str, Any]) -> _Type:
    type_ = _Type(name, _word(given.get("$BaseType")))
    for own, each in _members(given):
        if each.get("$Kind", "Property") == "Property":
            of = _word(each.get("$Type")) or _UNTYPED
            of = f"Collection({of})" if each.get("$Collection") is True else of
            type_.properties[own] = Property(own, of, each.get("$Nullable") is True)
    key = given.get("$Key")
    for part in key if isinstance(key, list) else []:  # a name, or an object of alias and path
        type_.key += [path for path in (part.values() if isinstance(part, dict) else [part]) if _word(path)]
    return type_


def _members(given: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the named members of a CSDL object that are objects; `$...` is the language's own, `@...` an annotation."""
    if isinstance(given, dict):
        yield from ((n, each) for n, each in given.items() if isinstance(each, dict) and n[:1] != "$" and "@" not in n)


def _word(given: object) -> str | None:
    return given if isinstance(given, str) and given else None
