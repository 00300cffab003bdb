"""The verb `export`: records of the store into a file that people hand around."""

from wellprod.export.downloads import delete_download, download_file, downloads, exported_file, is_for_fetching
from wellprod.export.formats import FORMATS, FORMER_NAMES
from wellprod.export.layout import Layout
from wellprod.export.links import Link, check_link, export_link
from wellprod.export.preset import Preset, load_presets
from wellprod.export.request import ExportRequest
from wellprod.export.run import ExportResult, extension_of, preset_of, run_export
from wellprod.export.standing import StandingFile, standing_csv, standing_file
from wellprod.export.start import export_records, resume_export, trigger_export, trigger_export_again
from wellprod.export.status import export_status

__all__ = [
    "FORMATS",
    "FORMER_NAMES",
    "ExportRequest",
    "ExportResult",
    "Layout",
    "Link",
    "Preset",
    "StandingFile",
    "check_link",
    "delete_download",
    "download_file",
    "downloads",
    "export_link",
    "export_records",
    "export_status",
    "exported_file",
    "extension_of",
    "is_for_fetching",
    "load_presets",
    "preset_of",
    "resume_export",
    "run_export",
    "standing_csv",
    "standing_file",
    "trigger_export",
    "trigger_export_again",
]
