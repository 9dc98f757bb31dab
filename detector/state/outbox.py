"""The outbox: messages with the statuses waiting, sent, failed and covered.

``store`` works in an open transaction, so that one transaction stores the messages and the findings of a run:
after a crash either both are there or neither. A payload is deleted once it is sent. A digest replaces the
waiting messages of the days that it tells about in one transaction; after a crash before it, the single messages
are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func

from detector.boundary.instants import in_utc
from detector.state.database import State
from detector.state.messages import COVERED, DIGEST, FAILED, SENT, WAITING, Message, Outgoing, StoredMessage
from detector.state.rows import OwnRows
from detector.state.tables import LONGEST_ERROR, outbox


def queue(state: State, days: Iterable[date], outgoing: Outgoing) -> None:
    """Queue messages that report days, in place of those that still wait for any of them."""
    with state.transaction() as rows:
        store(rows, days, outgoing)


def store(rows: OwnRows, days: Iterable[date], outgoing: Outgoing) -> None:
    """Queue the messages of days, in place of those that still wait from an earlier judgement of them.

    What was sent or has failed for good is not queued a second time, unless ``outgoing.again`` says so. A digest
    that waits stays, as it tells of other days too.
    """
    of_days = outbox.c.day.in_(list(days))
    single = ~outbox.c.part.startswith(DIGEST)
    rows.delete(outbox, of_days & (outbox.c.status == WAITING) & single)
    kept = {_address(row): row for row in rows.execute(_messages(rows).where(of_days)).mappings()}
    for message in outgoing.messages:
        former = kept.get(_address(vars(message)))
        if former is not None and former["status"] != WAITING and not outgoing.again:
            continue
        if former is not None:
            rows.delete(outbox, outbox.c.id == former["id"])
        due = in_utc(outgoing.at + outgoing.hold)
        rows.insert(outbox, [_row(message, in_utc(outgoing.at), due)])
    rows.update(outbox, outbox.c.id.in_(list(outgoing.reported)), {"told": True})


def waiting(state: State, until: datetime | None = None) -> list[StoredMessage]:
    """The waiting messages, oldest first and without payloads; with ``until`` only those that are due by then."""
    chosen = outbox.c.status == WAITING
    if until is not None:
        chosen &= outbox.c.next_attempt_at <= in_utc(until)
    return _stored(state, chosen)


def failed(state: State, *, unreported: bool = False) -> list[StoredMessage]:
    """What could not be sent for good; with ``unreported`` only what no report has named yet."""
    chosen = outbox.c.status == FAILED
    return _stored(state, chosen & outbox.c.told.is_(False) if unreported else chosen)


def payload(state: State, number: int) -> bytes:
    """The payload of one message."""
    with state.reading() as rows:
        stored = rows.execute(rows.query(outbox, outbox.c.payload).where(outbox.c.id == number)).scalar_one()
    return bytes(stored or b"")


def mark_sent(state: State, number: int, at: datetime) -> None:
    """Mark a message as accepted, and delete its payload, so that the state does not grow with every mail."""
    done = {"status": SENT, "settled_at": in_utc(at), "payload": None, "error": None}
    _change(state, number, {**done, "attempts": outbox.c.attempts + 1})


def mark_failed(state: State, number: int, at: datetime, error: str) -> None:
    """Mark a message as failed for good. It stays in the outbox, and the next report names it."""
    done = {"status": FAILED, "settled_at": in_utc(at), "error": error[:LONGEST_ERROR]}
    _change(state, number, {**done, "attempts": outbox.c.attempts + 1})


def postpone(state: State, number: int, until: datetime, error: str, rest: bytes | None) -> None:
    """Wait with a message until a later attempt. ``rest`` replaces its payload if a part of it was accepted."""
    later = {"next_attempt_at": in_utc(until), "error": error[:LONGEST_ERROR], "attempts": outbox.c.attempts + 1}
    _change(state, number, later if rest is None else {**later, "payload": rest})


def count(state: State, status: str) -> int:
    """The number of messages with a status."""
    with state.reading() as rows:
        return int(rows.execute(rows.query(outbox, func.count()).where(outbox.c.status == status)).scalar_one())


def _change(state: State, number: int, values: dict[str, Any]) -> None:
    with state.transaction() as rows:
        rows.update(outbox, outbox.c.id == number, values)


def _messages(rows: OwnRows) -> Select[*tuple[Any, ...]]:
    """A query of the messages, oldest first and without payloads."""
    return rows.query(outbox, *(column for column in outbox.c if column.name != "payload")).order_by(outbox.c.id)


def _stored(state: State, chosen: ColumnElement[bool]) -> list[StoredMessage]:
    with state.reading() as rows:
        return [_read(row) for row in rows.execute(_messages(rows).where(chosen)).mappings()]


def _read(row: Any) -> StoredMessage:
    facts = ("message_id", "day", "channel", "recipient", "subject", "part")
    return StoredMessage(
        id=row["id"],
        message=Message(**{name: row[name] for name in facts}, payload=None),
        status=row["status"],
        attempts=row["attempts"],
        created_at=in_utc(row["created_at"]),
        next_attempt_at=in_utc(row["next_attempt_at"]),
        settled_at=row["settled_at"] and in_utc(row["settled_at"]),
        error=row["error"],
    )


def _row(message: Message, at: datetime, due: datetime) -> dict[str, Any]:
    status = WAITING if message.payload is not None else COVERED
    times = {"created_at": at, "next_attempt_at": due, "settled_at": None if status == WAITING else at}
    return {**vars(message), **times, "status": status, "attempts": 0, "told": False}


def _address(row: Any) -> Sequence[Any]:
    return tuple(row[name] for name in ("day", "channel", "recipient", "part"))
