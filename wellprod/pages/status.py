"""The status page: what is in the store, what runs, what ran, and whether all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from html import escape
from typing import Any

import polars as pl

from wellprod.analysis.overview import Overview, overview
from wellprod.analysis.quality import counts
from wellprod.errors import StoreMissing, WellprodError
from wellprod.health import Check, check_feed, check_health
from wellprod.jobs import Job, Ledger
from wellprod.pages import parts
from wellprod.pages.job import STATUS, JobPanel, describe
from wellprod.pages.watch import watch_jobs
from wellprod.settings import Settings, load_settings
from wellprod.store import Store
from wellprod.text import duration, heading, moment, number, size

_HISTORY = 10
_CHARTED = 20


class StatusPage(parts.Page):
    """Shows how things are, and keeps itself up to date."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._ledger = Ledger(self.settings.jobs_path)
        self._store, self._health, self._chart, self._history, self._range = (parts.Html() for _ in range(5))
        self._job = JobPanel(self.settings, "Nothing is running.")
        self._offset = 0
        guard = parts.guarded(self._history.put)
        self._newer = parts.button("Newer", guard(lambda: self._turn(-_HISTORY)))
        self._older = parts.button("Older", guard(lambda: self._turn(_HISTORY)))
        self._quality = parts.Html()
        look = parts.guarded(self._quality.put)(lambda: self.run(self._show_quality()))
        self._look = parts.button("Check the records", look, hint="Looks at every record; a large store takes a minute")
        self._check = parts.button("Check again", lambda: self.run(self._show_health()))
        self._stored: object = None
        super().__init__(
            parts.section("In the store", self._store),
            parts.section("Running now", self._job),
            parts.section(
                "Data quality", self._quality, parts.row(self._look), lead="Gaps, contradictions, jumps and repeats."
            ),
            parts.section("Health", self._health, parts.row(self._check)),
            parts.section("Speed of imports", self._chart),
            parts.section("History", self._history, parts.row(self._newer, self._older, self._range)),
        )
        self.run(watch_jobs(self._ledger, self._on_jobs, lambda error: self._history.put(parts.problem(error))))
        self.run(self._show_health())

    def _on_jobs(self) -> bool:
        active = self._ledger.active_jobs()
        self._job.job_id = active[0].job_id if active else None
        self._job.refresh()
        self._show_history()
        ended = [job for job in self._ledger.jobs(kind="import", limit=_CHARTED) if not job.is_active]
        if (mark := [(job.job_id, job.runs) for job in ended]) != self._stored:
            self._stored = mark
            self.run(self._show_store(ended))
        return bool(active)

    async def _show_store(self, imports: list[Job]) -> None:
        if not self._store.value:
            self._store.put(parts.bar(None, "Reading the store"))
            self._chart.put(parts.bar(None, "Drawing the chart"))
        try:
            found = await asyncio.to_thread(self._looked_up)
            self._store.put(parts.facts(_store_facts(found, imports, self.settings)))
        except StoreMissing:
            self._store.put(_empty(self.settings))
        except WellprodError as error:
            self._store.put(parts.problem(error))
            self._stored = None  # so that it is tried again
        self._chart.put(await asyncio.to_thread(_speed, imports))

    def _looked_up(self) -> Overview:
        with Store(self.settings.store_path, self.settings.store_wait_seconds).read() as reading:
            return overview(reading)

    async def _show_quality(self) -> None:
        self._look.disabled = True
        self._quality.put(parts.bar(None, "Looking at every record") + "<p>Looking at every record …</p>")
        try:
            self._quality.put(_quality(await asyncio.to_thread(self._counted)))
        except StoreMissing:
            self._quality.put(parts.notice("info", "Nothing is in the store yet, so that there is nothing to check."))
        except WellprodError as error:
            self._quality.put(parts.problem(error))
        finally:
            self._look.disabled = False

    def _counted(self) -> pl.DataFrame:
        with Store(self.settings.store_path, self.settings.store_wait_seconds).read() as reading:
            return counts(reading)

    async def _show_health(self) -> None:
        self._check.disabled = True
        if not self._health.value:
            self._health.put(parts.bar(None, "Checking"))
        checks = await asyncio.to_thread(check_health, self.settings)
        self._check.disabled = False
        if self.settings.feed_url and "://" in self.settings.feed_url:
            self._health.put(_health([*checks, Check("feed", True, "is being asked …")]))
            checks.append(await asyncio.to_thread(check_feed, self.settings.feed_url, self.settings))
        self._health.put(_health(checks))

    def _turn(self, by: int) -> None:
        self._offset = max(self._offset + by, 0)
        self._show_history()

    def _show_history(self) -> None:
        jobs = self._ledger.jobs(limit=_HISTORY + 1, offset=self._offset)
        shown = jobs[:_HISTORY]
        self._newer.disabled = self._offset == 0
        self._older.disabled = len(jobs) <= _HISTORY
        for turn in (self._newer, self._older):
            parts.show(turn, bool(self._offset or len(jobs) > _HISTORY))
        self._range.put(
            f"<p class='wp-aside'>Jobs {self._offset + 1} to {self._offset + len(shown)}</p>" if self._offset else ""
        )
        self._history.put(_history(shown, self._ledger.undone_imports()))


def _store_facts(found: Overview, imports: list[Job], settings: Settings) -> dict[str, str]:
    last = imports[0] if imports else None
    return {
        "Records": number(found.records),
        "Fields": number(found.fields),
        "Wells": number(found.wells),
        "Months": found.months or "none",
        "Reported the last month": f"{number(found.wells_in_last_month)} of {number(found.wells)} wells",
        "Last import": f"{moment(last.completed_at)[:16]}, {last.status.lower()}" if last else "none",
        "Older versions kept": number(found.restated_versions),
        "Rejected rows kept": number(found.rejected_rows),
        "Size on disk": size(settings.store_path.stat().st_size),
        "Sources": ", ".join(found.data_sources) or "none",
        "Where": str(settings.store_path),
    }


def _empty(settings: Settings) -> str:
    link = parts.link(settings, "wellprod/import", "Import a feed or a file")
    return parts.notice(
        "info",
        f"Nothing is in the store yet; it will be made at {settings.store_path}.",
        markup=f" {link}",
    )


def _quality(counted: pl.DataFrame) -> str:
    if counted.is_empty():
        return parts.notice("good", "No rule of data quality is broken.")
    kinds: dict[str, parts.Kind] = {"error": "bad", "warning": "warn", "note": "info"}
    body = "".join(
        f"<tr><th scope='row'>{escape(_titled(row['mark']))}</th>"
        f"<td>{parts.badge(kinds[row['severity']], row['severity'].upper())}</td>"
        f"<td class='wp-figure'>{number(row['marks'])}</td><td class='wp-figure'>{number(row['wells'])}</td>"
        f"<td>{row['first_month']:%Y-%m} to {row['last_month']:%Y-%m}</td>"
        f"<td class='wp-wrap'>{escape(row['words'].capitalize())}</td></tr>"
        for row in counted.iter_rows(named=True)
    )
    titles = ("Rule", "Kind", "Marks", "Wells", "Months", "What it is")
    head = "".join(f"<th scope='col'{' class=wp-figure' if t in ('Marks', 'Wells') else ''}>{t}</th>" for t in titles)
    return parts.scroll(
        "<table class='wp-table'><caption class='wp-hidden'>Data quality by rule</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        "Data quality by rule",
    ) + parts.notice("info", "Each mark with its well and month: wellprod quality --output marks.csv")


def _titled(rule: str) -> str:
    words = heading(rule)[0]
    return words[:1].upper() + words[1:]


def _health(checks: list[Check]) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(check.name.capitalize())}</th>"
        f"<td>{parts.badge('good', 'WELL') if check.is_well else parts.badge('bad', 'NOT WELL')}</td>"
        f"<td class='wp-wrap'>{escape(check.finding)}</td></tr>"
        for check in checks
    )
    return f"<table class='wp-table'><caption class='wp-hidden'>Health</caption><tbody>{rows}</tbody></table>"


def _speed(imports: list[Job]) -> str:
    """Give the chart of how fast the last imports were."""
    from wellprod.analysis.charts import as_svg, import_speed  # altair takes as long to load as all the rest

    timed = [(job.started_at, job.summary.get("performance") or {}) for job in reversed(imports) if job.summary]
    speeds = [(moment(began)[5:16], found.get("average_throughput_per_second")) for began, found in timed]
    rows = [{"label": label, "records_per_second": speed} for label, speed in speeds if speed]
    if not rows:
        return parts.notice("info", "No import has run yet.")
    fastest = max(row["records_per_second"] for row in rows)
    words = f"Records a second of the last {number(len(rows))} imports, at most {number(fastest)}"
    return parts.scroll(as_svg(import_speed(pl.DataFrame(rows)), words), "Speed of imports")


def _history(jobs: list[Job], undone: Container[str]) -> str:
    if not jobs:
        return parts.notice("info", "No job has run yet.")
    body = "".join(f"<tr>{''.join(_history_cells(job, is_undone=job.job_id in undone))}</tr>" for job in jobs)
    titles = ("Started", "Kind", "Status", "Took", "Records", "New", "Restated", "Rejected", "What", "Job")
    figures = {"Took", "Records", "New", "Restated", "Rejected"}
    head = "".join(f"<th scope='col'{' class=wp-figure' if title in figures else ''}>{title}</th>" for title in titles)
    return parts.scroll(
        "<table class='wp-table'><caption class='wp-hidden'>History of jobs</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
        "History of jobs",
    )


def _history_cells(job: Job, *, is_undone: bool) -> list[str]:
    found: dict[str, Any] = job.progress or {}
    badge = parts.badge(STATUS[job.status][1], job.status)
    badge += " undone" if is_undone else ""
    why = f"<br><small>{escape(str(job.error['message'])[:200])}</small>" if job.error else ""
    figures = (found.get(name) for name in ("records_processed", "new_records", "restated_records", "failed_records"))
    return [
        f"<td>{moment(job.started_at or job.created_at)[:16]}</td><td>{escape(job.kind)}</td><td>{badge}</td>",
        f"<td class='wp-figure'>{duration(job.execution_time_seconds)}</td>",
        *(f"<td class='wp-figure'>{number(figure)}</td>" for figure in figures),
        f"<td class='wp-what'>{escape(describe(job))}{why}</td><td><code>{job.job_id[:8]}</code></td>",
    ]
