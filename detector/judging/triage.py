"""Triage as a layer over the findings of a day, applied when a report is built.

This module is pure: it takes findings and the log of triage, and gives findings. It does not touch sightings. A
muted finding is still a sighting, so its life goes on and a mute that ends needs no repair. The report of an old
day uses what is known of it today. The backtest has no triage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Protocol

from detector.boundary.words import counted, long_day
from detector.model.finding import Finding, Status
from detector.model.triage import MuteInForce, Precision, TriageEntry, Verdict

ACK, MUTE, VERDICT = "ack", "mute", "verdict"
FINDING, KEY, TEAM, PATTERN = "finding", "key", "team", "pattern"
SHOWN_ID = 12
"""Characters of a finding id that are shown to people; any unique beginning names a finding."""

_LAST = {Status.MUTED: 1, Status.RESOLVED: 2}


class Subject(Protocol):
    """What a target is held against: a finding, or what is left of one in the state."""

    @property
    def finding_id(self) -> str:
        """The finding's identity."""
        ...

    @property
    def type(self) -> str:
        """The type of finding."""
        ...

    @property
    def key_id(self) -> str | None:
        """The key, None for the whole fleet."""
        ...

    @property
    def name(self) -> str | None:
        """The key's name."""
        ...

    @property
    def team(self) -> str | None:
        """The key's team."""
        ...


@dataclass(frozen=True)
class Named:
    """A past finding with what a register says of its key."""

    finding_id: str
    type: str
    key_id: str | None
    name: str | None = None
    team: str | None = None


def covers(entry: TriageEntry, subject: Subject) -> bool:
    """Whether an entry is about a finding, whatever the day.

    A finding on the whole fleet (bad data above all) is only ever reached by its own id: no pattern may
    hide by accident that a day was not seen.
    """
    if entry.target_kind == FINDING:
        return subject.finding_id == entry.target
    if subject.key_id is None or entry.type not in (None, subject.type):
        return False
    if entry.target_kind == KEY:
        return subject.key_id == entry.target
    if entry.target_kind == TEAM:
        return subject.team == entry.target
    return any(fnmatchcase(text, entry.target) for text in (subject.key_id, subject.name) if text is not None)


def in_force(entry: TriageEntry, day: date) -> bool:
    """Whether an entry applies to a day: not taken back, begun, and not yet past its last day."""
    begun = entry.from_day <= day
    return begun and entry.ended_at is None and (entry.until_day is None or day <= entry.until_day)


def apply(findings: Sequence[Finding], entries: Iterable[TriageEntry], day: date) -> list[Finding]:
    """The findings as people want them told on a day: marked, muted, with their verdicts.

    Open ones keep their order and come first, then the muted, then the resolved. Applying the same entries
    again changes nothing. A resolved finding is not muted, as there is nothing left to be quiet about.
    """
    applicable = [entry for entry in entries if in_force(entry, day)]
    verdicts = {(entry.target, entry.episode): entry.verdict for entry in applicable if entry.action == VERDICT}
    marks = [entry for entry in applicable if entry.action != VERDICT]
    told = [_told(finding, marks, verdicts.get((finding.finding_id, finding.episode))) for finding in findings]
    return sorted(told, key=lambda finding: _LAST.get(finding.status, 0))


def precision(entries: Iterable[TriageEntry], day: date) -> dict[str, Precision]:
    """By type of finding: how many were judged by people, and how many of these were real.

    The last verdict on an episode counts. Planned ones are left out: they were neither an incident nor a
    mistake. An episode that began after the day is not counted, so that an old report stays what it was.
    """
    last = {
        (entry.target, entry.episode): entry
        for entry in entries
        if entry.action == VERDICT and in_force(entry, day)
    }
    counted = [entry for entry in last.values() if entry.type is not None and entry.verdict != Verdict.PLANNED]
    judged = Counter(entry.type for entry in counted if entry.type is not None)
    true = Counter(entry.type for entry in counted if entry.verdict == Verdict.TRUE)
    return {kind: Precision(judged[kind], true[kind]) for kind in sorted(judged)}


def mutes_in_force(
    findings: Iterable[Finding], entries: Iterable[TriageEntry], day: date
) -> tuple[MuteInForce, ...]:
    """The mutes that apply to a day, in the order they were entered, each with its count of muted findings."""
    muted = [finding for finding in findings if finding.status is Status.MUTED]
    mutes = [entry for entry in entries if entry.action == MUTE and in_force(entry, day)]
    return tuple(
        MuteInForce(
            id=entry.id,
            target_kind=entry.target_kind,
            target=entry.target,
            type=entry.type,
            reason=entry.reason,
            by=entry.by,
            from_day=entry.from_day,
            until_day=entry.until_day,
            findings=sum(covers(entry, finding) for finding in muted),
        )
        for entry in mutes
    )


def target_words(entry: TriageEntry | MuteInForce) -> str:
    """What an entry is about, as a person would say it: ``key hot, usage_spike only``."""
    words = {
        FINDING: f"finding {entry.target[:SHOWN_ID]}",
        KEY: f"key {entry.target}",
        TEAM: f"team {entry.target}",
        PATTERN: f"keys like {entry.target}",
    }[entry.target_kind]
    return f"{words}, {entry.type} only" if entry.type and entry.target_kind != FINDING else words


def mute_words(mute: MuteInForce) -> str:
    """A mute in force in one sentence, with what it hides that day."""
    covered = counted(mute.findings, "finding") if mute.findings else "nothing"
    until = f" until {long_day(mute.until_day)}" if mute.until_day else ""
    why = f": {mute.reason}" if mute.reason else ""
    return f"{target_words(mute)} (covers {covered} that day), by {mute.by}{until}{why}"


def _told(finding: Finding, marks: Sequence[TriageEntry], verdict: str | None) -> Finding:
    finding = replace(finding, verdict=verdict)
    if finding.status is Status.RESOLVED:
        return finding
    about = [entry for entry in marks if covers(entry, finding) and entry.episode in (None, finding.episode)]
    acks = [entry for entry in about if entry.action == ACK]
    mutes = [entry for entry in about if entry.action == MUTE]
    if acks:
        finding = replace(finding, acknowledged=_sentence("Acknowledged", acks[-1]))
    if mutes:
        longest = max(mutes, key=lambda entry: (entry.until_day or date.max, entry.id))
        finding = replace(finding, status=Status.MUTED, muted=_sentence("Muted", longest))
    return finding


def _sentence(done: str, entry: TriageEntry) -> str:
    """Who, since when, until when, why, and the number by which the entry can be ended."""
    until = f" until {long_day(entry.until_day)}" if entry.until_day else ""
    reason = f": {entry.reason}" if entry.reason else ""
    return f"{done} by {entry.by} from {long_day(entry.from_day)}{until} (entry {entry.id}){reason}"
