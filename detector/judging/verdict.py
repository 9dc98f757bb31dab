"""The verdict on a day in words: one word for programs, a headline and the line below it for people."""

from __future__ import annotations

from collections import Counter

from detector.boundary.words import counted, singular_or_plural
from detector.model.finding import Finding
from detector.model.report import Coverage

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


def outcome_of(pressing: list[Finding], coverage: Coverage) -> str:
    """findings, clear or not_judged: silence is only an all-clear where the day was looked at."""
    if any(finding.key_id is not None for finding in pressing):
        return "findings"
    if not coverage.complete or coverage.keys_judged == 0:
        return "not_judged"
    return "findings" if pressing else "clear"


def headline(outcome: str, pressing: list[Finding], coverage: Coverage) -> str:
    """The verdict in a few words; ``pressing`` are the open findings above info."""
    if outcome == "clear":
        return "Nothing to look at"
    if outcome == "not_judged":
        return "The day could not be judged"
    keys = {finding.key_id for finding in pressing if finding.key_id is not None}
    if not keys:
        return "The data need a look"
    news = {finding.key_id for finding in pressing if finding.key_id is not None and finding.status.raised}
    need = f"{_number(len(keys))} {singular_or_plural(len(keys), 'key needs', 'keys need')} a look"
    if not news:
        return f"{need}, none of them new" if len(keys) > 1 else f"{need}, not new"
    if len(news) < len(keys):
        need += f", {_number(len(news)).lower()} of them new"
    return need if coverage.complete else f"{need}, and the data are incomplete"


def subline(outcome: str, pressing: list[Finding], coverage: Coverage, muted: int) -> str:
    """Why the verdict is what it is; ``muted`` is the number of muted findings."""
    if outcome == "not_judged":
        if coverage.problems and not coverage.complete:
            return coverage.problems[0]
        if coverage.failures:
            return coverage.failures[0]
        if coverage.keys_active == 0:
            return "There is no active key."
        return f"None of {counted(coverage.keys_active, 'active key')} has enough history yet."
    if outcome == "clear":
        judged = f"{coverage.keys_judged:,} of {counted(coverage.keys_active, 'active key')}"
        were = singular_or_plural(coverage.keys_judged, "was", "were")
        days = counted(coverage.baseline_days, "day")
        return f"{judged} {were} judged against {days}, and {_standing_out(muted)}."
    raised = _titles([finding for finding in pressing if finding.status.raised])
    ongoing = _titles([finding for finding in pressing if not finding.status.raised])
    parts = [f"New: {raised}." if raised else "", f"Ongoing: {ongoing}." if ongoing else ""]
    return " ".join(part for part in parts if part)


def _standing_out(muted: int) -> str:
    """An all-clear over muted findings says that they are there."""
    if not muted:
        return "none stands out"
    return f"nothing stands out but {_number(muted).lower()} {singular_or_plural(muted, 'muted finding')}"


def _titles(findings: list[Finding]) -> str:
    counts = Counter(finding.title for finding in findings)
    return ", ".join(
        f"{title.lower()} ({count:,})" if count > 1 else title.lower() for title, count in counts.items()
    )


def _number(count: int) -> str:
    return _WORDS[count] if count < len(_WORDS) else f"{count:,}"
