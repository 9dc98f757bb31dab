"""Readings: the rows of a table in our own columns, as DuckDB's SQL, with what is wrong in each.

Both shapes give the same columns: file, problem (why the row cannot be used, or null), warning (what of
a usable row had to be read otherwise), detail (what was found instead), used_at, day, key_id, endpoint,
deployment, client, event_id, requests, lines, errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from detector.model.day import Day
from detector.sources.columns import FALSE_TEXTS
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
from detector.sources.files.formats import Table, literal
from detector.sources.windows import EARLIEST, LARGEST_COUNT, LATEST, Window, choose

DAY = timedelta(days=1)
EPOCH = date(1970, 1, 1)

FENCE = 9_000_000_000_000_000_000
"""More rows than there can be. Without a limit the conditions on what was read would move in front of the
reading, and every value would be read again for each of them."""

NO_READINGS = """
    SELECT NULL::VARCHAR AS file, NULL::TIMESTAMP AS used_at, NULL::DATE AS day, NULL::VARCHAR AS key_id,
           NULL::VARCHAR AS endpoint, NULL::VARCHAR AS deployment, NULL::VARCHAR AS client,
           NULL::VARCHAR AS event_id, 0 AS requests, 0 AS lines, 0 AS errors, NULL::VARCHAR AS problem,
           NULL::VARCHAR AS warning, NULL::VARCHAR AS detail LIMIT 0"""


def moment(instant: datetime) -> str:
    """An instant as the SQL of a UTC timestamp."""
    return f"TIMESTAMP '{instant:%Y-%m-%d %H:%M:%S.%f}'"


MACROS = (
    # Text without blanks around it; null where nothing is left.
    "CREATE MACRO text_of(value) AS nullif(trim(CAST(value AS VARCHAR)), '')",
    # A finite number, else null.
    """CREATE MACRO number_of(value) AS
        CASE WHEN isfinite(TRY_CAST(value AS DOUBLE)) THEN TRY_CAST(value AS DOUBLE) END""",
    # A whole number that can be a count, else null.
    f"""CREATE MACRO count_of(value) AS
        CASE WHEN number_of(value) BETWEEN 0 AND {LARGEST_COUNT}
             AND number_of(value) = floor(number_of(value)) THEN number_of(value)::BIGINT END""",
    # A timestamp or date that can be meant, else null.
    f"""CREATE MACRO plausible(value) AS
        CASE WHEN value >= {moment(EARLIEST)} AND value < {moment(LATEST)} THEN value END""",
    # A date as it is written, whatever time and zone may follow it.
    "CREATE MACRO day_of(value) AS plausible(TRY_CAST(left(text_of(value), 10) AS DATE))::DATE",
    # Seconds since 1970, or milli-, micro- or nanoseconds where they are too large for that.
    """CREATE MACRO micros_of(number) AS
        CASE WHEN number < 1e8 THEN NULL WHEN number < 1e11 THEN number * 1e6
        WHEN number < 1e14 THEN number * 1e3 WHEN number < 1e17 THEN number
        WHEN number < 1e20 THEN number / 1e3 END""",
    """CREATE MACRO instant_of_number(value) AS
        make_timestamp(CAST(round(micros_of(TRY_CAST(value AS DOUBLE))) AS BIGINT))""",
    # ISO 8601, extended or basic, or as web servers write it; without a zone it is UTC, as the session is.
    # Each way of reading stands here once: what stands twice would be computed for every row, needed or not.
    """CREATE MACRO instant_of_text(value) AS coalesce(
        TRY_CAST(value AS TIMESTAMP WITH TIME ZONE)::TIMESTAMP, instant_of_number(value),
        try_strptime(value, ['%Y%m%dT%H%M%SZ', '%Y%m%dT%H%M%S', '%d/%b/%Y:%H:%M:%S %z'])::TIMESTAMP)""",
    # A query parameter without its percent signs, or as it is written where it is not well encoded.
    "CREATE MACRO decoded(value) AS coalesce(TRY(url_decode(value)), value)",
)
"""What every connection must know before it runs the statements made here."""


def event_readings(
    table: Table, columns: Mapping[str, str], deployment: str | None, counted: str | None = None
) -> str:
    """One row a request; an error from status 400 up, or where the error column says so.

    ``counted`` names what ``alike_requests`` made: then one row for requests that are alike in all but their
    instant, so that what is read and checked is read once for all of them.
    """
    relation = f"SELECT * FROM {counted}" if counted else table.relation(columns)
    lines = "lines" if counted else "1"
    status, error = (_text(name, columns) for name in ("status", "error"))
    no_error = ", ".join(literal(word) for word in FALSE_TEXTS)
    return f"""
        SELECT *, CASE WHEN broken IS NOT NULL THEN broken WHEN used_at IS NULL THEN {literal(NO_TIME)}
                       WHEN key_id IS NULL THEN {literal(NO_KEY)} END AS problem,
               CASE WHEN status IS NOT NULL AND code IS NULL THEN {literal(BAD_STATUS)} END AS warning,
               CASE WHEN shown IS NOT NULL THEN shown
                    WHEN used_at IS NULL THEN 'timestamp ' || coalesce(written, 'is empty')
                    WHEN key_id IS NULL THEN concat_ws(' ', written, endpoint)
                    ELSE 'status ' || status END AS detail
        FROM (SELECT file, broken, shown, NULL::DATE AS day,
                     {_instant("timestamp", table, columns)} AS used_at,
                     {_who(columns, deployment)}, {_text("client", columns)} AS client,
                     {_text("event_id", columns)} AS event_id, {lines} AS requests, {lines} AS lines,
                     {status} AS status,
                     number_of({status}) AS code, {_text("timestamp", columns)} AS written,
                     (coalesce(code >= 400, false)
                      OR lower(coalesce({error}, '')) NOT IN ({no_error}))::INTEGER * {lines} AS errors
              FROM ({relation}) LIMIT {FENCE})"""


def can_be_counted(table: Table, columns: Mapping[str, str]) -> bool:
    """Whether requests are alike without their ids, and the latest of their timestamps is one as it stands,
    which text and numbers do not promise."""
    return "event_id" not in columns and table.columns.get(columns["timestamp"], "").startswith("TIMESTAMP")


def alike_requests(table: Table, columns: Mapping[str, str], window: Window) -> str:
    """The rows of the window with like requests of a day counted. A file is named only where it is sure
    that a row has a fault: looking at the name of every row would cost a third more."""
    alike = "".join(f", {name}" for name in columns if name != "timestamp")
    lost = f"timestamp IS NULL OR timestamp < {moment(EARLIEST)} OR timestamp >= {moment(LATEST)}"
    inside = f"timestamp >= {moment(window.start)} AND timestamp < {moment(window.end)}"
    return f"""
        SELECT min(file) FILTER (WHERE timestamp IS NULL OR key_id IS NULL) AS file, NULL::VARCHAR AS broken,
               NULL::VARCHAR AS shown, max(timestamp) AS timestamp, count(*) AS lines{alike}
        FROM ({table.relation(columns)}) WHERE ({inside}) OR {lost}
        GROUP BY CASE WHEN {inside} THEN {_day_number(window)} END{alike}"""


def _day_number(window: Window) -> str:
    """The day of a true instant within the window, as a number: its local day since 1970.

    Whole days of one offset from UTC share a division, which is many times faster than comparing with bounds.
    """
    runs = {run[0].date: run for run in _runs(window)}
    return choose(
        [run[0] for run in runs.values()],
        lambda day: _division(day) if len(runs[day.date]) > 1 else str((day.date - EPOCH).days),
        lambda bound, before, after: f"CASE WHEN timestamp < {moment(bound)} THEN {before} ELSE {after} END",
    )


def _division(day: Day) -> str:
    offset = datetime.combine(day.date, time(), UTC) - day.start
    return f"(epoch_us(timestamp) + {offset // timedelta(microseconds=1)}) // {DAY // timedelta(microseconds=1)}"


def _runs(window: Window) -> list[list[Day]]:
    """The days, those together that follow one another with the same offset and 24 hours each."""

    def alike(day: Day) -> tuple[timedelta, timedelta, object]:
        length = day.end - day.start
        offset = datetime.combine(day.date, time(), UTC) - day.start
        return length, offset, day.date if length != DAY else None

    return [list(run) for _, run in groupby(window.days, key=alike)]


def daily_readings(table: Table, columns: Mapping[str, str], deployment: str | None) -> str:
    """One row a day, key, endpoint and deployment, already counted; a row without a count is one request."""
    requests = "count_of(request_count)" if "request_count" in columns else "1"
    return f"""
        SELECT *, least(coalesce(counted, 0), requests) AS errors,
               CASE WHEN broken IS NOT NULL THEN broken WHEN day IS NULL THEN {literal(NO_DAY)}
                    WHEN key_id IS NULL THEN {literal(NO_KEY)}
                    WHEN requests IS NULL THEN {literal(BAD_REQUESTS)} END AS problem,
               CASE WHEN failed IS NOT NULL AND counted IS NULL THEN {literal(BAD_ERRORS)}
                    WHEN counted > requests THEN {literal(TOO_MANY_ERRORS)}
                    WHEN last_used IS NOT NULL AND used_at IS NULL THEN {literal(BAD_ACTIVITY)}
                    END AS warning,
               CASE WHEN shown IS NOT NULL THEN shown
                    WHEN day IS NULL THEN 'day ' || coalesce(written, 'is empty')
                    WHEN key_id IS NULL THEN concat_ws(' ', written, endpoint)
                    ELSE concat_ws(' ', key_id, 'request_count', count, 'error_count', failed,
                                   'last_activity', last_used) END AS detail
        FROM (SELECT file, broken, shown, {_instant("last_activity", table, columns)} AS used_at,
                     {_who(columns, deployment)},
                     NULL::VARCHAR AS client, NULL::VARCHAR AS event_id, day_of(day) AS day,
                     {requests} AS requests, 1 AS lines, {_text("request_count", columns)} AS count,
                     count_of({_text("error_count", columns)}) AS counted,
                     {_text("error_count", columns)} AS failed,
                     {_text("day", columns)} AS written, {_text("last_activity", columns)} AS last_used
              FROM ({table.relation(columns)}) LIMIT {FENCE})"""


def day_of(window: Window) -> str:
    """The day of a ``used_at`` that lies in the window."""
    return choose(
        window.days,
        lambda day: f"DATE '{day.date}'",
        lambda bound, before, after: f"CASE WHEN used_at < {moment(bound)} THEN {before} ELSE {after} END",
    )


def instant(column: str, kind: str) -> str:
    """The column, of this SQL type, as a UTC timestamp; null where it is none."""
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"plausible(CAST({column} AS TIMESTAMP))"
    return f"plausible(instant_of_{'text' if kind == 'VARCHAR' else 'number'}({column}))"


def _instant(name: str, table: Table, columns: Mapping[str, str]) -> str:
    return instant(name, table.columns.get(columns[name], "VARCHAR")) if name in columns else "NULL::TIMESTAMP"


def _text(name: str, columns: Mapping[str, str]) -> str:
    return f"text_of({name})" if name in columns else "NULL::VARCHAR"


def _who(columns: Mapping[str, str], deployment: str | None) -> str:
    seen = _text("deployment", columns)
    seen = f"coalesce({seen}, {literal(deployment)})" if deployment else seen
    return f"text_of(key_id) AS key_id, {_text('endpoint', columns)} AS endpoint, {seen} AS deployment"
