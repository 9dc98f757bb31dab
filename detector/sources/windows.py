"""Windows: the runs of consecutive days that a source answers at once, and the day of an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from detector.model.day import Day
from detector.model.usage import DAY, INSTANT, TEXT
from detector.usage.aggregation import conform, local_days

Branch = TypeVar("Branch")

LONGEST = 31
"""Days of one window: long enough to spare scans, short enough to bound what is held at once."""

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Times outside are defaults and overflows of whoever wrote them (0, 9999-12-31), not times of use."""

LARGEST_COUNT = 10**12
"""A single row with more requests is an overflow or a mistake, not traffic."""

ACTIVITY = {"key_id": TEXT, "first_seen": DAY, "last_seen": INSTANT}
"""What ``activity_before`` answers."""


@dataclass(frozen=True)
class Window:
    """Consecutive days, at least one."""

    days: tuple[Day, ...]

    @property
    def start(self) -> datetime:
        """The first instant of the first day, in UTC."""
        return self.days[0].start

    @property
    def end(self) -> datetime:
        """The first instant after the last day, in UTC."""
        return self.days[-1].end


def windows(first: date, last: date, timezone: ZoneInfo, longest: int = LONGEST) -> Iterator[Window]:
    """The days from first to last, both included, in order, as windows of at most ``longest`` days."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    for start in range(0, len(days), longest):
        yield Window(tuple(Day(day, timezone) for day in days[start : start + longest]))


def choose(
    days: Sequence[Day],
    leaf: Callable[[Day], Branch],
    fork: Callable[[datetime, Branch, Branch], Branch],
) -> Branch:
    """A binary tree of comparisons that finds the day of an instant.

    ``fork(bound, before, after)`` chooses between instants before the bound and from it on. The bounds
    come from zoneinfo, so a database needs to know nothing of time zones, and every engine agrees.
    """
    if len(days) == 1:
        return leaf(days[0])
    middle = len(days) // 2
    before, after = choose(days[:middle], leaf, fork), choose(days[middle:], leaf, fork)
    return fork(days[middle].start, before, after)


def within(groups: pd.DataFrame, day: Day) -> pd.DataFrame:
    """Groups of one day whose last use lies in it.

    A daily rollup may not know the instant (then the day's start stands for it), or may state a later
    one, as of the moment it was written.
    """
    start, latest = pd.Timestamp(day.start), pd.Timestamp(day.end - timedelta(microseconds=1))
    used = groups["last_used"].astype(INSTANT).fillna(start)
    return groups.assign(last_used=used.mask(used < start, start).mask(used > latest, latest))


def activity_of_events(rows: pd.DataFrame, day: Day) -> pd.DataFrame:
    """``ACTIVITY`` from key_id and the first and last instant of its use."""
    first = pd.Series(local_days(rows["first_used"], day), index=rows.index)
    return _activity(rows["key_id"], first, rows["last_used"].astype(INSTANT))


def activity_of_days(rows: pd.DataFrame, day: Day) -> pd.DataFrame:
    """``ACTIVITY`` from rows of a daily rollup, all before the day.

    first_day and last_day are the days with requests, first_used and last_used the stated last
    activities; each may be null.
    """
    stated = pd.Series(local_days(rows["first_used"], day), index=rows.index)
    counted = rows["first_day"].astype("datetime64[s]")
    first = pd.concat([stated.astype("datetime64[s]"), counted], axis=1).min(axis=1)
    starts = {last: Day(last, day.timezone).start for last in rows["last_day"].dropna().unique()}
    start = rows["last_day"].map(starts).astype(INSTANT)
    used = rows["last_used"].astype(INSTANT)
    return _activity(rows["key_id"], first, used.where((used >= start).fillna(True) & used.notna(), start))


def reach_of_days(day: date | None, last_activity: datetime | None, timezone: ZoneInfo) -> datetime | None:
    """How far a daily rollup reaches: the last activity of its latest day, or that day's start."""
    if day is None:
        return None
    whole_day = Day(day, timezone)
    latest = whole_day.end - timedelta(microseconds=1)
    return min(max(last_activity or whole_day.start, whole_day.start), latest)


def _activity(keys: pd.Series, first: pd.Series, last: pd.Series) -> pd.DataFrame:
    days = pd.Series(first.to_numpy().astype("datetime64[s]"), index=first.index)
    frame = conform(pd.DataFrame({"key_id": keys, "first_seen": days, "last_seen": last}), ACTIVITY)
    return frame.dropna(subset=["last_seen"]).sort_values("key_id", ignore_index=True)
