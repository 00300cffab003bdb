"""The files that lie ready: each to be fetched, handed on by a link, or deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets as w

from wellprod.errors import WellprodError
from wellprod.export import delete_download, download_file, downloads, export_link
from wellprod.jobs import Job
from wellprod.pages import parts
from wellprod.settings import Settings
from wellprod.text import age, moment, number, size

_SHOWN = 10


class Ready(w.VBox):
    """The newest files that can be fetched.

    Parameters
    ----------
    on_delete
        Told when a file was deleted.
    """

    children: Sequence[w.Widget]

    def __init__(self, settings: Settings, on_delete: Callable[[], object]) -> None:
        self._settings, self._on_delete = settings, on_delete
        self._lines: dict[str, _Line] = {}
        self._none = w.HTML(
            parts.notice("info", "No export lies ready. Those that you make are kept here until deleted.")
        )
        super().__init__([self._none])

    def refresh(self) -> None:
        """Show the files as they are now."""
        jobs = downloads(self._settings, limit=_SHOWN)
        known = self._lines
        self._lines = {job.job_id: known.get(job.job_id) or _Line(job, self._settings, self._deleted) for job in jobs}
        for job in jobs:
            self._lines[job.job_id].show(job)
        if list(known) != list(self._lines):
            self.children = [*self._lines.values()] or [self._none]

    def _deleted(self) -> None:
        self.refresh()
        self._on_delete()


class _Line(w.VBox):
    """One file."""

    def __init__(self, job: Job, settings: Settings, on_delete: Callable[[], None]) -> None:
        self._job_id, self._settings, self._on_delete = job.job_id, settings, on_delete
        self._text, self._below = parts.Html(), parts.Html()
        name, guard = file_name(job), parts.guarded(self._below.put)
        buttons: list[w.Widget] = [parts.button("Make a link", guard(self._on_link), hint=f"Make a link to {name}")]
        if download_file(job, settings):
            buttons.append(parts.SureButton("Delete", guard(self._delete), hint=f"Delete {name}"))
        line = parts.row(self._text, *buttons)
        line.add_class("wp-download")
        super().__init__([line, self._below])
        self.add_class("wp-ready")
        self.show(job)

    def show(self, job: Job) -> None:
        """Say what it is, and how old it is by now."""
        summary = job.summary or {}
        told = f"{size(summary['size_bytes'])} · {number(summary['records'])} records · {age(job.completed_at)}"
        self._text.put(f"<div>{where(job, self._settings)}<br><span class='wp-aside'>{told}</span></div>")

    def _on_link(self) -> None:
        self._below.put(parts.aside("Making a link…"))
        link = export_link(self._job_id, self._settings)
        about = f"Whoever has this link can fetch the file until {moment(link.expires_at)}."
        self._below.put(parts.copied(link.url or link.href, about, href=link.href))

    def _delete(self) -> None:
        try:
            delete_download(self._job_id, self._settings)
        except WellprodError as error:
            self._below.put(parts.problem(error))
            return
        self._on_delete()


def file_name(job: Job) -> str:
    """Give what the file of an export is saved as."""
    return str((job.summary or {})["file_name"])


def where(job: Job, settings: Settings) -> str:
    """Give the link to a file that lies here, else the name of the file and the place that it was sent to."""
    if download_file(job, settings) is None:
        place = str((job.summary or {})["path"])
        return f"<strong>{escape(file_name(job))}</strong><br><code>{escape(place)}</code>"
    name = f"Download {file_name(job)}"
    return parts.link(settings, f"api/v1/exports/{job.job_id}/file", name, attributes=" download")
