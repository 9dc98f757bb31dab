"""How often findings turned out real, in words that every format shares."""

from __future__ import annotations

from collections.abc import Iterator

from detector.boundary.words import counted
from detector.model.report import Summary
from detector.model.triage import Precision, Verdict

KINDS = {
    "usage_spike": ("usage spike", "usage spikes"),
    "unusual_pattern": ("unusual pattern", "unusual patterns"),
    "dormant_wake": ("dormant key that woke", "dormant keys that woke"),
    "environment_mismatch": ("environment mismatch", "environment mismatches"),
    "name_mismatch": ("contradicting name", "contradicting names"),
    "error_surge": ("error surge", "error surges"),
    "endpoint_shift": ("endpoint shift", "endpoint shifts"),
    "new_key_burst": ("young key in heavy use", "young keys in heavy use"),
    "revoked_key_use": ("revoked key in use", "revoked keys in use"),
    "went_silent": ("key that went silent", "keys that went silent"),
    "fleet_shift": ("fleet shift", "fleet shifts"),
    "data_quality": ("data quality finding", "data quality findings"),
}
"""Type to what one and what several are called within a sentence."""

WORDS: dict[str, str] = {
    Verdict.TRUE: "real",
    Verdict.FALSE: "a false alarm",
    Verdict.BENIGN: "real but harmless",
    Verdict.PLANNED: "planned",
}
"""Verdict to how a person would say it."""


def lines(summary: Summary) -> Iterator[str]:
    """A sentence for every type of finding that people gave verdicts on."""
    for kind, precision in sorted(summary.precision.items()):
        yield _line(kind, precision)


def _line(kind: str, precision: Precision) -> str:
    one, several = KINDS.get(kind, (f"{kind} finding", f"{kind} findings"))
    true = counted(precision.true, "was", "were") if precision.true else "none were"
    return f"Of {counted(precision.judged, one, several)} with a verdict, {true} real."
