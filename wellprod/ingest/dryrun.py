"""The first page of a feed or a file, as an import would read it, with nothing stored."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass

import polars as pl

from wellprod.feed.clean import check_rules
from wellprod.feed.page import FailedPage
from wellprod.ingest.mapping import cleaned, with_raw_rows
from wellprod.ingest.request import ImportRequest
from wellprod.ingest.source import Source, first_place
from wellprod.ingest.state import ImportState
from wellprod.schema import CONTENT
from wellprod.settings import Settings
from wellprod.text import duration, html_pairs, html_table, number

_REJECTS_SHOWN = 10

_ATTEMPTS = 2  # somebody waits for it


@dataclass(frozen=True, slots=True, repr=False)
class DryRun:
    """What the first page holds.

    `raw_rows` has row_number and raw_row, the JSON text; `records` the columns of the record but for its stamps;
    `rejects` page, row_number, reason and raw_row. `expected_records` is the feed's own count, `seconds` the time
    that the page took.
    """

    profile: str | None
    raw_rows: pl.DataFrame
    records: pl.DataFrame
    rejects: pl.DataFrame
    findings: dict[str, int]
    warnings: tuple[str, ...]
    expected_records: int | None
    seconds: float

    @property
    def rows(self) -> int:
        """Rows of the page."""
        return self.records.height + self.rejects.height

    @property
    def expected_pages(self) -> int | None:
        """Pages that the whole import would have, if all were as long as this one."""
        return math.ceil(self.expected_records / self.rows) if self.expected_records and self.rows else None

    def as_pairs(self) -> dict[str, str]:
        """Give it as people read it."""
        count, pages = self.expected_records, self.expected_pages
        whole = f"{number(count)} records{f', {number(pages)} pages' if pages else ''}" if count is not None else ""
        pairs = {
            "Profile": self.profile or "none",
            "First page": f"{number(self.rows)} rows in {duration(self.seconds)}",
            "Records": number(self.records.height),
            "Rejected": number(self.rejects.height),
            "Findings": ", ".join(f"{name} ({number(n)})" for name, n in self.findings.items()),
            "The whole": whole,
            "Warnings": " ".join(self.warnings),
            "Stored": "nothing; this was a dry run",
        }
        return {name: text for name, text in pairs.items() if text}

    def __repr__(self) -> str:
        found = f"{number(self.records.height)} records, {number(self.rejects.height)} rejected"
        return f"<DryRun of one page: {found}, profile {self.profile}; nothing stored>"

    def _repr_html_(self) -> str:
        shown = self.rejects.head(_REJECTS_SHOWN)
        rows = [tuple("" if value is None else str(value) for value in row) for row in shown.iter_rows()]
        figures = [kind.is_numeric() for kind in shown.dtypes]
        rejects = html_table([name.replace("_", " ") for name in shown.columns], rows, figures=figures) if rows else ""
        return html_pairs(self.as_pairs()) + rejects


def dry_run(request: ImportRequest, settings: Settings, *, shown_rows: int = 20) -> DryRun:
    """Read the first page that the import would read, and map it; no job is made and nothing is stored.

    Parameters
    ----------
    shown_rows
        Raw rows to give at most; records and rejects are given whole.

    Raises
    ------
    FeedError
        The page cannot be had, or is none.
    ProfileError, SettingsError
        No profile fits, the one asked for does not, or a rule that rejects is none.
    """
    check_rules(settings.reject_rules)
    patience = {"page_size": request.page_size, "feed_attempts": min(settings.feed_attempts, _ATTEMPTS)}
    source = Source(request, settings.model_copy(update=patience), lambda _: None)
    with closing(source):
        page = next(source.pages(ImportState(place=first_place(request))), None)
        if isinstance(page, FailedPage):
            raise page.error
        if page is None:
            nothing = pl.DataFrame()
            return DryRun(source.profile_name, nothing, nothing, nothing, {}, tuple(source.warnings), source.count, 0.0)
        mapped = cleaned(page, source.profile, settings)
        shown = list(range(min(page.rows.height, shown_rows)))
        return DryRun(
            profile=source.profile_name,
            raw_rows=pl.DataFrame({"row_number": shown, "raw_row": page.raw_rows(shown)}),
            records=mapped.records.select(name for name in CONTENT if name in mapped.records.columns),
            rejects=with_raw_rows(mapped.rejects, [page]),
            findings=mapped.findings,
            warnings=tuple(source.warnings),
            expected_records=source.count,
            seconds=page.seconds,
        )
