"""Figures and moments as people read them, the same on the command line, on a page and in a report."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from html import escape
from math import floor, log10
from urllib.parse import quote

UNITS = {
    "kbbl": "kbbl",
    "mmscf": "MMscf",
    "kboe": "kboe",
    "kbd": "kbd",
    "mmcfd": "mmcfd",
    "kboed": "kboed",
    "scf_per_bbl": "scf/bbl",
    "bbl_per_mmscf": "bbl/MMscf",
    "ksm3": "10³ Sm³",
    "mmsm3": "10⁶ Sm³",
    "ksm3oe": "10³ Sm³ o.e.",
    "ksm3d": "10³ Sm³/d",
    "mmsm3d": "10⁶ Sm³/d",
    "ksm3oed": "10³ Sm³ o.e./d",
    "sm3_per_sm3": "Sm³/Sm³",
    "sm3_per_mmsm3": "Sm³/10⁶ Sm³",
}
"""Units as they end the name of a column, and as people read them."""

_SHORT = {"gor": "GOR", "cgr": "CGR", "wor": "WOR", "boe": "BOE"}


def number(value: float | int | None, digits: int = 0) -> str:
    """Give a number with thousands separators; nothing for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def figure(value: float | int | None) -> str:
    """Give a figure as it is read in a table: counts whole, else four digits that count; nothing for None."""
    if value is None or isinstance(value, int) or value == 0 or abs(value) >= 1000:
        return number(value)
    return f"{value:,.{max(3 - floor(log10(abs(value))), 0)}f}" if abs(value) >= 0.001 else f"{value:.1e}"


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


def heading(name: str) -> tuple[str, str]:
    """Give the words of a column's name, and the unit behind them or nothing: ``oil_kbbl`` is oil, kbbl."""
    unit = max((unit for unit in UNITS if name.endswith(f"_{unit}")), key=len, default="")
    words = name.removesuffix(f"_{unit}").split("_")
    return " ".join(_SHORT.get(word, word) for word in words), UNITS.get(unit, "")


def attachment(name: str) -> str:
    """Give the Content-Disposition that saves a file under `name`, whatever characters it has (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def nearest(text: str, known: Iterable[str]) -> list[str]:
    """Give the up to three names that come nearest to a misspelt one, whatever the letter case."""
    folded = {name.casefold(): name for name in known}
    return [folded[name] for name in get_close_matches(text.casefold(), folded, n=3, cutoff=0.5)]


def html_pairs(pairs: Mapping[str, str]) -> str:
    """Give names with their values as an HTML table; what holds `<` or `&` shows as it is."""
    rows = "".join(
        f'<tr><th scope="row"{_side(False)}>{escape(name)}</th><td{_side(False)}>{escape(value)}</td></tr>'
        for name, value in pairs.items()
    )
    return f'<table class="wellprod pairs"><tbody>{rows}</tbody></table>'


def html_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, figures: Sequence[bool]) -> str:
    """Give rows as an HTML table; the columns that are `figures` stand at the right."""
    sides = [_side(is_figure) for is_figure in figures]
    head = "".join(f'<th scope="col"{side}>{escape(text)}</th>' for side, text in zip(sides, headings, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{side}>{escape(text)}</td>' for side, text in zip(sides, row, strict=True))}</tr>"
        for row in rows
    )
    return f'<table class="wellprod"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _side(is_figure: bool) -> str:
    """Give where the text of a cell stands: said in the cell, since JupyterLab has rules for cells of its own."""
    return ' class="figure" style="text-align: right"' if is_figure else ' style="text-align: left"'
