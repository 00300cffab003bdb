"""The Jupyter server extension: the dashboards, their files and their kernels behind Jupyter's own login."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from wellprod.server.jupyter import WellprodApp

    return [{"module": "wellprod.server", "app": WellprodApp}]
