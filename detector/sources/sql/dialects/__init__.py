"""What differs between databases. A dialect is one small file here and one line in ``SQL_DIALECTS``.

A dialect states all that is special about its database: how a session only reads, is in UTC and ends a statement
in time, how a column becomes an instant, a day or a count, and what brings the driver.
"""

from __future__ import annotations

from sqlalchemy import URL

from detector.boundary.plugins import load_plug_in
from detector.config.plugins import SQL_DIALECTS
from detector.sources.sql.dialects.dialect import Dialect


def dialect_named(name: str) -> Dialect:
    """The dialect of this name; of an unknown one what any typed database does, with nothing guaranteed."""
    if name not in SQL_DIALECTS:
        return Dialect(name)
    dialect: Dialect = load_plug_in(SQL_DIALECTS, name)(name)
    return dialect


def dialect_of(url: URL) -> Dialect:
    """The dialect of the database that a URL leads to."""
    return dialect_named(url.get_backend_name())
