"""Structured logs: one event a line on stderr, with the job it belongs to, and no secret in it."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from wellprod.errors import redact


def _redacted(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def get_logger() -> Any:
    """Give the logger; where nobody has configured the logs, it is as quiet as the settings' default."""
    if not structlog.is_configured():
        configure_logs()
    return structlog.get_logger()


def configure_logs(level: str = "WARNING", form: str = "console") -> None:
    """Send log lines of at least `level` to stderr, for people (`console`) or for programs (`json`)."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redacted,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
