"""The unit that is judged: one local day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Night:
    """One local day ``[00:00, 24:00)``; 23 or 25 hours long where the clocks change."""

    day: date
    timezone: ZoneInfo

    @property
    def start(self) -> datetime:
        """The first instant of the night, in UTC."""
        return datetime.combine(self.day, time(), self.timezone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first instant after the night, in UTC."""
        return Night(self.day + timedelta(days=1), self.timezone).start

    @classmethod
    def last_complete(cls, now: datetime, timezone: ZoneInfo) -> Night:
        """The night that ended most recently before ``now``."""
        return cls(now.astimezone(timezone).date() - timedelta(days=1), timezone)


def days(first: date, last: date) -> Iterator[date]:
    """Every day from first to last, both included."""
    return (first + timedelta(days=offset) for offset in range((last - first).days + 1))
