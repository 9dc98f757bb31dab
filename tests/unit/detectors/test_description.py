"""Words and grades that detectors share."""

from __future__ import annotations

import pandas as pd
import pytest

from detector.detectors.description import confidence_of, graded, live_or_not, owner_of
from detector.model.finding import Severity


@pytest.mark.parametrize(
    ("level", "environment", "severity", "reasons"),
    [
        (2, "live", Severity.HIGH, ("much", "a live key")),
        (2, "test", Severity.MEDIUM, ("much", "a test key")),
        (2, "unknown", Severity.HIGH, ("much",)),
        (1, "live", Severity.MEDIUM, ("much", "a live key")),
        (0, "test", Severity.LOW, ("much", "a test key")),
    ],
)
def test_a_test_key_is_one_severity_lower(
    level: int, environment: str, severity: Severity, reasons: tuple[str, ...]
) -> None:
    """Never lower than low; the reasons say which kind of key it is, where that is known."""
    assert graded(level, ["much"], environment) == (severity, reasons)


@pytest.mark.parametrize(("score", "confidence"), [(7.9, "medium"), (8.0, "high"), (20.0, "high")])
def test_a_score_far_above_every_threshold_is_sure(score: float, confidence: str) -> None:
    """From 8 on."""
    assert confidence_of(score) == confidence


def test_the_team_is_asked_where_it_is_known() -> None:
    """Otherwise the key's owner, whoever that is."""
    assert owner_of(pd.Series({"team": "payments"})) == "team payments"
    assert owner_of(pd.Series({"team": None})) == "the key's owner"


@pytest.mark.parametrize(
    ("environment", "words"), [("live", "a live key"), ("test", "not a live key"), ("unknown", "not a live key")]
)
def test_a_key_of_unknown_environment_is_not_called_live(environment: str, words: str) -> None:
    """Nor is it called a test key."""
    assert live_or_not(pd.Series({"environment": environment})) == words
