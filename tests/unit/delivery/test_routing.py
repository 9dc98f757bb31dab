"""Which findings go to whom."""

from __future__ import annotations

from dataclasses import replace

from detector.delivery.routing import concerns, routed, settled
from detector.model.finding import Severity, Status
from tests.report_examples import findings_day

REPORT = findings_day()
FIRST = REPORT.findings[0]


def test_muted_and_resolved_findings_are_not_routed() -> None:
    """They are settled, and asked for by their status."""
    muted = replace(FIRST, status=Status.MUTED)
    report = replace(REPORT, findings=(muted, *REPORT.findings[1:]))
    assert muted not in routed(report, Severity.INFO)
    assert settled(report, Status.MUTED) == [muted]


def test_findings_below_the_severity_stay_out() -> None:
    """The one of exactly that severity is in."""
    found = routed(REPORT, FIRST.severity)
    assert FIRST in found
    assert all(finding.severity.rank >= FIRST.severity.rank for finding in found)


def test_a_team_hears_of_its_own_keys_alone() -> None:
    """A finding on the whole fleet, or on a key that nobody owns, belongs to no team."""
    unowned = replace(FIRST, team=None)
    assert concerns(unowned, ())
    assert not concerns(unowned, ("search",))
    assert concerns(replace(FIRST, team="search"), ("search", "payments"))
