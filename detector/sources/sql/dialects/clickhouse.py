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
"""The settings of a session: it only reads, and a missing value stays missing through casts and sums."""


class ClickHouse(Dialect):
    """The URL has the settings of its sessions."""

    title = "ClickHouse"
    url = "clickhousedb://user:${PASSWORD}@host:8443/database?secure=true"
    extra = "clickhouse"
    without_statement = frozenset({Guard.READ_ONLY, Guard.UTC})

    def engine(self, url: URL) -> Engine:
        """An engine whose sessions have ``SETTINGS``."""
        return super().engine(url.update_query_dict(SETTINGS))

    def instant(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column in a form that can be compared with an instant in UTC."""
        # ClickHouse compares an instant in its column's own zone, and has a function of its own to parse text.
        if is_text(column):
            return func.parseDateTime64BestEffortOrNull(column, 6, "UTC", type_=DateTime())
        if isinstance(column.type, DateTime):
            return func.toTimeZone(column, "UTC", type_=DateTime())
        return column
