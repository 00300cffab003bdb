"""The errors of wellprod, and the one function that keeps secrets out of what people read.

WellprodError                      exit code 1
├── UsageError                     the caller gave something that is not allowed; exit code 2
│   ├── SettingsError              a WELLPROD_* setting
│   ├── ProfileError               a feed profile
│   ├── PresetError                an export preset
│   ├── GroupsError                the file of names and groups
│   ├── TooLarge                   a file or a request above a limit
│   └── SelectionError             a saved selection, a field, well or month that is not there
│       └── NotThere               a field or well without a record, or a selection that was not saved
├── FeedError                      the source of records
│   ├── FeedUnreachable            no answer, or none in time
│   ├── FeedRefused                an HTTP status that says no
│   │   └── FeedSignInRefused      401 or 403: no page will be given
│   ├── FeedUnreadable             an answer that is no page of records
│   ├── FeedPageTooLarge           a page above the size limit
│   ├── FeedLinkRefused            a next link that leads elsewhere or in a circle
│   └── FeedDrift                  a property that the profile reads was removed or retyped
├── StoreError                     the DuckDB file
│   ├── StoreMissing               nothing was imported yet
│   ├── StoreBusy                  another process holds the file
│   ├── StoreFull                  the disk is full, or may not be written
│   └── StoreTooNew                a newer wellprod made the file
├── JobError
│   ├── BusinessRuleViolation      a rule of the workbench, such as one import at a time
│   ├── ImportFailed               an import that did not come to its end
│   ├── TooManyRestatements        an import that would change too large a share of the months that are stored
│   └── JobNotFound                no job has this id
├── ReportError                    a notebook whose run could not be kept
└── ExportError                    a file that could not be written
    └── ExportFull                 for want of room on the disk
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

_SECRET_PARAMETER = re.compile(r"(?i)([?&](?!\$)[^=&]*(?:key|token|secret|sig|pass|pwd|auth|code)[^=&]*)=([^&\s'\"]+)")
_QUERY = re.compile(r"(?i)(\bhttps?://[^\s?'\"]+)\?[^\s'\"]*")
_USERINFO = re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)[^/\s@]+@")
_AUTHORIZATION = re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/._~=-]{6,}")

HIDDEN = "***"


def mask_secrets(url: str) -> str:
    """Give `url` with its user part and the values of secret-like query parameters hidden, the rest kept."""
    return _SECRET_PARAMETER.sub(rf"\g<1>={HIDDEN}", _USERINFO.sub(r"\1", url))


def mask_secrets_of(origin: str, url: str) -> str:
    """Give `url` with the secret-like query values of `origin` hidden wherever it repeats them."""
    for name, value in _SECRET_PARAMETER.findall(origin):
        url = url.replace(f"{name[1:]}={value}", f"{name[1:]}={HIDDEN}")
    return url


def unmask_secrets(url: str, origin: str) -> str | None:
    """Give `url` with its hidden values taken from `origin`; None when one of them is not there.

    Whether `url` leads to where the values may go is for the caller to know.
    """
    for name in re.findall(rf"[?&]([^=&]+)={re.escape(HIDDEN)}", url):
        found = re.search(rf"[?&]{re.escape(name)}=([^&]*)", origin)
        if found is None or found[1] == HIDDEN:
            return None
        url = url.replace(f"{name}={HIDDEN}", f"{name}={found[1]}", 1)
    return url


def redact(text: str) -> str:
    """Give `text` fit for a log, an error or a job row: no user part, no query in a link, no sign-in header."""
    text = _USERINFO.sub(r"\1", text)
    text = _QUERY.sub(r"\1", text)
    return _AUTHORIZATION.sub(rf"\1 {HIDDEN}", text)


class WellprodError(Exception):
    """Any failure that wellprod foresees: what happened with which value, and what to do next."""

    code: ClassVar[str] = "ERROR"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, next: str = "", **details: Any) -> None:
        self.message = redact(message)
        self.next = redact(next)
        self.details = details
        super().__init__(f"{self.message} {self.next}".strip())

    def as_dict(self) -> dict[str, Any]:
        """Give code, message, next step and details as plain values, for JSON and job rows."""
        return {"code": self.code, "message": self.message, "next": self.next, **self.details}

    def _render_traceback_(self) -> list[str]:
        """Give what IPython shows in place of a traceback: what happened, and what to do next."""
        red, bold, plain = "\x1b[1;31m", "\x1b[1m", "\x1b[0m"
        told = [f"{red}{type(self).__name__}:{plain} {self.message}"]
        return [*told, f"{bold}Next:{plain} {self.next}"] if self.next else told


class UsageError(WellprodError):
    """The caller gave a value that is not allowed."""

    code = "VALIDATION_ERROR"
    exit_code = 2


class SettingsError(UsageError):
    """A setting from the environment has a value that is not allowed."""


class ProfileError(UsageError):
    """A feed profile is wrong, unknown, or does not fit the feed."""


class PresetError(UsageError):
    """An export preset is wrong or unknown."""


class GroupsError(UsageError):
    """The file of names and groups cannot be read or is wrong."""


class TooLarge(UsageError):
    """A file or a request is above a limit."""

    code = "TOO_LARGE"


class SelectionError(UsageError):
    """A saved selection is not there or wrong, or a selection names a field, well or month that is not there."""


class NotThere(SelectionError):
    """The store has no record of a field or well, by code or by name."""

    code = "NOT_FOUND"


class FeedError(WellprodError):
    """The source of records failed."""

    code = "EXTERNAL_API_ERROR"


class FeedUnreachable(FeedError):
    """The feed did not answer, or not in time."""

    code = "FEED_UNREACHABLE"


class FeedRefused(FeedError):
    """The feed answered with an HTTP status that says no."""

    code = "FEED_REFUSED"


class FeedSignInRefused(FeedRefused):
    """The feed does not accept the credentials, or wants some."""

    code = "FEED_SIGN_IN_REFUSED"


class FeedUnreadable(FeedError):
    """The answer of the feed, or the file, is no page of records."""

    code = "FEED_UNREADABLE"


class FeedPageTooLarge(FeedError):
    """A page of the feed is above the size limit."""

    code = "FEED_PAGE_TOO_LARGE"


class FeedLinkRefused(FeedError):
    """A next link leads to another origin, or to a page that was read already."""

    code = "FEED_LINK_REFUSED"


class FeedDrift(FeedError):
    """The feed has removed or retyped a property that the profile reads."""

    code = "FEED_DRIFT"


class StoreError(WellprodError):
    """The store could not do what was asked."""

    code = "STORE_ERROR"


class StoreMissing(StoreError):
    """There is no store yet at this place, or it has no records table."""

    code = "STORE_MISSING"


class StoreBusy(StoreError):
    """Another process holds the store for longer than the wait allows."""

    code = "STORE_BUSY"


class StoreFull(StoreError):
    """The disk is full, or the folder may not be written."""

    code = "STORE_FULL"


class StoreTooNew(StoreError):
    """A newer version of wellprod made this store."""

    code = "STORE_TOO_NEW"


class JobError(WellprodError):
    """A job could not do what was asked."""

    code = "JOB_ERROR"


class BusinessRuleViolation(JobError):
    """A rule of the workbench forbids this now."""

    code = "BUSINESS_RULE_VIOLATION"


class ImportFailed(JobError):
    """An import failed or was stopped; what it stored until then is whole."""

    code = "IMPORT_FAILED"


class TooManyRestatements(JobError):
    """An import would change a larger share of the months that the store holds than is allowed."""

    code = "TOO_MANY_RESTATEMENTS"


class JobNotFound(JobError):
    """No job has this id."""

    code = "NOT_FOUND"
    exit_code = 2


class ExportError(WellprodError):
    """A file could not be written."""

    code = "EXPORT_ERROR"


class ExportFull(ExportError):
    """The disk has no room for a file."""

    code = "STORE_FULL"


class ReportError(WellprodError):
    """The folder of the reports cannot be written."""

    code = "REPORT_ERROR"
