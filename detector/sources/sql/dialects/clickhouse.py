"""ClickHouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import URL, Boolean, ColumnElement, Date, DateTime, Engine, String, case, cast, func, null

from detector.sources.sql.dialects.dialect import PLAIN_DAY, PLAIN_INSTANT, Dialect, Guard, Times
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

    def times(self, column: ColumnElement[Any]) -> Times:
        """The instants of a column; null for every value that the database cannot read without doubt."""
        if isinstance(column.type, Date):
            times = super().times(column)
            # A plain DateTime cannot hold every date.
            return replace(times, expression=func.toDateTime64(column, 6, "UTC", type_=DateTime()))
        return super().times(column)

    def is_day(self, column: ColumnElement[Any]) -> bool:
        """Whether every value of a column is certainly a day. A DateTime always is an instant."""
        return isinstance(column.type, Date)

    def day(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The local day that a column states; null where it is not certain."""
        if isinstance(column.type, Date | DateTime):
            return super().day(column)
        column = self.text(column)
        day = func.toDate32OrNull(column, type_=Date())
        return case((self.matches(column, PLAIN_DAY), day), else_=null())

    def day_bound(self, bound: date) -> ColumnElement[Any]:
        """A date to compare ``day`` with."""
        # A plain text beside a date would make a column of two types.
        return func.toDate32(bound.isoformat(), type_=Date())

    def text(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column as text. An instant is in UTC and says so, and a fixed length has no padding."""
        if isinstance(column.type, DateTime):
            return func.concat(func.toString(self.instant(column)), "Z", type_=String())
        if type(column.type).__name__ == "FixedString":
            return func.replaceRegexpOne(cast(column, String()), r"\x00+$", "", type_=String())
        return super().text(column)

    def matches(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether a text matches a regular expression."""
        return func.match(column, pattern, type_=Boolean())

    def times_of_text(self, column: ColumnElement[Any]) -> Times:
        """The instants of a text; null where the text is not certainly an instant."""
        instant = func.parseDateTime64BestEffortOrNull(column, 6, "UTC", type_=DateTime())
        times = self.times(cast(null(), DateTime()))
        return replace(times, expression=case((self.matches(column, PLAIN_INSTANT), instant), else_=null()))
