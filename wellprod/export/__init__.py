"""The verb `export`: records of the store into a file that people hand around."""

from wellprod.export.downloads import delete_download, download_file, downloads, exported_file
from wellprod.export.formats import FORMATS
from wellprod.export.links import Link, check_link, export_link
from wellprod.export.request import ExportRequest
from wellprod.export.run import ExportResult, run_export
from wellprod.export.start import export_records, resume_export, trigger_export, trigger_export_again
from wellprod.export.status import export_status

__all__ = [
    "FORMATS",
    "ExportRequest",
    "ExportResult",
    "Link",
    "check_link",
    "delete_download",
    "download_file",
    "downloads",
    "export_link",
    "export_records",
    "export_status",
    "exported_file",
    "resume_export",
    "run_export",
    "trigger_export",
    "trigger_export_again",
]
