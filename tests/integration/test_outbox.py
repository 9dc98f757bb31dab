"""The outbox: stored with the findings, sent after them, once, and again until it is taken."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from detector.delivery.outbox import LONGEST_PAUSE, MOST_ATTEMPTS, Outbox, backoff, kept, sentence, unreported
from detector.model.errors import DeliveryError, StateError
from detector.state import outbox
from detector.state.database import State
from detector.state.messages import COVERED, FAILED, SENT, WAITING, Outgoing
from detector.state.migrations import MIGRATIONS
from detector.state.sightings import days_judged, record_day
from detector.state.upgrade import prepare
from tests.fakes import OWNER, WHOLE, FakeChannel, message

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)


@pytest.fixture
def state(state_url: str) -> State:
    """A fresh state on each kind of database."""
    return State(state_url, OWNER)


def queue(state: State, *messages, at: datetime = NOW, again: bool = False, days=(DAY,)) -> None:
    outbox.queue(state, days, Outgoing(messages, at, again))


def counts(state: State) -> dict[str, int]:
    found = {status: outbox.count(state, status) for status in (WAITING, SENT, FAILED, COVERED)}
    return {status: count for status, count in found.items() if count}


def later(text: str = "450 busy") -> DeliveryError:
    return DeliveryError(text, permanent=False)


def never(text: str = "550 no such user") -> DeliveryError:
    return DeliveryError(text, permanent=True)


def test_a_message_is_sent_once_and_its_payload_let_go(state: State) -> None:
    """A second drain has nothing to do."""
    channel = FakeChannel()
    queue(state, message())
    assert Outbox(state, [channel]).drain(NOW).sent == 1
    assert Outbox(state, [channel]).drain(NOW).sent == 0
    assert [sent.payload for sent in channel.sent] == [b"hello"]
    assert counts(state) == {SENT: 1}


def test_a_day_judged_again_sends_nothing_again(state: State) -> None:
    """Neither what was sent nor what was refused for good is queued a second time."""
    channel = FakeChannel(recipients=("a@example.com", "b@example.com"))
    channel.answers = {"b@example.com": [never()]}
    for _ in range(2):
        queue(state, message(recipient="a@example.com"), message(recipient="b@example.com"))
        Outbox(state, [channel]).drain(NOW)
    assert channel.tried == ["a@example.com", "b@example.com"]
    assert counts(state) == {SENT: 1, FAILED: 1}


def test_resend_queues_what_was_sent(state: State) -> None:
    """Asked for by name, and only then."""
    channel = FakeChannel()
    for again in (False, True):
        queue(state, message(), again=again)
        Outbox(state, [channel]).drain(NOW)
    assert len(channel.sent) == 2


def test_what_still_waits_is_replaced_by_the_new_judgement(state: State) -> None:
    """Nobody has seen the old one; one that the new judgement does not have is gone."""
    channel = FakeChannel()
    queue(state, message(payload=b"old"), message(part="gone"))
    queue(state, message(payload=b"new"))
    Outbox(state, [channel]).drain(NOW)
    assert [sent.payload for sent in channel.sent] == [b"new"]


def test_messages_of_other_days_are_left_alone(state: State) -> None:
    """Recording a day touches that day's messages only."""
    other = DAY - timedelta(days=1)
    queue(state, message(day=other), days=[other])
    queue(state, message())
    assert counts(state) == {WAITING: 2}


def test_a_digest_takes_the_place_of_the_days_it_tells(state: State) -> None:
    """The days it covers are not told again when they are judged again."""
    days = [DAY - timedelta(days=1), DAY]
    for day in days:
        queue(state, message(day=day), days=[day])
    queue(state, *(message(day=day, payload=None) for day in days), message(part="digest"), days=days)
    assert counts(state) == {WAITING: 1, COVERED: 2}
    for day in days:
        queue(state, message(day=day), days=[day])
        assert counts(state) == {WAITING: 1, COVERED: 2}


def test_a_digest_that_waits_is_not_lost_to_another_one(state: State) -> None:
    """Each may be the only one that tells of one of its days; the same one again takes its own place."""
    queue(state, message(part="digest of yesterday and today"))
    for payload in (b"old", b"new"):
        queue(state, message(part="digest of today and more", payload=payload))
    assert counts(state) == {WAITING: 2}


def test_a_refusal_for_now_is_tried_again_after_a_growing_pause(state: State) -> None:
    """Not before its time, and until it is taken."""
    channel = FakeChannel()
    channel.answers = {"a@example.com": [later(), later()]}
    outbox = Outbox(state, [channel], chance=lambda: 0.5)
    queue(state, message())
    first = outbox.drain(NOW)
    assert first.failures[0].endswith("450 busy; next attempt from 2026-03-18 02:31 UTC")
    assert outbox.drain(NOW + timedelta(seconds=59)).failures == ()
    assert outbox.drain(NOW + timedelta(seconds=60)).waiting == 1
    assert outbox.drain(NOW + timedelta(seconds=179)).sent == 0
    assert outbox.drain(NOW + timedelta(seconds=180)).sent == 1
    assert counts(state) == {SENT: 1}


def test_everything_waiting_can_be_sent_at_once(state: State) -> None:
    """By hand, when the operator knows that the cause is gone."""
    channel = FakeChannel()
    channel.answers = {"a@example.com": [later()]}
    queue(state, message())
    Outbox(state, [channel]).drain(NOW)
    assert Outbox(state, [channel]).drain(NOW, everything=True).sent == 1


def test_a_receiver_may_ask_for_a_longer_pause(state: State) -> None:
    """Retry-After counts where it is later than our own pause."""
    channel = FakeChannel()
    channel.answers = {"a@example.com": [DeliveryError("429", permanent=False, retry_after=900)]}
    outbox = Outbox(state, [channel], chance=lambda: 0.5)
    queue(state, message())
    outbox.drain(NOW)
    assert outbox.drain(NOW + timedelta(seconds=899)).sent == 0
    assert outbox.drain(NOW + timedelta(seconds=900)).sent == 1


def test_only_the_rest_is_sent_again_where_a_part_was_taken(state: State) -> None:
    """The channel says what is left."""
    channel = FakeChannel()
    channel.answers = {"a@example.com": [DeliveryError("busy", permanent=False, rest=b"lo")]}
    queue(state, message())
    outbox = Outbox(state, [channel])
    outbox.drain(NOW)
    outbox.drain(NOW, everything=True)
    assert [sent.payload for sent in channel.sent] == [b"lo"]


def test_attempts_end_after_about_a_day(state: State) -> None:
    """Then the message has failed for good, and says so."""
    channel = FakeChannel()
    channel.answers = {"a@example.com": [later() for _ in range(99)]}
    outbox = Outbox(state, [channel], chance=lambda: 0.5)
    queue(state, message())
    now = NOW
    while counts(state) == {WAITING: 1}:
        outbox.drain(now)
        now += timedelta(minutes=1)
    assert len(channel.tried) == MOST_ATTEMPTS
    assert timedelta(hours=22) < now - NOW < timedelta(hours=28)
    assert "given up after 14 attempts; the last: 450 busy" in sentence(unreported(state)[0])


def test_pauses_have_jitter_and_an_upper_bound() -> None:
    """A fifth to either side, at most four hours and a fifth."""
    assert backoff(1, 0.0) == timedelta(seconds=48)
    assert backoff(1, 1.0) == timedelta(seconds=72)
    assert backoff(50, 0.5) == LONGEST_PAUSE


def test_a_permanent_error_is_told_once_and_kept(state: State) -> None:
    """The report that names it marks it as told; it stays listed."""
    channel = FakeChannel()
    channel.answers = {"a@example.com": [never()]}
    queue(state, message())
    assert Outbox(state, [channel]).drain(NOW).failures == (
        "mail to a@example.com for 2026-03-17 was not delivered: 550 no such user",
    )
    (failed,) = unreported(state)
    record_day(state, DAY + timedelta(days=1), WHOLE, [], Outgoing([], NOW, reported=[failed.id]))
    assert unreported(state) == []
    assert [stored.status for stored in kept(state)] == [FAILED]


def test_a_channel_that_keeps_failing_is_left_alone_and_others_go_on(state: State) -> None:
    """Twenty recipients do not mean twenty timeouts."""
    people = [f"{number}@example.com" for number in range(20)]
    down, up = FakeChannel("mail", people), FakeChannel("webhook siem", ["siem"])
    down.answers = {who: [later("timed out")] for who in people}
    queue(state, *(message(recipient=who) for who in people), message("webhook siem", "siem"))
    done = Outbox(state, [down, up]).drain(NOW)
    assert len(down.tried) == 3
    assert (done.sent, done.waiting, len(done.failures)) == (1, 20, 3)


def test_a_fault_in_one_channel_does_not_hold_up_another(state: State) -> None:
    """Its words are not repeated, as they might hold a secret."""
    broken, sound = FakeChannel("chat ops", ["ops"]), FakeChannel()
    broken.answers = {"ops": [RuntimeError("token 12345")]}
    queue(state, message("chat ops", "ops"), message())
    done = Outbox(state, [broken, sound]).drain(NOW)
    assert done.sent == 1
    assert "RuntimeError, a fault of the program" in done.failures[0]
    assert "12345" not in done.failures[0]


def test_a_channel_that_was_taken_out_of_the_configuration_fails_for_good(state: State) -> None:
    """Its messages can never be sent, and that is said."""
    queue(state, message("webhook old", "old"))
    done = Outbox(state, []).drain(NOW)
    assert done.failures == (
        "webhook old for 2026-03-17 was not delivered: the channel is not configured any more",
    )


def test_two_at_once_do_not_send_twice(state: State) -> None:
    """Who comes second leaves the outbox to the first."""
    queue(state, message())
    channel = FakeChannel()
    with state.exclusively("outbox") as lock:
        assert lock.held
        assert Outbox(state, [channel]).drain(NOW).busy
    assert channel.tried == []
    assert Outbox(state, [channel]).drain(NOW).sent == 1


def test_findings_and_messages_are_stored_together_or_not_at_all(state: State) -> None:
    """A message that cannot be stored takes the judged day with it."""
    with pytest.raises(StateError):
        record_day(state, DAY, WHOLE, [], Outgoing([message(), message()], NOW))
    assert days_judged(state) == {}
    assert counts(state) == {}


def test_a_run_that_does_not_deliver_queues_nothing(state: State) -> None:
    """And leaves what waits from before as it is."""
    queue(state, message())
    record_day(state, DAY, WHOLE, [])
    assert counts(state) == {WAITING: 1}


def test_a_state_of_before_the_outbox_is_migrated(tmp_path: Path) -> None:
    """The table is added, nothing else changes."""
    url = f"sqlite:///{tmp_path}/state.db"
    with create_engine(url, poolclass=NullPool).begin() as connection:
        prepare(connection, list(MIGRATIONS)[:3], OWNER)
    state = State(url, OWNER)
    queue(state, message())
    assert counts(state) == {WAITING: 1}
