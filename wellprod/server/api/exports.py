"""Exports as jobs: asked for, followed, and fetched; also in the words of the former service."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from starlette.responses import Response

from wellprod.analysis.saved import selection_of
from wellprod.errors import BusinessRuleViolation, ExportError, JobNotFound, PresetError, UsageError
from wellprod.export import (
    FORMATS,
    FORMER_NAMES,
    ExportRequest,
    check_link,
    export_link,
    export_status,
    exported_file,
    trigger_export,
)
from wellprod.jobs import Job, Status
from wellprod.log import get_logger
from wellprod.schema import RECORD
from wellprod.server.api.desk import AtDesk, Desk, known_parameters
from wellprod.server.api.envelope import Answer, Refusal, Refused, Responses, answered, by_rest, link_to
from wellprod.server.api.files import FILE_ANSWERS, FileAnswer
from wellprod.server.api.models import EXPORT_ID, MONTH, Export, ExportStarted, Task
from wellprod.settings import Settings

FORMER_STATUS = {
    Status.PENDING: "pending",
    Status.RUNNING: "processing",
    Status.COMPLETED: "completed",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
}
"""The states of a job in the words of the former service, which had none for one that was stopped."""

ExportId = Annotated[
    str, Path(max_length=64, description="The id of a job, or its first eight characters or more", examples=[EXPORT_ID])
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Month = Annotated[str, Field(pattern=MONTH)]

_NOT_FOUND: Responses = {404: {"model": Refusal, "description": "No export has this id"}}
_NO_FILE: Responses = {
    307: {"description": "It lies in S3; the address opens it there"},
    403: {"model": Refusal, "description": "The link is not whole, or its time is over"},
    404: {"model": Refusal, "description": "No export has this id, or its file is gone"},
    409: {"model": Refusal, "description": "The export is not done"},
}

routes = APIRouter(prefix="/api/v1", dependencies=[Depends(known_parameters)])


_NAMES = {name: FORMATS[FORMER_NAMES.get(name, name)] for name in (*FORMATS, *FORMER_NAMES)}
_FIXED = [name for name, form in _NAMES.items() if not form.is_table]
_NO_COLUMNS = {"columns": {"maxItems": 0}}
_RULES: list[Any] = [  # as ExportRequest holds them
    {
        "if": {"properties": {"preset": {"type": "string"}}, "required": ["preset"]},
        "then": {"properties": _NO_COLUMNS},
    },
    {
        "if": {"properties": {"format": {"enum": _FIXED}}, "required": ["format"]},
        "then": {"properties": {**_NO_COLUMNS, "preset": {"type": "null"}}},
    },
]


class Chosen(BaseModel):
    """Fields, wells, groups and months; what is not given is not restricted."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str | None,
        Field(min_length=1, max_length=60, description="Of a saved selection; what else is given replaces its own"),
    ] = None
    fields: Annotated[list[Name], Field(max_length=1000, description="Codes or names", examples=[["Tupi"]])] = []
    wells: Annotated[list[Name], Field(max_length=10_000, description="Codes, names or references")] = []
    groups: Annotated[list[Name], Field(max_length=1000, description="Groups, as groups.toml has them")] = []
    first_month: Annotated[Month | None, Field(description="YYYY-MM", examples=["2023-01"])] = None
    last_month: Annotated[Month | None, Field(description="YYYY-MM, not before the first", examples=["2024-05"])] = None


class ExportAsked(BaseModel):
    """What is to be exported, and how."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"format": "csv", "selection": {"fields": ["Tupi"], "first_month": "2023-01"}}],
            "allOf": _RULES,
        },
    )

    format: Annotated[
        str | None, Field(description="CSV if none is given", json_schema_extra={"enum": [*_NAMES, None]})
    ] = None
    selection: Chosen = Chosen()
    columns: Annotated[
        list[Annotated[str, Field(json_schema_extra={"enum": list(RECORD)})]],
        Field(
            max_length=len(RECORD),
            description="Columns of the record, all if none are given; not with a preset, nor with"
            f" {' or '.join(_FIXED)}",
        ),
    ] = []
    preset: Annotated[
        str | None,
        Field(
            pattern="^[A-Za-z0-9_-]{1,60}$", description="Name of the layout of other software", examples=["enverus"]
        ),
    ] = None
    formulas_as_text: Annotated[
        StrictBool, Field(description="Keep a spreadsheet from running text of a CSV as a formula")
    ] = False


@routes.post(
    "/exports",
    operation_id="start_export",
    tags=["exports"],
    summary="Start an export",
    status_code=202,
    response_model=Answer[ExportStarted],
    responses={
        404: {
            "model": Refusal,
            "description": "A field, well, group, saved selection or preset of it is not there",
        },
        409: {
            "model": Refusal,
            "description": "The selection holds no records, or too many exports run already",
        },
        413: {"model": Refusal, "description": "The body is above the limit"},
    },
)
async def start(request: Request, desk: AtDesk, asked: ExportAsked) -> Response:
    """Export a selection to the downloads of the workbench, or where WELLPROD_EXPORT_TARGET says."""
    job_id = await desk.at_store(lambda: _triggered(asked, desk.settings))
    url = link_to(request, f"/api/v1/exports/{job_id}")
    data = {"export_id": job_id, "task_id": job_id, "status": "pending", "status_url": url}
    message = f"The export {job_id} runs by itself."
    return answered(request, data, message, status=202, headers={"Location": url})


def _triggered(asked: ExportAsked, settings: Settings) -> str:
    chosen = asked.selection
    months = (chosen.first_month, chosen.last_month)
    selection = selection_of(chosen.name, settings.selections_path, chosen.fields, chosen.wells, *months, chosen.groups)
    request = ExportRequest(
        selection,
        asked.format,
        columns=tuple(asked.columns),
        formulas_as_text=asked.formulas_as_text,
        preset=asked.preset,
    )
    try:
        return trigger_export(request, settings, wait_seconds=settings.api_wait_seconds)
    except PresetError as error:
        raise Refused(404, "NOT_FOUND", error.message, error.next) from None


@routes.get(
    "/exports/{export_id}",
    operation_id="get_export",
    tags=["exports"],
    summary="One export",
    response_model=Answer[Export],
    responses=_NOT_FOUND,
)
async def export(request: Request, desk: AtDesk, export_id: ExportId) -> Response:
    """Say how far an export is; when it is done, `download_url` opens its file for an hour without signing in."""
    job = await _export(desk, export_id)
    told = export_status(job)
    told |= {"status": FORMER_STATUS[job.status], "next": by_rest(told["next"], kind="export") or None}
    told |= {"download_url": None, "download_expires_at": None}
    if not str(told["path"]).startswith("s3://"):
        told["path"] = None  # where the server keeps its files is its own business
    if job.status == Status.COMPLETED:
        try:
            link = await to_thread.run_sync(export_link, job.job_id, desk.settings)
        except ExportError as error:
            told |= {"error_message": error.message, "next": error.next}
        else:
            url = link.url if link.path is None else f"{str(request.base_url).rstrip('/')}/{link.path}"
            told |= {"download_url": url, "download_expires_at": link.expires_at}
    return answered(request, told, f"The export is {told['status']}.")


@routes.head("/exports/{export_id}/file", include_in_schema=False)
@routes.get(
    "/exports/{export_id}/file",
    operation_id="download_export",
    tags=["exports"],
    summary="The file of an export",
    response_class=Response,
    responses={**FILE_ANSWERS, **_NO_FILE},
    openapi_extra={"security": [{}]},  # a signed link needs no other sign-in
)
async def file(
    request: Request,
    desk: AtDesk,
    export_id: ExportId,
    expires: Annotated[str | None, Query(max_length=20, description="Of a signed link")] = None,
    signature: Annotated[
        str | None, Query(max_length=200, description="Of a signed link, which needs no sign-in")
    ] = None,
) -> Response:
    """Stream the file; Range, If-Range and If-None-Match are answered, so that a download that broke off can go on.

    Give the token, or both `expires` and `signature` as the `download_url` of the export has them.
    """
    if signature is not None or not request.state.signed_in:
        await to_thread.run_sync(_check_link, export_id, expires or "", signature or "", desk.settings)
    return await to_thread.run_sync(_file_of, await _export(desk, export_id), desk.settings)


def _check_link(job_id: str, expires: str, signature: str, settings: Settings) -> None:
    """Let a link be judged by what it says, whoever follows it; a stranger learns nothing else."""
    try:
        check_link(job_id, expires, signature, settings)
    except UsageError as error:
        raise Refused(403, "LINK_REFUSED", error.message, error.next) from None
    except ExportError as error:
        get_logger().error("links_unusable", error=str(error))
        told = "Links do not work at present."
        raise Refused(503, "LINKS_UNUSABLE", told, "Tell whoever gave it to you.") from None


def _file_of(job: Job, settings: Settings) -> Response:
    if job.status != Status.COMPLETED:
        raise BusinessRuleViolation(
            f"The export {job.job_id} has no file: it is {FORMER_STATUS[job.status]}.",
            next="Ask again when it is done." if job.is_active else "Export again.",
            rule="EXPORT_IS_DONE",
            job_id=job.job_id,
        )
    try:
        path = exported_file(job, settings)
    except ExportError as error:
        link = export_link(job.job_id, settings) if "://" in str((job.summary or {}).get("path", "")) else None
        if link and link.url:
            return Response(status_code=307, headers={"Location": link.url})
        raise JobNotFound(error.message, next=error.next) from None
    return FileAnswer(path, str((job.summary or {}).get("file_name") or path.name))


@routes.get(
    "/tasks/{task_id}",
    operation_id="get_task",
    tags=["tasks"],
    summary="One job of any kind",
    response_model=Answer[Task],
    responses={404: {"model": Refusal, "description": "No job has this id"}},
)
async def task(request: Request, desk: AtDesk, task_id: ExportId) -> Response:
    """Say how far an import or export is, in the words of the former service."""
    job = await desk.board.job(task_id)
    progress, error = job.progress or {}, job.error or {}
    results = {"import": "wells/import/status", "export": "exports"}.get(job.kind, "tasks")
    data = {
        "task_id": job.job_id,
        "kind": job.kind,
        "status": FORMER_STATUS[job.status],
        "progress_percentage": progress.get("progress_percentage"),
        "records_processed": job.records,
        "error_message": error.get("message"),
        "next": by_rest(error.get("next"), kind=job.kind) or None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
        "result_url": link_to(request, f"/api/v1/{results}/{job.job_id}"),
    }
    return answered(request, data, f"The {job.kind} is {data['status']}.")


async def _export(desk: Desk, job_id: str) -> Job:
    job = await desk.board.job(job_id)
    if job.kind != "export":
        raise JobNotFound(f"The job {job.job_id} is no export but an {job.kind}.", next="Only an export has a file.")
    return job
