"""The text that a reader gets about a reported key, and the words and severities that detectors share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from detector.model.finding import Severity, Technique

LEVELS = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)
"""The severities that most detectors use. A level is an index into this tuple."""
SURE_FROM = 8
"""The score from which the confidence of a statistical detector is high."""


@dataclass(frozen=True)
class Description:
    """The text of a finding about one key."""

    title: str
    reason: str
    severity: Severity
    severity_reasons: tuple[str, ...]
    confidence: str
    actions: tuple[str, ...]
    changes: tuple[str, ...] = ()
    techniques: tuple[Technique, ...] = ()


def graded(level: int, reasons: Iterable[str], environment: str) -> tuple[Severity, tuple[str, ...]]:
    """The severity of a level (an index into ``LEVELS``), and the reasons followed by the key's environment.

    A test key gets the next lower severity.
    """
    if environment == "test":
        return LEVELS[max(level - 1, 0)], (*reasons, "a test key")
    if environment == "live":
        return LEVELS[level], (*reasons, "a live key")
    return LEVELS[level], tuple(reasons)


def confidence_of(score: float) -> str:
    """The confidence of a statistical detector in a score: high or medium."""
    return "high" if score >= SURE_FROM else "medium"


def live_or_not(record: pd.Series[Any]) -> str:
    """The phrase that gives a key's environment as a reason for a severity."""
    return "a live key" if record["environment"] == "live" else "not a live key"


def owner_of(record: pd.Series[Any]) -> str:
    """The phrase that names the owner of a key within a sentence."""
    return "the key's owner" if pd.isna(record["team"]) else f"team {record['team']}"
