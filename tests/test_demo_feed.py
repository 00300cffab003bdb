"""The demo feed: generated wells, JSON files, paging, queries, sign-in and faults, over real HTTP on loopback."""

from __future__ import annotations

import calendar
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree

import httpx
import polars as pl
import pytest

from wellprod.demo import (
    DATA_SOURCE,
    FAULT_KINDS,
    PROPERTIES,
    Fault,
    create_app,
    generate_wells,
    read_records,
    running,
)
from wellprod.demo.faults import Faults, RateLimit
from wellprod.demo.pages import PageCache
from wellprod.errors import UsageError

ANP = Path(__file__).parents[2] / "shared/data/anp_wells.json"
LAST_MONTH = date(2024, 6, 1)
needs_anp = pytest.mark.skipif(not ANP.exists(), reason=f"{ANP.name} is not beside this checkout")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client that does not follow the proxies of this machine."""
    with httpx.Client(trust_env=False, timeout=60.0) as client:
        yield client


@pytest.fixture(scope="module")
def wells() -> pl.DataFrame:
    """About 1,400 records of 60 wells in a few fields."""
    return generate_wells(60, 36, seed=3, last_month=LAST_MONTH)


@pytest.fixture(scope="module")
def url(wells: pl.DataFrame) -> Iterator[str]:
    """A feed of `wells` with no faults and no limits."""
    with running(create_app(wells)) as url:
        yield url


def pages(client: httpx.Client, url: str, **request: Any) -> Iterator[dict[str, Any]]:
    """Follow next links to the end; a link that came before, or a page that is no JSON, fails."""
    seen: set[str] = set()
    link: str | None = url
    while link is not None:
        assert link not in seen
        seen.add(link)
        answer = client.get(link, **request)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield page
        link = urljoin(str(answer.url), page["@odata.nextLink"]) if "@odata.nextLink" in page else None
        request.pop("params", None)


def rows_of(client: httpx.Client, url: str, params: dict[str, str] | None = None, size: int = 5000) -> list[Row]:
    """Read all records that a query gives, by next links."""
    headers = {"Prefer": f"odata.maxpagesize={size}"}
    return [row for page in pages(client, url, params=params, headers=headers) for row in page["value"]]


# Generated wells


@pytest.fixture(scope="module")
def many() -> pl.DataFrame:
    """The default demo: 1,500 wells over 15 years."""
    return generate_wells(wells=1500, months=180, seed=1, last_month=LAST_MONTH)


def test_generated_wells_are_the_same_for_the_same_seed(wells: pl.DataFrame) -> None:
    """The same arguments give the same frame, another seed gives another."""
    assert generate_wells(60, 36, seed=3, last_month=LAST_MONTH).equals(wells)
    assert not generate_wells(60, 36, seed=4, last_month=LAST_MONTH).equals(wells)


def test_generated_wells_look_like_the_feed(many: pl.DataFrame) -> None:
    """Names, order and types are those of a feed record, and there are at least 160,000 of 1,500 wells."""
    assert many.schema == pl.Schema(PROPERTIES)
    assert many["well_code"].n_unique() == 1500
    assert 160_000 <= many.height < 1500 * 180
    assert set(many["data_source"]) == {DATA_SOURCE}
    assert set(many["partition_0"]) == {"latest"}
    assert 60 <= many["field_code"].n_unique() <= 125
    names = " ".join(many["well_name"].unique())
    assert "'" in names and "," in names and not names.isascii()


@pytest.mark.parametrize("seed", range(4))
def test_any_seed_gives_enough_records(seed: int) -> None:
    """How many records there are hardly depends on the seed."""
    assert generate_wells(1500, 180, seed, LAST_MONTH).height >= 160_000


def test_generated_codes_and_names_belong_together(many: pl.DataFrame) -> None:
    """A code has one name and a name one code, for fields and for wells; a well is in one field."""
    assert many["field_code"].n_unique() == many["_field_name"].n_unique()
    assert many.select("field_code", "_field_name").n_unique() == many["field_code"].n_unique()
    assert many["well_name"].n_unique() == many["_well_reference"].n_unique() == 1500
    columns = ["field_code", "well_code", "well_name", "_well_reference"]
    assert many.select(columns).n_unique() == 1500


def test_generated_key_is_unique_and_in_order(many: pl.DataFrame) -> None:
    """No well has a month twice, none lacks a month between its first and its last, and the key is the order."""
    key = many.select("field_code", "well_code", "production_period")
    assert key.n_unique() == many.height
    assert key.equals(key.sort("field_code", "well_code", "production_period"))
    month = pl.col("production_period").str.slice(0, 4).cast(int) * 12
    month += pl.col("production_period").str.slice(5, 2).cast(int)
    spans = many.group_by("well_code").agg(pl.len().alias("records"), (month.max() - month.min() + 1).alias("months"))
    assert spans["records"].equals(spans["months"], check_names=False)
    assert spans["records"].n_unique() > 50


def test_generated_months_and_days_are_those_of_the_calendar(many: pl.DataFrame) -> None:
    """Periods are the first of one of the 180 months, at midnight UTC; days on lie within that month."""
    months = {text: datetime.fromisoformat(text) for text in many["production_period"].unique()}
    assert len(months) == 180
    assert all(text == time.isoformat() for text, time in months.items())
    assert all((time.day, time.hour, time.tzinfo) == (1, 0, UTC) for time in months.values())
    assert (min(months.values()).date(), max(months.values()).date()) == (date(2009, 7, 1), LAST_MONTH)
    longest = {text: calendar.monthrange(time.year, time.month)[1] for text, time in months.items()}
    days = many.select("production_period", "days_on_production").drop_nulls().rows()
    assert all(0 <= on <= longest[text] for text, on in days)


def test_generated_figures_are_plausible(many: pl.DataFrame) -> None:
    """Rates are at least 0, liquids at least oil, shut-in months give nothing, and few figures are null."""
    oil, gas, days = (pl.col(name) for name in ("oil_production_kbd", "gas_production_mmcfd", "days_on_production"))
    liquids, water = pl.col("liquids_production_kbd"), pl.col("water_production_kbd")
    assert many.filter((oil < 0) | (oil > 200) | (gas < 0) | (gas > 500) | (water < 0) | (liquids < oil)).is_empty()
    shut_in = many.filter(days == 0)
    assert 0.005 < shut_in.height / many.height < 0.05
    assert shut_in.filter((oil > 0) | (gas > 0) | (liquids > 0) | (water > 0)).is_empty()
    assert many.filter((days > 0) & (oil == 0)).is_empty()
    for name in ("days_on_production", "liquids_production_kbd", "water_production_kbd"):
        assert 0.001 < many[name].null_count() / many.height < 0.1
    assert many["oil_production_kbd"].null_count() == many["gas_production_mmcfd"].null_count() == 0
    for name in ("oil_production_kbd", "gas_production_mmcfd", "water_production_kbd"):
        assert many.filter(pl.col(name).round(6) != pl.col(name)).is_empty()


def test_generated_wells_build_up_decline_and_water_out(many: pl.DataFrame) -> None:
    """The median well peaks early, then falls, while its gas-oil ratio and its water cut rise."""
    by_well = pl.int_range(pl.len()).over("well_code").alias("age")
    whole = many.filter(
        pl.col("production_period").first().over("well_code") > "2010", pl.col("days_on_production") > 27
    )
    at = (
        whole.with_columns(by_well)
        .with_columns(
            gor=pl.col("gas_production_mmcfd") / pl.col("oil_production_kbd"),
            cut=pl.col("water_production_kbd") / (pl.col("water_production_kbd") + pl.col("oil_production_kbd")),
        )
        .group_by("age")
        .agg(pl.median("oil_production_kbd", "gor", "cut"))
        .sort("age")
        .rows_by_key("age", unique=True)
    )
    oil, gor, cut = ([at[age][index] for age in (0, 8, 48, 96)] for index in range(3))
    assert oil[0] < oil[1] > oil[2] > oil[3]
    assert gor == sorted(gor)
    assert cut == sorted(cut)


def test_the_largest_wells_stand_out(many: pl.DataFrame) -> None:
    """The ten best wells give more than twenty times the oil of the median well."""
    totals = many.group_by("well_code").agg(pl.sum("oil_production_kbd"))["oil_production_kbd"].sort()
    assert totals[-10:].mean() > 20 * totals.median()  # type: ignore[operator]


@pytest.mark.parametrize(("wells", "months"), [(1, 1), (1, 24), (12, 1), (3, 2), (40, 600)])
def test_small_and_long_feeds_hold_every_well(wells: int, months: int) -> None:
    """Each well has a record, however few wells and months there are."""
    frame = generate_wells(wells, months, seed=0, last_month=LAST_MONTH)
    assert frame["well_code"].n_unique() == wells
    assert frame["production_period"].max() <= "2024-06-01T00:00:00+00:00"  # type: ignore[operator]


@pytest.mark.parametrize(("wells", "months"), [(0, 1), (1, 0), (1, 12 * 2024)])
def test_no_wells_or_no_months_are_refused(wells: int, months: int) -> None:
    """Counts that give no calendar months are wrong use."""
    with pytest.raises(UsageError, match=f"{wells} wells and {months} months"):
        generate_wells(wells, months, seed=0, last_month=LAST_MONTH)


# Records of a JSON file


@needs_anp
def test_the_properties_are_those_of_the_real_file() -> None:
    """Generated records have the names of the real file's, in its order."""
    assert list(PROPERTIES) == list(json.loads(ANP.read_bytes())["value"][0])


@needs_anp
def test_the_file_of_real_wells_is_served_back_equal(client: httpx.Client) -> None:
    """All 6,505 records of anp_wells.json arrive as they are in the file, in its order."""
    source = json.loads(ANP.read_bytes())["value"]
    with running(create_app(read_records(ANP))) as url:
        assert rows_of(client, url) == source
        filtered = rows_of(client, url, {"$filter": "water_production_kbd eq null and gas_production_mmcfd gt 30"})
    assert filtered == [row for row in source if (row["gas_production_mmcfd"] or 0) > 30] != []


def served(tmp_path: Path, client: httpx.Client, content: Any, **params: str) -> bytes:
    """Write `content` as a JSON file, serve it, and give the body of its first page."""
    path = tmp_path / "records.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with running(create_app(read_records(path))) as url:
        answer = client.get(url, params=params)
    assert answer.status_code == 200, answer.text
    return answer.content


ODD_ROWS = [
    {"field_code": 1, "well_code": 2, "production_period": "2024-01-01T00:00:00+00:00", "oil_production_kbd": 1.5},
    {"field_code": "x", "well_code": 2, "production_period": 202401, "oil_production_kbd": "n/a", "extra": [1, {}]},
    {"field_code": 3, "well_code": 2**63, "oil_production_kbd": True, "extra": None},
    {"field_code": -0.0, "well_code": None, "production_period": "soon", "oil_production_kbd": 2**60},
]


def test_rows_of_mixed_types_are_served_unchanged(tmp_path: Path, client: httpx.Client) -> None:
    """Text among numbers, nested values, absent properties and huge integers keep their JSON types."""
    body = served(tmp_path, client, ODD_ROWS)
    assert repr(json.loads(body)["value"]) == repr(ODD_ROWS)


def test_rows_of_mixed_types_can_be_queried(tmp_path: Path, client: httpx.Client) -> None:
    """A value that does not fit the type of its property is null to a filter, and selected as it is."""
    body = served(tmp_path, client, ODD_ROWS, **{"$filter": "oil_production_kbd gt 1", "$select": "oil_production_kbd"})
    assert json.loads(body)["value"] == [{"oil_production_kbd": 1.5}, {"oil_production_kbd": 2**60}]


def test_plain_values_survive_to_the_last_bit(tmp_path: Path, client: httpx.Client) -> None:
    """Floats, negative zero, integers, null, accents, quotes and control characters come back the same."""
    floats = [0.1, -0.0, 0.0, 1e22, 1.7976931348623157e308, 5e-324, 1 / 3, 123456789.123456, 100.0]
    texts = ["São João", 'a "b" \\ c', "d'Arvo, East", "\u2028\n\t\x01", "日本 🛢", "", "null", "</script>", "1.0"]
    integers = [2**63 - 1, -(2**63), 0, 2**53 + 1, 1, 2, 3, 4, None]
    rows = [
        {"figure": figure, "text": text, "number": number, "flag": bool(index % 2), "nothing": None}
        for index, (figure, text, number) in enumerate(zip(floats, texts, integers, strict=True))
    ]
    assert repr(json.loads(served(tmp_path, client, rows))["value"]) == repr(rows)


def test_integers_among_floats_keep_their_value(tmp_path: Path, client: httpx.Client) -> None:
    """A column of 1, 2.5 and an integer that no float holds is served with equal values."""
    rows = [{"figure": value} for value in (1, 2.5, 2**53 + 1, None)]
    assert json.loads(served(tmp_path, client, rows))["value"] == rows


def test_an_absent_property_is_null(tmp_path: Path, client: httpx.Client) -> None:
    """Records that lack a property of others are served with null for it."""
    rows = [{"well_name": "A"}, {"days_on_production": 3.5}]
    assert json.loads(served(tmp_path, client, rows))["value"] == [
        {"well_name": "A", "days_on_production": None},
        {"well_name": None, "days_on_production": 3.5},
    ]


@pytest.mark.parametrize("content", [b'\xef\xbb\xbf[{"a": 1}]', b'{"value": [{"a": 1}], "more": 2}'])
def test_a_bare_array_a_byte_order_mark_and_an_answer_are_read(tmp_path: Path, content: bytes) -> None:
    """A file may be an array or an OData answer, with or without a byte order mark."""
    path = tmp_path / "records.json"
    path.write_bytes(content)
    assert read_records(path).rows() == [(1,)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"field,well\n1,2\n", "is no JSON"),
        (b'{"value": [', "is no JSON"),
        (b"", "is no JSON"),
        (b"{}", "holds no records"),
        (b'{"value": []}', "holds no records"),
        (b'{"value": "x"}', "holds no records"),
        (b"[1, 2]", "holds no records"),
        (b"3", "holds no records"),
        (b"[{}]", "no properties"),
    ],
)
def test_a_file_without_records_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    """A file that is no JSON or has no records is wrong use, and the message says which."""
    path = tmp_path / "records.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=problem):
        read_records(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path with no file, or to a folder, is wrong use that names the path."""
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(UsageError, match=f"{path} cannot be read"):
            read_records(path)


# Paging


@pytest.mark.parametrize("size", [7, 1000, 5000])
def test_every_record_comes_once_at_any_page_size(
    client: httpx.Client, url: str, wells: pl.DataFrame, size: int
) -> None:
    """Next links lead through all records, once and in order; only the last page is short."""
    read = list(pages(client, url, headers={"Prefer": f"odata.maxpagesize={size}"}))
    assert [row for page in read for row in page["value"]] == wells.to_dicts()
    assert {len(page["value"]) for page in read[:-1]} <= {size}
    assert 1 <= len(read[-1]["value"]) <= size


def test_pages_of_one_record_lead_to_the_end(client: httpx.Client, wells: pl.DataFrame) -> None:
    """A feed of pages of one record gives each once."""
    few = wells.head(40)
    with running(create_app(few, page_size=1)) as url:
        read = list(pages(client, url))
    assert [page["value"] for page in read] == [[row] for row in few.to_dicts()]


def test_a_last_page_that_is_full_has_no_next_link(client: httpx.Client, wells: pl.DataFrame) -> None:
    """When the records are a multiple of the page size no empty page follows."""
    with running(create_app(wells.head(20), page_size=10)) as url:
        assert [len(page["value"]) for page in pages(client, url)] == [10, 10]


def test_an_empty_feed_is_one_empty_page(client: httpx.Client, wells: pl.DataFrame) -> None:
    """No records is an empty array, with count 0 and no next link."""
    with running(create_app(wells.clear())) as url:
        page = client.get(url, params={"$count": "true"}).json()
    assert (page["value"], page["@odata.count"], "@odata.nextLink" in page) == ([], 0, False)


@pytest.mark.parametrize(
    ("preference", "size", "applied"),
    [
        (None, 1000, None),
        ("odata.maxpagesize=7", 7, "odata.maxpagesize=7"),
        ("maxpagesize=7", 7, "odata.maxpagesize=7"),
        ('respond-async, odata.maxpagesize = "7"; x=1', 7, "odata.maxpagesize=7"),
        ("odata.maxpagesize=9999", 1200, "odata.maxpagesize=1200"),
        ("odata.maxpagesize=0", 1000, None),
        ("odata.maxpagesize=-3", 1000, None),
        ("odata.maxpagesize=many", 1000, None),
        ("odata.track-changes", 1000, None),
    ],
)
def test_the_preferred_page_size_is_a_wish(
    client: httpx.Client, wells: pl.DataFrame, preference: str | None, size: int, applied: str | None
) -> None:
    """A size asked for is kept up to the largest allowed, for the following pages too; nonsense is ignored."""
    with running(create_app(wells, max_page_size=1200)) as url:
        first = client.get(url, headers={} if preference is None else {"Prefer": preference})
        second = client.get(first.json()["@odata.nextLink"])
    assert len(first.json()["value"]) == size
    assert len(second.json()["value"]) == min(size, wells.height - size)
    assert first.headers.get("Preference-Applied") == applied


@pytest.mark.parametrize("skip", [0, 3, 1000])
@pytest.mark.parametrize("top", [None, 0, 1, 10, 23, 10**6])
def test_skip_and_top_hold_across_pages(
    client: httpx.Client, url: str, wells: pl.DataFrame, skip: int, top: int | None
) -> None:
    """$skip and $top count over all pages of a request, not over each."""
    params = {"$skip": str(skip)} | ({} if top is None else {"$top": str(top)})
    expected = wells.slice(skip, top).to_dicts()
    assert rows_of(client, url, params, size=10 if top != 10**6 else 500) == expected


def test_skip_beyond_the_end_gives_nothing(client: httpx.Client, url: str) -> None:
    """A $skip above the number of records, however large, is an empty page."""
    for skip in ("5000", "999999999999999999"):
        page = client.get(url, params={"$skip": skip}).json()
        assert (page["value"], "@odata.nextLink" in page) == ([], False)


def test_a_top_cap_gives_fewer_records_in_silence(client: httpx.Client, wells: pl.DataFrame) -> None:
    """A feed with a cap gives at most that many of $top and no next link, and pages by $skip still reach all."""
    with running(create_app(wells, page_size=10, top_cap=200)) as url:
        page = client.get(url, params={"$top": "500"}).json()
        assert (len(page["value"]), "@odata.nextLink" in page) == (200, False)
        read: list[Row] = []
        while batch := client.get(url, params={"$top": "500", "$skip": str(len(read))}).json()["value"]:
            read += batch
        assert "@odata.nextLink" in client.get(url).json()
    assert read == wells.to_dicts()


def test_next_links_are_absolute_or_relative(client: httpx.Client, url: str, wells: pl.DataFrame) -> None:
    """A next link names the host that was asked, or is relative to the request when the feed is set so."""
    link = client.get(url).json()["@odata.nextLink"]
    assert link.startswith(f"{url}?$skiptoken=")
    named = url.replace("127.0.0.1", "localhost")
    assert client.get(named).json()["@odata.nextLink"].startswith(f"{named}?")
    with running(create_app(wells, relative_links=True)) as relative:
        page = client.get(relative).json()
        assert page["@odata.nextLink"].startswith("WellProduction?$skiptoken=")
        assert page["@odata.context"] == "$metadata#WellProduction"
        assert rows_of(client, relative, size=500) == wells.to_dicts()


def test_next_links_keep_the_query(client: httpx.Client, url: str, wells: pl.DataFrame) -> None:
    """Filter, order, selection, count and options of the client's own go on through all pages."""
    params = {
        "$filter": "_field_name eq 'Brisa d''Arvo' and production_period lt 2024-03-01T01:00:00+01:00",
        "$orderby": "oil_production_kbd desc",
        "$select": "well_name,oil_production_kbd",
        "$count": "true",
        "key": "a&b=c+d #é",
    }
    read = list(pages(client, url, params=params, headers={"Prefer": "odata.maxpagesize=50"}))
    chosen = wells.filter(pl.col("_field_name") == "Brisa d'Arvo", pl.col("production_period") < "2024-03")
    ordered = chosen.sort("oil_production_kbd", descending=True, maintain_order=True)
    assert [row for page in read for row in page["value"]] == ordered.select(
        "well_name", "oil_production_kbd"
    ).to_dicts()
    assert {page["@odata.count"] for page in read} == {chosen.height}
    assert len(read) > 2
    options = httpx.URL(read[0]["@odata.nextLink"]).params
    assert {name: options[name] for name in params} == params


@pytest.mark.parametrize("token", ["", "x", "0", "!!", "MC4w", "LTEuNQ", "MTAuMA", "é", "9" * 5000])
def test_a_skip_token_of_ones_own_is_refused(client: httpx.Client, url: str, token: str) -> None:
    """A token that the feed did not give is status 400, not a page."""
    answer = client.get(url, params={"$skiptoken": token})
    assert answer.status_code == 400
    assert "$skiptoken" in answer.json()["error"]["message"]


# Queries


def at(row: Row) -> datetime:
    """The time of a record's period."""
    return datetime.fromisoformat(row["production_period"])


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("well_code eq 50003", lambda row: row["well_code"] == 50003),
        ("50003 eq well_code", lambda row: row["well_code"] == 50003),
        ("well_code ne 50003", lambda row: row["well_code"] != 50003),
        ("well_code eq 50003.0", lambda row: row["well_code"] == 50003),
        ("well_code lt 99999999999999999999", lambda row: True),
        ("field_code gt -1", lambda row: True),
        ("oil_production_kbd gt 5e-1", lambda row: row["oil_production_kbd"] > 0.5),
        ("oil_production_kbd le 0.25", lambda row: row["oil_production_kbd"] <= 0.25),
        ("water_production_kbd eq null", lambda row: row["water_production_kbd"] is None),
        ("null ne water_production_kbd", lambda row: row["water_production_kbd"] is not None),
        ("water_production_kbd ne 0.0", lambda row: row["water_production_kbd"] != 0),
        ("water_production_kbd lt 1", lambda row: (row["water_production_kbd"] or 0) < 1
         and row["water_production_kbd"] is not None),
        ("not (water_production_kbd lt 1)", lambda row: row["water_production_kbd"] is None
         or row["water_production_kbd"] >= 1),
        ("days_on_production gt null", lambda row: False),
        ("null eq null", lambda row: True),
        ("_field_name eq 'Brisa d''Arvo'", lambda row: row["_field_name"] == "Brisa d'Arvo"),
        ("_field_name eq 'São Velmor'", lambda row: row["_field_name"] == "São Velmor"),
        ("well_name gt 'M'", lambda row: row["well_name"] > "M"),
        ("well_name eq ''''", lambda row: False),
        ("partition_0 eq 'and (or) not'", lambda row: False),
        ("production_period ge 2024-01-01", lambda row: at(row) >= datetime(2024, 1, 1, tzinfo=UTC)),
        ("production_period eq 2024-01-01T00:00:00Z", lambda row: at(row) == datetime(2024, 1, 1, tzinfo=UTC)),
        ("production_period eq 2024-01-01T03:00:00.000+03:00",
         lambda row: at(row) == datetime(2024, 1, 1, tzinfo=UTC)),
        ("production_period gt 2024-01-01T00:00-01:00",
         lambda row: at(row) > datetime(2024, 1, 1, 1, tzinfo=UTC)),
        ("production_period ne null", lambda row: True),
        ("field_code eq 1000 or field_code eq 1002 and days_on_production eq 31",
         lambda row: row["field_code"] == 1000
         or (row["field_code"] == 1002 and row["days_on_production"] == 31)),
        ("(field_code eq 1000 or field_code eq 1002) and days_on_production eq 31",
         lambda row: row["field_code"] in (1000, 1002) and row["days_on_production"] == 31),
        ("not field_code eq 1000 and not not (well_code lt 50030)",
         lambda row: row["field_code"] != 1000 and row["well_code"] < 50030),
        ("true", lambda row: True),
        ("false or field_code eq 1001", lambda row: row["field_code"] == 1001),
        ("field_code  eq\t1001 ", lambda row: row["field_code"] == 1001),
        (" or ".join(f"well_code eq {50_000 + 2 * index}" for index in range(1500)),
         lambda row: row["well_code"] % 2 == 0),
        ("(" * 50 + "field_code eq 1001" + ")" * 50, lambda row: row["field_code"] == 1001),
    ],
)  # fmt: skip
def test_filters_agree_with_python(
    client: httpx.Client, url: str, wells: pl.DataFrame, text: str, keeps: Callable[[Row], bool]
) -> None:
    """A filter lets through the records, and only those, that a plain loop over the same records keeps."""
    expected = [row for row in wells.to_dicts() if keeps(row)]
    assert rows_of(client, url, {"$filter": text}) == expected
    page = client.get(url, params={"$filter": text, "$count": "true", "$skip": "2", "$top": "1"}).json()
    assert page["@odata.count"] == len(expected)
    assert page["value"] == expected[2:3]


def test_filters_on_true_and_false(tmp_path: Path, client: httpx.Client) -> None:
    """A boolean property is a condition by itself, and null is no true."""
    rows = [{"n": 1, "flag": True}, {"n": 2, "flag": False}, {"n": 3, "flag": None}]
    for text, expected in (("flag", [1]), ("flag eq false", [2]), ("not flag", [2, 3]), ("flag ne true", [2, 3])):
        body = served(tmp_path, client, rows, **{"$filter": text})
        assert [row["n"] for row in json.loads(body)["value"]] == expected


def test_times_compare_whatever_their_zone(tmp_path: Path, client: httpx.Client) -> None:
    """Periods written with other offsets, or as dates, compare and sort as times; others are null to a filter."""
    texts = ["2024-01-01T00:00:00+03:00", "2023-12-31T22:00:00Z", "2024-01-01", "soon", None]
    rows = [{"production_period": text} for text in texts]
    body = served(tmp_path, client, rows, **{"$filter": "production_period lt 2024-01-01"})
    assert json.loads(body)["value"] == rows[:2]
    body = served(tmp_path, client, rows, **{"$orderby": "production_period desc"})
    assert json.loads(body)["value"] == [rows[2], rows[1], rows[0], rows[3], rows[4]]


@pytest.mark.parametrize(
    ("orderby", "key"),
    [
        ("oil_production_kbd desc", lambda row: -row["oil_production_kbd"]),
        ("_field_name asc, well_code desc", lambda row: (row["_field_name"], -row["well_code"])),
        ("production_period,water_production_kbd desc", lambda row: (
            at(row), row["water_production_kbd"] is None, -(row["water_production_kbd"] or 0))),
        ("water_production_kbd,well_code", lambda row: (
            row["water_production_kbd"] is not None, row["water_production_kbd"] or 0, row["well_code"])),
    ],
)  # fmt: skip
def test_orders_agree_with_python(
    client: httpx.Client, url: str, wells: pl.DataFrame, orderby: str, key: Callable[[Row], Any]
) -> None:
    """Records come in the order asked for, null lowest, equal ones in the order of the feed, over all pages."""
    assert rows_of(client, url, {"$orderby": orderby}, size=300) == sorted(wells.to_dicts(), key=key)


def test_only_selected_properties_come(client: httpx.Client, url: str, wells: pl.DataFrame) -> None:
    """$select gives those properties in its order, names them in the context, and `*` gives all."""
    page = client.get(url, params={"$select": "well_code, well_name,well_code", "$top": "2"}).json()
    assert page["value"] == wells.select("well_code", "well_name").head(2).to_dicts()
    assert page["@odata.context"].endswith("/odata/$metadata#WellProduction(well_code,well_name)")
    assert client.get(url, params={"$select": "*", "$top": "2"}).json()["value"] == wells.head(2).to_dicts()


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"$top": "-1"}, "'-1'; allowed is a whole number"),
        ({"$top": "1.5"}, "'1.5'"),
        ({"$skip": "ten"}, "'ten'"),
        ({"$skip": "1" * 30}, "$skip"),
        ({"$count": "yes"}, "allowed are true and false"),
        ({"$count": "True"}, "'True'"),
        ({"$format": "xml"}, "allowed is json"),
        ({"$expand": "Well"}, "$expand is no query option here; allowed are $filter"),
        ({"$Filter": "true"}, "$Filter"),
        ({"$search": "x"}, "$search"),
        ({"$select": "well_code,nothing"}, "'nothing', which is no property; there are field_code"),
        ({"$select": ""}, "$select is empty"),
        ({"$orderby": "nothing"}, "'nothing'"),
        ({"$orderby": "well_code down"}, "'down' after well_code; allowed are asc and desc"),
        ({"$orderby": "well_code,"}, "''"),
        ({"$filter": "nothing eq 1"}, "'nothing', which is no property"),
        ({"$filter": "well_code EQ 1"}, "'EQ' after 'well_code', where one of eq, ne"),
        ({"$filter": "well_code eq"}, "'the end' after 'eq'"),
        ({"$filter": "well_code"}, "'the end' after 'well_code'"),
        ({"$filter": "well_code eq 1 well_code eq 2"}, "`and`, `or` or the end"),
        ({"$filter": "(well_code eq 1"}, "`and`, `or` or `)`"),
        ({"$filter": "well_code eq 1)"}, "')'"),
        ({"$filter": ")"}, "')' after 'its beginning'"),
        ({"$filter": "well_name eq 'it's'"}, 'cannot be read from "\'"'),
        ({"$filter": 'well_name eq "x"'}, "'\"' after 'eq', where a property or a literal is due"),
        ({"$filter": "é eq 1"}, "cannot be read from 'é eq 1'"),
        ({"$filter": "contains(well_name,'x')"}, "'contains', which is no property"),
        ({"$filter": "well_name eq 1"}, "well_name (text) with 1 (number)"),
        ({"$filter": "well_code eq '1'"}, "well_code (number) with '1' (text)"),
        ({"$filter": "production_period ge '2024-01-01'"}, "(date-time) with '2024-01-01' (text)"),
        ({"$filter": "production_period ge 2024-13-01"}, "'2024-13-01', which is no date"),
        ({"$filter": "production_period ge 2024-01-01T00:00:00"}, "without a zone"),
        ({"$filter": "production_period ge 2024-01-01T00:00:00 03:00"}, "without a zone"),
        ({"$filter": "field_code eq 1;drop table"}, "';' after '1', where"),
        ({"$filter": "(" * 500 + "true" + ")" * 500}, "nested too deeply"),
        ({"$filter": "not " * 3000 + "true"}, "nested too deeply"),
    ],
)
def test_a_wrong_option_is_named(client: httpx.Client, url: str, params: dict[str, str], says: str) -> None:
    """An option that is not allowed is status 400 with an OData error that says what, and what is allowed."""
    answer = client.get(url, params=params)
    assert answer.status_code == 400
    assert answer.headers["OData-Version"] == "4.0"
    error = answer.json()["error"]
    assert error["code"] == "BadRequest"
    assert says in error["message"]


def test_an_option_given_twice_is_refused(client: httpx.Client, url: str) -> None:
    """Which of two values would count is not guessed."""
    answer = client.get(f"{url}?$top=1&$top=2")
    assert (answer.status_code, "given twice" in answer.text) == (400, True)


def test_a_refused_count_is_not_implemented(client: httpx.Client, wells: pl.DataFrame) -> None:
    """A feed without counts answers 501 to $count=true, and pages without it."""
    with running(create_app(wells, count_refused=True)) as url:
        answer = client.get(url, params={"$count": "true"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (501, "NotImplemented")
        assert client.get(url, params={"$count": "false"}).status_code == 200


# The service


def test_headers_and_context_are_those_of_odata(client: httpx.Client, url: str) -> None:
    """A page says its version, its form and its context; $format=json is as good as none."""
    answer = client.get(url, params={"$format": "json"})
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["Content-Type"] == "application/json;odata.metadata=minimal"
    assert answer.json()["@odata.context"] == f"{url.removesuffix('WellProduction')}$metadata#WellProduction"
    assert "@odata.count" not in answer.json()


def test_the_service_document_leads_to_the_records(client: httpx.Client, url: str) -> None:
    """The root lists the one entity set, by a URL relative to it."""
    root = url.removesuffix("WellProduction")
    document = client.get(root).json()
    assert document["@odata.context"] == f"{root}$metadata"
    assert [urljoin(root, entry["url"]) for entry in document["value"]] == [url]


def test_the_metadata_describe_the_records(client: httpx.Client, url: str) -> None:
    """$metadata is CSDL 4.0 with the key and the type of each property."""
    answer = client.get(url.replace("WellProduction", "$metadata"))
    assert answer.headers["Content-Type"] == "application/xml"
    document = ElementTree.fromstring(answer.content)
    assert document.get("Version") == "4.0"
    edm = {"edm": "http://docs.oasis-open.org/odata/ns/edm"}
    key = [reference.get("Name") for reference in document.iterfind(".//edm:Key/edm:PropertyRef", edm)]
    assert key == ["field_code", "well_code", "production_period"]
    types = {item.get("Name"): item.get("Type") for item in document.iterfind(".//edm:Property", edm)}
    assert list(types) == list(PROPERTIES)
    assert types["field_code"] == types["well_code"] == "Edm.Int64"
    assert types["production_period"] == "Edm.DateTimeOffset"
    assert types["days_on_production"] == types["water_production_kbd"] == "Edm.Double"
    assert types["well_name"] == "Edm.String"
    schema = document.find(".//edm:Schema", edm)
    entity_set = document.find(".//edm:EntitySet", edm)
    entity_type = document.find(".//edm:EntityType", edm)
    assert schema is not None and entity_set is not None and entity_type is not None
    assert entity_set.get("Name") == "WellProduction"
    assert entity_set.get("EntityType") == f"{schema.get('Namespace')}.{entity_type.get('Name')}"


def test_an_unknown_entity_set_is_not_found(client: httpx.Client, url: str) -> None:
    """Another name is status 404, another method 405, each with an OData error."""
    missing = client.get(url.replace("WellProduction", "Wells"))
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "NotFound")
    assert "/odata/WellProduction" in missing.json()["error"]["message"]
    wrong = client.post(url)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "MethodNotAllowed")


def test_answers_are_compressed_when_both_sides_want(client: httpx.Client, wells: pl.DataFrame) -> None:
    """A feed with gzip compresses for a client that accepts it, and for no other."""
    with running(create_app(wells, gzip=True)) as url:
        packed = client.get(url, headers={"Accept-Encoding": "gzip"})
        plain = client.get(url, headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()


def test_sizes_below_one_are_refused(wells: pl.DataFrame) -> None:
    """A feed with no room on a page, a cap of nothing, or a rate of nothing is wrong use."""
    for wrong in ({"page_size": 0}, {"max_page_size": 0}, {"top_cap": 0}, {"rate_limit": 0}, {"delay_seconds": -1}):
        with pytest.raises(UsageError, match="cannot"):
            create_app(wells, **wrong)  # type: ignore[arg-type]


def test_the_page_cache_keeps_within_its_bytes() -> None:
    """The pages asked for last stay, older ones go, and a page larger than the cache is not kept."""
    cache = PageCache(limit_bytes=10)
    cache.keep(("a", 1), b"aaaa")
    cache.keep(("b", 1), b"bbbb")
    assert cache.get(("a", 1)) == b"aaaa"
    cache.keep(("c", 1), b"cccc")
    cache.keep(("d", 1), b"d" * 11)
    kept = {name: cache.get((name, 1)) for name in "abcd"}
    assert kept == {"a": b"aaaa", "b": None, "c": b"cccc", "d": None}


# Sign-in and limits


def test_basic_sign_in(client: httpx.Client, wells: pl.DataFrame) -> None:
    """Only the right user and password get in; a refusal names the scheme, and covers every document."""
    with running(create_app(wells, basic_auth=("analyst", "pä:ss"))) as url:
        right = httpx.BasicAuth("analyst", "pä:ss")
        assert client.get(url, auth=right).status_code == 200
        assert client.get(url.replace("WellProduction", "$metadata"), auth=right).status_code == 200
        for refused in (
            client.get(url),
            client.get(url, auth=("analyst", "wrong")),
            client.get(url, auth=("", "")),
            client.get(url, headers={b"Authorization": "Bearer pä:ss".encode()}),
            client.get(url, headers={b"Authorization": b"Basic \xff\xfe"}),
            client.get(url.replace("WellProduction", "$metadata")),
            client.get(url.replace("WellProduction", "nothing")),
        ):
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == 'Basic realm="wellprod demo"'
            assert refused.json()["error"]["code"] == "Unauthorized"


def test_bearer_token_and_api_key(client: httpx.Client, wells: pl.DataFrame) -> None:
    """Of several ways to sign in any one does; the scheme's letter case does not matter, the token's does."""
    with running(create_app(wells, bearer="tOken", api_key=("X-Feed-Key", "k3y"))) as url:
        for headers in ({"Authorization": "Bearer tOken"}, {"authorization": "bearer tOken"}, {"x-feed-key": "k3y"}):
            assert client.get(url, headers=headers).status_code == 200
        for headers in ({}, {"Authorization": "Bearer token"}, {"X-Feed-Key": ""}, {"Authorization": "tOken"}):
            refused = client.get(url, headers=headers)
            assert refused.status_code == 401
            assert refused.headers["WWW-Authenticate"] == 'Bearer realm="wellprod demo"'
            assert "k3y" not in refused.text and "tOken" not in refused.text


def test_an_api_key_alone_names_its_header(client: httpx.Client, wells: pl.DataFrame) -> None:
    """A feed with a key only has no scheme to name, so its refusal names the header."""
    with running(create_app(wells, api_key=("X-Feed-Key", "k3y"))) as url:
        refused = client.get(url)
    assert (refused.status_code, "WWW-Authenticate" in refused.headers) == (401, False)
    assert "X-Feed-Key" in refused.json()["error"]["message"]


def test_above_the_rate_the_answer_is_429(client: httpx.Client, wells: pl.DataFrame) -> None:
    """The second request within the time of one is told, in seconds, when to come again."""
    with running(create_app(wells, rate_limit=0.001)) as url:
        assert client.get(url).status_code == 200
        refused = client.get(url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "TooManyRequests")
    assert 900 < int(refused.headers["Retry-After"]) <= 1000


def test_the_rate_limit_counts_by_the_clock() -> None:
    """Two a second: two pass at once, the third after the half second that it is told to round up to one."""
    limit = RateLimit(2.0)
    assert [limit.retry_after(10.0) for _ in range(3)] == [0, 0, 1]
    assert [limit.retry_after(10.5), limit.retry_after(10.5)] == [0, 1]
    assert [limit.retry_after(1000.0) for _ in range(3)] == [0, 0, 1]


def test_a_late_answer_is_the_right_one(client: httpx.Client, wells: pl.DataFrame) -> None:
    """A delay changes when an answer comes, not what it is."""
    with running(create_app(wells, delay_seconds=0.001)) as url:
        assert rows_of(client, url) == wells.to_dicts()
    with running(create_app(wells, delay_seconds=60)) as url, pytest.raises(httpx.ReadTimeout):
        client.get(url, timeout=httpx.Timeout(60.0, read=0.05))


# Faults


def test_faults_are_read_from_text() -> None:
    """`kind:every` is a fault."""
    assert Fault.parse("error500:5") == Fault("error500", 5)
    assert [Fault.parse(f" {kind}:1 ").kind for kind in FAULT_KINDS] == list(FAULT_KINDS)


@pytest.mark.parametrize("text", ["flood:2", "", "cut", "cut:", "cut:0", "cut:-1", "cut:x", "cut:1.5", ":3", "cut:²"])
def test_a_wrong_fault_is_refused(text: str) -> None:
    """Anything else is wrong use; an unknown kind gets the list of those that there are."""
    with pytest.raises(UsageError) as error:
        Fault.parse(text)
    if text == "flood:2":
        assert "'flood'" in str(error.value)
        assert all(kind in str(error.value) for kind in FAULT_KINDS)


def test_faults_are_counted() -> None:
    """Each third request fails, a page asked for again is spared, and a fault for each request spares none."""
    faults = Faults([Fault("html", 3)])
    assert [faults.next_kind(f"page {index}") for index in range(7)] == [None, None, "html"] * 2 + [None]
    close = Faults([Fault("cut", 2), Fault("html", 3)])
    assert [close.next_kind(page) for page in ("1", "2", "2", "3", "3", "4", "4")] == [
        None, "cut", None, "cut", None, "cut", None,
    ]  # fmt: skip
    always = Faults([Fault("cut", 1)])
    assert [always.next_kind("1") for _ in range(3)] == ["cut"] * 3


def answer_of(client: httpx.Client, url: str, read_seconds: float = 60.0) -> httpx.Response | httpx.TransportError:
    """Ask once; give the answer or the error."""
    try:
        return client.get(url, timeout=httpx.Timeout(60.0, read=read_seconds))
    except httpx.TransportError as error:
        return error


def fails_as(kind: str, answer: httpx.Response | httpx.TransportError, right: bytes) -> bool:
    """Say whether an answer is what the list of kinds promises."""
    if isinstance(answer, httpx.TransportError):
        message = f"received {len(right) // 2} bytes, expected {len(right)}"
        cut = isinstance(answer, httpx.RemoteProtocolError) and message in str(answer)
        return cut if kind == "cut" else kind in ("stall", "delay") and isinstance(answer, httpx.ReadTimeout)
    status, wait = answer.status_code, answer.headers.get("Retry-After")
    if kind in ("error500", "error503", "error429", "error-object"):
        expected = {"error500": (500, None), "error503": (503, "0"), "error429": (429, "1")}
        return (status, wait) == expected.get(kind, (200, None)) and set(answer.json()) == {"error"}
    if kind == "html":
        return status == 200 and answer.headers["Content-Type"].startswith("text/html")
    return kind == "malformed" and status == 200 and answer.content == right[: len(right) // 2]


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_each_fault_comes_when_due_and_a_second_try_succeeds(
    client: httpx.Client, wells: pl.DataFrame, kind: str
) -> None:
    """The second data request meets the fault, and the same request again gets the page."""
    with running(create_app(wells, page_size=500, faults=[Fault(kind, 2)])) as url:
        first = client.get(url)
        link = first.json()["@odata.nextLink"]
        client.get(url.replace("WellProduction", "$metadata"))
        failed = answer_of(client, link, read_seconds=0.3 if kind in ("stall", "delay") else 60.0)
        right = client.get(link)
    assert len(first.content) > 1000 and right.json()["value"] == wells.slice(500, 500).to_dicts()
    assert fails_as(kind, failed, right.content)


def test_malformed_pages_are_malformed_also_when_compressed(client: httpx.Client, wells: pl.DataFrame) -> None:
    """With gzip a malformed page unpacks to JSON that ends early, and a cut one does not end at all."""
    faults = [Fault("malformed", 1)]
    with running(create_app(wells, gzip=True, faults=faults)) as url:
        answer = client.get(url)
        assert answer.headers["Content-Encoding"] == "gzip"
        with pytest.raises(json.JSONDecodeError):
            answer.json()
    with running(create_app(wells, gzip=True, faults=[Fault("cut", 1)])) as url, pytest.raises(httpx.TransportError):
        client.get(url)


def test_a_patient_client_reads_all_through_faults(client: httpx.Client, wells: pl.DataFrame) -> None:
    """With several kinds of fault a client that asks again gets every record once."""
    faults = [Fault.parse(text) for text in ("error500:3", "cut:4", "malformed:5", "html:7", "error503:2")]
    read: list[Row] = []
    failures = 0
    with running(create_app(wells, page_size=50, faults=faults)) as url:
        link: str | None = url
        while link is not None:
            answer = answer_of(client, link)
            try:
                page = answer.json() if isinstance(answer, httpx.Response) and answer.is_success else {}
            except json.JSONDecodeError:
                page = {}
            if "value" in page:
                read += page["value"]
                link = page.get("@odata.nextLink")
            else:
                failures += 1
    assert read == wells.to_dicts()
    assert failures >= 10


def test_a_wrong_option_is_not_hidden_by_a_fault(client: httpx.Client, wells: pl.DataFrame) -> None:
    """What the client did wrong is said, also when each request fails."""
    with running(create_app(wells, faults=[Fault("error500", 1)])) as url:
        assert client.get(url, params={"$top": "x"}).status_code == 400
        assert client.get(url).status_code == 500


# Running


def test_the_feed_stops_with_a_request_open(wells: pl.DataFrame) -> None:
    """At the end of the context a client whose request stalls loses its connection, and the port is free."""
    with running(create_app(wells, faults=[Fault("stall", 1)])) as url:
        address = (str(urlsplit(url).hostname), int(urlsplit(url).port or 0))
        open_request = socket.create_connection(address)
        open_request.sendall(b"GET /odata/WellProduction HTTP/1.1\r\nHost: x\r\n\r\n")
        with httpx.Client(trust_env=False) as client:
            assert client.get(url.replace("WellProduction", "")).status_code == 200
    with open_request, suppress(ConnectionResetError):
        assert open_request.recv(1000) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_the_feed_stops_when_its_user_fails(wells: pl.DataFrame) -> None:
    """An error inside the context ends the feed, and goes on."""
    with pytest.raises(ZeroDivisionError), running(create_app(wells)) as url:
        raise ZeroDivisionError
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


SERVE = """
import sys
from datetime import date
from wellprod.demo import create_app, generate_wells, serve
from wellprod.errors import UsageError
app = create_app(generate_wells(3, 6, seed=1, last_month=date(2024, 6, 1)))
try:
    serve(app, sys.argv[1], int(sys.argv[2]), lambda url: print(url, flush=True))
except UsageError as error:
    sys.exit(str(error))
"""


@pytest.mark.slow
def test_serving_in_the_foreground_ends_with_ctrl_c() -> None:
    """`serve` tells its URL once it can be asked, answers, says nothing else, and ends by the interrupt."""
    command = [sys.executable, "-c", SERVE, "127.0.0.1", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:") and url.endswith("/odata/WellProduction")
        assert httpx.get(url, trust_env=False).json()["value"]
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=60)
    assert said == ""
    assert complaints.strip().endswith("KeyboardInterrupt")
    assert process.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", "70000"), ("256.0.0.1", "0")])
def test_an_address_that_cannot_be_is_refused(host: str, port: str) -> None:
    """A port out of range or a host that is none is wrong use."""
    ended = subprocess.run([sys.executable, "-c", SERVE, host, port], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.startswith(("Port 70000 is not allowed", "Cannot listen on port 0 of 256.0.0.1"))


@pytest.mark.slow
def test_a_port_in_use_is_named() -> None:
    """A port that another process holds is wrong use: the message names it, and says to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-c", SERVE, "127.0.0.1", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert f"port {port} of 127.0.0.1: it is in use" in ended.stderr
    assert "Choose another port" in ended.stderr
