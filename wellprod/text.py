"""Figures and moments as people read them, the same on the command line, on a page and in a report."""

from __future__ import annotations

import time
from datetime import datetime


def number(value: float | int | None, digits: int = 0) -> str:
    """Give a number with thousands separators; nothing for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def size(count: int) -> str:
    """Give bytes in the unit that suits them."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return f"{count} bytes"


def duration(seconds: float | None) -> str:
    """Give seconds as people say them."""
    if seconds is None:
        return ""
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def moment(seconds: float | None) -> str:
    """Give seconds since 1970 as local date and time; nothing for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def age(seconds: float | None) -> str:
    """Give how long ago a moment was, in the unit that suits it; nothing for None."""
    if seconds is None:
        return ""
    past = time.time() - seconds
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if past >= length:
            count = int(past // length)
            return f"{count:,} {name}{'' if count == 1 else 's'} ago"
    return "just now"
