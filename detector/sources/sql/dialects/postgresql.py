"""PostgreSQL."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, LargeBinary, Text, cast, func
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.exc import DBAPIError

from detector.sources.sql.dialects.dialect import Dialect, Guard

_CLASSES_OF_MISTAKES = ("28", "3D", "3F", "42")
"""The first two characters of SQLSTATE: authorization, no such database, no such schema, names and rights."""
_REFUSED_CONNECTION = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied for database"
    r"|not permitted to log in|(database|role) .* does not exist"
)
"""The driver gives no SQLSTATE where the connection itself fails."""


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

    def is_misconfigured(self, error: DBAPIError) -> bool:
        """Whether the configuration is wrong."""
        state = getattr(error.orig, "sqlstate", None)
        if state:
            return str(state).startswith(_CLASSES_OF_MISTAKES)
        return _REFUSED_CONNECTION.search(str(error.orig)) is not None

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
