"""The OpenAPI schema: what FastAPI knows of the routes, and what only we know: headers, examples, rows of records."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from wellprod.feed.profile import Profile, load_profiles
from wellprod.server.api.envelope import REQUEST_ID
from wellprod.server.api.examples import REFUSALS, ROW, message_of, refusals
from wellprod.server.api.models import EXPORT_ID
from wellprod.settings import Settings

Schema = dict[str, Any]

_DESCRIPTION = """
Every answer is an envelope: `success`, `data` or `error`, `message`, `request_id`, `timestamp`. An error has a `code`
for programs, a `message` and a `next` step for people. Rates are calendar-day rates in kbd and MMscf a day, volumes are
kbbl and MMscf; null means not reported, which is not zero. Times of jobs are seconds since 1970.

Send the token of the server as `Authorization: Bearer TOKEN`. A header `X-Request-ID` of up to 128 letters, digits,
`.`, `_` or `-` is taken over; else one is made. Any route may also answer 405, 413 (a body above the limit) and 414
(a query above 60,000 bytes), in the same envelope.
"""
_TAGS = {
    "imports": "Bring records in. Each import is a job in a process of its own; one runs at a time.",
    "records": "Records, wells and fields out of the store.",
    "exports": "Files of records. Each export is a job; its file is fetched when it is done.",
    "tasks": "Jobs of any kind, in the words of the former service.",
    "system": "What answers, and whether it is well.",
}
_HEADERS: dict[str, tuple[bool, str, Any]] = {  # whether it is always there, what it says, an example
    "X-Request-ID": (True, "The id of the request, as sent or made; in each log line too", REQUEST_ID),
    "Server-Timing": (True, "The time that the answer took, in milliseconds", "total;dur=4.2"),
    "WWW-Authenticate": (True, "How to sign in", "Bearer"),
    "Retry-After": (False, "Seconds to wait before asking again", 5),
    "Location": (True, "Where to follow the job, or to find the file", f"/api/v1/exports/{EXPORT_ID}"),
    "ETag": (True, "What tells this state of the file from another", '"18ad4f2c1b3e8000-7c4c"'),
    "Last-Modified": (True, "When the file was written", "Sat, 21 Nov 2026 09:30:01 GMT"),
    "Accept-Ranges": (True, "That parts of the file can be asked for", "bytes"),
    "Content-Range": (True, "Which part of the file this is, or how long the file is", "bytes 0-1023/31820"),
    "Content-Disposition": (True, "What to save the file as", 'attachment; filename="wells_prod_Tupi_2023-01.csv"'),
}
_ALWAYS = ("X-Request-ID", "Server-Timing")
_BY_STATUS = {
    "202": ("Location",),
    "307": ("Location",),
    "401": ("WWW-Authenticate",),
    "409": ("Retry-After",),
    "503": ("Retry-After",),
}
_JSON = "application/json"
_UNTOLD = "Successful Response"  # what FastAPI says where a route says nothing
_ANSWER_OF = re.compile(rb"Answer[_\[]([A-Za-z]+)[_\]]")  # as it is called where models have parameters


def openapi_of(app: FastAPI, settings: Settings) -> Schema:
    """Give the schema of the app, made once; the shape of what is imported is that of the profiles of `settings`."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=_DESCRIPTION,
            routes=app.routes,
            tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
            servers=[{"url": settings.server_path.rstrip("/") or "/"}],
        )
        components = schema["components"]
        components["examples"] = {name: {"value": refusal} for name, refusal in REFUSALS.items()}
        components["headers"] = {name: _header(*told) for name, told in _HEADERS.items()}
        for operation in (operation for path in schema["paths"].values() for operation in path.values()):
            for parameter in operation.get("parameters", ()):
                _say_plainly(parameter)
            for status, response in operation["responses"].items():
                names = (*_ALWAYS, *_BY_STATUS.get(status, ()))
                response["headers"] = headers(*names) | response.get("headers", {})
                if content := response.get("content", {}).get(_JSON):
                    _complete(response, content, operation, int(status), components["schemas"])
        schema = orjson.loads(_ANSWER_OF.sub(rb"\1Answer", orjson.dumps(schema)))
        schema["paths"]["/api/v1/wells/import"]["post"]["requestBody"] = _import_body(
            load_profiles(settings.profiles_path).values()
        )
        app.openapi_schema = schema
    return app.openapi_schema


def headers(*names: str) -> Schema:
    """Give the headers of an answer, as the schema tells of them in one place."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header(always: bool, description: str, example: Any) -> Schema:
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "required": always, "schema": {"type": kind}, "example": example}


def _say_plainly(parameter: Schema) -> None:
    """Leave out that a parameter may be null, which no address can say; and let a page fill in what it must have."""
    schema = parameter["schema"]
    if kinds := [kind for kind in schema.pop("anyOf", ()) if kind["type"] != "null"]:
        schema |= kinds[0]
    if parameter["required"]:
        parameter["example"] = schema["examples"][0]


def _complete(response: Schema, content: Schema, operation: Schema, status: int, known: Schema) -> None:
    """Put in what an answer is, and examples: made of those of its fields, or the main refusals of its status."""
    if status >= 400:
        names = refusals(status, operation["operationId"])
        content["examples"] = {name: {"$ref": f"#/components/examples/{name}"} for name in names}
        return
    data = known[_name(content["schema"])]["properties"]["data"]
    if response["description"] == _UNTOLD:
        response["description"] = known[_name(data)]["description"]
    message = message_of(operation["operationId"], status)
    content["example"] = {**example_of(content["schema"], known), "message": message}


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def example_of(schema: Schema, known: Schema) -> Any:
    """Give the example of a schema, or make it of those of its parts; `known` are the schemas it may refer to."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(known[_name(schema)], known)
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], known)
    if schema.get("type") == "array":
        return [example_of(schema["items"], known)]
    return {name: example_of(part, known) for name, part in schema.get("properties", {}).items()}


def _choices(profile: Profile) -> list[Schema]:
    """Give what a row must have under one of several names."""
    several = dict.fromkeys(names for names in profile.needs if len(names) > 1)
    return [{"anyOf": [{"required": [name]} for name in names]} for names in several]


def _import_body(profiles: Iterable[Profile]) -> Schema:
    """Give what may be imported: rows of which one at least has what some profile needs; or nothing, or no rows."""
    rows = [
        {
            "title": profile.title,
            "type": "object",
            "required": sorted(names[0] for names in profile.needs if len(names) == 1),
            **({"allOf": choices} if (choices := _choices(profile)) else {}),
            "properties": {
                known: {"description": f"{name}{f', {column.unit}' if column.unit else ''}"}
                for name, column in profile.columns.items()
                for names in column.needs
                for known in names
            },
        }
        for profile in profiles
    ]
    records = {
        "title": "Records",
        "type": "array",
        "items": {"description": "A row; one that is no record is rejected, and counted"},
        "anyOf": [{"contains": {"anyOf": rows}}, {"maxItems": 0}],
    }
    answer = {"title": "OData answer", "type": "object", "required": ["value"], "properties": {"value": records}}
    nothing = [{"title": "Nothing", "type": "object", "maxProperties": 0}, {"title": "Null", "type": "null"}]
    file = {
        "type": "string",
        "format": "binary",
        "description": "Records as a JSON, CSV, Excel or Parquet file, whose name tells which",
    }
    return {
        "required": False,
        "description": "Records as an OData answer or as a list, or a file of them, in the shape of a feed profile of"
        " the server. Without a body the configured feed or file is imported.",
        "content": {
            _JSON: {
                "schema": {"anyOf": [answer, records, *nothing]},
                "examples": {
                    "records": {"summary": "Records", "value": {"value": [ROW]}},
                    "nothing": {"summary": "The configured feed", "value": {}},
                },
            },
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": {"file": file}},
                "encoding": {"file": {"contentType": _JSON}},
            },
        },
    }
