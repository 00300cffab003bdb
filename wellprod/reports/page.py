"""The HTML of a run: one file that needs no other host, with how it ended on top."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

from nbconvert import HTMLExporter

from wellprod.text import duration

_TEMPLATES = Path(__file__).parent / "templates"
_MARKS_OF_PAPERMILL = "papermill-error-cell-tag"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def write_page(
    path: Path,
    notebook: Any,
    title: str,
    *,
    ran_at: datetime,
    parameters: Mapping[str, Any],
    result: Mapping[str, Any],
) -> None:
    """Write the executed `notebook` without its code, under a header with when, what with, and how it ended."""
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="report",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
        filters={"description": _description, "plain": _plain},
    )
    report = {
        "title": title,
        "name": result["name"],
        "ran_at": f"{ran_at:%Y-%m-%d %H:%M:%S %Z}",
        "took": duration(result["execution_time_seconds"]),
        "parameters": {name: str(value) for name, value in parameters.items() if value is not None},
        "outcome": result["outcome"],
        "kind": {0: "done", 3: "partly"}.get(result["exit_code"], "failed"),
        "error": result["error"],
        "notebook": Path(result["notebook"]).name,
    }
    html, _ = exporter.from_notebook_node(_without_title(notebook, title), resources={"report": report})
    part = path.with_suffix(".part")
    part.write_text(html, "utf-8")
    part.replace(path)


def _without_title(notebook: Any, title: str) -> Any:
    """Give a copy without the title, which the header has, and without papermill's own words about an error."""
    copy = deepcopy(notebook)
    copy.cells = [cell for cell in copy.cells if _MARKS_OF_PAPERMILL not in cell.metadata.get("tags", ())]
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.removeprefix(f"# {title}").lstrip("\n")
            break
    return copy


def _description(svg: str) -> str:
    """Give what a chart says of itself, for those who cannot see it."""
    found = re.search(r'aria-label="([^"]+)"', svg)
    return unescape(found[1]) if found else "Chart"


def _plain(text: str) -> str:
    return _ANSI.sub("", text)
