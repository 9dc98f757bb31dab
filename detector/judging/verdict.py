"""The verdict on a day: one word for programs, and a headline with a second line for people.

``above_info`` are the open findings with a severity above info.
"""

from __future__ import annotations

from collections import Counter

from detector.boundary.words import counted, singular_or_plural
from detector.judging.completeness import NOT_PULLED
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


def outcome_of(above_info: list[Finding], coverage: Coverage) -> str:
    """The outcome of a day: ``findings``, ``clear`` or ``not_judged``."""
    if any(finding.key_id is not None for finding in above_info):
        return "findings"
    # A day without findings is clear only if its data were complete and keys were evaluated.
    if not coverage.complete or coverage.keys_judged == 0:
        return "not_judged"
    return "findings" if above_info else "clear"


def headline(outcome: str, above_info: list[Finding], coverage: Coverage) -> str:
    """The verdict in a few words."""
    if outcome == "clear":
        return "Nothing to look at"
    if outcome == "not_judged":
        return "The day could not be evaluated"
    on_keys = [finding for finding in above_info if finding.key_id is not None]
    keys = {finding.key_id for finding in on_keys}
    if not keys:
        return "The data need a look"
    new_keys = {finding.key_id for finding in on_keys if finding.status.raised}
    need = f"{_number(len(keys))} {singular_or_plural(len(keys), 'key needs', 'keys need')} a look"
    if not new_keys:
        return f"{need}, none of them new" if len(keys) > 1 else f"{need}, not new"
    if len(new_keys) < len(keys):
        need += f", {_number(len(new_keys)).lower()} of them new"
    return need if coverage.complete else f"{need}, and the data are incomplete"


def subline(outcome: str, above_info: list[Finding], coverage: Coverage, muted: int) -> str:
    """The reason for the verdict; ``muted`` is the number of muted findings."""
    if outcome == "not_judged":
        if coverage.problems and not coverage.complete:
            # Why a day was not read is what its reader can mend.
            is_read = coverage.problems[0] != NOT_PULLED
            return coverage.problems[0] if is_read or not coverage.failures else coverage.failures[0]
        if coverage.failures:
            return coverage.failures[0]
        if coverage.keys_active == 0:
            return "There is no active key."
        return f"None of {counted(coverage.keys_active, 'active key')} has enough history yet."
    if outcome == "clear":
        judged = f"{coverage.keys_judged:,} of {counted(coverage.keys_active, 'active key')}"
        were = singular_or_plural(coverage.keys_judged, "was", "were")
        days = counted(coverage.baseline_days, "day")
        return f"{judged} {were} evaluated against {days}, and {_standing_out(muted)}."
    parts = []
    if raised := _titles([finding for finding in above_info if finding.status.raised]):
        parts.append(f"New: {raised}.")
    if ongoing := _titles([finding for finding in above_info if not finding.status.raised]):
        parts.append(f"Ongoing: {ongoing}.")
    return " ".join(parts)


def _standing_out(muted: int) -> str:
    """The end of the sentence of a clear day, with the number of muted findings."""
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
