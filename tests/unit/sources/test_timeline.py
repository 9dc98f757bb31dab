"""The timeline of a source: which records lie in which hour, and which lie in the future."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from detector.config.source import FilesSource, SqlSource
from detector.model.day import Day
from detector.sources import Source, open_source
from detector.sources.timeline import TOLERANCE, timeline_of
from tests.databases import sqlite

UTC_ZONE = ZoneInfo("UTC")
DAY = date(2026, 1, 2)
NOW = datetime(2026, 1, 3, 2, 32, tzinfo=UTC)
QUARTER = datetime(2026, 1, 3, 2, 30, tzinfo=UTC)


def files(folder: Path, instants: list[datetime]) -> Source:
    """A file with a request at each of the instants."""
    lines = [json.dumps({"timestamp": instant.isoformat(), "key_id": "a"}) for instant in instants]
    (folder / "usage.jsonl").write_text("\n".join(lines))
    return open_source(FilesSource(usage=str(folder / "usage.jsonl")), UTC_ZONE, lambda: NOW)


def table(folder: Path, instants: list[datetime]) -> Source:
    """A table with a request at each of the instants."""
    url = sqlite(folder, "timestamp, key_id", [(instant.isoformat(), "a") for instant in instants])
    return open_source(SqlSource(url=url, usage="usage"), UTC_ZONE, lambda: NOW)


@pytest.mark.parametrize("source", [files, table])
def test_the_quarter_of_now_is_split(source, tmp_path: Path) -> None:
    """A record beyond now is not taken for one of now because others of its quarter are."""
    ahead = NOW + TOLERANCE
    instants = [QUARTER, NOW, ahead - timedelta(seconds=1), ahead, ahead + timedelta(minutes=1)]
    timeline = source(tmp_path, instants).timeline(DAY, DAY)
    assert timeline.quarters == {QUARTER: 3}
    assert timeline.later == 2
    assert timeline.latest == NOW


@pytest.mark.parametrize("source", [files, table])
def test_records_are_counted_by_the_local_hour(source, tmp_path: Path) -> None:
    """An hour that comes twice because the clocks go back has the records of both."""
    instants = [datetime(2026, 1, 2, 10, minute, tzinfo=UTC) for minute in (0, 14, 15, 59)]
    timeline = source(tmp_path, instants).timeline(DAY, DAY)
    hours = timeline.hours(Day(DAY, ZoneInfo("Asia/Kolkata")))
    assert hours is not None
    # 10:00 in UTC is 15:30 in India.
    assert (hours[15], hours[16], sum(hours)) == (3, 1, 4)


def test_no_record_is_of_the_future_in_an_empty_source() -> None:
    """And nobody knows how far it reaches."""
    timeline = timeline_of([], NOW)
    assert (timeline.latest, timeline.later) == (None, 0)
