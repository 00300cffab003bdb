"""The HTML of a run: one file that needs no other host, with how it ended on top."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
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
        filters={"plain": _plain},
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
    html, _ = exporter.from_notebook_node(_as_shown(notebook, title), resources={"report": report})
    part = path.with_suffix(".part")
    part.write_text(html, "utf-8")
    part.replace(path)


def _as_shown(notebook: Any, title: str) -> Any:
    """Give a copy without the title, which the header has, without papermill's own words about an error, and with
    a description of each chart, for those who cannot see it: the heading above."""
    copy = deepcopy(notebook)
    copy.cells = [cell for cell in copy.cells if _MARKS_OF_PAPERMILL not in cell.metadata.get("tags", ())]
    broken = [n for n, cell in enumerate(copy.cells) for o in cell.get("outputs", ()) if o.output_type == "error"]
    del copy.cells[broken[0] + 1 if broken else len(copy.cells) :]  # headings of what did not come
    heading, is_first = title, True
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            if is_first:
                cell.source, is_first = cell.source.removeprefix(f"# {title}").lstrip("\n"), False
            heading = next(iter(re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)[-1:]), heading)
        for output in cell.get("outputs", ()):
            output.metadata = {**output.get("metadata", {}), "alt": f"Chart: {heading}"}
    return copy


def _plain(text: str) -> str:
    return _ANSI.sub("", text)
