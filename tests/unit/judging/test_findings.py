"""Identity, life and content of a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd

from detector.detectors.description import Description
from detector.judging.explanation import Change
from detector.judging.findings import EarlierFindings, Evidence, absent, build, life, resolved
from detector.model.extent import Extent
from detector.model.finding import Severity, Sighting, Status, finding_id
from tests.panels import panel

DAY = date(2026, 3, 17)


def sighting(*, is_open: bool = True, severity: Severity = Severity.MEDIUM) -> Sighting:
    """A finding seen on 15 and 16 March."""
    return Sighting(
        "id", date(2026, 3, 16), "usage_spike", "Usage spike", "k", severity, 5.0, 2, date(2026, 3, 15), 2, is_open
    )


def test_an_identity_depends_on_type_source_key_and_organization_alone() -> None:
    """Every part counts, and parts cannot run into one another."""
    identities = {
        finding_id("usage_spike", "main", "k1", None),
        finding_id("dormant_wake", "main", "k1", None),
        finding_id("usage_spike", "other", "k1", None),
        finding_id("usage_spike", "main", "k2", None),
        finding_id("usage_spike", "main", "k1", "acme"),
        finding_id("usage_spike", "main", None, None),
        finding_id("usage_spike", "main", "", None),
        finding_id("usage_spike", "maink", "1", None),
    }
    assert len(identities) == 8


def test_a_first_sighting_is_new() -> None:
    """Episode one, day one."""
    assert life(None, Severity.HIGH, DAY) == (Status.NEW, 1, DAY, 1)


def test_a_condition_that_continues_is_ongoing() -> None:
    """The episode and its first day stay."""
    assert life(sighting(), Severity.MEDIUM, DAY) == (Status.ONGOING, 2, date(2026, 3, 15), 3)


def test_a_condition_that_worsens_is_escalated() -> None:
    """Same episode, but worth saying again."""
    status, episode, _, _ = life(sighting(), Severity.HIGH, DAY)
    assert (status, episode) == (Status.ESCALATED, 2)


def test_a_condition_that_returns_opens_a_new_episode() -> None:
    """After a complete day without it."""
    assert life(sighting(is_open=False), Severity.LOW, DAY) == (Status.REOPENED, 3, DAY, 1)


def described(severity: Severity = Severity.HIGH) -> Description:
    """What a detector says of a key."""
    return Description("Usage spike", "Many.", severity, ("far more",), "high", ("Ask.",), changes=("First use.",))


def earlier(*sightings: Sighting) -> EarlierFindings:
    """The findings of earlier days."""
    return EarlierFindings("main", None, {each.finding_id: each for each in sightings})


def test_a_finding_goes_on_from_its_earlier_sighting() -> None:
    """The identity tells which one that is."""
    identity = finding_id("usage_spike", "main", "k", None)
    before = replace(sighting(severity=Severity.HIGH), finding_id=identity)
    evidence = Evidence(pd.Series({"score": 9.0, "observed": 90.0, "term level": 9.0}))
    found = build(panel({"k": [9] * 9 + [90]}), earlier(before), "usage_spike", "k", described(), evidence)
    assert (found.finding_id, found.status, found.episode, found.days) == (identity, Status.ONGOING, 2, 3)
    assert (found.score, found.observed, found.expected) == (9.0, 90.0, None)
    assert (found.name, found.terms) == ("service k", {"level": 9.0})


def test_a_finding_says_every_change_once() -> None:
    """What the detector says comes first."""
    change = Change(("First use.", "Errors on 2% of requests."), {"GET /a": 9}, {"GET /b": 1})
    evidence = Evidence(pd.Series({"score": 9.0}), change, "no other key on this day")
    found = build(panel({"k": [9] * 10}), earlier(), "usage_spike", "k", described(), evidence)
    assert found.changes == ("First use.", "Errors on 2% of requests.")
    assert (found.endpoints_usual, found.endpoints_observed) == ({"GET /a": 9}, {"GET /b": 1})
    assert found.prevalence == "no other key on this day"


def test_a_finding_on_the_fleet_has_no_key_and_no_register() -> None:
    """Nobody owns it."""
    found = build(
        panel({"k": [9]}), earlier(), "data_quality", None, described(), Evidence(pd.Series({"score": 1}))
    )
    assert (found.key_id, found.name, found.team) == (None, None, None)


def test_open_findings_that_the_day_does_not_show_are_absent() -> None:
    """Closed ones are not open, and present ones are not absent."""
    gone = sighting()
    known = earlier(gone, replace(gone, finding_id="closed", open=False), replace(gone, finding_id="here"))
    assert absent(known, {"here"}) == [gone]


def test_an_absent_finding_ends_only_with_a_day_that_judged_its_type() -> None:
    """It keeps the last day on which it was seen."""
    quiet = panel({"k": [9] * 10})
    assert resolved([sighting()], quiet, Extent(complete=False)) == []
    assert resolved([sighting()], quiet, Extent(complete=True, unjudged=frozenset({"usage_spike"}))) == []
    (ended,) = resolved([sighting()], quiet, Extent(complete=True, unjudged=frozenset({"error_surge"})))
    assert (ended.status, ended.episode, ended.last_seen) == (Status.RESOLVED, 2, date(2026, 3, 16))
