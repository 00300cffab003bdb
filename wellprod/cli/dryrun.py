"""What `wellprod import --dry-run` shows: the first page as an import would read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wellprod.cli import screen
from wellprod.cli.options import print_json

if TYPE_CHECKING:
    from wellprod.ingest import DryRun, ImportRequest
    from wellprod.settings import Settings

_RAW_ROWS = 3
_RECORDS = 5
_REJECTS = 10
_COLUMNS = ("field_name", "field_code", "well_name", "well_reference", "well_code", "production_period")
_FIGURES = ("days_on_production", "oil_production_kbd", "gas_production_mmcfd", "water_production_kbd")
_WITH_REJECTS = 3


def run(request: ImportRequest, settings: Settings, as_json: bool) -> int:
    """Read and map the first page, show it, and store nothing; 3 where rows of it would be rejected."""
    from wellprod.ingest import dry_run

    found = dry_run(request, settings)
    if as_json:
        print_json(_told(found))
    else:
        _show(found)
    return _WITH_REJECTS if found.rejects.height else 0


def _told(found: DryRun) -> dict[str, Any]:
    return {
        "job_id": None,
        "status": "DRY RUN",
        "profile": found.profile,
        "rows": found.rows,
        "expected_records": found.expected_records,
        "quality_findings": found.findings,
        "warnings": list(found.warnings),
        "errors": [],
        "raw_rows": found.raw_rows.to_dicts(),
        "records": found.records.to_dicts(),
        "rejects": found.rejects.to_dicts(),
    }


def _show(found: DryRun) -> None:
    screen.show_pairs(found.as_pairs())
    if not found.rows:
        return
    screen.show_lines("The first rows as they came", found.raw_rows["raw_row"].head(_RAW_ROWS))
    if found.records.height:
        shown = found.records.head(_RECORDS)
        named = [name for name in _COLUMNS if name in shown.columns and shown[name].null_count() < shown.height]
        for kind in ("field", "well"):  # a name says more than a code
            told = [name for name in named if name.startswith(kind)]
            named = [name for name in named if name not in told[1:]]
        figures = [name for name in _FIGURES if shown[name].null_count() < shown.height]
        screen.out.print()
        screen.show_table(
            f"The first {shown.height} records, as they would be stored", shown.select(*named, *figures).rename(_short)
        )
    if found.rejects.height:
        rejects = found.rejects.head(_REJECTS)
        lines = [f"row {number + 1}: {reason}" for number, reason in rejects.select("row_number", "reason").iter_rows()]
        screen.show_lines(f"Rejected, {'all' if rejects.height == found.rejects.height else 'the first'}", lines)


def _short(name: str) -> str:
    """Give a heading that leaves room for the figures; the unit is the last part of a name."""
    return {"production_period": "month", "days_on_production": "days on"}.get(
        name, name.replace("_production", "_rate")
    )
