"""A dialect: SQLite under another name, taken as a typed database whose statements cannot be given a time."""

from typing import ClassVar

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from detector.sources.sql.dialects.dialect import Dialect, Guard


class Quern(Dialect):
    """Its sessions only read, and have no time zone."""

    title = "Quern"
    url = "quern:///path/to/usage.quern"
    extra = "quern"
    session: ClassVar = {Guard.READ_ONLY: "PRAGMA query_only = ON"}
    without_statement = frozenset({Guard.UTC})


class Driver(SQLiteDialect_pysqlite):
    """What SQLAlchemy needs to know of it."""

    name = "quern"
    supports_statement_cache = True
