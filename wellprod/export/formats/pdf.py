"""PDF: a report to print."""

from __future__ import annotations

from pathlib import Path

from wellprod.export.formats.base import ExportData, Format


class Pdf(Format):
    """A report for a partner or a boss, on A4 pages: summary with chart, each well by month, sources and units."""

    title, extensions = "PDF report", ("pdf",)
    about = "A report to print: totals, chart, and each well month by month."
    is_slow = True
    most_records = 200_000  # fill 3,200 pages and 21 MB in about a minute; nobody reads more

    def write(self, data: ExportData, path: Path) -> None:
        """Write all pages; what the fonts lack is told."""
        from wellprod.export.formats.report import write_report  # here: charts and fonts take long to load

        write_report(data, path)
