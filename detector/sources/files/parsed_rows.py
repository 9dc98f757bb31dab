"""Parsed rows: DuckDB's SQL that reads the times of the rows of a table. All other values stay as written.

Both shapes give the same columns: file, problem (why the row cannot be read, or null), detail (the text that the
problem is about), bytes (its size), note, used_at, day, and the texts key_id, endpoint, deployment, client,
event_id, status, error, request_count, error_count, last_activity; ``failed`` says that a status of three digits
is 400 or above, and such a status is null.

DuckDB reads the commonest writings of an instant and of a day by itself, where it cannot differ from
``detector.sources.instants``. It hands all others to that module, as it does the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from detector.model.day import Day
from detector.sources.faults import NO_DAY, NO_TIME
from detector.sources.files.formats import Table, literal
from detector.sources.instants import day_of as read_day
from detector.sources.instants import micros_of
from detector.sources.reading import LONG_ERROR
from detector.sources.values import ValueRules, count_of
from detector.sources.windows import EARLIEST, LATEST, Window, day_search_tree

DAY = timedelta(days=1)
EPOCH = date(1970, 1, 1)

UNREACHED_LIMIT = 9_000_000_000_000_000_000
"""A LIMIT that no table reaches. It keeps DuckDB from moving the conditions on parsed values below the parsing:
each condition would parse the value again."""

EVENT_TEXTS = ("key_id", "endpoint", "deployment", "client", "event_id", "note")
# The cast stands where only rows without a usable time reach it: it takes longer than all else.
WRITTEN = "nullif(trim(CAST(written AS VARCHAR)), '')"
DAILY_TEXTS = ("key_id", "endpoint", "deployment", "request_count", "error_count", "last_activity")

NO_ROWS = f"""
    SELECT NULL::VARCHAR AS file, NULL::TIMESTAMP AS used_at, NULL::DATE AS day, NULL::VARCHAR AS problem,
           NULL::VARCHAR AS detail, 0 AS bytes, false AS failed, NULL::VARCHAR AS status, NULL::VARCHAR AS error,
           {", ".join(f"NULL::VARCHAR AS {name}" for name in dict.fromkeys(EVENT_TEXTS + DAILY_TEXTS))} LIMIT 0"""


def timestamp_literal(instant: datetime) -> str:
    """An instant as the SQL literal of a UTC timestamp."""
    return f"TIMESTAMP '{instant:%Y-%m-%d %H:%M:%S.%f}'"


MACROS = (
    # A timestamp or date within the years of real usage, else null.
    f"""CREATE MACRO plausible(value) AS
        CASE WHEN value >= {timestamp_literal(EARLIEST)} AND value < {timestamp_literal(LATEST)} THEN value END""",
    # Seconds since 1970; numbers too large for seconds are milli-, micro- or nanoseconds.
    """CREATE MACRO instant_of_integer(value) AS make_timestamp(CASE
        WHEN value < 100000000 THEN NULL WHEN value < 100000000000 THEN value::BIGINT * 1000000
        WHEN value < 100000000000000 THEN value::BIGINT * 1000
        WHEN value < 100000000000000000 THEN value::BIGINT ELSE value::BIGINT // 1000 END)""",
    # DuckDB drops the zone of a text that becomes a plain timestamp, so only a text without one, or with Z, may.
    # The cast to a timestamp with a zone takes five times as long.
    """CREATE MACRO instant_of_text(value) AS coalesce(
        CASE WHEN value LIKE '____-__-_____:__:__' OR value LIKE '____-__-_____:__:__%Z'
                 THEN TRY_CAST(value AS TIMESTAMP)
             WHEN value LIKE '____-__-_____:__:__%___:__' AND value[-6:-5] IN ('+0', '+1', '-0', '-1')
                 THEN TRY_CAST(value AS TIMESTAMPTZ)::TIMESTAMP
             WHEN value LIKE '__/___/____:__:__:__ _0_00'
                 THEN try_strptime(value, '%d/%b/%Y:%H:%M:%S %z')::TIMESTAMP END,
        make_timestamp(read_micros(value)))""",
    # Whether a text is a count above zero.
    """CREATE MACRO has_requests(value) AS
        coalesce(CASE WHEN value SIMILAR TO '[0-9]{1,12}' THEN value::BIGINT ELSE read_count(value) END, 0) > 0""",
)
"""The SQL functions that the statements of this module need."""


def prepare(connection: duckdb.DuckDBPyConnection, rules: ValueRules) -> None:
    """Give a connection the functions that the statements of this module need."""

    def micros(text: str | None) -> int | None:
        return micros_of(text, rules.date_order)

    def day(text: str | None) -> int | None:
        found = None if text is None else read_day(text, rules.zone, rules.date_order)
        return None if found is None else (found - EPOCH).days

    _register(connection, "read_micros", micros, "BIGINT", pa.int64())
    _register(connection, "read_day", day, "INTEGER", pa.int32())
    _register(connection, "read_count", count_of, "BIGINT", pa.int64())
    for macro in MACROS:
        connection.execute(macro)


def _register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    read: Callable[[Any], Any],
    sql_type: str,
    arrow_type: pa.DataType,
) -> None:
    """Register a reader of texts as an SQL function."""

    def read_all(texts: pa.Array) -> pa.Array:
        return pa.array([read(text) for text in texts.to_pylist()], arrow_type)

    connection.create_function(
        name,
        read_all,
        [duckdb.sqltype("VARCHAR")],
        duckdb.sqltype(sql_type),
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def texts_of(names: Collection[str], shape: str) -> tuple[str, ...]:
    """The columns by which the rows of tables with these columns of ours are alike; the key always is one."""
    if shape == "daily":
        return tuple(name for name in DAILY_TEXTS if name in names)
    texts = [name for name in EVENT_TEXTS if name in names and name != "event_id"]
    if "status" in names:
        texts += ["failed", "status"]
    if "error" in names:
        texts.append("error")
    return tuple(texts) or ("key_id",)


def event_rows(table: Table, columns: Mapping[str, str], rules: ValueRules, window: Window | None = None) -> str:
    """One row for each request. For a window, requests of other times may be left out."""
    texts = "".join(f", {_text(name, columns)} AS {name}" for name in EVENT_TEXTS)
    error = _text("error", columns)
    return f"""
        SELECT * EXCLUDE (code, status, written, raw_text),
               CASE WHEN broken IS NOT NULL THEN broken
                    WHEN used_at IS NULL THEN {literal(NO_TIME)} END AS problem,
               CASE WHEN raw_text IS NOT NULL THEN raw_text
                    WHEN used_at IS NULL THEN 'timestamp ' || coalesce({WRITTEN}, 'is empty')
                    END AS detail,
               CASE WHEN broken IS NOT NULL THEN strlen(raw_text) END AS bytes,
               coalesce(code >= 400, false) AS failed,
               CASE WHEN code IS NULL THEN CAST(status AS VARCHAR) END AS status
        FROM (SELECT file, broken, raw_text, NULL::DATE AS day, {_instant("timestamp", table, columns)} AS used_at
                     {texts}, {_code(table, columns)} AS code, {_column("status", columns)} AS status,
                     CASE WHEN length(trim({error})) > {rules.longest_no_error}
                          THEN {literal(LONG_ERROR)} ELSE {error} END AS error,
                     {_column("timestamp", columns)} AS written
              FROM ({_relation(table, columns, window)}) LIMIT {UNREACHED_LIMIT})"""


def _relation(table: Table, columns: Mapping[str, str], window: Window | None) -> str:
    relation = table.relation(columns)
    if window is None or not table.columns.get(columns["timestamp"], "").startswith("TIMESTAMP"):
        return relation
    # A typed time is compared as it lies in the file, so that DuckDB reads only the parts that may hold it.
    inside = f"timestamp >= {timestamp_literal(window.start)} AND timestamp < {timestamp_literal(window.end)}"
    undated = f"timestamp < {timestamp_literal(EARLIEST)} OR timestamp >= {timestamp_literal(LATEST)}"
    return f"SELECT * FROM ({relation}) WHERE ({inside}) OR timestamp IS NULL OR {undated}"


def instants(table: Table, columns: Mapping[str, str], shape: str) -> str:
    """The SQL of file and used_at of every row with a usable time; that of a daily row is the start of its day, in
    UTC."""
    name = "day" if shape == "daily" else "timestamp"
    if shape == "daily":
        used_at = f"CAST({_day(name, table, columns)} AS TIMESTAMP)"
    else:
        used_at = _instant(name, table, columns)
    relation = table.relation({name: columns[name]})
    return f"""SELECT file, used_at FROM (SELECT file, {used_at} AS used_at FROM ({relation})
        WHERE broken IS NULL LIMIT {UNREACHED_LIMIT}) WHERE used_at IS NOT NULL"""


def daily_rows(table: Table, columns: Mapping[str, str]) -> str:
    """One row for each row of a daily rollup."""
    texts = "".join(f", {_text(name, columns)} AS {name}" for name in DAILY_TEXTS if name in columns)
    return f"""
        SELECT * EXCLUDE (written, raw_text),
               CASE WHEN broken IS NOT NULL THEN broken WHEN day IS NULL THEN {literal(NO_DAY)} END AS problem,
               CASE WHEN raw_text IS NOT NULL THEN raw_text
                    WHEN day IS NULL THEN 'day ' || coalesce({WRITTEN}, 'is empty') END AS detail,
               CASE WHEN broken IS NOT NULL THEN strlen(raw_text) END AS bytes
        FROM (SELECT file, broken, raw_text, {_day("day", table, columns)} AS day,
                     {_instant("last_activity", table, columns)} AS used_at{texts},
                     {_column("day", columns)} AS written
              FROM ({table.relation(columns)}) LIMIT {UNREACHED_LIMIT})"""


def day_number(window: Window, instant: str = "used_at") -> str:
    """The SQL of the local day of an instant within the window, as a number of days since 1970."""
    # Days of 24 hours with the same offset from UTC share one division. That is many times faster than comparing
    # every timestamp with the bounds of all days.
    runs = {run[0].date: run for run in _runs(window)}

    def number_of(day: Day) -> str:
        if len(runs[day.date]) > 1:
            return _division(day, instant)
        return str((day.date - EPOCH).days)

    return day_search_tree(
        [run[0] for run in runs.values()],
        number_of,
        lambda bound, before, after: (
            f"CASE WHEN {instant} < {timestamp_literal(bound)} THEN {before} ELSE {after} END"
        ),
    )


def _division(day: Day, instant: str) -> str:
    offset = datetime.combine(day.date, time(), UTC) - day.start
    return f"(epoch_us({instant}) + {offset // timedelta(microseconds=1)}) // {DAY // timedelta(microseconds=1)}"


def _runs(window: Window) -> list[list[Day]]:
    """The days as runs. The days of a run have 24 hours and the same offset; every other day is its own run."""

    def run_of(day: Day) -> tuple[timedelta, date | None]:
        offset = datetime.combine(day.date, time(), UTC) - day.start
        has_24_hours = day.end - day.start == DAY
        return offset, None if has_24_hours else day.date

    return [list(run) for _, run in groupby(window.days, key=run_of)]


def instant(column: str, kind: str) -> str:
    """The SQL of a column of this SQL type as a UTC timestamp; null where the value is no plausible time."""
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return f"plausible(CAST({column} AS TIMESTAMP))"
    if _is_integer(kind):
        # An integer may be a date and time: 20260102100000.
        written = f"make_timestamp(read_micros(CAST({column} AS VARCHAR)))"
        return f"coalesce(plausible(instant_of_integer({column})), {written})"
    return f"plausible(instant_of_text(CAST({column} AS VARCHAR)))"


def _instant(name: str, table: Table, columns: Mapping[str, str]) -> str:
    if name not in columns:
        return "NULL::TIMESTAMP"
    # A member of JSON lines that the sample did not show is text.
    return instant(name, table.columns.get(columns[name], "VARCHAR"))


def _day(name: str, table: Table, columns: Mapping[str, str]) -> str:
    kind = table.columns.get(columns[name], "VARCHAR")
    if kind == "DATE" or (kind.startswith("TIMESTAMP") and "ZONE" not in kind):
        return f"plausible({name}::DATE)"
    text = f"CAST({name} AS VARCHAR)"
    # A text with a plausible date and nothing else is read here.
    is_plain = f"length({text}) = 10 AND {text} LIKE '____-__-__'"
    date_of_number = f"DATE '{EPOCH}' + read_day({text})"
    return f"plausible(coalesce(CASE WHEN {is_plain} THEN TRY_CAST({text} AS DATE) END, {date_of_number}))::DATE"


def _code(table: Table, columns: Mapping[str, str]) -> str:
    """The SQL of a plain HTTP code, null for every other status."""
    if "status" not in columns:
        return "NULL::USMALLINT"
    kind = table.columns.get(columns["status"], "VARCHAR")
    if _is_integer(kind):
        return "CASE WHEN status BETWEEN 100 AND 599 THEN status END"
    code = "TRY_CAST(status AS USMALLINT)"
    # Three characters that are a number from 100 to 599 leave no doubt.
    return f"CASE WHEN length(CAST(status AS VARCHAR)) = 3 AND {code} BETWEEN 100 AND 599 THEN {code} END"


def _is_integer(kind: str) -> bool:
    return kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")


def _column(name: str, columns: Mapping[str, str]) -> str:
    return name if name in columns else "NULL::VARCHAR"


def _text(name: str, columns: Mapping[str, str]) -> str:
    return f"CAST({name} AS VARCHAR)" if name in columns else "NULL::VARCHAR"
