"""How long one run of an import may take."""

from __future__ import annotations

import threading
from typing import Literal

import pytest

from wellprod.ingest import ImportRequest, resume_import, start_import
from wellprod.jobs import Status
from wellprod.settings import Settings

from .scripted import Asked, Reply, record, scripted_feed
from .test_import import PAGING, counted, stored_wells, tuned


@pytest.mark.parametrize("paging", PAGING)
def test_a_run_that_takes_too_long_ends_after_whole_groups(
    settings: Settings, paging: Literal["server", "skip"]
) -> None:
    """Also while a page is waited for: FAILED with the limit, what is stored and how to go on; the resume ends it."""
    held = threading.Event()

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options.get("$skip", 0))
        if skip == 30:
            held.wait(60)
        rows = [record(n) for n in range(skip, min(skip + 10, 50))]
        more = {"@odata.nextLink": f"Wells?$skip={skip + 10}"} if paging == "server" and skip < 40 else {}
        return Reply({"@odata.count": 50, "value": rows, **more})

    with scripted_feed(answer) as (url, _):
        request = ImportRequest(f"{url}/Wells", paging=paging, page_size=10)
        failed = start_import(request, tuned(settings, import_timeout_seconds=1.5, group_records=20))
        held.set()
        assert (failed.status, failed.exit_code) == (Status.FAILED, 1)
        assert failed.error and failed.error["code"] == "IMPORT_FAILED"
        assert "has not ended within 1.5 s" in failed.error["message"]
        assert "WELLPROD_IMPORT_TIMEOUT_SECONDS" in failed.error["next"]
        state = failed.state
        assert f"{state.total} records of {state.pages} pages are stored. Go on with:" in failed.error["next"]
        assert stored_wells(settings) == list(range(state.total))
        assert state.total <= 30
        done = resume_import(failed.job_id, settings)
    assert (done.status, counted(done)) == (Status.COMPLETED, (50, 0, 0, 0))
    assert stored_wells(settings) == list(range(50))
