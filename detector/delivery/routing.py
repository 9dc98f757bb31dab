"""The selection of findings for a channel by team and severity, the same for every channel."""

from __future__ import annotations

from collections.abc import Collection

from detector.model.finding import Finding, Severity, Status
from detector.model.report import RunReport

NOT_OPEN = (Status.RESOLVED, Status.MUTED)


def routed(report: RunReport, minimum: Severity, teams: Collection[str] = ()) -> list[Finding]:
    """The open findings of at least a severity, most severe first; with ``teams`` only those on the teams' keys.

    A finding on the whole fleet or on a key without owner belongs to no team.
    """
    return [
        finding
        for finding in report.findings
        if finding.status not in NOT_OPEN and finding.severity.rank >= minimum.rank and concerns(finding, teams)
    ]


def settled(report: RunReport, status: Status, teams: Collection[str] = ()) -> list[Finding]:
    """The findings of a report with the status resolved or muted."""
    return [finding for finding in report.findings if finding.status is status and concerns(finding, teams)]


def concerns(finding: Finding, teams: Collection[str]) -> bool:
    """Whether a finding is about a key of one of the teams; True for every finding if no team is given."""
    return not teams or finding.team in teams
