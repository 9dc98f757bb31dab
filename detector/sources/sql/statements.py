"""Statements: the questions to a database, in SQLAlchemy Core.

``UsageRows`` is the usage table in our own columns; the other statements use only ``UsageRows``. Where
instants have a time type, a statement first counts the requests of a day that are alike and then checks
only these groups (``benchmarks/postgresql.py``). The rules for values are the same as in ``files.parsed_rows``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
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
from detector.sources.faults import (
    BAD_ACTIVITY,
    BAD_ERRORS,
    BAD_REQUESTS,
    BAD_STATUS,
    NO_DAY,
    NO_KEY,
    NO_TIME,
    TOO_MANY_ERRORS,
)
from detector.sources.sql.dialects.dialect import Dialect, Times, says_error, text_of
from detector.sources.windows import Window, day_search_tree

UNKNOWN_DAY = date(1970, 1, 1)
"""The day of rows without a usable day. It lies before every plausible day, so that these rows come first."""

UNKNOWN_DAY_NUMBER = -1
"""The same, where the number of a day in its window stands for the day."""

GROUP_KEYS = ("on_day", "problem", "warning", "key_id", "endpoint", "deployment")


@dataclass(frozen=True)
class UsageRows:
    """The rows of a usage table in our own columns: key_id, endpoint, deployment, client, event_id, used_at, day,
    written, lines, requests, errors, problem (why the row cannot be used, or null), warning (which value of a
    usable row was replaced, or null) and detail (the text that problem or warning is about)."""

    rows: Subquery
    dialect: Dialect
    daily: bool
    times: Times | None
    """How ``used_at`` holds instants; None where the table has none."""
    all_dated: bool
    """Whether the types of the database guarantee a usable timestamp or day in every row."""
    has_clients: bool
    has_ids: bool

    @property
    def undated(self) -> ColumnElement[bool]:
        """Whether a row has no usable timestamp or day."""
        if self.daily:
            return self.rows.c.day.is_(None)
        used_at = self.rows.c.used_at
        return or_(used_at.is_(None), not_(self.instants.plausible(used_at)))

    @property
    def instants(self) -> Times:
        """How ``used_at`` of requests holds instants."""
        if self.times is None:
            raise TypeError("only daily rows may lack instants")
        return self.times


def event_rows(
    table: Table, columns: dict[str, Any], deployment: str | None, dialect: Dialect, window: Window | None = None
) -> UsageRows:
    """One row for each request. A status of 400 or above, or a text in the error column, makes it an error.

    For a window of days one row stands for all requests that differ only in their instant, where the types of
    the database allow it.
    """
    times = dialect.times(columns["timestamp"])
    all_dated = times.certain
    lines: ColumnElement[Any] = literal_column("1", Integer())
    rows_of: FromClause = table
    # Requests with ids all differ. And only a true timestamp has an order: the largest of some texts or numbers
    # need not be the latest time.
    if window is not None and "event_id" not in columns and dialect.has_true_instants(columns):
        rows_of = _grouped_requests(table, columns, times, window)
        columns = {name: rows_of.c[name] for name in columns}
        lines = rows_of.c.lines
        times = replace(times, expression=columns["timestamp"])
    warning: ColumnElement[Any] = cast(null(), String())
    detail = _text_or_blank(columns, "endpoint")
    if "status" in columns:
        unreadable = dialect.unreadable_status(columns["status"])
        warning = case((unreadable, literal(BAD_STATUS, String())))
        detail = case((unreadable, _labelled(columns, "status")), else_=detail)
    rows = select(
        *_identity(columns, deployment),
        times.expression.label("used_at"),
        cast(null(), String()).label("day"),
        text_of(columns["timestamp"]).label("written"),
        lines.label("lines"),
        lines.label("requests"),
        _errors(columns, lines, dialect).label("errors"),
        case((text_of(columns["key_id"]).is_(None), literal(NO_KEY, String()))).label("problem"),
        warning.label("warning"),
        detail.label("detail"),
    ).select_from(rows_of)
    return UsageRows(
        rows=rows.suffix_with(text(dialect.rows_end)).subquery("usage_rows"),
        dialect=dialect,
        daily=False,
        times=times,
        all_dated=all_dated,
        has_clients="client" in columns,
        has_ids="event_id" in columns,
    )


def _errors(columns: dict[str, Any], lines: ColumnElement[Any], dialect: Dialect) -> ColumnElement[Any]:
    """The errors of a row of requests that are alike: all of them or none."""
    conditions: list[ColumnElement[bool]] = []
    if "status" in columns:
        conditions.append(dialect.is_error_status(columns["status"]))
    if "error" in columns:
        conditions.append(says_error(columns["error"]))
    if not conditions:
        return literal_column("0", Integer())
    return case((or_(*conditions), lines), else_=0)


def _grouped_requests(table: Table, columns: dict[str, Any], times: Times, window: Window) -> Subquery:
    """One row for all requests of the window that differ only in their instant on the same day.

    ``lines`` is their number and ``timestamp`` the latest instant. Requests without a usable instant are grouped
    apart.
    """
    # Requests are counted before their values are checked: then each value is trimmed and checked once for all
    # requests that have it, and the check costs hardly more than the count alone.
    used_at = times.expression
    day = _number_in_window(times, used_at, window)
    inside = times.inside(used_at, window.start, window.end)
    if not times.certain:
        undated = or_(used_at.is_(None), not_(times.plausible(used_at)))
        day = case((undated, literal_column(str(UNKNOWN_DAY_NUMBER), Integer())), else_=day)
        inside = or_(undated, inside)
    others = {name: column for name, column in columns.items() if name != "timestamp"}
    labelled = [column.label(name) for name, column in others.items()]
    requests = (
        select(*labelled, used_at.label("used_at"), day.label("on_day"))
        .select_from(table)
        .where(inside)
        .subquery("requests")
    )
    group = [requests.c[name] for name in others]
    return (
        select(*group, func.max(requests.c.used_at).label("timestamp"), func.count().label("lines"))
        .group_by(requests.c.on_day, *group)
        .subquery("grouped")
    )


def daily_rows(table: Table, columns: dict[str, Any], deployment: str | None, dialect: Dialect) -> UsageRows:
    """One row for each row of a daily rollup. A row without a column of requests counts as one request."""
    requests = _count(columns, "request_count", literal_column("1", Integer()), dialect)
    stated_errors = _count(columns, "error_count", literal_column("0", Integer()), dialect)
    times = dialect.times(columns["last_activity"]) if "last_activity" in columns else None
    used_at = cast(null(), String()) if times is None else times.expression
    rows = select(
        *_identity(columns, deployment),
        used_at.label("used_at"),
        dialect.day(columns["day"]).label("day"),
        text_of(columns["day"]).label("written"),
        literal_column("1", Integer()).label("lines"),
        requests.label("requests"),
        case((stated_errors > requests, requests), else_=func.coalesce(stated_errors, 0)).label("errors"),
        case(
            (text_of(columns["key_id"]).is_(None), literal(NO_KEY, String())),
            (requests.is_(None), literal(BAD_REQUESTS, String())),
        ).label("problem"),
        _daily_warning(columns, requests, stated_errors, times).label("warning"),
        _labelled(columns, "key_id", "request_count", "error_count", "last_activity").label("detail"),
    ).select_from(table)
    return UsageRows(
        rows=rows.suffix_with(text(dialect.rows_end)).subquery("usage_rows"),
        dialect=dialect,
        daily=True,
        times=times,
        all_dated=dialect.typed and not columns["day"].nullable,
        has_clients=False,
        has_ids=False,
    )


def _daily_warning(
    columns: dict[str, Any], requests: ColumnElement[Any], stated_errors: ColumnElement[Any], times: Times | None
) -> ColumnElement[Any]:
    """The first warning that holds for a row of a daily rollup, or null."""
    warnings: list[tuple[ColumnElement[bool], ColumnElement[Any]]] = []
    if "error_count" in columns:
        unreadable = and_(stated_errors.is_(None), columns["error_count"].is_not(None))
        warnings.append((unreadable, literal(BAD_ERRORS, String())))
    warnings.append((stated_errors > requests, literal(TOO_MANY_ERRORS, String())))
    if times is not None:
        unreadable = and_(times.expression.is_(None), columns["last_activity"].is_not(None))
        warnings.append((unreadable, literal(BAD_ACTIVITY, String())))
    return case(*warnings)


def _count(
    columns: dict[str, Any], name: str, default: ColumnElement[Any], dialect: Dialect
) -> ColumnElement[Any]:
    return dialect.count(columns[name]) if name in columns else default


def _identity(columns: dict[str, Any], deployment: str | None) -> list[ColumnElement[Any]]:
    """Whose request it is: key, endpoint, deployment, client and event id."""
    texts = {name: _text(columns, name) for name in ("key_id", "endpoint", "deployment", "client", "event_id")}
    if deployment:
        texts["deployment"] = func.coalesce(texts["deployment"], deployment)
    return [expression.label(name) for name, expression in texts.items()]


def _text(columns: dict[str, Any], name: str) -> ColumnElement[Any]:
    return text_of(columns[name]) if name in columns else cast(null(), String())


def _text_or_blank(columns: dict[str, Any], name: str) -> ColumnElement[Any]:
    return func.coalesce(_text(columns, name), "")


def _labelled(columns: dict[str, Any], *names: str) -> ColumnElement[Any]:
    """The names and values of the columns that the table has, as one text."""
    joined: ColumnElement[Any] = literal("", String())
    for name in names:
        if name in columns:
            joined = joined + literal(f" {name} ", String()) + _text_or_blank(columns, name)
    return joined


def dated(usage: UsageRows, window: Window) -> Subquery:
    """The rows of the window with their ``on_day``; each event once.

    ``on_day`` is the day of a daily row, and for a request the number of its day in the window. Rows without a
    usable time are among them where the table may have any. Their day lies before all others.
    """
    rows = usage.rows.c
    day = rows.day if usage.daily else _number_in_window(usage.instants, rows.used_at, window)
    inside = _inside(usage, window)
    columns: dict[str, ColumnElement[Any]] = {column.name: column for column in rows}
    # The search for rows without a usable time reads the whole table. Where the types guarantee a time, the
    # statement keeps to the window, and the database can use an index.
    if not usage.all_dated:
        day = case((usage.undated, _unknown_day(usage)), else_=day)
        inside = or_(usage.undated, inside)
        columns |= _undated_columns(usage)
    labelled = [column.label(name) for name, column in columns.items()]
    statement = select(*labelled, day.label("on_day")).where(inside)
    return _each_event_once(statement) if usage.has_ids else statement.subquery("dated")


def counts(rows: Subquery) -> Select[Any]:
    """One row per day, fault, key, endpoint and deployment of ``dated`` rows, in the order of the days.

    ``least`` and ``most`` are two samples of a fault.
    """
    usable = rows.c.problem.is_(None)
    has_fault = or_(rows.c.problem.is_not(None), rows.c.warning.is_not(None))
    plain = [rows.c[name] for name in ("on_day", "problem", "warning", "lines", "requests", "errors", "used_at")]
    # Rows that cannot be used are not grouped by key: a million different damaged keys are one row of the answer.
    identity = [case((usable, rows.c[name])).label(name) for name in ("key_id", "endpoint", "deployment")]
    detail = case((has_fault, rows.c.detail)).label("detail")
    counted = select(*plain, *identity, detail).subquery("counted")
    group = [counted.c[name] for name in GROUP_KEYS]
    answer = select(
        *group,
        cast(func.sum(counted.c.lines), BigInteger()).label("lines"),
        cast(func.sum(counted.c.requests), BigInteger()).label("request_count"),
        cast(func.sum(counted.c.errors), BigInteger()).label("error_count"),
        func.max(counted.c.used_at).label("last_used"),
        func.min(counted.c.detail).label("least"),
        func.max(counted.c.detail).label("most"),
    )
    return answer.group_by(*group).order_by(counted.c.on_day)


def client_counts(rows: Subquery) -> Select[Any]:
    """on_day, key_id and client_count of ``dated`` rows, in the order of the days."""
    columns = rows.c
    return (
        select(columns.on_day, columns.key_id, func.count(distinct(columns.client)).label("client_count"))
        .where(columns.problem.is_(None), columns.client.is_not(None))
        .group_by(columns.on_day, columns.key_id)
        .order_by(columns.on_day)
    )


def latest_use(usage: UsageRows) -> Select[Any]:
    """The latest day of usable rows and its latest instant. Events have no day, but the latest instant of all."""
    rows = usage.rows.c
    usable = and_(rows.problem.is_(None), not_(usage.undated))
    if usage.daily:
        latest = func.max(rows.used_at)
        return select(rows.day, latest).where(usable).group_by(rows.day).order_by(rows.day.desc()).limit(1)
    return select(func.max(rows.day), func.max(rows.used_at)).where(usable)


def first_and_last(usage: UsageRows, day: Day) -> Select[Any]:
    """Per key: first and last day with requests, first and last instant of use, all before the day."""
    rows = usage.rows.c
    is_used_before: ColumnElement[bool] = false()
    if usage.times is not None:
        is_used_before = and_(usage.times.plausible(rows.used_at), usage.times.before(rows.used_at, day.start))
    used_at = case((is_used_before, rows.used_at))
    day_with_requests = case((rows.requests > 0, rows.day))
    wanted = is_used_before
    if usage.daily:
        bound = usage.dialect.day_bound(day.date)
        # A row of zero requests may state an older last activity.
        wanted = and_(rows.day < bound, or_(rows.requests > 0, is_used_before))
    statement = select(
        rows.key_id,
        func.min(day_with_requests),
        func.max(day_with_requests),
        func.min(used_at),
        func.max(used_at),
    )
    return statement.where(rows.problem.is_(None), wanted).group_by(rows.key_id)


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
        return usage.dialect.day_bound(UNKNOWN_DAY)
    return literal_column(str(UNKNOWN_DAY_NUMBER), Integer())


def _undated_columns(usage: UsageRows) -> dict[str, ColumnElement[Any]]:
    """The columns that differ in rows without a usable time, which have no other fault."""
    rows = usage.rows.c
    if usage.daily:
        reason = NO_DAY
        name = "day"
    else:
        reason = NO_TIME
        name = "timestamp"
    written = literal(f"{name} ", String()) + func.coalesce(rows.written, "is empty")
    key = literal(", key ", String()) + func.coalesce(rows.key_id, "unknown")
    return {
        # An infinite timestamp is no instant and must not become the last use.
        "used_at": case((not_(usage.undated), rows.used_at)),
        "problem": case((usage.undated, literal(reason, String())), else_=rows.problem),
        "warning": case((usage.undated, cast(null(), String())), else_=rows.warning),
        "detail": case((usage.undated, written + key), else_=rows.detail),
    }


def _each_event_once(statement: Select[Any]) -> Subquery:
    """The rows with each event id once: its earliest usable row. Rows without an id are all different events."""
    rows = statement.selected_columns
    # The long order makes the choice the same in every run.
    order = (
        case((rows.problem.is_(None), 0), else_=1),
        rows.used_at,
        rows.key_id,
        rows.endpoint,
        rows.deployment,
    )
    copy = func.row_number().over(partition_by=rows.event_id, order_by=order)
    copies = statement.add_columns(copy.label("copy")).subquery("copies")
    return select(copies).where(or_(copies.c.event_id.is_(None), copies.c.copy == 1)).subquery("dated")
