"""The behaviour of a typed database. Dialects replace the parts in which their database differs.

The types of a typed database say which columns hold instants, days and counts, so their values are not checked.
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
"""Fits the smallest integer type. PostgreSQL sorts NaN above every number, and so above this one."""


class Guard(StrEnum):
    """The guarantees that a session should give, each as the end of a sentence."""

    READ_ONLY = "that nothing can be written"
    UTC = "that the session is in UTC"
    TIMEOUT = "that a statement ends after source.statement_timeout"


@dataclass(frozen=True)
class Times:
    """How a column holds instants: its expression, how a bound is written, and how the answer is read."""

    expression: ColumnElement[Any]
    write: Callable[[datetime], Any]
    certain: bool
    """Whether the database guarantees that every value is a time, so that no other values are searched."""

    def before(self, column: ColumnElement[Any], bound: datetime) -> ColumnElement[bool]:
        """Whether the column, which holds the expression, lies before the bound."""
        return column < literal(self.write(bound), self.expression.type)

    def inside(self, column: ColumnElement[Any], start: datetime, end: datetime) -> ColumnElement[bool]:
        """Whether the column lies in ``[start, end)``."""
        return and_(column >= literal(self.write(start), self.expression.type), self.before(column, end))

    def plausible(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the column holds a time between ``EARLIEST`` and ``LATEST``."""
        return self.inside(column, EARLIEST, LATEST)

    def read(self, values: pd.Series) -> pd.Series:
        """A column of the answer as instants."""
        if isinstance(self.expression.type, DateTime):
            return pd.to_datetime(values, utc=True).astype(INSTANT)
        return pd.to_datetime(values.astype("Int64"), unit="us", utc=True).astype(INSTANT)

    def read_one(self, value: Any) -> datetime | None:
        """One instant of the answer."""
        if value is None:
            return None
        if not isinstance(value, datetime):
            return from_micros(int(value))
        return in_utc(value)


class Dialect:
    """A database that follows the SQL standard and gives no guarantees. A subclass states where one differs.

    ``name`` is the first part of the URL, which is also what SQLAlchemy calls the dialect.
    """

    title: ClassVar[str]
    """The name of the database for people."""
    url: ClassVar[str]
    """An example of ``source.url``."""
    extra: ClassVar[str | None] = None
    """The extra of this package that installs the driver; None where none is needed."""
    session: ClassVar[Mapping[Guard, str]] = {}
    """The statement that gives the transaction, or the session, a guarantee; ``{timeout}`` is in seconds."""
    without_statement: ClassVar[frozenset[Guard]] = frozenset()
    """The guarantees that the connection or the database itself gives, without a statement."""
    rows_end: ClassVar[str] = ""
    """The SQL at the end of the subquery with the rows of the usage table in our columns."""
    typed: ClassVar[bool] = True
    """Whether a column holds only values of its type."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def known(self) -> bool:
        """Whether a dialect exists for the database."""
        return type(self) is not Dialect

    @property
    def not_guaranteed(self) -> tuple[Guard, ...]:
        """The guarantees that a session does not give."""
        return tuple(guard for guard in Guard if guard not in {*self.session, *self.without_statement})

    def engine(self, url: URL) -> Engine:
        """An engine whose connections can read."""
        return create_engine(url, poolclass=NullPool)

    def begin(self, connection: Connection, timeout: int) -> None:
        """Run the statements that give guarantees, at the begin of a transaction."""
        for statement in self.session.values():
            connection.execute(text(statement.format(timeout=int(timeout))))

    def times(self, column: ColumnElement[Any]) -> Times:
        """The instants of a column. An instant without a zone is UTC; a number counts from 1970, and its size
        gives its unit."""
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
        """The column in a form that can be compared with an instant."""
        return column

    def has_zone(self, kind: DateTime) -> bool:
        """Whether values of the type carry a time zone."""
        return bool(kind.timezone)

    def has_true_instants(self, columns: Mapping[str, ColumnElement[Any]]) -> bool:
        """Whether the timestamps have a type of time, so that the database knows the latest of them."""
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
        """The column as a count; null where the value is no count."""
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
        """Whether a status is neither missing nor a number."""
        # The type of the column says that it holds numbers.
        return false()


def is_text(column: ColumnElement[Any]) -> bool:
    """Whether the column holds text."""
    # ClickHouse's own text types are no subclasses of SQLAlchemy's.
    return isinstance(column.type, String) or type(column.type).__name__ in ("String", "FixedString")


def text_of(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as text without blanks around it; null where it is blank."""
    return func.nullif(func.trim(column if is_text(column) else cast(column, String())), "")


def says_error(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether the text of an ``error`` column means an error."""
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
