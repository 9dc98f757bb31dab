"""What people say of findings: how to acknowledge one, and the share that was real."""

from __future__ import annotations

from collections.abc import Iterator

from detector.boundary.words import counted
from detector.judging.finding_types import finding_type
from detector.judging.triage import SHOWN_ID
from detector.model.finding import Finding
from detector.model.report import Summary
from detector.model.triage import Precision, Verdict

WORDS: dict[str, str] = {
    Verdict.TRUE: "real",
    Verdict.FALSE: "a false alarm",
    Verdict.BENIGN: "real but harmless",
    Verdict.PLANNED: "planned",
}
"""Verdict to its words for people."""


def acknowledgement(finding: Finding) -> str:
    """The command that acknowledges a finding."""
    return f"python -m detector triage ack --finding {finding.finding_id[:SHOWN_ID]}"


def lines(summary: Summary) -> Iterator[str]:
    """One sentence for each type of finding with verdicts."""
    for kind, precision in sorted(summary.precision.items()):
        yield _line(kind, precision)


def _line(kind: str, precision: Precision) -> str:
    named = finding_type(kind)
    true = counted(precision.true, "was", "were") if precision.true else "none were"
    return f"Of {counted(precision.judged, named.singular, named.plural)} with a verdict, {true} real."
