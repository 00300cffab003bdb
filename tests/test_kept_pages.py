"""Raw pages: kept before they are stored, each once, and replayed into a new store without the feed."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import zstandard

from wellprod.demo import create_app, running
from wellprod.errors import FeedUnreachable, FeedUnreadable
from wellprod.ingest import ImportRequest, StopRequest, dry_run, resume_import, start_import
from wellprod.jobs import Status
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .scripted import Asked, Reply, record, scripted_feed


def body(path: Path) -> bytes:
    """Unpack a kept page."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())


def table(settings: Settings, query: str) -> list[tuple[object, ...]]:
    """Ask the store."""
    with Store(settings.store_path).read() as reading:
        return reading.table(query).rows()


CONTENT = "SELECT * EXCLUDE (created_at, updated_at, job_id) FROM production ORDER BY ALL"
REJECTS = "SELECT page, row_number, reason, raw_row FROM rejected_rows ORDER BY ALL"


def test_kept_pages_give_the_same_store_without_the_feed(settings: Settings, tmp_path: Path) -> None:
    """Records and rejects with their pages and rows; killed and resumed, each page is there once, for its owner."""
    keeping = settings.model_copy(update={"keep_pages": True, "group_records": 100})
    rows = pl.DataFrame(
        [{**record(n), "production_period": "never" if n % 97 == 0 else "2024-01-01"} for n in range(500)]
    )
    stop = StopRequest()
    with running(create_app(rows)) as url:
        request = ImportRequest(url, page_size=50)
        summary = start_import(
            request, keeping, stop=stop, on_progress=lambda now: stop.ask() if now.records_processed else None
        )
        assert summary.status == Status.CANCELLED
        summary = resume_import(summary.job_id, keeping)
    folder = settings.pages_path / summary.job_id
    assert summary.state.kept_pages == f"pages/{summary.job_id}" == summary.as_dict()["kept_pages"]
    pages = sorted(path.name for path in folder.glob("*.zst"))
    assert pages == [f"{number:06}.json.zst" for number in range(1, 11)]
    assert sum(len(json.loads(body(path))["value"]) for path in folder.glob("*.zst")) == 500
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    told = json.loads((folder / "source.json").read_text())
    assert (told["source"], told["profile"], told["page_size"]) == (url, "woodmac", 50)
    other = load_settings(home=tmp_path / "other")
    replayed = start_import(ImportRequest(str(folder)), other)
    assert replayed.counts == summary.counts and replayed.state.pages == 10
    assert table(other, CONTENT) == table(settings, CONTENT)
    assert table(other, REJECTS) == table(settings, REJECTS)


def test_the_lines_of_a_file_are_kept_too(settings: Settings, tmp_path: Path) -> None:
    """A page of a CSV replays with the same rejects, though the file is gone."""
    path = tmp_path / "w.csv"
    path.write_text("WellCode,ProductionDate,OilProduction\nw1,2024-01-01,1\nw2,2024-01-01\n")
    summary = start_import(ImportRequest(str(path)), settings.model_copy(update={"keep_pages": True}))
    path.unlink()
    other = load_settings(home=tmp_path / "other")
    start_import(ImportRequest(str(settings.pages_path / summary.job_id)), other)
    assert table(other, REJECTS) == table(settings, REJECTS) != []


def test_no_secret_is_kept(settings: Settings) -> None:
    """Not in what is said of the source, and not in the next link of a page."""

    def feed(asked: Asked) -> Reply:
        if "page" in asked.options:
            return Reply({"value": [record(2)]})
        return Reply({"value": [record(1)], "@odata.nextLink": f"{asked.path}?apikey=S3cret&page=2"})

    with scripted_feed(feed) as (url, _):
        request = ImportRequest(f"{url}/wells?apikey=S3cret")
        summary = start_import(request, settings.model_copy(update={"keep_pages": True}))
    assert summary.state.pages == 2
    folder = settings.pages_path / summary.job_id
    kept = (folder / "source.json").read_bytes() + b"".join(body(path) for path in folder.glob("*.zst"))
    assert b"S3cret" not in kept and b"page=2" in kept


def test_a_page_that_cannot_be_kept_is_not_stored(settings: Settings) -> None:
    """The import ends with what to do; what it stored before is whole."""
    settings.home.mkdir()
    settings.pages_path.write_text("in the way")
    with scripted_feed(lambda asked: Reply({"value": [record(1)]})) as (url, _):
        summary = start_import(ImportRequest(f"{url}/wells"), settings.model_copy(update={"keep_pages": True}))
    assert summary.status == Status.FAILED and summary.error
    assert "Page 1 cannot be kept" in summary.error["message"] and "WELLPROD_KEEP_PAGES" in summary.error["next"]
    assert summary.state.total == 0


def test_a_folder_without_pages_is_told(settings: Settings, tmp_path: Path) -> None:
    """And a page that is not whole."""
    with pytest.raises(FeedUnreachable, match="has no kept pages"):
        dry_run(ImportRequest(str(tmp_path)), settings)
    (tmp_path / "000001.json.zst").write_bytes(zstandard.compress(b'{"value": []}')[:-3])
    with pytest.raises(FeedUnreadable, match="is not whole: it breaks off"):
        dry_run(ImportRequest(str(tmp_path)), settings)
