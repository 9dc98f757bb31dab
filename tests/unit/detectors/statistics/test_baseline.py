"""Baselines, and days without data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detectors.statistics.baseline import anscombe, baseline, counts_of
from detector.usage.gaps import missing_days


@given(st.integers(0, 10**12))
def test_the_scale_is_reversible(count: int) -> None:
    """counts_of is the inverse of anscombe."""
    assert counts_of(anscombe(np.array([count])))[0] == pytest.approx(count, rel=1e-9, abs=1e-9)


def test_a_constant_history_has_a_spread_of_one() -> None:
    """The spread of a constant history is one at any level."""
    usual = baseline(np.array([[0] * 30, [100] * 30, [10**9] * 30]), np.ones((3, 30), bool))
    assert usual.spread.tolist() == [1, 1, 1]


def test_unobserved_days_change_nothing() -> None:
    """A day without data is left out and does not count as zero."""
    counts = np.array([[7, 9, 8, 7, 0, 0]])
    observed = np.array([[True, True, True, True, False, False]])
    with_gap = baseline(counts, observed)
    without = baseline(counts[:, :4], observed[:, :4])
    assert with_gap.mean == pytest.approx(without.mean)
    assert with_gap.spread == pytest.approx(without.spread)
    assert with_gap.days.tolist() == [4]


def test_no_history_has_no_baseline() -> None:
    """The mean and the spread of a key without history are NaN."""
    usual = baseline(np.zeros((2, 3), int), np.zeros((2, 3), bool))
    assert np.isnan(usual.mean).all()
    assert np.isnan(usual.spread).all()


def test_an_empty_day_of_a_busy_fleet_is_a_gap() -> None:
    """A day of zeros among busy days has no data."""
    totals = np.array([5] * 20 + [0] + [5] * 5 + [0])
    missing = missing_days(totals, np.ones(27, bool))
    assert np.flatnonzero(missing).tolist() == [20, 26]


def test_the_weekends_of_a_weekday_fleet_are_no_gaps() -> None:
    """Every weekend after the first is known to be ordinary."""
    totals = np.array([5, 5, 5, 5, 5, 0, 0] * 8)
    missing = missing_days(totals, np.ones(56, bool))
    assert not missing[7:].any()


def test_a_long_outage_stays_an_outage() -> None:
    """Ten empty days in a row do not become usual."""
    totals = np.array([5] * 28 + [0] * 10 + [5])
    missing = missing_days(totals, np.ones(39, bool))
    assert np.flatnonzero(missing).tolist() == list(range(28, 38))


def test_days_before_the_first_request_have_no_data() -> None:
    """The data of the source may begin later."""
    missing = missing_days(np.array([0, 0, 0, 4, 4]), np.ones(5, bool))
    assert missing.tolist() == [True, True, True, False, False]


def test_a_history_without_requests_is_all_missing() -> None:
    """If no day has requests, no day has data."""
    assert missing_days(np.zeros(5, int), np.ones(5, bool)).all()
