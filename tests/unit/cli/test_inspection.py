"""What `check` tells of a source."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.cli.inspection import inspect, lines
from detector.config.sections import DetectionSettings
from detector.model.usage import Fault
from detector.sources.timeline import Timeline
from tests.fakes import FakeSource, groups

UTC_ZONE = ZoneInfo("UTC")
LAST = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 6, tzinfo=UTC)
SECRET = "sk_live_51HxQ2eZvKYlo2C0a1b2c3d4"


def told(source: FakeSource, now: datetime = NOW, **detection: Any) -> dict[str, str]:
    """The facts by what they are about."""
    return dict(lines(inspect(source, UTC_ZONE, now), DetectionSettings(**detection)))


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


@pytest.mark.parametrize(
    ("requests", "errors", "text"),
    [
        (
            101,
            101,
            "101 of 101 requests (100.0%) in 7 days. All 101 requests count as errors. Check source.columns",
        ),
        (101, 0, "0 of 101 requests (0.0%) in 7 days. No request counts as an error. Check source.columns.status"),
        (100, 0, "0 of 100 requests (0.0%) in 7 days"),
        (200, 3, "3 of 200 requests (1.5%) in 7 days"),
    ],
)
def test_the_share_of_errors_is_told(requests: int, errors: int, text: str) -> None:
    """Before the first run one sees that the status is read wrongly."""
    records = groups(a=requests).assign(error_count=errors)
    source = FakeSource({LAST: records}, watermark=datetime(2026, 3, 17, 23, tzinfo=UTC))
    assert told(source)["errors"].startswith(text)
    assert ("Check" in told(source)["errors"]) == ("Check" in text)


def key(environment: str) -> dict[str, object]:
    """A row of the register."""
    return {"key_id": f"a key of {environment}", "environment": environment}


@pytest.mark.parametrize(
    ("register", "deployment", "deployments", "reason"),
    [
        ([], "production", {}, "no key register tells the environment of a key"),
        ([key("blue")], "production", {}, "the key register tells no environment of any key"),
        ([key("live"), key("test")], None, {}, "the source does not tell in which deployment a request was made"),
        (
            [key("live"), key("test")],
            "prod",
            {},
            "no request was seen in a deployment that is live: detection.deployments calls production live, and "
            "the source has prod",
        ),
        ([key("live"), key("test")], "prod", {"pr*": "live"}, None),
        ([key("live"), key("test")], "production", {}, None),
    ],
)
def test_why_a_test_key_in_production_cannot_be_found_is_told(
    register: list[dict[str, object]], deployment: str | None, deployments: dict[str, str], reason: str | None
) -> None:
    """The reason is in words, before the first run."""
    records = groups(a=10).assign(deployment=deployment)
    source = FakeSource({LAST: records}, register, watermark=datetime(2026, 3, 17, 23, tzinfo=UTC))
    facts = told(source, **({"deployments": deployments} if deployments else {}))
    if reason is None:
        assert "not judged" not in facts
    else:
        assert facts["not judged"].startswith(f"test keys in production cannot be judged, because {reason}")


def test_deployments_and_environments_are_told() -> None:
    """And the deployments that the policy does not name."""
    records = pd.concat([groups(a=10), groups(b=3).assign(deployment="canary")], ignore_index=True)
    register = [key("live"), key("test"), {"key_id": "b", "environment": "blue"}]
    source = FakeSource({LAST: records}, register, watermark=datetime(2026, 3, 17, 23, tzinfo=UTC))
    facts = told(source)
    assert facts["environments"] == "live: 1 key, test: 1 key, unknown: 1 key"
    assert facts["deployments"] == "production: 10 requests, canary: 3 requests"
    assert facts["not judged"] == "requests in canary: detection.deployments does not name them"


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
