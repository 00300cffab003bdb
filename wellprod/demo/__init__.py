"""The demo feed: a real OData v4 service over generated wells or a JSON file, with faults on request."""

from wellprod.demo.faults import KINDS as FAULT_KINDS
from wellprod.demo.faults import Fault
from wellprod.demo.filters import QueryError
from wellprod.demo.records import PROPERTIES, read_records
from wellprod.demo.server import running, serve
from wellprod.demo.service import create_app
from wellprod.demo.wells import DATA_SOURCE, generate_wells

__all__ = [
    "DATA_SOURCE",
    "FAULT_KINDS",
    "PROPERTIES",
    "Fault",
    "QueryError",
    "create_app",
    "generate_wells",
    "read_records",
    "running",
    "serve",
]
