"""MySQL and MariaDB."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import (
    BINARY,
    TIMESTAMP,
    VARBINARY,
    ColumnElement,
    Connection,
    DateTime,
    LargeBinary,
    String,
    case,
    cast,
    collate,
    func,
    null,
)
from sqlalchemy.dialects.mysql import CHAR, DATETIME, LONGBLOB, MEDIUMBLOB, TINYBLOB
from sqlalchemy.exc import DBAPIError

from detector.sources.sql.dialects.dialect import PLAIN_UTC, Dialect, Guard, Times

_BYTES = (LargeBinary, BINARY, VARBINARY, TINYBLOB, MEDIUMBLOB, LONGBLOB)
_MISTAKES = frozenset({1044, 1045, 1049, 1054, 1142, 1143, 1146, 1698})
"""Error codes: access denied, and no such database, column or table."""
_TIMEOUT_OF_MARIADB = "SET max_statement_time = {timeout}"


class MySql(Dialect):
    """MySQL's timeout is in milliseconds. MariaDB has the same URL, and another timeout in seconds."""

    title = "MySQL"
    url = "mysql+pymysql://user:${PASSWORD}@host/database"
    extra = "mysql"
    session: ClassVar = {
        Guard.UTC: "SET time_zone = '+00:00'",
        Guard.TIMEOUT: "SET max_execution_time = {timeout}000",
        # All statements of a window see the table as it is at one instant.
        Guard.READ_ONLY: "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    }

    def statements(self, connection: Connection) -> list[str]:
        """The statements that give guarantees, in the words of the server."""
        session = dict(self.session)
        if getattr(connection.dialect, "is_mariadb", False):
            session[Guard.TIMEOUT] = _TIMEOUT_OF_MARIADB
        return list(session.values())

    def is_misconfigured(self, error: DBAPIError) -> bool:
        """Whether the configuration is wrong."""
        code = next(iter(getattr(error.orig, "args", ())), None)
        return code in _MISTAKES or super().is_misconfigured(error)

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a regular expression."""
        return column.regexp_match(pattern)

    def times_of_text(self, column: ColumnElement[Any]) -> Times:
        """The instants of a text; null where the text is not certainly an instant in UTC."""
        # A date and time with an offset cannot be cast in every version.
        plain = func.replace(func.replace(column, "T", " "), "Z", "")
        instant = case((self.matches(column, PLAIN_UTC), cast(plain, DATETIME(fsp=6))), else_=null())
        return Times(cast(instant, DATETIME(fsp=6)), self.times(cast(null(), DateTime())).write, certain=False)

    def is_day(self, column: ColumnElement[Any]) -> bool:
        """Whether every value of a column is certainly a day. A TIMESTAMP is an instant."""
        return super().is_day(column) and not isinstance(column.type, TIMESTAMP)

    def text(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as text that is compared by its characters; the text of an instant says that it is in UTC."""
        if isinstance(column.type, TIMESTAMP):
            column = func.concat(column, "Z", type_=String())
        if isinstance(column.type, _BYTES):
            # Not all bytes are UTF-8, but every byte is a character of this set.
            column = cast(cast(column, CHAR(charset="latin1")), CHAR(charset="utf8mb4"))
        else:
            column = cast(column, CHAR(charset="utf8mb4"))
        # The collation of a column may take letters that differ in case or accent for the same.
        return collate(column, "utf8mb4_bin")
