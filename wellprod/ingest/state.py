"""How far an import is: kept in the store in the same transaction as the records it counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from wellprod.feed.page import Place
from wellprod.store import Store, load_cursor

_KEPT_ERRORS = 1000


@dataclass(slots=True)
class ImportState:
    """What one import has read and stored so far, over all its runs.

    total = processed + failed records; processed = new + duplicate + restated. `part` is what is read of the feed:
    ``all``, a ``window`` from `first_month` on, or the changes that a ``delta`` link tells; `part_told` says it in
    words. `schema` is what `$metadata` said: hash, added, removed, retyped and unmapped properties; `entity_type` is
    that as the store keeps it. `is_steady` says that the feed's own count stayed what it was at the first page.
    `compared` counts the records met that the store held before, `changed` those of them that were restated, `deleted`
    those that the feed no longer has.
    """

    place: Place = field(default_factory=Place)
    part: str = "all"
    part_told: str = ""
    first_month: str | None = None
    profile: str | None = None
    is_complete: bool = False
    expected_records: int | None = None
    is_steady: bool = True
    pass_records: int = 0
    pages: int = 0
    failed_pages: int = 0
    total: int = 0
    new: int = 0
    duplicate: int = 0
    restated: int = 0
    failed: int = 0
    compared: int = 0
    changed: int = 0
    deleted: int = 0
    peak_memory_mb: float = 0.0
    elapsed_seconds: float = 0.0
    request_seconds: float = 0.0
    database_seconds: float = 0.0
    reject_reasons: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    schema: dict[str, Any] = field(default_factory=dict)
    entity_type: str | None = None
    file_mark: str | None = None
    kept_pages: str | None = None

    def to_text(self) -> str:
        """Write it as JSON."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> ImportState:
        """Read it back."""
        values = orjson.loads(text)
        return cls(**{**values, "place": Place(**values["place"])})

    @property
    def processed(self) -> int:
        """Records that are in the store now."""
        return self.new + self.duplicate + self.restated

    @property
    def read_all(self) -> bool:
        """Whether the import read all that the feed has, but for what was asked for itself."""
        return self.is_complete and self.part == "all" and not self.failed_pages and not self.missing_records()

    def warn(self, text: str) -> None:
        """Add a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def add_error(self, error: dict[str, Any]) -> None:
        """Add the error of a page that failed for good."""
        if len(self.errors) < _KEPT_ERRORS:
            self.errors.append(error)

    def add_rejects(self, reasons: Iterable[str]) -> None:
        """Add rejects, counted by their reason without its value."""
        for reason in reasons:
            self.failed += 1
            _count(self.reject_reasons, reason.partition(":")[0], 1)

    def add_findings(self, findings: Mapping[str, int]) -> None:
        """Add breaches of quality rules."""
        for rule, count in findings.items():
            _count(self.findings, rule, count)

    def total_pages(self) -> int | None:
        """Give the pages there are: all that were read at the end, an estimate from the feed's count before."""
        seen = self.pages + self.failed_pages
        if self.is_complete or not self.expected_records or not self.pages or not self.pass_records:
            return seen if self.is_complete else None
        to_come = max(self.expected_records - self.pass_records, 0)
        return seen + math.ceil(to_come / (self.total / self.pages))

    def missing_records(self) -> int:
        """Give how many records fewer came than the feed had counted."""
        return max((self.expected_records or 0) - self.pass_records, 0)


def saved_state(store: Store, job_id: str) -> ImportState | None:
    """Give how far the import `job_id` was at its last commit, or None when it has committed nothing."""
    text = load_cursor(store, job_id)
    return ImportState.from_text(text) if text else None


def _count(counts: dict[str, int], name: str, count: int) -> None:
    counts[name] = counts.get(name, 0) + count
