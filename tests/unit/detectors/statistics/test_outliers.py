"""Outliers: a key's few largest days above the limit."""

from __future__ import annotations

import numpy as np

from detector.detectors.statistics.outliers import outliers


def test_one_day_in_28_may_be_an_outlier() -> None:
    """Of two days above the limit in 28 usable days, only the larger one is flagged; 56 days allow both."""
    ratio = np.zeros((1, 56))
    ratio[0, [3, 7]] = [2.0, 5.0]
    usable = np.arange(56) < 28
    assert np.flatnonzero(outliers(ratio, usable[None, :])).tolist() == [7]
    assert np.flatnonzero(outliers(ratio, np.ones((1, 56), bool))).tolist() == [3, 7]


def test_days_up_to_the_limit_are_no_outliers() -> None:
    """A ratio of one is not above the limit."""
    assert not outliers(np.ones((2, 28)), np.ones((2, 28), bool)).any()


def test_unusable_days_are_no_outliers() -> None:
    """An unusable day is not flagged at any ratio."""
    ratio = np.zeros((1, 28))
    ratio[0, 0] = 9.0
    usable = np.ones((1, 28), bool)
    usable[0, 0] = False
    assert not outliers(ratio, usable).any()


def test_a_short_history_has_no_outliers() -> None:
    """Fewer than 14 usable days allow none."""
    assert not outliers(np.full((1, 13), 9.0), np.ones((1, 13), bool)).any()
