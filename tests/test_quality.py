"""Quality marks: each rule on a record that breaks it and on one that does not; what a selection leaves in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from wellprod.analysis import quality
from wellprod.analysis.quality import RULES, by_rule, counts, marks
from wellprod.analysis.selection import Selection
from wellprod.feed.clean import RULES as ROW_RULES
from wellprod.store import FigureBasis, Reading, Store

from .conftest import CommandLine

PLAIN = {"days": 20.0, "oil": 10.0, "gas": 5.0, "liquids": 10.0, "water": 2.0}
NOTHING: dict[str, Any] = dict.fromkeys(("oil", "gas", "liquids", "water"))
_INSERT = (
    "INSERT INTO {} BY NAME SELECT ? AS well_code, ?::DATE AS production_period, ? AS field_code, ? AS day_given,"
    " ? AS days_on_production, ? AS oil_production_kbd, ? AS gas_production_mmcfd, ? AS liquids_production_kbd,"
    " ? AS water_production_kbd, 'Field ' || ? AS field_name, 'Well ' || ? AS well_name, 'source' AS data_source,"
    " TIMESTAMP '2024-06-01' AS created_at, TIMESTAMP '2024-06-01' AS updated_at, uuid() AS job_id"
)


class Records:
    """Puts records of one source straight into a store, when their marks are asked for."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.waiting: dict[str, list[list[Any]]] = {"production": [], "production_history": []}

    def add(self, well: int, month: str, *, field: int = 1, day: int = 1, replaced: str = "", **figures: Any) -> None:
        """Add a record, or an older version of one that was replaced on a day."""
        told = {**PLAIN, **figures}
        rates = [told[name] for name in ("days", "oil", "gas", "liquids", "water")]
        table = "production_history" if replaced else "production"
        values = [well, f"{month}-01", field, day, *rates, field, well, *([replaced] if replaced else [])]
        self.waiting[table].append(values)

    def series(self, well: int, first: int, **figures: list[Any]) -> None:
        """Add a record a month, from a month of 2020 on."""
        for place in range(len(next(iter(figures.values())))):
            number = first - 1 + place
            month = f"{2020 + number // 12}-{number % 12 + 1:02}"
            self.add(well, month, **{name: values[place] for name, values in figures.items()})

    def marks(self, **selected: Any) -> pl.DataFrame:
        """Give the marks of a selection."""
        with self.store.write() as writing:
            for table, rows in self.waiting.items():
                history = ", ?::TIMESTAMP AS replaced_at, uuid() AS replaced_by" if table != "production" else ""
                if rows:
                    writing.connection.executemany(_INSERT.format(table) + history, rows)
                    rows.clear()
        with self.store.read() as reading:
            return marks(reading, Selection(**selected))

    def found(self, **selected: Any) -> list[tuple[str, str, str | None]]:
        """Give month, mark and detail of each."""
        return [
            (f"{row[0]:%Y-%m}", *row[1:]) for row in self.marks(**selected).select("month", "mark", "detail").rows()
        ]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    """An empty store."""
    return Records(tmp_path / "wells.duckdb")


@pytest.mark.parametrize(
    ("figures", "mark", "detail"),
    [
        ({"oil": -1.5, "water": -2.0}, "negative_rate", "oil -1.5, water -2"),
        ({"days": -1.0}, "negative_days", "-1 days"),
        ({"days": 30.0}, "days_above_month", "30 days in a month of 29"),
        ({"days": 0.0}, "production_without_days", "oil 10, gas 5"),
        ({"oil": 0.0, "gas": 0.0, "liquids": None, "water": None}, "days_without_production", "20 days"),
        ({**NOTHING, "days": None}, "nothing_reported", None),
        ({"day": 29}, "month_not_first_day", "day 29"),
    ],
)
def test_a_record_that_breaks_a_rule_has_its_mark(
    records: Records, figures: dict[str, Any], mark: str, detail: str | None
) -> None:
    """With the figures that break it; a plain record beside it, and one with as many days as its month, have none."""
    records.add(1, "2024-02", **figures)
    records.add(2, "2024-02", days=29.0)
    records.add(2, "2024-03", days=0.0, oil=0.0, gas=0.0, liquids=0.0, water=0.0)
    assert records.found() == [("2024-02", mark, detail)]


def test_a_month_to_come_is_an_error(records: Records) -> None:
    """Whatever it holds."""
    records.add(1, "2199-01")
    assert records.found() == [("2199-01", "future_month", None)]


def test_missing_months_lie_between_the_first_and_the_last(records: Records) -> None:
    """A well that changes its field has no gap; one that has ended neither."""
    for month in ("2020-01", "2020-04", "2020-05"):
        records.add(1, month)
    records.add(2, "2020-01", field=1)
    records.add(2, "2020-02", field=2)
    records.add(2, "2020-03", field=1)
    found = records.marks().filter(mark="missing_month")
    assert found.select("well", "field", "month", "mark").rows() == [
        ("Well 1", "Field 1", date(2020, 2, 1), "missing_month"),
        ("Well 1", "Field 1", date(2020, 3, 1), "missing_month"),
    ]


def test_a_selection_says_which_marks_not_which_months_are_seen(records: Records) -> None:
    """A gap, a stream that went and a repeated figure are the same in a part of the months and in a field."""
    records.series(1, 1, oil=[1.0, 2.0, 2.0, 2.0, 3.0], water=[1.0, 1.0, 1.0, 1.0, None])
    records.add(1, "2020-08", field=2)
    whole = records.found()
    assert [mark for _, mark, _ in whole].count("missing_month") == 2
    assert ("2020-03", "repeated_value", "oil 2 kbd in 3 months, gas 5 mmcfd in 5 months") in whole
    part = records.found(first_month="2020-03", last_month="2020-06")
    assert part == [row for row in whole if "2020-03" <= row[0] <= "2020-06"]
    assert {row[0] for row in records.found(fields=("2",))} == {row[0] for row in whole if row[0] == "2020-08"}


def test_a_stream_that_a_well_never_reports_is_not_missing(records: Records) -> None:
    """One that it reports in other months is."""
    records.series(1, 1, oil=[1.0, None, 2.0], gas=[1.0, 2.0, 3.0], water=[None, None, None])
    assert records.found() == [("2020-02", "stream_missing", "oil")]


def test_a_figure_is_repeated_from_three_months_in_a_row_on(records: Records) -> None:
    """All months of the run are marked; zero, null, two months and a month left out between them are none."""
    records.series(1, 1, oil=[1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 3.25, 3.25, 3.25], gas=[None] * 9, water=[None] * 9)
    records.series(2, 1, oil=[1.0, 1.0], gas=[None] * 2)
    records.series(2, 4, oil=[1.0, 1.0], gas=[None] * 2)
    told = "oil 3.25 kbd in 3 months"
    found = [row for row in records.found() if row[1] != "missing_month"]
    assert found == [(f"2020-{month}", "repeated_value", told) for month in ("07", "08", "09")]


def test_a_ratio_far_off_those_around_it_is_a_jump(records: Records) -> None:
    """A spike is; a lasting step, a slow rise and the first two and last two months are none."""
    steady = [1.0 + 0.01 * n for n in range(12)]
    spike = [*steady[:6], 3.0, *steady[7:]]
    records.series(
        1, 1, oil=[1.0 + 0.001 * n for n in range(12)], gas=spike, water=[0.2 + 0.001 * n for n in range(12)]
    )
    records.series(
        2, 1, oil=[1.0 + 0.001 * n for n in range(12)], gas=[*steady[:6], *[3 * rate for rate in steady[6:]]]
    )
    records.series(3, 1, oil=[1.0, 1.1, 1.2, 1.3], gas=[1.0, 1.1, 9.0, 1.3])
    found = records.marks().filter(pl.col("mark").str.ends_with("_jump"))
    assert found.select("well", "month", "mark", "detail").rows() == [
        ("Well 1", date(2020, 7, 1), "gor_jump", "2,982 scf/bbl, the months around it 1,063")
    ]
    records.series(4, 1, oil=[1.0 + 0.001 * n for n in range(12)], water=[*[0.25] * 6, 4.0, *[0.25] * 5])
    found = records.marks(wells=("4",)).filter(mark="water_cut_jump")
    assert found["detail"].to_list() == ["80 %, the months around it 20 %"]


def test_a_restated_record_says_how_often(records: Records) -> None:
    """And when it last was."""
    records.add(1, "2020-01")
    records.add(1, "2020-01", oil=9.0, replaced="2024-01-05")
    records.add(1, "2020-01", oil=8.0, replaced="2024-02-05")
    assert records.found() == [("2020-01", "restated", "2 times, the last on 2024-02-05")]


def test_marks_are_counted_by_rule_the_worst_first(records: Records) -> None:
    """With the wells and months that they are of."""
    records.add(1, "2020-01", oil=-1.0)
    records.add(2, "2020-03", oil=-1.0)
    records.add(2, "2020-04", **{**NOTHING, "days": None})
    counted = by_rule(records.marks())
    assert counted.drop("words").rows() == [
        ("negative_rate", "error", 2, 2, date(2020, 1, 1), date(2020, 3, 1)),
        ("nothing_reported", "note", 1, 1, date(2020, 4, 1), date(2020, 4, 1)),
    ]
    assert by_rule(records.marks().clear()).is_empty()


def test_liquids_below_oil_where_the_source_says_that_they_include_it(records: Records) -> None:
    """Another source may have liquids of any size."""
    records.add(1, "2020-01", liquids=9.5)
    assert records.found() == []
    with records.store.write() as writing:
        basis = FigureBasis("own", "calendar-day rate", liquids_include_oil=True, liquids_include_condensate=False)
        writing.note_sources(basis, ["source"], job_id="00000000-0000-0000-0000-000000000000")
    assert records.found() == [("2020-01", "liquids_below_oil", "liquids 9.5, oil 10")]


def test_a_month_under_two_fields_is_found_twice(records: Records) -> None:
    """Each of its records; a well that moves from one field to the other has none."""
    records.add(1, "2020-01", field=1)
    records.add(1, "2020-01", field=2)
    records.add(2, "2020-01", field=1)
    records.add(2, "2020-02", field=2)
    assert records.found() == [("2020-01", "month_twice", "fields Field 1 and Field 2")] * 2


def test_another_name_under_one_code_is_found_once(records: Records, tmp_path: Path) -> None:
    """In the month from which it has it; not where `groups.toml` says that both are one."""
    records.series(1, 1, oil=[1.0, 2.0, 3.0], gas=[1.0, 2.0, 3.0])
    records.marks()
    with records.store.write() as writing:
        writing.connection.execute("UPDATE production SET well_name = 'Other' WHERE production_period > '2020-01-01'")
        writing.connection.execute("UPDATE production SET field_name = NULL WHERE production_period = '2020-02-01'")
        writing.connection.execute("UPDATE production SET field_name = 'Lula' WHERE production_period = '2020-03-01'")
    assert records.found() == [("2020-02", "name_changed", "well Other, was Well 1")]
    with records.store.write() as writing:
        writing.connection.execute("UPDATE production SET field_name = 'Lula' WHERE production_period > '2020-01-01'")
    assert records.found() == [("2020-02", "name_changed", "well Other, was Well 1, field Lula, was Field 1")]
    (tmp_path / "groups.toml").write_text('[fields]\nTupi = ["Lula", "Field 1"]\n[wells]\nOther = ["Well 1"]\n')
    assert records.found() == []


def test_a_well_of_two_codes_is_one_where_the_groups_say_so(records: Records, tmp_path: Path) -> None:
    """It has no gap between them, and is found where both have a month."""
    for well, month, rate in ((1, "2020-01", 1.0), (2, "2020-02", 2.0), (1, "2020-03", 3.0)):
        records.add(well, month, oil=rate, gas=rate)
    assert [mark for _, mark, _ in records.found()] == ["missing_month"]
    (tmp_path / "groups.toml").write_text('[wells]\n"Well 2" = ["Well 1"]\n')
    assert records.found() == []
    records.add(2, "2020-03", oil=4.0, gas=4.0)
    assert records.found() == [("2020-03", "month_twice", "two of its codes")] * 2
    assert records.marks()["well"].unique().to_list() == ["Well 2"]


def test_only_what_the_source_restated_is_restated(records: Records) -> None:
    """Not a version that ended since its import was undone."""
    records.add(1, "2020-01")
    records.add(1, "2020-01", oil=9.0, replaced="2024-01-05")
    records.marks()
    with records.store.write() as writing:
        writing.connection.execute("UPDATE production_history SET change = 'undone'")
    assert records.found() == []


def test_marks_are_counted_without_being_given(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """By rule, field, well and month as the marks themselves add up, also where the wells are looked at in parts."""
    for well in range(1, 9):
        records.series(well, 1, oil=[1.0, -2.0, 3.0, None, 5.0, 5.0, 5.0], field=[well % 3] * 7)
    found = records.marks()
    for at_once in (100_000, 10):
        monkeypatch.setattr(quality, "_RECORDS_AT_ONCE", at_once)
        assert records.marks().equals(found)
        with records.store.read() as reading:
            of = {by: counts(reading, None, by) for by in ("rule", "field", "well", "month")}
        assert of["rule"].equals(by_rule(found))
        errors = found.filter(pl.col("mark").is_in([name for name, rule in RULES.items() if rule.severity == "error"]))
        for by, key in (("field", "field"), ("well", "well"), ("month", "month")):
            told = dict(of[by].select(key, "marks").rows())
            assert told == dict(found.group_by(key).len().rows())
            assert dict(of[by].filter(pl.col("errors") > 0).select(key, "errors").rows()) == dict(
                errors.group_by(key).len().rows()
            )
        assert of["field"]["wells"].sum() == 8 and of["month"]["month"].is_sorted()


def test_the_command_counts_and_gives_each_mark(run: CommandLine, home: Path, tmp_path: Path) -> None:
    """A table for people, JSON for programs, each mark as CSV; nothing found is told; always 0."""
    records = Records(home / "wells_production.duckdb")
    records.add(1, "2020-01", oil=-1.0)
    records.add(1, "2020-03")
    records.marks()
    done = run("quality", "--output", tmp_path / "marks.csv", COLUMNS="80")
    assert done.returncode == 0 and "negative_rate" in done.stdout and max(map(len, done.stdout.splitlines())) <= 80
    assert pl.read_csv(tmp_path / "marks.csv")["mark"].to_list() == ["negative_rate", "missing_month"]
    told = json.loads(run("quality", "--by", "month", "--json").stdout)
    assert [row["month"] for row in told["counts"]] == ["2020-01-01", "2020-02-01"]
    assert (len(told["findings"]), told["by"], {"rule", "severity", "words"} == set(told["rules"][0])) == (
        2,
        "month",
        True,
    )
    done = run("quality", "--from", "2020-03")
    assert done.returncode == 0 and "No rule of data quality is broken" in done.stderr
    assert run("quality", "--well", "nobody").returncode == 2


def test_the_rules_are_a_closed_list() -> None:
    """The worst first, in the words of the import where it knows them."""
    order = ["error", "warning", "note"]
    assert [rule.severity for rule in RULES.values()] == sorted((r.severity for r in RULES.values()), key=order.index)
    assert set(ROW_RULES) <= set(RULES)
    assert all(RULES[name].words == words for name, words in ROW_RULES.items() if name in RULES)


@pytest.fixture(scope="module")
def anp(tmp_path_factory: pytest.TempPathFactory, anp_records: list[dict[str, Any]]) -> Iterator[Reading]:
    """The ANP records in a store."""
    records = Records(tmp_path_factory.mktemp("anp") / "wells.duckdb")
    rows = pl.DataFrame(anp_records, infer_schema_length=None).rename({"_field_name": "field_name"})
    with records.store.write() as writing:
        writing.connection.register("rows", rows)
        writing.connection.execute(
            "INSERT INTO production BY NAME SELECT field_code, field_name, well_code, well_name, data_source,"
            " production_period[:10]::DATE AS production_period, oil_production_kbd, gas_production_mmcfd,"
            " now()::TIMESTAMP AS created_at, now()::TIMESTAMP AS updated_at, 1 AS day_given, uuid() AS job_id"
            " FROM rows"
        )
    with records.store.read() as reading:
        yield reading


def test_gaps_and_streams_of_the_anp_wells(anp: Reading, anp_records: list[dict[str, Any]]) -> None:
    """As many as another count of them gives: months between first and last less those held, streams null at times."""
    by_well: dict[int, dict[int, list[dict[str, Any]]]] = {}
    for row in anp_records:
        year, month = map(int, row["production_period"][:7].split("-"))
        by_well.setdefault(row["well_code"], {}).setdefault(year * 12 + month, []).append(row)
    missing = sum(max(held) - min(held) + 1 - len(held) for held in by_well.values())
    streams = ("oil_production_kbd", "gas_production_mmcfd")
    partial = 0
    for held in by_well.values():
        rows = [row for several in held.values() for row in several]
        known = [name for name in streams if any(row[name] is not None for row in rows)]
        partial += sum(
            any(row[name] is None for name in known) and any(row[n] is not None for n in streams) for row in rows
        )
    counts = dict(marks(anp).group_by("mark").len().rows())
    assert counts["missing_month"] == missing and counts["stream_missing"] == partial
