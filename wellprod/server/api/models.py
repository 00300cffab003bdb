"""What the answers hold, for the OpenAPI schema: names, types, units and examples."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MONTH = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$"
"""A month, for the schema."""

JobState = Literal["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
TaskState = Literal["pending", "processing", "completed", "failed"]
Epoch = Annotated[float | None, Field(description="Seconds since 1970, UTC", examples=[1795257000.0])]

JOB_ID = "5f0c8f0e-0d3c-4c0e-9a39-8f1f8f7a3c11"


class Index(BaseModel):
    """What the API is, and what it answers."""

    name: str = Field(examples=["wellprod"])
    version: str = Field(examples=["0.1.0"])
    docs: str = Field(examples=["/docs"])
    openapi: str = Field(examples=["/openapi.json"])
    routes: list[str] = Field(examples=[["GET /api/v1/wells/stats"]])


class Finding(BaseModel):
    """One thing that was looked at."""

    is_well: bool
    finding: str = Field(examples=["6,505 records, schema 1"])


class Health(BaseModel):
    """Whether the workbench is well."""

    healthy: bool
    version: str = Field(examples=["0.1.0"])
    schema_version: int = Field(description="Of the tables that this version makes", examples=[1])
    store: Finding
    jobs: Finding
    disk: Finding


class Alive(BaseModel):
    """That the server answers."""

    alive: Literal[True] = True


class ImportStarted(BaseModel):
    """An import that runs by itself."""

    job_id: str = Field(examples=[JOB_ID])
    status: JobState
    status_url: str = Field(examples=[f"/api/v1/wells/import/status/{JOB_ID}"])


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
    error_records: int = Field(examples=[0])
    rejects_by_reason: dict[str, int] = Field(examples=[{}])
    quality_findings: dict[str, int] = Field(examples=[{}])


class Performance(BaseModel):
    """How long it took."""

    total_execution_time_seconds: float = Field(examples=[0.4])
    average_throughput_per_second: float = Field(description="Records a second", examples=[16000.0])
    api_request_time_seconds: float = Field(examples=[0.1])
    database_time_seconds: float = Field(examples=[0.1])


class Problem(BaseModel):
    """What went wrong in a job, with one page or with all of it."""

    model_config = ConfigDict(extra="allow")

    page: int | None = None
    code: str
    message: str
    next: str = ""


class ImportSummary(BaseModel):
    """What an import did, over all its runs."""

    job_id: str = Field(examples=[JOB_ID])
    status: JobState
    source: str = Field(examples=["https://host/odata/WellProduction"])
    profile: str | None = Field(examples=["woodmac"])
    warnings: list[str]
    errors: list[Problem]
    batch_result: BatchResult
    pagination_summary: PaginationSummary
    import_summary: RecordCounts
    performance: Performance


class ImportJob(BaseModel):
    """An import as the ledger has it: how far it is while it runs, and its summary when it has ended."""

    model_config = ConfigDict(extra="allow")

    job_id: str = Field(examples=[JOB_ID])
    kind: Literal["import"]
    status: JobState
    created_at: Epoch
    started_at: Epoch
    completed_at: Epoch
    execution_time_seconds: float | None
    runs: int = Field(description="How often it was started or resumed", examples=[1])
    cancel_requested: bool
    parameters: dict[str, Any] = Field(description="What was asked for; an address has no secrets")
    error: Problem | None = Field(description="Why it stopped, and how to go on")
    current_page: int | None = None
    total_pages: int | None = None
    progress_percentage: float | None = None
    records_processed: int | None = None
    estimated_total: int | None = None
    estimated_completion: str | None = Field(None, description="ISO 8601, UTC")
    records_per_second: float | None = None


class Page(BaseModel):
    """Which part of a list this is."""

    limit: int = Field(examples=[50])
    offset: int = Field(examples=[0])
    total: int | None = Field(None, description="How many there are in all; null where that is not counted")
    next_offset: int | None = Field(None, description="Where the next part begins; null at the end")


class ImportJobs(BaseModel):
    """Imports, newest first."""

    jobs: list[ImportJob]
    paging: Page


class Stats(BaseModel):
    """What is in the store."""

    records: int = Field(examples=[6505])
    fields: int = Field(examples=[15])
    wells: int = Field(examples=[413])
    first_month: date | None = Field(description="First day of the month", examples=["2022-01-01"])
    last_month: date | None = Field(examples=["2023-12-01"])
    wells_in_last_month: int = Field(examples=[260])
    data_sources: list[str] = Field(examples=[["ANP"]])
    restated_versions: int = Field(description="Older versions kept", examples=[0])
    rejected_rows: int = Field(examples=[0])
    size_bytes: int = Field(description="Of the store's file", examples=[2240512])


class Record(BaseModel):
    """One well in one month, as calendar-day rates; null means not reported, which is not zero."""

    field_code: int = Field(examples=[12])
    field_name: str | None = Field(examples=["Tupi"])
    well_code: int = Field(examples=[126])
    well_reference: str | None = Field(examples=["9-BUZ-40-RJS"])
    well_name: str | None
    production_period: date = Field(description="First day of the month", examples=["2023-01-01"])
    days_on_production: float | None = Field(examples=[31.0])
    oil_production_kbd: float | None = Field(description="kbd, thousand barrels a day", examples=[18.4])
    gas_production_mmcfd: float | None = Field(description="MMscf a day", examples=[21.0])
    liquids_production_kbd: float | None = Field(description="kbd", examples=[18.4])
    water_production_kbd: float | None = Field(description="kbd", examples=[0.2])
    data_source: str = Field(examples=["ANP"])
    source_data: str | None
    partition_0: str | None
    created_at: datetime = Field(description="When the store first took it, UTC")
    updated_at: datetime = Field(description="When the store last changed it, UTC")


class Extent(BaseModel):
    """How much a well or a field has: months, and volumes so far; null where nothing was reported."""

    months: int = Field(examples=[24])
    first_month: date | None = Field(examples=["2022-01-01"])
    last_month: date | None = Field(examples=["2023-12-01"])
    cum_oil_kbbl: float | None = Field(description="Thousand barrels", examples=[13100.2])
    cum_gas_mmscf: float | None = Field(description="Million standard cubic feet", examples=[15300.0])
    cum_water_kbbl: float | None = Field(description="Thousand barrels", examples=[120.4])


class Well(Extent):
    """One well; names are the latest ones."""

    well_code: int = Field(examples=[126])
    well_reference: str | None = Field(examples=["9-BUZ-40-RJS"])
    well_name: str | None
    field_code: int = Field(description="Of the latest month", examples=[12])
    field_name: str | None = Field(examples=["Búzios"])
    data_source: str = Field(examples=["ANP"])


class Field_(Extent):
    """One field; its name is the latest one."""

    model_config = ConfigDict(title="Field")

    field_code: int = Field(examples=[12])
    field_name: str | None = Field(examples=["Tupi"])
    data_source: str = Field(examples=["ANP"])
    wells: int = Field(examples=[80])


class WellAnswer(BaseModel):
    """A well and a part of its records, in the order of the months."""

    well: Well
    records: list[Record]
    paging: Page


class FieldAnswer(BaseModel):
    """A field, its wells, and its records where they were asked for; `paging` is of the records, else of the wells."""

    field: Field_
    wells: list[Well]
    records: list[Record] | None = None
    paging: Page


class ExportStarted(BaseModel):
    """An export that runs by itself; all three are one id."""

    export_id: str = Field(examples=[JOB_ID])
    task_id: str = Field(examples=[JOB_ID])
    status: TaskState
    status_url: str = Field(examples=[f"/api/v1/exports/{JOB_ID}"])


class Export(BaseModel):
    """An export: what was asked for, how far it is, and where its file is."""

    export_id: str = Field(examples=[JOB_ID])
    task_id: str = Field(examples=[JOB_ID])
    status: TaskState
    format: str | None = Field(examples=["csv"])
    preset: str | None
    selection: dict[str, Any] | None
    columns: list[str] | None
    target: str | None = Field(description="Where it goes, if not to the downloads of the workbench")
    progress_percentage: float | None
    records_processed: int | None
    estimated_total: int | None
    stage: str | None
    key: str | None
    path: str | None = Field(description="In S3; null for a file of the server")
    file_name: str | None = Field(examples=["wells_prod_Tupi.csv"])
    size_bytes: int | None = Field(examples=[158000])
    sha256: str | None
    rows: int | None = Field(description="Records written", examples=[1900])
    warnings: list[str]
    error_message: str | None
    next: str | None
    created_at: Epoch
    started_at: Epoch
    completed_at: Epoch
    download_url: str | None = Field(description="Opens the file without signing in, until it expires")
    download_expires_at: Epoch


class Task(BaseModel):
    """A job of any kind, in the words of the former service."""

    task_id: str = Field(examples=[JOB_ID])
    kind: Literal["import", "export"]
    status: TaskState
    progress_percentage: float | None
    records_processed: int | None
    error_message: str | None
    next: str | None
    created_at: Epoch
    started_at: Epoch
    completed_at: Epoch
    result_url: str = Field(examples=[f"/api/v1/exports/{JOB_ID}"])
