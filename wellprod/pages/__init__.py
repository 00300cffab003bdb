"""The pages that Voila publishes: they start jobs, show how things are and what is stored, and compute nothing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from wellprod.pages.parts import open_page

_HOMES = {"DownloadPage": "download", "ExplorePage": "explore", "ImportPage": "importing", "StatusPage": "status"}

__all__ = ["DownloadPage", "ExplorePage", "ImportPage", "StatusPage", "open_page"]


def __getattr__(name: str) -> Any:
    """Load a page when it is first asked for: charts take as long to load as all the rest."""
    if name not in _HOMES:
        raise AttributeError(f"module 'wellprod.pages' has no attribute {name!r}")
    return getattr(import_module(f"wellprod.pages.{_HOMES[name]}"), name)
