"""The trigger by which APScheduler runs a job at the times of a cron line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

from detector.model.cron import first_time


class CronLineTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires at the times of a valid cron line in a zone.

    APScheduler's own CronTrigger counts weekdays from Monday and leaves out a local time that does not exist.
    """

    def __init__(self, line: str, zone: ZoneInfo) -> None:
        self._line = line
        self._zone = zone

    def __str__(self) -> str:
        return f"cron[{self._line}]"

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first time after the previous one, missed or not, or from ``now`` on where there is none."""
        earliest = now
        # A time after now is from a clock that was set back; the job must not wait until it comes again.
        if previous_fire_time is not None and previous_fire_time.astimezone(UTC) <= now.astimezone(UTC):
            earliest = previous_fire_time.astimezone(UTC) + timedelta(microseconds=1)
        return first_time(self._line, self._zone, earliest)
