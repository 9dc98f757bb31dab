"""Snowflake."""

from __future__ import annotations

from typing import ClassVar

from detector.sources.sql.dialects.dialect import Dialect, Guard


class Snowflake(Dialect):
    """A session cannot be made read-only."""

    title = "Snowflake"
    url = "snowflake://user:${PASSWORD}@account/database/schema?warehouse=w"
    extra = "snowflake"
    session: ClassVar = {
        Guard.UTC: "ALTER SESSION SET TIMEZONE = 'UTC'",
        Guard.TIMEOUT: "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = {timeout}",
    }
