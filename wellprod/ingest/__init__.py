"""The verb `import`: a feed or a file into the store."""

from wellprod.ingest.request import ImportRequest
from wellprod.ingest.run import StopRequest, resume_import, run_import, start_import
from wellprod.ingest.summary import ImportSummary, Progress

__all__ = [
    "ImportRequest",
    "ImportSummary",
    "Progress",
    "StopRequest",
    "resume_import",
    "run_import",
    "start_import",
]
