"""Imports: started, followed, cancelled, resumed; each runs in a process of its own, which outlives this server."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from wellprod.errors import BusinessRuleViolation, FeedError, JobNotFound, UsageError
from wellprod.ingest import Accepted, ImportRequest, check_file, trigger_import
from wellprod.jobs import Job, Status
from wellprod.resume import trigger_job_again
from wellprod.server.api.body import received
from wellprod.server.api.describe import headers
from wellprod.server.api.desk import AtDesk, Desk, JobId, known_parameters, paging
from wellprod.server.api.envelope import Answer, Refusal, Refused, Responses, answered, by_rest, link_to, refusal_from
from wellprod.server.api.models import ImportJob, ImportJobs, ImportStarted, ImportSummary
from wellprod.settings import PAGE_SIZES
from wellprod.text import number

_CONFLICT: Responses = {
    409: {
        "model": Refusal,
        "description": "Another import is running, no feed is configured, or the import was cancelled",
    }
}
_FEED_FAILED: Responses = {
    502: {"model": Refusal, "description": "The feed failed; `error.details` says at which page"},
    507: {"model": Refusal, "description": "The disk is full"},
}
_ENDING: Responses = {
    202: {"model": Answer[ImportStarted], "description": "The server is ending; the import goes on"},
}
_CROSS_SITE: Responses = {403: {"model": Refusal, "description": "Asked for by another site"}}
_NOT_FOUND: Responses = {404: {"model": Refusal, "description": "No import has this id"}}

Accepting = Annotated[
    bool, Query(description="Change any share of the old months; else it stops above the allowed one", examples=[False])
]
AcceptingDrift = Annotated[
    bool, Query(description="Go on though the feed has changed what the profile reads", examples=[False])
]


routes = APIRouter(prefix="/api/v1/wells/import", tags=["imports"], dependencies=[Depends(known_parameters)])


# Starting one


async def _refuse_other_sites(request: Request) -> None:
    """Refuse to start anything by a GET that a page of another site has made a browser send."""
    here = request.headers.get("host", "")
    site = request.headers.get("sec-fetch-site")
    sent_from = request.headers.get("origin") or request.headers.get("referer") or ""
    elsewhere = site not in ("same-origin", "none") if site else bool(sent_from) and sent_from.split("/")[2:3] != [here]
    if elsewhere:
        raise Refused(
            403,
            "CROSS_SITE",
            "A page of another site has asked for this, which starts an import.",
            "Use POST, which the other site cannot send in your name.",
        )


async def _asked(
    desk: AtDesk,
    page_size: Annotated[
        int | None,
        Query(ge=PAGE_SIZES[0], le=PAGE_SIZES[-1], description="Records a page to ask for", examples=[1000]),
    ] = None,
    max_pages: Annotated[
        int | None, Query(ge=1, le=1_000_000, description="Pages to read at most", examples=[10])
    ] = None,
    start_page: Annotated[
        int, Query(ge=1, le=1_000_000, description="First page; asks the feed for numbered pages", examples=[1])
    ] = 1,
    changes: Annotated[
        bool, Query(description="Read only what may have changed since the last import", examples=[False])
    ] = False,
    accept_restatements: Accepting = False,
    accept_drift: AcceptingDrift = False,
) -> ImportRequest:
    """Give the import of the configured feed or file."""
    given = {"page_size": page_size, "max_pages": max_pages, "start_page": start_page, "changes": changes}
    return _configured(desk, **given, accept_restatements=accept_restatements, accept_drift=accept_drift)


def _configured(desk: Desk, **given: Any) -> ImportRequest:
    source = desk.settings.feed_url
    if not source:
        raise BusinessRuleViolation(
            "No feed is configured.",
            next="Set WELLPROD_FEED_URL where the server starts, or send the records.",
            rule="FEED_CONFIGURED",
        )
    is_numbered = given.get("start_page", 1) > 1 and "://" in source
    return ImportRequest.from_settings(desk.settings, paging="skip" if is_numbered else "server", **given)


AskedImport = Annotated[ImportRequest, Depends(_asked)]
_RUN: dict[str, Any] = {
    "response_model": Answer[ImportSummary],
    "responses": {**_ENDING, **_CONFLICT, **_FEED_FAILED},
}
_TRIGGER: dict[str, Any] = {
    "response_model": Answer[ImportStarted],
    "responses": {200: {"headers": headers("Location")}, **_CONFLICT},
}
_FORMER: dict[str, Any] = {
    "deprecated": True,
    "description": "For callers of the former service: use POST. Refused where a page of another site asks for it.",
    "dependencies": [Depends(_refuse_other_sites)],
}


def _former(route: dict[str, Any]) -> dict[str, Any]:
    return {**route, **_FORMER, "responses": {**route["responses"], **_CROSS_SITE}}


@routes.get("/run", operation_id="run_import_by_get", summary="Import, and wait (former way)", **_former(_RUN))
@routes.post("/run", operation_id="run_import", summary="Import, and wait for the end", **_RUN)
async def run(request: Request, desk: AtDesk, asked: AskedImport) -> Response:
    """Import the configured feed or file, wait for the end, and give the whole summary."""
    return await _answered_at_end(request, desk, await _triggered(desk, asked))


@routes.get("/trigger", operation_id="trigger_import_by_get", summary="Start one (former way)", **_former(_TRIGGER))
@routes.post("/trigger", operation_id="trigger_import", summary="Start an import", **_TRIGGER)
async def trigger(request: Request, desk: AtDesk, asked: AskedImport) -> Response:
    """Start an import of the configured feed or file, and give its job id at once."""
    return _answered_at_once(request, await _triggered(desk, asked), 200)


@routes.post(
    "",
    operation_id="import_records",
    summary="Import what is sent, or the configured feed",
    response_model=Answer[ImportSummary],
    responses={
        202: {"model": Answer[ImportStarted], "description": "It runs by itself"},
        **_CONFLICT,
        413: {"model": Refusal, "description": "The file is above the limit"},
        415: {"model": Refusal, "description": "The body is neither JSON nor a form"},
        **_FEED_FAILED,
    },
)
async def import_sent(
    request: Request,
    desk: AtDesk,
    background: Annotated[bool, Query(description="Answer 202 with the job id at once", examples=[False])] = False,
    accept_restatements: Accepting = False,
) -> Response:
    """Import the records that are sent; without a body, or with an empty one, the configured feed or file.

    The body is streamed, so that it may have several hundred MB. Rows that are no records are kept as rejects and
    counted; the request is refused where no row has what a feed profile needs.
    """
    await to_thread.run_sync(desk.ledger.check_idle)  # before the body is read, which may be long
    path = await received(request, desk.settings)
    asked = _configured(desk) if path is None else await to_thread.run_sync(_of_file, desk, path)
    asked = replace(asked, accept_restatements=accept_restatements)
    try:
        job_id = await _triggered(desk, asked)
    except BaseException:
        if path:
            path.unlink(missing_ok=True)
        raise
    if background:
        return _answered_at_once(request, job_id, 202)
    return await _answered_at_end(request, desk, job_id, was_sent=path is not None)


async def _triggered(desk: Desk, asked: ImportRequest) -> str:
    return await to_thread.run_sync(trigger_import, asked, desk.settings)


def _answered_at_once(request: Request, job_id: str, status: int, *, is_done: bool = False) -> Response:
    url = link_to(request, f"{routes.prefix}/status/{job_id}")
    state, says = (Status.COMPLETED, "is done already") if is_done else (Status.PENDING, "runs by itself")
    data = {"job_id": job_id, "status": str(state), "status_url": url}
    return answered(request, data, f"The import {job_id} {says}.", status=status, headers={"Location": url})


async def _answered_at_end(request: Request, desk: Desk, job_id: str, *, was_sent: bool = False) -> Response:
    job = await desk.board.ended(job_id)
    if job.is_active:
        return _answered_at_once(request, job_id, 202)
    summary = job.summary or {}
    if job.status != Status.COMPLETED:
        error = {**(job.error or {}), "job_id": job_id}
        if was_sent and str(error.get("code", "")).startswith("FEED"):
            error["code"] = UsageError.code
        error.setdefault("failed_page", None)
        error["total_pages"] = summary.get("pagination_summary", {}).get("total_pages")
        error["records_processed"] = summary.get("batch_result", {}).get("processed_items", 0)
        raise refusal_from(error)
    counts = summary["import_summary"]
    message = (
        f"{number(summary['batch_result']['total_items'])} records read: {number(counts['new_records'])} new,"
        f" {number(counts['duplicate_records'])} duplicate, {number(counts['restated_records'])} restated,"
        f" {number(counts['error_records'])} rejected."
    )
    return answered(request, summary, message)


# What is sent


def _of_file(desk: Desk, path: Path) -> ImportRequest:
    """Give the import of a file that was sent; one that holds no records, or that no profile fits, makes no job."""
    try:
        asked = ImportRequest.from_settings(desk.settings, str(path))
        check_file(asked, desk.settings)
    except (FeedError, UsageError) as error:
        path.unlink(missing_ok=True)
        message = error.message.replace(f"The file {path}", "What was sent")
        raise UsageError(message, next=error.next, **error.details) from None
    return asked


# Following one


@routes.get("/jobs", operation_id="list_imports", summary="Imports, newest first", response_model=Answer[ImportJobs])
async def jobs(
    request: Request,
    desk: AtDesk,
    limit: Annotated[int, Query(ge=1, le=500, description="Imports to give at most", examples=[50])] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000, description="Imports to pass by", examples=[0])] = 0,
) -> Response:
    """List the imports, those that run too."""
    found, total = await to_thread.run_sync(_listed, desk, limit, offset)
    data = {"jobs": [_told(job) for job in found], "paging": paging(limit, offset, total)}
    return answered(request, data, f"{number(len(found))} of {number(total)} imports.")


def _told(job: Job) -> dict[str, Any]:
    told = job.as_dict()
    if "errors" in told:
        told["errors"] = [_by_rest(error) for error in told["errors"]]
    return {**told, "error": told["error"] and _by_rest(told["error"])}


def _by_rest(error: dict[str, Any]) -> dict[str, Any]:
    return {**error, "next": by_rest(error.get("next"))}


def _listed(desk: Desk, limit: int, offset: int) -> tuple[list[Job], int]:
    return desk.ledger.jobs(kind="import", limit=limit, offset=offset), desk.ledger.count(kind="import")


@routes.get(
    "/status/{job_id}",
    operation_id="import_status",
    summary="One import",
    response_model=Answer[ImportJob],
    responses=_NOT_FOUND,
)
async def status(request: Request, desk: AtDesk, job_id: JobId) -> Response:
    """Say how far an import is, or how it ended. Ask as often as you like: it costs the import nothing."""
    job = await _import(desk, job_id)
    return answered(request, _told(job), f"The import is {job.status}.")


@routes.post(
    "/{job_id}/cancel",
    operation_id="cancel_import",
    summary="Stop an import",
    response_model=Answer[ImportJob],
    responses=_NOT_FOUND,
)
async def cancel(request: Request, desk: AtDesk, job_id: JobId) -> Response:
    """Ask an import to stop, which it does within a page; what it stored stays, and it can be resumed."""
    job = await _import(desk, job_id)
    job = await to_thread.run_sync(desk.ledger.cancel, job.job_id)
    says = "was asked to stop" if job.is_active else f"has ended: {job.status}"
    return answered(request, _told(job), f"The import {says}.")


@routes.post(
    "/{job_id}/resume",
    operation_id="resume_import",
    summary="Go on with an import",
    status_code=202,
    response_model=Answer[ImportStarted],
    responses={**_NOT_FOUND, **_CONFLICT},
)
async def resume(
    request: Request,
    desk: AtDesk,
    job_id: JobId,
    accept_restatements: Accepting = False,
    accept_drift: AcceptingDrift = False,
) -> Response:
    """Go on with a stopped or killed import at the page after the last one stored; one that is done stays as it is."""
    job = await _import(desk, job_id)
    given: dict[Accepted, bool] = {"restatements": accept_restatements, "drift": accept_drift}
    accept = [what for what, is_given in given.items() if is_given]
    await to_thread.run_sync(partial(trigger_job_again, job.job_id, desk.settings, accept=accept))
    return _answered_at_once(request, job.job_id, 202, is_done=job.status == Status.COMPLETED)


async def _import(desk: Desk, job_id: str) -> Job:
    job = await desk.board.job(job_id)
    if job.kind != "import":
        raise JobNotFound(
            f"The job {job.job_id} is no import but a job of the kind {job.kind}.", next="Ask for it as a task."
        )
    return job
