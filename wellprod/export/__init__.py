"""The verb `export`: records of the store into a file that people hand around."""

from wellprod.export.downloads import delete_download, download_file, downloads
from wellprod.export.formats import FORMATS
from wellprod.export.preset import Preset, load_presets
from wellprod.export.request import ExportRequest
from wellprod.export.run import ExportResult, run_export
from wellprod.export.start import export_records, resume_export, trigger_export, trigger_export_again

__all__ = [
    "FORMATS",
    "ExportRequest",
    "ExportResult",
    "Preset",
    "delete_download",
    "download_file",
    "downloads",
    "export_records",
    "load_presets",
    "resume_export",
    "run_export",
    "trigger_export",
    "trigger_export_again",
]
