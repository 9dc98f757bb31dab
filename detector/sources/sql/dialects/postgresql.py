"""PostgreSQL."""

from __future__ import annotations

from typing import ClassVar

from detector.sources.sql.dialects.dialect import Dialect, Guard


class PostgreSql(Dialect):
    """One transaction is one snapshot, so that a window is counted as it was at one instant."""

    title = "PostgreSQL"
    url = "postgresql+psycopg://user:${PASSWORD}@host/database"
    extra = "postgresql"
    session: ClassVar = {
        Guard.READ_ONLY: "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        Guard.UTC: "SET LOCAL TIME ZONE 'UTC'",
        Guard.TIMEOUT: "SET LOCAL statement_timeout = '{timeout}s'",
    }
