"""Thresholds that keep the alert budget."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.judging.thresholds import DEFAULT_THRESHOLD, calibrate, keys_above

DAY = date(2026, 3, 17)
NORMAL = np.random.default_rng(3).normal(size=20_000)


def test_the_default_threshold_applies_while_the_past_is_short() -> None:
    """A new installation is not calibrated on a handful of days."""
    threshold = calibrate(NORMAL[:499], 1)
    assert threshold.score == DEFAULT_THRESHOLD
    assert not threshold.calibrated


def test_an_ordinary_past_keeps_the_budget() -> None:
    """At most the budgeted rate of an ordinary past lies beyond the threshold."""
    threshold = calibrate(NORMAL, 1)
    assert threshold.calibrated
    assert np.mean(np.random.default_rng(4).normal(size=200_000) > threshold.score) <= 0.001


def test_past_incidents_hardly_move_the_threshold() -> None:
    """One in a hundred key-days may have been an incident of any size."""
    incidents = np.concatenate([NORMAL, np.full(200, 500.0)])
    calm, stormy = calibrate(NORMAL, 1).score, calibrate(incidents, 1).score
    assert stormy == pytest.approx(calm, rel=0.15)


@given(st.floats(0.01, 50), st.floats(0.01, 50))
def test_a_larger_budget_never_raises_the_threshold(one: float, other: float) -> None:
    """More alarms allowed, lower threshold."""
    small, large = sorted((one, other))
    assert calibrate(NORMAL, large).score <= calibrate(NORMAL, small).score


def test_an_absolute_key_is_named_below_the_threshold() -> None:
    """It must be eligible and have a score, as any other."""
    judged = pd.DataFrame(
        {
            "score": [9.0, 1.0, 1.0, np.nan],
            "eligible": [True, True, False, True],
            "absolute": [False, True, True, True],
        },
        index=["above", "absolute", "tiny", "young"],
    )
    assert keys_above(judged, 4.0) == ["above", "absolute"]
    assert keys_above(judged.drop(columns="absolute"), 4.0) == ["above"]
