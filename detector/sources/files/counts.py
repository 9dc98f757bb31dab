"""Counts: one scan by DuckDB counts the rows of a window by their texts; Python reads each text once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pandas as pd
import pyarrow as pa

from detector.model.day import Day
from detector.sources.faults import Observation
from detector.sources.files.formats import Table
from detector.sources.files.parsed_rows import EPOCH, day_number, timestamp_literal
from detector.sources.files.protection import Keys
from detector.sources.reading import MakeSample, Reading, each, problems, read_groups
from detector.sources.values import ValueRules
from detector.sources.windows import Window
from detector.usage.aggregation import by_key

REJECTED = {"INVALID ENCODING": "invalid UTF-8", "LINE SIZE OVER MAXIMUM": "line too long"}

SAMPLE = "split_part({0}, chr(1), 1) AS origin, nullif(split_part({0}, chr(1), 2), '') AS detail"
"""The SQL of the two parts of a sample. One text is a much faster aggregate than a list of two."""

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class UsageRows:
    """The SQL of all rows of some tables, in our columns."""

    sql: str
    tables: Sequence[Table]
    texts: tuple[str, ...]
    """The columns by which rows are alike."""
    has_ids: bool


def counting_statement(rows: UsageRows, shape: str, window: Window) -> str:
    """One scan: the numbers of rows that are alike, and of those that could not be read, by day.

    Events are also counted by client, so that distinct clients can be counted.
    """
    dated = _dated(rows.sql, shape, window)
    repeats = "0"
    if rows.has_ids:
        dated = _with_repeats(dated)
        repeats = "count(*) FILTER (WHERE repeated)"
    # Rows that cannot be read are not grouped by their texts: a million different damaged rows are one group.
    # A hash spreads them over three slots with one sample each.
    texts = "".join(f", CASE WHEN problem IS NULL THEN {name} END AS {name}" for name in rows.texts)
    # In the order of the days, so that the query of a day reads only its part of the table.
    # The file is named only where a sample may be shown. Comparing the names of all files takes a third longer.
    is_odd = "problem IS NOT NULL OR key_id IS NULL OR length(key_id) <= 4"
    if "status" in rows.texts:
        is_odd += " OR status IS NOT NULL"
    return f"""
        SELECT on_day, problem{texts}, CASE WHEN on_day IS NULL THEN file END AS place,
               CASE WHEN problem IS NOT NULL THEN hash(detail) % 3 END AS slot,
               min(concat(parse_filename(file), chr(1), left(detail, 1000))) FILTER (WHERE {is_odd}) AS sample,
               count(*) AS lines, {repeats} AS repeats, coalesce(sum(bytes), 0)::BIGINT AS bytes,
               max(used_at) AS used_at
        FROM ({dated}) GROUP BY ALL ORDER BY on_day"""


def day_reading(
    connection: Connection, rows: UsageRows, day: Day, rules: ValueRules, deployment: str | None, keys: Keys
) -> Reading:
    """The reading of a day, from the table ``counts``."""
    texts = "".join(f", {name}" for name in rows.texts if name != "client")
    amounts = "lines, repeats, bytes, used_at::TIMESTAMPTZ AS last_used, sample"
    groups = ""
    if "client" in rows.texts:
        amounts = """sum(lines)::BIGINT AS lines, sum(repeats)::BIGINT AS repeats, sum(bytes)::BIGINT AS bytes,
            max(used_at)::TIMESTAMPTZ AS last_used, min(sample) AS sample"""
        groups = "GROUP BY ALL"
    counts = f"SELECT problem, slot{texts}, {amounts} FROM counts WHERE on_day = DATE '{day.date}' {groups}"
    raw = frame(connection, f"SELECT * EXCLUDE (sample), {SAMPLE.format('sample')} FROM ({counts})")
    return read_groups(raw, rules, day, deployment, keys.sample)


def undated_rows(
    connection: Connection, make_sample: MakeSample, days: Mapping[str, date]
) -> Iterator[Observation]:
    """The observations of rows without a usable day, from the table ``counts``.

    ``days`` are those of files whose names tell one. The rows of such a file belong to its day.
    """
    raw = frame(
        connection,
        f"SELECT problem, lines, bytes, place, {SAMPLE.format('sample')} FROM counts WHERE on_day IS NULL",
    )
    for path, rows in raw.groupby("place", dropna=False):
        yield from problems(rows, days.get(str(path)), make_sample)


def records(
    connection: Connection, rows: UsageRows, day: Day, reading: Reading, rules: ValueRules, keys: Keys
) -> pd.DataFrame:
    """The ``MEASURED`` records of a day."""
    clients = None
    if "client" in rows.texts:
        clients = _clients(connection, day, rules)
    measured = by_key(keys.without_keys(reading.groups), clients)
    return measured.assign(key_id=keys.of_usage(measured["key_id"])).sort_values("key_id", ignore_index=True)


def _clients(connection: Connection, day: Day, rules: ValueRules) -> pd.DataFrame:
    """key_id and client_count of a day, from the table ``counts``."""
    # A client that uses two endpoints of a key counts once, so clients are counted apart from the groups.
    clients = frame(
        connection,
        f"""SELECT key_id, count(DISTINCT trim(client)) AS client_count FROM counts
        WHERE on_day = DATE '{day.date}' AND problem IS NULL AND nullif(nullif(trim(client), ''), '-') IS NOT NULL
        GROUP BY key_id""",
    )
    clients = clients.assign(key_id=each(clients["key_id"], rules.key_of))
    # One key may be written in several ways, and nobody knows which clients those have in common.
    return clients.groupby("key_id")["client_count"].max().reset_index()


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
    day = f"CASE WHEN used_at IS NOT NULL THEN DATE '{EPOCH}' + ({day_number(window)})::INTEGER END"
    return f"SELECT *, {day} AS on_day FROM ({rows}) WHERE used_at IS NULL OR ({inside})"


def _with_repeats(rows: str) -> str:
    """The rows, with whether each one repeats an event of the same key and day; the earliest copy is the event."""
    # Within a day, so that a day has the same counts whatever other days are read with it.
    # Logs are delivered again or copied when they rotate. Rows without an id are all different events, so each
    # gets an id of its own. The long order makes the choice the same in every run.
    identified = f"""SELECT *, trim(key_id) AS owner,
        CASE WHEN problem IS NULL THEN nullif(trim(event_id), '') END AS event FROM ({rows})"""
    return f"""SELECT *, event IS NOT NULL AND row_number() OVER (
            PARTITION BY owner, on_day, coalesce(event, uuid()::VARCHAR)
            ORDER BY used_at, endpoint, deployment, client, failed, status, error) > 1 AS repeated
        FROM ({identified})"""
