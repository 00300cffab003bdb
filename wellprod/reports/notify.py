"""A message about a run: by mail, webhook or whatever else Apprise knows."""

from __future__ import annotations

import logging
import platform
import warnings
from collections.abc import Mapping
from typing import Any

from wellprod.errors import redact
from wellprod.log import get_logger


def notify(addresses: str, title: str, result: Mapping[str, Any]) -> None:
    """Send how a report ended to all `addresses`; what cannot be sent is a warning in the log, never an error."""
    with warnings.catch_warnings():  # its mail looks for a module that newer versions of Python do not have
        warnings.simplefilter("ignore", DeprecationWarning)
        _send(addresses, title, result)


def _send(addresses: str, title: str, result: Mapping[str, Any]) -> None:
    import apprise  # only here, since few runs send anything

    logging.getLogger("apprise").addHandler(logging.NullHandler())  # its own lines may show an address whole
    kinds = {0: apprise.NotifyType.SUCCESS, 3: apprise.NotifyType.WARNING}
    subject = f"{title} on {platform.node()}: {result['outcome'].lower()}"
    try:
        services = apprise.Apprise()
        if not services.add(addresses):
            _warn("an address in WELLPROD_REPORT_NOTIFY is none that Apprise knows")
        for service in services:
            kind = kinds.get(result["exit_code"], apprise.NotifyType.FAILURE)
            if not service.notify(body=_body(result), title=subject, notify_type=kind):
                _warn(f"{service.service_name} did not take the message")
    except Exception as error:  # whatever a service does, the report has ended as it has
        _warn(type(error).__name__)


def _body(result: Mapping[str, Any]) -> str:
    error = result["error"] or {"message": "", "next": ""}
    lines = {
        "Report": result["name"],
        "Ended": f"{result['outcome']} (exit code {result['exit_code']})",
        "What happened": error["message"],
        "What to do": error["next"],
        "HTML": result["html"],
        "Notebook": result["notebook"],
    }
    return redact("\n".join(f"{name}: {text}" for name, text in lines.items() if text))


def _warn(reason: str) -> None:
    get_logger().warning("report_message_not_sent", reason=reason)
