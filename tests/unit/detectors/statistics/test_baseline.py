"""Baselines, and which days nobody saw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detectors.statistics.baseline import anscombe, baseline, counts_of, day_view
from detector.usage.gaps import unseen_days


@given(st.integers(0, 10**12))
def test_the_scale_can_be_taken_back(count: int) -> None:
    """counts_of is the inverse of anscombe."""
    assert counts_of(anscombe(np.array([count])))[0] == pytest.approx(count, rel=1e-9, abs=1e-9)


def test_a_constant_history_has_a_spread_of_one() -> None:
    """Never zero, whatever the level."""
    usual = baseline(np.array([[0] * 30, [100] * 30, [10**9] * 30]), np.ones((3, 30), bool))
    assert usual.spread.tolist() == [1, 1, 1]


def test_unobserved_days_change_nothing() -> None:
    """A gap is left out, not counted as zero."""
    counts = np.array([[7, 9, 8, 7, 0, 0]])
    seen = np.array([[True, True, True, True, False, False]])
    with_gap, without = baseline(counts, seen), baseline(counts[:, :4], seen[:, :4])
    assert with_gap.mean == pytest.approx(without.mean)
    assert with_gap.spread == pytest.approx(without.spread)
    assert with_gap.days.tolist() == [4]


def test_no_history_has_no_baseline() -> None:
    """NaN says so; nothing is invented."""
    usual = baseline(np.zeros((2, 3), int), np.zeros((2, 3), bool))
    assert np.isnan(usual.mean).all()
    assert np.isnan(usual.spread).all()


def test_a_small_fleet_does_not_excuse_its_spikes() -> None:
    """With ten keys or fewer a day's centre and scale are not believed at all."""
    assert day_view(np.array([50.0] * 10)) == (0.0, 1.0)


def test_a_quiet_day_excuses_nobody() -> None:
    """The centre counts upward only, the scale is at least one."""
    centre, scale = day_view(np.full(200, -3.0))
    assert (centre, scale) == (0.0, 1.0)


def test_an_empty_day_of_a_busy_fleet_is_a_gap() -> None:
    """Nobody saw it; its zeros mean nothing."""
    totals = np.array([5] * 20 + [0] + [5] * 5 + [0])
    missing = unseen_days(totals, np.ones(27, bool))
    assert np.flatnonzero(missing).tolist() == [20, 26]


def test_the_weekends_of_a_weekday_fleet_are_no_gaps() -> None:
    """The first weekend cannot be known to be ordinary; every later one is."""
    totals = np.array([5, 5, 5, 5, 5, 0, 0] * 8)
    missing = unseen_days(totals, np.ones(56, bool))
    assert not missing[7:].any()


def test_a_long_outage_stays_an_outage() -> None:
    """Ten empty days in a row do not become the usual."""
    totals = np.array([5] * 28 + [0] * 10 + [5])
    missing = unseen_days(totals, np.ones(39, bool))
    assert np.flatnonzero(missing).tolist() == list(range(28, 38))


def test_days_before_the_first_request_were_not_seen() -> None:
    """The source may not reach back that far."""
    missing = unseen_days(np.array([0, 0, 0, 4, 4]), np.ones(5, bool))
    assert missing.tolist() == [True, True, True, False, False]


def test_nothing_ever_seen_is_all_missing() -> None:
    """No request on any day: no day was seen."""
    assert unseen_days(np.zeros(5, int), np.ones(5, bool)).all()
