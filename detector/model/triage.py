"""What people said about findings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Verdict(StrEnum):
    """What a finding was in truth, in the word of the person who looked into it."""

    TRUE = "true"
    FALSE = "false"
    BENIGN = "benign"
    PLANNED = "planned"


@dataclass(frozen=True)
class TriageEntry:
    """What a person said about findings, from one day on and, where it ends by itself, until another.

    ``action`` is ack, mute or verdict; ``target_kind`` is finding, key, team or pattern, narrowed to one
    ``type`` of finding where that is set. ``until_day`` is included. ``episode`` binds an entry to one
    episode of its finding. ``ended_at`` is when somebody took the entry back; nothing is ever deleted.
    ``verdict`` is the word of a ``Verdict``. ``id`` is given by the log.
    """

    action: str
    target_kind: str
    target: str
    type: str | None
    reason: str | None
    by: str
    from_day: date
    until_day: date | None
    created_at: datetime
    ended_at: datetime | None = None
    verdict: str | None = None
    episode: int | None = None
    id: int = 0


@dataclass(frozen=True)
class MuteInForce:
    """A mute that applies to the day, and how many of the day's findings it covers."""

    id: int
    target_kind: str
    target: str
    type: str | None
    reason: str | None
    by: str
    from_day: date
    until_day: date | None
    findings: int


@dataclass(frozen=True)
class Precision:
    """Of the findings of one type that people judged, how many were real."""

    judged: int
    true: int
