"""The sql source over SQLite, whose columns hold values of any type, and a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import stamina
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import make_url

from detector.model.errors import SourceError
from detector.sources.sql.reader import SqlReader
from tests.databases import DAY, EVENTS, counted, faults, reader, sqlite

pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in.*ServerCursorMixin")
"""The driver warns of a cursor that it cannot close, because the connection is lost."""

BERLIN = ZoneInfo("Europe/Berlin")


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
    assert counted(source) == {f"{key}0": (5, 5)}
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
    assert counted(source) == {"a": (1, 0)}
    assert faults(source) == {"missing or unreadable timestamp": 3}
    assert source.watermark() == datetime(2026, 1, 2, 10, tzinfo=UTC)


def test_an_infinite_time_is_counted_once(postgres: Connection, postgres_url: str) -> None:
    """A record of an infinite time has no usable time; it is not counted as a record from the future besides."""
    postgres.execute(text("CREATE TABLE usage (timestamp timestamptz NOT NULL, key_id text)"))
    rows = "('infinity', 'a'), ('-infinity', 'a'), ('2150-01-01Z', 'a'), ('2026-01-02 10:00Z', 'a')"
    postgres.execute(text(f"INSERT INTO usage VALUES {rows}"))
    postgres.commit()
    source = reader(postgres_url)
    assert counted(source) == {"a": (1, 0)}
    assert faults(source) == {"missing or unreadable timestamp": 2}
    assert source.timeline(DAY, DAY).later == 1


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

    with pytest.raises(SourceError, match="is not permitted to log in"):
        lock_out_after_the_first()
    assert read_days
    assert date(2026, 1, 5) not in read_days


def test_a_statement_that_takes_too_long_is_an_error(postgres: Connection, postgres_url: str) -> None:
    """A slow view does not delay the run for ever, and is not read again."""
    postgres.execute(text("CREATE VIEW usage AS SELECT now() AS timestamp, pg_sleep(20)::text AS key_id"))
    postgres.commit()
    with pytest.raises(SourceError, match="statement timeout"):
        reader(postgres_url, statement_timeout=1).watermark()
