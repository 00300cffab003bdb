"""The settings: one frozen object, read from `WELLPROD_*` once, at the entry point, and passed in from there."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    PrivateAttr,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from wellprod.errors import SettingsError, redact

PAGE_SIZES = range(1, 5001)
PREFIX = "WELLPROD_"


CREDENTIALS_FILE = "credentials.env"
_CREDENTIALS = ("feed_user", "feed_password", "feed_token", "feed_api_key")
_BYTES = TypeAdapter(ByteSize)


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


def project_folder(start: Path | None = None) -> Path:
    """Give the nearest folder with a `notebooks/` upward from `start` (the working folder), else `start`."""
    start = (start or Path.cwd()).resolve()
    return next((folder for folder in (start, *start.parents) if (folder / "notebooks").is_dir()), start)


def default_home(start: Path | None = None) -> Path:
    """Give `data/` in the project folder."""
    return project_folder(start) / "data"


class Settings(BaseSettings):
    """Where things are, how the feed is read, and how much memory, time and patience each part has."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    home: Path = Field(default_factory=default_home, description="Folder of the store, the jobs and the exports")
    notebooks: Path = Field(
        default_factory=lambda: project_folder() / "notebooks", description="Folder of the notebooks and dashboards"
    )
    reports: Path | None = Field(
        None, description="Folder of the executed notebooks; `reports/` beside the home if unset"
    )
    server_path: str = Field("/", description="Path under which the Jupyter server answers; the server sets it")

    feed_url: str | None = Field(None, description="Feed or file that `import` reads when it is given none")
    feed_profile: str | None = Field(None, description="Profile of the feed; recognised from the first page if unset")
    feed_user: str | None = Field(None, description="User for basic sign-in")
    feed_password: SecretStr | None = Field(None, description="Password for basic sign-in")
    feed_token: SecretStr | None = Field(None, description="Bearer token")
    feed_api_key: SecretStr | None = Field(None, description="API key, sent in `WELLPROD_FEED_API_KEY_HEADER`")
    feed_api_key_header: str = Field("X-API-Key", description="Header that carries the API key")
    feed_allowed_origins: Names = Field(
        (),
        description="Further origins that a next link may lead to: `https://host:port`, comma between them",
    )
    feed_timeout_seconds: float = Field(30.0, gt=0, description="Longest time for one request, whole")
    feed_attempts: int = Field(6, ge=1, description="Attempts a page before it counts as failed")
    feed_retry_seconds: float = Field(0.5, ge=0, description="First wait before a further attempt; it doubles")
    feed_retry_max_seconds: float = Field(60.0, ge=0, description="Longest wait, also when the feed asks for more")
    feed_delay_seconds: float = Field(
        0.0, ge=0, description="Least time from the start of one request to that of the next, over all lanes"
    )
    feed_lanes: int = Field(2, ge=1, le=32, description="Pages fetched side by side with paging `skip`; 1 for none")
    feed_pages_max: int = Field(100_000, ge=1, description="Pages after which an import ends as endless")
    window_months: int = Field(24, ge=1, description="Recent months that an import of changes reads again")
    full_pass_days: int = Field(90, ge=1, description="Days after which an import of changes reads the whole feed")
    page_size: int = Field(1000, description="Records a page to ask for, 1 to 5000")
    page_limit_mb: int = Field(256, ge=1, description="Largest page accepted, in MB once decoded")

    keep_pages: bool = Field(False, description="Keep each page of an import as it came, in `pages/JOB/` of the home")

    group_records: int = Field(25_000, ge=1, description="Records in one transaction of an import")
    group_seconds: float = Field(2.0, gt=0, description="Longest time to collect records for one transaction")
    import_timeout_seconds: float | None = Field(None, gt=0, description="Longest time for one run of an import")
    reject_rules: Names = Field(
        (), description="Quality rules whose breach rejects a record: `negative_rate,future_month`"
    )

    restated_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Share of the old months it meets that an import may change or delete",
    )

    store_wait_seconds: float = Field(60.0, gt=0, description="Longest wait for the store while others use it")
    store_memory: str = Field("64MB", description="Memory that the store may use to merge one group")

    export_batch_records: int = Field(100_000, ge=1000, description="Records in one batch of an export")
    export_memory: str = Field("6GB", description="Memory that an export may use")
    export_threads: int = Field(4, ge=1, description="Threads that an export may use")
    exports_at_once: int = Field(16, ge=1, description="Exports that may run in the background at once")
    export_target: str | None = Field(
        None, description="Folder or `s3://bucket/prefix` of the exports in the background; `downloads/` if unset"
    )
    export_timeout_seconds: float = Field(3600.0, gt=0, description="Longest time for one export")
    export_link_seconds: int = Field(3600, ge=1, le=604_800, description="Life of a link to an exported file")
    export_after_import: bool = Field(False, description="Refresh `wells_prod.csv` after each completed import")

    upload_limit_mb: int = Field(2048, ge=1, description="Largest file taken from a browser or a program, in MB")

    api_token: SecretStr | None = Field(
        None, description="Bearer token of the REST API; `serve` makes one for its own life if unset"
    )
    api_wait_seconds: float = Field(5.0, gt=0, description="Longest wait of the REST API for the store, then 503")
    api_allowed_origins: Names = Field(
        (), description="Origins of web pages that may call the REST API: `https://host:port`, comma between them"
    )
    reports_kept: int = Field(24, ge=1, description="Runs of each report to keep, with HTML and PDF; older ones go")
    report_notify: SecretStr | None = Field(
        None, description="Where to send a message about a report: Apprise addresses, comma between them"
    )
    report_notify_on: Literal["failed", "always"] = Field(
        "failed", description="Runs of a report to send a message about: `failed` or `always`"
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("WARNING", description="Least level logged")
    log_format: Literal["console", "json"] = Field("console", description="Form of the log lines on stderr")

    request_id: str | None = Field(
        None, description="Id of the request that a background job was started by, for its log; the server sets it"
    )

    _from_file: bool = PrivateAttr(default=False)

    @field_validator("home", "notebooks", "reports")
    @classmethod
    def _absolute(cls, folder: Path | None) -> Path | None:
        return folder.expanduser().resolve() if folder else None

    @field_validator("page_size")
    @classmethod
    def _in_range(cls, page_size: int) -> int:
        if page_size not in PAGE_SIZES:
            raise ValueError(f"page size {page_size} is not allowed; it must be from 1 to 5000")
        return page_size

    @field_validator("feed_token", "feed_api_key", "api_token")
    @classmethod
    def _fit_for_a_header(cls, secret: SecretStr | None) -> SecretStr | None:
        text = secret.get_secret_value().strip() if secret else ""
        if not (text.isascii() and text.isprintable()):
            raise ValueError("it holds a character that no header can carry")
        return SecretStr(text) if text else None

    @field_validator("api_allowed_origins")
    @classmethod
    def _origins(cls, origins: Names) -> Names:
        for origin in origins:
            if not re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", origin):
                raise ValueError(f"{origin!r} is no origin, such as https://app.example.com or http://localhost:3000")
        return origins

    @field_validator("feed_api_key_header")
    @classmethod
    def _header_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9-]+", name):
            raise ValueError(f"{name!r} is no name of a header")
        return name

    @field_validator("store_memory", "export_memory")
    @classmethod
    def _memory(cls, amount: str) -> str:
        bytes_of(amount)
        return amount

    @property
    def store_path(self) -> Path:
        """The DuckDB file."""
        return self.home / "wells_production.duckdb"

    @property
    def jobs_path(self) -> Path:
        """The SQLite file of the job ledger."""
        return self.home / "jobs.sqlite"

    @property
    def downloads_path(self) -> Path:
        """The folder of the exports that pages and programs fetch."""
        return self.home / "downloads"

    @property
    def shelf_path(self) -> Path:
        """The folder of the files that are made once for each selection and state of the records."""
        return self.home / "shelf"

    @property
    def work_path(self) -> Path:
        """The folder of what exports need only while they run."""
        return self.home / "work"

    @property
    def link_key_path(self) -> Path:
        """The file of the secret that signs links to exported files."""
        return self.home / "link.key"

    @property
    def selections_path(self) -> Path:
        """The folder of the saved selections."""
        return self.home / "selections"

    @property
    def presets_path(self) -> Path:
        """The folder of the user's own export presets."""
        return self.home / "presets"

    @property
    def uploads_path(self) -> Path:
        """The folder of the feeds that came through the browser as files."""
        return self.home / "uploads"

    @property
    def pages_path(self) -> Path:
        """The folder of the pages that imports keep, a folder a job."""
        return self.home / "pages"

    @property
    def reports_path(self) -> Path:
        """The folder of the executed notebooks and their HTML."""
        return self.reports or self.home.parent / "reports"

    @property
    def csv_path(self) -> Path:
        """The default target of the CSV export."""
        return self.home / "wells_prod.csv"

    @property
    def profiles_path(self) -> Path:
        """The folder of the user's own feed profiles."""
        return self.home / "profiles"

    @property
    def credentials_path(self) -> Path:
        """The file of the feed's credentials, for those who do not set them in the environment."""
        return self.home / CREDENTIALS_FILE

    @property
    def sign_in(self) -> str:
        """How the feed is signed in to and where that comes from, without the secret."""
        if self.feed_token:
            kind = "a bearer token"
        elif self.feed_user or self.feed_password:
            kind = f"user {self.feed_user} with a password"
        elif self.feed_api_key:
            kind = f"an API key in {self.feed_api_key_header}"
        else:
            return "none"
        return f"{kind}, from {self.credentials_path if self._from_file else 'the environment'}"

    def as_environment(self) -> dict[str, str]:
        """Give the home and all that was set as `WELLPROD_*` variables, secrets too, for a process to start.

        Credentials from the file stay there, where that process finds them too.
        """
        filed = _CREDENTIALS if self._from_file else ()
        names = {"home", "notebooks", *self.model_fields_set}.difference(filed)
        given = {name: getattr(self, name) for name in sorted(names)}
        return {f"{PREFIX}{name.upper()}": _as_text(value) for name, value in given.items() if value is not None}

    def process_environment(self, **changes: str | None) -> dict[str, str]:
        """Give the whole environment for a process started from here, with `changes` to the settings."""
        changed = {f"{PREFIX}{name.upper()}": value for name, value in changes.items() if value is not None}
        return {**os.environ, **self.as_environment(), **changed}


def _as_text(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def bytes_of(amount: str) -> int:
    """Give an amount of memory such as ``512MB`` or ``6GB`` in bytes; raises ValueError for anything else."""
    try:
        return int(_BYTES.validate_python(amount))
    except ValidationError:
        raise ValueError(f"{amount!r} is no amount of memory; write for example 512MB or 6GB") from None


def page_query() -> str:
    """Give the query of the address that Voila opened this kernel's page under; nothing in a notebook."""
    return os.environ.get("QUERY_STRING", "")


def load_settings(**given: Any) -> Settings:
    """Read the settings: what is `given` and not None, then the environment, then the file of credentials.

    The file, ``credentials.env`` in the home, holds lines such as ``WELLPROD_FEED_TOKEN=...`` and is passed by where
    the environment has credentials.

    Raises
    ------
    SettingsError
        A value is not allowed, or others may read the file. The message names the variable, never a secret's value.
    """
    known = {name: value for name, value in given.items() if value is not None}
    settings = _checked(known, known)
    if settings.model_fields_set.intersection(_CREDENTIALS):
        return settings
    if filed := _filed_credentials(settings.credentials_path):
        settings = _checked({**filed, **known}, known)
        settings._from_file = True
    return settings


def _checked(values: dict[str, Any], given: dict[str, Any]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        variable = name.removeprefix("--") if name in given else f"{PREFIX}{name.upper()}"
        secret = name in Settings.model_fields and "SecretStr" in str(Settings.model_fields[name].annotation)
        value = "" if secret else f" (given: {redact(repr(first.get('input')))})"
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise SettingsError(f"{variable} is not allowed: {reason}{value}.", next="Change or unset it.") from None


def _filed_credentials(path: Path) -> dict[str, str]:
    """Give the credentials in a file that nobody else may read; none where there is no file."""
    if not path.is_file():
        return {}
    rights = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and rights & 0o077:
        raise SettingsError(f"Others may read {path} (its rights are {rights:o}).", next=f"Run: chmod 600 {path}")
    found = {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}
    allowed = {f"{PREFIX}{name.upper()}": name for name in _CREDENTIALS}
    if unknown := sorted(found.keys() - allowed):
        raise SettingsError(f"{path} sets {unknown[0]!r}.", next=f"It may set: {', '.join(allowed)}.")
    return {allowed[name]: value for name, value in found.items()}
