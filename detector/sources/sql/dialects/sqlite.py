"""SQLite. Its columns hold values of any type.

Functions in Python parse the values; every connection registers them. Instants are whole microseconds since 1970.
"""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from sqlalchemy import URL, BigInteger, ColumnElement, Engine, String, Text, cast, event, literal
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from detector.sources.instants import day_of, micros_of, to_micros
from detector.sources.sql.dialects.dialect import Dialect, Guard, Times
from detector.sources.values import ValueRules

_MISTAKES = ("SQLITE_NOTADB", "SQLITE_CANTOPEN", "SQLITE_PERM")
_TWO = "[0-9][0-9]"
PLAIN_SECONDS = f"{_TWO}{_TWO}-{_TWO}-{_TWO}[ T]{_TWO}:{_TWO}:{_TWO}"
"""The commonest format of an instant, as a pattern of SQLite's GLOB."""


class SQLite(Dialect):
    """A session has no time zone and cannot limit the time of a statement."""

    title = "SQLite"
    url = "sqlite:///path/to/usage.db"
    session: ClassVar = {Guard.READ_ONLY: "PRAGMA query_only = ON"}
    without_statement = frozenset({Guard.UTC})
    # Without a limit SQLite merges the subquery into the statement and parses a value again wherever it is used.
    rows_end = "LIMIT -1"
    typed = False

    def engine(self, url: URL, rules: ValueRules) -> Engine:
        """An engine whose connections have the functions that parse values."""
        engine = super().engine(url, rules)
        _register_parsers(engine, rules)
        return engine

    def is_misconfigured(self, error: DBAPIError) -> bool:
        """Whether the configuration is wrong."""
        # A wrong name and a wrong statement have no error code of their own.
        is_wrong_statement = str(error.orig).startswith(("no such ", "near "))
        return is_wrong_statement or getattr(error.orig, "sqlite_errorname", "") in _MISTAKES

    def times(self, column: ColumnElement[Any]) -> Times:
        """The instants of a column; every value may have another format."""
        return Times(Micros(column), to_micros, certain=False)

    def day(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The local day that a column states, as ISO text."""
        return Day(column)

    def day_bound(self, bound: date) -> ColumnElement[Any]:
        """ISO text to compare ``day`` with."""
        return literal(bound.isoformat(), String())

    def text(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as text, whatever the value is."""
        return cast(column, Text())


class _Parser(FunctionElement[Any]):
    """A value that a function of the connection parses."""

    inherit_cache = True
    name = "parser"


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
    parsed = _call(element.name, value)
    plain = " OR ".join(f"{value} GLOB '{PLAIN_SECONDS}{zone}'" for zone in ("", "Z"))
    certain = f"({plain}) AND substr({value}, 9, 2) < '29' AND substr({value}, 12, 2) < '24'"
    seconds = f"CAST(strftime('%s', {value}) AS INTEGER)"
    return f"CASE WHEN {certain} THEN {seconds} * 1000000 ELSE {parsed} END"


class Day(_Parser):
    """A date as ISO text."""

    inherit_cache = True
    name = "detector_day"
    type = String()


@compiles(Day, "sqlite")
def _day(element: Day, compiler: Any, **options: Any) -> str:
    return _call(element.name, compiler.process(element.clauses, **options))


def _call(name: str, value: str) -> str:
    # The module sqlite3 decodes a text before it calls the function, and fails where the text is no UTF-8.
    return f"{name}(CASE typeof({value}) WHEN 'text' THEN CAST({value} AS BLOB) ELSE {value} END)"


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _register_parsers(engine: Engine, rules: ValueRules) -> None:
    """Give every SQLite connection the functions that parse values."""

    def micros(value: Any) -> int | None:
        return micros_of(_decoded(value) if isinstance(value, bytes) else value, rules.date_order)

    def day(value: Any) -> str | None:
        if value is None:
            return None
        written = _decoded(value) if isinstance(value, bytes) else value
        found = day_of(written, rules.zone, rules.date_order)
        return None if found is None else found.isoformat()

    @event.listens_for(engine, "connect")
    def add_functions(connection: Any, _record: Any) -> None:
        connection.text_factory = _decoded
        connection.create_function(Micros.name, 1, micros, deterministic=True)
        connection.create_function(Day.name, 1, day, deterministic=True)
