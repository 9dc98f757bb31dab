"""The outbox's table: what waits, what is queued a second time, and what each outcome leaves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from detector.state import outbox as table
from detector.state.database import State
from detector.state.messages import COVERED, FAILED, SENT, WAITING, Message, Outgoing
from tests.fakes import message

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A transaction on an empty state."""
    with State("sqlite://").transaction() as opened:
        yield opened


def store(connection: Connection, *messages: Message, day: date = DAY, **how: Any) -> None:
    """Queue the messages of a day."""
    table.store(connection, [day], Outgoing(messages, NOW, **how))


def row(connection: Connection, recipient: str = "a@example.com") -> dict[str, Any]:
    """All that is stored of the message to a recipient."""
    chosen = select(table.outbox).where(table.outbox.c.recipient == recipient)
    return dict(connection.execute(chosen).mappings().one())


def counts(connection: Connection) -> dict[str, int]:
    """How many messages have each status."""
    return {status: table.count(connection, status) for status in (WAITING, SENT, FAILED, COVERED)}


def test_a_stored_message_waits_to_be_tried(connection: Connection) -> None:
    """It is as it was queued, but for the payload, which may be large."""
    sent = message(payload=b"hello")
    store(connection, sent)
    (stored,) = table.waiting(connection)
    assert stored.message == message(payload=None)
    assert (stored.status, stored.attempts, stored.error, stored.settled_at) == (WAITING, 0, None, None)
    assert (stored.created_at, stored.next_attempt_at) == (NOW, NOW)
    assert table.payload(connection, stored.id) == b"hello"


def test_a_message_is_due_once_its_hold_is_over(connection: Connection) -> None:
    """Not an instant before."""
    store(connection, message(), hold=timedelta(hours=1))
    assert table.waiting(connection, LATER - INSTANT) == []
    assert len(table.waiting(connection, LATER)) == 1
    assert len(table.waiting(connection)) == 1


def test_a_day_that_a_digest_tells_is_settled_at_once(connection: Connection) -> None:
    """Nothing of it waits."""
    store(connection, message(payload=None))
    assert row(connection)["status"] == COVERED
    assert row(connection)["settled_at"] is not None
    assert table.waiting(connection) == []


def test_what_waits_is_replaced(connection: Connection) -> None:
    """A message that the new judgement does not have is gone; those of other days stay."""
    other = message(day=DAY - timedelta(days=1), recipient="other@example.com")
    store(connection, other, day=other.day)
    store(connection, message(payload=b"old"), message(recipient="gone@example.com"))
    store(connection, message(payload=b"new"))
    assert row(connection)["payload"] == b"new"
    assert {stored.message.recipient for stored in table.waiting(connection)} == {
        "a@example.com",
        "other@example.com",
    }


def test_a_digest_stays_unless_the_same_one_comes_again(connection: Connection) -> None:
    """It tells of other days too."""
    store(connection, message(part="digest of two days", payload=b"old"))
    store(connection, message(recipient="b@example.com"))
    assert row(connection)["payload"] == b"old"
    store(connection, message(part="digest of two days", payload=b"new"))
    assert row(connection)["payload"] == b"new"


@pytest.mark.parametrize("settle", [table.mark_sent, lambda *about: table.mark_failed(*about, "refused")])
def test_a_settled_message_is_queued_again_on_request_only(connection: Connection, settle: Any) -> None:
    """Sent or refused for good; others stay as they are."""
    store(connection, message(recipient="b@example.com"), message())
    for stored in table.waiting(connection):
        settle(connection, stored.id, NOW)
    settled = counts(connection)
    store(connection, message())
    assert counts(connection) == settled
    store(connection, message(), again=True)
    assert row(connection)["status"] == WAITING
    assert row(connection, "b@example.com")["status"] != WAITING


def test_a_sent_message_keeps_no_payload_and_no_error(connection: Connection) -> None:
    """Mails would fill the state. Other messages are left alone."""
    store(connection, message(), message(recipient="b@example.com"))
    number = row(connection)["id"]
    table.postpone(connection, number, LATER, "busy", None)
    table.mark_sent(connection, number, LATER)
    sent = row(connection)
    assert (sent["status"], sent["attempts"], sent["payload"], sent["error"]) == (SENT, 2, None, None)
    assert table.payload(connection, number) == b""
    assert counts(connection) == {WAITING: 1, SENT: 1, FAILED: 0, COVERED: 0}


def test_a_failed_message_is_named_until_a_report_has_told_of_it(connection: Connection) -> None:
    """It stays in the list of what failed."""
    store(connection, message(), message(recipient="b@example.com"))
    number = row(connection)["id"]
    table.mark_failed(connection, number, LATER, "x" * 2000)
    (failed,) = table.failed(connection, untold=True)
    assert (failed.id, failed.status, failed.attempts, failed.settled_at) == (number, FAILED, 1, LATER)
    assert failed.error == "x" * 1000
    store(connection, day=DAY + timedelta(days=1), told=[number])
    assert table.failed(connection, untold=True) == []
    assert [stored.id for stored in table.failed(connection)] == [number]


def test_a_postponed_message_waits_for_its_time_with_what_is_left_of_it(connection: Connection) -> None:
    """All of it, unless the receiver took a part."""
    store(connection, message(payload=b"whole"))
    number = row(connection)["id"]
    table.postpone(connection, number, LATER, "busy " * 500, None)
    (stored,) = table.waiting(connection)
    assert (stored.attempts, stored.next_attempt_at, stored.error) == (1, LATER, ("busy " * 500)[:1000])
    assert table.payload(connection, number) == b"whole"
    table.postpone(connection, number, LATER, "busy", b"rest")
    assert table.payload(connection, number) == b"rest"
    assert row(connection)["attempts"] == 2
