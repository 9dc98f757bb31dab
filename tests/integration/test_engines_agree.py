"""Every engine gives the same answers for the same events, equal to a count by hand."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, String, Table, create_engine, text
from sqlalchemy.pool import NullPool

from detector.config.source import FilesSource, SqlSource
from detector.sources import Source, open_source
from detector.usage.aggregation import map_of, merge
from detector.usage.endpoints import fold_endpoint

COLUMNS = {"timestamp": "ts", "key_id": "api key", "endpoint": 'path"', "client": "ip"}
ZONES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
}
"""Zones, and the days on which their clocks change."""

CLICKHOUSE = "clickhousedb:///default?interface=chdb"
CLICKHOUSE_TABLE = """
    CREATE TABLE events (ts {kind}, `api key` String, `path"` Nullable(String), status Int32,
                         deployment LowCardinality(Nullable(String)), ip Nullable(String))
    ENGINE = MergeTree ORDER BY tuple()"""


@dataclass(frozen=True)
class Event:
    """One request."""

    at: datetime
    key: str
    endpoint: str | None
    status: int
    deployment: str | None
    client: str | None


Events = Sequence[Event]
Write = Callable[[Events], Source]


@st.composite
def events_around_a_clock_change(draw: st.DrawFn) -> tuple[ZoneInfo, date, list[Event]]:
    """A zone, a day on which its clocks change, and events around it, many at the bounds of days."""
    name = draw(st.sampled_from(sorted(ZONES)))
    zone = ZoneInfo(name)
    day = draw(st.sampled_from(ZONES[name]))
    midnights = [datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(days=n) for n in (-1, 0, 1, 2)]
    near = st.builds(
        lambda at, seconds: at + timedelta(seconds=seconds), st.sampled_from(midnights), st.integers(-2, 2)
    )
    anywhere = st.builds(lambda hours: midnights[0] + timedelta(hours=hours / 7), st.integers(-200, 400))
    event = st.builds(
        Event,
        at=st.builds(
            lambda at, micros: at.astimezone(UTC) + timedelta(microseconds=micros),
            st.one_of(near, anywhere),
            st.sampled_from([0, 1, 999_999, 123_456]),
        ),
        key=st.sampled_from(["alpha", "beta", "ключ", 'o\'hara "x"']),
        endpoint=st.sampled_from([None, "/users/8731", "/users/9?q=1", "s3:Get,Object", "/ü"]),
        status=st.sampled_from([200, 399, 400, 503]),
        deployment=st.sampled_from([None, "production", "staging"]),
        client=st.sampled_from([None, "10.0.0.1", "10.0.0.2", "::1"]),
    )
    return zone, day, draw(st.lists(event, max_size=25))


class Engines:
    """Writes the same events for every engine and opens the sources over them."""

    def __init__(self, folder: Path, postgres_url: str) -> None:
        self._folder = folder
        self._postgres_url = postgres_url
        self._duckdb_url = f"duckdb:///{folder}/events.duckdb"
        self._embedded = create_engine(CLICKHOUSE)  # it deletes its tables with the last connection

    def sources(self, events: Events, zone: ZoneInfo) -> Iterator[tuple[str, Source]]:
        """The sources by the names of their engines, over these events alone."""
        for name in ("csv", "jsonl", "parquet"):
            path = self._folder / f"events.{name}"
            getattr(self, f"_write_{name}")(events, path)
            yield name, open_source(FilesSource(usage=str(path), columns=COLUMNS), zone)
        yield "sqlite", self._table(f"sqlite:///{self._folder}/events.db", String(), events, zone)
        aware = DateTime(timezone=True)
        yield "postgresql", self._table(self._postgres_url, aware, events, zone)
        yield "duckdb", self._table(self._duckdb_url, aware, events, zone)
        yield "clickhouse", self._clickhouse("DateTime64(6, 'UTC')", events, zone)

    def variants(self, events: Events, zone: ZoneInfo) -> Iterator[tuple[str, Source]]:
        """The databases again, with timestamps of other types."""
        for time in (DateTime(timezone=False), BigInteger()):
            yield f"postgresql {time!r}", self._table(self._postgres_url, time, events, zone)
            yield f"duckdb {time!r}", self._table(self._duckdb_url, time, events, zone)
        for kind in ("DateTime64(6, 'Asia/Kolkata')", "Int64", "String"):
            yield f"clickhouse {kind}", self._clickhouse(kind, events, zone)

    def _write_csv(self, events: Events, path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["ts", "api key", 'path"', "status", "deployment", "ip"])
            for event in events:
                writer.writerow([event.at.isoformat(" "), *_row(event)])

    def _write_jsonl(self, events: Events, path: Path) -> None:
        with path.open("w", encoding="utf-8") as stream:
            for event in events:
                at = event.at.astimezone(ZoneInfo("Asia/Kolkata")).isoformat()
                names = ["ts", "api key", 'path"', "status", "deployment", "ip"]
                stream.write(json.dumps(dict(zip(names, [at, *_row(event)], strict=True))) + "\n")

    def _write_parquet(self, events: Events, path: Path) -> None:
        frame = pd.DataFrame([[event.at, *_row(event)] for event in events], columns=_names())
        kinds = dict.fromkeys(("api key", 'path"', "deployment", "ip"), "string")
        frame.astype({"ts": "datetime64[us, UTC]", "status": "int64", **kinds}).to_parquet(path)

    def _clickhouse(self, kind: str, events: Events, zone: ZoneInfo) -> Source:
        with self._embedded.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS events"))
            time = {"Int64": BigInteger(), "String": String()}.get(kind, DateTime(timezone=True))
            # Instants are written in UTC; the column gets its zone afterwards.
            written = "DateTime64(6, 'UTC')" if isinstance(time, DateTime) else kind
            connection.execute(text(CLICKHOUSE_TABLE.format(kind=written)))
            if events:
                rows = [[_stored(event.at, time), *_row(event)] for event in events]
                table = Table("events", MetaData(), autoload_with=connection)
                connection.execute(table.insert(), [dict(zip(_names(), row, strict=True)) for row in rows])
            # The type changes how instants are written and compared, not the instants.
            connection.execute(text(f"ALTER TABLE events MODIFY COLUMN ts {kind}"))
        return open_source(SqlSource(url=CLICKHOUSE, usage="events", columns=COLUMNS), zone)

    def _table(self, url: str, time: Any, events: Events, zone: ZoneInfo) -> Source:
        engine = create_engine(url, poolclass=NullPool)
        kinds = [time, String(), String(), Integer(), String(), String()]
        table = Table("events", MetaData(), *map(Column, _names(), kinds))
        with engine.begin() as connection:
            table.drop(connection, checkfirst=True)
            table.create(connection)
            if events:
                rows = [
                    dict(zip(_names(), [_stored(event.at, time), *_row(event)], strict=True)) for event in events
                ]
                connection.execute(table.insert(), rows)
        engine.dispose()
        return open_source(SqlSource(url=url, usage="events", columns=COLUMNS), zone)


def _names() -> list[str]:
    return ["ts", "api key", 'path"', "status", "deployment", "ip"]


def _row(event: Event) -> list[Any]:
    return [event.key, event.endpoint, event.status, event.deployment, event.client]


def _stored(at: datetime, time: Any) -> Any:
    if isinstance(time, String):
        return at.isoformat().replace("+00:00", "Z")
    if isinstance(time, BigInteger):
        return int(at.timestamp()) * 1_000_000 + at.microsecond
    return at if time.timezone else at.replace(tzinfo=None)


def _plain(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The rows of a frame as plain values."""
    return [tuple(map(_value, row)) for row in frame.itertuples(index=False)]


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return map_of(value)
    return None if pd.isna(value) else value


def _by_hand(events: Events, zone: ZoneInfo, day: date) -> list[tuple[Any, ...]]:
    """The records of a day, counted one event at a time."""
    rows = []
    current = [event for event in events if event.at.astimezone(zone).date() == day]
    for key in sorted({event.key for event in current}):
        own = [event for event in current if event.key == key]
        endpoints = Counter(fold_endpoint(event.endpoint) if event.endpoint else "(unknown)" for event in own)
        deployments = Counter(event.deployment for event in own if event.deployment)
        clients = len({event.client for event in own if event.client})
        errors = sum(event.status >= 400 for event in own)
        last = pd.Timestamp(max(event.at for event in own))
        rows.append((key, len(own), errors, map_of(endpoints), map_of(deployments), clients or None, last))
    return rows


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Engines:
    """The engines, with a folder for their files."""
    return Engines(tmp_path_factory.mktemp("engines"), postgres_url)


careful = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@careful
@given(case=events_around_a_clock_change())
def test_every_engine_counts_as_a_count_by_hand(engines: Engines, case: Any) -> None:
    """Files and databases give the same records on days when clocks change."""
    zone, changed, events = case
    first = changed - timedelta(days=2)
    last = changed + timedelta(days=2)
    days = [first + timedelta(days=number) for number in range(5)]
    expected = [(day, _by_hand(events, zone, day)) for day in days]
    for name, source in chain(engines.sources(events, zone), engines.variants(events, zone)):
        answered = [(day, _plain(frame)) for day, frame in source.usage(first, last)]
        assert answered == expected, name


@careful
@given(case=events_around_a_clock_change(), share=st.integers(0, 25))
def test_the_whole_is_the_merge_of_its_parts(engines: Engines, case: Any, share: int) -> None:
    """by_key(a + b) == merge(by_key(a), by_key(b)) in every engine. Distinct clients cannot be added."""
    zone, day, events = case

    def records(part: Events) -> dict[str, pd.DataFrame]:
        return {name: dict(source.usage(day, day))[day] for name, source in engines.sources(part, zone)}

    all_records = records(events)
    first_part = records(events[:share])
    second_part = records(events[share:])
    for name, whole in all_records.items():
        merged = merge([first_part[name], second_part[name]])
        assert _plain(whole.drop(columns="client_count")) == _plain(merged.drop(columns="client_count")), name


@careful
@given(case=events_around_a_clock_change())
def test_every_engine_knows_the_same_past(engines: Engines, case: Any) -> None:
    """First and last use before a day, and the watermark, are the same in every engine."""
    zone, day, events = case
    before = [event for event in events if event.at.astimezone(zone).date() < day]
    expected = []
    for key in sorted({event.key for event in before}):
        used = [event.at for event in before if event.key == key]
        expected.append((key, min(used).astimezone(zone).date(), pd.Timestamp(max(used))))
    watermark = max((event.at for event in events), default=None)
    for name, source in engines.sources(events, zone):
        assert _plain(source.activity_before(day)) == expected, name
        assert source.watermark() == watermark, name
