"""What a person reads about a key that a detector named, and the words and grades that detectors share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from detector.model.finding import Severity, Technique

LEVELS = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)
"""The severities that most detectors give, by level."""
SURE_FROM = 8
"""The score from which a statistical detector is sure."""


@dataclass(frozen=True)
class Description:
    """What a person needs to know about one key that a detector named."""

    title: str
    reason: str
    severity: Severity
    severity_reasons: tuple[str, ...]
    confidence: str
    actions: tuple[str, ...]
    changes: tuple[str, ...] = ()
    techniques: tuple[Technique, ...] = ()


def graded(level: int, reasons: Iterable[str], environment: str) -> tuple[Severity, tuple[str, ...]]:
    """The severity of a level (an index into ``LEVELS``), one lower for a test key, and the reasons with the
    key's environment after them."""
    if environment == "test":
        return LEVELS[max(level - 1, 0)], (*reasons, "a test key")
    if environment == "live":
        return LEVELS[level], (*reasons, "a live key")
    return LEVELS[level], tuple(reasons)


def confidence_of(score: float) -> str:
    """How sure a statistical detector is of a score."""
    return "high" if score >= SURE_FROM else "medium"


def live_or_not(record: pd.Series[Any]) -> str:
    """Whether a key is a live one, as a reason for a severity."""
    return "a live key" if record["environment"] == "live" else "not a live key"


def owner_of(record: pd.Series[Any]) -> str:
    """Whom to ask about a key, as words in a sentence."""
    return "the key's owner" if pd.isna(record["team"]) else f"team {record['team']}"
