"""Which findings go to whom: by team and by severity, the same for every channel."""

from __future__ import annotations

from collections.abc import Collection

from detector.model.finding import Finding, Severity, Status
from detector.model.report import RunReport

NOT_OPEN = (Status.RESOLVED, Status.MUTED)


def routed(report: RunReport, minimum: Severity, teams: Collection[str] = ()) -> list[Finding]:
    """The open findings of at least a severity, most severe first; with ``teams`` only those on their keys.

    Findings on the whole fleet and on keys that nobody owns belong to no team.
    """
    return [
        finding
        for finding in report.findings
        if finding.status not in NOT_OPEN and finding.severity.rank >= minimum.rank and concerns(finding, teams)
    ]


def settled(report: RunReport, status: Status, teams: Collection[str] = ()) -> list[Finding]:
    """The findings that are resolved or muted that day."""
    return [finding for finding in report.findings if finding.status is status and concerns(finding, teams)]


def concerns(finding: Finding, teams: Collection[str]) -> bool:
    """Whether a finding is about a key of one of the teams; without teams every finding is."""
    return not teams or finding.team in teams
