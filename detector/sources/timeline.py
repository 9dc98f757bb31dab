"""The timeline of a source: how many records lie in each quarter of an hour.

It tells what the counts of single days cannot: how far the data reach, in which hours of a day there are none, and
whether records came for days that were pulled long ago. Quarters of an hour serve every time zone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from detector.model.day import Day

QUARTER = timedelta(minutes=15)
TOLERANCE = timedelta(minutes=5)
"""How far the clock of a source may run ahead of ours."""

HOURS = 24


@dataclass(frozen=True)
class Timeline:
    """The number of records by the start of their quarter of an hour, in UTC.

    ``latest`` is the latest instant of a record up to now. ``later`` is the number of records beyond now and
    ``TOLERANCE``, which are in no quarter. ``covers_all`` says that all records of the source were looked at, so
    that those before a day can be counted. ``strays`` are records in files of a day whose time lies more than a
    day away from it, by that day.
    """

    quarters: Mapping[datetime, int]
    latest: datetime | None
    later: int = 0
    covers_all: bool = True
    strays: Mapping[date, int] = field(default_factory=dict)
    tells_hours: bool = True
    """False for a rollup, whose records lie at the start of their day."""

    def hours(self, day: Day) -> tuple[int, ...] | None:
        """The number of records in each of the 24 local hours of a day; an hour that comes twice has both.

        None where the source tells only the day.
        """
        if not self.tells_hours:
            return None
        counts = [0] * HOURS
        quarter = day.start
        while quarter < day.end:
            counts[quarter.astimezone(day.timezone).hour] += self.quarters.get(quarter, 0)
            quarter += QUARTER
        return tuple(counts)

    def before(self, day: Day) -> int:
        """The number of records before a day."""
        return sum(count for quarter, count in self.quarters.items() if quarter < day.start)


def timeline_of(rows: Iterable[tuple[datetime, int, datetime]], now: datetime) -> Timeline:
    """The timeline of rows of an instant, the number of records in its quarter and the latest instant of these.

    The records of a row lie all before ``now`` and ``TOLERANCE``, or none does.
    """
    counts: dict[datetime, int] = {}
    latest = None
    later = 0
    for instant, records, last in rows:
        if instant >= now + TOLERANCE:
            later += records
            continue
        quarter = start_of_quarter(instant)
        counts[quarter] = counts.get(quarter, 0) + records
        reached = min(last, now)
        latest = reached if latest is None else max(latest, reached)
    return Timeline(counts, latest, later)


def start_of_quarter(instant: datetime) -> datetime:
    """The start of the quarter of an hour around an instant."""
    return instant.replace(minute=instant.minute - instant.minute % 15, second=0, microsecond=0)
