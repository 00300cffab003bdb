"""The download page: choose records, see them, export them as a file in the background, and fetch it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import ipywidgets as w

from wellprod.analysis.names import months_held
from wellprod.analysis.preview import Preview, preview
from wellprod.analysis.selection import Selection
from wellprod.errors import StoreMissing, UsageError, WellprodError
from wellprod.export import FORMATS, ExportRequest, delete_download, download_file, downloads, trigger_export
from wellprod.jobs import Job, Status
from wellprod.pages import parts
from wellprod.pages.job import JobPanel
from wellprod.pages.picker import SETTLE_SECONDS, Picker
from wellprod.pages.watch import watch_jobs
from wellprod.schema import RECORD
from wellprod.settings import Settings, load_settings
from wellprod.store import Store
from wellprod.text import age, number, size

_FORMAT_TITLES = {"csv": "CSV"}
_SHOWN_DOWNLOADS = 10


class DownloadPage(parts.Page):
    """Exports a selection and hands out the files; what it starts goes on when the page is closed."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._store = Store(self.settings.store_path, self.settings.store_wait_seconds)
        self._message, self._preview = parts.Html(), parts.Html()
        guard = parts.guarded(self._message.put)
        self._fields = Picker("field", self._store, self.run, self._changed, self._tell)
        self._wells = Picker("well", self._store, self.run, self._changed, self._tell)
        self._first = w.Dropdown(description="First month")
        self._last = w.Dropdown(description="Last month")
        formats = parts.options(list(FORMATS), _FORMAT_TITLES)
        self._format = w.Dropdown(options=formats, description="Format")
        self._columns = {name: w.Checkbox(value=True, description=name, indent=False) for name in RECORD}
        for choice in (self._first, self._last, self._format, *self._columns.values()):
            choice.observe(lambda _: self._changed(), "value")
        self._export = parts.button("Export", guard(self._on_export), primary=True)
        self._job = JobPanel(self.settings, "")
        self._job.ended = self._fetch
        self._job_section = parts.section("Export", self._job)
        self._recent = _Downloads(self.settings, self._job.refresh, self._tell)
        self._asked = 0
        self._offered: object = None
        self._every_column = w.Checkbox(value=True, description="All columns", indent=False)
        self._every_column.observe(lambda _: self._changed(), "value")
        self._choose_columns = w.Box(list(self._columns.values()))
        self._choose_columns.add_class("wp-columns")
        self._choice = parts.section(
            "What to export",
            parts.row(self._format, self._first, self._last),
            parts.row(self._fields, self._wells),
            self._every_column,
            self._choose_columns,
            lead="Without a field or a well, all of them.",
        )
        self._seen = parts.section("Preview", self._preview, self._message, parts.row(self._export))
        super().__init__(self._choice, self._seen, self._job_section, parts.section("Recent exports", self._recent))
        parts.show(self._job_section, False)
        parts.show(self._choice, False)
        self.run(watch_jobs(self._job.ledger, self._on_jobs, self._tell))

    def _tell(self, error: Exception | None) -> None:
        self._message.put(parts.problem(error) if error else "")

    async def _offer_months(self) -> None:
        """Offer the months that the store has now, and keep those that were chosen."""
        try:
            months = await asyncio.to_thread(self._months_held)
        except WellprodError as error:  # the preview says which, and what to do
            self._offered = self._offered if isinstance(error, StoreMissing) else None
            months = []
        chosen = self._first.value or "", self._last.value or ""
        self._first.options = [("From the beginning", ""), *((month, month) for month in months)]
        self._last.options = [("To the end", ""), *((month, month) for month in reversed(months))]
        self._first.value, self._last.value = (month if month in months else "" for month in chosen)
        parts.show(self._choice, bool(months))
        self._changed()

    def _months_held(self) -> list[str]:
        with self._store.read() as reading:
            return months_held(reading)

    def _request(self) -> ExportRequest:
        every = self._every_column.value
        columns = () if every else tuple(name for name, box in self._columns.items() if box.value)
        if not columns and not every:
            raise UsageError("No column is chosen.", next="Choose at least one.")
        selection = Selection(
            self._fields.chosen, self._wells.chosen, self._first.value or None, self._last.value or None
        )
        return ExportRequest(selection, self._format.value, columns=columns)

    def _changed(self) -> None:
        """Show what the choice holds once it has settled."""
        parts.show(self._choose_columns, not self._every_column.value)
        self._asked += 1
        self._export.disabled = True
        self.run(self._show_preview(self._asked))

    async def _show_preview(self, asked: int) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        if asked != self._asked:
            return
        try:
            request = self._request()
            found = await asyncio.to_thread(self._looked_up, request)
        except StoreMissing:
            self._preview.put(
                parts.notice("info", "The store is empty: there is nothing to export yet.", "Import first.")
            )
        except Exception as error:
            self._preview.put(parts.problem(error))
        else:
            if asked == self._asked:
                self._preview.put(_preview(found))
                self._export.disabled = not found.records

    def _looked_up(self, request: ExportRequest) -> Preview:
        with self._store.read() as reading:
            return preview(reading, request.selection, columns=request.columns_in_order)

    def _on_export(self) -> None:
        if self._export.disabled:  # the second click of a double one
            return
        self._export.disabled = True
        self._message.put("")
        try:
            job_id = trigger_export(self._request(), self.settings)
        finally:
            self._changed()
        parts.show(self._job_section, True)
        self._job.follow(job_id)

    def _on_jobs(self) -> bool:
        ended = [job.job_id for job in self._job.ledger.jobs(kind="import", limit=20) if not job.is_active][:1]
        if ended != self._offered:
            self._offered = ended
            self.run(self._offer_months())
        self._recent.refresh()
        active = self._job.ledger.active_jobs(kind="export")
        fetched = [job.job_id for job in active if not job.parameters.get("output")]
        if fetched and self._job.job_id is None:
            parts.show(self._job_section, True)
            self._job.job_id = fetched[0]
        job = self._job.refresh()
        return bool(job and job.is_active)

    def _fetch(self, job: Job) -> str:
        """Give the message of an export that is done, with the link to its file while it is there."""
        path = download_file(job, self.settings)
        if job.status != Status.COMPLETED or path is None:
            return ""
        if not path.is_file():
            return parts.notice("info", "The file has been deleted.", "Export again.")
        return parts.notice("good", "The file is ready. ", markup=f" {_link(job, self.settings)}")


class _Downloads(w.VBox):
    """The files that lie ready, each with its link and a button that deletes it."""

    children: Sequence[w.Widget]

    def __init__(
        self, settings: Settings, on_delete: Callable[[], object], tell: Callable[[Exception | None], None]
    ) -> None:
        self._settings, self._on_delete, self._tell = settings, on_delete, tell
        self._shown: list[tuple[str, str]] = []
        super().__init__()

    def refresh(self) -> None:
        """Show the files as they are now."""
        jobs = downloads(self._settings, limit=_SHOWN_DOWNLOADS)
        shown = [(job.job_id, age(job.completed_at)) for job in jobs]
        if shown != self._shown or not self.children:
            self._shown = shown
            self.children = [self._line(job) for job in jobs] or [
                w.HTML(parts.notice("info", "No export lies ready. Those that you make are kept here until deleted."))
            ]

    def _line(self, job: Job) -> w.Box:
        summary = job.summary or {}
        text = (
            f"<div>{_link(job, self._settings)}<br><span class='wp-aside'>{size(summary['size_bytes'])} ·"
            f" {number(summary['records'])} records · {age(job.completed_at)}</span></div>"
        )
        delete = parts.button("Delete", lambda: None, hint=f"Delete {summary['file_name']}")
        sure = False

        def on_delete(_: object) -> None:
            nonlocal sure
            if not sure:
                sure, delete.description = True, "Delete for good?"
                return
            try:
                delete_download(job.job_id, self._settings)
            except WellprodError as error:
                self._tell(error)
            self.refresh()
            self._on_delete()

        delete.on_click(on_delete)
        line = parts.row(w.HTML(text), delete)
        line.add_class("wp-download")
        return line


def _link(job: Job, settings: Settings) -> str:
    name = str((job.summary or {})["file_name"])
    return parts.link(settings, f"exports/{job.job_id}/file", f"Download {name}", attributes=" download")


def _preview(found: Preview) -> str:
    if not found.records:
        return parts.notice("warn", "No record is in this selection.", "Choose other months, fields or wells.")
    counts = f"{number(found.records)} records of {number(found.wells)} wells"
    held = f"All {number(found.records)}" if found.first.height == found.records else f"The first {found.first.height}"
    return f"<p class='wp-count' role='status'><strong>{counts}</strong></p>" + parts.table(
        found.first, f"{held} records, as the file will have them"
    )
