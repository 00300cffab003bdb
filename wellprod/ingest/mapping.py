"""From a page as it came to records and rejects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from wellprod.feed.clean import NO_RECORD, Cleaned, clean
from wellprod.feed.page import Page
from wellprod.feed.profile import Profile
from wellprod.settings import Settings


def cleaned(page: Page, profile: Profile | None, settings: Settings) -> Cleaned:
    """Give the records and rejects of a page; without a profile, since no row was an object, all are rejects."""
    rows = page.numbered()
    if profile is None:
        lost = rows.select(pl.col("#page").alias("page"), pl.col("#row").alias("row_number"))
        return Cleaned(pl.DataFrame(), lost.with_columns(reason=pl.lit(NO_RECORD)), {})
    return clean(rows, profile, reject_rules=settings.reject_rules, today=datetime.now(UTC).date())


def with_raw_rows(rejects: pl.DataFrame, pages: Sequence[Page]) -> pl.DataFrame:
    """Give rejects with the JSON text of each row as it came, as `raw_row`."""
    of_page = {page.number: page for page in pages}
    parts = [rejects.clear().with_columns(raw_row=pl.lit(None, dtype=pl.String))]
    for (number,), part in rejects.group_by("page", maintain_order=True):
        raw = of_page[int(number)].raw_rows(part["row_number"].to_list())
        parts.append(part.with_columns(raw_row=pl.Series(raw, dtype=pl.String)))
    return pl.concat(parts)
