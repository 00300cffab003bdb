"""wellprod: oil and gas well production, from a feed into DuckDB, and out as files.

>>> import wellprod
>>> bench = wellprod.Workbench()
>>> bench.start_import("https://host/odata/WellProduction")  # doctest: +SKIP
>>> bench.wells().head(10)  # doctest: +SKIP
>>> bench.export("tupi.csv", fields="Tupi")  # doctest: +SKIP

A program that runs unattended takes the parts one by one: `load_settings`, an `ImportRequest`, `start_import`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellprod.analysis.selection import Selection
    from wellprod.errors import WellprodError
    from wellprod.export import ExportRequest, export_records
    from wellprod.ingest import ImportRequest, resume_import, start_import, trigger_import
    from wellprod.settings import Settings, load_settings
    from wellprod.store import Store
    from wellprod.workbench import Workbench

_HOMES = {
    "ExportRequest": "wellprod.export",
    "ImportRequest": "wellprod.ingest",
    "Selection": "wellprod.analysis.selection",
    "Settings": "wellprod.settings",
    "Store": "wellprod.store",
    "WellprodError": "wellprod.errors",
    "Workbench": "wellprod.workbench",
    "export_records": "wellprod.export",
    "load_settings": "wellprod.settings",
    "resume_import": "wellprod.ingest",
    "start_import": "wellprod.ingest",
    "trigger_import": "wellprod.ingest",
}

__all__ = [
    "ExportRequest",
    "ImportRequest",
    "Selection",
    "Settings",
    "Store",
    "WellprodError",
    "Workbench",
    "export_records",
    "load_settings",
    "resume_import",
    "start_import",
    "trigger_import",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import wellprod` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'wellprod' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
