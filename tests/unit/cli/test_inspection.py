"""What `check` tells of a source."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from detector.cli.inspection import inspect, lines
from detector.model.usage import Fault
from detector.sources.timeline import Timeline
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
    """They are in no day, so they are told and counted here."""
    assert "clock skew" not in told(usage(timeline=Timeline({}, NOW)))
    facts = told(usage(timeline=Timeline({}, NOW, later=3)))
    assert facts["clock skew"].startswith("3 records lie in the future: check the clocks")
    assert "3 unusable" in facts["records"]


def test_what_could_not_be_used_is_told_with_a_sample() -> None:
    """Where a column is mapped wrongly, this is where it shows."""
    facts = told(usage(faults=(Fault("no key id, not attributable to a key", 40, ("GET /health",)),)))
    assert facts["unusable"] == "40 x no key id, not attributable to a key, such as: GET /health"


def test_a_source_without_a_readable_record_tells_what_it_holds() -> None:
    """No reach and no days, but the reason and a sample."""
    broken = Fault("not a JSON object", 5_000, ("app.log: <xml>",), dated=False)
    facts = told(FakeSource({}, faults=(broken,)))
    assert facts["records"] == "5,000 records read: 0 counted, 5,000 unusable"
    assert facts["unusable"] == "5,000 x not a JSON object, such as: app.log: <xml>"
    assert not any(name.startswith("day") for name in facts)


def test_a_note_is_not_called_unusable() -> None:
    """Its records count."""
    facts = told(usage(faults=(Fault("error_count is not a count, taken as 0", 2, kind="note"),)))
    assert facts["with a defect"] == "2 x error_count is not a count, taken as 0"
    assert facts["records"] == "11 records read, all counted"


def test_a_last_day_of_errors_alone_is_told() -> None:
    """Before the first run one sees that the status is read wrongly."""
    failing = groups(a=101).assign(error_count=101)
    source = FakeSource({LAST: failing}, watermark=datetime(2026, 3, 17, 23, tzinfo=UTC))
    assert told(source)["errors"].startswith("All 101 requests count as errors. Check source.columns.status")
    assert "errors" not in told(usage())


def test_the_last_hours_show_where_the_data_end() -> None:
    """An export that breaks off shows as a small last hour."""
    start = datetime(2026, 3, 17, tzinfo=UTC)
    quarters = {start + timedelta(hours=hour): 10 + hour for hour in (9, 10, 11, 13)}
    assert told(usage(timeline=Timeline(quarters, None)))["last hours"] == "10:00 20, 11:00 21, 13:00 23"
    assert "last hours" not in told(usage())


def test_an_empty_source_is_told_as_one() -> None:
    """No reach, no days."""
    facts = told(FakeSource({}))
    assert facts["records"] == "no record read"
    assert facts["data reach to"] == "nothing found"
    assert not any(name.startswith("day") for name in facts)
