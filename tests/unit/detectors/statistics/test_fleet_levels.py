"""The levels of a day across the fleet, and their limits by past days."""

from __future__ import annotations

import numpy as np
import pytest

from detector.detectors.statistics.fleet_levels import Level, level_of, limited

CALM = [Level(0.0, 1.0 + number / 100, 60) for number in range(28)]


def test_a_small_fleet_does_not_hide_its_spikes() -> None:
    """With ten keys or fewer, the centre is 0 and the scale is 1."""
    assert level_of(np.array([50.0] * 10)) == Level(0.0, 1.0, 10)


def test_a_quiet_day_does_not_lower_the_centre() -> None:
    """The centre is at least zero, and the scale is at least one."""
    assert level_of(np.full(200, -3.0)) == Level(0.0, 1.0, 200)


def test_attacked_keys_do_not_raise_the_scale_beyond_that_of_past_days() -> None:
    """A fifth of the keys far above the others would excuse each other."""
    scores = np.concatenate([np.zeros(800), np.full(200, 40.0)])
    assert level_of(scores).scale > 20
    assert limited(level_of(scores), CALM).scale < 1.3


def test_one_past_day_of_an_attack_does_not_lift_the_limit() -> None:
    """The limit is that of 19 in 20 past days."""
    past = [*CALM[:27], Level(0.0, 30.0, 60)]
    assert limited(Level(0.0, 30.0, 60), past).scale < 1.3


def test_the_scale_rises_with_a_fleet_that_rises_together() -> None:
    """Keys of different size that all triple lie far apart, and none of them is far from the fleet."""
    assert limited(Level(6.0, 5.0, 60), CALM) == Level(6.0, 5.0, 60)


def test_an_ordinary_level_stays_as_it_is() -> None:
    """The limit binds only beyond it."""
    assert limited(Level(0.2, 1.1, 60), CALM) == Level(0.2, 1.1, 60)


def test_a_few_past_days_limit_nothing() -> None:
    """Six days do not show what a day can be."""
    assert limited(Level(0.0, 30.0, 60), CALM[:6]) == Level(0.0, 30.0, 60)


def test_days_before_the_first_judged_key_limit_nothing() -> None:
    """In a new installation they say nothing about the spread of a day."""
    past = [*[level_of(np.full(60, np.nan))] * 22, *CALM[:6]]
    assert limited(Level(0.0, 30.0, 60), past) == Level(0.0, 30.0, 60)


def test_scores_are_relative_to_a_level() -> None:
    """They are counted from the centre in units of the scale."""
    assert Level(1.0, 2.0, 60).relative(np.array([5.0, 1.0])) == pytest.approx([2.0, 0.0])
