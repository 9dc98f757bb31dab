"""Thresholds, identity and the life of a finding."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.judging import policy
from detector.model.finding import Severity, Sighting, Status

DAY = date(2026, 3, 17)
NORMAL = np.random.default_rng(3).normal(size=20_000)


def sighting(*, is_open: bool = True, severity: Severity = Severity.MEDIUM) -> Sighting:
    """A finding seen on 15 and 16 March."""
    return Sighting(
        "id", date(2026, 3, 16), "usage_spike", "Usage spike", "k", severity, 5.0, 2, date(2026, 3, 15), 2, is_open
    )


def test_the_default_threshold_applies_while_the_past_is_short() -> None:
    """A new installation is not calibrated on a handful of days."""
    threshold = policy.calibrate(NORMAL[:499], 1)
    assert threshold.score == policy.DEFAULT_THRESHOLD
    assert not threshold.calibrated


def test_an_ordinary_past_keeps_the_budget() -> None:
    """At most the budgeted rate of an ordinary past lies beyond the threshold."""
    threshold = policy.calibrate(NORMAL, 1)
    assert threshold.calibrated
    assert np.mean(np.random.default_rng(4).normal(size=200_000) > threshold.score) <= 0.001


def test_past_incidents_hardly_move_the_threshold() -> None:
    """One in a hundred key-days may have been an incident of any size."""
    incidents = np.concatenate([NORMAL, np.full(200, 500.0)])
    calm, stormy = policy.calibrate(NORMAL, 1).score, policy.calibrate(incidents, 1).score
    assert stormy == pytest.approx(calm, rel=0.15)


@given(st.floats(0.01, 50), st.floats(0.01, 50))
def test_a_larger_budget_never_raises_the_threshold(one: float, other: float) -> None:
    """More alarms allowed, lower threshold."""
    small, large = sorted((one, other))
    assert policy.calibrate(NORMAL, large).score <= policy.calibrate(NORMAL, small).score


def test_an_identity_depends_on_type_source_key_and_organization_alone() -> None:
    """Every part counts, and parts cannot run into one another."""
    identities = {
        policy.finding_id("usage_spike", "main", "k1", None),
        policy.finding_id("dormant_wake", "main", "k1", None),
        policy.finding_id("usage_spike", "other", "k1", None),
        policy.finding_id("usage_spike", "main", "k2", None),
        policy.finding_id("usage_spike", "main", "k1", "acme"),
        policy.finding_id("usage_spike", "main", None, None),
        policy.finding_id("usage_spike", "main", "", None),
        policy.finding_id("usage_spike", "maink", "1", None),
    }
    assert len(identities) == 8


def test_a_first_sighting_is_new() -> None:
    """Episode one, day one."""
    assert policy.life(None, Severity.HIGH, DAY) == (Status.NEW, 1, DAY, 1)


def test_a_condition_that_continues_is_ongoing() -> None:
    """The episode and its first day stay."""
    assert policy.life(sighting(), Severity.MEDIUM, DAY) == (Status.ONGOING, 2, date(2026, 3, 15), 3)


def test_a_condition_that_worsens_is_escalated() -> None:
    """Same episode, but worth saying again."""
    status, episode, _, _ = policy.life(sighting(), Severity.HIGH, DAY)
    assert (status, episode) == (Status.ESCALATED, 2)


def test_a_condition_that_returns_opens_a_new_episode() -> None:
    """After a complete day without it."""
    assert policy.life(sighting(is_open=False), Severity.LOW, DAY) == (Status.REOPENED, 3, DAY, 1)
