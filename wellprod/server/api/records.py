"""Records, wells and fields out of the store."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from wellprod.analysis.lookup import find_field, find_well, records_page, wells_page
from wellprod.analysis.overview import overview
from wellprod.analysis.saved import selection_of
from wellprod.export import StandingFile, standing_csv, standing_file
from wellprod.jobs import Status
from wellprod.server.api.desk import AtDesk, known_parameters, paging
from wellprod.server.api.envelope import (
    BUSY_SECONDS,
    Answer,
    Refusal,
    Refused,
    Responses,
    answered,
    by_rest,
    refusal_from,
)
from wellprod.server.api.files import FILE_ANSWERS, FileAnswer
from wellprod.server.api.models import DATA_SOURCE, MONTH, FieldRecords, Stats, WellRecords
from wellprod.store import Reading
from wellprod.text import number

_NOT_FOUND: Responses = {404: {"model": Refusal, "description": "It is not in the store; the nearest names are told"}}

FirstMonth = Annotated[
    str | None, Query(alias="from", pattern=MONTH, description="First month, YYYY-MM", examples=["2023-01"])
]
LastMonth = Annotated[
    str | None,
    Query(alias="to", pattern=MONTH, description="Last month, YYYY-MM, not before the first", examples=["2024-05"]),
]
Source = Annotated[
    str | None,
    Query(max_length=200, description="Data source, where several have the same code or name", examples=[DATA_SOURCE]),
]
Limit = Annotated[int, Query(ge=1, le=5000, description="Rows to give at most", examples=[1000])]
Offset = Annotated[int, Query(ge=0, le=1_000_000_000, description="Rows to pass by", examples=[0])]

routes = APIRouter(prefix="/api/v1/wells", tags=["records"], dependencies=[Depends(known_parameters)])


@routes.get("/stats", operation_id="get_stats", summary="What is in the store", response_model=Answer[Stats])
async def stats(request: Request, desk: AtDesk) -> Response:
    """Count records, fields, wells and months, restated versions and rejected rows."""
    found = (await desk.read(overview)).as_dict()
    path = desk.settings.store_path
    data = {**found, "size_bytes": path.stat().st_size if path.exists() else 0}
    return answered(
        request, data, f"{number(found['records'])} records of {number(found['wells'])} wells.", is_of_store=True
    )


@routes.get(
    "/well/{well_code:path}",
    operation_id="get_well",
    summary="One well and its records",
    response_model=Answer[WellRecords],
    responses=_NOT_FOUND,
)
async def well(
    request: Request,
    desk: AtDesk,
    well_code: Annotated[
        str, Path(max_length=200, description="Code, name or reference of the well", examples=["9-LL-2-RJS"])
    ],
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    data_source: Source = None,
    limit: Limit = 1000,
    offset: Offset = 0,
) -> Response:
    """Give a well, what it produced so far, and its records in the order of the months."""

    def look(reading: Reading) -> dict[str, Any]:
        found = find_well(reading, well_code, data_source)
        page = records_page(reading, found.between(first_month, last_month), limit=limit, offset=offset)
        return {
            "well": found.totals,
            "records": page.rows.to_dicts(),
            "paging": paging(limit, offset, page.total),
        }

    data = await desk.read(look)
    return answered(
        request, data, f"{number(len(data['records']))} of {number(data['paging']['total'])} records.", is_of_store=True
    )


@routes.get(
    "/field/{field_code:path}",  # a name may have slashes: Búzios/Tambuatá
    operation_id="get_field",
    summary="One field, its wells, and its records on request",
    response_model=Answer[FieldRecords],
    responses=_NOT_FOUND,
)
async def field(
    request: Request,
    desk: AtDesk,
    field_code: Annotated[str, Path(max_length=200, description="Code or name of the field", examples=["Tupi"])],
    records: Annotated[
        bool, Query(description="Give records, and page through these instead of the wells", examples=[False])
    ] = False,
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    data_source: Source = None,
    limit: Limit = 1000,
    offset: Offset = 0,
) -> Response:
    """Give a field and what it produced so far, with its wells, the one with the most oil first, or its records.

    The months choose the records, and the wells that have any; what a well produced is then of these months. With
    records the list of wells is not paged: it has at most `limit` of them, those with the most oil.
    """

    def look(reading: Reading) -> dict[str, Any]:
        found = find_field(reading, field_code, data_source)
        condition = found.between(first_month, last_month)
        rows = records_page if records else wells_page
        page = rows(reading, condition, limit=limit, offset=offset)
        wells = wells_page(reading, condition, limit=limit).rows if records else page.rows
        return {
            "field": found.totals,
            "wells": wells.to_dicts(),
            "records": page.rows.to_dicts() if records else None,
            "paging": paging(limit, offset, page.total),
        }

    data = await desk.read(look)
    what = "records" if records else "wells"
    return answered(
        request, data, f"{number(len(data[what]))} of {number(data['paging']['total'])} {what}.", is_of_store=True
    )


Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=100)]
Fields = Annotated[Names, Query(description="Code or name of a field; several may be given", examples=[["Tupi"]])]
Wells = Annotated[
    Names, Query(description="Code, name or reference of a well; several may be given", examples=[["9-LL-2-RJS"]])
]

GroupNames = Annotated[
    Names,
    Query(description="Group of groups.toml; several may be given", examples=[["Pre-salt"]]),
]


@routes.head("/download", include_in_schema=False)
@routes.get(
    "/download",
    operation_id="download_records",
    summary="Records as a CSV file",
    response_class=Response,
    responses={
        **FILE_ANSWERS,
        404: {
            "model": Refusal,
            "description": "A field, well, group or saved selection is not there",
        },
        409: {
            "model": Refusal,
            "description": "The selection has no records, or too many exports run already",
        },
        507: {"model": Refusal, "description": "The disk has no room for the file"},
        414: {"model": Refusal, "description": "The names are more than an address takes; save them as a selection"},
    },
)
async def download(
    request: Request,
    desk: AtDesk,
    field: Fields = [],  # noqa: B006
    well: Wells = [],  # noqa: B006
    group: GroupNames = [],  # noqa: B006
    first_month: FirstMonth = None,
    last_month: LastMonth = None,
    selection: Annotated[
        str | None,
        Query(
            min_length=1, max_length=60, description="Name of a saved selection; what else is given replaces its own"
        ),
    ] = None,
) -> Response:
    """Stream the records of a selection, all if nothing is chosen, as CSV.

    The file is made once for each selection and state of the records, so that a download that broke off can go on by
    Range and If-Range. While it is made the request waits.
    """
    chosen = await to_thread.run_sync(
        selection_of, selection, desk.settings.selections_path, field, well, first_month, last_month, group
    )
    wait = desk.settings.api_wait_seconds
    found = await desk.at_store(lambda: standing_csv(chosen, desk.settings, wait_seconds=wait))
    if not isinstance(found, StandingFile):
        job = await desk.board.ended(found)
        if job.is_active:
            raise Refused(
                503,
                "SERVER_ENDS",
                "The server ends before the file is made; its making goes on.",
                "Ask again when the server is back.",
                headers={"Retry-After": str(BUSY_SECONDS)},
            )
        if job.status != Status.COMPLETED:
            error = job.error or {}
            raise refusal_from({**error, "next": by_rest(error.get("next"), kind="export"), "job_id": job.job_id})
        found = await to_thread.run_sync(standing_file, job, chosen, desk.settings)
    return FileAnswer(found.path, found.file_name, found.etag)
