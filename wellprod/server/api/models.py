"""What the answers hold, for the OpenAPI schema: names, types, units and, field by field, examples."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MONTH = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$"
"""A month, for the schema."""

JobState = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
TaskState = Literal["pending", "processing", "completed", "failed"]

JOB_ID = "5f0c8f0e-0d3c-4c0e-9a39-8f1f8f7a3c11"
EXPORT_ID = "b1c5d6c0-2f4e-4a63-8a0b-6f0f5a9d7e22"
DATA_SOURCE = "Brazil - Agência Nacional do Petróleo (ANP)"
"""Ids and the source of the examples."""

_EPOCH = "Seconds since 1970, UTC; null while it has not come to that"
Created = Annotated[float, Field(description="Seconds since 1970, UTC", examples=[1795257000.0])]
Started = Annotated[float | None, Field(description=_EPOCH, examples=[1795257000.9])]
Completed = Annotated[float | None, Field(description=_EPOCH, examples=[1795257001.4])]
Percent = Annotated[float | None, Field(description="Null where it cannot be known", examples=[100.0])]
Month = Annotated[date | None, Field(description="First day of the month", examples=["2024-05-01"])]


class Index(BaseModel):
    """What the API is, and what it answers."""

    name: str = Field(examples=["wellprod"])
    version: str = Field(examples=["0.1.0"])
    docs: str = Field(description="Address of the documentation", examples=["/docs"])
    openapi: str = Field(description="Address of this schema", examples=["/openapi.json"])
    routes: list[str] = Field(examples=[["GET /", "GET /health", "GET /api/v1/wells/stats"]])


class Finding(BaseModel):
    """One thing that was looked at."""

    is_well: bool
    finding: str


class Health(BaseModel):
    """Whether the workbench is well."""

    healthy: bool = Field(examples=[True])
    version: str = Field(examples=["0.1.0"])
    schema_version: int = Field(description="Of the tables that this version makes", examples=[1])
    store: Finding = Field(examples=[{"is_well": True, "finding": "6,505 records, schema 1"}])
    jobs: Finding = Field(examples=[{"is_well": True, "finding": "no import is running"}])
    disk: Finding = Field(examples=[{"is_well": True, "finding": "79.2 GB free"}])


class Alive(BaseModel):
    """That the server answers."""

    alive: Literal[True]


class ImportStarted(BaseModel):
    """An import that runs by itself."""

    job_id: str = Field(examples=[JOB_ID])
    status: JobState = Field(examples=["PENDING"])
    status_url: str = Field(description="Where to follow it", examples=[f"/api/v1/wells/import/status/{JOB_ID}"])


class BatchResult(BaseModel):
    """What became of the records: total = processed + failed."""

    total_items: int = Field(examples=[6505])
    processed_items: int = Field(examples=[6505])
    failed_items: int = Field(examples=[0])
    success_rate: float = Field(description="Percent", examples=[100.0])
    memory_usage_mb: float = Field(examples=[184.2])


class PaginationSummary(BaseModel):
    """What became of the pages."""

    total_pages: int | None = Field(examples=[7])
    processed_pages: int = Field(examples=[7])
    failed_pages: int = Field(examples=[0])
    page_size: int = Field(examples=[1000])
    average_page_time_seconds: float | None = Field(examples=[0.05])


class RecordCounts(BaseModel):
    """What the records were: processed = new + duplicate + restated."""

    new_records: int = Field(examples=[6505])
    duplicate_records: int = Field(examples=[0])
    restated_records: int = Field(examples=[0])
    deleted_records: int = Field(description="Records that the feed no longer has", examples=[0])
    error_records: int = Field(description="Rejected rows, which are kept with their reason", examples=[0])
    rejects_by_reason: dict[str, int] = Field(examples=[{}])
    quality_findings: dict[str, int] = Field(description="Breaches of quality rules, by rule", examples=[{}])


class Performance(BaseModel):
    """How long it took."""

    total_execution_time_seconds: float = Field(examples=[0.4])
    average_throughput_per_second: float = Field(description="Records a second", examples=[16262.5])
    api_request_time_seconds: float = Field(description="Waiting for the feed", examples=[0.1])
    database_time_seconds: float = Field(examples=[0.1])


class Problem(BaseModel):
    """What went wrong in a job, with one page or with all of it."""

    model_config = ConfigDict(extra="allow")

    page: int | None = Field(None, examples=[4])
    code: str = Field(examples=["FEED_UNREACHABLE"])
    message: str = Field(examples=["Page 4 was not answered within 30 seconds, 6 times."])
    next: str = Field("", examples=["3,000 records of 3 pages are stored. Resume the job."])


class PartRead(BaseModel):
    """What part of the feed was read, and why."""

    part: Literal["all", "window", "delta"] = Field(examples=["all"])
    first_month: Month = None
    told: str = Field(examples=["all of it"])


class Retyped(BaseModel):
    """A property whose type the feed has changed."""

    property: str = Field(examples=["oil_production_kbd"])
    before: str = Field(examples=["Edm.Double"])
    now: str = Field(examples=["Edm.String"])


class FeedSchema(BaseModel):
    """What the feed's `$metadata` said of its records, against the import before; empty where it said nothing."""

    hash: str | None = Field(None, description="Of names, types, nullability and key", examples=["5d41402abc4b2a76"])
    added: list[str] = Field([], examples=[[]])
    removed: list[str] = Field([], examples=[[]])
    retyped: list[Retyped] = Field([], examples=[[]])
    unmapped: list[str] = Field([], description="Properties that the profile does not read", examples=[[]])


class ImportSummary(BaseModel):
    """What an import did, over all its runs."""

    job_id: str = Field(examples=[JOB_ID])
    status: JobState = Field(examples=["COMPLETED"])
    source: str = Field(description="Feed or file", examples=["https://host/odata/WellProduction"])
    profile: str | None = Field(description="How the feed was read", examples=["woodmac"])
    read: PartRead
    schema_: FeedSchema = Field(alias="schema")
    kept_pages: str | None = Field(
        None, description="Folder of the pages as they came, in the home, where they are kept", examples=[None]
    )
    warnings: list[str] = Field(examples=[[]])
    errors: list[Problem] = Field(description="Pages that failed, and why the import stopped", examples=[[]])
    batch_result: BatchResult
    pagination_summary: PaginationSummary
    import_summary: RecordCounts
    performance: Performance


class ImportJob(BaseModel):
    """An import as the ledger has it: how far it is while it runs, and its summary as well when it has ended."""

    model_config = ConfigDict(extra="allow")

    job_id: str = Field(examples=[JOB_ID])
    kind: Literal["import"]
    status: JobState = Field(examples=["COMPLETED"])
    created_at: Created
    started_at: Started
    completed_at: Completed
    execution_time_seconds: float | None = Field(examples=[0.5])
    runs: int = Field(description="How often it was started or resumed", examples=[1])
    cancel_requested: bool = Field(examples=[False])
    parameters: dict[str, Any] = Field(
        description="What was asked for; an address has no secrets",
        examples=[{"source": "https://host/odata/WellProduction", "page_size": 1000, "max_pages": None}],
    )
    error: Problem | None = Field(description="Why it stopped, and how to go on", examples=[None])

    current_page: int | None = Field(None, examples=[7])
    total_pages: int | None = Field(None, examples=[7])
    progress_percentage: Percent = None
    records_processed: int | None = Field(None, examples=[6505])
    estimated_total: int | None = Field(None, description="As the feed counts them", examples=[6505])
    estimated_completion: str | None = Field(None, description="ISO 8601, UTC", examples=["2026-11-21T09:30:01+00:00"])
    records_per_second: float | None = Field(None, examples=[16262.5])
    new_records: int | None = Field(None, examples=[6505])
    duplicate_records: int | None = Field(None, examples=[0])
    restated_records: int | None = Field(None, examples=[0])
    deleted_records: int | None = Field(None, examples=[0])
    failed_records: int | None = Field(None, examples=[0])
    waiting_for: str | None = Field(None, description="What it waits for just now", examples=[None])

    source: str | None = Field(None, examples=["https://host/odata/WellProduction"])
    profile: str | None = Field(None, examples=["woodmac"])
    warnings: list[str] | None = Field(None, examples=[[]])
    errors: list[Problem] | None = Field(None, examples=[[]])
    batch_result: BatchResult | None = None
    pagination_summary: PaginationSummary | None = None
    import_summary: RecordCounts | None = None
    performance: Performance | None = None


class Page(BaseModel):
    """Which part of a list this is."""

    limit: int = Field(examples=[50])
    offset: int = Field(examples=[0])
    total: int = Field(description="How many there are in all", examples=[1])
    next_offset: int | None = Field(description="Where the next part begins; null at the end", examples=[None])


class ImportJobs(BaseModel):
    """Imports, newest first."""

    jobs: list[ImportJob]
    paging: Page


class Stats(BaseModel):
    """What is in the store."""

    records: int = Field(examples=[6505])
    fields: int = Field(examples=[66])
    wells: int = Field(examples=[413])
    first_month: date | None = Field(description="First day of the month", examples=["2018-01-01"])
    last_month: Month
    wells_in_last_month: int = Field(examples=[80])
    data_sources: list[str] = Field(examples=[[DATA_SOURCE]])
    restated_versions: int = Field(description="Older versions kept", examples=[0])
    rejected_rows: int = Field(examples=[0])
    size_bytes: int = Field(description="Of the store's file", examples=[1585152])


class Record(BaseModel):
    """One well in one month, as calendar-day rates; null means not reported, which is not zero."""

    field_code: int = Field(examples=[1064])
    field_name: str | None = Field(examples=["Tupi"])
    well_code: int = Field(examples=[50395])
    well_reference: str | None = Field(examples=["9-LL-2-RJS"])
    well_name: str | None = Field(examples=["9-LL-2-RJS"])
    production_period: date = Field(description="First day of the month", examples=["2024-05-01"])
    days_on_production: float | None = Field(description="May be fractional", examples=[31.0])
    oil_production_kbd: float | None = Field(description="kbd, thousand barrels a day", examples=[18.4])
    gas_production_mmcfd: float | None = Field(description="MMscf a day", examples=[37.2])
    liquids_production_kbd: float | None = Field(description="kbd", examples=[None])
    water_production_kbd: float | None = Field(description="kbd", examples=[0.2])
    data_source: str = Field(examples=[DATA_SOURCE])
    source_data: str | None = Field(examples=["Boletim Mensal da Produção"])
    partition_0: str | None = Field(examples=["latest"])
    created_at: datetime = Field(
        description="When the store first took it, UTC", examples=["2026-11-21T09:30:00.513000+00:00"]
    )
    updated_at: datetime = Field(
        description="When the store last changed it, UTC", examples=["2026-11-21T09:30:00.513000+00:00"]
    )


class Extent(BaseModel):
    """How much a well or a field has: months, and volumes so far; null where nothing was reported."""

    months: int = Field(examples=[64])
    first_month: date | None = Field(description="First day of the month", examples=["2018-05-01"])
    last_month: Month
    cum_oil_kbbl: float | None = Field(description="Thousand barrels", examples=[17198.6])
    cum_gas_mmscf: float | None = Field(description="Million standard cubic feet", examples=[106446.9])
    cum_water_kbbl: float | None = Field(description="Thousand barrels", examples=[None])


class WellTotals(Extent):
    """One well; names are the latest ones."""

    well_code: int = Field(examples=[50395])
    well_reference: str | None = Field(examples=["9-LL-2-RJS"])
    well_name: str | None = Field(examples=["9-LL-2-RJS"])
    field_code: int = Field(description="Of the latest month", examples=[1064])
    field_name: str | None = Field(examples=["Tupi"])
    data_source: str = Field(examples=[DATA_SOURCE])


class FieldTotals(Extent):
    """One field; its name is the latest one."""

    field_code: int = Field(examples=[1064])
    field_name: str | None = Field(examples=["Tupi"])
    data_source: str = Field(examples=[DATA_SOURCE])
    wells: int = Field(examples=[29])


class WellRecords(BaseModel):
    """A well and a part of its records, in the order of the months."""

    well: WellTotals
    records: list[Record]
    paging: Page


class FieldRecords(BaseModel):
    """A field, its wells, and its records where they were asked for; `paging` is of the records, else of the wells."""

    field: FieldTotals
    wells: list[WellTotals]
    records: list[Record] | None = Field(description="Null where they were not asked for", examples=[None])
    paging: Page


class ExportStarted(BaseModel):
    """An export that runs by itself; `export_id` and `task_id` are one id."""

    export_id: str = Field(examples=[EXPORT_ID])
    task_id: str = Field(examples=[EXPORT_ID])
    status: TaskState = Field(examples=["pending"])
    status_url: str = Field(description="Where to follow it", examples=[f"/api/v1/exports/{EXPORT_ID}"])


class Export(BaseModel):
    """An export: what was asked for, how far it is, and where its file is."""

    export_id: str = Field(examples=[EXPORT_ID])
    task_id: str = Field(examples=[EXPORT_ID])
    status: TaskState = Field(examples=["completed"])
    format: str | None = Field(examples=["csv"])
    preset: str | None = Field(examples=[None])
    selection: dict[str, Any] | None = Field(
        examples=[{"fields": ["Tupi"], "wells": [], "first_month": "2023-01", "last_month": None, "name": ""}]
    )
    columns: list[str] | None = Field(description="Empty for all", examples=[[]])
    target: str | None = Field(description="Where it goes, if not to the downloads of the workbench", examples=[None])
    progress_percentage: Percent
    records_processed: int | None = Field(examples=[213])
    estimated_total: int | None = Field(examples=[213])
    stage: str | None = Field(description="`upload` while a file is sent to S3", examples=[None])
    key: str | None = Field(
        description="Name of the file in its folder or bucket", examples=[f"exports/all/{EXPORT_ID}.csv"]
    )
    path: str | None = Field(description="In S3; null for a file of the server", examples=[None])
    file_name: str | None = Field(description="What the file is saved as", examples=["wells_prod_Tupi_2023-01.csv"])
    size_bytes: int | None = Field(examples=[31820])
    sha256: str | None = Field(
        description="Of the file, in hexadecimal",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )
    rows: int | None = Field(description="Records written", examples=[213])
    warnings: list[str] = Field(examples=[[]])
    error_message: str | None = Field(examples=[None])
    next: str | None = Field(description="What to do about it", examples=[None])
    created_at: Created
    started_at: Started
    completed_at: Completed
    download_url: str | None = Field(
        description="Opens the file without signing in, until it expires; null while there is no file",
        examples=[f"http://127.0.0.1:8000/api/v1/exports/{EXPORT_ID}/file?expires=1795260601&signature=5d41402a"],
    )
    download_expires_at: float | None = Field(description="Seconds since 1970, UTC", examples=[1795260601.0])


class Task(BaseModel):
    """A job of any kind, in the words of the former service."""

    task_id: str = Field(examples=[EXPORT_ID])
    kind: Literal["import", "export", "undo", "restore"] = Field(examples=["export"])
    status: TaskState = Field(examples=["completed"])
    progress_percentage: Percent
    records_processed: int | None = Field(examples=[213])
    error_message: str | None = Field(examples=[None])
    next: str | None = Field(description="What to do about it", examples=[None])
    created_at: Created
    started_at: Started
    completed_at: Completed
    result_url: str = Field(description="Where more is told of it", examples=[f"/api/v1/exports/{EXPORT_ID}"])
