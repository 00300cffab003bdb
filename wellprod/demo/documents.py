"""The answers of the service that hold no records: service document, metadata and errors."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from xml.sax.saxutils import quoteattr

import orjson
from starlette.responses import Response

from wellprod.demo.records import KEY

ENTITY_SET = "WellProduction"
"""The one entity set, and the last part of the feed's URL."""

_NAMESPACE, _TYPE = "wellprod.demo", "ProductionRecord"
_VERSION = {"OData-Version": "4.0"}
_JSON = "application/json;odata.metadata=minimal"


def json_reply(body: bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """Give `body`, which is JSON, as an OData answer."""
    return Response(body, status, {**_VERSION, **(headers or {})}, _JSON)


def error_reply(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Give an OData error object; its code is the name of the HTTP status, or Error for a good status."""
    code = HTTPStatus(status).phrase.replace(" ", "") if status >= 400 else "Error"
    return json_reply(orjson.dumps({"error": {"code": code, "message": message}}), headers, status)


def service_document(context_url: str) -> Response:
    """Give the list of entity sets."""
    entity_set = {"name": ENTITY_SET, "kind": "EntitySet", "url": ENTITY_SET}
    return json_reply(orjson.dumps({"@odata.context": context_url, "value": [entity_set]}))


def metadata_document(properties: Mapping[str, str]) -> Response:
    """Give the CSDL 4.0 XML of records with `properties`, OData types by name."""
    key = "".join(f"<PropertyRef Name={quoteattr(name)}/>" for name in KEY if name in properties)
    described = "".join(
        f'<Property Name={quoteattr(name)} Type="{edm_type}" Nullable="{str(name not in KEY).lower()}"/>'
        for name, edm_type in properties.items()
    )
    xml = (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        f'<Schema Namespace="{_NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
        f'<EntityType Name="{_TYPE}">{f"<Key>{key}</Key>" if key else ""}{described}</EntityType>'
        f'<EntityContainer Name="Feed"><EntitySet Name="{ENTITY_SET}" EntityType="{_NAMESPACE}.{_TYPE}"/>'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )
    return Response(xml, headers=_VERSION, media_type="application/xml")
