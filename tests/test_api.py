"""The REST API: who may ask, how it answers, and what it does with imports and exports; a live server throughout."""

from __future__ import annotations

import pytest

from tests.api import Api, StartApi
from tests.conftest import ANP_WELLS

pytestmark = pytest.mark.slow

IMPORT = "/api/v1/wells/import"
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> Api:
    """A server over the ANP wells, whose configured feed is their file."""
    started = start_api(feed_url=str(ANP_WELLS))
    assert started.post(f"{IMPORT}/run", params={"page_size": 5000}).status_code == 200
    return started
