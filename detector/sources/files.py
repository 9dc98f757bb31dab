"""Usage from log and export files: CSV, JSON lines, Parquet, and the log formats of the presets.

DuckDB reads and counts, in bounded memory and spilling to a private folder; Python sees one row per
night, key, endpoint and deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from detector.aggregation import clean_register, empty
from detector.config import USAGE_FIELDS, FilesSource
from detector.errors import SourceError
from detector.model import REGISTER, Fault, Night
from detector.sources.cells import Connection, Rows, cells, frame, observed, records, rejected
from detector.sources.columns import usage_columns
from detector.sources.faults import FaultLog, undated
from detector.sources.formats import Table, available, check_readable, find_files, place, tables
from detector.sources.preset_tables import preset_table, with_columns
from detector.sources.presets import Preset, preset_named
from detector.sources.protection import Keys, keys_of
from detector.sources.readings import MACROS, NO_READINGS, daily_readings, event_readings, moment
from detector.sources.registers import register_rows
from detector.sources.windows import Window, activity_of_days, activity_of_events, reach_of_days, windows

MEMORY_LIMIT = "1GB"


class FilesReader:
    """The ``files`` source. Every call reads the files anew; what it may not use is in ``faults``."""

    def __init__(self, config: FilesSource, timezone: ZoneInfo) -> None:
        self._config = config
        self._timezone = timezone
        self._faults = FaultLog()

    def keys(self) -> pd.DataFrame:
        """The register, from a file in any of the formats."""
        keys = self._keys
        if self._config.keys is None:
            return empty(REGISTER)
        with self._connected() as connection:
            found = tables(self._files(self._config.keys), self._config.name, connection)
            parts = [register_rows(self._config, table, connection, keys) for table in found]
            broken = [*(seen for part in parts for seen in part[1]), *rejected(connection, found, keys.sample)]
        rows = pd.concat([part[0] for part in parts], ignore_index=True) if parts else empty(REGISTER)
        register, faults = clean_register(rows)
        self._faults.register = tuple(undated(broken, "register: ")) + keys.faults(faults)
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
                f"""SELECT day, max(used_at)::TIMESTAMP FROM ({self._rows(connection).sql})
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
            rows = frame(
                connection,
                f"""SELECT key_id,
                    min(day) FILTER (WHERE requests > 0) AS first_day,
                    max(day) FILTER (WHERE requests > 0) AS last_day,
                    min(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS first_used,
                    max(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS last_used
                FROM ({self._rows(connection).sql}) WHERE problem IS NULL AND {use} GROUP BY key_id""",
            )
        rows = rows.assign(key_id=self._keys.of_usage(rows["key_id"]))
        return activity_of_events(rows, bound) if events else activity_of_days(rows, bound)

    def _window(self, window: Window) -> Iterator[tuple[date, pd.DataFrame]]:
        keys = self._keys
        with self._connected() as connection:
            rows = self._rows(connection)
            connection.execute(f"CREATE TEMP TABLE cells AS {cells(rows, self._config.shape, window, keys)}")
            lost = rejected(connection, rows.tables, keys.sample)
            self._faults.record(window, [*observed(connection, keys.sample), *lost])
            for night in window.nights:
                yield night.day, records(connection, night, rows.has_clients, keys)

    def _rows(self, connection: Connection) -> Rows:
        found = self._tables(connection)
        read = event_readings if self._config.shape == "events" else daily_readings
        columns = [self._columns(table, connection) for table in found]
        parts = [read(table, names, self._config.deployment) for table, names in zip(found, columns, strict=True)]
        return Rows(
            sql=" UNION ALL BY NAME ".join(parts) or NO_READINGS,
            tables=found,
            has_clients=any("client" in names for names in columns),
            has_ids=any("event_id" in names for names in columns),
        )

    def _tables(self, connection: Connection) -> list[Table]:
        files = self._files(self._config.usage)
        if self._preset is None:
            return tables(files, self._config.name, connection)
        table = preset_table(self._preset, files)
        table.attach(connection)
        return [table]

    def _files(self, patterns: str | Sequence[str]) -> tuple[str, ...]:
        files = find_files(patterns, self._config.name)
        check_readable(files, self._config.name)
        return files

    @cached_property
    def _preset(self) -> Preset | None:
        """The preset, with what the configuration takes from elsewhere in it."""
        if self._config.preset is None:
            return None
        if self._config.shape != "events":
            raise SourceError(f"source {self._config.name}: a preset reads events; take out shape: daily")
        return with_columns(preset_named(self._config.preset), self._templates, self._config.name)

    @cached_property
    def _templates(self) -> dict[str, str]:
        """The columns of the usage that are named beside a preset; a plain key_id names the register's column."""
        named = {name: theirs for name, theirs in self._config.columns.items() if name in USAGE_FIELDS["events"]}
        return {name: theirs for name, theirs in named.items() if name != "key_id" or "{" in theirs}

    @cached_property
    def _keys(self) -> Keys:
        return keys_of(self._config, self._preset, "key_id" in self._templates)

    def _columns(self, table: Table, connection: Connection) -> dict[str, str]:
        """Our name of each usage column: theirs."""
        if self._preset is not None:
            return {name: name for name in table.columns}
        fields = USAGE_FIELDS[self._config.shape]
        mapped = {name: theirs for name, theirs in self._config.columns.items() if name in fields}
        there = available(table, mapped, fields, connection)
        return usage_columns(self._config, there, place(table), listed=not self._keys.hidden)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A database of its own, in memory, with a folder to spill to that goes with it."""
        with TemporaryDirectory(prefix="detector-") as folder, _connect(folder) as connection:
            try:
                yield connection
            except duckdb.Error as error:
                problem = self._keys.problem(error)
                raise SourceError(
                    f"source {self._config.name}: the files could not be read: {problem}; check them and rerun"
                ) from None


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
