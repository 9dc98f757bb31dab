"""Findings, with their severity and status."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

FLEET = "the whole fleet"
"""The name of the subject of a finding without a key."""


class Severity(StrEnum):
    """The severity of a finding, in ascending order."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 4 for critical."""
        return list(Severity).index(self)


class Status(StrEnum):
    """The status of a finding on a day. The first four are open."""

    NEW = "new"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    ONGOING = "ongoing"
    RESOLVED = "resolved"
    MUTED = "muted"

    @property
    def raised(self) -> bool:
        """Whether the finding needs a notification on its day: it is new, reopened or escalated."""
        return self in (Status.NEW, Status.REOPENED, Status.ESCALATED)


@dataclass(frozen=True)
class Technique:
    """An attacker's technique that may have caused a finding, and the observed ``condition`` in words."""

    id: str
    name: str
    catalogue: str
    condition: str


@dataclass(frozen=True)
class Finding:
    """One type of behaviour of one key (or of the fleet, ``key_id`` None) on one day.

    ``acknowledged`` and ``muted`` are sentences that say who, why and until when. ``verdict`` is true, false,
    benign or planned. These three come from triage and are set when a report is built.
    """

    finding_id: str
    episode: int
    type: str
    title: str
    status: Status
    severity: Severity
    confidence: str
    key_id: str | None
    name: str | None
    environment: str | None
    team: str | None
    application: str | None
    day: date
    score: float | None
    observed: float | None
    expected: float | None
    low: float | None
    high: float | None
    reason: str
    first_seen: date
    last_seen: date
    days: int
    changes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    prevalence: str | None = None
    severity_reasons: tuple[str, ...] = ()
    endpoints_usual: Mapping[str, int] = field(default_factory=dict)
    endpoints_observed: Mapping[str, int] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)
    techniques: tuple[Technique, ...] = ()
    acknowledged: str | None = None
    muted: str | None = None
    verdict: str | None = None

    @property
    def subject(self) -> str:
        """The name of the key, its id, or the whole fleet, for the middle of a sentence."""
        return self.name or self.key_id or FLEET

    @property
    def heading(self) -> str:
        """The name of the key, its id, or the whole fleet, for the beginning of a line."""
        return self.name or self.key_id or FLEET.capitalize()


@dataclass(frozen=True)
class Sighting:
    """The latest day before some other day on which the condition of a finding held.

    ``open`` is False if a later day was evaluated without this finding, and its extent ends findings of this type.
    """

    finding_id: str
    day: date
    type: str
    title: str
    key_id: str | None
    severity: Severity
    score: float | None
    episode: int
    first_seen: date
    days: int
    open: bool


def finding_id(kind: str, source: str, key_id: str | None, organization: str | None) -> str:
    """The identity of a finding, 32 hex digits. Its date, score and text are no part of the identity.

    The length precedes each part, so that two different tuples of parts never give the same text to hash.
    """
    parts = [kind, source, key_id, organization]
    text = "".join(
        "-" if part is None else f"{len(part.encode('utf-8', 'surrogatepass'))}:{part}" for part in parts
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
