"""The sql source on SQLite, whose columns hold anything, and on a database that goes away."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import stamina
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from detector.config.source import SqlSource
from detector.model.errors import MisconfiguredSourceError, SourceError
from detector.model.usage import Accounting
from detector.sources.faults import BAD_STATUS
from detector.sources.sql import reader as reading
from detector.usage.aggregation import map_of
from tests.databases import DAY, EVENTS, counted, faults, reader, sqlite

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = "day, key_id, endpoint, deployment, request_count, error_count, last_activity"


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-02 23:30:00",
        "2026-01-02T23:30:00Z",
        "2026-01-02T23:30:00.000000Z",
        "2026-01-03T00:30:00+01:00",
        "2026-01-03 00:30:00+0100",
        "20260102T233000Z",
        1767396600,
        1767396600.0,
        1767396600000,
        "1767396600",
    ],
)
def test_sqlite_times_in_every_format_are_read(tmp_path: Path, time: Any) -> None:
    """Text without a zone is UTC; numbers are seconds or milliseconds by their size."""
    source = reader(sqlite(tmp_path, EVENTS, [(time, "a", "/x", 200, None)]))
    assert source.watermark() == datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    assert counted(source) == {"a": (1, 0)}


def test_microseconds_at_midnight_fall_on_their_own_day(tmp_path: Path) -> None:
    """Rounding would move the last microsecond to the next day."""
    times = ["2026-01-02T22:59:59.999999Z", "2026-01-02T23:00:00.000000Z"]
    source = reader(sqlite(tmp_path, EVENTS, [(time, "a", "/x", 200, None) for time in times]), BERLIN)
    counted = [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))]
    assert counted == [[1], [1]]


def test_rows_that_cannot_be_used_are_counted_in_the_database(tmp_path: Path) -> None:
    """A row without a usable time belongs to no day. A missing key and a wrong status are faults of their day."""
    rows = [
        (None, "a", "/x", 200, None),
        ("soon", "a", "/x", 200, None),
        ("9999-12-31", "a", "/x", 200, None),
        ("2026-01-02T10:00:00Z", None, "/x", 200, None),
        ("2026-01-02T10:00:00Z", "  ", "/y", 200, None),
        ("2026-01-02T10:00:00Z", "a", "/x", "odd", None),
        ("2026-01-02T10:00:00Z", "a", "/x", "404", None),
    ]
    source = reader(sqlite(tmp_path, EVENTS, rows))
    pulled = [(day, len(frame)) for day, frame in source.usage(DAY, date(2026, 1, 3))]
    assert pulled == [(DAY, 1), (date(2026, 1, 3), 0)]
    found = {fault.reason: (fault.count, fault.dated) for fault in source.faults(DAY)}
    assert found == {
        "missing or unreadable timestamp": (3, False),
        "no key id, not attributable to a key": (2, True),
        BAD_STATUS: (1, True),
    }
    assert [fault.count for fault in source.faults(date(2026, 1, 3))] == [3]
    assert "2026-01-02: /x" in source.faults(DAY)[0].samples
    assert counted(source) == {"a": (2, 2)}


def test_samples_hold_no_secret(tmp_path: Path) -> None:
    """A text that looks like a token is cut to four characters."""
    secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    source = reader(sqlite(tmp_path, EVENTS, [(secret, secret, "/x", 200, None)]))
    list(source.usage(DAY, DAY))
    (sample,) = source.faults(DAY)[0].samples
    assert sample == "timestamp sk_l…, key sk_l…"


def test_clients_are_counted_once_per_key_and_day(tmp_path: Path) -> None:
    """Distinct addresses over all endpoints; null where none is known."""
    requests = [("a", "/x", "1"), ("a", "/y", "1"), ("a", "/y", "2"), ("b", "/x", None)]
    rows = [("2026-01-02T10:00:00Z", key, endpoint, 200, client) for key, endpoint, client in requests]
    ((_, frame),) = reader(sqlite(tmp_path, EVENTS, rows)).usage(DAY, DAY)
    assert frame["client_count"].fillna(-1).tolist() == [2, -1]


def test_an_event_that_was_stored_twice_counts_once(tmp_path: Path) -> None:
    """An event id is unique within a day, so that a day counts the same whatever days are read with it. Events
    without an id are all different."""
    ids = [("e1", 2), ("e1", 2), ("e1", 3), ("e2", 3), (None, 3), (None, 3)]
    rows = [(f"2026-01-0{day}T10:00:00Z", "a", identity) for identity, day in ids]
    url = sqlite(tmp_path, "timestamp, key_id, event_id", rows)
    source = reader(url, columns={"event_id": "event_id"})
    counted = [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))]
    assert counted == [[1], [4]]


def test_error_columns_of_any_kind_are_read(tmp_path: Path) -> None:
    """False, zero, blank and none mean no error; any other text is an error."""
    marks = [None, "", "false", 0, "No", 1, "True", "AccessDenied"]
    rows = [("2026-01-02T10:00:00Z", f"k{number}", mark) for number, mark in enumerate(marks)]
    source = reader(sqlite(tmp_path, "timestamp, key_id, error", rows))
    assert {key for key, (_, errors) in counted(source).items() if errors} == {"k5", "k6", "k7"}


def test_daily_rows_are_already_local_and_counted(tmp_path: Path) -> None:
    """The day is the local day as written. Without a last activity the last use is the start of that day."""
    rows = [
        ("2026-01-02", "a", "/x", "production", 7, 2, "2026-01-02T08:00:00Z"),
        ("2026-01-02T00:00:00+01:00", "a", "/y", None, 3.0, None, None),
        ("2026-01-02", "b", "/x", None, "4", 1, None),
        ("2026-01-02", "c", "/x", None, 0, 0, "2025-06-01T12:00:00Z"),
    ]
    source = reader(sqlite(tmp_path, DAILY, rows), BERLIN, shape="daily")
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["request_count"].tolist() == [10, 4]
    assert map_of(frame["deployments"][0]) == {"production": 7}
    assert frame["last_used"].tolist() == [
        pd.Timestamp("2026-01-02T08:00Z"),
        pd.Timestamp("2026-01-01T23:00Z"),
    ]
    assert source.watermark() == datetime(2026, 1, 2, 8, tzinfo=UTC)
    past = source.activity_before(date(2026, 1, 3))
    assert past["key_id"].tolist() == ["a", "b", "c"]
    assert past["first_seen"].tolist() == [DAY, DAY, date(2025, 6, 1)]


def test_daily_values_that_are_no_counts_are_faults(tmp_path: Path) -> None:
    """Negative, broken, infinite and missing counts are faults. More errors than requests are cut."""
    counts = [(-1, 0), ("x", 0), (float("inf"), 0), (1.5, 0), (None, 0), (5, 9), (5, -1), (5, "x"), (0, 0)]
    rows = [("2026-01-02", f"k{n}", "/x", None, *pair, None) for n, pair in enumerate(counts)]
    source = reader(sqlite(tmp_path, DAILY, [*rows, ("soon", "k", "/x", None, 1, 0, None)]), shape="daily")
    assert counted(source) == {"k5": (5, 5), "k6": (5, 0), "k7": (5, 0)}
    assert faults(source) == {
        "request_count is not a count": 5,
        "error_count above request_count, taken as request_count": 1,
        "error_count is not a count, taken as 0": 2,
        "missing or unreadable day": 1,
    }


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    """Table and columns are looked up by name and never become part of the SQL text unquoted."""
    quoted = '''"ke""y; DROP TABLE 'x' --"'''
    url = sqlite(tmp_path, f"timestamp, {quoted}", [("2026-01-02T10:00:00Z", "a")], '"us age"";"')
    source = reader(url, usage='us age";', columns={"key_id": """ke"y; DROP TABLE 'x' --"""})
    assert counted(source) == {"a": (1, 0)}


def test_a_missing_table_or_column_names_the_nearest(tmp_path: Path) -> None:
    """The error suggests the name that was probably meant."""
    url = sqlite(tmp_path, EVENTS, [])
    with pytest.raises(SourceError, match=r"no table 'usages', did you mean usage"):
        reader(url, usage="usages").watermark()
    with pytest.raises(SourceError, match=r"no column 'kee_id' for key_id, did you mean key_id"):
        reader(url, columns={"key_id": "kee_id"}).watermark()


def test_a_missing_sqlite_file_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    """SQLite would create the file, and the report would show no usage."""
    with pytest.raises(SourceError, match="there is no database"):
        reader(f"sqlite:///{tmp_path}/none.db").watermark()
    assert not (tmp_path / "none.db").exists()


def test_an_empty_table_has_no_usage(tmp_path: Path) -> None:
    """It has no watermark, no past and no faults either."""
    source = reader(sqlite(tmp_path, EVENTS, []))
    assert counted(source) == {}
    assert source.watermark() is None
    assert len(source.activity_before(DAY)) == 0
    assert source.faults(DAY) == ()


def test_the_register_is_read_from_its_table(tmp_path: Path) -> None:
    """Its key id may have the name key_id. Its faults are repeated with every day."""
    url = sqlite(tmp_path, "timestamp, api_key", [])
    rows = [("a", "shop", "Live", 1767348000), ("b", None, "prod", "soon")]
    sqlite(tmp_path, "key_id, label, environment, created_at", rows, "keys")
    source = reader(url, keys="keys", columns={"key_id": "api_key", "name": "label"})
    register = source.keys()
    assert register["name"].fillna("").tolist() == ["shop", ""]
    assert register["environment"].tolist() == ["live", "unknown"]
    assert register["created_at"][0] == pd.Timestamp("2026-01-02T10:00Z")
    found = faults(source)
    assert found == {
        "register: created_at is not a time": 1,
        "register: environment is neither live nor test": 1,
    }


@pytest.mark.parametrize(
    ("scheme", "advice"),
    [
        ("nosuchdatabase", "install its driver; the known databases are postgresql+psycopg, sqlite, "),
        ("postgres", "write postgresql+psycopg://, and pip install 'key-usage-detector[postgresql]'"),
        ("mysql", "write mysql+pymysql://, and pip install 'key-usage-detector[mysql]'"),
        ("mariadb", "write mysql+pymysql://, and pip install 'key-usage-detector[mysql]'"),
    ],
)
def test_a_missing_driver_is_an_error_that_says_what_to_write(scheme: str, advice: str) -> None:
    """SQLAlchemy names a module that nobody wants, or none."""
    with pytest.raises(MisconfiguredSourceError, match="no driver for this url") as caught:
        reader(f"{scheme}://somewhere/usage").watermark()
    assert advice in str(caught.value)


def test_the_register_may_come_from_a_query(tmp_path: Path) -> None:
    """A query may join tables and rename columns."""
    url = sqlite(tmp_path, "id, title, kind", [("a", "Shop", "production"), ("b", "Lab", "sandbox")], "api_keys")
    query = """
        SELECT id AS key_id, title AS name, CASE kind WHEN 'production' THEN 'live' ELSE 'test' END AS environment
        FROM api_keys"""
    register = reader(url, keys_query=query).keys()
    assert register[["key_id", "name", "environment"]].to_numpy().tolist() == [
        ["a", "Shop", "live"],
        ["b", "Lab", "test"],
    ]


def test_without_a_register_there_are_no_keys(tmp_path: Path) -> None:
    """Keys are then those that make requests."""
    register = reader(sqlite(tmp_path, EVENTS, [])).keys()
    assert len(register) == 0
    assert "environment" in register


class Connections:
    """SQLite's connections: the open ones, and how many of the next ones are refused."""

    def __init__(self, connect: Callable[..., sqlite3.Connection]) -> None:
        self._connect = connect
        self.asked = 0
        self.refused = 0
        self.opened: list[sqlite3.Connection] = []

    def __call__(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """Connect, unless this one is refused."""
        self.asked += 1
        if self.refused:
            self.refused -= 1
            raise sqlite3.OperationalError("the server is restarting")
        self.opened.append(self._connect(*arguments, **options))
        return self.opened[-1]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    """The connections from now on; attempts follow one another without a pause."""
    connect = Connections(sqlite3.dbapi2.connect)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect)
    with stamina.set_testing(True, attempts=3):
        yield connect


def one_request(day: int) -> tuple[Any, ...]:
    """A request on a day of January."""
    return (f"2026-01-{day:02}T10:00:00Z", "a", "/x", 200, None)


def test_a_database_that_was_there_is_asked_again(
    tmp_path: Path, connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that cannot be had after an answer means a restart. Each attempt is a warning."""
    source = reader(sqlite(tmp_path, EVENTS, [one_request(2)]))
    source.watermark()
    connections.refused = 2
    assert source.watermark() == datetime(2026, 1, 2, 10, tzinfo=UTC)
    assert len(caplog.messages) == 2
    assert all(message.endswith("; trying again") for message in caplog.messages)


def test_a_database_that_stays_away_is_an_error(tmp_path: Path, connections: Connections) -> None:
    """After the last attempt."""
    source = reader(sqlite(tmp_path, EVENTS, [one_request(2)]))
    source.watermark()
    connections.refused = 3
    with pytest.raises(SourceError, match="did not answer: the server is restarting"):
        source.watermark()
    assert connections.refused == 0


def test_a_database_that_never_answered_is_asked_once(tmp_path: Path, connections: Connections) -> None:
    """A wrong address does not become right by waiting."""
    source = reader(sqlite(tmp_path, EVENTS, [one_request(2)]))
    connections.asked, connections.refused = 0, 1
    with pytest.raises(SourceError, match="did not answer"):
        source.watermark()
    assert connections.asked == 1


def test_a_connection_that_breaks_off_is_taken_up_again(
    tmp_path: Path, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each day is given once and whole, whatever the first connection had given of it."""
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", 1)
    source = reader(sqlite(tmp_path, EVENTS, [one_request(day) for day in (2, 2, 3, 4)]))
    given = []
    for day, frame in source.usage(DAY, date(2026, 1, 4)):
        if not given:
            connections.opened[-1].close()
        given.append((day.day, frame["request_count"].tolist()))
    assert given == [(2, [2]), (3, [1]), (4, [1])]


def test_a_statement_that_fails_is_not_asked_again(tmp_path: Path, connections: Connections) -> None:
    """Its fault is its own."""
    url = sqlite(tmp_path, "id", [], "api_keys")
    connections.asked = 0
    with pytest.raises(SourceError, match="refused: no such table"):
        reader(url, keys_query="SELECT id AS key_id FROM no_table").keys()
    assert connections.asked == 1


def test_days_without_rows_are_empty_wherever_they_lie(tmp_path: Path) -> None:
    """Before, between and after days with rows, of requests and of daily rows alike."""
    rows = [one_request(day) for day in (2, 3, 5)]
    source = reader(sqlite(tmp_path, EVENTS, rows))
    counts = [len(frame) for _, frame in source.usage(date(2026, 1, 1), date(2026, 1, 6))]
    assert counts == [0, 1, 1, 0, 1, 0]
    daily = [(f"2026-01-0{day}", "a", "/x", None, 1, 0, None) for day in (2, 3, 5)]
    sqlite(tmp_path, DAILY, daily, "daily")
    source = reader(f"sqlite:///{tmp_path}/usage.db", shape="daily", usage="daily")
    assert [len(frame) for _, frame in source.usage(date(2026, 1, 1), date(2026, 1, 6))] == counts


def test_rows_of_the_first_and_last_instant_of_a_period_belong_to_it(tmp_path: Path) -> None:
    """Those of the instants beside them do not."""
    edges = ["2026-01-01T23:59:59.999999Z", "2026-01-02T00:00:00Z", "2026-01-03T23:59:59.999999Z"]
    rows = [(edge, "a", "/x", 200, None) for edge in (*edges, "2026-01-04T00:00:00Z")]
    source = reader(sqlite(tmp_path, EVENTS, rows))
    assert [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))] == [[1], [1]]


def test_daily_rows_of_the_first_and_last_day_belong_to_a_period(tmp_path: Path) -> None:
    """Those of the days beside them do not."""
    rows = [(f"2026-01-0{day}", "a", "/x", None, day, 0, None) for day in (1, 2, 3, 4)]
    source = reader(sqlite(tmp_path, DAILY, rows), shape="daily")
    assert [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))] == [[2], [3]]


def test_daily_errors_may_be_as_many_as_the_requests(tmp_path: Path) -> None:
    """A key that fails every time has no fault."""
    source = reader(sqlite(tmp_path, DAILY, [("2026-01-02", "a", "/x", None, 5, 5, None)]), shape="daily")
    assert counted(source) == {"a": (5, 5)}
    assert faults(source) == {}


def test_a_daily_activity_that_is_no_time_is_a_fault(tmp_path: Path) -> None:
    """The requests count all the same; the sample tells the row."""
    row = ("2026-01-02", "a", "/x", None, 5, 0, "soon")
    source = reader(sqlite(tmp_path, DAILY, [row]), shape="daily")
    assert counted(source) == {"a": (5, 0)}
    (fault,) = source.faults(DAY)
    assert fault.count == 1
    assert "last_activity soon, key a" in fault.samples[0]


def test_a_rollup_needs_no_counts(tmp_path: Path) -> None:
    """A row without them is one request without errors."""
    source = reader(sqlite(tmp_path, "day, key_id", [("2026-01-02", "a"), ("2026-01-02", "a")]), shape="daily")
    assert counted(source) == {"a": (2, 0)}
    assert source.watermark() == datetime(2026, 1, 2, tzinfo=UTC)
    assert source.activity_before(date(2026, 1, 3))["first_seen"].tolist() == [DAY]


def test_requests_need_no_status(tmp_path: Path) -> None:
    """Without a status and an error column there are no errors."""
    source = reader(sqlite(tmp_path, "timestamp, key_id", [("2026-01-02T10:00:00Z", "a")]))
    assert counted(source) == {"a": (1, 0)}


def test_the_past_ends_at_the_start_of_the_day(tmp_path: Path) -> None:
    """For requests by the instant, for daily rows by the day; a day of zero requests is no use."""
    edges = [("2026-01-01T23:59:59.999999Z", "before"), ("2026-01-02T00:00:00Z", "on the day")]
    source = reader(sqlite(tmp_path, "timestamp, key_id", edges))
    assert source.activity_before(DAY)["key_id"].tolist() == ["before"]
    daily = [("2026-01-01", "before", 1), ("2026-01-02", "on the day", 1), ("2026-01-01", "idle", 0)]
    sqlite(tmp_path, "day, key_id, request_count", daily, "daily")
    source = reader(f"sqlite:///{tmp_path}/usage.db", shape="daily", usage="daily")
    assert source.activity_before(DAY)["key_id"].tolist() == ["before"]


def test_days_of_zero_requests_do_not_bound_the_past(tmp_path: Path) -> None:
    """First and last use are days with requests."""
    rows = [(f"2026-01-0{day}", "a", requests) for day, requests in ((1, 0), (2, 1), (3, 1), (4, 0))]
    source = reader(sqlite(tmp_path, "day, key_id, request_count", rows), shape="daily")
    past = source.activity_before(date(2026, 1, 5))
    assert past["first_seen"].tolist() == [DAY]
    assert past["last_seen"].dt.day.tolist() == [3]


def test_the_watermark_is_that_of_the_latest_day(tmp_path: Path) -> None:
    """Later days count before later activity on earlier ones."""
    rows = [("2026-01-02", "a", 1, "2026-01-03T08:00:00Z"), ("2026-01-03", "a", 1, None)]
    source = reader(sqlite(tmp_path, "day, key_id, request_count, last_activity", rows), shape="daily")
    assert source.watermark() == datetime(2026, 1, 3, tzinfo=UTC)


def test_an_event_is_counted_once_for_its_key(tmp_path: Path) -> None:
    """An id removes repeats within one key alone, so that no caller can hide the requests of another."""
    copies = [("09:00", None), ("10:00", "b"), ("11:00", "a"), ("11:30", " a"), ("12:00", "b")]
    rows = [(f"2026-01-02T{at}:00Z", key, "e1") for at, key in copies]
    url = sqlite(tmp_path, "timestamp, key_id, event_id", rows)
    source = reader(url, columns={"event_id": "event_id"})
    assert counted(source) == {"a": (1, 0), "b": (1, 0)}
    assert source.accounting(DAY) == Accounting(counted=2, keyless=1, repeated=2)


def test_requests_without_a_deployment_are_in_the_configured_one(tmp_path: Path) -> None:
    """A stated one stands."""
    rows = [("2026-01-02T10:00:00Z", "a", deployment) for deployment in ("staging", None)]
    url = sqlite(tmp_path, "timestamp, key_id, deployment", rows)
    ((_, frame),) = reader(url, deployment="production").usage(DAY, DAY)
    assert map_of(frame["deployments"][0]) == {"production": 1, "staging": 1}


def test_each_fault_has_three_samples_and_is_counted_once(tmp_path: Path) -> None:
    """The first three texts in order are shown."""
    rows = [("2026-01-02T10:00:00Z", None, f"/{letter}", 200, None) for letter in "dcab"]
    source = reader(sqlite(tmp_path, EVENTS, rows))
    assert faults(source) == {"no key id, not attributable to a key": 4}
    (fault,) = source.faults(DAY)
    assert fault.samples == ("2026-01-02: /a", "2026-01-02: /b", "2026-01-02: /c")


def test_a_missing_table_of_another_schema_is_named_in_full(tmp_path: Path) -> None:
    """And compared with the tables of that schema."""
    with pytest.raises(SourceError, match=r"no table .main\.usages., did you mean usage"):
        reader(sqlite(tmp_path, EVENTS, []), usage="main.usages").watermark()
    assert reader(f"sqlite:///{tmp_path}/usage.db", usage="main.usage").watermark() is None


def test_the_columns_that_are_read_are_told(tmp_path: Path) -> None:
    """Our names and theirs."""
    url = sqlite(tmp_path, "at, api_key", [])
    assert reader(url, columns={"timestamp": "at", "key_id": "api_key"}).columns() == {
        "timestamp": "at",
        "key_id": "api_key",
    }


def test_an_error_of_the_driver_is_shown_without_the_password(tmp_path: Path) -> None:
    """Some drivers repeat the password in their text."""
    configured = SqlSource(url="postgresql+psycopg://reader:opensesame@127.0.0.1/usage", usage="requests")
    engine = create_engine(configured.url)
    error = OperationalError("SELECT 1", {}, RuntimeError("login with opensesame was refused"))
    url = sqlite(tmp_path, EVENTS, [])
    text = str(reader(url)._failure(error, engine))
    assert "was refused" in text
    assert "opensesame" not in text


def test_an_empty_daily_table_has_no_watermark(tmp_path: Path) -> None:
    """There is no latest day."""
    url = sqlite(tmp_path, "day, key_id, request_count", [])
    assert reader(url, shape="daily").watermark() is None


def test_the_first_use_of_a_key_in_events_is_its_first_request(tmp_path: Path) -> None:
    """The day of the first request and the instant of the last one before the day asked for."""
    rows = [("2026-01-01T08:00:00Z", "a"), ("2026-01-03T09:00:00Z", "a")]
    url = sqlite(tmp_path, "timestamp, key_id", rows)
    (known,) = reader(url).activity_before(date(2026, 1, 4)).to_dict("records")
    assert known["first_seen"] == date(2026, 1, 1)
    assert known["last_seen"] == datetime(2026, 1, 3, 9, tzinfo=UTC)
