"""Usage from the tables of a database, through SQLAlchemy Core.

The database counts: one statement for a window of days gives one row per day, key, endpoint and deployment.
Names of tables and columns are looked up by reflection and quoted by SQLAlchemy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, Engine, MetaData, Select, Table, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from detector.boundary.masking import mask_tokens, without
from detector.boundary.retries import Attempt, attempts
from detector.boundary.suggestions import did_you_mean
from detector.config.source import SqlSource
from detector.config.urls import FILE_DATABASES
from detector.model.day import Day
from detector.model.errors import SourceError
from detector.model.usage import INSTANT, REGISTER, Fault
from detector.sources.columns import register_columns, usage_columns
from detector.sources.faults import FaultLog, Observation, sample
from detector.sources.sql.dialects import dialect_of
from detector.sources.sql.dialects.dialect import Times
from detector.sources.sql.statements import (
    UsageRows,
    client_counts,
    counts,
    daily_rows,
    dated,
    event_rows,
    first_and_last,
    latest_use,
)
from detector.sources.values import from_micros, micros_of
from detector.sources.windows import (
    Window,
    activity_of_days,
    activity_of_events,
    clamp_last_use,
    watermark_of_days,
    windows,
)
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

    def __init__(self, config: SqlSource, timezone: ZoneInfo) -> None:
        self._config = config
        self._timezone = timezone
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
        raw = self._ask(self._register)
        columns = {}
        for name, values in raw.items():
            to_text = _instant_text if name in ("created_at", "revoked_at") else _text
            columns[name] = pd.Series(map(to_text, values), dtype="object")
        register, self._faults.register = clean_register(pd.DataFrame(columns))
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

    def watermark(self) -> datetime | None:
        """The latest instant of a usable row. A daily row without a last activity counts as its day's start."""

        def latest(connection: Connection) -> tuple[Any, datetime | None]:
            usage = self._usage_rows(connection)
            row = connection.execute(latest_use(usage)).first()
            if row is None:
                return None, None
            day, used_at = row
            return day, usage.times.read_one(used_at) if usage.times else None

        day, instant = self._ask(latest)
        if self._events:
            return instant
        return watermark_of_days(_date(day), instant, self._timezone)

    def activity_before(self, day: date) -> pd.DataFrame:
        """First and last use of every key before the day, from the whole table."""
        bound = Day(day, self._timezone)

        def before(connection: Connection) -> tuple[UsageRows, Sequence[Any]]:
            usage = self._usage_rows(connection)
            return usage, connection.execute(first_and_last(usage, bound)).all()

        usage, answer = self._ask(before)
        rows = pd.DataFrame(answer, columns=["key_id", "first_day", "last_day", "first_used", "last_used"])
        for name in ("first_used", "last_used"):
            rows[name] = usage.times.read(rows[name]) if usage.times else pd.Series(dtype=INSTANT)
        for name in ("first_day", "last_day"):
            rows[name] = pd.Series([_date(value) for value in rows[name]], dtype="object")
        if self._events:
            return activity_of_events(rows, bound)
        return activity_of_days(rows, bound)

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
        """The rows of the register, by our column names."""
        if self._config.keys_query is not None:
            result = connection.execute(text(self._config.keys_query))
            columns = register_columns(self._config, result.keys(), "source.keys_query")
            rows = [[row[theirs] for theirs in columns.values()] for row in result.mappings()]
            return _frame(rows, columns)
        table = self._table(str(self._config.keys), connection)
        columns = register_columns(self._config, table.columns.keys(), f"table {self._config.keys}")
        selected = [table.c[theirs] for theirs in columns.values()]
        return _frame(connection.execute(select(*selected)), columns)

    def _window(self, window: Window) -> Iterator[tuple[Day, pd.DataFrame]]:
        with self._connected() as connection:
            clients = self._clients(connection, window)
            usage = self._usage_rows(connection, window, with_clients=False)
            undated: list[Observation] = []
            for day, rows in _days(connection, counts(dated(usage, window)), window):
                if day is None:
                    undated = list(_observed(rows, None))
                    continue
                self._faults.record(Window((day,)), [*_observed(rows, day.date), *undated])
                yield day, by_key(_groups(rows, usage.times, day), clients.get(day))

    def _clients(self, connection: Connection, window: Window) -> dict[Day | None, pd.DataFrame]:
        """key_id and client_count of every day; empty where the table has no clients."""
        # One statement for both counts would group the requests by client and be much slower.
        usage = self._usage_rows(connection, window)
        if not usage.has_clients:
            return {}
        return dict(_days(connection, client_counts(dated(usage, window)), window))

    def _usage_rows(
        self, connection: Connection, window: Window | None = None, *, with_clients: bool = True
    ) -> UsageRows:
        """The rows of the usage table in our columns."""
        table = self._table(self._config.usage, connection)
        columns = usage_columns(self._config, table.columns.keys(), f"table {self._config.usage}")
        if not with_clients:
            columns.pop("client", None)
        selected = {name: table.c[theirs] for name, theirs in columns.items()}
        deployment = self._config.deployment
        if self._events:
            return event_rows(table, selected, deployment, self._dialect, window)
        return daily_rows(table, selected, deployment, self._dialect)

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
            raise SourceError(
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
            engine = self._dialect.engine(self._url)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            extra = self._dialect.extra
            package = f"pip install 'key-usage-detector[{extra}]'" if extra else "install it"
            raise SourceError(f"source {self._config.name}: no driver for this url: {error}; {package}") from None
        database = engine.url.database
        if self._dialect.name in FILE_DATABASES and database and not Path(database).is_file():
            raise SourceError(f"source {self._config.name}: there is no database {database}; check source.url")
        return engine

    def _failure(self, error: SQLAlchemyError, engine: Engine) -> SourceError:
        """The error for users: the first line of the driver's text, without the statement and the password."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        problem = str(cause).strip().split("\n")[0]
        problem = without(problem, str(engine.url.password or ""))
        url = engine.url.render_as_string(hide_password=True)
        text = (
            f"source {self._config.name}: {url} did not answer: {mask_tokens(problem)[:300]}; "
            "check source.url and what its user may read"
        )
        is_lost = False
        if isinstance(error, DBAPIError):
            # An error without a statement is a failed connection. Before the first answer the URL may be wrong;
            # after it the database restarts or is being replaced.
            is_lost = error.connection_invalidated or (self._answered and error.statement is None)
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
    """The rows of the answer by day. Rows without a usable day come first, with None; empty days are included.

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
        day_of_rows = days.get(_date(value))
        if day_of_rows is None:
            yield None, _frame(rows, names)
            continue
        while remaining[0] != day_of_rows:
            yield remaining.pop(0), _frame([], names)
        yield remaining.pop(0), _frame(rows, names)
    for day in remaining:
        yield day, _frame([], names)


def _groups(frame: pd.DataFrame, times: Times | None, day: Day) -> pd.DataFrame:
    """The usable rows of a day that have requests, as ``GROUP_COLUMNS``."""
    usable = frame[frame["problem"].isna() & (frame["request_count"].fillna(0) > 0)]
    if times is None:
        last_used = pd.Series(pd.NA, index=usable.index, dtype=INSTANT)
    else:
        last_used = times.read(usable["last_used"])
    return clamp_last_use(usable.assign(last_used=last_used), day)


def _observed(frame: pd.DataFrame, day: date | None) -> Iterator[Observation]:
    """The faults among the rows of a day; ``day`` is None for rows without a usable day."""
    reasons = frame["problem"].where(frame["problem"].notna(), frame["warning"])
    faulty = frame.assign(reason=reasons)[reasons.notna()]
    origin = str(day or "")
    for reason, lines, least, most in faulty[["reason", "lines", "least", "most"]].itertuples(index=False):
        yield Observation(day, reason, int(lines), sample(least or "", origin))
        # Another sample of the same rows, which are counted already.
        yield Observation(day, reason, 0, sample(most or "", origin))


def _date(value: Any) -> Any:
    """The day as a date. SQLite gives it as text."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


def _instant_text(value: Any) -> str | None:
    micros = micros_of(value)
    if micros is None:
        # ``clean_register`` counts a text that is no time as a fault.
        return _text(value)
    return from_micros(micros).isoformat()


def _text(value: Any) -> str | None:
    return None if value is None or value is pd.NaT else str(value)
