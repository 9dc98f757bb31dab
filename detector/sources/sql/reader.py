"""Usage from the tables of a database, through SQLAlchemy Core.

The database counts: one statement per window of days, whose answer is a row per day, key, endpoint
and deployment. Table and column names are looked up by reflection and never pasted into SQL.
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

from detector.boundary.retries import Attempt, attempts
from detector.boundary.suggestions import did_you_mean
from detector.config.source import SqlSource
from detector.config.urls import FILE_DATABASES
from detector.model.day import Day
from detector.model.errors import SourceError
from detector.model.usage import INSTANT, REGISTER, Fault
from detector.sources.columns import register_columns, usage_columns
from detector.sources.faults import FaultLog, Observation, mask, sample
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

Answer = TypeVar("Answer")

ROWS_AT_ONCE = 10_000
DAYS_AT_ONCE = 128
"""Answers are streamed day by day, so a first pull needs only one scan of the table."""

_LOG = logging.getLogger(__name__)


class ConnectionLostError(SourceError):
    """The database went away while it answered; asked again, it may answer."""


class SqlReader:
    """The ``sql`` source. Every call is one read-only transaction, asked again where the connection was lost."""

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

        def named(connection: Connection) -> dict[str, str]:
            table = self._table(self._config.usage, connection)
            return usage_columns(self._config, table.columns.keys(), f"table {self._config.usage}")

        return self._ask(named)

    def keys(self) -> pd.DataFrame:
        """The register, from a table or by a query."""
        if self._config.keys is None and self._config.keys_query is None:
            return empty(REGISTER)
        raw = self._ask(self._register)
        for name in {"created_at", "revoked_at"} & set(raw):
            raw[name] = pd.Series([_instant_text(value) for value in raw[name]], dtype="object")
        plain = {name: pd.Series(map(_plain, values), dtype="object") for name, values in raw.items()}
        register, self._faults.register = clean_register(pd.DataFrame(plain))
        return register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """Records of every day, by one statement per window of days, and one for clients where known.

        A day is given whole; where the connection is lost, the days not yet given are asked for again.
        """
        for window in windows(first, last, self._timezone, DAYS_AT_ONCE):
            left = list(window.days)
            for attempt in _attempts():
                with attempt:
                    for day, frame in self._window(Window(tuple(left))):
                        left.pop(0)
                        yield day.date, frame

    def faults(self, day: date) -> tuple[Fault, ...]:
        """What could not be used of the day, of the table as a whole, and of the register."""
        return self._faults.of(day)

    def watermark(self) -> datetime | None:
        """The latest instant that a usable row states; a daily row without one states its day's start."""

        def latest(connection: Connection) -> tuple[Any, datetime | None]:
            readings = self._readings(connection)
            row = connection.execute(latest_use(readings)).first()
            day, used = tuple(row) if row else (None, None)
            return day, readings.times.read_one(used) if readings.times else None

        day, reached = self._ask(latest)
        return reached if self._events else watermark_of_days(_date(day), reached, self._timezone)

    def activity_before(self, day: date) -> pd.DataFrame:
        """First and last use of every key before the day, from the whole table."""
        bound = Day(day, self._timezone)

        def before(connection: Connection) -> tuple[UsageRows, Sequence[Any]]:
            readings = self._readings(connection)
            return readings, connection.execute(first_and_last(readings, bound)).all()

        readings, found = self._ask(before)
        rows = pd.DataFrame(found, columns=["key_id", "first_day", "last_day", "first_used", "last_used"])
        for name in ("first_used", "last_used"):
            rows[name] = readings.times.read(rows[name]) if readings.times else pd.Series(dtype=INSTANT)
        for name in ("first_day", "last_day"):
            rows[name] = pd.Series([_date(value) for value in rows[name]], dtype="object")
        return activity_of_events(rows, bound) if self._events else activity_of_days(rows, bound)

    def not_guaranteed(self) -> tuple[str, ...]:
        """What a session of the database is not held to, each as the end of a sentence."""
        return self._dialect.not_guaranteed

    def _ask(self, question: Callable[[Connection], Answer]) -> Answer:
        """The answer to a question, asked again while the connection is lost."""
        for attempt in _attempts():
            with attempt, self._connected() as connection:
                return question(connection)
        raise AssertionError("the last attempt raises")

    def _register(self, connection: Connection) -> pd.DataFrame:
        """The rows of the register, by our column names."""
        if self._config.keys_query is not None:
            result = connection.execute(text(self._config.keys_query))
            columns = register_columns(self._config, result.keys(), "source.keys_query")
            return _frame([[row[theirs] for theirs in columns.values()] for row in result.mappings()], columns)
        table = self._table(str(self._config.keys), connection)
        columns = register_columns(self._config, table.columns.keys(), f"table {self._config.keys}")
        return _frame(connection.execute(select(*(table.c[theirs] for theirs in columns.values()))), columns)

    def _window(self, window: Window) -> Iterator[tuple[Day, pd.DataFrame]]:
        with self._connected() as connection:
            seen = self._readings(connection, window)
            asked = client_counts(dated(seen, window))
            clients = dict(_days(connection, asked, window)) if seen.has_clients else {}
            readings = self._readings(connection, window, clients=False)
            rows = dated(readings, window)
            undated: list[Observation] = []
            for day, frame in _days(connection, counts(rows), window):
                if day is None:
                    undated = list(_observed(frame, None))
                    continue
                self._faults.record(Window((day,)), [*_observed(frame, day.date), *undated])
                yield day, by_key(_groups(frame, readings.times, day), clients.get(day))

    def _readings(
        self, connection: Connection, window: Window | None = None, *, clients: bool = True
    ) -> UsageRows:
        """The usage table in our columns; without ``clients`` like requests of several count as one row."""
        table = self._table(self._config.usage, connection)
        columns = usage_columns(self._config, table.columns.keys(), f"table {self._config.usage}")
        theirs = {name: table.c[column] for name, column in columns.items() if clients or name != "client"}
        deployment = self._config.deployment
        if self._events:
            return event_rows(table, theirs, deployment, self._dialect, window)
        return daily_rows(table, theirs, deployment, self._dialect)

    def _table(self, name: str, connection: Connection) -> Table:
        inspector = inspect(connection)
        schema, _, plain = ("", "", name) if inspector.has_table(name) else name.rpartition(".")
        try:
            return Table(plain, MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False)
        except NoSuchTableError:
            known = inspector.get_table_names(schema or None) + inspector.get_view_names(schema or None)
            raise SourceError(
                f"source {self._config.name}: there is no table '{name}'{did_you_mean(plain, known)}; "
                f"name the right one, as name or schema.name, and check what the user may see"
            ) from None

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = self._engine()
        try:
            with engine.connect() as connection:
                self._dialect.begin(connection, self._config.statement_timeout)
                self._say_what_is_not_guaranteed()
                self._answered = True
                yield connection
        except SQLAlchemyError as error:
            raise self._failure(error, engine) from None
        finally:
            engine.dispose()

    def _say_what_is_not_guaranteed(self) -> None:
        """Warn once, of a database that is not known; what the known ones cannot do stands in the reference."""
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
        """The driver's first line; neither the statement nor the password.

        Once the database has answered, not getting a connection means that it went away.
        """
        problem = str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0]
        if engine.url.password:
            problem = problem.replace(str(engine.url.password), "***")
        place = engine.url.render_as_string(hide_password=True)
        lost = isinstance(error, DBAPIError) and (
            error.connection_invalidated or (self._answered and error.statement is None)
        )
        return (ConnectionLostError if lost else SourceError)(
            f"source {self._config.name}: {place} did not answer: {mask(problem)[:300]}; "
            "check source.url and what its user may read"
        )


def _frame(rows: Iterable[Any], columns: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame([tuple(row) for row in rows], columns=list(columns), dtype="object")


def _attempts() -> Iterator[Attempt]:
    """Five, with pauses of seconds: a restart or a failover is over by then."""
    return attempts(_may_come_back, most=5, first_pause=1, longest_pause=30)


def _may_come_back(error: Exception) -> bool:
    lost = isinstance(error, ConnectionLostError)
    if lost:
        _LOG.warning("%s; trying again", error)
    return lost


def _days(
    connection: Connection, statement: Select[Any], window: Window
) -> Iterator[tuple[Day | None, pd.DataFrame]]:
    """The answer day by day, empty days too; rows of no day come first, if there are any.

    The first column is the day's number in the window or its day.
    """
    result = connection.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE})
    names = list(result.keys())
    days: list[Day | None] = list(window.days)
    places = {place: day for number, day in enumerate(window.days) for place in (number, day.date)}
    for value, rows in groupby(result, key=lambda row: row[0]):
        day = places.get(_date(value))
        while day is not None and days[0] != day:
            yield days.pop(0), pd.DataFrame(columns=names, dtype="object")
        yield day, _frame(rows, names)
        days = days[1:] if day is not None else days
    for day in days:
        yield day, pd.DataFrame(columns=names, dtype="object")


def _groups(frame: pd.DataFrame, times: Times | None, day: Day) -> pd.DataFrame:
    """The usable rows of a day that have requests, as ``GROUP_COLUMNS``."""
    usable = frame[frame["problem"].isna() & (frame["request_count"].fillna(0) > 0)]
    unknown = pd.Series(pd.NA, index=usable.index, dtype=INSTANT)
    return clamp_last_use(usable.assign(last_used=times.read(usable["last_used"]) if times else unknown), day)


def _observed(frame: pd.DataFrame, day: date | None) -> Iterator[Observation]:
    """The faults among the rows of a day, or of none."""
    reasons = frame["problem"].where(frame["problem"].notna(), frame["warning"])
    faulty = frame.assign(reason=reasons)[reasons.notna()]
    for reason, lines, *details in faulty[["reason", "lines", "least", "most"]].itertuples(index=False):
        for number, detail in enumerate(details):
            yield Observation(day, reason, 0 if number else int(lines), sample(detail or "", str(day or "")))


def _date(value: Any) -> Any:
    """A day as a date, also where the database has only text for it."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


def _instant_text(value: Any) -> str | None:
    micros = micros_of(value)
    return from_micros(micros).isoformat() if micros is not None else _plain(value)


def _plain(value: Any) -> str | None:
    return None if value is None or value is pd.NaT else str(value)
