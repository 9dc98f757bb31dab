"""The differences between databases. A dialect is one small file here and one line in ``SQL_DIALECTS``.

A dialect states all that is special about its database: how a session is made read-only, is set to UTC and limits
the time of a statement, how a column becomes an instant, a day or a count, and which extra installs the driver.
"""

from __future__ import annotations

from sqlalchemy import URL

from detector.boundary.plugins import load_plug_in
from detector.config.plugins import SQL_DIALECTS
from detector.sources.sql.dialects.dialect import Dialect

OTHER_NAMES = {"postgres": "postgresql", "mariadb": "mysql", "clickhouse": "clickhousedb"}
"""What people call a database in a URL, and SQLAlchemy does not."""


def dialect_named(name: str) -> Dialect:
    """The dialect of this name. For an unknown name, the behaviour of a typed database without guarantees."""
    if name not in SQL_DIALECTS:
        return Dialect(name)
    dialect: Dialect = load_plug_in(SQL_DIALECTS, name)(name)
    return dialect


def driver_advice(url: URL) -> str:
    """What to do where there is no driver for a URL: how its first part is written, and the extra to install."""
    name = url.get_backend_name()
    dialect = dialect_named(OTHER_NAMES.get(name, name))
    if not dialect.known:
        known = ", ".join(dialect_named(known).url.partition("://")[0] for known in SQL_DIALECTS)
        return f"install its driver; the known databases are {known}"
    scheme = dialect.url.partition("://")[0]
    package = f", and pip install 'key-usage-detector[{dialect.extra}]'" if dialect.extra else ""
    return f"write {scheme}://{package}"


def dialect_of(url: URL) -> Dialect:
    """The dialect of the database that a URL names."""
    return dialect_named(url.get_backend_name())
