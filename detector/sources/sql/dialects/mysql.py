"""MySQL."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import ColumnElement, DateTime, case, cast, func, null
from sqlalchemy.dialects.mysql import DATETIME

from detector.sources.sql.dialects.dialect import PLAIN_UTC, Dialect, Guard, Times


class MySql(Dialect):
    """Its timeout is in milliseconds."""

    title = "MySQL"
    url = "mysql+pymysql://user:${PASSWORD}@host/database"
    extra = "mysql"
    session: ClassVar = {
        Guard.READ_ONLY: "SET TRANSACTION READ ONLY",
        Guard.UTC: "SET time_zone = '+00:00'",
        Guard.TIMEOUT: "SET max_execution_time = {timeout}000",
    }

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a regular expression."""
        return column.regexp_match(pattern)

    def times_of_text(self, column: ColumnElement[Any]) -> Times:
        """The instants of a text; null where the text is not certainly an instant in UTC."""
        # A date and time with an offset cannot be cast in every version.
        plain = func.replace(func.replace(column, "T", " "), "Z", "")
        instant = case((self.matches(column, PLAIN_UTC), cast(plain, DATETIME(fsp=6))), else_=null())
        return Times(cast(instant, DATETIME(fsp=6)), self.times(cast(null(), DateTime())).write, certain=False)
