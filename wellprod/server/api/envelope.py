"""The form of every answer: what was asked for, or what went wrong and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path
from starlette.types import Scope

from wellprod.errors import WellprodError
from wellprod.server.api.models import MONTH

Data = TypeVar("Data")
Responses = dict[int | str, dict[str, Any]]
"""Further answers of a route, by their status, for the schema."""

REQUEST_ID = "0b9f1a52c2a14d0f9d6a8a1c5d2f7e90"
ANSWERED_AT = "2026-11-21T09:30:01.402000+00:00"
"""What the examples of answers have."""

BUSY_SECONDS = 5
"""What a caller is told to wait before it asks again, where nothing better is known."""

_REFUSALS: dict[str, tuple[int, str]] = {
    "VALIDATION_ERROR": (422, "VALIDATION_ERROR"),
    "TOO_LARGE": (413, "TOO_LARGE"),
    "NOT_FOUND": (404, "NOT_FOUND"),
    "STORE_MISSING": (404, "NOT_FOUND"),
    "BUSINESS_RULE_VIOLATION": (409, "BUSINESS_RULE_VIOLATION"),
    "CANCELLED": (409, "CANCELLED"),
    "EXPORT_ERROR": (409, "EXPORT_ERROR"),
    "STORE_BUSY": (503, "STORE_BUSY"),
    "STORE_FULL": (507, "STORE_FULL"),
    "INTERNAL_ERROR": (500, "INTERNAL_ERROR"),
}
_PHRASES = {
    401: ("UNAUTHORIZED", "Sign in first."),
    404: ("NOT_FOUND", "There is nothing at this address."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take this method."),
}


class Failure(BaseModel):
    """What went wrong."""

    code: str = Field(description="For programs, such as `VALIDATION_ERROR`; it does not change with the words")
    message: str = Field(description="What happened, with which value, and what is allowed")
    next: str = Field(description="What to do next")
    rule: str | None = Field(description="The rule that forbids it now, such as `SINGLE_IMPORT_RULE`")
    details: dict[str, Any] = Field(
        description="What is known besides: `job_id`, `failed_page`, `total_pages`, `records_processed`,"
        " `retry_after_seconds`, `status` of the feed",
    )


class Answer(BaseModel, Generic[Data]):
    """A request that was answered."""

    success: Literal[True]
    data: Data
    message: str = Field(description="The answer in a sentence")
    request_id: str = Field(description="As in the header X-Request-ID, and in each log line", examples=[REQUEST_ID])
    timestamp: datetime = Field(description="When it was answered, UTC", examples=[ANSWERED_AT])


class Refusal(BaseModel):
    """A request that was refused, or that failed."""

    success: Literal[False]
    error: Failure
    message: str = Field(description="That of the error")
    request_id: str = Field(description="As in the header X-Request-ID, and in each log line")
    timestamp: datetime = Field(description="When it was answered, UTC")


_ROUTES = [
    (re.compile(pattern), route)
    for pattern, route in (
        (r"wellprod jobs show ([\w-]+)", r"GET /api/v1/tasks/\1"),
        (
            r"wellprod jobs resume ([\w-]+) --accept-(restatements|drift)",
            r"POST /api/v1/wells/import/\1/resume?accept_\2=true",
        ),
        (r"wellprod jobs (cancel|resume) ([\w-]+)", r"POST /api/v1/wells/import/\2/\1"),
        (r"wellprod jobs list", "GET /api/v1/wells/import/jobs"),
        (r"wellprod jobs link ([\w-]+)", r"GET /api/v1/exports/\1"),
        (r"wellprod import URL, or wellprod demo", "POST /api/v1/wells/import"),
        (r"; or give the path of a \.toml file", ""),
        (r"Choose one with --profile", "Set WELLPROD_FEED_PROFILE where the server starts"),
        (r"--page-size", "page_size"),
    )
]


def by_rest(advice: object, *, kind: str = "import") -> str:
    """Give a next step as a caller can take it: the route in place of the command, where there is one."""
    advice = str(advice or "")
    if kind == "export" and "wellprod jobs resume" in advice:
        return "Ask for it again."
    for command, route in _ROUTES:
        advice = command.sub(route, advice)
    return advice


class Refused(Exception):
    """A request that HTTP itself refuses: its status, a code for programs, and words for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        next: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        rule: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        advice = by_rest(next)
        self.failure = Failure(code=code, message=message, next=advice, rule=rule, details=dict(details or {}))
        self.headers = dict(headers or {})


INVALID: Responses = {
    422: {"model": Refusal, "description": "A value is not allowed; `error.message` says which, and what is"},
}


def route_path(scope: Scope) -> str:
    """Give the path of a request below the place where the API is hung up."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def link_to(request: Request, path: str) -> str:
    """Give the path of a route as the caller asks for it, whatever the API is hung up below."""
    return f"{request.scope.get('root_path', '')}{path}"


def answered(
    request: Request,
    data: Any,
    message: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    is_of_store: bool = False,
) -> Response:
    """Give an answer in its envelope; `data` holds plain values, dates and times.

    What is of the store is given as it is; elsewhere files of the server are told by their place in the home.
    """
    envelope = {"success": True, "data": data, "message": message}
    return _response(request.scope, envelope, status, headers, is_of_store=is_of_store)


def refused(scope: Scope, refusal: Refused) -> Response:
    """Give a refusal in its envelope."""
    failure = refusal.failure.model_dump()
    envelope = {"success": False, "error": failure, "message": failure["message"]}
    return _response(scope, envelope, refusal.status, refusal.headers)


def refusal_of(error: WellprodError) -> Refused:
    """Give what a failure of the workbench is answered with."""
    return refusal_from(error.as_dict())


def refusal_from(error: Mapping[str, Any]) -> Refused:
    """Give what a failure is answered with that is kept as plain values, as in the row of a job."""
    told = dict(error)
    reason = str(told.pop("code", "INTERNAL_ERROR"))
    status, code = _REFUSALS.get(reason, (502, "EXTERNAL_API_ERROR") if reason.startswith("FEED") else (503, reason))
    message, advice, rule = str(told.pop("message", "")), str(told.pop("next", "")), told.pop("rule", None)
    if code != reason:
        told["reason"] = reason
    headers = {}
    if status in (409, 503) and code != "EXPORT_ERROR":
        told.setdefault("retry_after_seconds", BUSY_SECONDS)
        headers["Retry-After"] = str(told["retry_after_seconds"])
    return Refused(status, code, message, advice, headers=headers, rule=rule, details=told)


def answer_errors(app: FastAPI) -> None:
    """Have every failure that is foreseen answered in the envelope; what is not is for the gate."""

    @app.exception_handler(WellprodError)
    async def foreseen(request: Request, error: WellprodError) -> Response:
        return refused(request.scope, refusal_of(error))

    @app.exception_handler(Refused)
    async def refusal(request: Request, error: Refused) -> Response:
        return refused(request.scope, error)

    @app.exception_handler(RequestValidationError)
    async def not_allowed(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"]]
        name = ".".join(place[1:]) or place[0]
        given = "" if first["type"] in ("missing", "json_invalid") else f" (given: {str(first.get('input'))[:80]!r})"
        is_month = first.get("ctx", {}).get("pattern") == MONTH
        reason = "it is no month as YYYY-MM, such as 2023-01" if is_month else first["msg"]
        message = f"{name} is not allowed: {reason}{given}."
        advice = "The documentation at /docs says what each route takes."
        refusal = Refused(422, "VALIDATION_ERROR", message, advice, details={"parameter": name})
        return refused(request.scope, refusal)

    @app.exception_handler(HTTPException)
    async def by_http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # a body that is no text
            raise_as = Refused(422, "VALIDATION_ERROR", "The body is no JSON in UTF-8.", "Send it again as such.")
            return refused(request.scope, raise_as)
        code, message = _PHRASES.get(error.status_code, ("HTTP_ERROR", str(error.detail)))
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(request)) or headers.get("Allow", "")
        advice = "GET / lists the routes." if error.status_code in (404, 405) else ""
        return refused(request.scope, Refused(error.status_code, code, message, advice, headers=headers))


def _methods(request: Request) -> list[str]:
    """Give the methods that an address takes."""
    path = route_path(request.scope)
    described = request.app.openapi()["paths"].items()
    return sorted({m.upper() for at, methods in described if compile_path(at)[0].match(path) for m in methods})


def _response(
    scope: Scope,
    envelope: dict[str, Any],
    status: int,
    headers: Mapping[str, str] | None,
    *,
    is_of_store: bool = False,
) -> Response:
    envelope["request_id"] = scope.get("state", {}).get("request_id", "")
    envelope["timestamp"] = datetime.now(UTC)
    body = orjson.dumps(envelope, default=str, option=orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS)
    if "app" in scope and not is_of_store:
        body = _without_home(body, scope["app"].state.desk.settings.home)
    return Response(body, status, headers, media_type="application/json")


def _without_home(body: bytes, home: Path) -> bytes:
    """Tell what lies in the home by its place there; where the server has the home is its own business."""
    told = orjson.dumps(str(home))[1:-1]
    if told not in body:
        return body
    inside = re.sub(rb"(?<![\w./:-])" + re.escape(told) + rb"[/\\]+", b"", body)
    return re.sub(rb"(?<![\w./:-])" + re.escape(told) + rb"(?![\w-])", b"WELLPROD_HOME", inside)
