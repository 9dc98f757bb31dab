"""DuckDB."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import URL, Boolean, ColumnElement, Engine, create_engine, func
from sqlalchemy.pool import NullPool

from detector.sources.sql.dialects.dialect import Dialect, Guard
from detector.sources.values import ValueRules


class DuckDb(Dialect):
    """The file is opened read-only."""

    title = "DuckDB"
    url = "duckdb:///path/to/usage.duckdb"
    extra = "duckdb"
    session: ClassVar = {Guard.UTC: "SET TimeZone = 'UTC'"}
    without_statement = frozenset({Guard.READ_ONLY})

    def engine(self, url: URL, rules: ValueRules) -> Engine:
        """An engine that opens the file for reading."""
        return create_engine(url, poolclass=NullPool, connect_args={"read_only": True})

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a regular expression."""
        return func.regexp_matches(column, pattern, type_=Boolean())
