"""The download page: choose records, see them, export them as a file in the background, and fetch it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from wellprod.analysis.preview import Preview, preview
from wellprod.analysis.production import SelectedProduction
from wellprod.errors import StoreMissing, UsageError, WellprodError
from wellprod.export import (
    ExportRequest,
    Layout,
    download_file,
    extension_of,
    is_for_fetching,
    preset_of,
    trigger_export,
)
from wellprod.jobs import Job, Status
from wellprod.pages import parts
from wellprod.pages.address import read_address
from wellprod.pages.chooser import Chooser
from wellprod.pages.form import FileForm
from wellprod.pages.job import JobPanel
from wellprod.pages.picker import SETTLE_SECONDS
from wellprod.pages.ready import Ready, where
from wellprod.pages.watch import watch_jobs
from wellprod.settings import Settings, load_settings, page_query
from wellprod.store import Store
from wellprod.text import number


@dataclass(frozen=True, slots=True)
class _Look:
    """What an export would hold, how its file is called, and why it cannot be made, if so."""

    preview: Preview
    file_name: str = ""
    refusal: WellprodError | None = None


class DownloadPage(parts.Page):
    """Exports a selection and hands out the files; what it starts goes on when the page is closed.

    Parameters
    ----------
    query
        What is chosen first, as an address has it, such as ``field=Tupi&from=2024-01``; None for that of the page.
    """

    def __init__(self, query: str | None = None, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._store = Store(self.settings.store_path, self.settings.store_wait_seconds)
        self._message, self._preview = parts.Html(), parts.Html()
        self._chooser = Chooser(self.settings, self._store, self.run, self._changed, self._tell)
        self._form = FileForm(self.settings, self._changed)
        self._export = parts.button("Export", parts.guarded(self._message.put)(self._on_export), primary=True)
        self._job = JobPanel(self.settings, "")
        self._job.ended = self._fetch
        self._job_section = parts.section("Export", self._job)
        self._ready = Ready(self.settings, self._job.refresh)
        self._asked = 0
        self._offered: object = None
        self._choice = (
            parts.section("What to export", self._chooser, lead="Without a field or a well, all of them."),
            parts.section("The file", self._form),
        )
        self._seen = parts.section("Preview", self._preview, self._message, parts.row(self._export))
        self._wrong = parts.Html()
        super().__init__(
            self._wrong, *self._choice, self._seen, self._job_section, parts.section("Recent exports", self._ready)
        )
        parts.show(self._job_section, False)
        for card in self._choice:
            parts.show(card, False)
        asked = read_address(page_query() if query is None else query, {}, self.settings.selections_path)
        self._chooser.put(asked.selection)
        self._wrong.put("".join(parts.problem(error) for error in asked.problems))
        self.run(watch_jobs(self._job.ledger, self._on_jobs, self._tell))

    def _tell(self, error: Exception | None) -> None:
        self._message.put(parts.problem(error) if error else "")

    async def _offer_months(self) -> None:
        """Offer the months that the store has now."""
        try:
            is_filled = await self._chooser.offer_months()
        except WellprodError as error:  # the preview says which, and what to do
            self._offered = self._offered if isinstance(error, StoreMissing) else None
            is_filled = False
        for card in self._choice:
            parts.show(card, is_filled)
        self._look()

    def _changed(self) -> None:
        """Show what another choice holds; what was said of the one before no longer counts."""
        self._message.put("")
        self._look()

    def _look(self) -> None:
        """Show what the choice holds once it has settled."""
        self._asked += 1
        self._export.disabled = True
        self.run(self._show_preview(self._asked))

    async def _show_preview(self, asked: int) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        if asked != self._asked:
            return
        found: _Look | None = None
        try:
            request = self._form.request(self._chooser.selection)
            found = await asyncio.to_thread(self._looked_up, request)
            shown = _shown(found, request)
        except StoreMissing:
            first = f" {parts.link(self.settings, 'wellprod/import', 'Import a feed or a file')} first."
            shown = parts.notice("info", "The store is empty: there is nothing to export yet.", markup=first)
        except Exception as error:
            shown = parts.problem(error)
        if asked == self._asked:
            self._preview.put(shown)
            self._export.disabled = not (found and found.file_name)

    def _looked_up(self, request: ExportRequest) -> _Look:
        with self._store.read() as reading:
            found = preview(reading, request.selection, columns=request.columns_in_order)
            if not found.records:
                return _Look(found)
            condition = request.selection.condition(reading)
            if preset := preset_of(request, self.settings):
                layout = Layout(preset, reading, condition, is_text=request.form.is_text)
                found = replace(found, first=layout.table(found.first))
            production = SelectedProduction(reading, condition)
            try:
                return _Look(found, request.file_name(extension_of(request, production)))
            except UsageError as refusal:
                return _Look(found, refusal=refusal)

    def _on_export(self) -> None:
        if self._export.disabled:  # the second click of a double one
            return
        self._export.disabled = True
        self._message.put("")
        try:
            job_id = trigger_export(self._form.request(self._chooser.selection), self.settings)
        finally:
            self._look()
        parts.show(self._job_section, True)
        self._job.follow(job_id)

    def _on_jobs(self) -> bool:
        ended = [job.job_id for job in self._job.ledger.jobs(kind="import", limit=20) if not job.is_active][:1]
        if ended != self._offered:
            self._offered = ended
            self.run(self._offer_months())
        self._ready.refresh()
        self._chooser.refresh()
        fetched = [job.job_id for job in self._job.ledger.active_jobs(kind="export") if is_for_fetching(job)]
        if fetched and self._job.job_id is None:
            parts.show(self._job_section, True)
            self._job.job_id = fetched[0]
        job = self._job.refresh()
        return bool(job and job.is_active)

    def _fetch(self, job: Job) -> str:
        """Give the message of an export that is done, with the link to its file while it is there."""
        if job.status != Status.COMPLETED or not is_for_fetching(job):
            return ""
        path = download_file(job, self.settings)
        if path and not path.is_file():
            return parts.notice("info", "The file has been deleted.", "Export again.")
        handed = "" if path else "<br>Make a link to it below, and open or send that."
        return parts.notice("good", "The file is ready. ", markup=f" {where(job, self.settings)}{handed}")


def _shown(found: _Look, request: ExportRequest) -> str:
    """Give what a selection holds: counts, the name of the file or why there can be none, the first records."""
    held = found.preview
    if not held.records:
        return parts.notice("warn", "No record is in this selection.", "Choose other months, fields or wells.")
    counts = f"<strong>{number(held.records)} records of {number(held.wells)} wells</strong>"
    told = parts.problem(found.refusal) if found.refusal else parts.aside(f"The file: {found.file_name}")
    first = f"All {number(held.records)}" if held.first.height == held.records else f"The first {held.first.height}"
    caption = f"{first} records, as the file will have them" if request.form.is_table else f"{first} of its records"
    return f"<p class='wp-count' role='status'>{counts}</p>{told}{parts.table(held.first, caption)}"
