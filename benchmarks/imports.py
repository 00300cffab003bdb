"""Import of a feed: against downloading and parsing alone, and against dlt."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import stopwatch


def floor(url: str, run: int) -> dict[str, Any]:
    """Follow the next links and parse each page, no more."""
    import httpx
    import orjson

    records, link = 0, url
    with stopwatch() as watch, httpx.Client() as client:
        while link:
            page = orjson.loads(client.get(link).content)
            records += len(page["value"])
            link = page.get("@odata.nextLink")
    return {"seconds": watch.seconds, "records": records}


def by_wellprod(url: str, run: int) -> dict[str, Any]:
    """Import into a fresh home."""
    from benchmarks.feed import PAGE_RECORDS
    from wellprod.ingest import ImportRequest, start_import
    from wellprod.settings import load_settings

    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=Path(home))
        with stopwatch() as watch:
            summary = start_import(ImportRequest(url, page_size=PAGE_RECORDS), settings)
        store = settings.store_path.stat().st_size
    return {"seconds": watch.seconds, "records": summary.state.new, "store_mb": store / 1e6}


def on_lanes(url: str, page_records: int, lanes: int, run: int) -> dict[str, Any]:
    """Import by $skip into a fresh home, so many pages side by side."""
    from wellprod.ingest import ImportRequest, start_import
    from wellprod.settings import load_settings

    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(home=Path(home), feed_lanes=lanes)
        with stopwatch() as watch:
            summary = start_import(ImportRequest(url, page_size=page_records, paging="skip"), settings)
    return {"seconds": watch.seconds, "records": summary.state.new}


def by_dlt(url: str, run: int) -> dict[str, Any]:
    """Load with dlt's REST source into DuckDB, merged by the same key."""
    os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="ERROR")
    import dlt
    import duckdb
    from dlt.sources.rest_api import rest_api_source

    from wellprod.schema import KEY

    root, _, name = url.rpartition("/")
    paginator = {"type": "json_link", "next_url_path": "'@odata.nextLink'"}
    endpoint = {"path": name, "data_selector": "value", "paginator": paginator}
    table: Any = {"name": "production", "primary_key": list(KEY), "write_disposition": "merge", "endpoint": endpoint}
    with tempfile.TemporaryDirectory() as home:
        store = f"{home}/store.duckdb"
        with stopwatch() as watch:
            source = rest_api_source({"client": {"base_url": f"{root}/"}, "resources": [table]})
            pipeline = dlt.pipeline("wells", pipelines_dir=home, destination=dlt.destinations.duckdb(store))
            pipeline.run(source)
        with duckdb.connect(store) as connection:
            counted = connection.execute(f"SELECT count(*) FROM {pipeline.dataset_name}.production").fetchone()
    return {"seconds": watch.seconds, "records": counted[0] if counted else 0}
