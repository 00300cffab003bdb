"""What an OData client owes to services, one test a duty; `docs/odata.md` tables them with those of `test_odata.py`."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from wellprod.errors import FeedLinkRefused, FeedPageTooLarge, FeedRefused, FeedUnreadable
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import Place
from wellprod.feed.profile import find_profile
from wellprod.feed.wire import Stopped
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import Settings, load_settings
from wellprod.store import Store

from .reading import Answering, read, read_all, tuned, two_pages, wells
from .scripted import Asked, Reply, record, scripted_feed, serving

# Requests (13.3, items 1 to 9)


def test_every_page_is_asked_for_in_the_same_way(settings: Settings) -> None:
    """OData-MaxVersion, Accept, the page size and no body, on the first page and behind its link."""
    with scripted_feed(two_pages("Wells?p=2")) as (url, asked):
        read_all(f"{url}/Wells", tuned(settings, page_size=77))
    assert len(asked) == 2
    for name, value in {
        "odata-maxversion": "4.0",
        "accept": "application/json;odata.metadata=minimal",
        "prefer": "odata.maxpagesize=77",
    }.items():
        assert {request.headers[name] for request in asked} == {value}
    assert all(not {"content-type", "content-length"} & request.headers.keys() for request in asked)


def test_system_options_are_written_with_their_sign_and_in_lower_case(settings: Settings) -> None:
    """`$` before each option, whatever a service may forgive; operators in lower case."""
    profile = find_profile("woodmac")
    with scripted_feed(lambda _: Reply({"value": []})) as (url, asked):
        read_all(f"{url}/Wells", settings, "skip", filter=profile.since_filter("2024-03-01"))
    assert sorted(asked[0].options) == ["$count", "$filter", "$orderby", "$skip", "$top"]
    assert asked[0].options["$filter"] == "production_period ge 2024-03-01T00:00:00Z"


def test_properties_that_no_one_announced_are_passed_by(settings: Settings) -> None:
    """A record may have more than `$metadata` says, and of any type."""
    more: dict[str, Any] = {"new": 1, "nested": {"a": [1, {"b": None}]}, "list": [[]], "geo": {"type": "Point"}}
    with scripted_feed(lambda _: Reply({"value": [record(1, **more), record(2)]})) as (url, _):
        assert read_all(f"{url}/Wells", settings)[0] == [1, 2]


def test_redirects_are_followed_up_to_a_limit(settings: Settings) -> None:
    """Each kind of redirect leads on; a circle of them is told as such."""
    for status in (301, 302, 303, 307, 308):

        def answer(asked: Asked, status: int = status) -> Reply:
            moved = Reply(status=status, headers={"Location": "/b/"})
            return Reply({"value": wells(1)}) if asked.path == "/b/" else moved

        with scripted_feed(answer) as (url, _):
            assert read_all(f"{url}/a", settings)[0] == [1]
    circle = Reply(status=302, headers={"Location": "/a"})
    with scripted_feed(lambda _: circle) as (url, _), pytest.raises(FeedRefused, match="redirects more than 5 times"):
        read_all(f"{url}/a", settings)


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://feed.example/odata", True),
        ("http://10.0.0.7:8080/odata", True),
        ("https://feed.example/odata", False),
        ("http://localhost:1/odata", False),
        ("http://127.0.0.1:1/odata", False),
        ("http://[::1]:1/odata", False),
    ],
)
def test_credentials_over_plain_http_are_warned_of(settings: Settings, address: str, warned: bool) -> None:
    """Basic sign-in belongs on https; this machine itself is no way to read on."""
    for credentials in ({"feed_user": "ann"}, {"feed_token": "t"}, {"feed_api_key": "k"}):
        feed = ODataFeed(address, load_settings(home=settings.home, **credentials))
        feed.close()
        assert any("without encryption" in text for text in feed.warnings) is warned
    feed = ODataFeed(address, settings)
    feed.close()
    assert feed.warnings == []


# Links and pages (11.2.6.7 and what users of other clients met)


@pytest.mark.parametrize(
    "link",
    [
        "http://elsewhere.invalid/2",
        "//elsewhere.invalid/2",
        "https://{host}/2",
        "http://127.0.0.1:1/2",
        "http://{host}@elsewhere.invalid/2",
        "http://{host}\\@elsewhere.invalid/2",
    ],
)
def test_a_link_that_leaves_the_root_is_refused_however_it_is_written(settings: Settings, link: str) -> None:
    """Another host, scheme or port, without a scheme, behind a user part: the page before it is given, then no more."""
    signed_in = load_settings(home=settings.home, feed_user="ann", feed_password="pw", feed_attempts=1)
    with scripted_feed(two_pages(lambda host: link.format(host=host))) as (url, asked):
        feed, pages = ODataFeed(f"{url}/Wells", signed_in), []
        with pytest.raises(FeedLinkRefused, match="leads to another origin"):
            for page in feed.pages(read, Place()):
                pages.append(page)
        feed.close()
    assert len(pages) == len(asked) == 1


def test_a_context_of_another_host_gives_no_base(settings: Settings) -> None:
    """Behind a proxy the context may name a host that nobody else knows: a relative link stays with the page's own."""
    inner = {"@odata.context": "http://inner.invalid/x/$metadata#Wells"}
    with scripted_feed(two_pages("Wells?p=2", **inner)) as (url, asked):
        assert read_all(f"{url}/odata/Wells", settings)[0] == [1, 2]
    assert [request.path for request in asked] == ["/odata/Wells", "/odata/Wells"]


def test_a_next_link_back_to_the_first_page_is_a_circle(settings: Settings) -> None:
    """The first page was read already as well."""

    def answer(asked: Asked) -> Reply:
        return Reply(
            {"value": wells(1), "@odata.nextLink": "Wells?$count=true" if "p" in asked.options else "Wells?p=2"}
        )

    with scripted_feed(answer) as (url, asked):
        feed, pages = ODataFeed(f"{url}/Wells", settings), []
        with pytest.raises(FeedLinkRefused, match="next link of page 2 leads to a page that was read already"):
            for page in feed.pages(read, Place()):
                pages.append(page)
        feed.close()
    assert len(pages) == len(asked) == 2


@pytest.mark.parametrize("paging", ["server", "skip"])
def test_a_feed_without_an_end_is_ended(settings: Settings, paging: str) -> None:
    """A ceiling of pages ends what goes on for ever with a new link or new rows each time; the setting is told."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.options.get("p", 0)) + int(asked.options.get("$skip", 0)) + 1
        link = {"@odata.nextLink": f"Wells?p={number}"} if paging == "server" else {}
        return Reply({"value": wells(number), **link})

    says = "goes on after page 7"
    with scripted_feed(answer) as (url, asked), pytest.raises(FeedLinkRefused, match=says) as caught:
        read_all(f"{url}/Wells", tuned(settings, feed_pages_max=7, page_size=1), paging)
    assert len(asked) == 7
    assert "WELLPROD_FEED_PAGES_MAX" in caught.value.next


def test_endless_paging_can_be_interrupted(settings: Settings) -> None:
    """Closing the feed ends it between two pages."""
    asked_on = threading.Event()

    def answer(asked: Asked) -> Reply:
        number = int(asked.options.get("p", 0)) + 1
        if number > 3:
            asked_on.set()
        return Reply({"value": [], "@odata.nextLink": f"Wells?p={number}"})

    with scripted_feed(answer) as (url, _):
        feed = ODataFeed(f"{url}/Wells", settings)

        def close() -> None:
            asked_on.wait(10)
            feed.close()

        closer = threading.Thread(target=close)
        closer.start()
        with pytest.raises(Stopped):
            list(feed.pages(read, Place()))
        closer.join()


def test_a_page_size_that_is_ignored_loses_nothing_and_is_told_where_it_matters(settings: Settings) -> None:
    """Prefer may be ignored: all comes at once; above the limit the advice depends on what Preference-Applied says."""
    with scripted_feed(lambda _: Reply({"value": wells(*range(50))})) as (url, _):
        assert read_all(f"{url}/Wells", tuned(settings, page_size=10))[0] == list(range(50))
    large = json.dumps({"value": wells(*range(5000))})
    for applied, advice in {"odata.maxpagesize=9": "smaller pages with --page-size", "": "--paging skip"}.items():
        reply = Reply(large, headers={"Preference-Applied": applied})
        with (
            scripted_feed(lambda _, reply=reply: reply) as (url, _),  # type: ignore[misc]
            pytest.raises(FeedPageTooLarge) as caught,
        ):
            read_all(f"{url}/Wells", tuned(settings, page_limit_mb=1))
        assert advice in caught.value.next


def test_the_plus_of_a_zone_reaches_the_service_as_plus(settings: Settings) -> None:
    """It is sent as %2B, also where the address has it bare; a plus elsewhere is a blank, as in every form."""
    raw: list[str] = []

    class Handler(Answering):
        def do_GET(self) -> None:
            raw.append(self.path)
            self.reply(b'{"value": []}')

    with serving(Handler) as host:
        read_all(f"http://{host}/W?$filter=month+ge+2024-01-01T00:00:00+03:00", settings, filter="a eq '1+1'")
    assert "2024-01-01T00:00:00%2B03:00" in raw[0] and "%271%2B1%27" in raw[0]
    assert "month%20ge%20" in raw[0] and "+" not in raw[0]


def test_text_in_a_filter_survives_every_sign(settings: Settings) -> None:
    """Quotes, ampersand, slash, hash, percent and letters of any script reach the service as they were meant."""
    text = "name eq 'O''Neil & Co / #1 100% åé€ ?=;+'"
    with scripted_feed(lambda _: Reply({"value": []})) as (url, asked):
        read_all(f"{url}/Wells", settings, filter=text)
    assert asked[0].options["$filter"] == text


def test_of_a_key_that_comes_twice_the_last_one_stays_and_is_counted(settings: Settings) -> None:
    """Data that moves while it is paged may give a record again: the store has it once, as it came last."""
    pages = [
        [record(1, oil_production_kbd=1.0), record(2)],
        [record(2), record(1, oil_production_kbd=3.0)],
    ]

    def answer(asked: Asked) -> Reply:
        more = {} if "p" in asked.options else {"@odata.nextLink": "WellProduction?p=2"}
        return Reply({"@odata.count": 4, "value": pages["p" in asked.options], **more})

    with scripted_feed(answer) as (url, _):
        summary = start_import(ImportRequest(f"{url}/WellProduction"), settings)
    assert (summary.state.new, summary.state.duplicate + summary.state.restated) == (2, 2)
    assert summary.exit_code == 0
    with Store(settings.store_path).read() as reading:
        rows = reading.table("SELECT well_code, oil_production_kbd FROM production ORDER BY 1").rows()
    assert rows == [(1, 3.0), (2, 1.5)]


# The service root


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("version", ["2", "4"])
def test_a_service_root_leads_on_with_and_without_its_slash(
    settings: Settings, slash: str, strict: bool, version: str
) -> None:
    """Also where it refuses options that mean nothing there, as strict services do."""

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/WellProduction"):
            return Reply({"value": wells(1)})
        if strict and asked.options:
            return Reply({"error": {"message": "no options here"}}, 400)
        listed = [
            {"name": "Fields", "url": "Fields"},
            {"name": "WellProduction", "kind": "EntitySet", "url": "WellProduction"},
        ]
        return Reply({"value": listed} if version == "4" else {"d": {"EntitySets": ["Fields", "WellProduction"]}})

    with scripted_feed(answer) as (url, _):
        codes, feed = read_all(f"{url}/odata/v1{slash}", settings, entity_sets=["WellProduction"])
        assert (codes, feed.url) == ([1], f"{url}/odata/v1/WellProduction")
        assert feed.warnings == []
        with pytest.raises(FeedUnreadable, match="service root; it lists Fields, WellProduction"):
            read_all(f"{url}/odata/v1{slash}", settings, entity_sets=["Nothing"])


def test_a_service_root_that_points_elsewhere_is_refused(settings: Settings) -> None:
    """The address of an entity set is a link like any other."""
    listed = {"value": [{"name": "WellProduction", "url": "http://elsewhere.invalid/WellProduction"}]}
    says = "address of WellProduction leads to another origin"
    with scripted_feed(lambda _: Reply(listed)) as (url, _), pytest.raises(FeedLinkRefused, match=says):
        read_all(f"{url}/odata", settings, entity_sets=["WellProduction"])
