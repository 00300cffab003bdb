"""The examples of the OpenAPI schema that no field has of itself: messages, refusals, a row to import."""

from __future__ import annotations

from typing import Any

from wellprod.server.api.envelope import ANSWERED_AT, REQUEST_ID
from wellprod.server.api.models import DATA_SOURCE, EXPORT_ID, JOB_ID

ROW: dict[str, Any] = {
    "field_code": 1064,
    "_field_name": "Tupi",
    "well_code": 50395,
    "_well_reference": "9-LL-2-RJS",
    "well_name": "9-LL-2-RJS",
    "production_period": "2021-03-01T00:00:00+00:00",
    "days_on_production": None,
    "oil_production_kbd": 26.44912867,
    "gas_production_mmcfd": 65.29971017,
    "liquids_production_kbd": None,
    "water_production_kbd": None,
    "data_source": DATA_SOURCE,
    "source_data": "Boletim Mensal da Produção",
    "partition_0": "latest",
}
"""A record of the ANP, as a feed sends it."""

METRICS = """# HELP wellprod_import_running Whether an import is pending or running.
# TYPE wellprod_import_running gauge
wellprod_import_running 0.0
"""
"""The first lines of the figures for Prometheus."""

_IMPORTED = "6,505 records read: 6,505 new, 0 duplicate, 0 restated, 0 rejected."
_RUNS_BY_ITSELF = f"The import {JOB_ID} runs by itself."
_MESSAGES = {
    "get_index": "wellprod 0.1.0, 22 routes.",
    "get_health": "All is well.",
    "get_readiness": "All is well.",
    "get_liveness": "The server answers.",
    "import_records": _IMPORTED,
    "run_import": _IMPORTED,
    "run_import_by_get": _IMPORTED,
    "trigger_import": _RUNS_BY_ITSELF,
    "trigger_import_by_get": _RUNS_BY_ITSELF,
    "import_status": "The import is COMPLETED.",
    "cancel_import": "The import has ended: COMPLETED.",
    "list_imports": "1 of 1 imports.",
    "get_stats": "6,505 records of 413 wells.",
    "get_well": "1 of 1 records.",
    "get_field": "1 of 1 wells.",
    "start_export": f"The export {EXPORT_ID} runs by itself.",
    "get_export": "The export is completed.",
    "get_task": "The export is completed.",
}
_REFUSED: dict[str, dict[str, Any]] = {
    "SIGNED_OUT": {
        "code": "UNAUTHORIZED",
        "message": "You are not signed in.",
        "next": "Send the header Authorization: Bearer TOKEN, with the token that the server was started with.",
    },
    "CROSS_SITE": {
        "code": "CROSS_SITE",
        "message": "A page of another site has asked for this, which starts an import.",
        "next": "Use POST, which the other site cannot send in your name.",
    },
    "LINK_EXPIRED": {
        "code": "LINK_REFUSED",
        "message": "This link has expired at 2026-11-21 10:30 UTC.",
        "next": "Ask for a new one.",
    },
    "NO_SUCH_JOB": {
        "code": "NOT_FOUND",
        "message": "There is no job '5f0c8f0e'.",
        "next": "GET /api/v1/wells/import/jobs shows those there are.",
    },
    "NOT_IN_STORE": {
        "code": "NOT_FOUND",
        "message": "There is no field 'Tupy' in the store.",
        "next": "Near to it: Tupi.",
    },
    "IMPORT_RUNS": {
        "code": "BUSINESS_RULE_VIOLATION",
        "message": f"An import is running already: job {JOB_ID}. Only one import runs at a time.",
        "next": f"Follow it with: GET /api/v1/tasks/{JOB_ID}",
        "rule": "SINGLE_IMPORT_RULE",
        "details": {"job_id": JOB_ID, "retry_after_seconds": 5},
    },
    "IMPORT_CANCELLED": {
        "code": "CANCELLED",
        "message": "The import was stopped on request.",
        "next": f"3,000 records of 3 pages are stored. Go on with: POST /api/v1/wells/import/{JOB_ID}/resume",
        "details": {"job_id": JOB_ID, "total_pages": 7, "records_processed": 3000, "retry_after_seconds": 5},
    },
    "NOTHING_SELECTED": {
        "code": "EXPORT_ERROR",
        "message": "The selection holds no records; nothing was written.",
        "next": "Select other months, fields or wells.",
    },
    "EXPORT_RUNS": {
        "code": "BUSINESS_RULE_VIOLATION",
        "message": f"The export {EXPORT_ID} has no file: it is processing.",
        "next": "Ask again when it is done.",
        "rule": "EXPORT_IS_DONE",
        "details": {"job_id": EXPORT_ID, "retry_after_seconds": 5},
    },
    "TOO_LARGE": {
        "code": "TOO_LARGE",
        "message": "The body has 2,000,000 bytes or more; up to 1,000,000 are taken here.",
        "next": "Files of records go to POST /api/v1/wells/import.",
    },
    "LONG_QUERY": {
        "code": "TOO_LARGE",
        "message": "The query is longer than 60,000 bytes.",
        "next": "Ask for less at a time.",
    },
    "NO_JSON": {
        "code": "UNSUPPORTED_MEDIA_TYPE",
        "message": "A body of type 'text/csv' is not taken.",
        "next": "Send one of: application/json, multipart/form-data.",
    },
    "NO_SUCH_RANGE": {
        "code": "RANGE_NOT_SATISFIABLE",
        "message": "The file has 31,820 bytes; it has no bytes=40000-.",
        "next": "Ask for a range within it, or for the whole.",
    },
    "NOT_ALLOWED": {
        "code": "VALIDATION_ERROR",
        "message": "limit is not allowed: Input should be greater than or equal to 1 (given: '0').",
        "next": "The documentation at /docs says what each route takes.",
        "details": {"parameter": "limit"},
    },
    "FEED_FAILED": {
        "code": "EXTERNAL_API_ERROR",
        "message": "Page 4 was not answered within 30 seconds, 6 times.",
        "next": f"3,000 records of 3 pages are stored. Go on with: POST /api/v1/wells/import/{JOB_ID}/resume",
        "details": {
            "reason": "FEED_UNREACHABLE",
            "job_id": JOB_ID,
            "failed_page": 4,
            "total_pages": 7,
            "records_processed": 3000,
        },
    },
    "STORE_BUSY": {
        "code": "STORE_BUSY",
        "message": "The store is being written by process 4242; waited 5 seconds.",
        "next": "Ask again a little later.",
        "details": {"retry_after_seconds": 5},
    },
    "NOT_HEALTHY": {
        "code": "NOT_HEALTHY",
        "message": "The workbench is not well: only 12 MB free for WELLPROD_HOME",
        "next": "See to it, then ask again.",
        "details": {
            "healthy": False,
            "version": "0.1.0",
            "schema_version": 1,
            "store": {"is_well": True, "finding": "6,505 records, schema 1"},
            "jobs": {"is_well": True, "finding": "no import is running"},
            "disk": {"is_well": False, "finding": "only 12 MB free for WELLPROD_HOME"},
        },
    },
    "DISK_FULL": {
        "code": "STORE_FULL",
        "message": "The file has 3.2 GB; only 1.1 GB are free.",
        "next": "Make room on the disk.",
    },
}
REFUSALS: dict[str, dict[str, Any]] = {
    name: {
        "success": False,
        "error": {"code": told["code"], "message": "", "next": "", "rule": None, "details": {}, **told},
        "message": told["message"],
        "request_id": REQUEST_ID,
        "timestamp": ANSWERED_AT,
    }
    for name, told in _REFUSED.items()
}
"""The main refusals, each whole, under a name of its own."""

_BY_STATUS: dict[int, tuple[str, ...]] = {
    401: ("SIGNED_OUT",),
    403: ("CROSS_SITE",),
    404: ("NO_SUCH_JOB",),
    409: ("IMPORT_RUNS", "IMPORT_CANCELLED"),
    413: ("TOO_LARGE",),
    414: ("LONG_QUERY",),
    415: ("NO_JSON",),
    416: ("NO_SUCH_RANGE",),
    422: ("NOT_ALLOWED",),
    502: ("FEED_FAILED",),
    503: ("STORE_BUSY",),
    507: ("DISK_FULL",),
}
_BY_OPERATION: dict[tuple[int, str], tuple[str, ...]] = {
    (403, "download_export"): ("LINK_EXPIRED",),
    (404, "get_well"): ("NOT_IN_STORE",),
    (404, "get_field"): ("NOT_IN_STORE",),
    (404, "download_records"): ("NOT_IN_STORE",),
    (404, "start_export"): ("NOT_IN_STORE",),
    (409, "download_records"): ("NOTHING_SELECTED",),
    (409, "start_export"): ("NOTHING_SELECTED",),
    (409, "download_export"): ("EXPORT_RUNS",),
    (503, "get_health"): ("NOT_HEALTHY", "STORE_BUSY"),
    (503, "get_readiness"): ("NOT_HEALTHY", "STORE_BUSY"),
}


def refusals(status: int, operation: str) -> tuple[str, ...]:
    """Give the names of the main refusals of an operation with this status."""
    return _BY_OPERATION.get((status, operation), _BY_STATUS[status])


def message_of(operation: str, status: int) -> str:
    """Give the message of an operation that succeeds."""
    return _RUNS_BY_ITSELF if status == 202 and operation != "start_export" else _MESSAGES[operation]
