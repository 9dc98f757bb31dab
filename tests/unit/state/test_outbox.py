"""The outbox: what waits, what is queued a second time, and what each outcome leaves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from detector.state import outbox, tables
from detector.state.database import State
from detector.state.messages import COVERED, FAILED, SENT, WAITING, Message, Outgoing
from tests.fakes import OWNER, message

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def state() -> State:
    """An empty state."""
    return State("sqlite://", OWNER)


def store(state: State, *messages: Message, day: date = DAY, **how: Any) -> None:
    """Queue the messages of a day."""
    outbox.queue(state, [day], Outgoing(messages, NOW, **how))


def row(state: State, recipient: str = "a@example.com") -> dict[str, Any]:
    """All that is stored of the message to a recipient."""
    chosen = select(tables.outbox).where(tables.outbox.c.recipient == recipient)
    with state.reading() as rows:
        return dict(rows.connection.execute(chosen).mappings().one())


def counts(state: State) -> dict[str, int]:
    """How many messages have each status."""
    return {status: outbox.count(state, status) for status in (WAITING, SENT, FAILED, COVERED)}


def test_a_stored_message_waits_to_be_tried(state: State) -> None:
    """It is as it was queued, but for the payload, which may be large."""
    sent = message(payload=b"hello")
    store(state, sent)
    (stored,) = outbox.waiting(state)
    assert stored.message == message(payload=None)
    assert (stored.status, stored.attempts, stored.error, stored.settled_at) == (WAITING, 0, None, None)
    assert (stored.created_at, stored.next_attempt_at) == (NOW, NOW)
    assert outbox.payload(state, stored.id) == b"hello"


def test_a_message_is_due_once_its_hold_is_over(state: State) -> None:
    """Not an instant before."""
    store(state, message(), hold=timedelta(hours=1))
    assert outbox.waiting(state, LATER - INSTANT) == []
    assert len(outbox.waiting(state, LATER)) == 1
    assert len(outbox.waiting(state)) == 1


def test_a_day_that_a_digest_tells_is_settled_at_once(state: State) -> None:
    """Nothing of it waits."""
    store(state, message(payload=None))
    assert row(state)["status"] == COVERED
    assert row(state)["settled_at"] is not None
    assert outbox.waiting(state) == []


def test_what_waits_is_replaced(state: State) -> None:
    """A message that the new judgement does not have is gone; those of other days stay."""
    other = message(day=DAY - timedelta(days=1), recipient="other@example.com")
    store(state, other, day=other.day)
    store(state, message(payload=b"old"), message(recipient="gone@example.com"))
    store(state, message(payload=b"new"))
    assert row(state)["payload"] == b"new"
    assert {stored.message.recipient for stored in outbox.waiting(state)} == {
        "a@example.com",
        "other@example.com",
    }


def test_a_digest_stays_unless_the_same_one_comes_again(state: State) -> None:
    """It tells of other days too."""
    store(state, message(part="digest of two days", payload=b"old"))
    store(state, message(recipient="b@example.com"))
    assert row(state)["payload"] == b"old"
    store(state, message(part="digest of two days", payload=b"new"))
    assert row(state)["payload"] == b"new"


@pytest.mark.parametrize("settle", [outbox.mark_sent, lambda *about: outbox.mark_failed(*about, "refused")])
def test_a_settled_message_is_queued_again_on_request_only(state: State, settle: Any) -> None:
    """Sent or refused for good; others stay as they are."""
    store(state, message(recipient="b@example.com"), message())
    for stored in outbox.waiting(state):
        settle(state, stored.id, NOW)
    settled = counts(state)
    store(state, message())
    assert counts(state) == settled
    store(state, message(), again=True)
    assert row(state)["status"] == WAITING
    assert row(state, "b@example.com")["status"] != WAITING


def test_a_sent_message_keeps_no_payload_and_no_error(state: State) -> None:
    """Mails would fill the state. Other messages are left alone."""
    store(state, message(), message(recipient="b@example.com"))
    number = row(state)["id"]
    outbox.postpone(state, number, LATER, "busy", None)
    outbox.mark_sent(state, number, LATER)
    sent = row(state)
    assert (sent["status"], sent["attempts"], sent["payload"], sent["error"]) == (SENT, 2, None, None)
    assert outbox.payload(state, number) == b""
    assert counts(state) == {WAITING: 1, SENT: 1, FAILED: 0, COVERED: 0}


def test_a_failed_message_is_named_until_a_report_has_told_of_it(state: State) -> None:
    """It stays in the list of what failed."""
    store(state, message(), message(recipient="b@example.com"))
    number = row(state)["id"]
    outbox.mark_failed(state, number, LATER, "x" * 2000)
    (failed,) = outbox.failed(state, unreported=True)
    assert (failed.id, failed.status, failed.attempts, failed.settled_at) == (number, FAILED, 1, LATER)
    assert failed.error == "x" * 1000
    store(state, day=DAY + timedelta(days=1), reported=[number])
    assert outbox.failed(state, unreported=True) == []
    assert [stored.id for stored in outbox.failed(state)] == [number]


def test_a_postponed_message_waits_for_its_time_with_what_is_left_of_it(state: State) -> None:
    """All of it, unless the receiver took a part."""
    store(state, message(payload=b"whole"))
    number = row(state)["id"]
    outbox.postpone(state, number, LATER, "busy " * 500, None)
    (stored,) = outbox.waiting(state)
    assert (stored.attempts, stored.next_attempt_at, stored.error) == (1, LATER, ("busy " * 500)[:1000])
    assert outbox.payload(state, number) == b"whole"
    outbox.postpone(state, number, LATER, "busy", b"rest")
    assert outbox.payload(state, number) == b"rest"
    assert row(state)["attempts"] == 2
