"""Statements: the questions to a database, in SQLAlchemy Core.

``Readings`` is the usage table in our own columns; the other statements use only ``Readings``. Where
instants have a time type, a statement first counts the requests of a day that are alike and then checks
only these groups (``benchmarks/postgresql.py``).
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
from detector.sources.sql.dialects.dialect import Dialect, Times, says_error, words
from detector.sources.windows import Window, day_search_tree

NOWHERE = date(1970, 1, 1)
"""The day of rows that state none, before every day that can be meant."""

GROUPED = ("on_day", "problem", "warning", "key_id", "endpoint", "deployment")


@dataclass(frozen=True)
class Readings:
    """A usage table in our own columns: key_id, endpoint, deployment, client, event_id, used_at, day,
    written, lines, requests, errors, problem, warning and detail, each row with what is wrong in it."""

    rows: Subquery
    dialect: Dialect
    daily: bool
    times: Times | None
    """How ``used_at`` is told; None where the table has no instants."""
    certain: bool
    """Whether every row has a usable timestamp or day."""
    has_clients: bool
    has_ids: bool

    @property
    def lost(self) -> ColumnElement[bool]:
        """Whether a row states no usable timestamp or day."""
        if self.daily:
            return self.rows.c.day.is_(None)
        used_at = self.rows.c.used_at
        return or_(used_at.is_(None), not_(self.instants.plausible(used_at)))

    @property
    def instants(self) -> Times:
        """How ``used_at`` is told, where there must be one."""
        if self.times is None:
            raise TypeError("only daily rows may lack instants")
        return self.times


def event_readings(
    table: Table, columns: dict[str, Any], deployment: str | None, dialect: Dialect, window: Window | None = None
) -> Readings:
    """One row a request; an error from status 400 up, or where the error column says so.

    For a window of days, requests that are alike in all but their instant come as one row, where the
    database's own types make that safe: what is then read and checked is read once for all of them.
    """
    times = dialect.times(columns["timestamp"])
    lines: ColumnElement[Any] = literal_column("1", Integer())
    rows_of: FromClause = table
    certain = times.certain
    if window is not None and "event_id" not in columns and dialect.has_true_instants(columns):
        rows_of = _alike(table, columns, times, window)
        columns = {name: rows_of.c[name] for name in columns}
        lines, times = rows_of.c.lines, replace(times, expression=columns["timestamp"])
    failed: list[ColumnElement[bool]] = []
    warning: ColumnElement[Any] = cast(null(), String())
    detail = _shown(columns, "endpoint")
    if "status" in columns:
        failed.append(dialect.is_error_status(columns["status"]))
        unread = dialect.unreadable_status(columns["status"])
        warning = case((unread, literal(BAD_STATUS, String())))
        detail = case((unread, _labelled(columns, "status")), else_=detail)
    if "error" in columns:
        failed.append(says_error(columns["error"]))
    errors = case((or_(*failed), lines), else_=0) if failed else literal_column("0", Integer())
    rows = select(
        *_who(columns, deployment),
        times.expression.label("used_at"),
        cast(null(), String()).label("day"),
        words(columns["timestamp"]).label("written"),
        lines.label("lines"),
        lines.label("requests"),
        errors.label("errors"),
        case((words(columns["key_id"]).is_(None), literal(NO_KEY, String()))).label("problem"),
        warning.label("warning"),
        detail.label("detail"),
    ).select_from(rows_of)
    return Readings(
        rows=rows.suffix_with(text(dialect.rows_end)).subquery("readings"),
        dialect=dialect,
        daily=False,
        times=times,
        certain=certain,
        has_clients="client" in columns,
        has_ids="event_id" in columns,
    )


def _alike(table: Table, columns: dict[str, Any], times: Times, window: Window) -> Subquery:
    """The requests of the window by day and all columns but the instant: how many, and the latest instant.

    Those without a usable instant are kept apart, with the others that have none.
    """
    used_at = times.expression
    lost = or_(used_at.is_(None), not_(times.plausible(used_at)))
    day = _number(times, used_at, window)
    inside = times.inside(used_at, window.start, window.end)
    if not times.certain:
        day, inside = case((lost, literal_column("-1", Integer())), else_=day), or_(lost, inside)
    named = {name: column for name, column in columns.items() if name != "timestamp"}
    dated = (
        select(
            *(column.label(name) for name, column in named.items()), used_at.label("used_at"), day.label("on_day")
        )
        .select_from(table)
        .where(inside)
        .subquery("requests")
    )
    alike = [dated.c[name] for name in named]
    return (
        select(*alike, func.max(dated.c.used_at).label("timestamp"), func.count().label("lines"))
        .group_by(dated.c.on_day, *alike)
        .subquery("alike")
    )


def daily_readings(table: Table, columns: dict[str, Any], deployment: str | None, dialect: Dialect) -> Readings:
    """One row a day, key, endpoint and deployment, already counted; a row without a count is one request."""
    requests = _count(columns, "request_count", literal_column("1", Integer()), dialect)
    counted = _count(columns, "error_count", literal_column("0", Integer()), dialect)
    times = dialect.times(columns["last_activity"]) if "last_activity" in columns else None
    warnings = [(counted > requests, literal(TOO_MANY_ERRORS, String()))]
    if "error_count" in columns:
        unread: ColumnElement[bool] = and_(counted.is_(None), columns["error_count"].is_not(None))
        warnings.insert(0, (unread, literal(BAD_ERRORS, String())))
    if times is not None:
        unread = and_(times.expression.is_(None), columns["last_activity"].is_not(None))
        warnings.append((unread, literal(BAD_ACTIVITY, String())))
    rows = select(
        *_who(columns, deployment),
        (times.expression if times else cast(null(), String())).label("used_at"),
        dialect.day(columns["day"]).label("day"),
        words(columns["day"]).label("written"),
        literal_column("1", Integer()).label("lines"),
        requests.label("requests"),
        case((counted > requests, requests), else_=func.coalesce(counted, 0)).label("errors"),
        case(
            (words(columns["key_id"]).is_(None), literal(NO_KEY, String())),
            (requests.is_(None), literal(BAD_REQUESTS, String())),
        ).label("problem"),
        case(*warnings).label("warning"),
        _labelled(columns, "key_id", "request_count", "error_count", "last_activity").label("detail"),
    ).select_from(table)
    return Readings(
        rows=rows.suffix_with(text(dialect.rows_end)).subquery("readings"),
        dialect=dialect,
        daily=True,
        times=times,
        certain=dialect.typed and not columns["day"].nullable,
        has_clients=False,
        has_ids=False,
    )


def _count(
    columns: dict[str, Any], name: str, default: ColumnElement[Any], dialect: Dialect
) -> ColumnElement[Any]:
    return dialect.count(columns[name]) if name in columns else default


def _who(columns: dict[str, Any], deployment: str | None) -> list[ColumnElement[Any]]:
    named = {name: _words(columns, name) for name in ("key_id", "endpoint", "deployment", "client", "event_id")}
    if deployment:
        named["deployment"] = func.coalesce(named["deployment"], deployment)
    return [expression.label(name) for name, expression in named.items()]


def _words(columns: dict[str, Any], name: str) -> ColumnElement[Any]:
    return words(columns[name]) if name in columns else cast(null(), String())


def _shown(columns: dict[str, Any], name: str) -> ColumnElement[Any]:
    return func.coalesce(_words(columns, name), "")


def _labelled(columns: dict[str, Any], *names: str) -> ColumnElement[Any]:
    """The columns that are there, by name, as one text."""
    shown: ColumnElement[Any] = literal("", String())
    for name in names:
        if name in columns:
            shown = shown + literal(f" {name} ", String()) + _shown(columns, name)
    return shown


def dated(readings: Readings, window: Window) -> Subquery:
    """The rows of the window with their ``on_day``, its number in the window or its day; each event once.

    Rows without a usable time come along where the table may have any, on a day before all others.
    """
    rows = readings.rows.c
    day = rows.day if readings.daily else _day_number(readings, window)
    inside = _inside(readings, window)
    columns: dict[str, ColumnElement[Any]] = {column.name: column for column in rows}
    if not readings.certain:
        day = case((readings.lost, _nowhere(readings)), else_=day)
        inside = or_(readings.lost, inside)
        columns |= _without_time(readings)
    named = [column.label(name) for name, column in columns.items()]
    statement = select(*named, day.label("on_day")).where(inside)
    return _once(statement) if readings.has_ids else statement.subquery("dated")


def counts(rows: Subquery) -> Select[Any]:
    """One row per day, fault, key, endpoint and deployment of ``dated`` rows, days in order.

    Rows that cannot be used keep neither key nor endpoint; ``least`` and ``most`` say what they were.
    """
    usable = rows.c.problem.is_(None)
    faulty = or_(rows.c.problem.is_not(None), rows.c.warning.is_not(None))
    plain = [rows.c[name] for name in ("on_day", "problem", "warning", "lines", "requests", "errors", "used_at")]
    kept = [case((usable, rows.c[name])).label(name) for name in ("key_id", "endpoint", "deployment")]
    cells = select(*plain, *kept, case((faulty, rows.c.detail)).label("detail")).subquery("cells")
    grouped = [cells.c[name] for name in GROUPED]
    answer = select(
        *grouped,
        cast(func.sum(cells.c.lines), BigInteger()).label("lines"),
        cast(func.sum(cells.c.requests), BigInteger()).label("request_count"),
        cast(func.sum(cells.c.errors), BigInteger()).label("error_count"),
        func.max(cells.c.used_at).label("last_used"),
        func.min(cells.c.detail).label("least"),
        func.max(cells.c.detail).label("most"),
    )
    return answer.group_by(*grouped).order_by(cells.c.on_day)


def client_counts(rows: Subquery) -> Select[Any]:
    """on_day, key_id and client_count of ``dated`` rows, days in order."""
    named = rows.c
    return (
        select(named.on_day, named.key_id, func.count(distinct(named.client)).label("client_count"))
        .where(named.problem.is_(None), named.client.is_not(None))
        .group_by(named.on_day, named.key_id)
        .order_by(named.on_day)
    )


def reach(readings: Readings) -> Select[Any]:
    """The latest day with usable rows and its latest instant; of events, no day and the latest of all."""
    rows = readings.rows.c
    usable = and_(rows.problem.is_(None), not_(readings.lost))
    if readings.daily:
        latest = func.max(rows.used_at)
        return select(rows.day, latest).where(usable).group_by(rows.day).order_by(rows.day.desc()).limit(1)
    return select(func.max(rows.day), func.max(rows.used_at)).where(usable)


def first_and_last(readings: Readings, day: Day) -> Select[Any]:
    """Per key: first and last day with requests, first and last instant of use, all before the day."""
    rows, times = readings.rows.c, readings.times
    known: ColumnElement[bool] = false()
    if times is not None:
        known = and_(times.plausible(rows.used_at), times.before(rows.used_at, day.start))
    used, counted = case((known, rows.used_at)), case((rows.requests > 0, rows.day))
    before = known
    if readings.daily:
        bound = readings.dialect.day_bound(day.date)
        before = and_(rows.day < bound, or_(rows.requests > 0, known))
    statement = select(rows.key_id, func.min(counted), func.max(counted), func.min(used), func.max(used))
    return statement.where(rows.problem.is_(None), before).group_by(rows.key_id)


def _inside(readings: Readings, window: Window) -> ColumnElement[bool]:
    rows = readings.rows.c
    if not readings.daily:
        return readings.instants.inside(rows.used_at, window.start, window.end)
    first, last = window.days[0].date, window.days[-1].date
    bounds = [readings.dialect.day_bound(day) for day in (first, last)]
    return rows.day.between(bounds[0], bounds[1])


def _day_number(readings: Readings, window: Window) -> ColumnElement[Any]:
    return _number(readings.instants, readings.rows.c.used_at, window)


def _number(times: Times, used_at: ColumnElement[Any], window: Window) -> ColumnElement[Any]:
    """The number in the window of the day of an instant."""
    numbers = {day.date: literal_column(str(number), Integer()) for number, day in enumerate(window.days)}
    return day_search_tree(
        window.days,
        lambda day: numbers[day.date],
        lambda bound, before, after: case((times.before(used_at, bound), before), else_=after),
    )


def _nowhere(readings: Readings) -> ColumnElement[Any]:
    return readings.dialect.day_bound(NOWHERE) if readings.daily else literal_column("-1", Integer())


def _without_time(readings: Readings) -> dict[str, ColumnElement[Any]]:
    """What is wrong with rows without a usable time, in place of what else may be; infinity is none."""
    rows = readings.rows.c
    reason, name = (NO_DAY, "day") if readings.daily else (NO_TIME, "timestamp")
    found = literal(f"{name} ", String()) + func.coalesce(rows.written, "is empty")
    owner = literal(", key ", String()) + func.coalesce(rows.key_id, "unknown")
    return {
        "used_at": case((not_(readings.lost), rows.used_at)),
        "problem": case((readings.lost, literal(reason, String())), else_=rows.problem),
        "warning": case((readings.lost, cast(null(), String())), else_=rows.warning),
        "detail": case((readings.lost, found + owner), else_=rows.detail),
    }


def _once(statement: Select[Any]) -> Subquery:
    """Each event id once, its earliest usable row; rows without an id are all different."""
    rows = statement.selected_columns
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
