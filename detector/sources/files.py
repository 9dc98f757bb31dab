"""Usage from log and export files: CSV, JSON lines, Parquet, and the log formats of the presets.

DuckDB reads and counts, in bounded memory and spilling to a private folder; Python sees one row per
night, key, endpoint and deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pyarrow as pa

from detector.aggregation import by_key, clean_register, empty
from detector.config import REGISTER_FIELDS, USAGE_FIELDS, FilesSource
from detector.errors import SourceError
from detector.model import REGISTER, Fault, Night
from detector.sources.columns import register_columns, usage_columns
from detector.sources.faults import FaultLog, Observation, mask, sample, undated
from detector.sources.formats import (
    JsonTable,
    Table,
    check_readable,
    find_files,
    tables,
)
from detector.sources.preset_tables import preset_table, with_columns
from detector.sources.presets import Preset, preset_named
from detector.sources.readings import (
    MACROS,
    NO_READINGS,
    daily_readings,
    event_readings,
    instant,
    moment,
    night_of,
)
from detector.sources.windows import (
    Window,
    activity_of_days,
    activity_of_events,
    reach_of_days,
    windows,
    within,
)

MEMORY_LIMIT = "1GB"
REJECTED = {"INVALID ENCODING": "invalid UTF-8", "LINE SIZE OVER MAXIMUM": "line longer than 2 MB"}
OFTEN_LEFT_OUT = {
    *REGISTER_FIELDS,
    "endpoint",
    "status",
    "error",
    "deployment",
    "error_count",
    "last_activity",
} - {"key_id"}
"""Members that a line of JSON may lack where there is nothing to say."""

Connection = duckdb.DuckDBPyConnection


class FilesReader:
    """The ``files`` source. Every call reads the files anew; what it may not use is in ``faults``."""

    def __init__(self, config: FilesSource, timezone: ZoneInfo) -> None:
        self._config = config
        self._timezone = timezone
        self._faults = FaultLog()

    def keys(self) -> pd.DataFrame:
        """The register, from a file in any of the formats."""
        if self._config.keys is None:
            return empty(REGISTER)
        with self._connected() as connection:
            found = self._open(self._config.keys, connection)
            parts = [_register_rows(self._config, table, connection) for table in found]
            broken = [*(seen for part in parts for seen in part[1]), *_rejected(connection, found)]
        rows = pd.concat([part[0] for part in parts], ignore_index=True) if parts else empty(REGISTER)
        register, faults = clean_register(rows)
        self._faults.register = tuple(undated(broken, "register: ")) + faults
        return register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """Records of every night, by one scan of the files per window of nights."""
        for window in windows(first, last, self._timezone):
            yield from self._window(window)

    def faults(self, night: date) -> tuple[Fault, ...]:
        """What could not be used of the night, of the files as a whole, and of the register."""
        return self._faults.of(night)

    def watermark(self) -> datetime | None:
        """The latest instant that a usable row states; a daily row without one states its day's start."""
        with self._connected() as connection:
            latest = connection.execute(
                f"""SELECT day, max(used_at)::TIMESTAMP FROM ({self._readings(connection).rows})
                WHERE problem IS NULL GROUP BY day ORDER BY day DESC NULLS LAST LIMIT 1"""
            ).fetchall()
        day, at = latest[0] if latest else (None, None)
        reached = at and at.replace(tzinfo=UTC)
        return reached if self._config.shape == "events" else reach_of_days(day, reached, self._timezone)

    def activity_before(self, night: date) -> pd.DataFrame:
        """First and last use of every key before the night, from all the files."""
        bound = Night(night, self._timezone)
        before = f"used_at < {moment(bound.start)}"
        events = self._config.shape == "events"
        use = before if events else f"day < DATE '{night}' AND (requests > 0 OR {before})"
        with self._connected() as connection:
            rows = _frame(
                connection,
                f"""SELECT key_id,
                    min(day) FILTER (WHERE requests > 0) AS first_day,
                    max(day) FILTER (WHERE requests > 0) AS last_day,
                    min(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS first_used,
                    max(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS last_used
                FROM ({self._readings(connection).rows}) WHERE problem IS NULL AND {use} GROUP BY key_id""",
            )
        return activity_of_events(rows, bound) if events else activity_of_days(rows, bound)

    def _window(self, window: Window) -> Iterator[tuple[date, pd.DataFrame]]:
        with self._connected() as connection:
            readings = self._readings(connection)
            connection.execute(f"CREATE TEMP TABLE cells AS {_cells(readings, self._config.shape, window)}")
            self._faults.record(window, [*_observed(connection), *_rejected(connection, readings.tables)])
            for night in window.nights:
                yield night.day, _records(connection, night, readings.has_clients)

    def _readings(self, connection: Connection) -> _Readings:
        found = self._tables(connection)
        read = event_readings if self._config.shape == "events" else daily_readings
        columns = [self._columns(table, connection) for table in found]
        parts = [read(table, names, self._config.deployment) for table, names in zip(found, columns, strict=True)]
        return _Readings(
            rows=" UNION ALL BY NAME ".join(parts) or NO_READINGS,
            tables=found,
            has_clients=any("client" in names for names in columns),
            has_ids=any("event_id" in names for names in columns),
        )

    def _tables(self, connection: Connection) -> list[Table]:
        if self._config.preset is None:
            return self._open(self._config.usage, connection)
        files = self._files(self._config.usage)
        if not files:
            return []
        table = preset_table(self._preset(), files)
        table.attach(connection)
        return [table]

    def _open(self, patterns: str | Sequence[str], connection: Connection) -> list[Table]:
        return tables(self._files(patterns), self._config.name, connection)

    def _files(self, patterns: str | Sequence[str]) -> tuple[str, ...]:
        files = find_files(patterns, self._config.name)
        check_readable(files, self._config.name)
        return files

    def _preset(self) -> Preset:
        """The preset, with what the configuration takes from elsewhere in it."""
        if self._config.shape != "events":
            raise SourceError(f"source {self._config.name}: a preset reads events; take out shape: daily")
        return with_columns(preset_named(str(self._config.preset)), self._templates(), self._config.name)

    def _templates(self) -> dict[str, str]:
        """The columns of the usage that are named beside a preset; a plain key_id names the register's column."""
        named = {name: theirs for name, theirs in self._config.columns.items() if name in USAGE_FIELDS["events"]}
        return {name: theirs for name, theirs in named.items() if name != "key_id" or "{" in theirs}

    def _columns(self, table: Table, connection: Connection) -> dict[str, str]:
        """Our name of each usage column: theirs."""
        if self._config.preset is not None:
            return {name: name for name in table.columns}
        available = _available(table, self._mapped(), USAGE_FIELDS[self._config.shape], connection)
        return usage_columns(self._config, available, _place(table))

    def _mapped(self) -> dict[str, str]:
        fields = USAGE_FIELDS[self._config.shape]
        return {name: theirs for name, theirs in self._config.columns.items() if name in fields}

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A database of its own, in memory, with a folder to spill to that goes with it."""
        with TemporaryDirectory(prefix="detector-") as folder, _connect(folder) as connection:
            try:
                yield connection
            except duckdb.Error as error:
                raise self._failure(error) from None

    def _failure(self, error: duckdb.Error) -> SourceError:
        problem = mask(str(error).split("\n\n")[0])[:300]
        return SourceError(
            f"source {self._config.name}: the files could not be read: {problem}; check them and rerun"
        )


@dataclass(frozen=True)
class _Readings:
    """The SQL of all rows in our columns, and what is behind it."""

    rows: str
    tables: list[Table]
    has_clients: bool
    has_ids: bool


def _connect(folder: str) -> Connection:
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    for macro in MACROS:
        connection.execute(macro)
    return connection


def _cells(readings: _Readings, shape: str, window: Window) -> str:
    """One scan: counts by night, key, endpoint, deployment and client, and by night and fault.

    Rows with a fault are spread over three slots, so that each fault keeps up to three samples.
    """
    usable = ", ".join(
        f"CASE WHEN problem IS NULL THEN {name} END AS {name}"
        for name in ("key_id", "endpoint", "deployment", "client")
    )
    faulty = "coalesce(problem, warning) IS NOT NULL"
    rows = _dated(readings.rows, shape, window)
    return f"""
        SELECT night, problem, warning, {usable}, CASE WHEN {faulty} THEN hash(detail) % 3 END AS slot,
               min(CASE WHEN {faulty} THEN [parse_filename(file), left(detail, 1000)] END) AS sample,
               count(*) AS lines, sum(requests)::BIGINT AS requests, sum(errors)::BIGINT AS errors,
               max(used_at) AS used_at
        FROM ({_once(rows) if readings.has_ids else rows}) GROUP BY ALL"""


def _dated(rows: str, shape: str, window: Window) -> str:
    """The rows of the window with their night, and those of no known night."""
    if shape == "daily":
        days = f"DATE '{window.nights[0].day}' AND DATE '{window.nights[-1].day}'"
        return f"SELECT *, day AS night FROM ({rows}) WHERE day IS NULL OR day BETWEEN {days}"
    inside = f"used_at >= {moment(window.start)} AND used_at < {moment(window.end)}"
    night = f"CASE WHEN used_at IS NOT NULL THEN {night_of(window)} END"
    return f"SELECT *, {night} AS night FROM ({rows}) WHERE used_at IS NULL OR ({inside})"


def _once(rows: str) -> str:
    """Each event id once, its earliest usable row; rows without an id are all different."""
    identified = f"SELECT *, coalesce(event_id, uuid()::VARCHAR) AS identity FROM ({rows})"
    return f"""SELECT * FROM ({identified}) QUALIFY row_number() OVER (PARTITION BY identity
        ORDER BY problem IS NOT NULL, used_at, key_id, endpoint, deployment, client, errors) = 1"""


def _records(connection: Connection, night: Night, has_clients: bool) -> pd.DataFrame:
    usable = f"FROM cells WHERE night = DATE '{night.day}' AND problem IS NULL"
    groups = _frame(
        connection,
        f"""SELECT key_id, endpoint, deployment, sum(requests)::BIGINT AS request_count,
            sum(errors)::BIGINT AS error_count, max(used_at)::TIMESTAMPTZ AS last_used
        {usable} GROUP BY ALL HAVING sum(requests) > 0""",
    )
    if not has_clients:
        return by_key(within(groups, night))
    clients = _frame(
        connection,
        f"""SELECT key_id, count(DISTINCT client) AS source_count {usable} AND client IS NOT NULL
        GROUP BY key_id""",
    )
    return by_key(within(groups, night), clients)


def _observed(connection: Connection) -> Iterator[Observation]:
    """The faults among the cells."""
    rows = connection.execute(
        """SELECT night, coalesce(problem, warning), sum(lines), min(sample) FROM cells
        WHERE coalesce(problem, warning) IS NOT NULL GROUP BY 1, 2, slot"""
    ).fetchall()
    for night, reason, lines, found in rows:
        yield Observation(night, reason, int(lines), _sample(found))


def _rejected(connection: Connection, found: Sequence[Table]) -> Iterator[Observation]:
    """The lines that never became text. A line may be rejected for several reasons and counts once."""
    if not any(table.by_line for table in found):
        return
    rows = connection.execute(
        """SELECT reason, count(*), min([place, shown], 3) FROM (
            SELECT min(error_type) AS reason, parse_filename(file_path) || ':' || line AS place,
                   left(min(csv_line), 1000) AS shown
            FROM reject_errors JOIN reject_scans USING (scan_id, file_id) GROUP BY file_path, line
        ) GROUP BY reason"""
    ).fetchall()
    for kind, lines, shown in rows:
        reason = REJECTED.get(kind, "unreadable line")
        yield Observation(None, reason, lines, _sample(shown[0]))
        yield from (Observation(None, reason, 0, _sample(line)) for line in shown[1:])


def _register_rows(
    config: FilesSource, table: Table, connection: Connection
) -> tuple[pd.DataFrame, tuple[Observation, ...]]:
    """The rows of a register as text, times in one form, and the rows that cannot be read."""
    columns = register_columns(
        config, _available(table, config.columns, REGISTER_FIELDS, connection), _place(table)
    )
    values = [
        f"{_register_value(name, table.columns.get(theirs, 'VARCHAR'))} AS {name}"
        for name, theirs in columns.items()
    ]
    relation = table.relation(columns)
    rows = _frame(connection, f"SELECT {', '.join(values)} FROM ({relation}) WHERE broken IS NULL")
    broken = connection.execute(
        f"""SELECT broken, count(*), min([parse_filename(file), left(shown, 1000)]) FROM ({relation})
        WHERE broken IS NOT NULL GROUP BY broken, hash(shown) % 3"""
    ).fetchall()
    return rows, tuple(Observation(None, reason, count, _sample(shown)) for reason, count, shown in broken)


def _register_value(name: str, kind: str) -> str:
    if name not in ("created_at", "revoked_at"):
        return f"text_of({name})"
    return f"coalesce(CAST({instant(name, kind)} AS VARCHAR), text_of({name}))"


def _available(
    table: Table, mapped: Mapping[str, str], optional: Sequence[str], connection: Connection
) -> set[str]:
    """The columns of a table. JSON lines need not all have the same members, so what its first lines lack
    is looked for in all of them, and what loggers leave out where there is nothing to say may be absent."""
    available = set(table.columns)
    if isinstance(table, JsonTable):
        wanted = {*mapped.values(), "timestamp", "day", "key_id"} - available
        available |= {name for name in sorted(wanted) if table.holds(name, connection)}
        available |= {name for name in optional if name in OFTEN_LEFT_OUT}
    return available


def _sample(found: Sequence[str | None] | None) -> str | None:
    place, shown = found or (None, None)
    return sample(shown, place or "") if shown else place


def _frame(connection: Connection, statement: str) -> pd.DataFrame:
    arrow: pa.Table = connection.sql(statement).to_arrow_table()
    frame: pd.DataFrame = arrow.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _place(table: Table) -> str:
    more = len(table.files) - 1
    return table.files[0] + (f" (and {more} more like it)" if more else "")
