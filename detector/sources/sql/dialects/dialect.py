"""What any typed database does, and what of it a dialect may do otherwise.

A typed database is taken at its word: its types say what an instant, a day and a count are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, ClassVar

import pandas as pd
from sqlalchemy import (
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
    false,
    func,
    literal,
    null,
    or_,
    text,
)
from sqlalchemy.pool import NullPool

from detector.boundary.instants import in_utc
from detector.model.usage import INSTANT
from detector.sources.columns import FALSE_TEXTS
from detector.sources.values import from_micros, to_micros
from detector.sources.windows import EARLIEST, LARGEST_COUNT, LATEST

HIGHEST_STATUS = 9_999
"""Fits the smallest integer type; NaN, which PostgreSQL sorts above every number, is beyond it."""


class Guard(StrEnum):
    """What a session has to hold, as the end of a sentence on what is guaranteed."""

    READ_ONLY = "that nothing can be written"
    UTC = "that the session is in UTC"
    TIMEOUT = "that a statement ends after source.statement_timeout"


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
        return in_utc(value)


class Dialect:
    """A database that keeps to the standard and guarantees nothing; the known ones say what they do otherwise.

    ``name`` is the first part of the URL, which is also what SQLAlchemy calls the dialect.
    """

    title: ClassVar[str]
    """What people call the database."""
    url: ClassVar[str]
    """An example of ``source.url``."""
    extra: ClassVar[str | None] = None
    """The extra of the package that brings the driver; None where none is needed."""
    session: ClassVar[Mapping[Guard, str]] = {}
    """The statement that makes the transaction, or the session, hold a guard; ``{timeout}`` is in seconds."""
    without_statement: ClassVar[frozenset[Guard]] = frozenset()
    """The guards that hold because of how the connection is made, or of what the database is."""
    rows_end: ClassVar[str] = ""
    """What is written behind the subquery that gives the rows of the usage table in our columns."""
    typed: ClassVar[bool] = True
    """Whether the type of a column says what its values are."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def known(self) -> bool:
        """Whether somebody wrote down what is special about the database."""
        return type(self) is not Dialect

    @property
    def not_guaranteed(self) -> tuple[Guard, ...]:
        """The guards that a session does not hold."""
        return tuple(guard for guard in Guard if guard not in {*self.session, *self.without_statement})

    def engine(self, url: URL) -> Engine:
        """An engine whose connections can read."""
        return create_engine(url, poolclass=NullPool)

    def begin(self, connection: Connection, timeout: int) -> None:
        """Make the transaction that begins here hold the guards that a statement brings."""
        for statement in self.session.values():
            connection.execute(text(statement.format(timeout=int(timeout))))

    def times(self, column: ColumnElement[Any]) -> Times:
        """The instants of a column. Naive ones are UTC; numbers are since 1970, scaled by their size."""
        certain = not getattr(column, "nullable", True)
        column = self.instant(column)
        if isinstance(column.type, DateTime):
            return Times(column, _aware if self.has_zone(column.type) else _naive, certain)
        if isinstance(column.type, Date):
            return Times(cast(column, DateTime()), _naive, certain)
        if isinstance(column.type, Integer | Numeric | Float):
            return Times(_scaled(column), to_micros, certain=False)
        return Times(cast(column, DateTime(timezone=True)), _aware, certain)

    def instant(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as it can be compared with an instant."""
        return column

    def has_zone(self, kind: DateTime) -> bool:
        """Whether values of the type carry a time zone."""
        return bool(kind.timezone)

    def has_true_instants(self, columns: Mapping[str, ColumnElement[Any]]) -> bool:
        """Whether the timestamps are of a type of time, so that the latest of some is one of them as it stands."""
        return self.typed and isinstance(columns["timestamp"].type, DateTime)

    def day(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The local day that a column states, as a date."""
        if isinstance(column.type, Date) and not isinstance(column.type, DateTime):
            return column
        return cast(func.substr(column, 1, 10) if is_text(column) else column, Date())

    def day_bound(self, bound: date) -> ColumnElement[Any]:
        """A date to compare ``day`` with."""
        return literal(bound, Date())

    def count(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as a count; null where it is none."""
        number = column if isinstance(column.type, Integer | Numeric | Float) else cast(column, Numeric())
        whole: ColumnElement[bool] = number.between(0, literal(LARGEST_COUNT, BigInteger()))
        if not isinstance(column.type, Integer):
            whole = and_(whole, number == func.floor(number))
        return case((whole, cast(number, BigInteger())), else_=null())

    def is_error_status(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether an HTTP status is 400 or above."""
        if is_text(column):
            return or_(column.like("4__"), column.like("5__"))
        return column.between(400, HIGHEST_STATUS)

    def unreadable_status(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a status is there and no number; the type of a column says that it is one."""
        return false()


def is_text(column: ColumnElement[Any]) -> bool:
    """Whether the column holds text; ClickHouse's own text types are not SQLAlchemy's."""
    return isinstance(column.type, String) or type(column.type).__name__ in ("String", "FixedString")


def text_of(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as text without blanks around it; null where nothing is left."""
    return func.nullif(func.trim(column if is_text(column) else cast(column, String())), "")


def says_error(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether an ``error`` column says that there was one."""
    return func.lower(func.coalesce(text_of(column), "")).not_in(FALSE_TEXTS)


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
