"""The answers that an OData client has to read, of every version, whole and broken; see `docs/odata.md`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from wellprod.errors import FeedUnreadable
from wellprod.feed.odata import ODataFeed
from wellprod.feed.page import Content, Place, read_content
from wellprod.feed.profile import find_profile
from wellprod.ingest import ImportRequest, start_import
from wellprod.settings import Settings
from wellprod.store import Store

from .reading import ORDER, Answering, read, read_all, tuned, two_pages, wells
from .scripted import Asked, Reply, record, scripted_feed, serving

# Answers (JSON Format, Conformance)


@pytest.mark.parametrize(
    "page",
    [
        {"@odata.context": "$metadata#Wells", "@odata.count": 2, "value": wells(1, 2)},
        {"value": wells(1, 2), "@odata.count": "2"},
        {"@context": "$metadata#Wells", "@count": 2, "value": wells(1, 2)},
        {"odata.metadata": "http://host/$metadata#Wells", "odata.count": "2", "value": wells(1, 2)},
        {"d": {"results": wells(1, 2), "__count": "2"}},
        {"d": {"__count": "2", "results": wells(1, 2)}},
    ],
    ids=["4.0", "4.0-text", "4.01", "3.0", "2.0", "2.0-turned"],
)
def test_every_version_of_a_page_is_read(settings: Settings, page: dict[str, Any]) -> None:
    """Control information with and without `odata.`, counts as numbers and as text, in any order."""
    with scripted_feed(lambda _: Reply(page)) as (url, _):
        codes, feed = read_all(f"{url}/Wells", settings)
    assert (codes, feed.count, feed.warnings) == ([1, 2], 2, [])


@pytest.mark.parametrize(
    ("wrap", "link"),
    [
        (lambda rows: {"value": rows}, "@odata.nextLink"),
        (lambda rows: {"value": rows}, "@nextLink"),
        (lambda rows: {"value": rows}, "odata.nextLink"),
        (lambda rows: {"d": {"results": rows}}, "__next"),
    ],
    ids=["4.0", "4.01", "3.0", "2.0"],
)
def test_the_next_link_of_every_version_is_followed(
    settings: Settings, wrap: Callable[[Any], dict[str, Any]], link: str
) -> None:
    """Whatever it is called, it leads to the next page, also where it comes before the records."""

    def answer(asked: Asked) -> Reply:
        page = wrap(wells(2 if "p" in asked.options else 1))
        inner = page.get("d", page)
        more = {} if "p" in asked.options else {link: f"http://{asked.headers['host']}/Wells?p=2"}
        inner = {**more, **inner}
        return Reply({"d": inner} if "d" in page else inner)

    with scripted_feed(answer) as (url, _):
        assert read_all(f"{url}/Wells", settings)[0] == [1, 2]


def test_full_metadata_and_unknown_annotations_are_no_error() -> None:
    """Types with and without `#`, links, annotations of any vocabulary and instance annotations stand beside values."""
    row = {
        "@odata.type": "#Prod.Record",
        "@odata.id": "Wells(1)",
        "@odata.etag": 'W/"1"',
        "@odata.editLink": "Wells(1)",
        "@removed": None,
        "oil@odata.type": "#Decimal",
        "oil": 1.5,
        "oil@Measures.Unit": "kbd",
        "month@type": "Date",
        "month": "2024-01-01",
        "Field@odata.associationLink": "Wells(1)/Field/$ref",
        "Field@odata.navigationLink": "Wells(1)/Field",
        "#Prod.Close": {"title": "Close", "target": "Wells(1)/Prod.Close"},
        "@Org.Example.Anything": {"a": [1]},
    }
    page = {"@odata.context": "x", "@odata.metadataEtag": 'W/"2"', "@Org.Example.More": {"b": 1}, "value": [row]}
    content = read_content(json.dumps(page).encode(), ("oil", "month"))
    assert content.rows.rows() == [("1.5", "2024-01-01")]


def test_all_primitive_types_are_taken_as_text() -> None:
    """Numbers beyond a float's exactness, in exponent form or as text; booleans, binary, durations, null."""
    values = {
        "Int64": 9007199254740993,
        "Int64 as text": "9007199254740993",
        "Decimal as text": "12345678901234567890.123456789",
        "exponent as text": "1.5e3",
        "Boolean": True,
        "Binary": "AQID",
        "Duration": "P1DT2H",
        "Guid": "00000000-0000-0000-0000-000000000001",
        "DateTimeOffset": "2024-01-01T00:00:00.000+03:00",
        "infinite": "INF",
        "no number": "NaN",
        "null": None,
    }
    content = read_content(json.dumps({"value": [values]}).encode(), list(values))
    expected = {name: value if isinstance(value, str | None) else json.dumps(value) for name, value in values.items()}
    assert content.rows.row(0, named=True) == expected


def test_numbers_are_read_from_text_and_exponents(settings: Settings) -> None:
    """IEEE754Compatible and version 2 give numbers as text, 4.01 with exponents; each becomes the nearest float."""
    given = ["1.5", "1.5E0", "15e-1", 1.5, "0.30000000000000004", 2, "-0.0", None]
    rows = [record(well, oil_production_kbd=oil) for well, oil in enumerate(given)]
    text = json.dumps({"value": rows}).replace(": 1.5,", ": 15.0e-1,")
    with scripted_feed(lambda _: Reply(text)) as (url, _):
        assert start_import(ImportRequest(f"{url}/WellProduction"), settings).state.new == len(given)
    with Store(settings.store_path).read() as reading:
        stored = reading.table("SELECT oil_production_kbd FROM production ORDER BY well_code").rows()
    assert stored == [(1.5,), (1.5,), (1.5,), (1.5,), (0.1 + 0.2,), (2.0,), (0.0,), (None,)]


def test_no_number_reaches_the_store_that_is_none(settings: Settings) -> None:
    """INF and NaN come as text; the row is a reject with its reason and its raw text."""
    odd = ["INF", "-INF", "NaN"]
    rows = [*(record(well, oil_production_kbd=text) for well, text in enumerate(odd)), record(7)]
    with scripted_feed(lambda _: Reply({"value": rows})) as (url, _):
        assert start_import(ImportRequest(f"{url}/WellProduction"), settings).state.failed == 3
    with Store(settings.store_path).read() as reading:
        assert reading.table("SELECT well_code FROM production").rows() == [(7,)]
        rejects = reading.table("SELECT reason, raw_row FROM rejected_rows ORDER BY row_number").rows()
    for text, (reason, raw) in zip(odd, rejects, strict=True):
        assert reason == f"oil_production_kbd is no finite number: '{text}'"
        assert f'"{text}"' in raw


# Versions 2 and 3


def test_dates_of_version_2_are_months_as_written() -> None:
    """Milliseconds since 1970, before it too; minutes after them give the local time; anything else stays as it is."""
    given = {
        "/Date(1704067200000)/": "2024-01-01T00:00:00",
        "/Date(1704063600000+0060)/": "2024-01-01T00:00:00",
        "/Date(1704078000000-0180)/": "2024-01-01T00:00:00",
        "/Date(-86400000)/": "1969-12-31T00:00:00",
        "/Date(0)/": "1970-01-01T00:00:00",
        "2024-01-01T00:00:00": "2024-01-01T00:00:00",
        "/Date(soon)/": "/Date(soon)/",
        "": "",
    }
    for page in ({"d": {"results": [{"month": text} for text in given]}}, {"d": [{"month": text} for text in given]}):
        body = json.dumps(page).replace("/", "\\/").encode()
        assert read_content(body, ("month",)).rows["month"].to_list() == list(given.values())


def test_records_of_version_2_with_their_metadata_and_deferred_links_come_in(settings: Settings) -> None:
    """A whole import: text for numbers, `__metadata`, `__deferred`, a reject with its raw row."""

    def row(code: Any, oil: str) -> dict[str, Any]:
        return record(
            code,
            production_period="/Date(1709251200000)/",
            oil_production_kbd=oil,
            days_on_production="31.0",
            __metadata={"uri": f"Wells({code})", "type": "Prod.Record"},
            Field={"__deferred": {"uri": f"Wells({code})/Field"}},
        )

    rows = [row(1, "1.250"), row(2, "0"), row("none", "1")]
    with scripted_feed(lambda _: Reply({"d": {"results": rows, "__count": "3"}})) as (url, _):
        summary = start_import(ImportRequest(f"{url}/WellProduction"), settings)
    assert (summary.state.new, summary.state.failed) == (2, 1)
    with Store(settings.store_path).read() as reading:
        stored = reading.table(
            "SELECT well_code, production_period::VARCHAR, oil_production_kbd FROM production ORDER BY ALL"
        ).rows()
        [(raw,)] = reading.table("SELECT raw_row FROM rejected_rows").rows()
    assert stored == [(1, "2024-03-01", 1.25), (2, "2024-03-01", 0.0)]
    assert json.loads(raw) == rows[2]


@pytest.mark.parametrize("paging", ["server", "skip"])
@pytest.mark.parametrize("habit", ["refuses", "passes by"])
def test_version_2_is_asked_for_its_count_by_its_own_option(settings: Settings, paging: str, habit: str) -> None:
    """$inlinecount=allpages where $count is refused, or passed by in an answer of version 2."""

    def answer(asked: Asked) -> Reply:
        if "$count" in asked.options and habit == "refuses":
            return Reply({"error": {"message": {"value": "no $count here"}}}, 400)
        skip = int(asked.options.get("$skip", 0))
        rows = wells(*range(skip, min(skip + int(asked.options.get("$top", 25)), 25)))
        count = {"__count": "25"} if asked.options.get("$inlinecount") == "allpages" else {}
        return Reply({"d": {"results": rows, **count}})

    with scripted_feed(answer) as (url, asked):
        codes, feed = read_all(f"{url}/Wells", tuned(settings, page_size=10), paging)
    assert (codes, feed.count, feed.warnings) == (list(range(25)), 25, [])
    assert sum("$count" in request.options for request in asked) == 1


@pytest.mark.parametrize("status", [406, 415])
def test_a_service_that_does_not_know_the_type_of_version_4_is_asked_for_any_json(
    settings: Settings, status: int
) -> None:
    """406 or 415 means plain `application/json`, from then on."""

    def answer(asked: Asked) -> Reply:
        return Reply(status=status) if "odata" in asked.headers["accept"] else two_pages("Wells?p=2")(asked)

    with scripted_feed(answer) as (url, asked):
        assert read_all(f"{url}/Wells", settings)[0] == [1, 2]
    assert [request.headers["accept"] == "application/json" for request in asked] == [False, True, True]


def test_a_service_that_answers_in_xml_is_asked_for_json_by_its_option(settings: Settings) -> None:
    """Atom is what version 2 gives unless $format says otherwise; XML that stays is told, and not as a sign-in page."""
    atom = Reply('<?xml version="1.0"?><feed/>', headers={"Content-Type": "application/atom+xml"})
    as_json = Reply({"d": wells(1)})
    with scripted_feed(lambda a: as_json if a.options.get("$format") == "json" else atom) as (url, asked):
        assert read_all(f"{url}/Wells", settings)[0] == [1]
    assert asked[-1].options["$format"] == "json"
    with scripted_feed(lambda _: atom) as (url, asked), pytest.raises(FeedUnreadable, match="XML in place of JSON"):
        read_all(f"{url}/Wells", settings)
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("date", "2024-03-01"),
        ("date-time", "2024-03-01T00:00:00Z"),
        ("quoted", "'2024-03-01'"),
        ("version 2", "datetime'2024-03-01T00:00:00'"),
    ],
)
def test_dates_in_a_filter_are_written_as_the_source_wants(settings: Settings, kind: Any, literal: str) -> None:
    """Unquoted in version 4, with `datetime` in 2, quoted where a service asks for that: the profile says which."""
    profile = find_profile("woodmac").model_copy(update={"filter_dates": kind})
    with scripted_feed(lambda _: Reply({"value": []})) as (url, asked):
        read_all(f"{url}/Wells", settings, filter=profile.since_filter("2024-03-01"))
    assert asked[0].options["$filter"] == f"production_period ge {literal}"


# Answers that break (In-Stream Errors)


GOOD = json.dumps({"value": wells(1, 2, 3)}).encode()


def _with_error_beside(handler: Answering) -> None:
    handler.reply(json.dumps({"value": wells(1), "error": {"code": "500", "message": "lost the database"}}).encode())


def _with_error_after_records_of_version_2(handler: Answering) -> None:
    handler.reply(json.dumps({"d": {"results": wells(1)}, "error": {"code": "500", "message": "lost"}}).encode())


def _with_long_content_length(handler: Answering) -> None:
    handler.reply(GOOD[:40], {"Content-Length": str(len(GOOD))})


def _with_short_content_length(handler: Answering) -> None:
    handler.reply(GOOD, {"Content-Length": "40"})


def _with_trailer(handler: Answering) -> None:
    """Break off in the middle of a record, as a service does, and say so in the trailer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.send_header("Trailer", "OData-Error")
    handler.end_headers()
    handler.wfile.write(b"28\r\n%s\r\n0\r\nOData-Error: {}\r\n\r\n" % GOOD[:0x28])


def _with_cut_gzip(handler: Answering) -> None:
    handler.reply(gzip.compress(GOOD * 50)[:-30], {"Content-Encoding": "gzip"})


def _with_half_a_page_in_gzip(handler: Answering) -> None:
    handler.reply(gzip.compress(GOOD[:40]), {"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    "broken",
    [
        _with_error_beside,
        _with_error_after_records_of_version_2,
        _with_long_content_length,
        _with_short_content_length,
        _with_trailer,
        _with_cut_gzip,
        _with_half_a_page_in_gzip,
    ],
)
def test_a_page_that_breaks_in_its_stream_is_no_page(settings: Settings, broken: Callable[[Answering], None]) -> None:
    """After the status 200 it can still fail: nothing of it is taken, it is asked for again, and then comes whole."""
    times = 0

    class Handler(Answering):
        def do_GET(self) -> None:
            nonlocal times
            times += 1
            broken(self) if times == 1 else self.reply(GOOD)

    with serving(Handler) as host:
        feed = ODataFeed(f"http://{host}/Wells", settings)
        pages = list(feed.pages(read, Place()))
        feed.close()
    assert times == 2
    assert [page.rows["well_code"].to_list() for page in pages] == [["1", "2", "3"]]


def test_gzip_is_asked_for_and_read(settings: Settings) -> None:
    """The request offers it, and the answer is read through it."""
    offered: list[str] = []

    class Handler(Answering):
        def do_GET(self) -> None:
            offered.append(self.headers["accept-encoding"])
            self.reply(gzip.compress(GOOD), {"Content-Encoding": "gzip"})

    with serving(Handler) as host:
        assert read_all(f"http://{host}/Wells", settings)[0] == [1, 2, 3]
    assert "gzip" in offered[0]


def test_odd_headers_are_no_error(settings: Settings) -> None:
    """A version with a semicolon, a type with blanks and letters in upper case, a type that is plain text."""
    for headers in (
        {"OData-Version": "4.0;", "Content-Type": "Application/JSON ; OData.Metadata=Minimal; charset=UTF-8"},
        {"OData-Version": "4.01", "Content-Type": "text/plain"},
        {"DataServiceVersion": "2.0;", "Content-Type": "text/html"},
    ):
        with scripted_feed(lambda _, headers=headers: Reply({"value": wells(1)}, headers=headers)) as (url, _):  # type: ignore[misc]
            assert read_all(f"{url}/Wells", settings)[0] == [1]


@pytest.mark.parametrize("body", ["<html>Sign in</html>", "Please sign in", ""], ids=["page", "text", "empty"])
def test_html_is_told_before_it_is_parsed(settings: Settings, body: str) -> None:
    """The type alone tells a web page; it is not read, and not asked for again."""

    def must_not_read(_: bytes) -> Content:
        raise AssertionError("a web page was parsed")

    with scripted_feed(lambda _: Reply(body, headers={"Content-Type": "text/html; charset=utf-8"})) as (url, asked):
        feed = ODataFeed(f"{url}/Wells", settings)
        with pytest.raises(FeedUnreadable, match="web page in place of records") as caught:
            list(feed.windows(must_not_read, Place(), ORDER))
        feed.close()
    assert len(asked) == 1
    assert "sign-in" in caught.value.next
