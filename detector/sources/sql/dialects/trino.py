"""Trino."""

from __future__ import annotations

from typing import ClassVar

from detector.sources.sql.dialects.dialect import Dialect, Guard


class Trino(Dialect):
    """A session cannot be made read-only."""

    title = "Trino"
    url = "trino://user:${PASSWORD}@host:443/catalogue/schema"
    extra = "trino"
    session: ClassVar = {
        Guard.UTC: "SET TIME ZONE 'UTC'",
        Guard.TIMEOUT: "SET SESSION query_max_run_time = '{timeout}s'",
    }
