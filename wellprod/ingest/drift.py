"""What a feed's own description says of its records, against what it said at the import before."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from wellprod.errors import FeedDrift, FeedUnreadable
from wellprod.feed.metadata import Drift, EntityType, drift, read_entity_type
from wellprod.feed.profile import Profile
from wellprod.ingest.request import ImportRequest
from wellprod.log import get_logger
from wellprod.store import Store, last_note


@dataclass(frozen=True, slots=True)
class Described:
    """The entity type of a feed's records, where it could be had, and what differs from the one before."""

    entity_type: EntityType | None = None
    drift: Drift = field(default_factory=Drift)
    unmapped: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Give it as a job keeps it: hash, added, removed, retyped and unmapped."""
        return {
            "hash": self.entity_type.hash if self.entity_type else None,
            "added": list(self.drift.added),
            "removed": list(self.drift.removed),
            "retyped": [{"property": name, "before": before, "now": now} for name, before, now in self.drift.retyped],
            "unmapped": list(self.unmapped),
        }

    def as_text(self) -> str | None:
        """Give the entity type as the store keeps it."""
        return self.entity_type.to_text() if self.entity_type else None

    def warnings(self) -> list[str]:
        """Say what has changed since the import before."""
        told = {
            "has added": ", ".join(self.drift.added),
            "no longer has": ", ".join(self.drift.removed),
            "has retyped": ", ".join(_retyped(self.drift)),
        }
        return [f"Since the last import the feed {did} {names}." for did, names in told.items() if names]


def known_type(store: Store, request: ImportRequest) -> EntityType | None:
    """Give the entity type that the last import of a feed met, if that told one."""
    if request.is_file or not store.path.exists():
        return None
    with store.read() as reading:
        known = last_note(reading, request.feed, "is_complete AND entity_type IS NOT NULL")
    return EntityType.from_text(known[0].entity_type) if known and known[0].entity_type else None


def describe(
    body: bytes | None, entity_set: str, profile: Profile, found: Collection[str], known: EntityType | None
) -> Described:
    """Read the description of an entity set, and compare it with the one that is `known`.

    Parameters
    ----------
    body
        The `$metadata` document; None where there is none. One that cannot be read is as good as none.
    found
        Properties of the first records, which tell what is unmapped where the description does not.
    """
    now = None
    try:
        now = read_entity_type(body, entity_set) if body else None
    except FeedUnreadable as error:
        get_logger().info("metadata_not_read", reason=error.message)
    names: Iterable[str] = (each.name for each in now.properties) if now else sorted(found)
    unmapped = tuple(n for n in names if n not in profile.properties and "@" not in n and not n.startswith("__"))
    return Described(now, drift(known, now) if known and now else Drift(), unmapped)


def check_drift(described: Described, profile: Profile) -> None:
    """Refuse to read on where what the profile reads was removed, under each name that it may have, or retyped.

    Raises
    ------
    FeedDrift
        It was; `details` has removed and retyped.
    """
    left = {each.name for each in described.entity_type.properties} if described.entity_type else set()
    groups = [names for column in profile.columns.values() for names in column.needs if not left.intersection(names)]
    removed = [name for name in described.drift.removed if any(name in names for names in groups)]
    mapped = Drift(retyped=tuple(each for each in described.drift.retyped if each[0] in profile.properties))
    if removed or mapped:
        what = [*(f"{name} was removed" for name in removed), *_retyped(mapped)]
        raise FeedDrift(
            f"The feed has changed what profile {profile.name!r} reads: {'; '.join(what)}. Nothing was stored.",
            next="Correct the profile, or ask the feed's operator.",
            removed=removed,
            retyped=_retyped(mapped),
        )


def _retyped(found: Drift) -> list[str]:
    return [f"{name} from {before} to {now}" for name, before, now in found.retyped]
