"""The number of findings, and of those that chance may give, in the words that all formats share."""

from __future__ import annotations

from detector.boundary.words import counted
from detector.model.finding import Severity, Status
from detector.model.report import Budget, RunReport


def sentence(report: RunReport) -> str:
    """The open findings by severity, then the muted and the resolved.

    ``3 open on 2 keys: 2 high, 1 low. 1 resolved.``
    """
    summary = report.summary
    open_findings = "None open."
    if summary.open:
        by_severity = [
            f"{summary.by_severity[word]:,} {word}" for word in reversed(Severity) if word in summary.by_severity
        ]
        open_findings = f"{summary.open:,} open{_on_keys(report)}: {', '.join(by_severity)}."
    others = []
    for status in (Status.MUTED, Status.RESOLVED):
        if status in summary.by_status:
            others.append(f"{summary.by_status[status]:,} {status}")
    return f"{open_findings} {', '.join(others)}." if others else open_findings


def _on_keys(report: RunReport) -> str:
    keys = set()
    for finding in report.findings:
        if finding.key_id is not None and finding.status not in (Status.MUTED, Status.RESOLVED):
            keys.add(finding.key_id)
    return f" on {counted(len(keys), 'key')}" if keys else ""


def statistical(budget: Budget) -> str:
    """How many new findings rest on statistics, and how many chance alone gives: the alert budget in words."""
    found = counted(budget.raised, "new finding rests", "new findings rest")
    return f"{found if budget.raised else 'No new finding rests'} on statistics; {by_chance(budget)}"


def by_chance(budget: Budget) -> str:
    """How many findings chance alone gives on a day like this."""
    short = "" if budget.calibrated else " (by default limits, while the history is short)"
    return f"chance alone gives about {budget.expected:.2g} a day{short}"
