"""Which days are due, and how each sends its messages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from detector.config.config import Config
from detector.operations.schedule.nightly import due_days, sendings
from detector.pipeline import Sending

LAST = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
CONFIG = Config.model_validate(
    {"source": {"kind": "files", "usage": "usage.csv"}, "schedule": {"catch_up_days": 5}}
)


def ago(*numbers: int) -> list[date]:
    """Days before the last one by their number."""
    return [LAST - timedelta(days=number) for number in numbers]


def test_at_first_the_last_day_alone_is_due() -> None:
    """Nobody missed the days before an installation."""
    assert due_days(CONFIG, {}, NOW) == [LAST]


def test_missed_and_incomplete_days_are_due_oldest_first() -> None:
    """Within the bound, and after the first day that was ever judged."""
    judged = dict.fromkeys(ago(9, 2), True) | dict.fromkeys(ago(3), False)
    assert due_days(CONFIG, judged, NOW) == ago(4, 3, 1, 0)


def test_a_day_from_a_clock_that_ran_ahead_hides_none() -> None:
    """Which days are due is a set, and no pointer."""
    judged = dict.fromkeys(ago(4, 3), True) | {LAST + timedelta(days=300): True}
    assert due_days(CONFIG, judged, NOW) == ago(2, 1, 0)


@pytest.mark.parametrize("sending", list(Sending))
def test_one_day_sends_as_it_was_told(sending: Sending) -> None:
    """There is no digest of one day."""
    assert sendings([LAST], sending, {}) == {LAST: sending}


def test_several_days_hold_their_messages_back_for_one_digest() -> None:
    """Those that were reported on incomplete data too: what they say now is news."""
    due = ago(1, 0)
    assert sendings(due, Sending.NOW, {LAST: False}) == dict.fromkeys(due, Sending.LATER)


def test_a_last_day_that_was_reported_is_no_news_of_the_digest() -> None:
    """It sends by itself what is left to send."""
    due = ago(1, 0)
    assert sendings(due, Sending.NOW, {LAST: True}) == {due[0]: Sending.LATER, LAST: Sending.NOW}


@pytest.mark.parametrize("sending", [Sending.NEVER, Sending.AGAIN])
def test_who_asks_for_no_messages_gets_no_digest(sending: Sending) -> None:
    """Each day does what was asked for."""
    assert sendings(ago(1, 0), sending, {}) == dict.fromkeys(ago(1, 0), sending)
