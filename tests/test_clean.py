"""Raw rows into records: profiles, units, months, codes, rejects and row rules."""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellprod.errors import FeedUnreadable, ProfileError
from wellprod.feed.clean import NO_RECORD, RULES, Cleaned, clean
from wellprod.feed.page import Page, read_content
from wellprod.feed.profile import Profile, find_profile, load_profiles, read_profile, recognise_profile
from wellprod.feed.units import KBBL, MMSCF, parse_unit
from wellprod.schema import RECORD

from .scripted import record

TODAY = date(2026, 11, 21)
PLAIN_ROW = {
    "WellCode": "WELL_001",
    "ProductionDate": "2024-01-01",
    "OilProduction": 1250.5,
    "GasProduction": 2100.0,
    "WaterProduction": 150.2,
}


def cleaned(rows: list[Any], profile: Profile | str = "woodmac", **options: Any) -> Cleaned:
    """Clean rows as a page of JSON would bring them."""
    profile = find_profile(profile) if isinstance(profile, str) else profile
    body = json.dumps({"value": rows}).encode()
    page = Page(1, read_content(body, profile.properties), body, 0.0, None)
    return clean(page.numbered(), profile, today=TODAY, **options)


def profile_of(**changes: Any) -> Profile:
    """Give a profile with a rate, days and a key."""
    columns = {
        "field_code": {"constant": 3},
        "well_code": "Well",
        "production_period": "Month",
        "days_on_production": {"property": "Days", "unit": "d", "optional": True},
        "oil_production_kbd": {"property": "Oil", "unit": "bbl/d", "optional": True},
        "gas_production_mmcfd": {"property": "Gas", "unit": "Mscf/d", "optional": True},
    }
    values = {"name": "p", "title": "t", "entity_set": "E", "figures": "calendar-day rate", **changes}
    return Profile(**{**values, "columns": {**columns, **changes.get("columns", {})}})


def test_the_anp_shape_becomes_a_record_bit_for_bit(anp_records: list[dict[str, Any]]) -> None:
    """Every figure and name of the ANP wells is kept as it is; the period becomes a date."""
    records = cleaned(anp_records).records
    assert records.height == len(anp_records)
    names = {"field_name": "_field_name", "well_reference": "_well_reference"}
    for column in set(RECORD) - {"created_at", "updated_at", "production_period"}:
        assert records[column].to_list() == [row[names.get(column, column)] for row in anp_records]
    assert records["production_period"].cast(pl.String).to_list() == [r["production_period"][:10] for r in anp_records]


def test_the_plain_shape_becomes_a_record() -> None:
    """bbl/d and Mscf/d become kbd and mmcfd exactly; the text code a stable 52-bit number, its text the reference."""
    row = cleaned([PLAIN_ROW], "plain").records.row(0, named=True)
    assert (row["oil_production_kbd"], row["gas_production_mmcfd"], row["water_production_kbd"]) == (
        1.2505,
        2.1,
        0.1502,
    )
    assert (row["field_code"], row["data_source"], row["well_reference"]) == (0, "plain", "WELL_001")
    assert row["well_code"] == 1493663192623322 < 2**52
    assert row["production_period"] == date(2024, 1, 1)


@pytest.mark.parametrize(("code", "expected"), [("7", 7), (7, 7), ("7.0", 7), ("-12", -12), ("007", 7)])
def test_a_text_code_that_is_an_integer_is_read_as_one(code: object, expected: int) -> None:
    """An integer in text is the integer."""
    assert cleaned([{**PLAIN_ROW, "WellCode": code}], "plain").records["well_code"].to_list() == [expected]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"well_code": None}, "well_code is missing"),
        ({"field_code": ""}, "field_code is missing"),
        ({"well_code": "abc"}, "well_code is no whole number of up to 18 digits: 'abc'"),
        ({"well_code": 7.5}, "well_code is no whole number of up to 18 digits: '7.5'"),
        ({"well_code": True}, "well_code is no whole number of up to 18 digits: 'true'"),
        ({"well_code": 10**30}, f"well_code is no whole number of up to 18 digits: '{10**30}'"),
        ({"production_period": None}, "production_period is missing"),
        ({"production_period": "2024-02-30"}, "production_period is no date: '2024-02-30'"),
        ({"production_period": "01/02/2024"}, "production_period is no date: '01/02/2024'"),
        ({"production_period": "0000-01-01"}, "production_period is no date: '0000-01-01'"),
        ({"production_period": "9999-12-31"}, "production_period is no date: '9999-12-31'"),
        ({"production_period": "2024-01-01 or so"}, "production_period is no date: '2024-01-01 or so'"),
        ({"oil_production_kbd": "n/a"}, "oil_production_kbd is no finite number: 'n/a'"),
        ({"gas_production_mmcfd": "NaN"}, "gas_production_mmcfd is no finite number: 'NaN'"),
        ({"gas_production_mmcfd": "INF"}, "gas_production_mmcfd is no finite number: 'INF'"),
        ({"water_production_kbd": {"x": 1}}, "water_production_kbd is no finite number: '{\"x\":1}'"),
        ({"days_on_production": "1,5"}, "days_on_production is no finite number: '1,5'"),
    ],
)
def test_what_cannot_be_a_record_is_a_reject(changes: dict[str, Any], reason: str) -> None:
    """The row is rejected with its reason and its value, and the good row beside it is kept."""
    result = cleaned([record(1), {**record(2), **changes}])
    assert result.records["well_code"].to_list() == [1]
    assert result.rejects.rows() == [(1, 1, reason)]


@pytest.mark.parametrize("row", [None, 5, "text", [1], {}])
def test_a_record_that_is_no_object_is_a_reject(row: object) -> None:
    """Whatever stands in the list of records, the page is read and the rest is kept."""
    result = cleaned([row, record(2)])
    assert result.rejects.rows() == [(1, 0, NO_RECORD)]
    assert result.records.height == 1


@pytest.mark.parametrize(
    ("text", "month", "day"),
    [
        ("2024-01-01T00:00:00+00:00", date(2024, 1, 1), 1),
        ("2024-01-31T23:00:00-03:00", date(2024, 1, 1), 31),
        ("2024-02-01T00:30:00+14:00", date(2024, 2, 1), 1),
        ("2024-02-29", date(2024, 2, 1), 29),
        ("2024-02-29 12:00:00.123Z", date(2024, 2, 1), 29),
    ],
)
def test_the_month_is_taken_as_written(text: str, month: date, day: int) -> None:
    """The zone offset moves nothing; the date goes to the first of its month and the day is kept aside."""
    row = cleaned([record(1, production_period=text)]).records.row(0, named=True)
    assert (row["production_period"], row["day_given"]) == (month, day)


@pytest.mark.parametrize(("form", "text"), [("%Y%m", "202402"), ("%d/%m/%Y", "15/02/2024"), ("%Y-%m", "2024-02")])
def test_other_date_forms_are_read_by_the_profile(form: str, text: str) -> None:
    """A profile may give the form of its dates, with or without a day."""
    result = cleaned([{"Well": 1, "Month": text, "Oil": 1}], profile_of(date_form=form))
    assert result.records["production_period"].to_list() == [date(2024, 2, 1)]


def test_a_monthly_volume_becomes_a_calendar_day_rate() -> None:
    """300 bbl in April is 10 bbl a calendar day (Harmony, "Flow rate calculations")."""
    units = {"oil_production_kbd": {"property": "Oil", "unit": "bbl"}}
    profile = profile_of(
        figures="monthly volume", columns={**units, "gas_production_mmcfd": {"property": "Gas", "unit": "scf"}}
    )
    row = cleaned([{"Well": 1, "Month": "2024-04-01", "Oil": 300, "Gas": 3e6}], profile).records.row(0, named=True)
    assert row["oil_production_kbd"] == pytest.approx(0.010, rel=1e-15)
    assert row["gas_production_mmcfd"] == pytest.approx(0.1, rel=1e-15)


def test_a_producing_day_rate_becomes_a_calendar_day_rate_or_a_reject() -> None:
    """20 bbl a producing day on 15 of 30 days is 10 a calendar day; without days it is a reject, unless zero."""
    month = {"Well": 1, "Month": "2024-04-01"}
    rows = [{**month, "Oil": 20, "Days": 15}, {**month, "Oil": 20}, {**month, "Oil": 0}, {**month, "Oil": None}]
    result = cleaned(rows, profile_of(figures="producing-day rate"))
    assert result.records["oil_production_kbd"].to_list() == [pytest.approx(0.01, rel=1e-15), 0.0, None]
    assert result.rejects.rows() == [(1, 1, "a producing-day rate without days on production")]


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("negative_rate", {"oil_production_kbd": -0.5}),
        ("negative_days", {"days_on_production": -1}),
        ("days_above_month", {"days_on_production": 31.5}),
        ("production_without_days", {"days_on_production": 0}),
        ("days_without_production", dict.fromkeys([n for n in RECORD if n.endswith(("kbd", "mmcfd"))], 0)),
        ("future_month", {"production_period": "2026-12-01"}),
        ("month_not_first_day", {"production_period": "2024-01-02"}),
        ("liquids_below_oil", {"liquids_production_kbd": 1.0}),
        ("nothing_reported", dict.fromkeys([n for n in RECORD if n.endswith(("kbd", "mmcfd"))], None)),
    ],
)
def test_a_broken_rule_is_counted_and_rejects_only_when_named(rule: str, changes: dict[str, Any]) -> None:
    """The record is stored and the rule counted; a setting that names the rule makes it a reject."""
    profile = find_profile("woodmac").model_copy(update={"liquids_include_oil": True})
    stored = cleaned([record(1), record(2, **changes)], profile)
    assert stored.records.height == 2
    assert stored.findings[rule] == 1
    refused = cleaned([record(1), record(2, **changes)], profile, reject_rules=[rule])
    assert refused.rejects.rows() == [(1, 1, f"rule {rule}: {RULES[rule]}")]


def test_null_is_not_zero() -> None:
    """A figure that is null, lacking or blank stays null; zero stays zero."""
    row = record(1, oil_production_kbd=None, gas_production_mmcfd=0, water_production_kbd="  ")
    del row["liquids_production_kbd"]
    result = cleaned([row]).records.row(0, named=True)
    assert (result["oil_production_kbd"], result["gas_production_mmcfd"]) == (None, 0.0)
    assert (result["water_production_kbd"], result["liquids_production_kbd"]) == (None, None)


@given(
    st.lists(
        st.one_of(
            st.none(), st.integers(), st.floats(), st.text(), st.booleans(), st.dictionaries(st.text(), st.none())
        ),
        max_size=5,
    )
)
def test_nothing_is_dropped_in_silence(values: list[Any]) -> None:
    """Whatever stands in a figure, each row is a record or a reject."""
    rows = [record(n, oil_production_kbd=value) for n, value in enumerate(values)]
    try:
        body = json.dumps({"value": rows}, allow_nan=False).encode()
    except ValueError:
        return
    result = cleaned(json.loads(body)["value"])
    assert result.records.height + result.rejects.height == len(rows)


# Pages


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no whole JSON"),
        (b"<html>sign in</html>", "no whole JSON"),
        (b'{"value":[{"a":1}', "no whole JSON"),
        (b'{"value":[]} and more', "no whole JSON"),
        (b'{"error":{"code":"X1","message":"no luck"}}', "X1 no luck"),
        (b'{"value":[{"a":1}],"error":{"message":"half way"}}', "half way"),
        (b"[]", "no records"),
        (b"null", "no records"),
        (b'{"value":{"a":1}}', "no records"),
        (b'{"rows":[]}', "found rows"),
    ],
)
def test_a_body_that_is_no_page_is_refused(body: bytes, says: str) -> None:
    """Cut, foreign and erroneous bodies are refused whole, with what they are."""
    with pytest.raises(FeedUnreadable, match=says):
        read_content(body, ("a",))


@pytest.mark.parametrize("prefix", ["@odata.", "@", "odata."])
def test_the_envelope_is_read_in_all_spellings(prefix: str) -> None:
    """Next link and count are found as 4.0, 4.01 and older services write them, the count also as text."""
    body = json.dumps({f"{prefix}count": "12", "value": [], f"{prefix}nextLink": "n"}).encode()
    content = read_content(body, ("a",))
    assert (content.next_link, content.count) == ("n", 12)


def test_the_quick_and_the_slow_reading_agree(anp_records: list[dict[str, Any]]) -> None:
    """A page read by polars equals the page read value by value, which one odd row brings about."""
    profile = find_profile("woodmac")
    quick = cleaned(anp_records[:500]).records
    slow = cleaned([*anp_records[:500], {"field_code": [1]}], profile).records
    assert quick.equals(slow)


# Profiles and units


@pytest.mark.parametrize(
    ("kind", "unit", "factor"),
    [
        ("oil_production_kbd", "m3/d", 6.28981077043e-3),
        ("oil_production_kbd", "Sm3/month", 6.28981077043e-3),
        ("oil_production_kbd", "Mm3", 6.28981077043),
        ("gas_production_mmcfd", "m3/d", 35.3146667215e-6),
        ("gas_production_mmcfd", "Mm3/d", 35.3146667215e-3),
        ("gas_production_mmcfd", "m3@15C", 35.3828e-6),
        ("gas_production_mmcfd", "m3@20C", 34.7793e-6),
        ("gas_production_mmcfd", "scf/month", 1e-6),
    ],
)
def test_units_have_their_published_factors(kind: str, unit: str, factor: float) -> None:
    """The factors agree with the figures that the petroleum reference gives (C3)."""
    assert float(parse_unit(kind, unit)[0]) == pytest.approx(factor, rel=2e-6)


def test_factors_are_exact() -> None:
    """The barrel and the cubic foot are the defined ones, with no rounding between."""
    assert KBBL["m3"] * Fraction("158.987294928") == 1
    assert MMSCF["m3"] * Fraction("28316.846592") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colums = 1\n", "colums"),
        ('figures = "daily"', "'calendar-day rate', 'producing-day rate' or 'monthly volume' (given: 'daily')"),
        ('[columns.oil]\nproperty = "x"', "columns.oil is no column of the record; allowed: field_code"),
        ('[columns]\noil_production_kbd = "x"', "columns.oil_production_kbd needs a unit"),
        ('[columns]\noil_production_kbd = {property = "x", unit = "furlong/d"}', "unit 'furlong/d' is not known"),
        ('[columns]\noil_production_kbd = {property = "x", unit = "bbl"}', "calendar-day rate takes an amount with /d"),
        ('[columns]\nfield_name = {property = "x", constant = 1}', "one of a property, a constant, or year and month"),
        ('date_form = "whenever"', "date_form 'whenever' is not known"),
        ("title = ", "is no TOML"),
    ],
)
def test_a_wrong_profile_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    """The message names the key, what was given and what is allowed."""
    head = {"title": "t", "entity_set": "E", "figures": "calendar-day rate"}
    lines = [f'{key} = "{value}"' for key, value in head.items() if not text.startswith(key)]
    columns = 'well_code = "w"\nfield_code = {constant = 1}\nproduction_period = "m"\n'
    key, bracket, rest = text.partition("[columns]\n")
    body = f"{key}\n[columns]\n{columns}{rest}" if bracket or "[columns." not in text else f"[columns]\n{columns}{text}"
    path = tmp_path / "own.toml"
    path.write_text("\n".join([*lines, body]))
    with pytest.raises(ProfileError) as caught:
        read_profile(path)
    assert says in str(caught.value)
    assert "own.toml" in str(caught.value)


def test_a_profile_is_recognised_by_its_properties(anp_records: list[dict[str, Any]]) -> None:
    """The two that ship know their own shape, and an unknown one is told what the nearest needs."""
    assert recognise_profile(anp_records[:3]).name == "woodmac"
    assert recognise_profile([PLAIN_ROW]).name == "plain"
    with pytest.raises(ProfileError, match="also needs: ProductionDate"):
        recognise_profile([{"WellCode": 1}])


def test_an_own_profile_goes_before_and_a_broken_one_is_passed_by(tmp_path: Path) -> None:
    """Profiles of the user's folder are found by name; one that is wrong does not stop the others."""
    (tmp_path / "broken.toml").write_text("title =")
    (tmp_path / "plain.toml").write_text(
        'title = "Mine"\nentity_set = "E"\nfigures = "calendar-day rate"\n'
        '[columns]\nfield_code = {constant = 1}\nwell_code = "W"\nproduction_period = "M"\n'
    )
    profiles = load_profiles(tmp_path)
    assert profiles["plain"].title == "Mine"
    assert set(profiles) == {"plain", "volve", "wellprod", "woodmac"}
    with pytest.raises(ProfileError, match="Known profiles: plain, volve"):
        find_profile("nobody", tmp_path)
