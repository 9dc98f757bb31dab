"""Messages: what the outbox holds, rendered and addressed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

WAITING, SENT, FAILED, COVERED = "waiting", "sent", "failed", "covered"
"""What becomes of a message; a covered one was never sent itself, since a digest told its day."""
DIGEST = "digest"
"""How the ``part`` of a message begins that tells of several days."""


@dataclass(frozen=True)
class Message:
    """One thing to send to one recipient about one day, at most once.

    ``channel`` is a configured channel ("mail", "webhook siem"), ``recipient`` an address or the channel's own
    name, ``part`` tells several messages to a recipient about one day apart. ``message_id`` is the same
    whenever the same message is rendered again, so that a receiver can tell a duplicate. ``payload`` is None
    where a digest tells this day instead.
    """

    message_id: str
    day: date
    channel: str
    recipient: str
    subject: str
    payload: bytes | None
    part: str = ""


@dataclass(frozen=True)
class StoredMessage:
    """A message in the outbox. ``next_attempt_at`` counts while it waits; ``error`` is what went wrong last."""

    id: int
    message: Message
    status: str
    attempts: int
    created_at: datetime
    next_attempt_at: datetime
    settled_at: datetime | None
    error: str | None


@dataclass(frozen=True)
class Outgoing:
    """What a run hands to the outbox in the transaction that records its findings.

    ``again`` also queues what was sent before; ``told`` are ids of failed messages that the report names. Nothing
    is due before ``at`` and the ``hold`` after it have passed.
    """

    messages: Iterable[Message]
    at: datetime
    again: bool = False
    told: Iterable[int] = ()
    hold: timedelta = timedelta(0)


def identity(*parts: str | None) -> str:
    """32 hexadecimal digits that follow from the parts alone; no two tuples of parts share a text to hash."""
    text = "".join("-" if part is None else f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
