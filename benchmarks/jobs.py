"""The trigger of a background import: how long the one who asks has to wait."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import stopwatch


def trigger(url: str, history: int, run: int) -> dict[str, Any]:
    """Trigger an import in a process that has triggered one before, with `history` jobs in the ledger."""
    from wellprod.ingest import ImportRequest, trigger_import
    from wellprod.jobs import Ledger, Status
    from wellprod.settings import load_settings

    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(home=Path(folder))
        ledger = Ledger(settings.jobs_path)
        for _ in range(history):
            ledger.finish(ledger.create("export", {}).job_id, Status.COMPLETED)
        for _ in range(2):
            with stopwatch() as watch:
                job_id = trigger_import(ImportRequest(url), settings)
            while ledger.get(job_id).is_active:
                time.sleep(0.05)
        return {"seconds": watch.seconds, "status": str(ledger.get(job_id).status)}
