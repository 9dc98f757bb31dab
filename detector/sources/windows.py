"""Windows: runs of consecutive days that a source reads at once. And the day of an instant."""

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

LONGEST_WINDOW = 31
"""Days of one window. A longer window saves scans of the source; a shorter window needs less memory."""

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""A time outside these bounds is a default or an overflow of the program that wrote it (0, 9999-12-31)."""

LARGEST_COUNT = 10**12
"""A row with more requests is an overflow or a mistake."""

USED = {"key_id": TEXT, "first_day": DAY, "last_day": DAY, "first_used": INSTANT, "last_used": INSTANT}
"""First and last day with requests, and first and last stated instant of use, per key or part of its records."""

ACTIVITY = {"key_id": TEXT, "first_seen": DAY, "last_seen": INSTANT}
"""The columns that ``Source.activity_before`` returns."""


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


def windows(first: date, last: date, timezone: ZoneInfo, longest: int = LONGEST_WINDOW) -> Iterator[Window]:
    """The days from first to last, both included, in order, as windows of at most ``longest`` days."""
    days = [Day(first + timedelta(days=number), timezone) for number in range((last - first).days + 1)]
    for start in range(0, len(days), longest):
        yield Window(tuple(days[start : start + longest]))


def day_search_tree(
    days: Sequence[Day],
    leaf: Callable[[Day], Branch],
    fork: Callable[[datetime, Branch, Branch], Branch],
) -> Branch:
    """A binary tree of comparisons that finds the day of an instant.

    ``leaf`` makes the expression of a day. ``fork(bound, before, after)`` makes the expression that gives
    ``before`` for instants before the bound and ``after`` for the others.
    """
    # The bounds of the days come from zoneinfo. So a database needs no time zones, and all engines agree on
    # the days on which clocks change.
    if len(days) == 1:
        return leaf(days[0])
    middle = len(days) // 2
    before = day_search_tree(days[:middle], leaf, fork)
    after = day_search_tree(days[middle:], leaf, fork)
    return fork(days[middle].start, before, after)


def clamp_last_use(groups: pd.DataFrame, day: Day) -> pd.DataFrame:
    """The groups of a day with their ``last_used`` moved into the day; a missing one becomes the day's start."""
    # A daily rollup may not state the instant, or may state the last use until the rollup was written.
    start = pd.Timestamp(day.start)
    latest = pd.Timestamp(day.end - timedelta(microseconds=1))
    used = groups["last_used"].astype(INSTANT).fillna(start)
    return groups.assign(last_used=used.mask(used < start, start).mask(used > latest, latest))


def activity_of_events(rows: pd.DataFrame, day: Day) -> pd.DataFrame:
    """``ACTIVITY`` from rows of events: key_id, first_used, last_used, all before the day."""
    first = pd.Series(local_days(rows["first_used"], day), index=rows.index)
    return _activity(rows["key_id"], first, rows["last_used"].astype(INSTANT))


def activity_of_days(rows: pd.DataFrame, day: Day) -> pd.DataFrame:
    """``ACTIVITY`` from rows of a daily rollup, all before the day.

    first_day and last_day are the first and last day with requests. first_used and last_used are the first and
    last of the stated last activities. Each may be null.
    """
    stated = pd.Series(local_days(rows["first_used"], day), index=rows.index)
    counted = rows["first_day"].astype("datetime64[s]")
    first = pd.concat([stated.astype("datetime64[s]"), counted], axis=1).min(axis=1)
    starts = {last: Day(last, day.timezone).start for last in rows["last_day"].dropna().unique()}
    start = rows["last_day"].map(starts).astype(INSTANT)
    used = rows["last_used"].astype(INSTANT)
    # The last day with requests may state no last activity, or an earlier one. Then its start is the last use.
    is_latest = (used >= start).fillna(True) & used.notna()
    return _activity(rows["key_id"], first, used.where(is_latest, start))


def watermark_of_day(day: date, last_activity: datetime | None, timezone: ZoneInfo) -> datetime:
    """The watermark of a daily rollup from its latest day: the last activity of the day, or the day's start."""
    whole_day = Day(day, timezone)
    latest = whole_day.end - timedelta(microseconds=1)
    return min(max(last_activity or whole_day.start, whole_day.start), latest)


def _activity(keys: pd.Series, first: pd.Series, last: pd.Series) -> pd.DataFrame:
    days = pd.Series(first.to_numpy().astype("datetime64[s]"), index=first.index)
    frame = conform(pd.DataFrame({"key_id": keys, "first_seen": days, "last_seen": last}), ACTIVITY)
    return frame.dropna(subset=["last_seen"]).sort_values("key_id", ignore_index=True)
