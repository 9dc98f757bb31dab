"""The trigger of a cron line, asked as APScheduler asks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from detector.operations.schedule.trigger import CronLineTrigger

BERLIN = ZoneInfo("Europe/Berlin")
TRIGGER = CronLineTrigger("30 2 * * *", BERLIN)


def test_at_first_the_trigger_fires_from_now_on() -> None:
    """A run that is due at this instant is due."""
    due = datetime(2026, 3, 10, 2, 30, tzinfo=BERLIN)
    assert TRIGGER.get_next_fire_time(None, due) == due
    assert TRIGGER.get_next_fire_time(None, due + timedelta(seconds=1)) == due + timedelta(days=1)


def test_after_a_run_the_trigger_fires_at_the_next_time() -> None:
    """Missed times count one after the other; the scheduler makes one run of them."""
    last = datetime(2026, 3, 10, 2, 30, tzinfo=BERLIN)
    assert TRIGGER.get_next_fire_time(last, last) == last + timedelta(days=1)
    assert TRIGGER.get_next_fire_time(last, last + timedelta(days=5)) == last + timedelta(days=1)


def test_a_clock_that_is_set_back_does_not_stop_the_job() -> None:
    """A run of next month, fired by mistake, leaves those before it."""
    now = datetime(2026, 3, 10, 12, 0, tzinfo=BERLIN)
    ahead = datetime(2026, 4, 10, 2, 30, tzinfo=BERLIN)
    assert TRIGGER.get_next_fire_time(ahead, now) == datetime(2026, 3, 11, 2, 30, tzinfo=BERLIN)


def test_an_hour_that_is_repeated_fires_once() -> None:
    """The scheduler asks with the second of the two times as now."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    second = first.replace(fold=1)
    following = TRIGGER.get_next_fire_time(first, second)
    assert following is not None
    assert following == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)
    assert following.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=25)


def test_the_trigger_shows_its_line() -> None:
    """As in the logs of the scheduler."""
    assert str(TRIGGER) == "cron[30 2 * * *]"
