"""Usage from the tables of a database, through SQLAlchemy Core.

The database counts: one statement per window of nights, whose answer is a row per night, key, endpoint
and deployment. Table and column names are looked up by reflection and never pasted into SQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Integer,
    MetaData,
    Select,
    String,
    Subquery,
    Table,
    and_,
    case,
    cast,
    create_engine,
    distinct,
    false,
    func,
    inspect,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from detector.aggregation import by_key, clean_register, empty
from detector.config import SqlSource
from detector.errors import SourceError
from detector.model import INSTANT, REGISTER, Fault, Night
from detector.sources import dialects
from detector.sources.columns import nearest, register_columns, usage_columns
from detector.sources.dialects import Times
from detector.sources.faults import (
    BAD_ACTIVITY,
    BAD_ERRORS,
    BAD_REQUESTS,
    BAD_STATUS,
    NO_DAY,
    NO_KEY,
    NO_TIME,
    SAMPLES,
    TOO_MANY_ERRORS,
    FaultLog,
    Observation,
    mask,
    sample,
)
from detector.sources.lenient import from_micros, micros_of
from detector.sources.windows import (
    Window,
    activity_of_days,
    activity_of_events,
    choose,
    reach_of_days,
    windows,
    within,
)

GROUPED = ("night", "problem", "warning", "key_id", "endpoint", "deployment")
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Readings:
    """A usage table in our own columns: key_id, endpoint, deployment, client, event_id, used_at, day,
    written, requests, errors, problem, warning and detail, each row with what is wrong in it."""

    rows: Subquery
    times: Times | None
    """How ``used_at`` is told; None where the table has no instants."""
    certain: bool
    """Whether every row has a usable timestamp or day."""
    has_clients: bool
    has_ids: bool


class SqlReader:
    """The ``sql`` source. Every call is one read-only transaction."""

    def __init__(self, config: SqlSource, timezone: ZoneInfo) -> None:
        self._config = config
        self._timezone = timezone
        self._faults = FaultLog()
        self._events = config.shape == "events"

    def keys(self) -> pd.DataFrame:
        """The register, from a table."""
        if self._config.keys is None:
            return empty(REGISTER)
        with self._connected() as connection:
            table = self._table(self._config.keys, connection)
            columns = register_columns(self._config, table.columns.keys(), f"table {self._config.keys}")
            found = connection.execute(select(*(table.c[theirs] for theirs in columns.values()))).all()
        raw = pd.DataFrame([tuple(row) for row in found], columns=list(columns), dtype="object")
        for name in {"created_at", "revoked_at"} & set(columns):
            raw[name] = [_instant_text(value) for value in raw[name]]
        register, self._faults.register = clean_register(raw.map(_plain))
        return register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """Records of every night, by one statement per window of nights, and one for clients where known."""
        for window in windows(first, last, self._timezone):
            yield from self._window(window)

    def faults(self, night: date) -> tuple[Fault, ...]:
        """What could not be used of the night, of the table as a whole, and of the register."""
        return self._faults.of(night)

    def watermark(self) -> datetime | None:
        """The latest instant that a usable row states; a daily row without one states its day's start."""
        with self._connected() as connection:
            readings = self._readings(connection)
            rows = readings.rows.c
            usable = select(func.max(rows.used_at)).where(rows.problem.is_(None))
            if self._events:
                times = _required(readings.times)
                return times.read_one(connection.scalar(usable.where(times.plausible(rows.used_at))))
            day = connection.scalar(select(func.max(rows.day)).where(rows.problem.is_(None)))
            used = connection.scalar(usable.where(rows.day == day)) if day and readings.times else None
            reached = readings.times.read_one(used) if readings.times else None
        return reach_of_days(_date(day), reached, self._timezone)

    def activity_before(self, night: date) -> pd.DataFrame:
        """First and last use of every key before the night, from the whole table."""
        bound = Night(night, self._timezone)
        with self._connected() as connection:
            readings = self._readings(connection)
            statement = _first_and_last(readings, bound, self._events, connection.dialect.name)
            found = connection.execute(statement).all()
        rows = pd.DataFrame(found, columns=["key_id", "first_day", "last_day", "first_used", "last_used"])
        for name in ("first_used", "last_used"):
            rows[name] = readings.times.read(rows[name]) if readings.times else pd.Series(dtype=INSTANT)
        for name in ("first_day", "last_day"):
            rows[name] = pd.Series([_date(value) for value in rows[name]], dtype="object")
        return activity_of_events(rows, bound) if self._events else activity_of_days(rows, bound)

    def _window(self, window: Window) -> Iterator[tuple[date, pd.DataFrame]]:
        with self._connected() as connection:
            readings = self._readings(connection)
            dated = _dated(readings, window, self._events, connection.dialect.name)
            undated = _undated(connection, readings, self._events)
            clients = _clients(connection, dated, window) if readings.has_clients else {}
            for night, frame in _nights(connection, _counted(dated), window):
                self._faults.record(Window((night,)), [*_observed(frame, night.day), *undated])
                yield night.day, by_key(_groups(frame, readings.times, night), clients.get(night.day))

    def _readings(self, connection: Connection) -> Readings:
        table = self._table(self._config.usage, connection)
        columns = usage_columns(self._config, table.columns.keys(), f"table {self._config.usage}")
        theirs = {name: table.c[column] for name, column in columns.items()}
        read = _event_readings if self._events else _daily_readings
        return read(table, theirs, self._config.deployment, connection.dialect.name)

    def _table(self, name: str, connection: Connection) -> Table:
        inspector = inspect(connection)
        schema, _, plain = ("", "", name) if inspector.has_table(name) else name.rpartition(".")
        try:
            return Table(
                plain, MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False
            )
        except NoSuchTableError:
            known = inspector.get_table_names(schema or None) + inspector.get_view_names(schema or None)
            raise SourceError(
                f"source {self._config.name}: there is no table '{name}'{nearest(plain, known)}; "
                f"name the right one, as name or schema.name, and check what the user may see"
            ) from None

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        engine = self._engine()
        try:
            with engine.connect() as connection:
                dialects.only_read(connection)
                yield connection
        except SQLAlchemyError as error:
            raise self._failure(error, engine) from None
        finally:
            engine.dispose()

    def _engine(self) -> Engine:
        try:
            engine = create_engine(self._config.url, poolclass=NullPool)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise SourceError(
                f"source {self._config.name}: no driver for this url: {error}; install it"
            ) from None
        database = engine.url.database
        if engine.dialect.name == "sqlite" and database and not Path(database).is_file():
            raise SourceError(
                f"source {self._config.name}: there is no database {database}; check source.url"
            )
        dialects.prepare(engine)
        return engine

    def _failure(self, error: SQLAlchemyError, engine: Engine) -> SourceError:
        """The driver's first line; neither the statement nor the password."""
        problem = str(error.orig if isinstance(error, DBAPIError) else error).strip().split("\n")[0]
        for secret in filter(None, (engine.url.password, str(engine.url.password or ""))):
            problem = problem.replace(str(secret), "***")
        place = engine.url.render_as_string(hide_password=True)
        return SourceError(
            f"source {self._config.name}: {place} did not answer: {mask(problem)[:300]}; "
            "check source.url and what its user may read"
        )


def _event_readings(table: Table, columns: dict[str, Any], deployment: str | None, dialect: str) -> Readings:
    """One row a request; an error from status 400 up, or where the error column says so."""
    times = dialects.times(columns["timestamp"], dialect)
    failed: list[ColumnElement[bool]] = []
    warning: ColumnElement[Any] = cast(null(), String())
    detail = _shown(columns, "endpoint")
    if "status" in columns:
        failed.append(dialects.is_error_status(columns["status"], dialect))
        unread = dialects.unreadable_status(columns["status"], dialect)
        warning = case((unread, literal(BAD_STATUS, String())))
        detail = case((unread, _labelled(columns, "status")), else_=detail)
    if "error" in columns:
        failed.append(dialects.says_error(columns["error"]))
    errors = case((or_(*failed), 1), else_=0) if failed else literal_column("0", Integer())
    rows = select(
        *_who(columns, deployment),
        times.expression.label("used_at"),
        cast(null(), String()).label("day"),
        dialects.words(columns["timestamp"]).label("written"),
        literal_column("1", Integer()).label("requests"),
        errors.label("errors"),
        case((dialects.words(columns["key_id"]).is_(None), literal(NO_KEY, String()))).label("problem"),
        warning.label("warning"),
        detail.label("detail"),
    ).select_from(table)
    return Readings(
        rows=_fenced(rows),
        times=times,
        certain=times.certain,
        has_clients="client" in columns,
        has_ids="event_id" in columns,
    )


def _daily_readings(table: Table, columns: dict[str, Any], deployment: str | None, dialect: str) -> Readings:
    """One row a day, key, endpoint and deployment, already counted; a row without a count is one request."""
    requests = _count(columns, "request_count", literal_column("1", Integer()), dialect)
    counted = _count(columns, "error_count", literal_column("0", Integer()), dialect)
    times = dialects.times(columns["last_activity"], dialect) if "last_activity" in columns else None
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
        dialects.day(columns["day"], dialect).label("day"),
        dialects.words(columns["day"]).label("written"),
        requests.label("requests"),
        case((counted > requests, requests), else_=func.coalesce(counted, 0)).label("errors"),
        case(
            (dialects.words(columns["key_id"]).is_(None), literal(NO_KEY, String())),
            (requests.is_(None), literal(BAD_REQUESTS, String())),
        ).label("problem"),
        case(*warnings).label("warning"),
        _labelled(columns, "key_id", "request_count", "error_count", "last_activity").label("detail"),
    ).select_from(table)
    return Readings(
        rows=_fenced(rows),
        times=times,
        certain=dialect != "sqlite" and not columns["day"].nullable,
        has_clients=False,
        has_ids=False,
    )


def _count(
    columns: dict[str, Any], name: str, default: ColumnElement[Any], dialect: str
) -> ColumnElement[Any]:
    return dialects.count(columns[name], dialect) if name in columns else default


def _who(columns: dict[str, Any], deployment: str | None) -> list[ColumnElement[Any]]:
    named = {
        name: _words(columns, name) for name in ("key_id", "endpoint", "deployment", "client", "event_id")
    }
    if deployment:
        named["deployment"] = func.coalesce(named["deployment"], deployment)
    return [expression.label(name) for name, expression in named.items()]


def _words(columns: dict[str, Any], name: str) -> ColumnElement[Any]:
    return dialects.words(columns[name]) if name in columns else cast(null(), String())


def _shown(columns: dict[str, Any], name: str) -> ColumnElement[Any]:
    return func.coalesce(_words(columns, name), "")


def _labelled(columns: dict[str, Any], *names: str) -> ColumnElement[Any]:
    """The columns that are there, by name, as one text."""
    shown: ColumnElement[Any] = literal("", String())
    for name in names:
        if name in columns:
            shown = shown + literal(f" {name} ", String()) + _shown(columns, name)
    return shown


def _fenced(rows: Select[Any]) -> Subquery:
    """SQLite would otherwise dissolve the subquery and read every value again wherever it is used."""
    return rows.suffix_with(text("LIMIT -1"), dialect="sqlite").subquery("readings")


def _dated(readings: Readings, window: Window, events: bool, dialect: str) -> Subquery:
    """The rows of the window, with the number of their night in it (or its day), each event once."""
    rows = readings.rows.c
    night = _night_number(readings, window) if events else rows.day
    if events:
        inside = _required(readings.times).inside(rows.used_at, window.start, window.end)
    else:
        first, last = (
            dialects.day_bound(night.day, dialect) for night in (window.nights[0], window.nights[-1])
        )
        inside = rows.day.between(first, last)
    statement = select(readings.rows, night.label("night")).where(inside)
    if not readings.has_ids:
        return statement.subquery("dated")
    order = (
        rows.problem.is_not(None),
        rows.used_at,
        rows.key_id,
        rows.endpoint,
        rows.deployment,
        rows.client,
    )
    copy = func.row_number().over(partition_by=rows.event_id, order_by=order)
    copies = statement.add_columns(copy.label("copy")).subquery("copies")
    once = or_(copies.c.event_id.is_(None), copies.c.copy == 1)
    return select(copies).where(once).subquery("dated")


def _night_number(readings: Readings, window: Window) -> ColumnElement[Any]:
    used_at, times = readings.rows.c.used_at, _required(readings.times)
    numbers = {
        night.day: literal_column(str(number), Integer()) for number, night in enumerate(window.nights)
    }
    return choose(
        window.nights,
        lambda night: numbers[night.day],
        lambda bound, before, after: case((times.before(used_at, bound), before), else_=after),
    )


def _counted(dated: Subquery) -> Select[Any]:
    """One row per night, fault, key, endpoint and deployment, nights in order. Faulty rows keep no key."""
    rows = dated.c
    usable = rows.problem.is_(None)
    faulty = or_(rows.problem.is_not(None), rows.warning.is_not(None))
    cells = select(
        rows.night,
        rows.problem,
        rows.warning,
        *(case((usable, rows[name])).label(name) for name in ("key_id", "endpoint", "deployment")),
        rows.requests,
        rows.errors,
        rows.used_at,
        case((faulty, rows.detail)).label("detail"),
    ).subquery("cells")
    grouped = [cells.c[name] for name in GROUPED]
    return (
        select(
            *grouped,
            func.count().label("lines"),
            cast(func.sum(cells.c.requests), BigInteger()).label("request_count"),
            cast(func.sum(cells.c.errors), BigInteger()).label("error_count"),
            func.max(cells.c.used_at).label("last_used"),
            func.min(cells.c.detail).label("detail"),
        )
        .group_by(*grouped)
        .order_by(cells.c.night)
    )


def _clients(connection: Connection, dated: Subquery, window: Window) -> dict[date, pd.DataFrame]:
    """key_id and source_count of every night with clients."""
    rows = dated.c
    statement = (
        select(rows.night, rows.key_id, func.count(distinct(rows.client)).label("source_count"))
        .where(rows.problem.is_(None), rows.client.is_not(None))
        .group_by(rows.night, rows.key_id)
        .order_by(rows.night)
    )
    return {night.day: frame for night, frame in _nights(connection, statement, window)}


def _nights(
    connection: Connection, statement: Select[Any], window: Window
) -> Iterator[tuple[Night, pd.DataFrame]]:
    """The answer night by night, empty ones too. The first column is the night's number or its day."""
    result = connection.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE})
    names = list(result.keys())
    parts = groupby(result, key=lambda row: row[0])
    part = next(parts, None)
    for number, night in enumerate(window.nights):
        rows: list[tuple[Any, ...]] = []
        if part is not None and (part[0] == number or _date(part[0]) == night.day):
            rows = [tuple(row) for row in part[1]]
            part = next(parts, None)
        yield night, pd.DataFrame(rows, columns=names, dtype="object")


def _groups(frame: pd.DataFrame, times: Times | None, night: Night) -> pd.DataFrame:
    """The usable rows of a night that have requests, as ``GROUP_COLUMNS``."""
    usable = frame[frame["problem"].isna() & (frame["request_count"].fillna(0) > 0)]
    unknown = pd.Series(pd.NA, index=usable.index, dtype=INSTANT)
    return within(usable.assign(last_used=times.read(usable["last_used"]) if times else unknown), night)


def _observed(frame: pd.DataFrame, night: date) -> Iterator[Observation]:
    """The faults among the rows of a night."""
    reasons = frame["problem"].where(frame["problem"].notna(), frame["warning"])
    faulty = reasons.notna()
    for reason, lines, detail in zip(
        reasons[faulty], frame["lines"][faulty], frame["detail"][faulty], strict=True
    ):
        yield Observation(night, reason, int(lines), sample(detail or "", str(night)))


def _undated(connection: Connection, readings: Readings, events: bool) -> list[Observation]:
    """The rows without a usable time; not looked for where the table cannot have any."""
    if readings.certain:
        return []
    rows = readings.rows.c
    lost: ColumnElement[bool] = rows.day.is_(None)
    if events:
        lost = or_(rows.used_at.is_(None), not_(_required(readings.times).plausible(rows.used_at)))
    reason, name = (NO_TIME, "timestamp") if events else (NO_DAY, "day")
    number = connection.scalar(select(func.count()).select_from(readings.rows).where(lost))
    if not number:
        return []
    shown = select(rows.written, rows.key_id).where(lost).order_by(rows.written, rows.key_id).limit(SAMPLES)
    found = [f"{name} {written or 'is empty'}, key {key}" for written, key in connection.execute(shown)]
    counts = [int(number)] + [0] * (len(found) - 1)
    return [Observation(None, reason, count, sample(text)) for count, text in zip(counts, found, strict=True)]


def _first_and_last(readings: Readings, bound: Night, events: bool, dialect: str) -> Select[Any]:
    """Per key: first and last day with requests, first and last instant of use, all before the bound."""
    rows, times = readings.rows.c, readings.times
    used = None
    if times is not None:
        known = and_(times.plausible(rows.used_at), times.before(rows.used_at, bound.start))
        used = case((known, rows.used_at))
    counted = case((rows.requests > 0, rows.day))
    before: ColumnElement[bool] = used.is_not(None) if used is not None else false()
    if not events:
        before = and_(rows.day < dialects.day_bound(bound.day, dialect), or_(rows.requests > 0, before))
    instants = (null(), null()) if used is None else (func.min(used), func.max(used))
    statement = select(rows.key_id, func.min(counted), func.max(counted), *instants)
    return statement.where(rows.problem.is_(None), before).group_by(rows.key_id)


def _required(times: Times | None) -> Times:
    if times is None:
        raise TypeError("events always have instants")
    return times


def _date(value: Any) -> date | None:
    return date.fromisoformat(value[:10]) if isinstance(value, str) else value


def _instant_text(value: Any) -> str | None:
    micros = micros_of(value)
    return from_micros(micros).isoformat() if micros is not None else _plain(value)


def _plain(value: Any) -> str | None:
    return None if value is None or value is pd.NaT else str(value)
