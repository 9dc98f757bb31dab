"""PostgreSQL."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import ColumnElement, LargeBinary, Text, cast, func
from sqlalchemy.dialects.postgresql import CITEXT

from detector.sources.sql.dialects.dialect import Dialect, Guard


class PostgreSql(Dialect):
    """Its sessions give all guarantees."""

    title = "PostgreSQL"
    url = "postgresql+psycopg://user:${PASSWORD}@host/database"
    extra = "postgresql"
    session: ClassVar = {
        # REPEATABLE READ: all statements of a window see the table as it is at one instant.
        Guard.READ_ONLY: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        Guard.UTC: "SET LOCAL TIME ZONE 'UTC'",
        Guard.TIMEOUT: "SET LOCAL statement_timeout = '{timeout}s'",
    }

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a regular expression."""
        return column.regexp_match(pattern)

    def text(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as text; that of a case-insensitive type is in small letters, and bytes are escaped."""
        if isinstance(column.type, CITEXT):
            return func.lower(cast(column, Text()))
        if isinstance(column.type, LargeBinary):
            # Bytes that are no text cannot be cast to text.
            return func.encode(column, "escape", type_=Text())
        return super().text(column)
