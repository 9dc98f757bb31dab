"""PostgreSQL."""

from __future__ import annotations

from typing import ClassVar

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
