"""What differs between databases: how a column becomes an instant, a day or a count, and how one only reads.

Typed databases are taken at their word. SQLite columns hold anything, so there values go through small
functions that the connection brings along; instants are whole microseconds since 1970 then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import (
    TIMESTAMP,
    URL,
    BigInteger,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    Integer,
    Numeric,
    String,
    and_,
    case,
    cast,
    create_engine,
    event,
    false,
    func,
    literal,
    null,
    or_,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.functions import FunctionElement

from detector.model.usage import INSTANT
from detector.sources.columns import FALSE_TEXTS
from detector.sources.values import count_of, day_of, from_micros, micros_of, number_of, to_micros
from detector.sources.windows import EARLIEST, LARGEST_COUNT, LATEST

HIGHEST_STATUS = 9_999
"""Fits the smallest integer type; NaN, which PostgreSQL sorts above every number, is beyond it."""

READ_ONLY = {
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "mysql": "SET TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}
"""Dialect: the statement after which a transaction can only read. One snapshot, where that can be had."""

CLICKHOUSE = {
    "ch_readonly": "2",
    "ch_cast_keep_nullable": "1",
    "ch_aggregate_functions_null_for_empty": "1",
    "ch_session_timezone": "UTC",
}
"""What a ClickHouse session is told: only to read, and that what is missing stays so through casts and sums."""

UTC_SESSION = {
    "postgresql": "SET LOCAL TIME ZONE 'UTC'",
    "mysql": "SET time_zone = '+00:00'",
    "duckdb": "SET TimeZone = 'UTC'",
    "trino": "SET TIME ZONE 'UTC'",
    "snowflake": "ALTER SESSION SET TIMEZONE = 'UTC'",
}
"""Dialect: the statement that makes the session's time zone UTC, for columns that depend on it."""

STATEMENT_TIMEOUT = {
    "postgresql": "SET LOCAL statement_timeout = '{timeout}s'",
    "mysql": "SET max_execution_time = {timeout}000",
    "snowflake": "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {timeout}",
    "trino": "SET SESSION query_max_run_time = '{timeout}s'",
}
"""Dialect: the statement that ends later ones which take longer."""

_TWO = "[0-9][0-9]"
PLAIN_SECONDS = f"{_TWO}{_TWO}-{_TWO}-{_TWO}[ T]{_TWO}:{_TWO}:{_TWO}"
"""The commonest writing of an instant, as a pattern of SQLite's GLOB."""

_READERS: dict[str, Callable[[Any], Any]] = {
    "detector_micros": micros_of,
    "detector_day": day_of,
    "detector_count": count_of,
    "detector_number": number_of,
}


@dataclass(frozen=True)
class Times:
    """How a column tells instants: its expression, how a bound is written, and how answers are read."""

    expression: ColumnElement[Any]
    write: Callable[[datetime], Any]
    certain: bool
    """Whether every value is a time, so that none need be looked for that is not."""

    def before(self, column: ColumnElement[Any], bound: datetime) -> ColumnElement[bool]:
        """Whether the column, which holds the expression, lies before the bound."""
        return column < literal(self.write(bound), self.expression.type)

    def inside(self, column: ColumnElement[Any], start: datetime, end: datetime) -> ColumnElement[bool]:
        """Whether the column lies in ``[start, end)``."""
        return and_(column >= literal(self.write(start), self.expression.type), self.before(column, end))

    def plausible(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the column holds a time that can be meant."""
        return self.inside(column, EARLIEST, LATEST)

    def read(self, values: pd.Series) -> pd.Series:
        """A column of the answer as instants."""
        if isinstance(self.expression.type, DateTime):
            return pd.to_datetime(values, utc=True).astype(INSTANT)
        return pd.to_datetime(values.astype("Int64"), unit="us", utc=True).astype(INSTANT)

    def read_one(self, value: Any) -> datetime | None:
        """One instant of the answer."""
        if value is None or not isinstance(value, datetime):
            return None if value is None else from_micros(int(value))
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class _Reader(FunctionElement[Any]):
    """One value through a function of the connection, which only SQLite has and needs."""

    inherit_cache = True
    name = "reader"
    native = False
    """Whether an integer is its own reading, which spares the call."""


class Micros(_Reader):
    """Microseconds since 1970."""

    inherit_cache = True
    name = "detector_micros"
    type = BigInteger()


@compiles(Micros, "sqlite")
def _micros(element: Micros, compiler: Any, **options: Any) -> str:
    """Plain UTC seconds are read by SQLite itself, ten times faster; days from the 29th on, which it would
    carry into the next month, and all else go to the function."""
    value = compiler.process(element.clauses, **options)
    plain = " OR ".join(f"{value} GLOB '{PLAIN_SECONDS}{zone}'" for zone in ("", "Z"))
    certain = f"({plain}) AND substr({value}, 9, 2) < '29' AND substr({value}, 12, 2) < '24'"
    seconds = f"CAST(strftime('%s', {value}) AS INTEGER)"
    return f"CASE WHEN {certain} THEN {seconds} * 1000000 ELSE {element.name}({value}) END"


class Day(_Reader):
    """A date as ISO text."""

    inherit_cache = True
    name = "detector_day"
    type = String()


class Count(_Reader):
    """A whole number."""

    inherit_cache = True
    name = "detector_count"
    type = BigInteger()


class Number(_Reader):
    """A finite number."""

    inherit_cache = True
    name = "detector_number"
    type = Numeric()
    native = True


@compiles(_Reader, "sqlite")
def _call(element: _Reader, compiler: Any, **options: Any) -> str:
    value = compiler.process(element.clauses, **options)
    called = f"{element.name}({value})"
    return f"CASE typeof({value}) WHEN 'integer' THEN {value} ELSE {called} END" if element.native else called


def reading_engine(url: URL) -> Engine:
    """An engine whose connections can read, as far as the database lets a client say so, and not write."""
    name = url.get_backend_name()
    if name == "clickhousedb":
        url = url.update_query_dict(CLICKHOUSE)
    engine = create_engine(url, poolclass=NullPool, connect_args={"read_only": True} if name == "duckdb" else {})
    if name == "sqlite":
        _bring_readers(engine)
    return engine


def _bring_readers(engine: Engine) -> None:
    """Give every SQLite connection the reading functions."""

    @event.listens_for(engine, "connect")
    def add_functions(connection: Any, _record: Any) -> None:
        for name, function in _READERS.items():
            connection.create_function(name, 1, function, deterministic=True)


def only_read(connection: Connection, timeout: int) -> None:
    """Make the transaction that begins here unable to write, independent of the session's time zone, and bound
    its statements to so many seconds where the database can."""
    for statements in (READ_ONLY, UTC_SESSION, STATEMENT_TIMEOUT):
        if connection.dialect.name in statements:
            connection.execute(text(statements[connection.dialect.name].format(timeout=int(timeout))))


def times(column: ColumnElement[Any], dialect: str) -> Times:
    """The instants of a column. Naive ones are UTC; numbers are since 1970, scaled by their size."""
    if dialect == "sqlite":
        return Times(Micros(column), to_micros, certain=False)
    certain = not getattr(column, "nullable", True)
    if dialect == "clickhousedb":
        column = _clickhouse_instant(column)
    if isinstance(column.type, DateTime):
        aware = bool(column.type.timezone) or (dialect == "bigquery" and isinstance(column.type, TIMESTAMP))
        return Times(column, _aware if aware else _naive, certain)
    if isinstance(column.type, Date):
        return Times(cast(column, DateTime()), _naive, certain)
    if isinstance(column.type, Integer | Numeric | Float):
        return Times(_scaled(column), to_micros, certain=False)
    return Times(cast(column, DateTime(timezone=True)), _aware, certain)


def has_true_instants(columns: Mapping[str, ColumnElement[Any]], dialect: str) -> bool:
    """Whether the timestamps are of a type of time, so that the latest of some is one of them as it stands."""
    return dialect != "sqlite" and isinstance(columns["timestamp"].type, DateTime)


def _clickhouse_instant(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Instants there are compared in their column's own zone, and text is read by a function of its own."""
    if is_text(column):
        return func.parseDateTime64BestEffortOrNull(column, 6, "UTC", type_=DateTime())
    return func.toTimeZone(column, "UTC", type_=DateTime()) if isinstance(column.type, DateTime) else column


def is_text(column: ColumnElement[Any]) -> bool:
    """Whether the column holds text; ClickHouse's own text types are not SQLAlchemy's."""
    return isinstance(column.type, String) or type(column.type).__name__ in ("String", "FixedString")


def day(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """The local day that a column states, as a date (ISO text in SQLite)."""
    if dialect == "sqlite":
        return Day(column)
    if isinstance(column.type, Date) and not isinstance(column.type, DateTime):
        return column
    return cast(func.substr(column, 1, 10) if is_text(column) else column, Date())


def day_bound(bound: date, dialect: str) -> ColumnElement[Any]:
    """A date to compare ``day`` with."""
    return literal(bound.isoformat(), String()) if dialect == "sqlite" else literal(bound, Date())


def count(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """The column as a count; null where it is none."""
    if dialect == "sqlite":
        return Count(column)
    number = column if isinstance(column.type, Integer | Numeric | Float) else cast(column, Numeric())
    whole: ColumnElement[bool] = number.between(0, literal(LARGEST_COUNT, BigInteger()))
    if not isinstance(column.type, Integer):
        whole = and_(whole, number == func.floor(number))
    return case((whole, cast(number, BigInteger())), else_=null())


def words(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as text without blanks around it; null where nothing is left."""
    return func.nullif(func.trim(column if is_text(column) else cast(column, String())), "")


def says_error(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether an ``error`` column says that there was one."""
    return func.lower(func.coalesce(words(column), "")).not_in(FALSE_TEXTS)


def is_error_status(column: ColumnElement[Any], dialect: str) -> ColumnElement[bool]:
    """Whether an HTTP status is 400 or above."""
    if dialect == "sqlite":
        return Number(column) >= 400
    if is_text(column):
        return or_(column.like("4__"), column.like("5__"))
    return column.between(400, HIGHEST_STATUS)


def unreadable_status(column: ColumnElement[Any], dialect: str) -> ColumnElement[bool]:
    """Whether a status is there and no number; elsewhere than in SQLite its type says that it is one."""
    return and_(words(column).is_not(None), Number(column).is_(None)) if dialect == "sqlite" else false()


def _scaled(column: ColumnElement[Any]) -> ColumnElement[Any]:
    number = cast(column, BigInteger()) if isinstance(column.type, Integer) else column
    micros = case(
        (number < 1e8, null()),
        (number < 1e11, number * 1_000_000),
        (number < 1e14, number * 1_000),
        (number < 1e17, number),
        (number < 1e20, number / 1_000),
        else_=null(),
    )
    return cast(micros, BigInteger())


def _aware(instant: datetime) -> datetime:
    return instant


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
