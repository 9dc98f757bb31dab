"""Instants in one form, whatever gave them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the present instant, in UTC."""


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC. One without a zone is in UTC: SQLite, for one, drops the zone of what it stores."""
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def rfc_3339(instant: datetime, timespec: str = "auto") -> str:
    """The instant in UTC as text with ``Z`` at its end; ``timespec`` as ``datetime.isoformat`` has it."""
    return in_utc(instant).isoformat(timespec=timespec).replace("+00:00", "Z")
