"""How many findings there are, in words that every format shares."""

from __future__ import annotations

from detector.model.finding import Severity, Status
from detector.model.report import Summary


def sentence(summary: Summary) -> str:
    """The open findings by severity, then the muted and the resolved: ``3 open: 2 high, 1 low. 1 resolved.``"""
    worst_first = reversed(Severity)
    by_severity = [f"{summary.by_severity[word]:,} {word}" for word in worst_first if word in summary.by_severity]
    opened = f"{summary.open:,} open: {', '.join(by_severity)}." if summary.open else "None open."
    rest = [
        f"{summary.by_status[status]:,} {status}"
        for status in (Status.MUTED, Status.RESOLVED)
        if status in summary.by_status
    ]
    return f"{opened} {', '.join(rest)}." if rest else opened
