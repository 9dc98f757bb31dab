"""DuckDB."""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.pool import NullPool

from detector.sources.sql.dialects.dialect import Dialect, Guard


class DuckDb(Dialect):
    """The file is opened read-only."""

    title = "DuckDB"
    url = "duckdb:///path/to/usage.duckdb"
    extra = "duckdb"
    session: ClassVar = {Guard.UTC: "SET TimeZone = 'UTC'"}
    without_statement = frozenset({Guard.READ_ONLY})

    def engine(self, url: URL) -> Engine:
        """An engine that opens the file for reading."""
        return create_engine(url, poolclass=NullPool, connect_args={"read_only": True})
