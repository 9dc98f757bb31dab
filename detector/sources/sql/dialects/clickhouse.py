"""ClickHouse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import URL, Boolean, ColumnElement, DateTime, Engine, case, cast, func, null

from detector.sources.sql.dialects.dialect import PLAIN_INSTANT, Dialect, Guard, Times
from detector.sources.values import ValueRules

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

    def engine(self, url: URL, rules: ValueRules) -> Engine:
        """An engine whose sessions have ``SETTINGS``."""
        return super().engine(url.update_query_dict(SETTINGS), rules)

    def instant(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """A column of instants in a form that can be compared with an instant in UTC."""
        # ClickHouse compares an instant in its column's own zone.
        return func.toTimeZone(column, "UTC", type_=DateTime())

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a regular expression."""
        return func.match(column, pattern, type_=Boolean())

    def times_of_text(self, column: ColumnElement[Any]) -> Times:
        """The instants of a text; null where the text is not certainly an instant."""
        instant = func.parseDateTime64BestEffortOrNull(column, 6, "UTC", type_=DateTime())
        times = self.times(cast(null(), DateTime()))
        return replace(times, expression=case((self.matches(column, PLAIN_INSTANT), instant), else_=null()))
