"""Messages of the outbox, rendered and addressed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

WAITING = "waiting"
SENT = "sent"
FAILED = "failed"
COVERED = "covered"
"""The statuses of a message. A covered message is never sent itself, because a digest reports its day."""
DIGEST = "digest"
"""The beginning of the ``part`` of every message about several days."""


@dataclass(frozen=True)
class Message:
    """A message to one recipient about one day, which is sent at most once.

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
    """The messages that a run stores in the outbox, in the transaction that records its findings.

    With ``again``, messages that were sent before are sent again. ``reported`` holds the ids of failed messages
    that the report names. No message is due before ``at`` plus ``hold``.
    """

    messages: Iterable[Message]
    at: datetime
    again: bool = False
    reported: Iterable[int] = ()
    hold: timedelta = timedelta(0)


def identity(*parts: str | None) -> str:
    """32 hexadecimal digits that follow from the parts alone. Different parts never give the same text to hash."""
    text = "".join("-" if part is None else f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
