"""The behaviour of a database that follows the SQL standard. Dialects replace the parts in which theirs differs.

A database counts records by their texts as they stand in its tables. It compares only what its types guarantee or
what a pattern has checked; ``detector.sources.reading`` reads all other values. So no cast can fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    Enum,
    Integer,
    String,
    and_,
    case,
    cast,
    create_engine,
    extract,
    false,
    literal,
    literal_column,
    null,
    text,
)
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.pool import NullPool

from detector.boundary.instants import in_utc
from detector.model.usage import INSTANT
from detector.sources.instants import from_micros, to_micros
from detector.sources.values import ValueRules
from detector.sources.windows import EARLIEST, LATEST

_DAY = (
    r"(19|20|21)[0-9][0-9]-("
    r"(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
)
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
PLAIN_DAY = f"^{_DAY}$"
"""A regular expression of texts that are certainly a day. 29 February is not among them."""
PLAIN_INSTANT = f"^{_DAY}[T ]{_CLOCK}(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?$"
"""A regular expression of texts that are certainly an instant, which a database with time zones can cast."""
PLAIN_UTC = f"^{_DAY}[T ]{_CLOCK}Z?$"
"""The same without an offset."""


_QUARTER = 15 * 60 * 1_000_000
"""A quarter of an hour in microseconds."""


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

    @property
    def null(self) -> ColumnElement[Any]:
        """No instant, in the type of the expression."""
        return cast(null(), self.expression.type)

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

    def engine(self, url: URL, rules: ValueRules) -> Engine:
        """An engine whose connections can read."""
        return create_engine(url, poolclass=NullPool)

    def begin(self, connection: Connection, timeout: int) -> None:
        """Run the statements that give guarantees, at the begin of a transaction."""
        for statement in self.statements(connection):
            connection.execute(text(statement.format(timeout=int(timeout))))

    def statements(self, connection: Connection) -> list[str]:
        """The statements that give guarantees, in the words of the server."""
        return list(self.session.values())

    def is_misconfigured(self, error: DBAPIError) -> bool:
        """Whether the configuration is wrong: the user, the password, or the name of something that is not there.

        Any other error may pass by itself.
        """
        return isinstance(error, ProgrammingError)

    def times(self, column: ColumnElement[Any]) -> Times:
        """The instants of a column; null for every value that the database cannot read without doubt.

        An instant without a zone is UTC; a number counts from 1970, and its size gives its unit.
        """
        certain = self.typed and not getattr(column, "nullable", True)
        if isinstance(column.type, DateTime):
            instant = self.instant(column)
            return Times(instant, _aware if self.has_zone(instant.type) else _naive, certain)
        if isinstance(column.type, Date):
            # A date may lie beyond the last timestamp.
            is_plausible = column.between(self.day_bound(EARLIEST.date()), self.day_bound(LATEST.date()))
            instant = case((is_plausible, cast(column, DateTime())), else_=null())
            return Times(cast(instant, DateTime()), _naive, certain=False)
        if isinstance(column.type, Integer):
            return Times(_scaled(column), to_micros, certain=False)
        return self.times_of_text(self.text(column))

    def times_of_text(self, column: ColumnElement[Any]) -> Times:
        """The instants of a text; null where the text is not certainly an instant that the database can cast."""
        plain = self.matches(column, PLAIN_INSTANT)
        instant = case((plain, cast(column, DateTime(timezone=True))), else_=null())
        return Times(cast(instant, DateTime(timezone=True)), _aware, certain=False)

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a regular expression; false where the database is not known to have them."""
        return false()

    def instant(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column of instants in a form that can be compared with an instant."""
        return column

    def has_zone(self, kind: Any) -> bool:
        """Whether values of the type carry a time zone."""
        return bool(kind.timezone)

    def day(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The local day that a column states, in the type of ``day_bound``; null where it is not certain."""
        if self.is_day(column):
            return cast(column, Date()) if isinstance(column.type, DateTime) else column
        if isinstance(column.type, DateTime):
            # The local day of an instant depends on the time zone.
            return cast(null(), Date())
        column = self.text(column)
        return cast(case((self.matches(column, PLAIN_DAY), cast(column, Date())), else_=null()), Date())

    def is_day(self, column: ColumnElement[Any]) -> bool:
        """Whether every value of a column that is not null is certainly a day."""
        is_date = isinstance(column.type, Date)
        return is_date or (isinstance(column.type, DateTime) and not self.has_zone(column.type))

    def day_bound(self, bound: date) -> ColumnElement[Any]:
        """A date to compare ``day`` with."""
        return literal(bound, Date())

    def quarter(self, column: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        """The quarter of an hour of an instant, as parts for ``start_of_quarter``."""
        if is_integer(column):
            return [cast(column // literal_column(str(_QUARTER), BigInteger()), BigInteger())]
        minute = extract("minute", column)
        # Literals, because a database does not see that two bound values in GROUP BY are the same.
        bounds = [(minute < _number(bound), _number(bound - 15)) for bound in (15, 30, 45)]
        return [cast(column, Date()), extract("hour", column), case(*bounds, else_=_number(45))]

    def start_of_quarter(self, parts: Sequence[Any]) -> datetime:
        """The start of a quarter of an hour from the parts of the answer."""
        if len(parts) == 1:
            return from_micros(int(parts[0]) * _QUARTER)
        day, hour, minute = parts
        return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=UTC)

    def text(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as text, as it stands in the table; null where it has no value."""
        if is_text(column):
            return column
        if isinstance(column.type, DateTime):
            return cast(self.instant(column), String())
        return cast(column, String())


def is_text(column: ColumnElement[Any]) -> bool:
    """Whether the column holds text."""
    # ClickHouse's own text types are no subclasses of SQLAlchemy's. An enumeration is one, but is no text.
    if isinstance(column.type, Enum):
        return False
    return isinstance(column.type, String) or type(column.type).__name__ in ("String", "FixedString")


def is_integer(column: ColumnElement[Any]) -> bool:
    """Whether the column holds whole numbers."""
    return isinstance(column.type, Integer)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), Integer())


def _scaled(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Microseconds since 1970 of whole numbers since 1970."""
    # A larger number may not fit into the type; it is read as text.
    fits = column.between(literal(10**8, BigInteger()), literal(10**17 - 1, BigInteger()))
    number = case((fits, cast(column, BigInteger())), else_=null())
    micros = case(
        (number < 10**11, number * 1_000_000),
        (number < 10**14, number * 1_000),
        else_=number,
    )
    return cast(micros, BigInteger())


def _aware(instant: datetime) -> datetime:
    return instant


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)
