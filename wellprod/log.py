"""Structured logs: one event a line on stderr, with the request and the job it belongs to, and no secret in it."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from wellprod.errors import redact

REQUEST_ID = "request_id"


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value).rstrip()
    if isinstance(value, dict):
        return {name: _clean(inner) for name, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list | tuple) else value


def _redacted(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _clean(value) for name, value in event.items()}


_STEPS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,  # without the variables, which may hold secrets
    _redacted,
]


def get_logger() -> Any:
    """Give the logger; where nobody has configured the logs, it is as quiet as the settings' default."""
    if not structlog.is_configured():
        configure_logs()
    return structlog.get_logger()


def configure_logs(level: str = "WARNING", form: str = "console", *, request_id: str | None = None) -> None:
    """Send log lines of at least `level` to stderr, for people (`console`) or for programs (`json`).

    With a `request_id`, that of the request that this process works for, each line has it.
    """
    structlog.configure(
        processors=[*_STEPS, _renderer(form)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    if request_id:
        structlog.contextvars.bind_contextvars(**{REQUEST_ID: request_id})


def take_over_logging(level: str, form: str) -> None:
    """Give what libraries log the form of our own lines: uvicorn's of at least `level`, of others the warnings.

    Others log at most warnings, whatever the level, since some write requests out with all their headers.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_STEPS],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form)],
        )
    )
    least = logging.getLevelNamesMapping()[level]
    logging.basicConfig(handlers=[handler], level=max(least, logging.WARNING), force=True)
    logging.getLogger("uvicorn").setLevel(least)


def current_request_id() -> str | None:
    """Give the id of the request that is being answered here; None where there is none."""
    found = structlog.contextvars.get_contextvars().get(REQUEST_ID)
    return None if found is None else str(found)


def _renderer(form: str) -> Any:
    if form == "json":
        return structlog.processors.JSONRenderer()
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
