"""Windows: the runs of consecutive nights that a source answers at once, and the night of an instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import pandas as pd

from detector.model.day import Night
from detector.model.usage import DAY, INSTANT, TEXT
from detector.usage.aggregation import conform, local_days

Branch = TypeVar("Branch")

LONGEST = 31
"""Nights of one window: long enough to spare scans, short enough to bound what is held at once."""

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Times outside are defaults and overflows of whoever wrote them (0, 9999-12-31), not times of use."""

LARGEST_COUNT = 10**12
"""A single row with more requests is an overflow or a mistake, not traffic."""

ACTIVITY = {"key_id": TEXT, "first_seen": DAY, "last_seen": INSTANT}
"""What ``activity_before`` answers."""


@dataclass(frozen=True)
class Window:
    """Consecutive nights, at least one."""

    nights: tuple[Night, ...]

    @property
    def start(self) -> datetime:
        """The first instant of the first night, in UTC."""
        return self.nights[0].start

    @property
    def end(self) -> datetime:
        """The first instant after the last night, in UTC."""
        return self.nights[-1].end


def windows(first: date, last: date, timezone: ZoneInfo, longest: int = LONGEST) -> Iterator[Window]:
    """The nights from first to last, both included, in order, as windows of at most ``longest`` nights."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    for start in range(0, len(days), longest):
        yield Window(tuple(Night(day, timezone) for day in days[start : start + longest]))


def choose(
    nights: Sequence[Night],
    leaf: Callable[[Night], Branch],
    fork: Callable[[datetime, Branch, Branch], Branch],
) -> Branch:
    """A binary tree of comparisons that finds the night of an instant.

    ``fork(bound, before, after)`` chooses between instants before the bound and from it on. The bounds
    come from zoneinfo, so a database needs to know nothing of time zones, and every engine agrees.
    """
    if len(nights) == 1:
        return leaf(nights[0])
    middle = len(nights) // 2
    before, after = choose(nights[:middle], leaf, fork), choose(nights[middle:], leaf, fork)
    return fork(nights[middle].start, before, after)


def within(groups: pd.DataFrame, night: Night) -> pd.DataFrame:
    """Groups of one night whose last use lies in it.

    A daily rollup may not know the instant (then the night's start stands for it), or may state a later
    one, as of the moment it was written.
    """
    start, latest = pd.Timestamp(night.start), pd.Timestamp(night.end - timedelta(microseconds=1))
    used = groups["last_used"].astype(INSTANT).fillna(start)
    return groups.assign(last_used=used.mask(used < start, start).mask(used > latest, latest))


def activity_of_events(rows: pd.DataFrame, night: Night) -> pd.DataFrame:
    """``ACTIVITY`` from key_id and the first and last instant of its use."""
    first = pd.Series(local_days(rows["first_used"], night), index=rows.index)
    return _activity(rows["key_id"], first, rows["last_used"].astype(INSTANT))


def activity_of_days(rows: pd.DataFrame, night: Night) -> pd.DataFrame:
    """``ACTIVITY`` from rows of a daily rollup, all before the night.

    first_day and last_day are the days with requests, first_used and last_used the stated last
    activities; each may be null.
    """
    stated = pd.Series(local_days(rows["first_used"], night), index=rows.index)
    counted = rows["first_day"].astype("datetime64[s]")
    first = pd.concat([stated.astype("datetime64[s]"), counted], axis=1).min(axis=1)
    starts = {day: Night(day, night.timezone).start for day in rows["last_day"].dropna().unique()}
    start = rows["last_day"].map(starts).astype(INSTANT)
    used = rows["last_used"].astype(INSTANT)
    return _activity(rows["key_id"], first, used.where((used >= start).fillna(True) & used.notna(), start))


def reach_of_days(day: date | None, last_activity: datetime | None, timezone: ZoneInfo) -> datetime | None:
    """How far a daily rollup reaches: the last activity of its latest day, or that day's start."""
    if day is None:
        return None
    night = Night(day, timezone)
    latest = night.end - timedelta(microseconds=1)
    return min(max(last_activity or night.start, night.start), latest)


def _activity(keys: pd.Series, first: pd.Series, last: pd.Series) -> pd.DataFrame:
    days = pd.Series(first.to_numpy().astype("datetime64[s]"), index=first.index)
    frame = conform(pd.DataFrame({"key_id": keys, "first_seen": days, "last_seen": last}), ACTIVITY)
    return frame.dropna(subset=["last_seen"]).sort_values("key_id", ignore_index=True)
