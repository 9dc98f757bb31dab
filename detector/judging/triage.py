"""Applies triage entries to the findings of a day, whenever a report is built.

This module is pure: it takes findings and triage entries, and returns findings. It does not change sightings: a
muted finding still has one, so its days are counted on and nothing must be repaired after a mute ends. The report
of an old day uses the entries that exist when the report is built. The backtest has no triage.
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

ACK = "ack"
MUTE = "mute"
VERDICT = "verdict"
FINDING = "finding"
KEY = "key"
TEAM = "team"
PATTERN = "pattern"
SHOWN_ID = 12
"""People see this many characters of a finding id. A command accepts any unique beginning of an id."""

_LAST = {Status.MUTED: 1, Status.RESOLVED: 2}


class Subject(Protocol):
    """The properties that a target is compared with: those of a finding, or of a past finding in the state."""

    @property
    def finding_id(self) -> str:
        """The identity of the finding."""
        ...

    @property
    def type(self) -> str:
        """The type of finding."""
        ...

    @property
    def key_id(self) -> str | None:
        """The key id, None for the whole fleet."""
        ...

    @property
    def name(self) -> str | None:
        """The name of the key."""
        ...

    @property
    def team(self) -> str | None:
        """The team of the key."""
        ...


@dataclass(frozen=True)
class Named:
    """A past finding with the name and the team of its key from the register."""

    finding_id: str
    type: str
    key_id: str | None
    name: str | None = None
    team: str | None = None


def covers(entry: TriageEntry, subject: Subject) -> bool:
    """Whether the target of an entry matches a finding, on any day.

    Only its own id matches a finding on the whole fleet, so that no pattern hides missing data by accident.
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
    """Whether an entry applies to a day: it has begun, nobody ended it, and its last day is not over."""
    begun = entry.from_day <= day
    return begun and entry.ended_at is None and (entry.until_day is None or day <= entry.until_day)


def apply(findings: Sequence[Finding], entries: Iterable[TriageEntry], day: date) -> list[Finding]:
    """The findings of a day with their acknowledgements, mutes and verdicts.

    Open findings come first in their given order, then muted ones, then resolved ones. A second application of
    the same entries changes nothing. A resolved finding is never muted.
    """
    applicable = [entry for entry in entries if in_force(entry, day)]
    verdicts = {(entry.target, entry.episode): entry.verdict for entry in applicable if entry.action == VERDICT}
    marks = [entry for entry in applicable if entry.action != VERDICT]
    triaged = []
    for finding in findings:
        verdict = verdicts.get((finding.finding_id, finding.episode))
        triaged.append(_triaged(finding, marks, verdict))
    return sorted(triaged, key=lambda finding: _LAST.get(finding.status, 0))


def precision(entries: Iterable[TriageEntry], day: date) -> dict[str, Precision]:
    """By type of finding: the number of episodes with a verdict, and how many of these were real.

    The last verdict on an episode counts. A planned episode was neither an incident nor a mistake, so it does
    not count. An episode that began after the day does not count either, so that an old report does not change.
    """
    last: dict[tuple[str, int | None], TriageEntry] = {}
    for entry in entries:
        if entry.action == VERDICT and in_force(entry, day):
            last[entry.target, entry.episode] = entry
    judged: Counter[str] = Counter()
    true: Counter[str] = Counter()
    for entry in last.values():
        if entry.type is None or entry.verdict == Verdict.PLANNED:
            continue
        judged[entry.type] += 1
        true[entry.type] += entry.verdict == Verdict.TRUE
    return {kind: Precision(judged[kind], true[kind]) for kind in sorted(judged)}


def mutes_in_force(
    findings: Iterable[Finding], entries: Iterable[TriageEntry], day: date
) -> tuple[MuteInForce, ...]:
    """The mutes that apply to a day, in order of entry, each with the number of findings that it mutes."""
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
    """The target of an entry in words, for example ``key hot, usage_spike only``."""
    words = {
        FINDING: f"finding {entry.target[:SHOWN_ID]}",
        KEY: f"key {entry.target}",
        TEAM: f"team {entry.target}",
        PATTERN: f"keys like {entry.target}",
    }[entry.target_kind]
    if entry.type and entry.target_kind != FINDING:
        return f"{words}, {entry.type} only"
    return words


def mute_words(mute: MuteInForce) -> str:
    """A mute in force as one sentence, with the number of findings that it mutes."""
    covered = counted(mute.findings, "finding") if mute.findings else "nothing"
    until = f" until {long_day(mute.until_day)}" if mute.until_day else ""
    why = f": {mute.reason}" if mute.reason else ""
    return f"{target_words(mute)} (covers {covered} on this day), by {mute.by}{until}{why}"


def _triaged(finding: Finding, marks: Sequence[TriageEntry], verdict: str | None) -> Finding:
    finding = replace(finding, verdict=verdict)
    if finding.status is Status.RESOLVED:
        return finding
    matching = [entry for entry in marks if covers(entry, finding) and entry.episode in (None, finding.episode)]
    acks = [entry for entry in matching if entry.action == ACK]
    mutes = [entry for entry in matching if entry.action == MUTE]
    if acks:
        finding = replace(finding, acknowledged=_sentence("Acknowledged", acks[-1]))
    if mutes:
        longest = max(mutes, key=lambda entry: (entry.until_day or date.max, entry.id))
        finding = replace(finding, status=Status.MUTED, muted=_sentence("Muted", longest))
    return finding


def _sentence(done: str, entry: TriageEntry) -> str:
    """An entry as a sentence: who, from when, until when, the entry's number and the reason."""
    until = f" until {long_day(entry.until_day)}" if entry.until_day else ""
    reason = f": {entry.reason}" if entry.reason else ""
    return f"{done} by {entry.by} from {long_day(entry.from_day)}{until} (entry {entry.id}){reason}"
