"""MySQL."""

from __future__ import annotations

from typing import ClassVar

from detector.sources.sql.dialects.dialect import Dialect, Guard


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
