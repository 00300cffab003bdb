"""The app: its routes, what they share, and its documentation."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from wellprod.metrics import Metrics
from wellprod.server.api import exports, imports, records, system
from wellprod.server.api.describe import openapi_of
from wellprod.server.api.desk import Desk
from wellprod.server.api.envelope import INVALID, Refusal, Responses, answer_errors
from wellprod.server.api.gate import Gate, SignIn
from wellprod.settings import Settings

# told here, held by the gate
_BEARER = HTTPBearer(scheme_name="Token", auto_error=False, description="The token that the server was started with")
_ALWAYS: Responses = {
    401: {"model": Refusal, "description": "Not signed in"},
    **INVALID,
    503: {"model": Refusal, "description": "The store is held by others, or the server cannot do it now; Retry-After"},
}


def create_api(settings: Settings, sign_in: SignIn, metrics: Metrics | None = None) -> FastAPI:
    """Make the REST API of a workbench, an ASGI app.

    Parameters
    ----------
    settings
        Of the workbench.
    sign_in
        Tells of a request whether it comes from somebody who may ask; see `Gate`.
    metrics
        Told of each request, where the server gives them to Prometheus by itself.
    """
    app = FastAPIOffline(
        title="wellprod",
        version=system.VERSION,
        summary="The REST API of a workbench for well production",
        redoc_url=None,
        redirect_slashes=False,
        root_path_in_servers=False,
        static_url="/docs/assets",
        swagger_ui_parameters={
            "displayRequestDuration": True,
            "persistAuthorization": False,
            "defaultModelsExpandDepth": 0,
        },
    )
    app.state.desk = desk = Desk(settings, metrics or Metrics(settings))
    app.include_router(system.open_routes)
    for part in (system, imports, records, exports):
        app.include_router(part.routes, dependencies=[Security(_BEARER)], responses=_ALWAYS)
    app.openapi = partial(openapi_of, app, settings)  # type: ignore[method-assign]
    answer_errors(app)
    app.add_middleware(Gate, sign_in=sign_in, metrics=desk.metrics.http)
    if settings.api_allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.api_allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After", "ETag", "Content-Disposition", "Location"],
        )
    return app
