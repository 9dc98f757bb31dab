"""Days on which the fleet moves together."""

from __future__ import annotations

from detector.config.sections import Detection
from detector.judging.fleet import fleet_shift
from tests.cases.usage_spike import fleet
from tests.panels import panel

SETTINGS = Detection()


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
    assert "judged keys lie far above" in shift[0].reason
    assert 0.3 < shift[1] < 0.4


def test_the_whole_fleet_falling_is_told_too() -> None:
    """An outage seen from the keys."""
    shift = fleet_shift(panel(moved(0.05, 1)), SETTINGS)
    assert shift is not None
    assert shift[0].title == "The fleet fell together"


def test_a_small_fleet_has_no_common_movement() -> None:
    """With twenty keys a fifth is four."""
    assert fleet_shift(panel({f"k{index}": [40] * 60 + [400] for index in range(20)}), SETTINGS) is None


def test_a_day_that_nobody_saw_is_no_fall() -> None:
    """It is missing data."""
    assert fleet_shift(panel(moved(0, 1), missing=[99]), SETTINGS) is None
