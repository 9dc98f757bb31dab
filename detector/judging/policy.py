"""The policy that turns scores into findings: thresholds within the alert budget, identity, and life cycle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.detectors.description import Description
from detector.model.extent import Extent
from detector.model.finding import Finding, Severity, Sighting, Status
from detector.model.panel import Panel

DEFAULT_THRESHOLD = 4.0
"""The threshold while the fleet's own past is too short. On five real fleets it gave 0 to 2.3 false alarms per
1,000 key-days."""
LOWEST_THRESHOLD = 3.0
FEWEST_SCORES = 500
TAIL_FROM = 0.85
TAIL_TO = 0.95
SMALLEST_SLOPE = 0.1


@dataclass(frozen=True)
class Threshold:
    """The score above which a statistical detector raises a finding.

    The share of ordinary key-days beyond a score follows an exponential tail: it is ``share`` at the score
    ``start`` and falls by the factor e with every ``slope``. The tail is fitted on ``past`` key-days, and the
    threshold allows ``budget`` alarms per 1,000 keys. ``calibrated`` is False for the default threshold, which
    applies while the past is too short.
    """

    score: float
    start: float
    share: float
    slope: float
    calibrated: bool
    budget: float
    past: int = 0

    def rate(self, score: float) -> float:
        """The expected share of ordinary key-days beyond a score."""
        return float(self.share * np.exp(-max(score - self.start, 0.0) / self.slope))

    def at(self, factor: float) -> float:
        """The threshold for ``factor`` times the budget."""
        score = self.start + self.slope * np.log(self.share * 1000 / (self.budget * factor))
        return max(float(score), LOWEST_THRESHOLD)


def calibrate(past: NDArray[np.float64], alerts_per_1000_keys: float) -> Threshold:
    """The threshold that an ordinary day exceeds at the budgeted rate.

    An exponential tail through the 85th and 95th percentile of the past scores extends to the rate. The fit
    leaves out the highest scores, because these hold the past incidents. If one key-day in a hundred is an
    incident of any size, the threshold rises by less than a sixth.
    """
    if len(past) < FEWEST_SCORES:
        rate = alerts_per_1000_keys / 1000
        return Threshold(
            DEFAULT_THRESHOLD, DEFAULT_THRESHOLD, rate, slope=1.0, calibrated=False, budget=alerts_per_1000_keys
        )
    low, high = np.quantile(past, [TAIL_FROM, TAIL_TO])
    slope = max(float(high - low) / np.log((1 - TAIL_FROM) / (1 - TAIL_TO)), SMALLEST_SLOPE)
    tail = Threshold(
        np.nan, float(high), 1 - TAIL_TO, slope, calibrated=True, budget=alerts_per_1000_keys, past=len(past)
    )
    return replace(tail, score=tail.at(1))


def named(judged: pd.DataFrame, threshold: float) -> list[str]:
    """The eligible keys with a score above the threshold, highest score first, ties by key id."""
    rows = judged[(judged["score"] > threshold) & judged["eligible"]]
    return (
        rows.rename_axis("key_id")
        .reset_index()
        .sort_values(["score", "key_id"], ascending=[False, True])["key_id"]
        .tolist()
    )


def finding_id(kind: str, source: str, key_id: str | None, organization: str | None) -> str:
    """The identity of a finding, 32 hex digits. Its date, score and text are no part of the identity.

    The length precedes each part, so that two different tuples of parts never give the same text to hash.
    """
    parts = [kind, source, key_id, organization]
    text = "".join(
        "-" if part is None else f"{len(part.encode('utf-8', 'surrogatepass'))}:{part}" for part in parts
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def life(prior: Sighting | None, severity: Severity, day: date) -> tuple[Status, int, date, int]:
    """The status, the episode, its first day and its number of days, from the latest earlier sighting."""
    if prior is None:
        return Status.NEW, 1, day, 1
    if not prior.open:
        return Status.REOPENED, prior.episode + 1, day, 1
    status = Status.ESCALATED if severity.rank > prior.severity.rank else Status.ONGOING
    return status, prior.episode, prior.first_seen, prior.days + 1


def absent(earlier: Mapping[str, Sighting], present: set[str]) -> list[Sighting]:
    """The open findings of earlier days that are not ``present`` on the evaluated day, sorted by id."""
    gone = [sighting for sighting in earlier.values() if sighting.open and sighting.finding_id not in present]
    return sorted(gone, key=lambda sighting: sighting.finding_id)


def resolved(gone: Sequence[Sighting], panel: Panel, extent: Extent) -> list[Finding]:
    """The absent findings that end on the evaluated day, as findings. Other types need a more complete day."""
    return [_resolved(sighting, panel) for sighting in gone if extent.ends(sighting.type)]


def order(findings: Sequence[Finding]) -> list[Finding]:
    """The findings by severity (most severe first), then new before ongoing, then highest score, then key id."""
    return sorted(
        findings,
        key=lambda finding: (
            finding.status is Status.RESOLVED,
            -finding.severity.rank,
            not finding.status.raised,
            -(finding.score or 0.0),
            finding.key_id or "",
            finding.type,
        ),
    )


def build(
    panel: Panel,
    kind: str,
    identity: str,
    prior: Sighting | None,
    description: Description,
    *,
    key_id: str | None,
    judged: pd.Series[Any],
    changes: Sequence[str] = (),
    prevalence: str | None = None,
    endpoints_usual: Mapping[str, int] | None = None,
    endpoints_observed: Mapping[str, int] | None = None,
    terms: Mapping[str, float] | None = None,
) -> Finding:
    """One finding of the panel's last day."""
    status, episode, first_seen, days = life(prior, description.severity, panel.day.date)
    return Finding(
        finding_id=identity,
        episode=episode,
        type=kind,
        title=description.title,
        status=status,
        severity=description.severity,
        confidence=description.confidence,
        key_id=key_id,
        day=panel.day.date,
        **_register(panel, key_id),
        **_numbers(judged),
        reason=description.reason,
        first_seen=first_seen,
        last_seen=panel.day.date,
        days=days,
        changes=tuple(dict.fromkeys((*description.changes, *changes))),
        actions=description.actions,
        prevalence=prevalence,
        severity_reasons=description.severity_reasons,
        endpoints_usual=endpoints_usual or {},
        endpoints_observed=endpoints_observed or {},
        terms=terms or {},
        techniques=description.techniques,
    )


def _resolved(sighting: Sighting, panel: Panel) -> Finding:
    return Finding(
        finding_id=sighting.finding_id,
        episode=sighting.episode,
        type=sighting.type,
        title=sighting.title,
        status=Status.RESOLVED,
        severity=sighting.severity,
        confidence="certain",
        key_id=sighting.key_id,
        day=panel.day.date,
        **_register(panel, sighting.key_id),
        score=None,
        observed=None,
        expected=None,
        low=None,
        high=None,
        reason="The condition no longer holds.",
        first_seen=sighting.first_seen,
        last_seen=sighting.day,
        days=sighting.days,
    )


def _register(panel: Panel, key_id: str | None) -> dict[str, Any]:
    names = ("name", "environment", "team", "application")
    if key_id is None or key_id not in panel.records.index:
        return dict.fromkeys(names)
    record = panel.records.loc[key_id]
    return {name: None if pd.isna(record[name]) else str(record[name]) for name in names}


def _numbers(judged: pd.Series[Any]) -> dict[str, Any]:
    numbers = judged.reindex(["score", "observed", "expected", "low", "high"]).astype(float)
    return {str(name): float(value) if np.isfinite(value) else None for name, value in numbers.items()}
