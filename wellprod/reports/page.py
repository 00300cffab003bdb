"""The HTML of a run: one file that needs no other host, with how it ended on top."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from nbconvert import HTMLExporter

from wellprod.text import duration

_TEMPLATES = Path(__file__).parent / "templates"
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
    """Write what the `notebook` shows, without its code, under a header with when, what with, and how it ended."""
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
    html, _ = exporter.from_notebook_node(notebook, resources={"report": report})
    part = path.with_suffix(".part")
    part.write_text(html, "utf-8")
    part.replace(path)


def _plain(text: str) -> str:
    return _ANSI.sub("", text)
