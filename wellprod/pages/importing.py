"""The import page: what to read, a look at its first page, and the import as it runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TypeVar

import ipywidgets as w
import polars as pl

from wellprod.analysis.rejects import rejected_rows
from wellprod.errors import BusinessRuleViolation, UsageError, mask_secrets
from wellprod.feed.profile import load_profiles
from wellprod.ingest import ENDINGS, DryRun, ImportRequest, dry_run, ending_of, trigger_import
from wellprod.jobs import SENT, SINGLE_IMPORT_RULE, Job
from wellprod.pages import parts
from wellprod.pages.job import JobPanel
from wellprod.pages.watch import watch_jobs
from wellprod.settings import Settings, load_settings
from wellprod.store import Store
from wellprod.text import duration, number

_UPLOADS_SECONDS = 1.0
_SHOWN_RECORDS = 10
_SHOWN_REJECTS = 20
_SAMPLE_COLUMNS = (
    "field_name",
    "well_name",
    "production_period",
    "days_on_production",
    "oil_production_kbd",
    "gas_production_mmcfd",
    "water_production_kbd",
)

_ACCEPTED = ",".join(dict.fromkeys(f".{ending.rpartition('.')[2]}" for ending in ENDINGS))  # browsers know no .csv.gz
_REASON = pl.col("reason").str.split(":").list.first()  # without the value

_Default = TypeVar("_Default", int, None)

_ANOTHER_RUNS = parts.notice(
    "warn",
    "Another import is running; only one runs at a time.",
    "It is shown below; wait for it or cancel it.",
)


class ImportPage(parts.Page):
    """Starts imports and follows them; what it starts goes on when the page is closed."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._form = _Form(self.settings, self._checked)
        self._message = parts.Html()
        guard = parts.guarded(self._message.put)
        look, start = guard(self._on_dry_run), guard(self._on_start)
        self._look = parts.button("Look at the first page", look, hint="Reads and maps one page, and stores nothing")
        self._start = parts.button("Start import", start, primary=True)
        self._first_page = parts.Html()
        self._found = parts.section(
            "First page", self._first_page, lead="As an import would read it. Nothing is stored."
        )
        self._job = JobPanel(self.settings, "No import has run yet. Choose a feed or a file above.")
        self._rejects = parts.Html()
        self._rejects_of: object = None
        super().__init__(
            parts.section(
                "What to read",
                self._form,
                self._message,
                parts.row(self._start, self._look),
                lead="A feed by its address, or a JSON, CSV, Excel or Parquet file. What is in the store already is"
                " counted and left.",
            ),
            self._found,
            parts.section("Import", self._job, self._rejects),
        )
        parts.show(self._found, False)
        self._checked()
        self.run(self._watch_uploads())
        self.run(watch_jobs(self._job.ledger, self._on_jobs, lambda error: self._message.put(parts.problem(error))))

    def _checked(self) -> None:
        """Check the form as it is; only what is allowed can be started."""
        try:
            self._form.request()
            problem = ""
        except UsageError as error:
            problem = parts.problem(error) if self._form.source.value.strip() else ""
            self._start.disabled = self._look.disabled = True
        else:
            self._start.disabled = self._look.disabled = False
        self._message.put(problem)

    def _on_jobs(self) -> bool:
        shown = self._job.ledger.active_jobs(kind="import")
        if not shown and self._job.job_id is None:
            shown = self._job.ledger.jobs(kind="import", limit=1)
        if shown:
            self._job.job_id = shown[0].job_id
        job = self._job.refresh()
        active = bool(job and job.is_active)
        if (mark := job and (job.job_id, job.runs, job.status)) != self._rejects_of:
            self._rejects_of = mark
            self.run(self._show_rejects(job))
        if self._message.value == _ANOTHER_RUNS and not active:
            self._message.put("")
        return active

    async def _watch_uploads(self) -> None:
        while True:
            self._form.offer_files()
            await asyncio.sleep(_UPLOADS_SECONDS)

    def _on_start(self) -> None:
        try:
            job_id = trigger_import(self._form.request(), self.settings)
        except BusinessRuleViolation as error:
            if error.details.get("rule") != SINGLE_IMPORT_RULE:
                raise
            job_id = str(error.details["job_id"])
            self._message.put(_ANOTHER_RUNS)
        else:
            self._message.put("")
        parts.show(self._found, False)
        self._job.follow(job_id)

    def _on_dry_run(self) -> None:
        self.run(self._dry_run(self._form.request()))

    async def _dry_run(self, request: ImportRequest) -> None:
        self._look.disabled = True
        parts.show(self._found, True)
        self._first_page.put(parts.bar(None, "Reading the first page") + "<p>Reading the first page …</p>")
        try:
            found = await asyncio.to_thread(dry_run, request, self.settings)
            self._first_page.put(_first_page(found))
        except Exception as error:
            self._first_page.put(parts.problem(error))
        finally:
            self._look.disabled = False

    async def _show_rejects(self, job: Job | None) -> None:
        """Show the rejects of an import that has ended, by reason, each with raw rows."""
        counts = ((job.summary if job else None) or {}).get("import_summary") or {}
        self._rejects.put("")
        if job and (reasons := counts.get("rejects_by_reason")):
            rows = await asyncio.to_thread(self._rejected_rows, job)
            if self._rejects_of == (job.job_id, job.runs, job.status):
                self._rejects.put("<h3>Rejected rows</h3>" + _by_reason(rows, reasons))

    def _rejected_rows(self, job: Job) -> pl.DataFrame:
        with Store(self.settings.store_path, self.settings.store_wait_seconds).read() as reading:
            return rejected_rows(reading, job.job_id, rows_per_reason=_SHOWN_REJECTS)


class _Form(w.VBox):
    """The inputs of an import."""

    def __init__(self, settings: Settings, on_change: object) -> None:
        self._settings = settings
        self._shown_feed = mask_secrets(settings.feed_url) if settings.feed_url else ""
        profiles = load_profiles(settings.profiles_path)
        titles = {name: f"{profile.title} ({name})" for name, profile in profiles.items()}
        recognise = ("Recognise it from the first page", "")
        self.source = w.Combobox(
            value=self._shown_feed,
            description="Feed address or file",
            placeholder="https://host/odata/WellProduction",
            continuous_update=True,
        )
        self.source.add_class("wp-source")
        self.profile = w.Dropdown(
            options=[recognise, *parts.options(sorted(profiles), titles)],
            value=settings.feed_profile if settings.feed_profile in profiles else "",
            description="Profile",
        )
        self.page_size = w.Text(value=str(settings.page_size), description="Page size, 1 to 5,000")
        self.start_page = w.Text(value="1", description="Start page")
        self.max_pages = w.Text(placeholder="all", description="Max pages")
        self.since = w.Text(placeholder="YYYY-MM, or all", description="Since month")
        paging = [("By next links", "server"), ("By page number ($skip)", "skip")]
        self.changes = w.Checkbox(value=False, description="Only what changed since the last import", indent=False)
        self.paging = w.Dropdown(options=paging, value="server", description="Paging")
        self._upload = w.HTML(
            "<div class='wp-upload'><label for='wp-upload'>Or pick a JSON, CSV, Excel or Parquet file from this"
            f" computer</label> <input id='wp-upload' type='file' accept='{_ACCEPTED}'"
            " data-wellprod-upload='.wp-source input'>"
            " <span data-wellprod-upload-status role='status'></span></div>"
        )
        how_much = (self.page_size, self.start_page, self.max_pages, self.since, self.paging)
        for field in (self.source, self.profile, *how_much, self.changes):
            field.observe(lambda _: on_change(), "value")  # type: ignore[operator]
        self.offer_files()
        rows = [parts.row(self.source, self.profile), self._upload, parts.row(*how_much), self.changes]
        super().__init__([*rows, w.HTML(_sign_in(settings))])
        self.add_class("wp-form")

    def request(self) -> ImportRequest:
        """Give what the form asks for.

        Raises
        ------
        UsageError
            A value is not allowed.
        """
        source = self.source.value.strip()
        if not source:
            raise UsageError("There is nothing to read.", next="Give the address of a feed, or choose a file.")
        if source == self._shown_feed and self._settings.feed_url:
            source = self._settings.feed_url
        elif mask_secrets(source) != source:
            raise UsageError(
                "The address holds a secret, which is never typed into a page.",
                next="Set WELLPROD_FEED_URL to it before the page is opened.",
            )
        elif "://" not in source and not _is_file(source):
            raise UsageError(f"There is no file {source}.", next="Give the address of a feed, or choose a file.")
        return ImportRequest(
            source,
            profile=self.profile.value or None,
            page_size=_whole(self.page_size, "page size", self._settings.page_size),
            paging=self.paging.value,
            start_page=_whole(self.start_page, "start page", 1),
            max_pages=_whole(self.max_pages, "max pages", None),
            since=self.since.value.strip() or None,
            changes=self.changes.value,
        )

    def offer_files(self) -> None:
        """Offer the configured feed and the files that people uploaded; the browser that sends one also chooses it."""
        folder = self._settings.uploads_path
        found = folder.iterdir() if folder.is_dir() else ()
        files = sorted(str(path) for path in found if ending_of(path.name) and not path.name.startswith((SENT, ".")))
        offered = (*([self._shown_feed] if self._shown_feed else []), *files)
        if offered != self.source.options:
            self.source.options = offered


def _is_file(name: str) -> bool:
    try:
        return Path(name).expanduser().is_file()
    except (OSError, RuntimeError):  # too long, or the home of nobody
        return False


def _whole(field: w.Text, name: str, default: _Default) -> int | _Default:
    text = field.value.strip().replace(",", "")
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise UsageError(f"{name} {field.value!r} is not allowed; it must be a whole number.")
    return int(text)


def _sign_in(settings: Settings) -> str:
    used = settings.sign_in
    says = "No sign-in is set." if used == "none" else f"Signs in with {used}."
    how = (
        "Credentials are never typed into a page. Set WELLPROD_FEED_TOKEN, WELLPROD_FEED_USER and"
        f" WELLPROD_FEED_PASSWORD, or WELLPROD_FEED_API_KEY before the server starts, or write them to"
        f" {settings.credentials_path} and run chmod 600 on it; then reload this page."
    )
    return parts.details(says, parts.notice("info", how))


def _first_page(found: DryRun) -> str:
    if not found.rows:
        return parts.notice("warn", "The first page has no records.") + _warnings(found)
    expected = f"{number(found.expected_records)} records" if found.expected_records else "not told"
    pages = f", {number(found.expected_pages)} pages like this one" if found.expected_pages else ""
    known = {
        "Profile": found.profile or "none",
        "Rows": number(found.rows),
        "Become records": number(found.records.height),
        "Rejected": number(found.rejects.height),
        "The feed counts": expected + pages,
        "Took": duration(found.seconds),
    }
    shown = found.records.head(_SHOWN_RECORDS)
    if shown.height:
        shown = shown.select(name for name in _SAMPLE_COLUMNS if name in shown.columns)
    records = (
        parts.table(shown, f"First {number(shown.height)} records, as they would be stored") if shown.height else ""
    )
    rejects = ""
    if found.rejects.height:
        by_reason = found.rejects.select(_REASON)["reason"].value_counts(sort=True)
        rejects = "<h3>Rejected rows</h3>" + _by_reason(found.rejects, dict(by_reason.iter_rows()))
    raw = parts.details("The rows as they came", parts.table(found.raw_rows, "Raw rows of the first page"))
    broken = {f"{rule.replace('_', ' ')}": number(count) for rule, count in found.findings.items() if count}
    findings = "<h3>Quality findings</h3>" + parts.facts(broken) if broken else ""
    return _warnings(found) + parts.facts(known) + records + rejects + findings + raw


def _warnings(found: DryRun) -> str:
    return "".join(parts.notice("warn", warning) for warning in found.warnings)


def _by_reason(rows: pl.DataFrame, counts: dict[str, int]) -> str:
    """Give rejects under their reasons, the most frequent first."""
    shown = []
    for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
        some = rows.filter(reason == _REASON).head(_SHOWN_REJECTS).select("page", "row_number", "reason", "raw_row")
        title = f"{reason} ({number(count)})"
        caption = f"{'All' if some.height == count else 'The first'} {number(some.height)} rows, as they came"
        shown.append(parts.details(title, parts.table(some, caption)))
    return "".join(shown)
