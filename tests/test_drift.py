"""A feed that changes its shape: told, and stopped before the first row where it would spoil what is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wellprod.errors import FeedDrift
from wellprod.feed.metadata import EntityType, Property, drift
from wellprod.feed.profile import find_profile
from wellprod.ingest import ImportRequest, ImportSummary, start_import
from wellprod.ingest.drift import Described, check_drift
from wellprod.jobs import Status
from wellprod.settings import Settings

from .conftest import CommandLine
from .scripted import Reply, record, scripted_feed
from .test_import import counted, stored

PROPERTIES = {
    "field_code": "Edm.Int64",
    "well_code": "Edm.Int64",
    "production_period": "Edm.DateTimeOffset",
    "oil_production_kbd": "Edm.Double",
    "water_production_kbd": "Edm.Double",
    "operator": "Edm.String",
}


def csdl(properties: dict[str, str]) -> str:
    """Give the description of a service with one entity set."""
    listed = "".join(f'<Property Name="{name}" Type="{type_}"/>' for name, type_ in properties.items())
    return (
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
        '<Schema Namespace="N" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityType Name="Well"><Key>'
        f'<PropertyRef Name="well_code"/></Key>{listed}</EntityType><EntityContainer Name="C">'
        '<EntitySet Name="Wells" EntityType="N.Well"/></EntityContainer></Schema></edmx:DataServices></edmx:Edmx>'
    )


class DriftingFeed:
    """A feed with one record, whose description is what it is set to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.oil = 1.0

    def imported(self, metadata: Reply | dict[str, str], **asked: Any) -> ImportSummary:
        """Import it as it is described now; each time the record has other values."""
        self.oil += 1
        reply = Reply(csdl(metadata)) if isinstance(metadata, dict) else metadata
        row = {**record(1, oil_production_kbd=self.oil), "operator": "A"}
        given = metadata if isinstance(metadata, dict) else PROPERTIES
        row = {name: value for name, value in row.items() if name in given}
        with scripted_feed(lambda _: Reply({"value": [row]}), lambda: reply) as (url, _):
            self.url = f"{url}/Wells"
            return start_import(ImportRequest(self.url, **asked), self.settings)


@pytest.fixture
def feed(settings: Settings) -> DriftingFeed:
    """A feed that was imported once."""
    feed = DriftingFeed(settings)
    assert feed.imported(PROPERTIES).exit_code == 0
    return feed


def without(*names: str) -> dict[str, str]:
    """Give the properties but for some."""
    return {name: type_ for name, type_ in PROPERTIES.items() if name not in names}


def test_what_the_profile_does_not_read_is_listed(settings: Settings) -> None:
    """Unmapped properties are ignored and told, with the hash of the description; that is no warning."""
    summary = DriftingFeed(settings).imported(PROPERTIES)
    schema = summary.as_dict()["schema"]
    assert schema["unmapped"] == ["operator"] and len(schema["hash"]) == 64
    assert not [warning for warning in summary.state.warnings if "operator" in warning]


def test_an_unchanged_description_is_no_drift(feed: DriftingFeed) -> None:
    """The hash is the same, and nothing is said."""
    first, second = (feed.imported(PROPERTIES) for _ in range(2))
    assert first.state.schema == second.state.schema
    assert not [warning for warning in second.state.warnings if "Since the last import" in warning]


def test_added_and_unmapped_changes_are_reported_and_go_on(feed: DriftingFeed) -> None:
    """New properties, and removed or retyped ones that no column comes from, are warnings of the job."""
    summary = feed.imported({**without("operator"), "lift_type": "Edm.String"})
    assert (summary.status, counted(summary)) == (Status.COMPLETED, (0, 0, 1, 0))
    assert [w for w in summary.state.warnings if "Since" in w] == [
        "Since the last import the feed has added lift_type.",
        "Since the last import the feed no longer has operator.",
    ]
    schema = summary.state.schema
    assert (schema["added"], schema["removed"], schema["retyped"]) == (["lift_type"], ["operator"], [])


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (without("water_production_kbd"), "water_production_kbd was removed"),
        (
            {**PROPERTIES, "oil_production_kbd": "Edm.String"},
            "oil_production_kbd from Edm.Double to Edm.String",
        ),
    ],
    ids=["removed", "retyped"],
)
def test_a_mapped_property_that_changed_stops_before_the_first_row(
    feed: DriftingFeed, settings: Settings, now: dict[str, str], said: str
) -> None:
    """FAILED with exit code 1, nothing stored; it stays so until the user takes it as it is, and then it is known."""
    for _ in range(2):
        summary = feed.imported(now)
        assert (summary.status, summary.exit_code, summary.state.total) == (Status.FAILED, 1, 0)
        assert summary.error and summary.error["code"] == "FEED_DRIFT"
        assert said in summary.error["message"] and "--accept-drift" in summary.error["next"]
        assert stored(settings, "oil_production_kbd").item() == 2.0
    accepted = feed.imported(now, accept_drift=True)
    assert (accepted.status, accepted.state.restated) == (Status.COMPLETED, 1)
    assert feed.imported(now).status == Status.COMPLETED


def test_a_property_that_is_there_under_another_of_its_names_is_no_drift(settings: Settings) -> None:
    """A profile names several for one column: one of them may go, or be renamed into another; not all of them."""
    plain = find_profile("woodmac")
    water = plain.columns["water_production_kbd"].model_copy(update={"property": ("water_production_kbd", "water")})
    profile = plain.model_copy(update={"columns": {**plain.columns, "water_production_kbd": water}})
    before, renamed, without_any = (
        EntityType("Well", tuple(Property(name, "Edm.Double", True) for name in names), ())
        for names in (["water_production_kbd"], ["water"], [])
    )
    check_drift(Described(renamed, drift(before, renamed)), profile)
    with pytest.raises(FeedDrift, match="water_production_kbd was removed"):
        check_drift(Described(without_any, drift(before, without_any)), profile)


@pytest.mark.parametrize(
    "metadata",
    [
        Reply("", 404),
        Reply("", 500),
        Reply("<html>sign in</html>", headers={"Content-Type": "text/html"}),
        Reply("<edmx:Edmx"),
        Reply(
            csdl({"one": "Edm.String"})
            .replace('"Wells"', '"X"')
            .replace("</Schema>", '<EntityType Name="T"/></Schema>')
        ),
        Reply('<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>'),
        Reply("", 200),
    ],
    ids=["missing", "broken service", "page", "cut", "another set", "entities", "empty"],
)
def test_a_missing_or_odd_description_never_stops_a_load(feed: DriftingFeed, metadata: Reply) -> None:
    """The import is whole without it, and what was known of the shape before stays known."""
    summary = feed.imported(metadata)
    assert (summary.status, summary.exit_code, counted(summary)) == (Status.COMPLETED, 0, (0, 0, 1, 0))
    assert summary.state.schema["hash"] is None
    assert feed.imported(without("oil_production_kbd")).status == Status.FAILED


def test_drift_on_the_command_line(feed: DriftingFeed, run: CommandLine) -> None:
    """Exit code 1 with what to do, then `--accept-drift` goes on; as JSON the job has what changed."""
    now = without("water_production_kbd")
    row = {name: value for name, value in record(1).items() if name in now}
    with scripted_feed(lambda _: Reply({"value": [row]}), lambda: Reply(csdl(now))) as (url, _):
        stopped = run("import", f"{url}/Wells", "--json")
        assert stopped.returncode == 1
        assert json.loads(stopped.stdout)["errors"][-1]["removed"] == ["water_production_kbd"]
        done = run("jobs", "resume", json.loads(stopped.stdout)["job_id"], "--accept-drift")
    assert done.returncode == 0 and "no longer has water_production_kbd" in " ".join(done.stdout.split())


def test_a_stopped_import_is_accepted_as_its_message_says(feed: DriftingFeed, run: CommandLine) -> None:
    """The command that the message tells, for a feed that is right as it is, goes on with the job to its end."""
    now = without("water_production_kbd")
    row = {name: value for name, value in record(1).items() if name in now}
    with scripted_feed(lambda _: Reply({"value": [row]}), lambda: Reply(csdl(now))) as (url, _):
        error = json.loads(run("import", f"{url}/Wells", "--json").stdout)["errors"][-1]
        told = error["next"].partition("take the feed as it is with: wellprod ")[2]
        assert run(*told.split()).returncode == 0
        assert run("import", f"{url}/Wells").returncode == 0
