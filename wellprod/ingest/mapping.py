"""From a page as it came to records and rejects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl

from wellprod.feed.clean import NO_RECORD, REMOVED_KEY, Cleaned, clean
from wellprod.feed.delta import ENTRY, REMOVED
from wellprod.feed.page import Page
from wellprod.feed.profile import Profile
from wellprod.schema import KEY
from wellprod.settings import Settings
from wellprod.store import FigureBasis


def cleaned(page: Page, profile: Profile | None, settings: Settings) -> Cleaned:
    """Give the records and rejects of a page; without a profile, since no row was an object, all are rejects."""
    rows = page.numbered()
    if profile is None:
        lost = rows.select(pl.col("#page").alias("page"), pl.col("#row").alias("row_number"))
        return Cleaned(pl.DataFrame(), lost.with_columns(reason=pl.lit(NO_RECORD)), {})
    today = datetime.now(UTC).date()
    if ENTRY not in rows.columns:
        return clean(rows, profile, reject_rules=settings.reject_rules, today=today)
    entry = pl.col(ENTRY)
    found = clean(rows.filter(entry.is_null()), profile, reject_rules=settings.reject_rules, today=today)
    gone = clean(rows.filter(entry == REMOVED), profile, today=today)
    return replace(found, rejects=pl.concat([found.rejects, _unknown(gone)]), removed=_keys(gone, rows, profile))


def basis_of(profile: Profile) -> FigureBasis:
    """Give what a profile says of the figures of its records."""
    return FigureBasis(profile.name, profile.figures, profile.liquids_include_oil, profile.liquids_include_condensate)


def _unknown(gone: Cleaned) -> pl.DataFrame:
    """Give as rejects what was removed at the source and does not say which record it was."""
    reason = pl.format("removed at the source, but which record is not told: {}", "reason")
    return gone.rejects.with_columns(reason=reason)


def _keys(gone: Cleaned, rows: pl.DataFrame, profile: Profile) -> pl.DataFrame:
    keys = gone.records.select(*REMOVED_KEY)
    column = profile.columns.get("data_source")
    if column is None or not column.property:
        return keys
    told = rows.select(pl.col("#row").alias("row_number"), pl.coalesce(column.property).alias("told"))
    is_told = pl.col("told").is_not_null()
    return (
        keys.join(told, on="row_number", maintain_order="left")
        .with_columns(data_source=pl.when(is_told).then("data_source"))
        .drop("told")
    )


def with_raw_rows(rejects: pl.DataFrame, pages: Sequence[Page]) -> pl.DataFrame:
    """Give rejects with the JSON text of each row as it came, as `raw_row`."""
    of_page = {page.number: page for page in pages}
    parts = [rejects.clear().with_columns(raw_row=pl.lit(None, dtype=pl.String))]
    for (number,), part in rejects.group_by("page", maintain_order=True):
        raw = of_page[int(number)].raw_rows(part["row_number"].to_list())
        parts.append(part.with_columns(raw_row=pl.Series(raw, dtype=pl.String)))
    return pl.concat(parts)


def last_removed(removed: pl.DataFrame, records: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Give the removed keys of a group that no later record of it, by page and row, brings back."""
    place = 2**32 * pl.col("page").cast(pl.Int64) + pl.col("row_number")
    key = ["field_code", "well_code", "production_period"]
    came = pl.concat([rows.select(*key, "page", "row_number") for rows in records]) if records else removed.clear()
    last = came.group_by(key).agg(came_at=place.max())
    return (
        removed.with_columns(gone_at=place)
        .join(last, on=key, how="left")
        .filter(pl.col("gone_at") > pl.col("came_at").fill_null(-1))
        .select(KEY)
    )
