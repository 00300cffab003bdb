"""What a run has to show: its title, and its notebook as people read it."""

from __future__ import annotations

import re
from copy import deepcopy
from html import unescape
from typing import Any

_MARKS_OF_PAPERMILL = "papermill-error-cell-tag"
_TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)


def as_shown(notebook: Any, title: str) -> tuple[str, Any]:
    """Give the title of a run, and a copy of its notebook for a page that has the title above.

    The title is the `<h1>` that a cell puts out, which knows what the run is about, else that of the notebook. The
    copy has neither, nor papermill's own words about an error, nor headings of what did not come; and each chart is
    described by the heading above it, for those who cannot see it.
    """
    copy = deepcopy(notebook)
    copy.cells = [cell for cell in copy.cells if _MARKS_OF_PAPERMILL not in cell.metadata.get("tags", ())]
    broken = [n for n, cell in enumerate(copy.cells) for o in cell.get("outputs", ()) if o.output_type == "error"]
    del copy.cells[broken[0] + 1 if broken else len(copy.cells) :]
    named, heading, is_first = title, title, True
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            if is_first:
                cell.source, is_first = cell.source.removeprefix(f"# {title}").lstrip("\n"), False
            heading = next(iter(re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)[-1:]), heading)
        for output in cell.get("outputs", ()):
            html = "".join(output.get("data", {}).get("text/html", ""))
            if found := _TITLE.search(html):
                named = heading = unescape(found[1])
                output.data["text/html"] = html.replace(found[0], "", 1)
            output.metadata = {**output.get("metadata", {}), "alt": f"Chart: {heading}"}
    return named, copy
