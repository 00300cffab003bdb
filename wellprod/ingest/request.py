"""What is asked of an import, checked before a job exists."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from wellprod.errors import UsageError, mask_secrets, unmask_secrets
from wellprod.feed.wire import check_address
from wellprod.settings import PAGE_SIZES, Settings

Accepted = Literal["restatements", "drift"]
"""What an import stops for unless it is accepted."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """One import: what to read, how, and how much of it.

    Parameters
    ----------
    source
        Address of an OData feed, or path of a JSON, CSV, Excel or Parquet file, or of a folder of kept pages.
    profile
        Name of a feed profile or path of a TOML file; None to recognise it from the first page.
    page_size
        Records a page to ask for, 1 to 5000.
    paging
        ``server`` follows next links; ``skip`` sends $skip, $top and $orderby.
    start_page
        First page to read, from 1; needs paging ``skip``, or a file.
    max_pages
        Pages to read at most; None for all.
    since
        First production month, YYYY-MM or YYYY-MM-DD; the feed filters by it.
    changes
        Read only what may have changed since the last import of this feed.
    accept_restatements
        Whether the import may change any share of the months that the store holds.
    accept_drift
        Whether the import goes on where the feed removed or retyped a property that the profile reads.

    Raises
    ------
    UsageError
        A value is not allowed: the message says which, what was given, what is allowed.
    """

    source: str
    profile: str | None = None
    page_size: int = 1000
    paging: Literal["server", "skip"] = "server"
    start_page: int = 1
    max_pages: int | None = None
    since: str | None = None
    changes: bool = False
    accept_restatements: bool = False
    accept_drift: bool = False

    def __post_init__(self) -> None:
        if self.is_file:
            _expanded(self.source)
        else:
            check_address(self.source)
            if self.paging == "skip" and re.search(r"[?&](\$|%24)(top|skip)=", self.source):
                raise UsageError(
                    "The address has a $top or $skip of its own, which paging 'skip' sets.",
                    next="Take it out, or choose paging 'server'; max pages reads a part.",
                )
        if self.page_size not in PAGE_SIZES:
            raise UsageError(f"page size {self.page_size} is not allowed; it must be from 1 to 5000.")
        if self.paging not in ("server", "skip"):
            raise UsageError(f"paging {self.paging!r} is not allowed; it must be 'server' or 'skip'.")
        if self.start_page < 1:
            raise UsageError(f"start page {self.start_page} is not allowed; it must be 1 or more.")
        if self.max_pages is not None and self.max_pages < 1:
            raise UsageError(f"max pages {self.max_pages} is not allowed; it must be 1 or more.")
        if self.start_page > 1 and self.paging == "server" and not self.is_file:
            raise UsageError(
                f"start page {self.start_page} needs pages with numbers.",
                next="Choose paging 'skip', or start at page 1.",
            )
        if self.since is not None:
            if self.is_file:
                raise UsageError("since asks the feed to filter; a file cannot.", next="Leave since out.")
            if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])(-01)?", self.since):
                raise UsageError(f"since {self.since!r} is not allowed; it must be a month such as 2024-01.")
        if self.changes and (self.is_file or self.since or self.start_page > 1):
            given = "a file" if self.is_file else "since" if self.since else "a start page"
            raise UsageError(
                f"changes reads what may have changed in a feed; it does not go with {given}.", next="Leave one out."
            )

    @classmethod
    def from_settings(cls, settings: Settings, source: str | None = None, **given: Any) -> ImportRequest:
        """Make a request of what is `given`; source, profile and page size that are None come from the settings.

        Raises
        ------
        UsageError
            There is no source, or a value is not allowed.
        """
        address = source or settings.feed_url
        if address is None:
            raise UsageError(
                "There is nothing to import.",
                next="Give a feed or a file, such as: wellprod import URL; or set WELLPROD_FEED_URL.",
            )
        given["profile"] = given.get("profile") or settings.feed_profile
        if given.get("page_size") is None:
            given["page_size"] = settings.page_size
        return cls(address, **given)

    @property
    def is_file(self) -> bool:
        """Whether the source is a file and not an address."""
        return "://" not in self.source

    @property
    def feed(self) -> str:
        """What tells this feed from others: a file by its path, an address by host, path and options of its own.

        Options of OData, which begin with a dollar sign, do not make another feed; the values of secret ones are
        masked.
        """
        if self.is_file:
            return str(_expanded(self.source).resolve())
        parts = urlsplit(mask_secrets(self.source))
        options = sorted(
            (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name[:1] != "$"
        )
        query = f"?{urlencode(options)}" if options else ""
        return f"{(parts.hostname or '').lower()}{parts.path.rstrip('/')}{query}"

    @property
    def profile_told(self) -> str | None:
        """What `find_profile` finds the profile by from any folder: its name, or the whole path of its file."""
        is_path = self.profile is not None and self.profile.endswith(".toml")
        return str(_expanded(self.profile or "").resolve()) if is_path else self.profile

    @property
    def is_part(self) -> bool:
        """Whether only a part of what the feed has is asked for, apart from `changes`; a file may always be a part."""
        limited = self.max_pages is not None or self.start_page > 1 or self.since is not None
        return limited or self.is_file or bool(_OPTION_OF_A_PART.search(self.source))

    @property
    def first_month(self) -> str | None:
        """The first day of the month `since`."""
        return f"{self.since[:7]}-01" if self.since else None

    def as_parameters(self) -> dict[str, Any]:
        """Give it as a job row keeps it: a file by its whole path, an address without its secrets."""
        source = str(_expanded(self.source).resolve()) if self.is_file else mask_secrets(self.source)
        return {**asdict(self), "source": source, "profile": self.profile_told}

    @classmethod
    def from_parameters(cls, parameters: dict[str, Any], settings: Settings) -> ImportRequest:
        """Make it again from a job row; what was hidden in the address is taken from WELLPROD_FEED_URL.

        Raises
        ------
        UsageError
            The address had a secret part and WELLPROD_FEED_URL is not that address.
        """
        masked, whole = parameters["source"], settings.feed_url or ""
        same = _place(mask_secrets(whole)) == _place(masked)  # a secret goes nowhere but to where it was set for
        source = unmask_secrets(masked, whole if same else "")
        if source is None:
            raise UsageError(
                f"The address of this job, {masked}, had a secret part, which is not kept.",
                next="Set WELLPROD_FEED_URL to the whole address, then resume again.",
            )
        return cls(**{**parameters, "source": source})


_OPTION_OF_A_PART = re.compile(r"(?i)[?&](\$|%24)?(filter|top|skip|search|apply|skiptoken|deltatoken)=")


def _place(address: str) -> str:
    """Give an address without its query."""
    return address.partition("?")[0]


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(f"{path!r} names the home of somebody who is not here.", next="Give the whole path.") from None
