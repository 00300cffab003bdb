"""The verb `import`: a feed or a file into the store."""

from wellprod.feed.files import ENDINGS, ending_of
from wellprod.ingest.dryrun import DryRun, dry_run
from wellprod.ingest.request import Accepted, ImportRequest
from wellprod.ingest.run import StopRequest, run_import
from wellprod.ingest.source import check_file
from wellprod.ingest.start import resume_import, start_import, trigger_import, trigger_resume
from wellprod.ingest.summary import ImportSummary, Progress
from wellprod.ingest.undo import UndoSummary, undo_import
from wellprod.ingest.uploads import Arrival, check_upload

__all__ = [
    "ENDINGS",
    "Accepted",
    "Arrival",
    "DryRun",
    "ImportRequest",
    "ImportSummary",
    "Progress",
    "StopRequest",
    "UndoSummary",
    "check_file",
    "check_upload",
    "dry_run",
    "ending_of",
    "resume_import",
    "run_import",
    "start_import",
    "trigger_import",
    "trigger_resume",
    "undo_import",
]
