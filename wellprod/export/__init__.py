"""The verb `export`: records of the store into a file that people hand around."""

from wellprod.export.run import ExportRequest, ExportResult, export_records

__all__ = ["ExportRequest", "ExportResult", "export_records"]
