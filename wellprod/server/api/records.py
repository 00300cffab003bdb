"""Records, wells and fields out of the store."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wellprod.analysis.overview import overview
from wellprod.server.api.desk import AtDesk, known_parameters
from wellprod.server.api.envelope import Answer, answered
from wellprod.server.api.models import Stats
from wellprod.text import number

routes = APIRouter(prefix="/api/v1/wells", tags=["records"], dependencies=[Depends(known_parameters)])


@routes.get("/stats", summary="What is in the store", response_model=Answer[Stats])
async def stats(request: Request, desk: AtDesk) -> Response:
    """Count records, fields, wells and months, restated versions and rejected rows."""
    found = (await desk.read(overview)).as_dict()
    path = desk.settings.store_path
    data = {**found, "size_bytes": path.stat().st_size if path.exists() else 0}
    return answered(request, data, f"{number(found['records'])} records of {number(found['wells'])} wells.")
