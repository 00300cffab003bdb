"""What people look at beside charts: monthly volumes, rejects by reason, tables."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from wellprod.analysis.overview import monthly_volumes, overview
from wellprod.analysis.rejects import rejects_by_reason
from wellprod.analysis.tables import Table
from wellprod.demo import create_app, running
from wellprod.errors import ImportFailed
from wellprod.ingest import ImportRequest, ImportSummary, start_import
from wellprod.settings import Settings
from wellprod.store import Store

from .scripted import record
from .test_import import frame_of, tuned


def imported(settings: Settings, rows: list[dict[str, Any]]) -> ImportSummary:
    """Import rows from a feed."""
    with running(create_app(frame_of(rows))) as url:
        return start_import(ImportRequest(url), settings)


def test_monthly_volumes_are_rates_times_the_days_of_the_month(settings: Settings) -> None:
    """February 2024 has 29 days; null adds nothing, and a phase that nobody reported stays null."""
    rows = [
        record(1, "2024-02", oil_production_kbd=1.0, gas_production_mmcfd=2.0, water_production_kbd=None),
        record(2, "2024-02", oil_production_kbd=0.5, gas_production_mmcfd=None, water_production_kbd=None),
        record(1, "2024-03", oil_production_kbd=1.0, gas_production_mmcfd=0.0, water_production_kbd=3.0),
    ]
    imported(settings, rows)
    with Store(settings.store_path).read() as reading:
        volumes = monthly_volumes(reading)
    assert volumes.columns == ["production_period", "oil_kbbl", "gas_mmscf", "water_kbbl", "wells"]
    assert volumes.rows() == [(date(2024, 2, 1), 43.5, 58.0, None, 2), (date(2024, 3, 1), 31.0, 0.0, 93.0, 1)]


def test_rejects_are_told_by_reason(settings: Settings) -> None:
    """The rows of one import, the most frequent reason first, with one of them as it came; other imports stay out."""
    bad = [{**record(n), "production_period": "some <day>"} for n in range(3)]
    first = imported(settings, [*bad, {**record(9), "well_code": None}])
    second = imported(settings, [record(1)])
    with Store(settings.store_path).read() as reading:
        rejects = rejects_by_reason(reading, first.job_id)
        assert rejects_by_reason(reading, second.job_id).is_empty()
        shown = overview(reading)._repr_html_()
    assert rejects["rows"].to_list() == [3, 1]
    assert rejects.columns == ["reason", "rows", "first_page", "one_of_them"]
    assert "some <day>" in rejects["one_of_them"][0]
    assert "some &lt;day&gt;" in Table(rejects)._repr_html_()
    assert "4 rows kept" in shown and "2024-01 to 2024-01" in shown
    assert first.counts == {"new": 0, "duplicate": 0, "restated": 0, "rejected": 4}


def test_a_failed_import_ends_a_notebook_with_what_to_do(settings: Settings) -> None:
    """The error has the message of the import and how to go on; one with rejects goes on."""
    failed = start_import(ImportRequest("http://127.0.0.1:1/odata"), tuned(settings, feed_attempts=1))
    with pytest.raises(ImportFailed, match=r"cannot be reached.*wellprod jobs resume") as raised:
        failed.raise_if_failed()
    assert raised.value.exit_code == 1 and raised.value.details == {"job_id": failed.job_id}
    assert "cannot be reached" in failed._repr_mimebundle_()["text/html"]
    imported(settings, [{**record(1), "production_period": "someday"}]).raise_if_failed()


def test_a_table_has_units_figures_and_an_end() -> None:
    """Headings carry units, figures their separators, months their form; what is left out is said."""
    frame = pl.DataFrame(
        {"month": [date(2024, 1, 1)] * 501, "oil_kbbl": [1234.56] * 501, "wells": [None] * 501, "name": ["<b>"] * 501}
    )
    html = Table(frame)._repr_html_()
    for words in ("oil (kbbl)", "1,235", "2024-01", "&lt;b&gt;", "and 1 more rows", 'class="figure"'):
        assert words in html
    assert Table(frame.clear(), empty="None at all.")._repr_html_() == "<p>None at all.</p>"
