"""The figures of a workbench for Prometheus: its jobs from the ledger, its files, and the requests of a server.

Imports and exports run in processes of their own, so what they did is read from the ledger, which outlives them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from wellprod.errors import WellprodError
from wellprod.health import free_bytes
from wellprod.jobs import Job, Ledger, Status
from wellprod.settings import Settings

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""What `Metrics.render` gives."""

_KINDS = ("import", "export")
_OUTCOMES = {
    "new": "new_records",
    "duplicate": "duplicate_records",
    "restated": "restated_records",
    "rejected": "failed_records",
}
_FIGURES = {
    **{outcome: ("progress", name) for outcome, name in _OUTCOMES.items()},
    "pages": ("progress", "current_page"),
    "failed_pages": ("progress", "failed_pages"),
    "import_seconds": ("summary", "performance", "total_execution_time_seconds"),
    "exported_records": ("summary", "records"),
    "exported_bytes": ("summary", "size_bytes"),
    "export_seconds": ("summary", "execution_time_seconds"),
}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)


class WorkbenchMetrics(Collector):
    """The jobs and the files of one workbench, read when they are asked for.

    Records and pages of an import count from its progress, group by group as they are stored, over all its runs: a
    job that is killed, resumed or ends takes nothing back. An export, and the time of a job, count once it completes.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ledger = Ledger(settings.jobs_path)
        self._revision: tuple[int, ...] | None = None
        self._of_ledger: list[Metric] = []

    def describe(self) -> Iterable[Metric]:
        """Give what the registry knows it by, without reading anything."""
        return [_build()]

    def collect(self) -> Iterator[Metric]:
        """Give all that can be read; what cannot is left out, and `wellprod_up` is 0."""
        is_up = True
        for part in (self._jobs, self._files):
            try:
                yield from part()
            except (WellprodError, OSError):
                is_up = False
        yield GaugeMetricFamily("wellprod_up", "Whether the job ledger and the files could be read.", is_up)
        yield _build()

    def _jobs(self) -> list[Metric]:
        running = self._ledger.running_import()  # which first writes down the jobs whose process is gone
        revision = self._ledger.revision()
        if revision != self._revision:
            self._of_ledger, self._revision = self._read_ledger(), revision
        is_running = GaugeMetricFamily(
            "wellprod_import_running", "Whether an import is pending or running.", running is not None
        )
        return [is_running, *self._of_ledger]

    def _read_ledger(self) -> list[Metric]:
        totals = self._ledger.totals(_FIGURES)
        counts = {(total.kind, total.status): total.jobs for total in totals}
        jobs = GaugeMetricFamily("wellprod_jobs", "Jobs in the ledger.", labels=["kind", "status"])
        for kind in _KINDS:
            for status in Status:
                jobs.add_metric([kind, status], counts.get((kind, status), 0))

        def summed(kind: str, figure: str) -> float:
            return sum(total.sums[figure] for total in totals if total.kind == kind)

        records = CounterMetricFamily(
            "wellprod_import_records_total", "Records of all imports by what became of them.", labels=["outcome"]
        )
        for outcome in _OUTCOMES:
            records.add_metric([outcome], summed("import", outcome))
        pages = CounterMetricFamily(
            "wellprod_import_pages_total",
            "Pages of all imports, stored or failed for good.",
            labels=["outcome"],
        )
        failed_pages = summed("import", "failed_pages")
        pages.add_metric(["read"], summed("import", "pages") - failed_pages)
        pages.add_metric(["failed"], failed_pages)
        took = {}
        for kind in _KINDS:
            completed = counts.get((kind, Status.COMPLETED), 0)
            seconds = sum(t.sums[f"{kind}_seconds"] for t in totals if (t.kind, t.status) == (kind, Status.COMPLETED))
            took[kind] = SummaryMetricFamily(
                f"wellprod_{kind}_duration_seconds", f"Time that completed {kind}s took.", completed, seconds
            )
        return [
            jobs,
            records,
            pages,
            took["import"],
            *_last_import(self._ledger.last_completed("import")),
            CounterMetricFamily(
                "wellprod_export_records_total", "Records in completed exports.", summed("export", "exported_records")
            ),
            CounterMetricFamily(
                "wellprod_export_bytes_total", "Size of completed exports.", summed("export", "exported_bytes")
            ),
            took["export"],
        ]

    def _files(self) -> list[Metric]:
        free = free_bytes(self._settings.home)
        found: list[Metric] = [
            GaugeMetricFamily("wellprod_disk_free_bytes", "Room left on the disk of the home.", free)
        ]
        with suppress(FileNotFoundError):  # nothing was imported yet
            size = self._settings.store_path.stat().st_size
            found.append(GaugeMetricFamily("wellprod_store_size_bytes", "Size of the store file.", size))
        return found


class HttpMetrics(Collector):
    """The requests that this process has answered."""

    def __init__(self) -> None:
        self._requests = Counter(
            "wellprod_http_requests_total", "Requests answered.", ["method", "route", "status"], registry=None
        )
        self._seconds = Histogram(
            "wellprod_http_request_duration_seconds",
            "Time from a request to the end of its answer.",
            ["route"],
            registry=None,
            buckets=_REQUEST_SECONDS,
        )

    def observe(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request that was answered after so many seconds.

        `route` is the template, such as ``/api/v1/wells/well/{well_code}``, never the path as it came, so that callers
        cannot add to the series; None where no route fits.
        """
        route = route or "none"
        self._requests.labels(method if method in _METHODS else "other", route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def describe(self) -> Iterable[Metric]:
        """Give the names of both."""
        return [*self._requests.describe(), *self._seconds.describe()]

    def collect(self) -> Iterator[Metric]:
        """Give both, with what was counted until now."""
        yield from self._requests.collect()
        yield from self._seconds.collect()


class Metrics(Collector):
    """All that one server tells Prometheus of a workbench: `http` is told of each request."""

    def __init__(self, settings: Settings) -> None:
        self.http = HttpMetrics()
        self._workbench = WorkbenchMetrics(settings)

    def describe(self) -> Iterable[Metric]:
        """Give what the registry knows it by."""
        return [*self._workbench.describe(), *self.http.describe()]

    def collect(self) -> Iterator[Metric]:
        """Give the workbench's and the server's."""
        yield from self._workbench.collect()
        yield from self.http.collect()

    def render(self) -> bytes:
        """Give all of it, with memory, files and processor time of this process, as text of `CONTENT_TYPE`."""
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def register(self) -> None:
        """Add it to what Jupyter's own ``/metrics`` gives; a process has one, and a further one changes nothing."""
        with suppress(ValueError):  # the names are taken
            REGISTRY.register(self)


def _build() -> Metric:
    return InfoMetricFamily("wellprod_build", "The version of wellprod that runs.", {"version": version("wellprod")})


def _last_import(job: Job | None) -> Iterator[Metric]:
    if job is None:
        return
    ended = "When the last completed import ended, in seconds since 1970."
    yield GaugeMetricFamily("wellprod_import_last_completed_timestamp_seconds", ended, job.completed_at)
    told = "Records of the last completed import by what became of them."
    records = GaugeMetricFamily("wellprod_import_last_records", told, labels=["outcome"])
    for outcome, name in _OUTCOMES.items():
        records.add_metric([outcome], (job.progress or {}).get(name, 0))
    yield records
