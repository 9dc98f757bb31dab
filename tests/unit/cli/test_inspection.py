"""What `check` tells of a source."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from detector.cli.inspection import inspect, lines
from detector.model.usage import Fault
from tests.fakes import FakeSource, groups

UTC_ZONE = ZoneInfo("UTC")
LAST = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 6, tzinfo=UTC)
SECRET = "sk_live_51HxQ2eZvKYlo2C0a1b2c3d4"


def told(source: FakeSource, now: datetime = NOW) -> dict[str, str]:
    """The facts by what they are about."""
    return dict(lines(inspect(source, UTC_ZONE, now)))


def usage(reach: datetime = datetime(2026, 3, 17, 23, 50, tzinfo=UTC), **options: object) -> FakeSource:
    """Nine days of two keys, one of them named by its secret."""
    days = {LAST - timedelta(days=ago): groups(**{SECRET: 10 + ago, "quiet": 1}) for ago in range(9)}
    return FakeSource(days, watermark=reach, **options)  # type: ignore[arg-type]


def test_the_last_days_are_told_with_their_requests_and_keys() -> None:
    """A week, so that one sees whether the data are daily and whole."""
    facts = told(usage())
    assert facts["day 2026-03-17"] == "11 requests of 2 keys"
    assert facts["day 2026-03-11"] == "17 requests of 2 keys"
    assert "day 2026-03-10" not in facts
    assert facts["first use"] == "2026-03-11"
    assert facts["columns"] == "key_id from api_key"


def test_a_record_is_shown_without_the_key_that_it_is_of() -> None:
    """The key may be its own secret."""
    facts = told(usage())
    assert SECRET not in str(facts)
    assert facts["a record"].startswith("key sk_l…, requests 10")


def test_data_from_the_future_are_a_skewed_clock() -> None:
    """Five minutes are nothing; three hours are a wrong clock or zone."""
    assert "clock skew" not in told(usage(NOW + timedelta(minutes=4)))
    assert "3:00:00 ahead" in told(usage(NOW + timedelta(hours=3)))["clock skew"]


def test_what_could_not_be_used_is_told_with_a_sample() -> None:
    """Where a column is mapped wrongly, this is where it shows."""
    facts = told(usage(faults=(Fault("no key id: not attributable to a key", 40, ("GET /health",)),)))
    assert facts["left out"] == "40 x no key id: not attributable to a key, such as: GET /health"


def test_an_empty_source_is_told_as_one() -> None:
    """No reach, no days."""
    facts = told(FakeSource({}))
    assert facts["data reach to"] == "nothing found"
    assert not any(name.startswith("day") for name in facts)
