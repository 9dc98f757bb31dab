"""Draining the outbox: when a channel is left alone, when a message is given up, and how long it waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detector.delivery.outbox import (
    GIVE_UP_AFTER,
    LONGEST_PAUSE,
    MOST_ATTEMPTS,
    Outbox,
    backoff,
    kept,
    sentence,
    unreported,
)
from detector.model.errors import DeliveryError
from detector.state.database import State
from detector.state.messages import Outgoing
from detector.state.outbox import queue
from tests.fakes import OWNER, FakeChannel, message

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
PEOPLE = tuple(f"{letter}@example.com" for letter in "abcdefg")


@pytest.fixture
def state() -> State:
    """A fresh state in memory."""
    return State("sqlite://", OWNER)


def queued(state: State, *recipients: str) -> FakeChannel:
    """A channel with a message for each of its recipients, in their order."""
    queue(state, [DAY], Outgoing([message(recipient=who) for who in recipients], NOW))
    return FakeChannel(recipients=recipients)


def outbox(state: State, *channels: FakeChannel) -> Outbox:
    """An outbox whose pauses have no jitter."""
    return Outbox(state, channels, chance=lambda: 0.5)


def busy(**more: object) -> DeliveryError:
    """A refusal for now."""
    return DeliveryError("busy", permanent=False, **more)  # type: ignore[arg-type]


def test_a_channel_is_left_alone_after_three_failures_in_a_row(state: State) -> None:
    """The fourth message is not tried."""
    channel = queued(state, *PEOPLE)
    channel.answers = {who: [busy()] for who in PEOPLE}
    done = outbox(state, channel).drain(NOW)
    assert channel.tried == list(PEOPLE[:GIVE_UP_AFTER])
    assert (done.sent, done.waiting, len(done.failures), done.busy) == (0, len(PEOPLE), GIVE_UP_AFTER, False)


def test_a_success_between_failures_keeps_a_channel_in_use(state: State) -> None:
    """Four failures in all, never three in a row: every message is tried."""
    channel = queued(state, *PEOPLE)
    channel.answers = {PEOPLE[position]: [busy()] for position in (0, 1, 3, 4)}
    done = outbox(state, channel).drain(NOW)
    assert channel.tried == list(PEOPLE)
    assert (done.sent, done.waiting, len(done.failures)) == (3, 4, 4)


def test_failures_of_one_channel_do_not_count_against_another(state: State) -> None:
    """A channel that is down holds up nobody else."""
    channel = queued(state, *PEOPLE[:3])
    channel.answers = {who: [busy()] for who in PEOPLE}
    other = FakeChannel("webhook siem", ["siem"])
    queue(state, [DAY + timedelta(days=1)], Outgoing([message("webhook siem", "siem")], NOW))
    assert outbox(state, channel, other).drain(NOW).sent == 1


def test_a_channel_is_tried_again_by_the_next_drain(state: State) -> None:
    """Once its messages are due."""
    channel = queued(state, *PEOPLE[:3])
    channel.answers = {who: [busy()] for who in PEOPLE}
    outbox(state, channel).drain(NOW)
    assert outbox(state, channel).drain(NOW + timedelta(seconds=59)).sent == 0
    assert outbox(state, channel).drain(NOW + timedelta(seconds=60)).sent == 3


def test_a_message_is_given_up_at_its_last_attempt(state: State) -> None:
    """Not one earlier; the sentence tells how many there were."""
    channel = queued(state, PEOPLE[0])
    channel.answers = {PEOPLE[0]: [busy() for _ in range(MOST_ATTEMPTS)]}
    for _ in range(MOST_ATTEMPTS - 1):
        (failure,) = outbox(state, channel).drain(NOW, everything=True).failures
        assert "next attempt from" in failure
        assert "given up" not in failure
    assert unreported(state) == []
    (failure,) = outbox(state, channel).drain(NOW, everything=True).failures
    assert failure.endswith(f"was not delivered: given up after {MOST_ATTEMPTS} attempts; the last: busy")
    assert len(unreported(state)) == 1


def test_a_permanent_refusal_is_told_in_its_own_words(state: State) -> None:
    """At the first attempt or at the last."""
    for attempts in (1, MOST_ATTEMPTS):
        channel = queued(state, PEOPLE[attempts % 7])
        never = DeliveryError("no such user", permanent=True)
        channel.answers = {PEOPLE[attempts % 7]: [*(busy() for _ in range(attempts - 1)), never]}
        for _ in range(attempts):
            (failure,) = outbox(state, channel).drain(NOW, everything=True).failures
        assert failure.endswith("was not delivered: no such user")
    assert len(kept(state)) == 2


def test_a_receiver_may_ask_for_a_longer_pause_than_ours(state: State) -> None:
    """And not for a shorter one."""
    channel = queued(state, *PEOPLE[:2])
    channel.answers = {PEOPLE[0]: [busy(retry_after=900)], PEOPLE[1]: [busy(retry_after=1)]}
    failures = outbox(state, channel).drain(NOW).failures
    assert [failure[-20:] for failure in failures] == ["2026-03-18 02:45 UTC", "2026-03-18 02:31 UTC"]


def test_a_channel_that_is_not_configured_fails_for_good(state: State) -> None:
    """Its message can never be sent."""
    queued(state, PEOPLE[0])
    (failure,) = outbox(state).drain(NOW).failures
    assert failure.endswith("was not delivered: the channel is not configured any more")


def test_pauses_double_up_to_the_longest() -> None:
    """A minute, two, four, and so on; a fifth to either side."""
    assert [backoff(attempts, 0.5) // timedelta(minutes=1) for attempts in (1, 2, 3, 8)] == [1, 2, 4, 128]
    assert backoff(9, 0.5) == backoff(1000, 0.5) == LONGEST_PAUSE
    assert (backoff(1, 0.0), backoff(1, 1.0)) == (timedelta(seconds=48), timedelta(seconds=72))


def test_who_comes_second_leaves_the_outbox_to_the_first(tmp_path: Path) -> None:
    """It says how much waits."""
    state = State(f"sqlite:///{tmp_path}/state.db", OWNER)
    channel = queued(state, *PEOPLE)
    with state.exclusively("outbox"):
        done = outbox(state, channel).drain(NOW)
    assert (done.sent, done.waiting, done.failures, done.busy) == (0, len(PEOPLE), (), True)
    assert channel.tried == []


def test_a_sentence_names_the_recipient_where_the_channel_does_not(state: State) -> None:
    """A webhook's recipient is in its name."""
    queue(state, [DAY], Outgoing([message("webhook siem", "siem"), message(recipient=PEOPLE[0])], NOW))
    assert [sentence(stored) for stored in kept(state)] == [
        "webhook siem for 2026-03-17 is not delivered yet: not tried yet",
        "mail to a@example.com for 2026-03-17 is not delivered yet: not tried yet",
    ]


def test_what_a_receiver_says_is_shown_safely(state: State) -> None:
    """It goes into the next report and onto a terminal."""
    channel = queued(state, PEOPLE[0])
    channel.answers = {PEOPLE[0]: [DeliveryError("\x1b[31m", permanent=True)]}
    (failure,) = outbox(state, channel).drain(NOW).failures
    assert failure.endswith("was not delivered: [U+001B][31m")
