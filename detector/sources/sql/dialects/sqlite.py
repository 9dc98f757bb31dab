"""SQLite. Its columns hold values of any type.

Functions in Python parse the values; every connection registers them. Instants are whole microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, ClassVar

from sqlalchemy import (
    URL,
    BigInteger,
    ColumnElement,
    Engine,
    Numeric,
    String,
    and_,
    event,
    literal,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from detector.sources.sql.dialects.dialect import Dialect, Guard, Times, text_of
from detector.sources.values import count_of, day_of, micros_of, number_of, to_micros

_TWO = "[0-9][0-9]"
PLAIN_SECONDS = f"{_TWO}{_TWO}-{_TWO}-{_TWO}[ T]{_TWO}:{_TWO}:{_TWO}"
"""The commonest format of an instant, as a pattern of SQLite's GLOB."""

_PARSERS: dict[str, Callable[[Any], Any]] = {
    "detector_micros": micros_of,
    "detector_day": day_of,
    "detector_count": count_of,
    "detector_number": number_of,
}


class SQLite(Dialect):
    """A session has no time zone and cannot limit the time of a statement."""

    title = "SQLite"
    url = "sqlite:///path/to/usage.db"
    session: ClassVar = {Guard.READ_ONLY: "PRAGMA query_only = ON"}
    without_statement = frozenset({Guard.UTC})
    # Without a limit SQLite merges the subquery into the statement and parses a value again wherever it is used.
    rows_end = "LIMIT -1"
    typed = False

    def engine(self, url: URL) -> Engine:
        """An engine whose connections have the functions that parse values."""
        engine = super().engine(url)
        _register_parsers(engine)
        return engine

    def times(self, column: ColumnElement[Any]) -> Times:
        """The instants of a column; every value may have another format."""
        return Times(Micros(column), to_micros, certain=False)

    def day(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The local day that a column states, as ISO text."""
        return Day(column)

    def day_bound(self, bound: date) -> ColumnElement[Any]:
        """ISO text to compare ``day`` with."""
        return literal(bound.isoformat(), String())

    def count(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as a count; null where the value is no count."""
        return Count(column)

    def is_error_status(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether an HTTP status is 400 or above."""
        return Number(column) >= 400

    def unreadable_status(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a status is neither missing nor a number."""
        return and_(text_of(column).is_not(None), Number(column).is_(None))


class _Parser(FunctionElement[Any]):
    """A value that a function of the connection parses."""

    inherit_cache = True
    name = "parser"
    native = False
    """Whether an integer needs no parsing, which saves the call."""


class Micros(_Parser):
    """Microseconds since 1970."""

    inherit_cache = True
    name = "detector_micros"
    type = BigInteger()


@compiles(Micros, "sqlite")
def _micros(element: Micros, compiler: Any, **options: Any) -> str:
    # SQLite itself parses plain seconds in UTC ten times faster than the function. But it does not check the day
    # of the month: it reads 30 February as 2 March. So the function parses days from the 29th on, and all else.
    value = compiler.process(element.clauses, **options)
    plain = " OR ".join(f"{value} GLOB '{PLAIN_SECONDS}{zone}'" for zone in ("", "Z"))
    certain = f"({plain}) AND substr({value}, 9, 2) < '29' AND substr({value}, 12, 2) < '24'"
    seconds = f"CAST(strftime('%s', {value}) AS INTEGER)"
    return f"CASE WHEN {certain} THEN {seconds} * 1000000 ELSE {element.name}({value}) END"


class Day(_Parser):
    """A date as ISO text."""

    inherit_cache = True
    name = "detector_day"
    type = String()


class Count(_Parser):
    """A whole number."""

    inherit_cache = True
    name = "detector_count"
    type = BigInteger()


class Number(_Parser):
    """A finite number."""

    inherit_cache = True
    name = "detector_number"
    type = Numeric()
    native = True


@compiles(_Parser, "sqlite")
def _call(element: _Parser, compiler: Any, **options: Any) -> str:
    value = compiler.process(element.clauses, **options)
    call = f"{element.name}({value})"
    if not element.native:
        return call
    return f"CASE typeof({value}) WHEN 'integer' THEN {value} ELSE {call} END"


def _register_parsers(engine: Engine) -> None:
    """Give every SQLite connection the functions that parse values."""

    @event.listens_for(engine, "connect")
    def add_functions(connection: Any, _record: Any) -> None:
        for name, function in _PARSERS.items():
            connection.create_function(name, 1, function, deterministic=True)
