"""The ledger: what each stored day is to be, and which file it replaced."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from detector.state.database import State
from detector.state.ledger import NotedDay, StateLedger
from detector.usage.history import StoredDay
from tests.fakes import OWNER

DAY = date(2026, 3, 17)
FIRST = StoredDay("first", 3, 120)
SECOND = StoredDay("second", 4, 130)
THIRD = StoredDay("third", 5, 140)


@pytest.fixture
def ledger() -> StateLedger:
    """A ledger without days."""
    return StateLedger(State("sqlite://", OWNER))


def test_days_are_listed_oldest_first(ledger: StateLedger) -> None:
    """In whatever order they were noted."""
    for ago in (0, 2, 1):
        ledger.note(DAY - timedelta(days=ago), FIRST, None)
    assert list(ledger.noted().items()) == [
        (DAY - timedelta(days=ago), NotedDay(FIRST, None)) for ago in (2, 1, 0)
    ]


def test_a_day_that_is_noted_again_remembers_the_file_that_it_replaces(ledger: StateLedger) -> None:
    """A process that is killed before the new file is in place leaves that one. Other days stay as they are."""
    ledger.note(DAY - timedelta(days=1), FIRST, None)
    ledger.note(DAY, FIRST, None)
    ledger.note(DAY, SECOND, FIRST.checksum)
    assert ledger.noted()[DAY] == NotedDay(SECOND, FIRST.checksum)
    assert ledger.noted()[DAY - timedelta(days=1)] == NotedDay(FIRST, None)


def test_the_file_of_before_a_killed_process_is_still_known(ledger: StateLedger) -> None:
    """The second note was never carried out, so the third replaces the first file."""
    ledger.note(DAY, FIRST, None)
    ledger.note(DAY, SECOND, FIRST.checksum)
    ledger.note(DAY, THIRD, FIRST.checksum)
    assert ledger.noted()[DAY] == NotedDay(THIRD, FIRST.checksum)


def test_a_damaged_file_is_not_remembered(ledger: StateLedger) -> None:
    """Nor the file of a day that was never noted: either would pass for a sound one."""
    ledger.note(DAY, FIRST, "unknown")
    assert ledger.noted()[DAY] == NotedDay(FIRST, None)
    ledger.note(DAY, SECOND, "damaged")
    assert ledger.noted()[DAY] == NotedDay(SECOND, None)


def test_a_forgotten_day_is_gone_and_others_stay(ledger: StateLedger) -> None:
    """It was removed on purpose."""
    ledger.note(DAY, FIRST, None)
    ledger.note(DAY - timedelta(days=1), SECOND, None)
    ledger.forget(DAY)
    assert list(ledger.noted()) == [DAY - timedelta(days=1)]
