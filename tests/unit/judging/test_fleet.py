"""The fleet as a whole: its total, and days on which it moves together."""

from __future__ import annotations

import numpy as np
import pytest

from detector.config.sections import DetectionSettings
from detector.judging.fleet import fleet_shift, fleet_total, total_range
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
    """It is that key's finding; where it has none, the total tells its requests."""
    subject = panel(moved(50, 0.01))
    assert fleet_shift(subject, SETTINGS, {"key-000"}) is None
    shift = fleet_shift(subject, SETTINGS)
    assert shift is not None
    assert shift[0].title == "Far more requests than usual"


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


@pytest.mark.parametrize(
    ("last", "title"), [(400, "The fleet rose together"), (20, "Far fewer requests than usual")]
)
def test_a_small_fleet_is_judged_by_its_total(last: int, title: str) -> None:
    """With twenty keys a fifth is four; but where half of the rows are gone, the total says so."""
    shift = fleet_shift(panel({f"k{index}": [40] * 60 + [last] for index in range(20)}), SETTINGS)
    assert shift is not None
    assert shift[0].title == title


def test_the_total_of_an_ordinary_day_lies_inside_its_range() -> None:
    """Through a whole year of days with a weekly rhythm, growth and a holiday."""
    rng = np.random.default_rng(4)
    days = np.arange(365)
    rates = 20 * np.where(days % 7 < 5, 1, 0.4) * 1.002**days
    rates[180] /= 5
    counts = rng.poisson(rates * rng.gamma(60, 1 / 60, 365), (30, 365))
    outside = []
    for last in range(85, 365):
        subject = panel({f"k{row:02d}": counts[row, last - 84 : last + 1].tolist() for row in range(30)})
        if fleet_shift(subject, SETTINGS) is not None:
            outside.append(last)
    assert outside == [180]


def test_strangers_do_not_fill_the_gap_that_missing_keys_leave() -> None:
    """The keys of the register have a range of their own."""
    counts = {f"k{index}": [40] * 60 + [20] for index in range(20)} | {"stranger": [0] * 60 + [700]}
    subject = panel(counts, registered=[f"k{index}" for index in range(20)])
    assert fleet_total(subject).requests == 1_100
    shift = fleet_shift(subject, SETTINGS)
    assert shift is not None
    assert shift[0].reason.startswith("400 requests in all")


def test_requests_of_strangers_are_told_by_the_total_of_all() -> None:
    """The range of all active keys."""
    counts = {f"k{index}": [40] * 60 + [40] for index in range(20)} | {"stranger": [0] * 60 + [70_000]}
    subject = panel(counts, registered=[f"k{index}" for index in range(20)])
    shift = fleet_shift(subject, SETTINGS)
    assert shift is not None
    assert shift[0].reason.startswith("70,800 requests in all")
    total = fleet_total(subject)
    assert total.highest is not None
    assert total.highest < 70_800


def test_an_attack_in_the_past_does_not_widen_the_range() -> None:
    """One day at twenty times the usual is left out."""
    counts = [100] * 40 + [2_000] + [100] * 40 + [20]
    assert fleet_shift(panel({"key": counts}), SETTINGS) is not None


def test_two_weeks_give_no_range() -> None:
    """With so little past nothing is rare."""
    assert fleet_total(panel({"key": [100] * 20 + [1]})).lowest is None


def test_no_range_follows_from_a_level_that_nobody_saw() -> None:
    """After weeks without data the level of before them is no level."""
    counts = fleet(30, days=120)
    assert total_range(panel(counts), np.ones(30, dtype=bool)) is not None
    assert total_range(panel(counts, missing=range(80, 119)), np.ones(30, dtype=bool)) is None


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


def test_half_of_a_small_fleet_moves_together_and_not_less() -> None:
    """Five keys at least: a team of four may have the same day off."""
    ordinary = [100, 104, 96, 101, 99] * 8

    def fallen(keys: int, of: int) -> bool:
        counts = {f"k{number:02d}": [*ordinary, 0 if number < keys else 100] for number in range(of)}
        counts["late"] = [0] * len(ordinary) + [100 * keys]
        subject = panel(counts, unborn={"late": len(ordinary)})
        shift = fleet_shift(subject, DetectionSettings())
        return shift is not None and shift[0].title == "The fleet fell together"

    assert fallen(20, 40)
    assert not fallen(19, 40)
    assert fallen(5, 10)
    assert not fallen(4, 8)
