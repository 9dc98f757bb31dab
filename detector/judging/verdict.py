"""The verdict on a day: one word for programs, and a headline with a second line for people.

It is computed once, from the findings, the problems of the day and the fleet's total. Reports, mails, exit codes,
pings and metrics repeat it. Only ``clear`` is an all-clear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from detector.boundary.words import counted, singular_or_plural
from detector.judging.completeness import DATA_QUALITY, DataProblem
from detector.model.finding import Finding, Severity, Status
from detector.model.report import Coverage, Outcome

_WORDS = (
    "No",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a day, the verdict in a few words, and the reason for it."""

    outcome: Outcome
    headline: str
    subline: str


def conclude(
    findings: Sequence[Finding], problems: Sequence[DataProblem], coverage: Coverage, *, total_is_usual: bool
) -> Verdict:
    """The verdict on a day.

    ``findings`` are all findings of the day, with their triage. ``problems`` are sorted by severity, the most
    severe first. ``total_is_usual`` says whether the fleet's total lies where an ordinary day has it.
    """
    active = [finding for finding in findings if finding.status not in (Status.RESOLVED, Status.MUTED)]
    above_info = [finding for finding in active if finding.severity is not Severity.INFO]
    shortfalls = [problem for problem in problems if problem.shortfall]
    outcome = _outcome(above_info, shortfalls, coverage, total_is_usual=total_is_usual)
    muted = sum(finding.status is Status.MUTED for finding in findings)
    if outcome is Outcome.CLEAR:
        return Verdict(outcome, "Nothing to look at", _clear_subline(above_info, coverage, muted))
    said = _said_of(above_info)
    if outcome.is_judged:
        return Verdict(outcome, _headline(outcome, above_info), said or "The total of the fleet is unusual.")
    because = f"because {shortfalls[0].shortfall}"
    reason = shortfalls[0].text
    if outcome is Outcome.COULD_NOT_JUDGE:
        return Verdict(outcome, f"The day could not be evaluated, {because}", reason)
    others = [finding for finding in above_info if finding.type != DATA_QUALITY.kind]
    partly = f"partly evaluated, {because}"
    headline = f"The day was {partly}"
    if others:
        is_new = any(finding.status.raised for finding in others)
        headline = f"{_headline(Outcome.FINDINGS if is_new else Outcome.NOTHING_NEW, others)}; {partly}"
    return Verdict(outcome, headline, " ".join(filter(None, (reason, _said_of(others)))))


def _outcome(
    above_info: Sequence[Finding], shortfalls: Sequence[DataProblem], coverage: Coverage, *, total_is_usual: bool
) -> Outcome:
    if shortfalls:
        has_evaluated = coverage.keys_judged > 0 or any(finding.key_id is not None for finding in above_info)
        return Outcome.PARTLY_JUDGED if has_evaluated else Outcome.COULD_NOT_JUDGE
    if any(finding.status.raised for finding in above_info) or not total_is_usual:
        return Outcome.FINDINGS
    if any(finding.acknowledged is None for finding in above_info):
        return Outcome.NOTHING_NEW
    return Outcome.CLEAR


def _headline(outcome: Outcome, above_info: Sequence[Finding]) -> str:
    """The verdict on an evaluated day in a few words."""
    if outcome is Outcome.NOTHING_NEW:
        return f"Nothing new, {len(above_info):,} still open"
    raised = [finding for finding in above_info if finding.status.raised]
    new_keys = {finding.key_id for finding in raised if finding.key_id is not None}
    if not new_keys:
        is_of_data = bool(raised) and all(finding.type == DATA_QUALITY.kind for finding in raised)
        return "The data need a look" if is_of_data else "The fleet needs a look"
    keys = {finding.key_id for finding in above_info if finding.key_id is not None}
    need = f"{_number(len(keys))} {singular_or_plural(len(keys), 'key needs', 'keys need')} a look"
    return need if len(new_keys) == len(keys) else f"{need}, {_number(len(new_keys)).lower()} of them new"


def _said_of(above_info: Sequence[Finding]) -> str:
    """The new and the ongoing findings by title."""
    parts = []
    if raised := _titles([finding for finding in above_info if finding.status.raised]):
        parts.append(f"New: {raised}.")
    if ongoing := _titles([finding for finding in above_info if not finding.status.raised]):
        parts.append(f"Ongoing: {ongoing}.")
    return " ".join(parts)


def _clear_subline(acknowledged: Sequence[Finding], coverage: Coverage, muted: int) -> str:
    judged = f"{coverage.keys_judged:,} of {counted(coverage.keys_active, 'active key')}"
    were = singular_or_plural(coverage.keys_judged, "was", "were")
    days = counted(coverage.baseline_days, "day")
    return f"{judged} {were} evaluated against {days}, and {_standing_out(len(acknowledged), muted)}."


def _standing_out(acknowledged: int, muted: int) -> str:
    """The end of the sentence of a clear day, with its muted and acknowledged findings."""
    counts = {"muted finding": muted, "acknowledged finding": acknowledged}
    parts = [
        f"{_number(count).lower()} {singular_or_plural(count, name)}" for name, count in counts.items() if count
    ]
    return f"nothing stands out but {' and '.join(parts)}" if parts else "none stands out"


def _titles(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.title for finding in findings)
    return ", ".join(
        f"{title.lower()} ({count:,})" if count > 1 else title.lower() for title, count in counts.items()
    )


def _number(count: int) -> str:
    return _WORDS[count] if count < len(_WORDS) else f"{count:,}"
