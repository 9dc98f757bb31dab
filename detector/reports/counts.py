"""The number of findings, in the words that all formats share."""

from __future__ import annotations

from detector.model.finding import Severity, Status
from detector.model.report import Summary


def sentence(summary: Summary) -> str:
    """The open findings by severity, then the muted and the resolved: ``3 open: 2 high, 1 low. 1 resolved.``"""
    open_findings = "None open."
    if summary.open:
        counts = summary.by_severity
        by_severity = [f"{counts[word]:,} {word}" for word in reversed(Severity) if word in counts]
        open_findings = f"{summary.open:,} open: {', '.join(by_severity)}."
    others = []
    for status in (Status.MUTED, Status.RESOLVED):
        if status in summary.by_status:
            others.append(f"{summary.by_status[status]:,} {status}")
    return f"{open_findings} {', '.join(others)}." if others else open_findings
