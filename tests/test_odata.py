"""The OData client against real HTTP: paging in every mixture, faults, sign-in, links, limits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from wellprod.demo import Fault, create_app, running
from wellprod.errors import (
    FeedError,
    FeedLinkRefused,
    FeedPageTooLarge,
    FeedRefused,
    FeedSignInRefused,
    FeedUnreachable,
    FeedUnreadable,
    UsageError,
)
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import FailedPage, Place
from wellprod.feed.wire import Stopped
from wellprod.settings import Settings, load_settings

from .reading import ORDER, frame, read, read_all, tuned, wells_of
from .scripted import Asked, Reply, record, scripted_feed

# Paging


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"relative_links": True},
        {"max_page_size": 3},
        {"top_cap": 4},
        {"count_refused": True, "top_cap": 6},
        {"count_refused": True, "max_page_size": 9, "relative_links": True},
        {"gzip": True},
    ],
    ids=lambda service: "-".join(service) or "plain",
)
def service_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A service of 101 records with habits of its own."""
    with running(create_app(frame(101), **request.param)) as url:
        yield url


@pytest.mark.parametrize("paging", ["server", "skip"])
@pytest.mark.parametrize("page_size", [1, 7, 101, 5000])
def test_every_record_comes_once(settings: Settings, service_url: str, paging: str, page_size: int) -> None:
    """Whatever page size is asked for and however the server caps or links, none is lost and none is doubled."""
    assert read_all(service_url, tuned(settings, page_size=page_size), paging)[0] == list(range(101))


def test_a_short_or_an_empty_page_is_not_the_end(settings: Settings) -> None:
    """Only the absence of a next link ends server-driven paging."""
    pages: dict[str, list[int]] = {"": [1, 2], "b": [], "c": [3], "d": []}

    def answer(asked: Asked) -> Reply:
        names = list(pages)
        name = asked.options.get("$skiptoken", "")
        following = names[names.index(name) + 1 :]
        link = {"@odata.nextLink": f"Wells?$skiptoken={following[0]}"} if following else {}
        return Reply({"value": [record(n) for n in pages[name]], **link})

    with scripted_feed(answer) as (url, _):
        assert read_all(f"{url}/Wells", settings)[0] == [1, 2, 3]


def test_an_empty_window_before_the_count_is_not_the_end(settings: Settings) -> None:
    """A service that trims pages after cutting them may leave one empty; $skip goes on until the count is reached."""

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options["$skip"])
        visible = [n for n in range(skip, min(skip + 10, 40)) if not 10 <= n < 30]
        return Reply({"@odata.count": 40, "value": [record(n) for n in visible]})

    with scripted_feed(answer) as (url, _):
        wells, _ = read_all(f"{url}/Wells", tuned(settings, page_size=10), "skip")
    assert wells == [*range(10), *range(30, 40)]


def test_windows_go_on_beyond_a_count_that_is_too_low(settings: Settings) -> None:
    """The count is inexact by specification: records beyond it are read too."""

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options["$skip"])
        return Reply({"@odata.count": 5, "value": [record(n) for n in range(skip, min(skip + 5, 12))]})

    with scripted_feed(answer) as (url, _):
        assert read_all(f"{url}/Wells", tuned(settings, page_size=5), "skip")[0] == list(range(12))


def test_the_next_link_is_opaque(settings: Settings) -> None:
    """A next link is asked for as it came, with nothing added and nothing of the first request kept."""
    link = "/odata/Wells?opaque=a%2Bb%20c&$skiptoken='x''y'"

    def answer(asked: Asked) -> Reply:
        return Reply({"value": [record(2)]} if asked.options.get("opaque") else {"value": [], "@odata.nextLink": link})

    with scripted_feed(answer) as (url, asked):
        read_all(f"{url}/odata/Wells?$filter=well_code gt 1", settings)
    assert asked[0].options == {"$filter": "well_code gt 1", "$count": "true"}
    assert asked[1].options == {"opaque": "a+b c", "$skiptoken": "'x''y'"}


@pytest.mark.parametrize(
    ("context", "link", "path"),
    [
        ("$metadata#Wells", "Wells?p=2", "/odata/Wells"),
        ("/other/$metadata#Wells", "Wells?p=2", "/other/Wells"),
        (None, "?p=2", "/odata/Wells"),
        (None, "/root?p=2", "/root"),
    ],
)
def test_a_relative_next_link_has_the_right_base(settings: Settings, context: str, link: str, path: str) -> None:
    """The base is the context URL of the answer, else the address of the page."""

    def answer(asked: Asked) -> Reply:
        first = {"@odata.context": context, "value": [], "@odata.nextLink": link}
        return Reply({"value": []} if "p" in asked.options else first)

    with scripted_feed(answer) as (url, asked):
        read_all(f"{url}/odata/Wells", settings)
    assert asked[1].path == path


def test_windows_ask_for_a_stable_order(settings: Settings) -> None:
    """$skip paging sends $orderby on the key, $top and $count."""
    with scripted_feed(lambda _: Reply({"value": []})) as (url, asked):
        read_all(f"{url}/Wells", tuned(settings, page_size=10), "skip")
    assert asked[0].options == {
        "$count": "true",
        "$orderby": "field_code,well_code,production_period",
        "$skip": "0",
        "$top": "10",
    }


def test_a_service_that_refuses_an_option_is_read_without_it(settings: Settings) -> None:
    """$count and then $orderby are left out after a 400 or 501, with a warning that says what it costs."""

    def answer(asked: Asked) -> Reply:
        if "$count" in asked.options or "$orderby" in asked.options:
            return Reply({"error": {"message": "no"}}, 501)
        return Reply({"value": [record(1)] if asked.options["$skip"] == "0" else []})

    with scripted_feed(answer) as (url, _):
        wells, feed = read_all(f"{url}/Wells", settings, "skip")
    assert wells == [1]
    assert ["$count" in feed.warnings[0], "$orderby" in feed.warnings[1]] == [True, True]


def test_a_filter_is_joined_and_encoded(settings: Settings) -> None:
    """An added $filter is joined to one in the address; quotes, plus and ampersand reach the service as they are."""
    with scripted_feed(lambda _: Reply({"value": []})) as (url, asked):
        own = "name eq 'O''Neil %26 Co%2B'"
        read_all(f"{url}/Wells?$filter={own}", settings, filter="month ge 2024-01-01")
    assert asked[0].options["$filter"] == "(name eq 'O''Neil & Co+') and (month ge 2024-01-01)"


# Links that lead elsewhere


def test_a_next_link_that_repeats_is_an_error_after_its_page(settings: Settings) -> None:
    """A circle is told with the page number, and the pages before it are given."""

    def answer(asked: Asked) -> Reply:
        return Reply({"value": [record(1)], "@odata.nextLink": "Wells?p=2"})

    with scripted_feed(answer) as (url, asked):
        feed, pages = ODataFeed(f"{url}/Wells", settings), []
        with pytest.raises(FeedLinkRefused, match="next link of page 2 leads to a page that was read already"):
            for page in feed.pages(read, Place()):
                pages.append(page)
        feed.close()
    assert len(pages) == len(asked) == 2


def test_a_next_link_to_another_origin_is_refused_unless_allowed(settings: Settings) -> None:
    """Nothing is asked of the other host; once the settings allow it, it is, with the credentials."""
    with scripted_feed(lambda _: Reply({"value": [record(2)]})) as (other, asked_there):
        link = f"{other}/more?secret=1"
        with scripted_feed(lambda _: Reply({"value": [record(1)], "@odata.nextLink": link})) as (url, _):
            signed_in = load_settings(home=settings.home, feed_user="ann", feed_password="pw")
            with pytest.raises(FeedLinkRefused) as caught:
                read_all(f"{url}/Wells", signed_in)
            assert "WELLPROD_FEED_ALLOWED_ORIGINS" in str(caught.value)
            assert "secret" not in str(caught.value)
            assert asked_there == []
            assert read_all(f"{url}/Wells", tuned(signed_in, feed_allowed_origins=(other,)))[0] == [1, 2]
    assert "authorization" in asked_there[0].headers


def test_a_redirect_to_another_origin_is_followed_without_credentials(settings: Settings) -> None:
    """The other origin sees no password, token or key, also for its own relative next link."""

    def there(asked: Asked) -> Reply:
        more = {} if "p" in asked.options else {"@odata.nextLink": "moved?p=2"}
        return Reply({"value": [record(1)], **more})

    with scripted_feed(there) as (other, asked_there):
        moved = Reply(status=307, headers={"Location": f"{other}/moved"})
        with scripted_feed(lambda _: moved) as (url, asked_here):
            full = load_settings(home=settings.home, feed_user="ann", feed_password="pw", feed_api_key="k")
            assert read_all(f"{url}/Wells", full)[0] == [1, 1]
    assert "authorization" in asked_here[0].headers
    assert all({"authorization", "x-api-key"}.isdisjoint(asked.headers) for asked in asked_there)


def test_a_saved_link_that_a_redirect_led_to_goes_on_there(settings: Settings) -> None:
    """Who resumes at a link of an origin that a redirect had led to reads on there, without credentials."""

    def there(asked: Asked) -> Reply:
        page = int(asked.options.get("p", 1))
        return Reply({"value": [record(page)], **({"@odata.nextLink": f"moved?p={page + 1}"} if page < 3 else {})})

    with scripted_feed(there) as (other, asked_there):
        moved = Reply(status=307, headers={"Location": f"{other}/moved"})
        with scripted_feed(lambda _: moved) as (url, _):
            signed_in = load_settings(home=settings.home, feed_user="ann", feed_password="pw")
            feed = ODataFeed(f"{url}/Wells", signed_in)
            place = next(feed.pages(read, Place())).next
            feed.close()
            assert place
            feed = ODataFeed(f"{url}/Wells", signed_in)
            assert wells_of(list(feed.pages(read, place))) == [2, 3]
            feed.close()
    assert all("authorization" not in asked.headers for asked in asked_there)


@pytest.mark.parametrize("link", ["http://[bad", "http://h:99999/x", "ftp://h/x"])
def test_a_next_link_that_is_no_address_is_refused(settings: Settings, link: str) -> None:
    """It is told with its page, which is given first."""
    with scripted_feed(lambda _: Reply({"value": [record(1)], "@odata.nextLink": link})) as (url, _):
        feed, pages = ODataFeed(f"{url}/Wells", settings), []
        with pytest.raises(FeedLinkRefused, match="next link of page 1"):
            for page in feed.pages(read, Place()):
                pages.append(page)
        feed.close()
    assert wells_of(pages) == [1]


# Sign-in


@pytest.mark.parametrize(
    ("service", "credentials"),
    [
        ({"basic_auth": ("ann", "pä:ss")}, {"feed_user": "ann", "feed_password": "pä:ss"}),
        ({"bearer": "t0ken"}, {"feed_token": "t0ken"}),
        ({"api_key": ("X-API-Key", "k3y")}, {"feed_api_key": "k3y"}),
        ({"api_key": ("Ocp-Key", "k3y")}, {"feed_api_key": "k3y", "feed_api_key_header": "Ocp-Key"}),
    ],
    ids=["basic", "bearer", "key", "own-header"],
)
def test_the_credentials_let_in(home: Any, service: dict[str, Any], credentials: dict[str, Any]) -> None:
    """Basic, bearer and API-key sign-in work; a wrong or missing one is told at once, without the secret."""
    with running(create_app(frame(3), **service)) as url:
        assert read_all(url, load_settings(home=home, **credentials))[0] == [0, 1, 2]
        wrong = {name: "wr0ng" if name != "feed_api_key_header" else value for name, value in credentials.items()}
        with pytest.raises(FeedSignInRefused) as caught:
            read_all(url, load_settings(home=home, **wrong))
        assert "wr0ng" not in str(caught.value)
        with pytest.raises(FeedSignInRefused, match="no credentials"):
            read_all(url, load_settings(home=home))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "host/odata",
        "http://",
        "http://ann:pw@host/x",
        "http://h:abc/x",
        "http://[bad/x",
        "http://u:p/w@h/",
    ],
)
def test_an_address_that_is_none_is_refused(settings: Settings, url: str) -> None:
    """Only http and https are read, and a password does not belong into an address."""
    with pytest.raises(UsageError) as caught:
        ODataFeed(url, settings)
    assert "pw" not in str(caught.value)


# Faults


@pytest.mark.parametrize("kind", ["error500", "error503", "cut", "malformed", "error-object"])
@pytest.mark.parametrize("paging", ["server", "skip"])
def test_a_fault_that_passes_costs_nothing(settings: Settings, kind: str, paging: str) -> None:
    """Every second request fails in this way, and yet each record comes once."""
    with running(create_app(frame(50), faults=[Fault(kind, 2)])) as url:
        assert read_all(url, tuned(settings, page_size=5), paging)[0] == list(range(50))


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("error500", FeedRefused, "answered 500"),
        ("cut", FeedUnreachable, "cannot be reached"),
        ("malformed", FeedUnreadable, "no whole JSON"),
        ("error-object", FeedUnreadable, "in place of a page"),
    ],
)
def test_a_fault_that_stays_is_tried_six_times(
    settings: Settings, kind: str, error: type[FeedError], says: str
) -> None:
    """The error says what it was and what to do, after six attempts that were each told."""
    told: list[str] = []
    with running(create_app(frame(5), faults=[Fault(kind, 1)])) as url, pytest.raises(error, match=says) as caught:
        read_all(url, settings, notify=told.append)
    assert caught.value.next
    assert [text.partition(" in ")[0] for text in told] == [f"attempt {n} of 6" for n in range(2, 7)]


def test_an_unknown_host_is_told_at_once(settings: Settings) -> None:
    """A name that does not resolve is an error with the host in it."""
    with pytest.raises(FeedUnreachable, match=r"http://nowhere\.invalid:80 cannot be reached"):
        read_all("http://nowhere.invalid/odata", settings)


def test_a_refused_connection_is_tried_again(settings: Settings) -> None:
    """A port that nobody listens on is tried six times and told."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    told: list[str] = []
    with pytest.raises(FeedUnreachable, match=f"127.0.0.1:{port} cannot be reached"):
        read_all(f"http://127.0.0.1:{port}/odata", settings, notify=told.append)
    assert len(told) == 5


def _seconds(amount: float) -> Callable[[], str]:
    return lambda: str(amount)


def _date(seconds: float) -> Callable[[], str]:
    return lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        (_seconds(20), 20.0, 20.0),
        (_seconds(0), 0.0, 0.0),
        (_seconds(86400), 60.0, 60.0),
        (_date(30), 27.0, 30.0),
        (_date(-30), 0.0, 0.0),
        (_seconds(-5), 0.0, 0.1),
        (lambda: "soon", 0.0, 0.1),
    ],
    ids=["seconds", "zero", "a-day", "date", "past-date", "negative", "nonsense"],
)
def test_retry_after_is_obeyed_within_bounds(
    settings: Settings, retry_after: Callable[[], str], least: float, most: float
) -> None:
    """A 429 waits as long as it says, in seconds or until a date, a minute at most; nonsense waits as usual."""
    told: list[str] = []
    with scripted_feed(lambda _: Reply("", 429, {"Retry-After": retry_after()})) as (url, _):

        def tell(text: str) -> None:
            told.append(text)
            feed.close()

        feed = ODataFeed(f"{url}/Wells", settings, notify=tell)
        with pytest.raises(Stopped):
            list(feed.pages(read, Place()))
    waited = float(told[0].partition(" in ")[2].partition(" s:")[0])
    assert least - 0.06 <= waited <= most + 0.06


def test_a_stalled_feed_times_out(settings: Settings) -> None:
    """A feed that never answers, or trickles, is given up after the time-out, six times."""
    with running(create_app(frame(5), faults=[Fault("stall", 1)])) as url:
        quick = tuned(settings, feed_timeout_seconds=0.1, feed_attempts=2)
        with pytest.raises(FeedUnreachable, match=r"did not answer whole within 0\.1 seconds"):
            read_all(url, quick)


def test_a_page_above_the_limit_is_refused(settings: Settings) -> None:
    """The decoded size counts, so a small gzip that grows is refused too."""
    with running(create_app(frame(5000), page_size=5000, gzip=True)) as url:
        with pytest.raises(FeedPageTooLarge, match="larger than 1 MB") as caught:
            read_all(url, tuned(settings, page_limit_mb=1, page_size=5000))
        assert "--page-size" in caught.value.next


def test_a_window_that_fails_for_good_is_passed_by(settings: Settings) -> None:
    """Pages with numbers go on after one that cannot be had, which is given as failed with its number."""

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options["$skip"])
        rows = [record(n) for n in range(skip, min(skip + 10, 50))]
        return Reply("broken", 500) if skip == 20 else Reply({"@odata.count": 50, "value": rows})

    with scripted_feed(answer) as (url, _):
        feed = ODataFeed(f"{url}/Wells", tuned(settings, page_size=10))
        pages = list(feed.windows(read, Place(), ORDER))
        feed.close()
    assert wells_of(pages) == [*range(20), *range(30, 50)]
    assert [page.number for page in pages if isinstance(page, FailedPage)] == [3]


def test_a_feed_that_dies_is_not_tried_to_its_end(settings: Settings) -> None:
    """Three failed windows in a row end the reading; none of them is given, so a resume asks for them again."""

    def answer(asked: Asked) -> Reply:
        skip = int(asked.options["$skip"])
        return Reply({"@odata.count": 9000, "value": [record(skip)]}) if skip < 2 else Reply("broken", 500)

    with scripted_feed(answer) as (url, _):
        feed, pages = ODataFeed(f"{url}/Wells", tuned(settings, page_size=1)), []
        with pytest.raises(FeedRefused, match="answered 500"):
            for page in feed.windows(read, Place(), ORDER):
                pages.append(page)
        feed.close()
    assert wells_of(pages) == [0, 1]
    assert pages[-1].next == Place(3, skip=2)


def test_a_feed_that_ignores_skip_is_found_out(settings: Settings) -> None:
    """The same page three times is an error, not an endless import."""
    same = Reply({"value": [record(1), record(2)]})
    says = r"Pages 1 to 3 are the same.*\$skip"
    with scripted_feed(lambda _: same) as (url, _), pytest.raises(FeedLinkRefused, match=says):
        read_all(f"{url}/Wells", settings, "skip")


def test_closing_the_feed_ends_a_long_wait(settings: Settings) -> None:
    """A wait of a minute that a feed asked for does not outlive the wish to stop."""
    waiting = threading.Event()
    with scripted_feed(lambda _: Reply("", 503, {"Retry-After": "60"})) as (url, _):
        feed = ODataFeed(f"{url}/Wells", settings, notify=lambda _: waiting.set())
        ended: list[BaseException] = []

        def work() -> None:
            try:
                list(feed.pages(read, Place()))
            except BaseException as error:
                ended.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        assert waiting.wait(10)
        feed.close()
        thread.join(10)
    assert [type(error).__name__ for error in ended] == ["Stopped"]
