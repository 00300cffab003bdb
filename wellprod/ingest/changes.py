"""Which part of a feed an import that asks for changes reads: what a delta link tells, recent months, or all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

from wellprod.errors import unmask_secrets
from wellprod.feed.profile import find_profile
from wellprod.ingest.request import ImportRequest
from wellprod.settings import Settings
from wellprod.store import Reading, Store, last_note, note_since_undo


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a feed that is read, and why; what is None does not limit it."""

    why: str
    profile: str | None = None
    delta_link: str | None = None
    first_month: str | None = None


def part_to_read(request: ImportRequest, settings: Settings, store: Store) -> Part:
    """Choose what to read of a feed that was read before.

    A delta link of the last import tells all changes. Without one the last `window_months` months are read, up to the
    newest month that the store holds of such records, since a cursor on the month would miss what is restated. What
    is older comes with a whole pass, once the last one lies `full_pass_days` back. Until there was one, all is read; so
    it is after an undo, which may have taken along what an import of this feed had met unchanged.
    """
    if not request.changes:
        return Part("all of it")
    if not store.path.exists():
        return Part("all of it, since nothing was imported before")
    with store.read() as reading:
        if known := note_since_undo(reading, request.feed, "is_complete AND delta_link IS NOT NULL"):
            link = unmask_secrets(known[0].delta_link or "", request.source)
            newest = last_note(reading, request.feed)
            if link and newest and newest[1] <= known[1]:
                when = f"{known[1]:%Y-%m-%d %H:%M} UTC"
                return Part(f"what the feed says has changed since {when}", known[0].profile, delta_link=link)
        whole = note_since_undo(reading, request.feed, "is_whole")
        if whole is None and last_note(reading, request.feed, "is_whole"):
            return Part("all of it, since an import was undone after the last whole pass")
        if whole is None:
            return Part("all of it, since this feed was never read as a whole")
        days = (datetime.now(UTC).replace(tzinfo=None) - whole[1]).days
        if days >= settings.full_pass_days:
            return Part(f"all of it, since the last whole pass was {days:,} days ago")
        profile = find_profile(request.profile or whole[0].profile or "", settings.profiles_path)
        month = _newest_month(reading, profile.name)
    if month is None:
        return Part("all of it, since the store holds no month of this feed")
    if not profile.columns["production_period"].property:
        return Part("all of it, since the feed has year and month apart, which no filter asks for")
    first = _months_before(month, settings.window_months - 1)
    why = f"the last {settings.window_months} months, from {first:%Y-%m} on"
    return Part(why, whole[0].profile, first_month=first.isoformat())


def _newest_month(reading: Reading, profile: str) -> date | None:
    """Give the newest month, of those that have begun, in the data sources that the profile filled."""
    found = reading.value(
        "SELECT max(production_period) FROM production SEMI JOIN data_sources ON"
        " production.data_source = data_sources.data_source AND data_sources.profile = ?"
        " WHERE production_period <= current_date",
        [profile],
    )
    return found if isinstance(found, date) else None


def _months_before(month: date, months: int) -> date:
    years, index = divmod(12 * month.year + month.month - 1 - months, 12)
    return date(years, index + 1, 1)
