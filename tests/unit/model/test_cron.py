"""Cron lines: which local times a line names, and at which instants it runs when the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.model.cron import cron_line, first_time

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Los_Angeles",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Beirut",
    "America/Santiago",
    "Australia/Lord_Howe",
)
"""Clocks change at 02:00, at midnight, by half an hour, and never."""

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
DAYS = 3652
HOUR = timedelta(hours=1)


def times(line: str, zone: str, earliest: datetime, number: int) -> list[datetime]:
    """The next times of a line."""
    found = []
    for _ in range(number):
        following = first_time(line, ZoneInfo(zone), earliest)
        assert following is not None
        found.append(following)
        earliest = following.astimezone(UTC) + timedelta(microseconds=1)
    return found


def local(line: str, zone: str, start: str, number: int) -> list[str]:
    """The next times of a line from a local time on, with the day's number and the offset."""
    earliest = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone))
    return [f"{time:%d %H:%M %z}" for time in times(line, zone, earliest, number)]


@pytest.mark.parametrize(
    "line", ["30 2 * * *", "*/5 0-6,22 1 jan,JUL mon", "0 0 29 2 *", "0 2 * * 7", "5-7 2 * * *"]
)
def test_a_cron_line_is_taken_as_it_is(line: str) -> None:
    """Lists, ranges, steps and names in any letter case."""
    assert cron_line(line) == line


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("0 3 * * 0", [4, 11, 18, 25]),  # Sundays
        ("0 3 * * 7", [4, 11, 18, 25]),
        ("0 3 * * sun", [4, 11, 18, 25]),
        ("0 3 * * 1", [5, 12, 19, 26]),
        ("0 3 * * Mon", [5, 12, 19, 26]),
        ("0 3 * * 6", [3, 10, 17, 24]),
        ("0 3 * * 5-7", [2, 3, 4, 9]),
        ("0 3 * * 1-5", [1, 2, 5, 6]),
        ("0 3 * * mon-fri", [1, 2, 5, 6]),
        ("0 3 * * sun,wed", [4, 7, 11, 14]),
        ("0 3 13 * *", [13]),
        ("0 3 */10 * *", [1, 11, 21, 31]),
        ("0 3 2-10/4 * *", [2, 6, 10]),
        ("0 3 13 * 5", [2, 9, 13, 16]),  # both are restricted: the 13th, and every Friday
        ("0 3 * jan-mar *", [1, 2, 3, 4]),
        ("0 3 * 2 *", []),
    ],
)
def test_the_fields_of_a_line_mean_what_cron_means(line: str, days: list[int]) -> None:
    """The first days of January 2026, which begins with a Thursday."""
    found = [time.day for time in times(line, "UTC", datetime(2026, 1, 1, tzinfo=UTC), 5) if time.month == 1]
    assert found[:4] == days


@pytest.mark.parametrize(
    ("line", "zone", "start", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29 03:00 +0200", "30 02:30 +0200"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        (
            "15 2,3 * * *",
            "Europe/Berlin",
            "2026-03-28T12:00",
            ["29 03:00 +0200", "29 03:15 +0200", "30 02:15 +0200"],
        ),
        ("30 2 * * 0", "Europe/Berlin", "2026-03-28T12:00", ["29 03:00 +0200", "05 02:30 +0200"]),
        ("30 2 * * *", "America/Los_Angeles", "2026-03-07T12:00", ["08 03:00 -0700", "09 02:30 -0700"]),
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00", ["24 01:00 +0300", "25 00:00 +0300"]),
        ("0 */6 * * *", "Africa/Cairo", "2026-04-23T18:30", ["24 01:00 +0300", "24 06:00 +0300"]),
        ("0 0 * * *", "America/Havana", "2026-03-07T12:00", ["08 01:00 -0400", "09 00:00 -0400"]),
        ("0 0 * * *", "Asia/Beirut", "2026-03-28T12:00", ["29 01:00 +0300", "30 00:00 +0300"]),
        ("0 0 * * *", "America/Santiago", "2026-09-05T12:00", ["06 01:00 -0300", "07 00:00 -0300"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["04 02:30 +1100", "05 02:15 +1100"]),
    ],
)
def test_a_time_that_does_not_exist_is_the_next_one_that_does(
    line: str, zone: str, start: str, expected: list[str]
) -> None:
    """The clocks go forward, and no day is left out."""
    assert local(line, zone, start, len(expected)) == expected


@pytest.mark.parametrize(
    ("line", "zone", "start", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25 02:30 +0200", "26 02:30 +0100"]),
        (
            "*/30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            ["25 02:00 +0200", "25 02:30 +0200", "26 02:00 +0100"],
        ),
        ("30 1 * * *", "America/Los_Angeles", "2026-10-31T12:00", ["01 01:30 -0700", "02 01:30 -0800"]),
        ("30 23 * * *", "Africa/Cairo", "2026-10-29T12:00", ["29 23:30 +0300", "30 23:30 +0200"]),
        ("0 0 * * *", "America/Havana", "2026-10-31T12:00", ["01 00:00 -0400", "02 00:00 -0500"]),
        ("30 23 * * *", "Asia/Beirut", "2026-10-24T12:00", ["24 23:30 +0300", "25 23:30 +0200"]),
        ("30 23 * * *", "America/Santiago", "2026-04-04T12:00", ["04 23:30 -0300", "05 23:30 -0400"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", ["05 01:45 +1100", "06 01:45 +1030"]),
    ],
)
def test_a_time_that_exists_twice_runs_once(line: str, zone: str, start: str, expected: list[str]) -> None:
    """The clocks go back, and the first of both counts."""
    assert local(line, zone, start, len(expected)) == expected


def test_between_the_two_the_time_has_passed() -> None:
    """At 02:15 for the second time, 02:30 came already."""
    between = datetime(2026, 10, 25, 2, 15, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    following = first_time("30 2 * * *", ZoneInfo("Europe/Berlin"), between)
    assert following == datetime(2026, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize("zone", ZONES)
def test_a_line_of_every_hour_follows_the_clock_as_it_goes(zone: str) -> None:
    """Each half hour once, whatever the clocks show."""
    found = times("*/30 * * * *", zone, datetime(2026, 1, 1, tzinfo=UTC), 365 * 48)
    instants = [time.astimezone(UTC) for time in found]
    assert {following - instant for instant, following in pairwise(instants)} == {HOUR / 2}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("line", ["0 0 * * *", "30 0 * * *", "45 1 * * *", "15 2 * * *", "30 23 * * *"])
def test_a_daily_line_runs_once_on_every_local_day(line: str, zone: str) -> None:
    """Over ten years, in both directions of the clocks."""
    found = times(line, zone, FIRST, DAYS)
    days = [time.date() for time in found]
    assert days == [days[0] + timedelta(days=number) for number in range(DAYS)]
    assert days[0] - FIRST.date() <= timedelta(days=1)


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    second=st.floats(0, 86_399),
)
def test_the_next_time_of_a_daily_line_comes_within_a_day(
    minute: int, hour: int, zone: str, day: date, second: float
) -> None:
    """Never before the instant asked for, and at most the hour of a clock change later than a day after it."""
    earliest = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second)
    following = first_time(f"{minute} {hour} * * *", ZoneInfo(zone), earliest)
    assert following is not None
    assert timedelta(0) <= following.astimezone(UTC) - earliest <= timedelta(days=1) + HOUR


@given(instant=st.datetimes(datetime(2020, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC)))
@pytest.mark.parametrize("zone", ZONES)
def test_the_time_of_a_line_is_its_own_first_time(zone: str, instant: datetime) -> None:
    """An instant at which the line runs counts from itself on, as the hour of a run that is just due."""
    following = first_time("30 2 * * *", ZoneInfo(zone), instant)
    assert following is not None
    assert first_time("30 2 * * *", ZoneInfo(zone), following) == following


def test_a_line_may_never_run() -> None:
    """Such a line is refused where the configuration is read."""
    assert first_time("0 2 */20 * 1L", ZoneInfo("UTC"), FIRST) is None
