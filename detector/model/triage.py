"""Triage: what people enter about findings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The judgement of a person who investigated a finding."""

    TRUE = "true"
    FALSE = "false"
    BENIGN = "benign"
    PLANNED = "planned"


@dataclass(frozen=True)
class TriageEntry:
    """What a person entered about findings, for the days from ``from_day`` to ``until_day`` (included).

    ``action`` is ack, mute or verdict. ``target_kind`` is finding, key, team or pattern; a ``type`` restricts the
    target to this type of finding. ``episode`` restricts an entry to one episode of its finding. ``ended_at`` is
    the instant at which somebody ended the entry; an entry is never deleted. ``verdict`` is a value of
    ``Verdict``. The state database assigns the ``id``.
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
    """A mute that applies to a day, with the number of the day's findings that it mutes."""

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
    """The number of findings of one type with a verdict, and how many of these were real."""

    judged: int
    true: int
