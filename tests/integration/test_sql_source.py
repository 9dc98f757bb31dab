"""The sql source over SQLite, whose columns hold values of any type, and a real PostgreSQL."""

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
"""The driver warns of a cursor that it cannot close, because the connection is lost."""

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 1, 2)
EVENTS = "timestamp, key_id, endpoint, status, client"


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Connection]:
    """A connection to an empty database."""
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS other CASCADE"))
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        connection.commit()
        yield connection
    engine.dispose()


def sqlite(folder: Path, columns: str, rows: Sequence[Sequence[Any]], table: str = "usage") -> str:
    """The URL of a SQLite database with one table, whose columns have no type."""
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
def test_sqlite_times_in_every_format_are_read(tmp_path: Path, time: Any) -> None:
    """Text without a zone is UTC; numbers are seconds or milliseconds by their size."""
    source = reader(sqlite(tmp_path, EVENTS, [(time, "a", "/x", 200, None)]))
    assert source.watermark() == datetime(2026, 1, 2, 23, 30, tzinfo=UTC)
    assert day(source) == {"a": (1, 0)}


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
        ("2026-01-02T10:00:00Z", "a", "/x", "-", None),
        ("2026-01-02T10:00:00Z", "a", "/x", "404", None),
    ]
    source = reader(sqlite(tmp_path, EVENTS, rows))
    pulled = [(day, len(frame)) for day, frame in source.usage(DAY, date(2026, 1, 3))]
    assert pulled == [(DAY, 1), (date(2026, 1, 3), 0)]
    found = {fault.reason: (fault.count, fault.dated) for fault in source.faults(DAY)}
    assert found == {
        "missing or unreadable timestamp": (3, False),
        "no key id: not attributable to a key": (2, True),
        "status is not a number, taken as no error": (1, True),
    }
    assert [fault.count for fault in source.faults(date(2026, 1, 3))] == [3]
    assert "2026-01-02: /x" in source.faults(DAY)[0].samples
    assert day(source) == {"a": (2, 1)}


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
    """Event ids are unique over the whole window; events without an id are all different."""
    ids = [("e1", 2), ("e1", 3), ("e2", 3), (None, 3), (None, 3)]
    rows = [(f"2026-01-0{day}T10:00:00Z", "a", identity) for identity, day in ids]
    source = reader(sqlite(tmp_path, "timestamp, key_id, event_id", rows))
    counted = [frame["request_count"].tolist() for _, frame in source.usage(DAY, date(2026, 1, 3))]
    assert counted == [[1], [3]]


def test_error_columns_of_any_kind_are_read(tmp_path: Path) -> None:
    """False, zero, blank and none mean no error; any other text is an error."""
    marks = [None, "", "false", 0, "No", 1, "True", "AccessDenied"]
    rows = [("2026-01-02T10:00:00Z", f"k{number}", mark) for number, mark in enumerate(marks)]
    source = reader(sqlite(tmp_path, "timestamp, key_id, error", rows))
    assert {key for key, (_, errors) in day(source).items() if errors} == {"k5", "k6", "k7"}


DAILY = "day, key_id, endpoint, deployment, request_count, error_count, last_activity"


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
    assert day(source) == {"k5": (5, 5), "k6": (5, 0), "k7": (5, 0)}
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
    assert day(source) == {"a": (1, 0)}


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
    assert day(source) == {}
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
    "kind", ["timestamp", "timestamptz", "date", "integer", "bigint", "numeric", "double precision", "text"]
)
def test_postgresql_times_of_every_type_are_read(postgres: Connection, postgres_url: str, kind: str) -> None:
    """A timestamp without time zone is UTC in every session. Numbers count from 1970, and text is ISO 8601."""
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
    """The name is schema.name and may be that of a view. NaN and infinity are no counts."""
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
    found = faults(source)
    assert found["request_count is not a count"] == 5
    assert found["missing or unreadable day"] == 1
    assert source.watermark() == datetime(2026, 1, 1, 23, tzinfo=UTC)


def test_postgresql_times_that_are_not_plausible_are_counted(postgres: Connection, postgres_url: str) -> None:
    """Infinity is no time of use and must not become the watermark."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz, key_id text)"))
    rows = "('infinity', 'a'), ('-infinity', 'a'), (NULL, 'a'), ('2026-01-02 10:00Z', 'a')"
    postgres.execute(text(f"INSERT INTO usage VALUES {rows}"))
    postgres.commit()
    source = reader(postgres_url)
    assert day(source) == {"a": (1, 0)}
    assert faults(source) == {"missing or unreadable timestamp": 3}
    assert source.watermark() == datetime(2026, 1, 2, 10, tzinfo=UTC)


def test_a_column_that_is_never_null_is_read_by_its_index(postgres: Connection, postgres_url: str) -> None:
    """Where the database guarantees a time in every row, the statement keeps to the window."""
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
    """The plan of PostgreSQL for each statement of one day."""
    statements: list[tuple[str, Any]] = []
    engine = source._engine()

    def remember(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if "usage_rows" in statement:
            statements.append((statement, parameters))

    engine_class = type(engine)
    event.listen(engine_class, "before_cursor_execute", remember)
    try:
        list(source.usage(DAY, DAY))
    finally:
        event.remove(engine_class, "before_cursor_execute", remember)
    with engine.connect() as connection:
        for statement, parameters in statements:
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            yield "\n".join(row[0] for row in rows)
    engine.dispose()


def test_nothing_can_be_written(tmp_path: Path, postgres: Connection, postgres_url: str) -> None:
    """The database refuses within a read-only transaction."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz, key_id text)"))
    postgres.commit()
    for url in (sqlite(tmp_path, EVENTS, []), postgres_url):
        with pytest.raises(SourceError, match=r"read.?only"), reader(url)._connected() as connection:
            connection.execute(text("DELETE FROM usage"))


def test_an_unreachable_server_is_an_error_without_the_password() -> None:
    """Logs and mails show the error, so the password must not be in it."""
    with pytest.raises(SourceError) as caught:
        reader("postgresql+psycopg://someone:open-sesame@127.0.0.1:1/usage").watermark()
    assert "127.0.0.1:1" in str(caught.value)
    assert "open-sesame" not in str(caught.value)


def test_a_missing_driver_is_an_error_that_says_so() -> None:
    """The URL is right, but no driver for that database is installed."""
    with pytest.raises(SourceError, match="no driver"):
        reader("nosuchdatabase://somewhere/usage").watermark()


class Interrupting:
    """Ends the connection of the reader, as a server does that restarts."""

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
def no_pauses() -> Iterator[None]:
    """Up to three attempts, without pauses between them."""
    with stamina.set_testing(True, attempts=3):
        yield


def store_many_keys(postgres: Connection) -> None:
    """Store four days with so many keys that the answer comes in several parts."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz NOT NULL, key_id text NOT NULL)"))
    postgres.execute(
        text(
            "INSERT INTO usage SELECT timestamptz '2026-01-02 12:00Z' + n % 4 * interval '1 day', 'key ' || n / 4 "
            "FROM generate_series(0, 99999) AS n"
        )
    )
    postgres.commit()


def test_after_a_lost_connection_every_day_is_read_once(
    postgres: Connection,
    postgres_url: str,
    no_pauses: None,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second connection reads the interrupted day and the days after it.

    The reader logs one warning, and stdout stays empty for the results.
    """
    store_many_keys(postgres)
    read_days = []
    for day, frame in reader(postgres_url).usage(DAY, date(2026, 1, 5)):
        if not read_days:
            Interrupting(postgres)()
        read_days.append((day, len(frame), int(frame["request_count"].sum())))
    assert read_days == [(date(2026, 1, day), 25_000, 25_000) for day in (2, 3, 4, 5)]
    (warning,) = caplog.messages
    assert warning.endswith("; trying again")
    assert capsys.readouterr() == ("", "")


def test_a_database_that_does_not_come_back_is_an_error(
    postgres: Connection, postgres_url: str, no_pauses: None
) -> None:
    """The days before are read; then an error names the database."""
    store_many_keys(postgres)
    for statement in (
        "DROP ROLE IF EXISTS visitor",
        "CREATE ROLE visitor LOGIN",
        "GRANT USAGE ON SCHEMA public TO visitor",
        "GRANT SELECT ON usage TO visitor",
    ):
        postgres.execute(text(statement))
    postgres.commit()
    url = make_url(postgres_url).set(username="visitor").render_as_string(hide_password=False)
    read_days = []

    def lock_out_after_the_first() -> None:
        for day, _ in reader(url).usage(DAY, date(2026, 1, 5)):
            postgres.execute(text("ALTER ROLE visitor NOLOGIN"))
            Interrupting(postgres)()
            read_days.append(day)

    with pytest.raises(SourceError, match="did not answer"):
        lock_out_after_the_first()
    assert read_days
    assert date(2026, 1, 5) not in read_days


def test_a_statement_that_takes_too_long_is_an_error(postgres: Connection, postgres_url: str) -> None:
    """A slow view does not delay the run for ever, and is not read again."""
    postgres.execute(text("CREATE VIEW usage AS SELECT now() AS timestamp, pg_sleep(20)::text AS key_id"))
    postgres.commit()
    with pytest.raises(SourceError, match="statement timeout"):
        reader(postgres_url, statement_timeout=1).watermark()


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
