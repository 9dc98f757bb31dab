"""The fleet as a whole: its total, and days on which it moves together."""

from __future__ import annotations

import pytest

from detector.config.sections import DetectionSettings
from detector.judging.fleet import fleet_shift, fleet_total
from tests.cases.usage_spike import fleet
from tests.panels import panel

SETTINGS = DetectionSettings()


def moved(factor: float, share: float) -> dict[str, list[int]]:
    """A fleet of which a share multiplies its requests on the judged day."""
    counts = fleet(keys=100)
    chosen = list(counts)[: int(100 * share)]
    return counts | {key: [*counts[key][:-1], int(counts[key][-1] * factor) + 1] for key in chosen}


def test_an_ordinary_day_is_no_shift() -> None:
    """Some keys are always a little off."""
    assert fleet_shift(panel(fleet(keys=100)), SETTINGS) is None


def test_one_busy_key_is_no_shift() -> None:
    """It is that key's finding."""
    assert fleet_shift(panel(moved(50, 0.01)), SETTINGS) is None


def test_a_third_of_the_fleet_rising_is_one_finding() -> None:
    """With the share in its sentence."""
    shift = fleet_shift(panel(moved(4, 0.35)), SETTINGS)
    assert shift is not None
    assert "evaluated keys lie far above" in shift[0].reason
    assert 0.3 < shift[1] < 0.4


def test_a_fall_of_the_whole_fleet_is_one_finding() -> None:
    """An outage seen from the keys."""
    shift = fleet_shift(panel(moved(0.05, 1)), SETTINGS)
    assert shift is not None
    assert shift[0].title == "The fleet fell together"


def test_a_small_fleet_has_no_fleet_shift() -> None:
    """With twenty keys a fifth is four."""
    assert fleet_shift(panel({f"k{index}": [40] * 60 + [400] for index in range(20)}), SETTINGS) is None


def test_a_day_with_missing_data_is_no_fall() -> None:
    """It is missing data."""
    assert fleet_shift(panel(moved(0, 1), missing=[99]), SETTINGS) is None


def test_the_total_is_compared_with_the_same_weekday() -> None:
    """A Tuesday of 900 is as usual where Tuesdays have 900 and other days 100."""
    week = [100, 900, 100, 100, 100, 100, 100]  # 17 March 2026 is a Tuesday, the last day of the panel
    total = fleet_total(panel({"key": (week * 8)[: 7 * 7 + 2]}))
    assert total.requests == 900
    assert total.expected == pytest.approx(900, rel=0.01)
    assert total.low is not None
    assert total.high is not None
    assert total.low < 900 < total.high


def test_the_total_of_a_young_fleet_is_compared_with_all_days() -> None:
    """Three same weekdays say too little; without any day nothing is expected."""
    assert fleet_total(panel({"key": [100] * 15 + [300]})).expected == pytest.approx(100, rel=0.01)
    assert fleet_total(panel({"key": [300]})).expected is None


def test_missing_days_do_not_lower_the_usual_total() -> None:
    """Their zeros mean nothing."""
    counts = [100] * 29
    counts[-8] = 0
    assert fleet_total(panel({"key": counts}, missing=[-8])).expected == pytest.approx(100, rel=0.01)
