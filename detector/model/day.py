"""The unit that is evaluated: one local day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Day:
    """One local day ``[00:00, 24:00)``. A day on which the clocks change has 23 or 25 hours."""

    date: dt.date
    timezone: ZoneInfo

    @property
    def start(self) -> dt.datetime:
        """The first instant of the day, in UTC."""
        return dt.datetime.combine(self.date, dt.time(), self.timezone).astimezone(dt.UTC)

    @property
    def end(self) -> dt.datetime:
        """The first instant after the day, in UTC."""
        return Day(self.date + dt.timedelta(days=1), self.timezone).start

    @classmethod
    def last_complete(cls, now: dt.datetime, timezone: ZoneInfo) -> Day:
        """The day that ended most recently before ``now``."""
        return cls(now.astimezone(timezone).date() - dt.timedelta(days=1), timezone)


def each_day(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    """Every day from ``first`` to ``last``, both included."""
    return (first + dt.timedelta(days=offset) for offset in range((last - first).days + 1))
