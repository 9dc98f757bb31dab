"""ClickHouse."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, ColumnElement, DateTime, Engine, func

from detector.sources.sql.dialects.dialect import Dialect, Guard, is_text

SETTINGS = {
    "ch_readonly": "2",
    "ch_cast_keep_nullable": "1",
    "ch_aggregate_functions_null_for_empty": "1",
    "ch_session_timezone": "UTC",
}
"""What a session is told: only to read, and that what is missing stays so through casts and sums."""


class ClickHouse(Dialect):
    """Its sessions are set up by the URL."""

    title = "ClickHouse"
    url = "clickhousedb://user:${PASSWORD}@host:8443/database?secure=true"
    extra = "clickhouse"
    without_statement = frozenset({Guard.READ_ONLY, Guard.UTC})

    def engine(self, url: URL) -> Engine:
        """An engine whose sessions have ``SETTINGS``."""
        return super().engine(url.update_query_dict(SETTINGS))

    def instant(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Instants there are compared in their column's own zone, and text is read by a function of its own."""
        if is_text(column):
            return func.parseDateTime64BestEffortOrNull(column, 6, "UTC", type_=DateTime())
        if isinstance(column.type, DateTime):
            return func.toTimeZone(column, "UTC", type_=DateTime())
        return column
