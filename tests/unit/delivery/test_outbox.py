"""Pauses between attempts, and what is said of a message."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from detector.delivery.outbox import FIRST_PAUSE, LONGEST_PAUSE, MOST_ATTEMPTS, backoff, sentence
from detector.state.messages import FAILED, WAITING, Message, StoredMessage

NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)


def test_pauses_double_up_to_a_bound() -> None:
    """From a minute to four hours."""
    pauses = [backoff(attempts, 0.5) for attempts in range(1, MOST_ATTEMPTS + 1)]
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE
    assert timedelta(hours=20) < sum(pauses[:-1], timedelta()) < timedelta(hours=30)


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_a_pause_is_a_fifth_shorter_or_longer_by_chance(chance: float) -> None:
    """So that not all messages come back at once."""
    assert backoff(1, chance) == FIRST_PAUSE * (0.8 + 0.4 * chance)


def stored(status: str, error: str | None, recipient: str = "a@example.com") -> StoredMessage:
    """A message of the mail channel that was tried once."""
    message = Message("1", date(2026, 3, 17), "mail", recipient, "subject", None)
    return StoredMessage(1, message, status, 1, NOW, NOW, None, error)


def test_a_message_that_waits_and_one_that_failed_are_told_apart() -> None:
    """With what the receiver said."""
    assert sentence(stored(WAITING, "timed out")) == (
        "mail to a@example.com for 2026-03-17 is not delivered yet: timed out"
    )
    assert sentence(stored(FAILED, "refused")) == "mail to a@example.com for 2026-03-17 was not delivered: refused"


def test_what_a_receiver_says_is_shown_safely() -> None:
    """It goes into the next report and onto a terminal."""
    assert "\x1b" not in sentence(stored(FAILED, "\x1b[31m"))
