"""What is found: findings, how much they matter and where they stand in their life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

FLEET = "the whole fleet"
"""What a finding without a key is about, in words."""


class Severity(StrEnum):
    """How much a finding matters, least first."""

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
    """Where a finding stands in its life; the first four are open."""

    NEW = "new"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    ONGOING = "ongoing"
    RESOLVED = "resolved"
    MUTED = "muted"

    @property
    def raised(self) -> bool:
        """Whether that day is the day to say so (new, reopened or escalated)."""
        return self in (Status.NEW, Status.REOPENED, Status.ESCALATED)


@dataclass(frozen=True)
class Technique:
    """An attacker's technique that a finding may be the trace of, and the ``condition`` that was observed."""

    id: str
    name: str
    catalogue: str
    condition: str


@dataclass(frozen=True)
class Finding:
    """One key (or the fleet, ``key_id`` None), one kind of behaviour, one day.

    ``acknowledged`` and ``muted`` are sentences (who, why, until when), ``verdict`` is true, false, benign or
    planned: what people said about it, laid over the finding when a report is made.
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
        """What it is about, as words within a sentence: the name of the key, its id, or the whole fleet."""
        return self.name or self.key_id or FLEET

    @property
    def heading(self) -> str:
        """The subject where it begins a line."""
        return self.name or self.key_id or FLEET.capitalize()


@dataclass(frozen=True)
class Sighting:
    """The latest day on which a finding's condition held, before some other day.

    ``open`` is False once a day without it has been judged since whose extent ends findings of its type.
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
