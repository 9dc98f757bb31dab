"""Counts: one scan by DuckDB counts the rows of a window; the records and the faults come from its counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pandas as pd
import pyarrow as pa

from detector.model.day import Day
from detector.sources.faults import Observation
from detector.sources.files.formats import Table
from detector.sources.files.parsed_rows import day_of, timestamp_literal
from detector.sources.files.protection import Keys
from detector.sources.windows import Window, clamp_last_use
from detector.usage.aggregation import by_key

REJECTED = {"INVALID ENCODING": "invalid UTF-8", "LINE SIZE OVER MAXIMUM": "line longer than 2 MB"}

Connection = duckdb.DuckDBPyConnection
MakeSample = Callable[[str, str], str]
"""Makes the line of a sample from a text and its origin (file, or file and line)."""


@dataclass(frozen=True)
class UsageRows:
    """The SQL of all rows of some tables, parsed into our columns."""

    sql: str
    tables: Sequence[Table]
    has_clients: bool
    has_ids: bool


def counting_statement(rows: UsageRows, shape: str, window: Window, keys: Keys) -> str:
    """One scan: the counts of usable rows by day, key, endpoint, deployment and client, and of faults by day."""
    texts = {name: keys.in_text(name) for name in ("endpoint", "deployment")}
    named = {"key_id": "key_id", **texts, "client": "client"}
    # Rows that cannot be used are not grouped by key: a million different damaged keys are one group.
    usable = ", ".join(f"CASE WHEN problem IS NULL THEN {value} END AS {name}" for name, value in named.items())
    has_fault = "coalesce(problem, warning) IS NOT NULL"
    dated = _dated(rows.sql, shape, window)
    if rows.has_ids:
        dated = _each_event_once(dated)
    # A hash spreads the rows of a fault over three slots with one sample each, so a fault has up to three samples.
    return f"""
        SELECT on_day, problem, warning, {usable}, CASE WHEN {has_fault} THEN hash(detail) % 3 END AS slot,
               min(CASE WHEN {has_fault} THEN [parse_filename(file), left(detail, 1000)] END) AS sample,
               sum(lines)::BIGINT AS lines, sum(requests)::BIGINT AS requests, sum(errors)::BIGINT AS errors,
               max(used_at) AS used_at
        FROM ({dated}) GROUP BY ALL"""


def records(connection: Connection, day: Day, has_clients: bool, keys: Keys) -> pd.DataFrame:
    """The ``MEASURED`` records of a day, from the table ``counts``."""
    usable = f"FROM counts WHERE on_day = DATE '{day.date}' AND problem IS NULL"
    groups = frame(
        connection,
        f"""SELECT key_id, endpoint, deployment, sum(requests)::BIGINT AS request_count,
            sum(errors)::BIGINT AS error_count, max(used_at)::TIMESTAMPTZ AS last_used
        {usable} GROUP BY ALL HAVING sum(requests) > 0""",
    )
    clients = None
    if has_clients:
        # A client that uses two endpoints of a key counts once, so clients are counted apart from the groups.
        clients = frame(
            connection,
            f"""SELECT key_id, count(DISTINCT client) AS client_count {usable} AND client IS NOT NULL
            GROUP BY key_id""",
        )
    measured = by_key(clamp_last_use(groups, day), clients)
    return measured.assign(key_id=keys.of_usage(measured["key_id"])).sort_values("key_id", ignore_index=True)


def observed(connection: Connection, make_sample: MakeSample) -> Iterator[Observation]:
    """The faults of the rows, from the table ``counts``."""
    rows = connection.execute(
        """SELECT on_day, coalesce(problem, warning), sum(lines), min(sample) FROM counts
        WHERE coalesce(problem, warning) IS NOT NULL GROUP BY 1, 2, slot"""
    ).fetchall()
    for day, reason, lines, sample in rows:
        yield Observation(day, reason, int(lines), sample_line(sample, make_sample))


def rejected(connection: Connection, tables: Sequence[Table], make_sample: MakeSample) -> Iterator[Observation]:
    """The lines that DuckDB rejected before they became rows."""
    # DuckDB has its tables of rejects only after it has read text.
    if not any(table.by_line for table in tables):
        return
    # A line may be rejected for several reasons and counts once.
    rows = connection.execute(
        """SELECT reason, count(*), min([origin, raw_text], 3) FROM (
            SELECT min(error_type) AS reason, parse_filename(file_path) || ':' || line AS origin,
                   left(min(csv_line), 1000) AS raw_text
            FROM reject_errors JOIN reject_scans USING (scan_id, file_id) GROUP BY file_path, line
        ) GROUP BY reason"""
    ).fetchall()
    for error_type, lines, samples in rows:
        reason = REJECTED.get(error_type, "unreadable line")
        yield Observation(None, reason, lines, sample_line(samples[0], make_sample))
        for sample in samples[1:]:
            yield Observation(None, reason, 0, sample_line(sample, make_sample))


def sample_line(sample: Sequence[str | None] | None, make_sample: MakeSample) -> str | None:
    """The line of a sample that the database gives as origin and text; None where both are missing."""
    if sample is None:
        return None
    origin, text = sample
    if text:
        return make_sample(text, origin or "")
    return origin


def frame(connection: Connection, statement: str) -> pd.DataFrame:
    """The result of a statement as a frame with Arrow's types."""
    arrow: pa.Table = connection.sql(statement).to_arrow_table()
    result: pd.DataFrame = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    return result


def _dated(rows: str, shape: str, window: Window) -> str:
    """The rows of the window with their day, and the rows without a known day."""
    if shape == "daily":
        days = f"DATE '{window.days[0].date}' AND DATE '{window.days[-1].date}'"
        return f"SELECT *, day AS on_day FROM ({rows}) WHERE day IS NULL OR day BETWEEN {days}"
    inside = f"used_at >= {timestamp_literal(window.start)} AND used_at < {timestamp_literal(window.end)}"
    day = f"CASE WHEN used_at IS NOT NULL THEN {day_of(window)} END"
    return f"SELECT *, {day} AS on_day FROM ({rows}) WHERE used_at IS NULL OR ({inside})"


def _each_event_once(rows: str) -> str:
    """The rows with each event id once: its earliest usable row."""
    # Logs are delivered again or copied when they rotate. Rows without an id are all different events, so each
    # gets an id of its own. The long order makes the choice the same in every run.
    identified = f"SELECT *, coalesce(event_id, uuid()::VARCHAR) AS identity FROM ({rows})"
    return f"""SELECT * FROM ({identified}) QUALIFY row_number() OVER (PARTITION BY identity
        ORDER BY problem IS NOT NULL, used_at, key_id, endpoint, deployment, client, errors) = 1"""
