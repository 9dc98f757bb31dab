"""Past scores: which days and keys a threshold rests on."""

from __future__ import annotations

import numpy as np

from detector.detectors.statistics.baseline import Floats, Rows
from detector.detectors.statistics.calibration import past_scores
from tests.panels import panel


def days_of(days: int, keys: int = 3, missing: tuple[int, ...] = ()) -> dict[int, int]:
    """The days that are scored in a panel of so many days, and the keys scored on each."""
    counts = {f"key-{number:05d}": [1] * days for number in range(keys)}
    scored: dict[int, int] = {}

    def score_day(day: int, rows: Rows) -> Floats:
        scored[day] = len(np.arange(keys)[rows])
        return np.full(scored[day], float(day))

    past = past_scores(panel(counts, missing=missing), score_day)
    assert sorted(set(past.tolist())) == sorted(float(day) for day in scored)
    return scored


def test_the_last_four_weeks_before_the_judged_day_are_scored() -> None:
    """The judged day itself is not among them: it would set its own threshold."""
    assert list(days_of(41)) == list(range(12, 40))


def test_days_that_nobody_saw_are_passed_over() -> None:
    """And as many earlier ones take their place."""
    assert list(days_of(41, missing=(20, 39))) == [day for day in range(10, 39) if day != 20]


def test_a_large_fleet_is_sampled_at_even_steps() -> None:
    """From 10,000 keys on every second, then every third."""
    assert set(days_of(3, keys=9_999).values()) == {9_999}
    assert set(days_of(3, keys=10_001).values()) == {5_001}


def test_what_could_not_be_scored_is_left_out() -> None:
    """As are all scores where there is no day before."""
    subject = panel({"a": [1, 2, 3], "b": [4, 5, 6]})
    past = past_scores(subject, lambda day, rows: np.array([np.nan, float(day)]))
    assert past.tolist() == [0.0, 1.0]
    assert past_scores(panel({"a": [1]}), lambda day, rows: np.ones(1)).tolist() == []
