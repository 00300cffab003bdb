"""Keeps a broken feed from rewriting the past: how many of the months that the store holds an import may change."""

from __future__ import annotations

from wellprod.errors import TooManyRestatements
from wellprod.text import number

_COMPARED = 1000
"""Old months from which on a share says something."""


def check_restatements(job_id: str, *, compared: int, changed: int, deleted: int, allowed: float) -> None:
    """Stop an import that changes or deletes too large a share of the months that the store held before it.

    Parameters
    ----------
    compared, changed
        Old months that it has met so far, and those of them with other values.
    deleted
        Old months that the feed no longer has, once all of it was read.
    allowed
        The share of old months that may be changed or deleted, 0 to 1.

    Raises
    ------
    TooManyRestatements
        It changes more; `details` has the counts.
    """
    old, touched = compared + deleted, changed + deleted
    if old < _COMPARED or touched <= allowed * old:
        return
    gone = f" and delete {number(deleted)}" if deleted else ""
    raise TooManyRestatements(
        f"The import would change {number(changed)}{gone} of the {number(old)} old months compared so far,"
        f" {100 * touched / old:.1f} %; {100 * allowed:g} % are allowed. It stopped before it stored them.",
        next="WELLPROD_RESTATED_SHARE sets the share. Look whether the feed is sound.",
        job_id=job_id,
        compared_months=old,
        changed_months=changed,
        deleted_months=deleted,
        allowed_share=allowed,
    )
