"""The REST API: who may ask, how it answers, and what it does with imports and exports; a live server throughout."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.api import TOKEN, Api, StartApi, running_api
from tests.conftest import ANP_WELLS, CommandLine
from tests.lab import until
from tests.stores import fill
from wellprod.demo import DemoFeed, running
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import load_settings

pytestmark = pytest.mark.slow

IMPORT = "/api/v1/wells/import"
EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def api(start_api: StartApi) -> Api:
    """A server over the ANP wells, whose configured feed is their file."""
    started = start_api(feed_url=str(ANP_WELLS))
    assert started.post(f"{IMPORT}/run", params={"page_size": 5000}).status_code == 200
    return started
