"""Cron lines: five fields that name the local times at which something runs.

The fields mean what they mean to Debian's cron; ``cronsim`` reads them and counts through the calendar. A line
that runs in every hour follows the clock as it goes. For every other line, a change of the clocks must neither
skip nor repeat a run. So this module maps the local times to instants itself, because cron skips
``*/30 2 * * *`` and ``0 */6 * * *`` at a local time that does not exist.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIELDS = 5
HOURS_OF_A_DAY = 24
_ANY_TIME = datetime(2000, 1, 1)
_HOW_TO_WRITE = "write it as minute hour day month weekday, for example 30 2 * * * for every day at 02:30"


def cron_line(line: str) -> str:
    """The same line. Raises ValueError, which says how to write one, for a line that is wrong or never runs."""
    # cronsim would read a sixth field as seconds.
    if len(line.split()) != FIELDS:
        raise ValueError(f"'{line}' does not have the five fields of a cron line; {_HOW_TO_WRITE}")
    try:
        first = next(CronSim(line, _ANY_TIME), None)
    except CronSimError as error:
        raise ValueError(f"'{line}' is not a cron line ({str(error).lower()}); {_HOW_TO_WRITE}") from None
    if first is None:
        raise ValueError(f"'{line}' names a day that no year has; {_HOW_TO_WRITE}")
    return line


def first_time(line: str, zone: ZoneInfo, earliest: datetime) -> datetime | None:
    """The first instant from ``earliest`` on at which a valid line runs, in the zone; None if it never does.

    A local time that does not exist stands for the next one that does. Of a local time that exists twice only the
    first counts, unless the line runs in every hour.
    """
    earliest = earliest.astimezone(UTC)
    # The second is subtracted in UTC: at the end of a gap, the local clock must go back to before the gap.
    start = (earliest - timedelta(seconds=1)).astimezone(zone)
    times = CronSim(line, start)
    if len(times.hours) < HOURS_OF_A_DAY:
        times = CronSim(line, start.replace(tzinfo=None))
    for time in times:
        instant = _instant(time, zone)
        if instant >= earliest:
            return instant.astimezone(zone)
    return None


def _instant(time: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a time; of a local time that does not exist, the instant at which the gap ends."""
    if time.tzinfo is not None:
        return time.astimezone(UTC)
    instant = time.replace(tzinfo=zone).astimezone(UTC)
    while instant.astimezone(zone).replace(tzinfo=None) != time:
        time += timedelta(minutes=1)
        instant = time.replace(tzinfo=zone).astimezone(UTC)
    return instant
