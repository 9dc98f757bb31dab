"""From a named key to a finding: its identity, its life and its content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from detector.detectors.description import Description
from detector.detectors.judgement import terms_of
from detector.judging.explanation import NO_CHANGE, Change
from detector.model.extent import Extent
from detector.model.finding import Finding, Severity, Sighting, Status, finding_id
from detector.model.panel import Panel


@dataclass(frozen=True)
class EarlierFindings:
    """The latest sighting of every finding before the evaluated day, by finding id.

    ``source`` and ``organization`` are the same for all findings of an installation and part of their identity.
    """

    source: str
    organization: str | None
    sightings: Mapping[str, Sighting]


@dataclass(frozen=True)
class Evidence:
    """What a finding rests on.

    ``judged`` is the row of its key in the judgement, ``change`` what changed about the key, ``prevalence`` how
    rare its score is, in words.
    """

    judged: pd.Series[Any]
    change: Change = NO_CHANGE
    prevalence: str | None = None


class Life(NamedTuple):
    """Where a finding stands: its status, its episode, the first day of the episode and the days in it."""

    status: Status
    episode: int
    first_seen: date
    days: int


def life(prior: Sighting | None, severity: Severity, day: date) -> Life:
    """The life of a finding on a day, from its latest earlier sighting."""
    if prior is None:
        return Life(Status.NEW, 1, day, 1)
    if not prior.open:
        return Life(Status.REOPENED, prior.episode + 1, day, 1)
    status = Status.ESCALATED if severity.rank > prior.severity.rank else Status.ONGOING
    return Life(status, prior.episode, prior.first_seen, prior.days + 1)


def build(
    panel: Panel,
    earlier: EarlierFindings,
    kind: str,
    key_id: str | None,
    description: Description,
    evidence: Evidence,
) -> Finding:
    """One finding of the panel's last day; ``key_id`` is None for one on the fleet."""
    identity = finding_id(kind, earlier.source, key_id, earlier.organization)
    lived = life(earlier.sightings.get(identity), description.severity, panel.day.date)
    return Finding(
        finding_id=identity,
        episode=lived.episode,
        type=kind,
        title=description.title,
        status=lived.status,
        severity=description.severity,
        confidence=description.confidence,
        key_id=key_id,
        day=panel.day.date,
        **_register(panel, key_id),
        **_numbers(evidence.judged),
        reason=description.reason,
        first_seen=lived.first_seen,
        last_seen=panel.day.date,
        days=lived.days,
        changes=tuple(dict.fromkeys((*description.changes, *evidence.change.sentences))),
        actions=description.actions,
        prevalence=evidence.prevalence,
        severity_reasons=description.severity_reasons,
        endpoints_usual=evidence.change.endpoints_usual,
        endpoints_observed=evidence.change.endpoints_observed,
        terms=terms_of(evidence.judged),
        techniques=description.techniques,
    )


def absent(earlier: EarlierFindings, present: set[str]) -> list[Sighting]:
    """The open findings of earlier days that are not ``present`` on the evaluated day, sorted by id."""
    open_ones = (sighting for sighting in earlier.sightings.values() if sighting.open)
    gone = (sighting for sighting in open_ones if sighting.finding_id not in present)
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
