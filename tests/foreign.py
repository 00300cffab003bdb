"""OData services by others, installed from the package registry and started in this process over real HTTP.

`odatapy` (Apache-2.0) is an OData 4.0 and 4.01 framework after Apache Olingo: server-driven paging with `$skiptoken`,
`Preference-Applied`, `$metadata` in XML and JSON, and strict about options. It leaves sign-in to what it is mounted in;
here that is Starlette's own middleware. `mock-sap` (MIT) speaks OData 2.0 and 4.0 as SAP does, over SQLite, with
`$skip` and `$top` but no next links, and has sign-in of its own.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, cast

from mocksap.server import Config, make_server
from odatapy.data import Entity, Property, ValueType
from odatapy.edm.csdl import (
    CsdlAbstractEdmProvider,
    CsdlEntityContainer,
    CsdlEntitySet,
    CsdlEntityType,
    CsdlProperty,
    CsdlPropertyRef,
    CsdlSchema,
)
from odatapy.server import OData
from odatapy.server.adapters import ODataASGIApp
from odatapy.server.inmemory import InMemoryDataStore, InMemoryProcessor
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp

from wellprod.demo import running

USER, PASSWORD = "ann", "pä:ss"

TYPES = {
    "field_code": "Edm.Int32",
    "well_code": "Edm.Int32",
    "production_period": "Edm.DateTimeOffset",
    "oil_production_kbd": "Edm.Double",
}
KEY = ("field_code", "well_code", "production_period")

Record = tuple[int, int, date, float]
"""Field, well, month and oil rate."""


def invented(count: int) -> list[Record]:
    """Give `count` records of 100 months a well, ten wells a field."""
    months = [date(2000 + n // 12, n % 12 + 1, 1) for n in range(100)]
    return [(n // 1000, n // 100, months[n % 100], (n + 1) / 7) for n in range(count)]


class _Model(CsdlAbstractEdmProvider):
    def get_schemas(self) -> list[CsdlSchema]:
        record = CsdlEntityType(
            name="Record",
            key=[CsdlPropertyRef(name=name) for name in KEY],
            properties=[CsdlProperty(name=name, type=type_, nullable=name not in KEY) for name, type_ in TYPES.items()],
        )
        production = CsdlEntitySet(name="WellProduction", type="Prod.Record")
        container = CsdlEntityContainer(name="Container", entity_sets=[production])
        return [CsdlSchema(namespace="Prod", entity_types=[record], entity_container=container)]


class _OneUser(AuthenticationBackend):
    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if conn.headers.get("authorization") != f"Basic {expected}":
            raise AuthenticationError("Who are you?")
        return AuthCredentials(["reader"]), SimpleUser(USER)


@contextmanager
def odatapy_service(records: Sequence[Record], page_size: int) -> Iterator[str]:
    """Serve records in pages of at most `page_size`, to those who sign in, and give the address of the service root."""
    store = InMemoryDataStore()
    store.set_entities("WellProduction", [_entity(record) for record in records])
    odata = OData.new_instance()
    handler = odata.create_handler(odata.create_service_metadata(_Model()))
    handler.register(InMemoryProcessor(store, page_size=page_size))
    sign_in = Middleware(
        AuthenticationMiddleware,
        backend=_OneUser(),
        on_error=lambda _, error: PlainTextResponse(str(error), 401, {"WWW-Authenticate": "Basic"}),
    )
    app = Starlette(routes=[Mount("/svc", cast(ASGIApp, ODataASGIApp(handler)))], middleware=[sign_in])
    with running(app) as url:
        yield f"{url.partition('/odata')[0]}/svc"


def _entity(record: Record) -> Entity:
    field, well, month, oil = record
    values = (field, well, datetime(month.year, month.month, month.day, tzinfo=UTC), oil)
    return Entity(
        properties=[
            Property(name=name, value=value, value_type=ValueType.PRIMITIVE, type=type_)
            for (name, type_), value in zip(TYPES.items(), values, strict=True)
        ]
    )


SAP_V2 = "sap/opu/odata/sap/API_PRODUCT_SRV/A_Product"
SAP_V4 = "sap/opu/odata4/sap/api_product/srvd_a2x/sap/api_product/0001/Product"

SAP_PROFILE = """
title = "A product list read as production: code, date and one decimal"
entity_set = "A_Product"
figures = "calendar-day rate"
codes = "text"
filter_dates = "{filter_dates}"

[columns]
field_code = {{ constant = 1 }}
well_code = "Product"
production_period = "CreationDate"
oil_production_kbd = {{ property = "GrossWeight", unit = "kbd" }}
"""


@contextmanager
def sap_service(records: Sequence[Record]) -> Iterator[str]:
    """Serve records as products made in a month, to those who sign in, and give the address of the host."""
    server = make_server(
        Config(host="127.0.0.1", port=0, basic_auth=f"{USER}:{PASSWORD}", quiet=True, log_requests=False)
    )
    rows: list[Any] = [(f"W{n:07}", f"{oil:.3f}", f"{month}T00:00:00") for n, (_, _, month, oil) in enumerate(records)]
    server.mock.conn.execute("DELETE FROM A_Product")
    server.mock.conn.executemany("INSERT INTO A_Product (Product, GrossWeight, CreationDate) VALUES (?, ?, ?)", rows)
    server.mock.conn.commit()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        server.mock.close()
        thread.join()
