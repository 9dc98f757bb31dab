"""Usage from the tables of a database, through SQLAlchemy Core.

The database counts: one statement for a window of days gives one row for all records that have the same texts.
``detector.sources.reading`` reads each text once. Names of tables and columns are looked up by reflection and
quoted by SQLAlchemy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, Engine, FromClause, MetaData, Select, Table, column, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, NoSuchTableError, OperationalError, SQLAlchemyError

from detector.boundary.instants import Clock, utc_now
from detector.boundary.masking import mask_tokens
from detector.boundary.retries import Attempt, attempts
from detector.boundary.suggestions import did_you_mean
from detector.config.source import SqlSource
from detector.config.urls import FILE_DATABASES, shown_database
from detector.model.day import Day
from detector.model.errors import MisconfiguredSourceError, SourceError
from detector.model.usage import REGISTER, Accounting, Fault
from detector.sources.columns import register_columns, usage_columns
from detector.sources.faults import FaultLog, sample
from detector.sources.reading import each, read_groups, read_register
from detector.sources.sql.dialects import dialect_of, driver_advice
from detector.sources.sql.statements import (
    UNKNOWN_DATE,
    UNKNOWN_DAY,
    UsageRows,
    client_counts,
    counts,
    daily_rows,
    days,
    event_rows,
    first_and_last,
    latest_use,
    quarters,
    unread,
    unread_times,
)
from detector.sources.sql.unread import (
    UnreadRows,
    activity_of_instants,
    activity_of_written_days,
    date_of,
    instant_of,
)
from detector.sources.timeline import TOLERANCE, Timeline, timeline_of
from detector.sources.values import ValueRules
from detector.sources.windows import USED, Window, activity_of_days, activity_of_events, watermark_of_day, windows
from detector.usage.aggregation import by_key, clean_register, empty

Reply = TypeVar("Reply")

ROWS_AT_ONCE = 10_000
DAYS_AT_ONCE = 128
"""Days of one statement. The answer is streamed day by day, so a long window needs no more memory than a short
one, and saves scans of the table."""

_LOG = logging.getLogger(__name__)


class ConnectionLostError(SourceError):
    """The connection to the database was lost. Another attempt may succeed."""


class SqlReader:
    """The ``sql`` source. Every call is one read-only transaction, repeated where the connection is lost."""

    def __init__(self, config: SqlSource, timezone: ZoneInfo, clock: Clock = utc_now) -> None:
        self._config = config
        self._timezone = timezone
        self._clock = clock
        self._rules = ValueRules.of(config, timezone)
        self._faults = FaultLog()
        self._events = config.shape == "events"
        self._answered = False
        self._url = make_url(config.url)
        self._dialect = dialect_of(self._url)

    def columns(self) -> dict[str, str]:
        """The columns of the usage table that are read."""

        def names(connection: Connection) -> dict[str, str]:
            table = self._table(self._config.usage, connection)
            return usage_columns(self._config, table.columns.keys(), f"table {self._config.usage}")

        return self._ask(names)

    def keys(self) -> pd.DataFrame:
        """The register, from a table or a query."""
        if self._config.keys is None and self._config.keys_query is None:
            return empty(REGISTER)
        register, self._faults.register = clean_register(read_register(self._ask(self._register), self._rules))
        return register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """The records of every day. Each window of days is one statement, and another one counts clients."""
        for window in windows(first, last, self._timezone, DAYS_AT_ONCE):
            remaining = list(window.days)
            # Where the connection is lost, another attempt reads the remaining days.
            for attempt in _attempts():
                with attempt:
                    for day, measured in self._window(Window(tuple(remaining))):
                        remaining.pop(0)
                        yield day.date, measured

    def faults(self, day: date) -> tuple[Fault, ...]:
        """The faults of the day, of the table as a whole, and of the register."""
        return self._faults.of(day)

    def accounting(self, day: date) -> Accounting:
        """What became of the records of a day that ``usage`` has yielded."""
        return self._faults.accounting(day)

    def watermark(self) -> datetime | None:
        """The latest instant of a row up to now. A daily row without a last activity counts as its day's start."""
        today = self._clock().astimezone(self._timezone).date()
        return self.timeline(today, today).latest

    def timeline(self, first: date, last: date) -> Timeline:
        """When the rows lie. Where the types guarantee a time, the rows before the first day are left out."""
        bound = Day(first, self._timezone)
        if self._events:
            return self._ask(lambda connection: self._timeline_of_events(connection, bound))
        return self._ask(self._timeline_of_days)

    def _timeline_of_events(self, connection: Connection, first: Day) -> Timeline:
        now = self._clock()
        usage = self._usage_rows(connection)
        rows = []
        for *parts, is_before, records, latest in connection.execute(quarters(usage, first, now + TOLERANCE)):
            if parts[0] is None:
                # An infinite time: ``usage`` counts its record among those without a usable time.
                continue
            instant = usage.instants.read_one(latest)
            assert instant is not None  # a quarter has a record
            rows.append((self._dialect.start_of_quarter(parts) if is_before else instant, records, instant))
        for written, records in self._unread_times(connection, usage):
            instant = instant_of(written, self._rules)
            if instant is not None:
                rows.append((instant, records, instant))
        timeline = timeline_of(rows, now)
        if timeline.latest is None:
            last = usage.instants.read_one(connection.execute(latest_use(usage, now)).scalar())
            timeline = replace(timeline, latest=last)
        return replace(timeline, covers_all=not usage.all_dated)

    def _timeline_of_days(self, connection: Connection) -> Timeline:
        now = self._clock()
        usage = self._usage_rows(connection)
        activity: dict[date, list[Any]] = {}
        for day, records, latest in connection.execute(days(usage)):
            used = None if usage.times is None else usage.times.read_one(latest)
            activity[_date(day)] = [records, used]
        for written, records in self._unread_times(connection, usage):
            day = date_of(written, self._rules)
            if day is not None:
                activity.setdefault(day, [0, None])[0] += records
        rows = []
        for day, (records, used) in activity.items():
            start = Day(day, self._timezone).start
            rows.append((start, records, watermark_of_day(day, used, self._timezone)))
        return replace(timeline_of(rows, now), tells_hours=False)

    def _unread_times(self, connection: Connection, usage: UsageRows) -> Iterator[Sequence[Any]]:
        """The texts of the times that the database cannot read, with their number of rows."""
        if not usage.all_dated:
            yield from connection.execute(unread_times(usage), execution_options={"yield_per": ROWS_AT_ONCE})

    def activity_before(self, day: date) -> pd.DataFrame:
        """First and last use of every key before the day, from the whole table."""
        bound = Day(day, self._timezone)

        def before(connection: Connection) -> list[pd.DataFrame]:
            usage = self._usage_rows(connection)
            answer = connection.execute(first_and_last(usage, bound)).all()
            rows = pd.DataFrame(answer, columns=[*USED], dtype="object")
            for name in ("first_used", "last_used"):
                rows[name] = usage.times.read(rows[name]) if usage.times else None
            for name in ("first_day", "last_day"):
                rows[name] = pd.Series([_date(value) for value in rows[name]], dtype="object")
            activity = activity_of_instants if self._events else activity_of_written_days
            unread_rows = [activity(texts, bound, self._rules) for texts in self._unread(connection, usage)]
            return [rows, *unread_rows]

        rows = pd.concat([part.astype(USED) for part in self._ask(before)], ignore_index=True)
        # One key may be written in several ways.
        rows = rows.assign(key_id=each(rows["key_id"], self._rules.key_of))
        extremes = {"first_day": "min", "last_day": "max", "first_used": "min", "last_used": "max"}
        rows = rows.groupby("key_id", sort=True).agg(extremes).reset_index()
        if self._events:
            return activity_of_events(rows, bound)
        return activity_of_days(rows, bound)

    def _unread(self, connection: Connection, usage: UsageRows) -> Iterator[pd.DataFrame]:
        """The rows whose timestamp or day the database cannot read, in parts."""
        if usage.all_dated:
            return
        result = connection.execute(unread(usage), execution_options={"yield_per": ROWS_AT_ONCE})
        names = list(result.keys())
        for rows in result.partitions():
            yield _frame(rows, names)

    def not_guaranteed(self) -> tuple[str, ...]:
        """The guarantees that a session of the database lacks, each as the end of a sentence."""
        return self._dialect.not_guaranteed

    def _ask(self, question: Callable[[Connection], Reply]) -> Reply:
        """The answer to a question. It is asked again where the connection is lost."""
        for attempt in _attempts():
            with attempt, self._connected() as connection:
                return question(connection)
        raise AssertionError("the last attempt raises")

    def _register(self, connection: Connection) -> pd.DataFrame:
        """The rows of the register as texts, by our column names."""
        # A driver may not know a value, such as an infinite time. So all values come as texts.
        if self._config.keys_query is not None:
            query = text(self._config.keys_query.rstrip().rstrip(";"))
            result = connection.execute(query)
            columns = register_columns(self._config, result.keys(), "source.keys_query")
            result.close()
            answer: FromClause = query.columns(
                *[column(theirs) for theirs in dict.fromkeys(columns.values())]
            ).subquery("keys")
        else:
            answer = self._table(str(self._config.keys), connection)
            columns = register_columns(self._config, answer.columns.keys(), f"table {self._config.keys}")
        selected = [self._dialect.text(answer.c[theirs]).label(name) for name, theirs in columns.items()]
        return _frame(connection.execute(select(*selected)), columns)

    def _window(self, window: Window) -> Iterator[tuple[Day, pd.DataFrame]]:
        with self._connected() as connection:
            usage = self._usage_rows(connection)
            clients = self._clients(connection, usage, window)
            unread_rows = UnreadRows(self._rules, window, events=self._events)
            for day, rows in _days(connection, counts(usage, window), window):
                if day is None:
                    unread_rows.add(rows)
                    continue
                raw = rows.drop(columns=["written", "unread_client"], errors="ignore")
                if usage.times is not None and not usage.daily:
                    raw["last_used"] = usage.times.read(raw["last_used"])
                raw = unread_rows.with_those_of(day, raw)
                reading = read_groups(raw, self._rules, day, self._config.deployment, sample)
                self._faults.record(day, reading.counted, [*reading.observations, *unread_rows.observations()])
                yield day, by_key(reading.groups, unread_rows.clients_of(day, clients.get(day)))

    def _clients(self, connection: Connection, usage: UsageRows, window: Window) -> dict[Day | None, pd.DataFrame]:
        """key_id and client_count of every day; empty where the table has no clients."""
        # One statement for both counts would group the requests by client and be much slower.
        if not usage.has("client"):
            return {}
        return dict(_days(connection, client_counts(usage, window), window))

    def _usage_rows(self, connection: Connection) -> UsageRows:
        """The rows of the usage table in our columns."""
        table = self._table(self._config.usage, connection)
        columns = usage_columns(self._config, table.columns.keys(), f"table {self._config.usage}")
        selected = {name: table.c[theirs] for name, theirs in columns.items()}
        if self._events:
            return event_rows(table, selected, self._dialect, self._rules)
        return daily_rows(table, selected, self._dialect)

    def _table(self, name: str, connection: Connection) -> Table:
        inspector = inspect(connection)
        schema = ""
        plain = name
        # A table's own name may hold a dot.
        if not inspector.has_table(name):
            schema, _, plain = name.rpartition(".")
        try:
            return Table(plain, MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False)
        except NoSuchTableError:
            known = inspector.get_table_names(schema or None) + inspector.get_view_names(schema or None)
            raise MisconfiguredSourceError(
                f"source {self._config.name}: there is no table '{name}'{did_you_mean(plain, known)}; "
                "write its name, or schema.name, and check that the database user may see it"
            ) from None

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = self._engine()
        try:
            with engine.connect() as connection:
                self._dialect.begin(connection, self._config.statement_timeout)
                self._warn_of_missing_guarantees()
                self._answered = True
                yield connection
        except SQLAlchemyError as error:
            raise self._failure(error, engine) from None
        finally:
            engine.dispose()

    def _warn_of_missing_guarantees(self) -> None:
        """Warn once if the database is unknown."""
        # The reference names the missing guarantees of the known databases.
        if self._dialect.known or self._answered:
            return
        _LOG.warning(
            "source %s: %s is not a database that is known here, so it is not guaranteed %s; "
            "give the job a user that may read the tables and nothing else",
            self._config.name,
            self._dialect.name,
            ", nor ".join(self._dialect.not_guaranteed),
        )

    def _engine(self) -> Engine:
        try:
            engine = self._dialect.engine(self._url, self._rules)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            text = f"source {self._config.name}: no driver for this url: {error}; {driver_advice(self._url)}"
            raise MisconfiguredSourceError(text) from None
        database = engine.url.database
        if self._dialect.name in FILE_DATABASES and database and not Path(database).is_file():
            text = f"source {self._config.name}: there is no database {database}; check source.url"
            raise MisconfiguredSourceError(text)
        return engine

    def _failure(self, error: SQLAlchemyError, engine: Engine) -> SourceError:
        """The error for users: the first line of the driver's text, without the statement and the password."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        problem = str(cause).strip().split("\n")[0]
        url = shown_database(engine.url)
        shown = mask_tokens(problem)[:300]
        if isinstance(error, DBAPIError) and self._dialect.is_misconfigured(error):
            return MisconfiguredSourceError(
                f"source {self._config.name}: {url} refused: {shown}; check the user, the password and the "
                "database in source.url, the other names under source, and what the user may read"
            )
        text = (
            f"source {self._config.name}: {url} did not answer: {shown}; "
            "check source.url and the network, or run again later"
        )
        is_lost = False
        if isinstance(error, DBAPIError):
            # An error without a statement is a failed connection. Before the first answer the URL may be wrong;
            # after it the database restarts or is being replaced.
            is_failed_connection = isinstance(error, OperationalError) and error.statement is None
            is_lost = error.connection_invalidated or (self._answered and is_failed_connection)
        return ConnectionLostError(text) if is_lost else SourceError(text)


def _frame(rows: Iterable[Any], columns: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame([tuple(row) for row in rows], columns=list(columns), dtype="object")


def _attempts() -> Iterator[Attempt]:
    """Five attempts with pauses of up to 30 seconds: enough for a restart or a failover."""
    return attempts(_is_worth_another_attempt, most=5, first_pause=1, longest_pause=30)


def _is_worth_another_attempt(error: Exception) -> bool:
    is_lost = isinstance(error, ConnectionLostError)
    if is_lost:
        _LOG.warning("%s; trying again", error)
    return is_lost


def _days(
    connection: Connection, statement: Select[Any], window: Window
) -> Iterator[tuple[Day | None, pd.DataFrame]]:
    """The rows of the answer by day; empty days are included. Rows without a day come first, in parts, with None.

    The first column is the number of the day in the window, or the day.
    """
    result = connection.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE})
    names = list(result.keys())
    remaining = list(window.days)
    days: dict[Any, Day] = {}
    for number, day in enumerate(window.days):
        days[number] = day
        days[day.date] = day
    for value, rows in groupby(result, key=lambda row: row[0]):
        if _date(value) in (UNKNOWN_DAY, UNKNOWN_DATE):
            while part := list(islice(rows, ROWS_AT_ONCE)):
                yield None, _frame(part, names)
            continue
        day_of_rows = days[_date(value)]
        while remaining[0] != day_of_rows:
            yield remaining.pop(0), _frame([], names)
        yield remaining.pop(0), _frame(rows, names)
    for day in remaining:
        yield day, _frame([], names)


def _date(value: Any) -> Any:
    """The day as a date. SQLite gives it as text."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value
