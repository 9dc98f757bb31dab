"""The outcomes of a day in words, which all formats share."""

from __future__ import annotations

from detector.model.report import Outcome

WORDS: dict[Outcome, str] = {
    Outcome.CLEAR: "All clear",
    Outcome.NOTHING_NEW: "Nothing new",
    Outcome.FINDINGS: "Findings",
    Outcome.PARTLY_JUDGED: "Partly judged",
    Outcome.COULD_NOT_JUDGE: "Could not judge",
}
"""Outcome to its words for people. Only the first is an all-clear."""
