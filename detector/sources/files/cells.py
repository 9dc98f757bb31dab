"""Cells: the counts of one scan over the rows of a window, by DuckDB, and the records and faults in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pandas as pd
import pyarrow as pa

from detector.model.day import Day
from detector.sources.faults import Observation
from detector.sources.files.formats import Table
from detector.sources.files.protection import Keys
from detector.sources.files.readings import day_of, moment
from detector.sources.windows import Window, within
from detector.usage.aggregation import by_key

REJECTED = {"INVALID ENCODING": "invalid UTF-8", "LINE SIZE OVER MAXIMUM": "line longer than 2 MB"}

Connection = duckdb.DuckDBPyConnection
Show = Callable[[str, str], str]
"""A text and its place as one line that shows it."""


@dataclass(frozen=True)
class Rows:
    """The SQL of all rows in our columns, and what is behind it."""

    sql: str
    tables: Sequence[Table]
    has_clients: bool
    has_ids: bool


def cells(rows: Rows, shape: str, window: Window, keys: Keys) -> str:
    """One scan: counts by day, key, endpoint, deployment and client, and by day and fault.

    Rows with a fault are spread over three slots, so that each fault keeps up to three samples.
    """
    texts = {name: keys.in_text(name) for name in ("endpoint", "deployment")}
    named = {"key_id": "key_id", **texts, "client": "client"}
    usable = ", ".join(f"CASE WHEN problem IS NULL THEN {value} END AS {name}" for name, value in named.items())
    faulty = "coalesce(problem, warning) IS NOT NULL"
    dated = _dated(rows.sql, shape, window)
    return f"""
        SELECT on_day, problem, warning, {usable}, CASE WHEN {faulty} THEN hash(detail) % 3 END AS slot,
               min(CASE WHEN {faulty} THEN [parse_filename(file), left(detail, 1000)] END) AS sample,
               sum(lines)::BIGINT AS lines, sum(requests)::BIGINT AS requests, sum(errors)::BIGINT AS errors,
               max(used_at) AS used_at
        FROM ({_once(dated) if rows.has_ids else dated}) GROUP BY ALL"""


def records(connection: Connection, day: Day, has_clients: bool, keys: Keys) -> pd.DataFrame:
    """The ``MEASURED`` records of a day among the cells."""
    usable = f"FROM cells WHERE on_day = DATE '{day.date}' AND problem IS NULL"
    groups = frame(
        connection,
        f"""SELECT key_id, endpoint, deployment, sum(requests)::BIGINT AS request_count,
            sum(errors)::BIGINT AS error_count, max(used_at)::TIMESTAMPTZ AS last_used
        {usable} GROUP BY ALL HAVING sum(requests) > 0""",
    )
    clients = None
    if has_clients:
        clients = frame(
            connection,
            f"""SELECT key_id, count(DISTINCT client) AS client_count {usable} AND client IS NOT NULL
            GROUP BY key_id""",
        )
    found = by_key(within(groups, day), clients)
    return found.assign(key_id=keys.of_usage(found["key_id"])).sort_values("key_id", ignore_index=True)


def observed(connection: Connection, show: Show) -> Iterator[Observation]:
    """The faults among the cells."""
    rows = connection.execute(
        """SELECT on_day, coalesce(problem, warning), sum(lines), min(sample) FROM cells
        WHERE coalesce(problem, warning) IS NOT NULL GROUP BY 1, 2, slot"""
    ).fetchall()
    for day, reason, lines, found in rows:
        yield Observation(day, reason, int(lines), shown(found, show))


def rejected(connection: Connection, tables: Sequence[Table], show: Show) -> Iterator[Observation]:
    """The lines that never became text. A line may be rejected for several reasons and counts once."""
    if not any(table.by_line for table in tables):
        return
    rows = connection.execute(
        """SELECT reason, count(*), min([place, shown], 3) FROM (
            SELECT min(error_type) AS reason, parse_filename(file_path) || ':' || line AS place,
                   left(min(csv_line), 1000) AS shown
            FROM reject_errors JOIN reject_scans USING (scan_id, file_id) GROUP BY file_path, line
        ) GROUP BY reason"""
    ).fetchall()
    for kind, lines, samples in rows:
        reason = REJECTED.get(kind, "unreadable line")
        yield Observation(None, reason, lines, shown(samples[0], show))
        yield from (Observation(None, reason, 0, shown(line, show)) for line in samples[1:])


def shown(found: Sequence[str | None] | None, show: Show) -> str | None:
    """One sample, a place and a text, as a line."""
    place, text = found or (None, None)
    return show(text, place or "") if text else place


def frame(connection: Connection, statement: str) -> pd.DataFrame:
    """The answer to a statement, in Arrow's types."""
    arrow: pa.Table = connection.sql(statement).to_arrow_table()
    answer: pd.DataFrame = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    return answer


def _dated(rows: str, shape: str, window: Window) -> str:
    """The rows of the window with their day, and those of no known day."""
    if shape == "daily":
        days = f"DATE '{window.days[0].date}' AND DATE '{window.days[-1].date}'"
        return f"SELECT *, day AS on_day FROM ({rows}) WHERE day IS NULL OR day BETWEEN {days}"
    inside = f"used_at >= {moment(window.start)} AND used_at < {moment(window.end)}"
    day = f"CASE WHEN used_at IS NOT NULL THEN {day_of(window)} END"
    return f"SELECT *, {day} AS on_day FROM ({rows}) WHERE used_at IS NULL OR ({inside})"


def _once(rows: str) -> str:
    """Each event id once, its earliest usable row; rows without an id are all different."""
    identified = f"SELECT *, coalesce(event_id, uuid()::VARCHAR) AS identity FROM ({rows})"
    return f"""SELECT * FROM ({identified}) QUALIFY row_number() OVER (PARTITION BY identity
        ORDER BY problem IS NOT NULL, used_at, key_id, endpoint, deployment, client, errors) = 1"""
