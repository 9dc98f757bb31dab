"""Statements: the questions to a database, in SQLAlchemy Core.

``UsageRows`` is the usage table in our own columns; the other statements use only ``UsageRows``. The database
counts the rows that have the same texts. It finds the day of a row where it can read the time without doubt. Rows
with another time are grouped by its text too, and ``detector.sources.sql.reader`` finds their day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    cast,
    distinct,
    false,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    text,
)

from detector.model.day import Day
from detector.sources.reading import LONG_ERROR
from detector.sources.sql.dialects.dialect import Dialect, Times, is_integer
from detector.sources.values import ValueRules
from detector.sources.windows import EARLIEST, LATEST, Window, day_search_tree

UNKNOWN_DATE = date(1970, 1, 1)
"""The day of daily rows whose day the database cannot read. It lies before every plausible day."""

UNKNOWN_DAY = -1
"""The number of the day of rows whose time the database cannot read. These rows come first."""

EVENT_TEXTS = ("key_id", "endpoint", "deployment", "client", "event_id")
DAILY_TEXTS = ("key_id", "endpoint", "deployment", "request_count", "error_count", "last_activity")


@dataclass(frozen=True)
class UsageRows:
    """The rows of a usage table in our own columns.

    All rows have ``used_at``, ``day`` (of a daily row) and ``written``, the text of the timestamp or day, and the
    texts key_id, endpoint and deployment. Events have client, event_id, failed (whether a plain status says so),
    status (the text of any other status) and error. Daily rows have request_count, error_count and last_activity.
    A column that the table does not have is missing.
    """

    rows: Subquery
    dialect: Dialect
    daily: bool
    times: Times | None
    """How ``used_at`` holds instants; None where the table has none."""
    all_dated: bool
    """Whether the types of the database guarantee a timestamp or day in every row, plausible or not."""

    def has(self, name: str) -> bool:
        """Whether the rows have a column."""
        return name in self.rows.c

    @property
    def undated(self) -> ColumnElement[bool]:
        """Whether the database cannot read the timestamp or day of a row, or it is not plausible."""
        if self.daily:
            day = self.rows.c.day
            earliest = self.dialect.day_bound(EARLIEST.date())
            implausible = or_(day < earliest, day >= self.dialect.day_bound(LATEST.date()))
            return implausible if self.all_dated else or_(day.is_(None), implausible)
        used_at = self.rows.c.used_at
        implausible = not_(self.instants.plausible(used_at))
        return implausible if self.all_dated else or_(used_at.is_(None), implausible)

    @property
    def instants(self) -> Times:
        """How ``used_at`` of requests holds instants."""
        if self.times is None:
            raise TypeError("only daily rows may lack instants")
        return self.times

    @property
    def texts(self) -> list[str]:
        """The names of the columns by which rows are alike."""
        apart = ("used_at", "day", "written", "client", "event_id")
        return [column.name for column in self.rows.c if column.name not in apart]


def event_rows(table: Table, columns: dict[str, Any], dialect: Dialect, rules: ValueRules) -> UsageRows:
    """One row for each request."""
    times = dialect.times(columns["timestamp"])
    selected = {
        "used_at": times.expression,
        "written": dialect.text(columns["timestamp"]),
        **{name: dialect.text(columns[name]) for name in EVENT_TEXTS if name in columns},
    }
    if "status" in columns:
        selected |= _status(columns["status"], dialect)
    if "error" in columns:
        selected["error"] = _error(dialect.text(columns["error"]), rules)
    rows = select(*[expression.label(name) for name, expression in selected.items()]).select_from(table)
    return UsageRows(
        rows=rows.suffix_with(text(dialect.rows_end)).subquery("usage_rows"),
        dialect=dialect,
        daily=False,
        times=times,
        all_dated=times.certain,
    )


def daily_rows(table: Table, columns: dict[str, Any], dialect: Dialect) -> UsageRows:
    """One row for each row of a daily rollup."""
    times = dialect.times(columns["last_activity"]) if "last_activity" in columns else None
    selected = {
        "day": dialect.day(columns["day"]),
        "written": dialect.text(columns["day"]),
        **{name: dialect.text(columns[name]) for name in DAILY_TEXTS if name in columns},
    }
    if times is not None:
        selected["used_at"] = times.expression
    rows = select(*[expression.label(name) for name, expression in selected.items()]).select_from(table)
    return UsageRows(
        rows=rows.suffix_with(text(dialect.rows_end)).subquery("usage_rows"),
        dialect=dialect,
        daily=True,
        times=times,
        all_dated=dialect.typed and dialect.is_day(columns["day"]) and not columns["day"].nullable,
    )


def _status(column: ColumnElement[Any], dialect: Dialect) -> dict[str, ColumnElement[Any]]:
    """Whether a plain HTTP code says that a request failed, and the text of every other status."""
    if not (dialect.typed and is_integer(column)):
        return {"status": dialect.text(column)}
    is_plain = column.between(100, 599)
    return {
        "failed": case((column.between(400, 599), literal_column("1", Integer())), else_=0),
        "status": case((not_(is_plain), dialect.text(column))),
    }


def _error(column: ColumnElement[Any], rules: ValueRules) -> ColumnElement[Any]:
    """The text of an error; messages that are too long to mean no error all count as one text."""
    is_long = func.length(func.trim(column)) > rules.longest_no_error
    return case((is_long, literal(LONG_ERROR, String())), else_=column)


def counts(usage: UsageRows, window: Window) -> Select[Any]:
    """The numbers of rows of a window that are alike, in the order of the days.

    ``on_day`` is the number of the day in the window, or the day of a daily row. Rows whose time the database
    cannot read come first, with ``written`` and ``unread_client``. ``repeats`` are rows that repeat an event of
    the same key.
    """
    rows = _dated(usage, window)
    group = [rows.c[name] for name in ("on_day", "written", "unread_client", *usage.texts) if name in rows.c]
    answer = select(*group, cast(func.count(), BigInteger()).label("lines"))
    if usage.has("event_id"):
        answer = answer.add_columns(cast(func.sum(rows.c.repeated), BigInteger()).label("repeats"))
    if not usage.daily:
        answer = answer.add_columns(func.max(rows.c.used_at).label("last_used"))
    return answer.group_by(*group).order_by(rows.c.on_day)


def client_counts(usage: UsageRows, window: Window) -> Select[Any]:
    """on_day, key_id and client_count of the rows of a window whose time the database can read."""
    rows = _dated(usage, window)
    client = func.nullif(func.nullif(func.trim(rows.c.client), ""), "-")
    return (
        select(rows.c.on_day, rows.c.key_id, func.count(distinct(client)).label("client_count"))
        .where(rows.c.on_day != UNKNOWN_DAY, client.is_not(None))
        .group_by(rows.c.on_day, rows.c.key_id)
        .order_by(rows.c.on_day)
    )


def quarters(usage: UsageRows, first: Day, bound: datetime) -> Select[Any]:
    """Per quarter of an hour: its parts, whether the rows lie before the bound, their number and the latest use.

    Where the types guarantee a time, rows before the first day are left out, so that the database can use an
    index.
    """
    used_at: ColumnElement[Any] = usage.rows.c.used_at
    if usage.all_dated:
        wanted = not_(usage.instants.before(used_at, first.start))
        # An infinite time is in no quarter.
        used_at = case((usage.instants.plausible(used_at), used_at))
    else:
        wanted = not_(usage.undated)
    # The quarter of the bound is split. A database does not see that two bound values in GROUP BY are the same, so
    # a subquery holds the one.
    is_before = case((usage.instants.before(used_at, bound), 1), else_=0)
    rows = select(used_at.label("used_at"), is_before.label("is_before")).where(wanted).subquery("instants")
    parts = [part.label(f"part_{number}") for number, part in enumerate(usage.dialect.quarter(rows.c.used_at))]
    by = [*parts, rows.c.is_before]
    return select(*by, func.count().label("records"), func.max(rows.c.used_at)).group_by(*by)


def latest_use(usage: UsageRows, now: datetime) -> Select[Any]:
    """The latest instant of events up to now."""
    used_at = usage.rows.c.used_at
    wanted = and_(usage.instants.plausible(used_at), usage.instants.before(used_at, now))
    return select(func.max(used_at)).where(wanted)


def days(usage: UsageRows) -> Select[Any]:
    """Per day of daily rows: the day, the number of rows and their last activity."""
    rows = usage.rows.c
    latest = func.max(rows.used_at) if usage.times is not None else null()
    return select(rows.day, func.count(), latest).where(not_(usage.undated)).group_by(rows.day)


def unread_times(usage: UsageRows) -> Select[Any]:
    """The texts of the times that the database cannot read, and the number of rows of each."""
    written = usage.rows.c.written
    return select(written, func.count()).where(usage.undated, written.is_not(None)).group_by(written)


def first_and_last(usage: UsageRows, day: Day) -> Select[Any]:
    """Per key as it is written: first and last day with requests, first and last instant of use before the day."""
    rows = usage.rows.c
    is_used_before: ColumnElement[bool] = false()
    used_at: ColumnElement[Any] = null()
    if usage.times is not None:
        is_used_before = and_(usage.times.plausible(rows.used_at), usage.times.before(rows.used_at, day.start))
        used_at = case((is_used_before, rows.used_at))
    if not usage.daily:
        statement = select(rows.key_id, null(), null(), func.min(used_at), func.max(used_at))
        return statement.where(is_used_before).group_by(rows.key_id)
    has_requests = _has_requests(usage)
    day_with_requests = case((has_requests, rows.day))
    bound = usage.dialect.day_bound(day.date)
    # A row of zero requests may state an older last activity.
    wanted = and_(not_(usage.undated), rows.day < bound, or_(has_requests, is_used_before))
    statement = select(
        rows.key_id,
        func.min(day_with_requests),
        func.max(day_with_requests),
        func.min(used_at),
        func.max(used_at),
    )
    return statement.where(wanted).group_by(rows.key_id)


def unread(usage: UsageRows) -> Select[Any]:
    """key_id, written and request_count of the rows whose timestamp or day the database cannot read, each once."""
    rows = usage.rows.c
    names = [name for name in ("key_id", "written", "request_count") if usage.has(name)]
    return select(*[rows[name] for name in names]).where(usage.undated, rows.written.is_not(None)).distinct()


def _has_requests(usage: UsageRows) -> ColumnElement[bool]:
    """Whether a daily row may have requests: any count but a plain zero."""
    if not usage.has("request_count"):
        return literal(True)
    count = func.trim(usage.rows.c.request_count)
    return and_(count.is_not(None), count.not_in(["", "0", "0.0"]))


def _dated(usage: UsageRows, window: Window) -> Subquery:
    """The rows of the window with their ``on_day``, and those whose time the database cannot read."""
    rows = usage.rows.c
    times = usage.times
    day = rows.day if usage.daily else _number_in_window(usage.instants, rows.used_at, window)
    inside = _inside(usage, window)
    columns: dict[str, ColumnElement[Any]] = {name: rows[name] for name in usage.texts}
    for name in ("client", "event_id"):
        if usage.has(name):
            columns[name] = rows[name]
    if not usage.daily:
        columns["used_at"] = rows.used_at
    # The search for texts reads the whole table. Where the types guarantee a time, the statement looks for ranges
    # of times alone, and the database can use an index.
    undated = usage.undated
    day = case((undated, _unknown_day(usage)), else_=day)
    inside = or_(undated, inside)
    columns["written"] = case((undated, rows.written))
    if usage.has("client"):
        columns["unread_client"] = case((undated, rows.client))
    if times is not None and not usage.daily:
        # An infinite timestamp is no instant and must not become the last use.
        columns["used_at"] = case((not_(undated), rows.used_at))
    labelled = [column.label(name) for name, column in columns.items()]
    statement = select(*labelled, day.label("on_day")).where(inside)
    return _with_repeats(statement) if usage.has("event_id") else statement.subquery("dated")


def _inside(usage: UsageRows, window: Window) -> ColumnElement[bool]:
    rows = usage.rows.c
    if not usage.daily:
        return usage.instants.inside(rows.used_at, window.start, window.end)
    first = usage.dialect.day_bound(window.days[0].date)
    last = usage.dialect.day_bound(window.days[-1].date)
    return rows.day.between(first, last)


def _number_in_window(times: Times, used_at: ColumnElement[Any], window: Window) -> ColumnElement[Any]:
    """The number in the window of the day of an instant."""
    numbers = {day.date: literal_column(str(number), Integer()) for number, day in enumerate(window.days)}
    return day_search_tree(
        window.days,
        lambda day: numbers[day.date],
        lambda bound, before, after: case((times.before(used_at, bound), before), else_=after),
    )


def _unknown_day(usage: UsageRows) -> ColumnElement[Any]:
    if usage.daily:
        return usage.dialect.day_bound(UNKNOWN_DATE)
    return literal_column(str(UNKNOWN_DAY), Integer())


def _with_repeats(statement: Select[Any]) -> Subquery:
    """The rows, with 1 in ``repeated`` for every row that repeats an event of the same key and day; the earliest
    copy is the event. Rows without an id are all different events."""
    rows = statement.selected_columns
    event = func.nullif(func.trim(rows.event_id), "")
    # The long order makes the choice the same in every run.
    order = [rows[name] for name in ("used_at", "written", "endpoint", "deployment", "status") if name in rows]
    # Within a day, so that a day has the same counts whatever other days are read with it. Where the day is not
    # known yet, the text of the time stands for it.
    alike = [func.trim(rows.key_id), event, rows.on_day, rows.written]
    copy = func.row_number().over(partition_by=alike, order_by=order)
    copies = statement.add_columns(copy.label("copy"), event.label("event")).subquery("copies")
    is_repeat = and_(copies.c.event.is_not(None), copies.c.key_id.is_not(None), copies.c.copy > 1)
    repeated = case((is_repeat, literal_column("1", Integer())), else_=0)
    return select(copies, repeated.label("repeated")).subquery("dated")
