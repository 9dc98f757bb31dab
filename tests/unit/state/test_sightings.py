"""Evaluated days and sightings: what is stored of each, and which findings are open on a later day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from detector.model.extent import Extent
from detector.model.finding import Severity
from detector.state.database import State
from detector.state.sightings import days_judged, earlier_sightings, keys_judged_before, record_day
from tests.fakes import OWNER, WHOLE, finding

DAY = date(2026, 3, 17)


@pytest.fixture
def state() -> State:
    """An empty state."""
    return State("sqlite://", OWNER)


def after(days: int) -> date:
    """A day after the first one."""
    return DAY + timedelta(days=days)


def without(*kinds: str, complete: bool = True) -> Extent:
    """A day on which the detectors of some types failed."""
    return Extent(complete, frozenset(kinds))


def is_open(state: State, day: date, finding_id: str = "f1") -> bool:
    """Whether a finding is open for the evaluation of a day."""
    return earlier_sightings(state, day)[finding_id].open


def test_a_sighting_holds_what_the_next_day_needs(state: State) -> None:
    """Its episode, its severity and its days among it."""
    record_day(state, DAY, WHOLE, [finding(episode=3, days=4, severity=Severity.LOW, first_seen=after(-3))])
    (seen,) = earlier_sightings(state, after(1)).values()
    assert (seen.day, seen.episode, seen.days, seen.first_seen) == (DAY, 3, 4, after(-3))
    assert (seen.type, seen.title, seen.key_id) == ("usage_spike", "Usage spike", "k")
    assert (seen.severity, seen.score, seen.open) == (Severity.LOW, 9.0, True)


def test_the_day_of_a_sighting_does_not_end_it(state: State) -> None:
    """Nor does an earlier one, whatever it was judged on."""
    record_day(state, after(-1), WHOLE, [])
    record_day(state, DAY, WHOLE, [finding()])
    assert is_open(state, after(1))


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        (WHOLE, False),
        (without("error_surge"), False),
        (without("usage_spike"), True),
        (without("error_surge", "usage_spike"), True),
        (without(complete=False), True),
        (without("usage_spike", complete=False), True),
    ],
)
def test_a_day_ends_the_findings_of_the_types_that_it_judged(state: State, extent: Extent, expected: bool) -> None:
    """On complete data alone."""
    record_day(state, DAY, WHOLE, [finding()])
    record_day(state, after(1), extent, [])
    assert is_open(state, after(2)) is expected


def test_one_day_that_judged_a_type_is_enough(state: State) -> None:
    """Failures before and after it do not open the finding again."""
    record_day(state, DAY, WHOLE, [finding()])
    record_day(state, after(1), without("usage_spike"), [])
    record_day(state, after(2), WHOLE, [])
    record_day(state, after(3), without("usage_spike"), [])
    assert is_open(state, after(2))
    assert not is_open(state, after(3))
    assert not is_open(state, after(4))


def test_a_day_that_is_judged_again_is_as_it_was_judged_last(state: State) -> None:
    """Also in the types that nobody judged on it."""
    record_day(state, DAY, WHOLE, [finding()])
    record_day(state, after(1), without("usage_spike", "error_surge"), [])
    record_day(state, after(1), without("error_surge"), [])
    assert not is_open(state, after(2))
    record_day(state, after(1), without("usage_spike"), [])
    assert is_open(state, after(2))


def test_a_failed_detector_leaves_the_data_of_its_day_complete(state: State) -> None:
    """The day needs no further look at the source."""
    record_day(state, DAY, without("usage_spike"), [])
    record_day(state, after(1), without(complete=False), [])
    assert days_judged(state) == {DAY: True, after(1): False}


def test_complete_days_before_a_day_say_how_many_keys_were_judged(state: State) -> None:
    """The latest ones, oldest first; days that are incomplete or of an earlier version are not among them."""
    record_day(state, DAY, WHOLE, [], keys_judged=7)
    record_day(state, after(1), WHOLE, [], keys_judged=8)
    record_day(state, after(2), without(complete=False), [], keys_judged=1)
    record_day(state, after(3), WHOLE, [])
    record_day(state, after(4), WHOLE, [], keys_judged=0)
    record_day(state, after(5), WHOLE, [], keys_judged=9)
    assert keys_judged_before(state, after(5)) == [(DAY, 7), (after(1), 8), (after(4), 0)]
    assert keys_judged_before(state, after(6), 2) == [(after(4), 0), (after(5), 9)]
