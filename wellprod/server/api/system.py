"""What the API is, and whether the workbench behind it is well."""

from __future__ import annotations

from importlib.metadata import version

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from wellprod.health import check_health
from wellprod.metrics import CONTENT_TYPE
from wellprod.server.api.desk import AtDesk, known_parameters
from wellprod.server.api.envelope import BUSY_SECONDS, INVALID, Answer, Refusal, Refused, Responses, answered, link_to
from wellprod.server.api.examples import METRICS
from wellprod.server.api.models import Alive, Health, Index
from wellprod.store import SCHEMA_VERSION

routes = APIRouter(tags=["system"], dependencies=[Depends(known_parameters)])
open_routes = APIRouter(tags=["system"], dependencies=[Depends(known_parameters)])

VERSION = version("wellprod")

_NOT_WELL: Responses = {503: {"model": Refusal, "description": "Something is not well; `error.details` says what"}}


@routes.get("/", operation_id="get_index", summary="Name, version and routes", response_model=Answer[Index])
async def index(request: Request) -> Response:
    """Say what answers here."""
    described = request.app.openapi()["paths"].items()
    listed = [f"{method.upper()} {path}" for path, methods in described for method in methods]
    data = {
        "name": "wellprod",
        "version": VERSION,
        "docs": link_to(request, "/docs"),
        "openapi": link_to(request, "/openapi.json"),
        "routes": listed,
    }
    return answered(request, data, f"wellprod {VERSION}, {len(listed)} routes.")


@routes.get(
    "/health",
    operation_id="get_health",
    summary="Whether all is well",
    response_model=Answer[Health],
    responses=_NOT_WELL,
)
async def health(request: Request, desk: AtDesk) -> Response:
    """Look at the store, the jobs and the disk."""
    patience = desk.settings.model_copy(update={"store_wait_seconds": desk.settings.api_wait_seconds})
    checks = await desk.at_store(lambda: check_health(patience))
    found = {check.name: {"is_well": check.is_well, "finding": check.finding} for check in checks}
    data = {"version": VERSION, "schema_version": SCHEMA_VERSION, **found}
    if failed := [check for check in checks if not check.is_well]:
        raise Refused(
            503,
            "NOT_HEALTHY",
            f"The workbench is not well: {'; '.join(check.finding for check in failed)}",
            "See to it, then ask again.",
            headers={"Retry-After": str(BUSY_SECONDS)},
            details={"healthy": False, **data},
        )
    return answered(request, {"healthy": True, **data}, "All is well.")


@routes.get(
    "/health/ready",
    operation_id="get_readiness",
    summary="Whether requests can be served",
    response_model=Answer[Health],
    responses=_NOT_WELL,
)
async def ready(request: Request, desk: AtDesk) -> Response:
    """Look at the same things as /health, for an orchestrator."""
    return await health(request, desk)


@open_routes.get(
    "/health/live",
    operation_id="get_liveness",
    summary="Whether the server answers",
    response_model=Answer[Alive],
    responses=INVALID,
)
async def live(request: Request) -> Response:
    """Answer, also to those who are not signed in."""
    return answered(request, {"alive": True}, "The server answers.")


@routes.get(
    "/metrics",
    operation_id="get_metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Jobs, records, pages, durations, sizes and requests, as Prometheus text",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": METRICS}},
        }
    },
)
async def metrics(desk: AtDesk) -> Response:
    """Give what imports and exports did so far, and the requests of this server."""
    return Response(await to_thread.run_sync(desk.metrics.render), headers={"Content-Type": CONTENT_TYPE})
