"""Databases: SQLite, whose columns hold anything, and a real PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import stamina
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url

from detector.config.source import SqlSource
from detector.model.errors import SourceError
from detector.sources.sql.reader import SqlReader
from detector.usage.aggregation import map_of

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*ServerCursorMixin")
"""The driver complains of a cursor that nobody can close, as its connection is gone."""

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 1, 2)
EVENTS = "timestamp, key_id, endpoint, status, client"


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Connection]:
    """A connection to a database with nothing in it."""
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS other CASCADE"))
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.commit()
        yield connection
    engine.dispose()


def sqlite(folder: Path, columns: str, rows: Sequence[Sequence[Any]], table: str = "usage") -> str:
    """The URL of a SQLite database with one table; its columns have no type."""
    path = folder / "usage.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join("?" * (columns.count(",") + 1))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    connection.close()
    return f"sqlite:///{path}"


def reader(url: str, zone: ZoneInfo = UTC_ZONE, **options: Any) -> SqlReader:
    """A source over the table ``usage``."""
    return SqlReader(SqlSource(url=url, **{"usage": "usage", **options}), zone)


def day(source: SqlReader, day: date = DAY) -> dict[str, tuple[int, int]]:
    """Requests and errors by key on one day."""
    ((_, frame),) = source.usage(day, day)
    return {key: (requests, errors) for key, requests, errors in frame.iloc[:, :3].itertuples(index=False)}


def faults(source: SqlReader, day: date = DAY) -> dict[str, int]:
    """Faults of one day, which is pulled: reason to count."""
    list(source.usage(day, day))
    return {fault.reason: fault.count for fault in source.faults(day)}


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
def test_sqlite_times_in_every_form_are_understood(tmp_path: Path, time: Any) -> None:
    """Text without a zone is UTC; numbers are seconds or milliseconds by their size."""
    source = reader(sqlite(tmp_path, EVENTS, [(time, "a", "/x", 200, None)]))
    assert source.watermark() == datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    assert day(source) == {"a": (1, 0)}


def test_microseconds_at_midnight_fall_on_their_own_day(tmp_path: Path) -> None:
    """Rounding would move the last of them to the next day."""
    times = ["2026-01-02T22:59:59.999999Z", "2026-01-02T23:00:00.000000Z"]
    source = reader(sqlite(tmp_path, EVENTS, [(time, "a", "/x", 200, None) for time in times]), BERLIN)
    counted = [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))]
    assert counted == [[1], [1]]


def test_rows_that_cannot_be_used_are_counted_in_the_database(tmp_path: Path) -> None:
    """Times that are none belong to no day; missing keys and odd statuses to theirs."""
    rows = [
        (None, "a", "/x", 200, None),
        ("soon", "a", "/x", 200, None),
        ("9999-12-31", "a", "/x", 200, None),
        ("2026-01-02T10:00:00Z", None, "/x", 200, None),
        ("2026-01-02T10:00:00Z", "  ", "/y", 200, None),
        ("2026-01-02T10:00:00Z", "a", "/x", "-", None),
        ("2026-01-02T10:00:00Z", "a", "/x", "404", None),
    ]
    source = reader(sqlite(tmp_path, EVENTS, rows))
    pulled = [(day, len(frame)) for day, frame in source.usage(DAY, date(2026, 1, 3))]
    assert pulled == [(DAY, 1), (date(2026, 1, 3), 0)]
    told = {fault.reason: (fault.count, fault.dated) for fault in source.faults(DAY)}
    assert told == {
        "missing or unreadable timestamp": (3, False),
        "no key id: not attributable to a key": (2, True),
        "status is not a number, taken as no error": (1, True),
    }
    assert [fault.count for fault in source.faults(date(2026, 1, 3))] == [3]
    assert "2026-01-02: /x" in source.faults(DAY)[0].samples
    assert day(source) == {"a": (2, 1)}


def test_samples_hold_no_secret(tmp_path: Path) -> None:
    """Whatever looks like a token is cut to four characters."""
    secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
    source = reader(sqlite(tmp_path, EVENTS, [(secret, secret, "/x", 200, None)]))
    list(source.usage(DAY, DAY))
    (sample,) = source.faults(DAY)[0].samples
    assert sample == "timestamp sk_l…, key sk_l…"


def test_clients_are_counted_once_per_key_and_day(tmp_path: Path) -> None:
    """Distinct addresses over all endpoints; null where none is known."""
    seen = [("a", "/x", "1"), ("a", "/y", "1"), ("a", "/y", "2"), ("b", "/x", None)]
    rows = [("2026-01-02T10:00:00Z", key, endpoint, 200, client) for key, endpoint, client in seen]
    ((_, frame),) = reader(sqlite(tmp_path, EVENTS, rows)).usage(DAY, DAY)
    assert frame["client_count"].fillna(-1).tolist() == [2, -1]


def test_an_event_that_was_stored_twice_counts_once(tmp_path: Path) -> None:
    """Event ids are unique over the whole window; events without an id are all different."""
    ids = [("e1", 2), ("e1", 3), ("e2", 3), (None, 3), (None, 3)]
    rows = [(f"2026-01-0{day}T10:00:00Z", "a", identity) for identity, day in ids]
    source = reader(sqlite(tmp_path, "timestamp, key_id, event_id", rows))
    counted = [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))]
    assert counted == [[1], [3]]


def test_error_columns_of_any_kind_are_understood(tmp_path: Path) -> None:
    """False, zero, blank and none are no errors; anything else is."""
    marks = [None, "", "false", 0, "No", 1, "True", "AccessDenied"]
    rows = [("2026-01-02T10:00:00Z", f"k{number}", mark) for number, mark in enumerate(marks)]
    source = reader(sqlite(tmp_path, "timestamp, key_id, error", rows))
    assert {key for key, (_, errors) in day(source).items() if errors} == {"k5", "k6", "k7"}


DAILY = "day, key_id, endpoint, deployment, request_count, error_count, last_activity"


def test_daily_rows_are_already_local_and_counted(tmp_path: Path) -> None:
    """The day stands as written; without a last activity the last use is the start of that local day."""
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


def test_daily_counts_that_are_none_are_faults(tmp_path: Path) -> None:
    """Negative, broken, endless and missing counts are told, and errors beyond the requests clipped."""
    counts = [(-1, 0), ("x", 0), (float("inf"), 0), (1.5, 0), (None, 0), (5, 9), (5, -1), (5, "x"), (0, 0)]
    rows = [("2026-01-02", f"k{n}", "/x", None, *pair, None) for n, pair in enumerate(counts)]
    source = reader(sqlite(tmp_path, DAILY, [*rows, ("soon", "k", "/x", None, 1, 0, None)]), shape="daily")
    assert day(source) == {"k5": (5, 5), "k6": (5, 0), "k7": (5, 0)}
    assert faults(source) == {
        "request_count is not a count": 5,
        "error_count above request_count, taken as request_count": 1,
        "error_count is not a count, taken as 0": 2,
        "missing or unreadable day": 1,
    }


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    """Table and columns are looked up, never pasted."""
    quoted = '''"ke""y; DROP TABLE 'x' --"'''
    url = sqlite(tmp_path, f"timestamp, {quoted}", [("2026-01-02T10:00:00Z", "a")], '"us age"";"')
    source = reader(url, usage='us age";', columns={"key_id": """ke"y; DROP TABLE 'x' --"""})
    assert day(source) == {"a": (1, 0)}


def test_a_missing_table_or_column_names_the_nearest(tmp_path: Path) -> None:
    """The error says what there is."""
    url = sqlite(tmp_path, EVENTS, [])
    with pytest.raises(SourceError, match=r"no table 'usages', did you mean usage"):
        reader(url, usage="usages").watermark()
    with pytest.raises(SourceError, match=r"no column 'kee_id' for key_id, did you mean key_id"):
        reader(url, columns={"key_id": "kee_id"}).watermark()


def test_a_missing_sqlite_file_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    """SQLite would create it and report an empty fleet."""
    with pytest.raises(SourceError, match="there is no database"):
        reader(f"sqlite:///{tmp_path}/none.db").watermark()
    assert not (tmp_path / "none.db").exists()


def test_an_empty_table_holds_nothing(tmp_path: Path) -> None:
    """No usage, no watermark, no past, no faults."""
    source = reader(sqlite(tmp_path, EVENTS, []))
    assert day(source) == {}
    assert source.watermark() is None
    assert len(source.activity_before(DAY)) == 0
    assert source.faults(DAY) == ()


def test_the_register_is_read_from_its_table(tmp_path: Path) -> None:
    """Its key id may be named plainly; what is wrong in it comes with every day."""
    url = sqlite(tmp_path, "timestamp, api_key", [])
    rows = [("a", "shop", "Live", 1767348000), ("b", None, "prod", "soon")]
    sqlite(tmp_path, "key_id, label, environment, created_at", rows, "keys")
    source = reader(url, keys="keys", columns={"key_id": "api_key", "name": "label"})
    register = source.keys()
    assert register["name"].fillna("").tolist() == ["shop", ""]
    assert register["environment"].tolist() == ["live", "unknown"]
    assert register["created_at"][0] == pd.Timestamp("2026-01-02T10:00Z")
    told = faults(source)
    assert told == {
        "register: created_at is not a time": 1,
        "register: environment is neither live nor test": 1,
    }


@pytest.mark.parametrize(
    "kind", ["timestamp", "timestamptz", "date", "integer", "bigint", "numeric", "double precision", "text"]
)
def test_postgresql_times_of_every_type_are_understood(postgres: Connection, postgres_url: str, kind: str) -> None:
    """A timestamp without time zone is UTC, whatever the session says; numbers are epochs; text is ISO."""
    numeric = kind in ("integer", "bigint", "numeric", "double precision")
    value = "1767394800" if numeric else "'2026-01-02'" if kind == "date" else "'2026-01-02 23:00:00'"
    postgres.execute(text("SET TIME ZONE 'UTC'"))
    postgres.execute(text(f"CREATE TABLE usage (timestamp {kind} NOT NULL, key_id text, status numeric)"))
    postgres.execute(text(f"INSERT INTO usage VALUES ({value}, 'a', 404), ({value}, 'a', 'NaN')"))
    postgres.execute(text("ALTER ROLE postgres SET timezone TO 'America/New_York'"))
    postgres.commit()
    try:
        source = reader(postgres_url, BERLIN)
        day = DAY if kind == "date" else date(2026, 1, 3)
        ((_, frame),) = source.usage(day, day)
        hour = 0 if kind == "date" else 23
        assert frame["request_count"].tolist() == [2]
        assert frame["error_count"].tolist() == [1]
        assert frame["last_used"].tolist() == [pd.Timestamp(2026, 1, 2, hour, tz="UTC")]
        assert source.watermark() == datetime(2026, 1, 2, hour, tzinfo=UTC)
        assert source.activity_before(date(2026, 2, 1))["first_seen"].tolist() == [day]
    finally:
        postgres.execute(text("ALTER ROLE postgres RESET timezone"))
        postgres.commit()


def test_postgresql_rollups_in_another_schema_are_read(postgres: Connection, postgres_url: str) -> None:
    """Numeric counts, NaN and infinity included, dates and views by schema.name."""
    postgres.execute(text("CREATE SCHEMA other"))
    columns = "day date, key_id uuid, request_count numeric, error_count smallint, last_activity timestamptz"
    postgres.execute(text(f"CREATE TABLE other.rollup ({columns})"))
    key = "00000000-0000-0000-0000-00000000000"
    counts = ["5", "'NaN'", "'Infinity'", "-1", "1.5", "NULL", "0"]
    rows = ", ".join(f"('2026-01-02', '{key}{number}', {count}, 9, NULL)" for number, count in enumerate(counts))
    postgres.execute(text(f"INSERT INTO other.rollup VALUES {rows}, (NULL, '{key}0', 1, 0, NULL)"))
    postgres.execute(text("CREATE VIEW other.seen AS SELECT * FROM other.rollup"))
    postgres.commit()
    source = reader(postgres_url, BERLIN, shape="daily", usage="other.seen")
    assert day(source) == {f"{key}0": (5, 5)}
    told = faults(source)
    assert told["request_count is not a count"] == 5
    assert told["missing or unreadable day"] == 1
    assert source.watermark() == datetime(2026, 1, 1, 23, tzinfo=UTC)


def test_postgresql_times_that_cannot_be_meant_are_counted(postgres: Connection, postgres_url: str) -> None:
    """Infinity and null are no times of use and must not become the watermark."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz, key_id text)"))
    rows = "('infinity', 'a'), ('-infinity', 'a'), (NULL, 'a'), ('2026-01-02 10:00Z', 'a')"
    postgres.execute(text(f"INSERT INTO usage VALUES {rows}"))
    postgres.commit()
    source = reader(postgres_url)
    assert day(source) == {"a": (1, 0)}
    assert faults(source) == {"missing or unreadable timestamp": 3}
    assert source.watermark() == datetime(2026, 1, 2, 10, tzinfo=UTC)


def test_a_column_that_is_never_null_is_not_searched(postgres: Connection, postgres_url: str) -> None:
    """Where the database vouches for the time, the statement keeps to the window, so that an index serves."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz NOT NULL, key_id text NOT NULL)"))
    postgres.execute(text("CREATE INDEX by_time ON usage (timestamp)"))
    several = "SELECT '2026-01-01Z'::timestamptz + n * interval '1 minute', 'a' FROM generate_series(0, 99999) n"
    postgres.execute(text(f"INSERT INTO usage {several}"))
    postgres.execute(text("ANALYZE usage"))
    postgres.commit()
    plans = list(_plans(reader(postgres_url)))
    assert len(plans) == 1
    assert "by_time" in plans[0]


def _plans(source: SqlReader) -> Iterator[str]:
    """How PostgreSQL answers each statement of one day."""
    asked: list[tuple[str, Any]] = []
    engine = source._engine()

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "usage_rows" in statement:
            asked.append((statement, parameters))

    engine_class = type(engine)
    event.listen(engine_class, "before_cursor_execute", remember)
    try:
        list(source.usage(DAY, DAY))
    finally:
        event.remove(engine_class, "before_cursor_execute", remember)
    with engine.connect() as connection:
        for statement, parameters in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            yield "\n".join(row[0] for row in rows)
    engine.dispose()


def test_nothing_can_be_written(tmp_path: Path, postgres: Connection, postgres_url: str) -> None:
    """The transaction itself refuses."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz, key_id text)"))
    postgres.commit()
    for url in (sqlite(tmp_path, EVENTS, []), postgres_url):
        with pytest.raises(SourceError, match=r"read.?only"), reader(url)._connected() as connection:
            connection.execute(text("DELETE FROM usage"))


def test_an_unreachable_server_is_an_error_without_the_password() -> None:
    """Logs and mails carry the error; the password stays out of it."""
    with pytest.raises(SourceError) as caught:
        reader("postgresql+psycopg://someone:open-sesame@127.0.0.1:1/usage").watermark()
    assert "127.0.0.1:1" in str(caught.value)
    assert "open-sesame" not in str(caught.value)


def test_a_missing_driver_is_an_error_that_says_so() -> None:
    """The URL is right, but nothing here can speak to that database."""
    with pytest.raises(SourceError, match="no driver"):
        reader("nosuchdatabase://somewhere/usage").watermark()


class Interrupting:
    """Ends the reader's own connection from another one, as a restarting server would."""

    def __init__(self, postgres: Connection) -> None:
        self._postgres = postgres

    def __call__(self) -> None:
        """End every other connection to this database."""
        self._postgres.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database() AND backend_type = 'client backend'"
            )
        )
        self._postgres.commit()


@pytest.fixture
def hasty() -> Iterator[None]:
    """Attempts follow one another without a pause."""
    with stamina.set_testing(True, attempts=3):
        yield


def crowded(postgres: Connection) -> None:
    """Four days with so many keys that the answer comes in several parts."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz NOT NULL, key_id text NOT NULL)"))
    postgres.execute(
        text(
            "INSERT INTO usage SELECT timestamptz '2026-01-02 12:00Z' + n % 4 * interval '1 day', 'key ' || n / 4 "
            "FROM generate_series(0, 99999) AS n"
        )
    )
    postgres.commit()


def test_a_lost_connection_is_taken_up_again_and_every_day_given_once(
    postgres: Connection,
    postgres_url: str,
    hasty: None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The day that was cut off comes whole from the second connection; the others are not asked for again.

    One warning says so, and nothing gets among the results on stdout.
    """
    crowded(postgres)
    given = []
    for day, frame in reader(postgres_url).usage(DAY, date(2026, 1, 5)):
        if not given:
            Interrupting(postgres)()
        given.append((day, len(frame), int(frame["request_count"].sum())))
    assert given == [(date(2026, 1, day), 25_000, 25_000) for day in (2, 3, 4, 5)]
    (warning,) = caplog.messages
    assert warning.endswith("; trying again")
    assert capsys.readouterr() == ("", "")


def test_a_database_that_stays_away_is_an_error_after_some_attempts(
    postgres: Connection, postgres_url: str, hasty: None
) -> None:
    """What was given stays given; the rest is an error that says where."""
    crowded(postgres)
    for statement in (
        "DROP ROLE IF EXISTS visitor",
        "CREATE ROLE visitor LOGIN",
        "GRANT USAGE ON SCHEMA public TO visitor",
        "GRANT SELECT ON usage TO visitor",
    ):
        postgres.execute(text(statement))
    postgres.commit()
    url = make_url(postgres_url).set(username="visitor").render_as_string(hide_password=False)
    given = []

    def lock_out_after_the_first() -> None:
        for day, _ in reader(url).usage(DAY, date(2026, 1, 5)):
            postgres.execute(text("ALTER ROLE visitor NOLOGIN"))
            Interrupting(postgres)()
            given.append(day)

    with pytest.raises(SourceError, match="did not answer"):
        lock_out_after_the_first()
    assert given
    assert date(2026, 1, 5) not in given


def test_a_statement_that_takes_too_long_is_given_up(postgres: Connection, postgres_url: str) -> None:
    """A view that never ends does not hold the day up for ever, and is not asked again."""
    postgres.execute(text("CREATE VIEW usage AS SELECT now() AS timestamp, pg_sleep(20)::text AS key_id"))
    postgres.commit()
    with pytest.raises(SourceError, match="statement timeout"):
        reader(postgres_url, statement_timeout=1).watermark()


def test_the_register_may_come_from_a_query(tmp_path: Path) -> None:
    """Joins and renames are the database's business."""
    url = sqlite(tmp_path, "id, title, kind", [("a", "Shop", "production"), ("b", "Lab", "sandbox")], "api_keys")
    query = """
        SELECT id AS key_id, title AS name, CASE kind WHEN 'production' THEN 'live' ELSE 'test' END AS environment
        FROM api_keys"""
    register = reader(url, keys_query=query).keys()
    assert register[["key_id", "name", "environment"]].to_numpy().tolist() == [
        ["a", "Shop", "live"],
        ["b", "Lab", "test"],
    ]
