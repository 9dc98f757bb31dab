"""Parsed rows: DuckDB's SQL that parses the rows of a table into our own columns and checks them.

Both shapes give the same columns: file, problem (why the row cannot be used, or null), warning (which value of a
usable row was replaced, or null), detail (the text that problem or warning is about), used_at, day, key_id,
endpoint, deployment, client, event_id, requests, lines, errors.

Where instants have a time type, the requests of a day that are alike are first counted, and only these groups
are parsed and checked. Parsing with all checks is then about as fast as a bare GROUP BY (``benchmarks/files.py``).

``detector.sources.sql.statements`` has the same rules for databases, and ``detector.sources.values`` has them
for single values.
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
from detector.sources.windows import EARLIEST, LARGEST_COUNT, LATEST, Window, day_search_tree

DAY = timedelta(days=1)
EPOCH = date(1970, 1, 1)

UNREACHED_LIMIT = 9_000_000_000_000_000_000
"""A LIMIT that no table reaches. It keeps DuckDB from moving the conditions on parsed values below the parsing:
each condition would parse the value again."""

NO_ROWS = """
    SELECT NULL::VARCHAR AS file, NULL::TIMESTAMP AS used_at, NULL::DATE AS day, NULL::VARCHAR AS key_id,
           NULL::VARCHAR AS endpoint, NULL::VARCHAR AS deployment, NULL::VARCHAR AS client,
           NULL::VARCHAR AS event_id, 0 AS requests, 0 AS lines, 0 AS errors, NULL::VARCHAR AS problem,
           NULL::VARCHAR AS warning, NULL::VARCHAR AS detail LIMIT 0"""


def timestamp_literal(instant: datetime) -> str:
    """An instant as the SQL literal of a UTC timestamp."""
    return f"TIMESTAMP '{instant:%Y-%m-%d %H:%M:%S.%f}'"


MACROS = (
    # Text without blanks around it; null where it is blank.
    "CREATE MACRO text_of(value) AS nullif(trim(CAST(value AS VARCHAR)), '')",
    # A finite number, else null.
    """CREATE MACRO number_of(value) AS
        CASE WHEN isfinite(TRY_CAST(value AS DOUBLE)) THEN TRY_CAST(value AS DOUBLE) END""",
    # A whole number that can be a count, else null.
    f"""CREATE MACRO count_of(value) AS
        CASE WHEN number_of(value) BETWEEN 0 AND {LARGEST_COUNT}
             AND number_of(value) = floor(number_of(value)) THEN number_of(value)::BIGINT END""",
    # A timestamp or date within the years of real usage, else null.
    f"""CREATE MACRO plausible(value) AS
        CASE WHEN value >= {timestamp_literal(EARLIEST)} AND value < {timestamp_literal(LATEST)} THEN value END""",
    # The date as it is written; a time and zone may follow it.
    "CREATE MACRO day_of(value) AS plausible(TRY_CAST(left(text_of(value), 10) AS DATE))::DATE",
    # Seconds since 1970; numbers too large for seconds are milli-, micro- or nanoseconds.
    """CREATE MACRO micros_of(number) AS
        CASE WHEN number < 1e8 THEN NULL WHEN number < 1e11 THEN number * 1e6
        WHEN number < 1e14 THEN number * 1e3 WHEN number < 1e17 THEN number
        WHEN number < 1e20 THEN number / 1e3 END""",
    """CREATE MACRO instant_of_number(value) AS
        make_timestamp(CAST(round(micros_of(TRY_CAST(value AS DOUBLE))) AS BIGINT))""",
    # ISO 8601, extended or basic, or the common log format. Without a zone it is UTC, as the session is.
    # Each cast stands here once: DuckDB computes an expression that stands twice for every row, needed or not.
    """CREATE MACRO instant_of_text(value) AS coalesce(
        TRY_CAST(value AS TIMESTAMP WITH TIME ZONE)::TIMESTAMP, instant_of_number(value),
        try_strptime(value, ['%Y%m%dT%H%M%SZ', '%Y%m%dT%H%M%S', '%d/%b/%Y:%H:%M:%S %z'])::TIMESTAMP)""",
    # A query parameter, decoded; the text itself where its percent encoding is wrong.
    "CREATE MACRO decoded(value) AS coalesce(TRY(url_decode(value)), value)",
)
"""The functions that the statements of this module need; run them once on every connection."""


def event_rows(
    table: Table, columns: Mapping[str, str], deployment: str | None, grouped_table: str | None = None
) -> str:
    """One row for each request. A status of 400 or above, or a text in the error column, makes it an error.

    ``grouped_table`` names a table made by ``grouped_requests``. Then one row stands for all requests that
    differ only in their instant.
    """
    if grouped_table:
        relation = f"SELECT * FROM {grouped_table}"
        lines = "lines"
    else:
        relation = table.relation(columns)
        lines = "1"
    status = _text("status", columns)
    error = _text("error", columns)
    no_error = ", ".join(literal(word) for word in FALSE_TEXTS)
    return f"""
        SELECT *, CASE WHEN broken IS NOT NULL THEN broken WHEN used_at IS NULL THEN {literal(NO_TIME)}
                       WHEN key_id IS NULL THEN {literal(NO_KEY)} END AS problem,
               CASE WHEN status IS NOT NULL AND code IS NULL THEN {literal(BAD_STATUS)} END AS warning,
               CASE WHEN raw_text IS NOT NULL THEN raw_text
                    WHEN used_at IS NULL THEN 'timestamp ' || coalesce(written, 'is empty')
                    WHEN key_id IS NULL THEN concat_ws(' ', written, endpoint)
                    ELSE 'status ' || status END AS detail
        FROM (SELECT file, broken, raw_text, NULL::DATE AS day,
                     {_instant("timestamp", table, columns)} AS used_at,
                     {_identity(columns, deployment)}, {_text("client", columns)} AS client,
                     {_text("event_id", columns)} AS event_id, {lines} AS requests, {lines} AS lines,
                     {status} AS status,
                     number_of({status}) AS code, {_text("timestamp", columns)} AS written,
                     (coalesce(code >= 400, false)
                      OR lower(coalesce({error}, '')) NOT IN ({no_error}))::INTEGER * {lines} AS errors
              FROM ({relation}) LIMIT {UNREACHED_LIMIT})"""


def can_be_grouped(table: Table, columns: Mapping[str, str]) -> bool:
    """Whether ``grouped_requests`` may count the requests of a table before their values are parsed."""
    # Requests with ids all differ. And only a true timestamp has an order: the largest of some texts or numbers
    # need not be the latest time.
    return "event_id" not in columns and table.columns.get(columns["timestamp"], "").startswith("TIMESTAMP")


def grouped_requests(table: Table, columns: Mapping[str, str], window: Window) -> str:
    """One row for all requests of the window that differ only in their instant on the same day.

    ``lines`` is their number and ``timestamp`` the latest instant. Requests without a usable timestamp are
    grouped apart.
    """
    # Requests are counted before their values are parsed: then each value is trimmed and checked once for
    # all requests that have it, and careful parsing costs hardly more than the count alone.
    others = "".join(f", {name}" for name in columns if name != "timestamp")
    earliest = timestamp_literal(EARLIEST)
    latest = timestamp_literal(LATEST)
    undated = f"timestamp IS NULL OR timestamp < {earliest} OR timestamp >= {latest}"
    # The file is named only for rows that certainly have a fault. Comparing the names of all rows would make
    # the scan a third slower.
    inside = f"timestamp >= {timestamp_literal(window.start)} AND timestamp < {timestamp_literal(window.end)}"
    return f"""
        SELECT min(file) FILTER (WHERE timestamp IS NULL OR key_id IS NULL) AS file, NULL::VARCHAR AS broken,
               NULL::VARCHAR AS raw_text, max(timestamp) AS timestamp, count(*) AS lines{others}
        FROM ({table.relation(columns)}) WHERE ({inside}) OR {undated}
        GROUP BY CASE WHEN {inside} THEN {_day_number(window)} END{others}"""


def _day_number(window: Window) -> str:
    """The local day of a timestamp within the window, as a number of days since 1970."""
    # Days of 24 hours with the same offset from UTC share one division. That is many times faster than comparing
    # every timestamp with the bounds of all days.
    runs = {run[0].date: run for run in _runs(window)}

    def number_of(day: Day) -> str:
        if len(runs[day.date]) > 1:
            return _division(day)
        return str((day.date - EPOCH).days)

    return day_search_tree(
        [run[0] for run in runs.values()],
        number_of,
        lambda bound, before, after: (
            f"CASE WHEN timestamp < {timestamp_literal(bound)} THEN {before} ELSE {after} END"
        ),
    )


def _division(day: Day) -> str:
    offset = datetime.combine(day.date, time(), UTC) - day.start
    return f"(epoch_us(timestamp) + {offset // timedelta(microseconds=1)}) // {DAY // timedelta(microseconds=1)}"


def _runs(window: Window) -> list[list[Day]]:
    """The days as runs. The days of a run have 24 hours and the same offset; every other day is its own run."""

    def run_of(day: Day) -> tuple[timedelta, date | None]:
        offset = datetime.combine(day.date, time(), UTC) - day.start
        has_24_hours = day.end - day.start == DAY
        return offset, None if has_24_hours else day.date

    return [list(run) for _, run in groupby(window.days, key=run_of)]


def daily_rows(table: Table, columns: Mapping[str, str], deployment: str | None) -> str:
    """One row for each row of a daily rollup. A row without a column of requests counts as one request."""
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
               CASE WHEN raw_text IS NOT NULL THEN raw_text
                    WHEN day IS NULL THEN 'day ' || coalesce(written, 'is empty')
                    WHEN key_id IS NULL THEN concat_ws(' ', written, endpoint)
                    ELSE concat_ws(' ', key_id, 'request_count', count, 'error_count', failed,
                                   'last_activity', last_used) END AS detail
        FROM (SELECT file, broken, raw_text, {_instant("last_activity", table, columns)} AS used_at,
                     {_identity(columns, deployment)},
                     NULL::VARCHAR AS client, NULL::VARCHAR AS event_id, day_of(day) AS day,
                     {requests} AS requests, 1 AS lines, {_text("request_count", columns)} AS count,
                     count_of({_text("error_count", columns)}) AS counted,
                     {_text("error_count", columns)} AS failed,
                     {_text("day", columns)} AS written, {_text("last_activity", columns)} AS last_used
              FROM ({table.relation(columns)}) LIMIT {UNREACHED_LIMIT})"""


def day_of(window: Window) -> str:
    """The SQL of the local day of a ``used_at`` that lies in the window."""
    return day_search_tree(
        window.days,
        lambda day: f"DATE '{day.date}'",
        lambda bound, before, after: (
            f"CASE WHEN used_at < {timestamp_literal(bound)} THEN {before} ELSE {after} END"
        ),
    )


def instant(column: str, kind: str) -> str:
    """The SQL of a column of this SQL type as a UTC timestamp; null where the value is no plausible time."""
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"plausible(CAST({column} AS TIMESTAMP))"
    if kind == "VARCHAR":
        return f"plausible(instant_of_text({column}))"
    return f"plausible(instant_of_number({column}))"


def _instant(name: str, table: Table, columns: Mapping[str, str]) -> str:
    if name not in columns:
        return "NULL::TIMESTAMP"
    # A member of JSON lines that the sample did not show is text.
    return instant(name, table.columns.get(columns[name], "VARCHAR"))


def _text(name: str, columns: Mapping[str, str]) -> str:
    return f"text_of({name})" if name in columns else "NULL::VARCHAR"


def _identity(columns: Mapping[str, str], deployment: str | None) -> str:
    """Whose request it is: key, endpoint and deployment."""
    deployment_text = _text("deployment", columns)
    if deployment:
        deployment_text = f"coalesce({deployment_text}, {literal(deployment)})"
    endpoint = _text("endpoint", columns)
    return f"text_of(key_id) AS key_id, {endpoint} AS endpoint, {deployment_text} AS deployment"
