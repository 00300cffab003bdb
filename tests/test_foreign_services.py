"""The client against OData services by others: every paging mode, sign-in, `$metadata`; none lost, none doubled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Literal

import httpx
import pytest

from tests import foreign
from wellprod.errors import FeedSignInRefused
from wellprod.feed.metadata import EntityType, drift, read_entity_type
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import Place, read_content
from wellprod.ingest import ImportRequest, ImportSummary, start_import
from wellprod.jobs import Status
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

FEW, MANY = 8_000, 100_000
SIGN_IN = foreign.USER.encode(), foreign.PASSWORD.encode()
PAGING: tuple[Literal["server", "skip"], ...] = ("server", "skip")


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings with the credentials of the services."""
    return load_settings(
        home=home, feed_retry_seconds=0.01, feed_user=foreign.USER, feed_password=foreign.PASSWORD, page_size=5000
    )


@pytest.fixture(scope="module")
def odatapy_url() -> Iterator[str]:
    """A service root of OData 4.01 that gives at most 2,500 records a page."""
    with foreign.odatapy_service(foreign.invented(FEW), 2500) as url:
        yield url


@pytest.fixture(scope="module")
def sap_url() -> Iterator[str]:
    """A service of OData 2.0 and 4.0."""
    with foreign.sap_service(foreign.invented(FEW)) as url:
        yield url


def stored(settings: Settings, columns: str) -> list[tuple[object, ...]]:
    """Give what the store holds, in order."""
    with Store(settings.store_path).read() as reading:
        return reading.table(f"SELECT {columns} FROM production ORDER BY ALL").rows()


def assert_whole(summary: ImportSummary, count: int) -> None:
    """An import that took in `count` new records, each once, and noticed nothing but what the feed does not report."""
    state = summary.state
    assert (summary.status, summary.exit_code) == (Status.COMPLETED, 0)
    assert (state.new, state.duplicate, state.failed, state.expected_records) == (count, 0, 0, count)
    assert [text for text in state.warnings if "The feed lacks what is then read as null" not in text] == []


def import_of_odatapy(url: str, settings: Settings, paging: Literal["server", "skip"], count: int) -> None:
    """Read a service whole, by its root, and compare the store with what it serves, bit for bit."""
    assert_whole(start_import(ImportRequest(url, page_size=5000, paging=paging), settings), count)
    columns = "field_code, well_code, production_period, oil_production_kbd"
    assert stored(settings, columns) == foreign.invented(count)


def import_of_sap(url: str, settings: Settings, paging: Literal["server", "skip"], count: int) -> None:
    """Read the products of a service whole and compare the store with them."""
    profile = sap_profile(settings, "version 2" if url.endswith(foreign.SAP_V2) else "date-time")
    request = ImportRequest(url, page_size=1500, paging=paging, profile=profile)
    assert_whole(start_import(request, settings), count)
    rows = [(month, round(oil, 3)) for _, _, month, oil in foreign.invented(count)]
    assert stored(settings, "production_period, oil_production_kbd") == sorted(rows)


def sap_profile(settings: Settings, filter_dates: str) -> str:
    """Write the profile of the products and give its path."""
    path = settings.home / "products.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(foreign.SAP_PROFILE.format(filter_dates=filter_dates))
    return str(path)


@pytest.mark.parametrize("paging", PAGING)
def test_every_record_of_a_service_with_next_links_comes_once(
    settings: Settings, odatapy_url: str, paging: Literal["server", "skip"]
) -> None:
    """From the service root, without its slash, by links of the server's own page size and by $skip."""
    import_of_odatapy(odatapy_url, settings, paging, FEW)


@pytest.mark.parametrize("paging", PAGING)
@pytest.mark.parametrize("version", ["2", "4"])
def test_every_record_of_a_service_without_next_links_comes_once(
    settings: Settings, sap_url: str, version: str, paging: Literal["server", "skip"]
) -> None:
    """OData 2.0 with its own options, dates and decimals, and the same rows as 4.0: all at once and by $skip."""
    import_of_sap(f"{sap_url}/{foreign.SAP_V2 if version == '2' else foreign.SAP_V4}", settings, paging, FEW)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["odatapy", "sap-2", "sap-4"])
def test_every_record_of_a_large_service_comes_once(settings: Settings, kind: str) -> None:
    """The same with 100,000 records: by next links where there are some, by $skip where there are none."""
    if kind == "odatapy":
        with foreign.odatapy_service(foreign.invented(MANY), 5000) as url:
            import_of_odatapy(url, settings, "server", MANY)
        return
    with foreign.sap_service(foreign.invented(MANY)) as url:
        import_of_sap(f"{url}/{foreign.SAP_V2 if kind == 'sap-2' else foreign.SAP_V4}", settings, "skip", MANY)


def test_a_month_limits_what_a_service_of_version_2_gives(settings: Settings, sap_url: str) -> None:
    """`--since` is written as version 2 writes a date, which this service insists on."""
    profile = sap_profile(settings, "version 2")
    request = ImportRequest(f"{sap_url}/{foreign.SAP_V2}", profile=profile, since="2008-04")
    assert_whole(start_import(request, settings), FEW // 100)


def test_the_changes_of_a_service_come_by_its_delta_link(settings: Settings) -> None:
    """What was changed, added and removed there since the first import, and nothing else, is sent and taken over."""
    key = "/WellProduction(field_code=0,well_code=0,production_period=2000-{}-01T00:00:00Z)"
    new = {"field_code": 7, "well_code": 8, "production_period": "2000-01-01T00:00:00Z", "oil_production_kbd": 1.0}
    with foreign.odatapy_service(foreign.invented(50), 2500) as root:
        assert_whole(start_import(ImportRequest(root, changes=True), settings), 50)
        with httpx.Client(base_url=root, auth=SIGN_IN) as writer:
            writer.patch(key.format("01"), json={"oil_production_kbd": 99.5}).raise_for_status()
            writer.delete(key.format("02")).raise_for_status()
            writer.post("/WellProduction", json=new).raise_for_status()
        state = start_import(ImportRequest(root, changes=True), settings).state
    assert (state.part, state.total, state.new, state.restated, state.deleted) == ("delta", 2, 1, 1, 1)
    _, _, *rest = foreign.invented(50)
    months = [(0, 0, date(2000, 1, 1), 99.5), *rest, (7, 8, date(2000, 1, 1), 1.0)]
    assert stored(settings, "field_code, well_code, production_period, oil_production_kbd") == months


@pytest.mark.parametrize("kind", ["odatapy", "sap"])
def test_a_wrong_password_is_refused(settings: Settings, odatapy_url: str, sap_url: str, kind: str) -> None:
    """The error says what was tried and what to do, and not the password."""
    url = odatapy_url if kind == "odatapy" else f"{sap_url}/{foreign.SAP_V2}"
    wrong = load_settings(home=settings.home, feed_user=foreign.USER, feed_password="wr0ng")
    summary = start_import(ImportRequest(url), wrong)
    assert summary.status == Status.FAILED
    assert summary.error is not None and summary.error["code"] == FeedSignInRefused.code
    assert "401" in summary.error["message"] and "user and password" in summary.error["message"]
    assert "wr0ng" not in str(summary.as_dict())


def test_the_metadata_of_others_is_read(settings: Settings, odatapy_url: str, sap_url: str) -> None:
    """Names, types and key, from CSDL XML as the client asks for it and from CSDL JSON, where there is one."""
    addresses = {
        "Prod.Record": (f"{odatapy_url}/WellProduction", foreign.KEY, 4),
        "API_PRODUCT_SRV.A_ProductType": (f"{sap_url}/{foreign.SAP_V2}", ("Product",), 14),
        "com.sap.gateway.srvd_a2x.api_product.v0001.ProductType": (f"{sap_url}/{foreign.SAP_V4}", ("Product",), 15),
    }
    for name, (url, key, properties) in addresses.items():
        found = described(url, settings)
        assert (found.name, found.key, len(found.properties)) == (name, key, properties)
        if url.endswith(foreign.SAP_V2):
            continue
        root, _, entity_set = url.rpartition("/")
        as_json = httpx.get(f"{root}/$metadata?$format=json", auth=SIGN_IN).content
        again = read_entity_type(as_json, entity_set)
        assert as_json.startswith(b"{") and again is not None
        assert not drift(found, again)


def test_types_are_read_as_the_service_declares_them(settings: Settings, odatapy_url: str) -> None:
    """Each property with its type and whether it may be null; the same hash each time."""
    found, again = (described(f"{odatapy_url}/WellProduction", settings) for _ in range(2))
    assert {p.name: p.type for p in found.properties} == foreign.TYPES
    assert [p.name for p in found.properties if p.nullable] == ["oil_production_kbd"]
    assert found.hash == again.hash


def described(url: str, settings: Settings) -> EntityType:
    """Give the entity type of a service, as an import learns it after the first page."""
    with closing(ODataFeed(url, settings)) as feed:
        next(feed.windows(lambda body: read_content(body, ("well_code",)), Place(), ()))
        found = read_entity_type(feed.metadata() or b"", url.rpartition("/")[2])
    assert found is not None
    return found
