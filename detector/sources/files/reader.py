"""Usage from log and export files: CSV, JSON lines, Parquet, and the log formats of the presets.

DuckDB reads and counts, in bounded memory and spilling to a private folder; Python sees one row per
day, key, endpoint and deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from detector.boundary.disk import scratch_folder
from detector.config.source import USAGE_FIELDS, FilesSource
from detector.model.day import Day
from detector.model.errors import SourceError
from detector.model.usage import REGISTER, Fault
from detector.sources.columns import usage_columns
from detector.sources.faults import NO_FILE, FaultLog, Observation, tail, undated
from detector.sources.files.cells import Connection, Rows, cells, frame, observed, records, rejected
from detector.sources.files.formats import Table, available, place, tables
from detector.sources.files.locations import Located, Locations, Missing, brought, portions
from detector.sources.files.preset_tables import preset_table, with_columns
from detector.sources.files.protection import Keys, keys_of
from detector.sources.files.readings import (
    MACROS,
    NO_READINGS,
    alike_requests,
    can_be_counted,
    daily_readings,
    event_readings,
    moment,
)
from detector.sources.files.registers import register_rows
from detector.sources.presets import Preset, preset_named
from detector.sources.windows import Window, activity_of_days, activity_of_events, reach_of_days, windows
from detector.usage.aggregation import clean_register, empty

MEMORY_LIMIT = "1200MB"


class OutOfMemoryError(SourceError):
    """The files need more memory at once than a source may have."""


class FilesReader:
    """The ``files`` source. Every call reads the files anew; what it may not use is in ``faults``."""

    def __init__(self, config: FilesSource, timezone: ZoneInfo) -> None:
        self._config = config
        self._timezone = timezone
        self._faults = FaultLog()

    def columns(self) -> dict[str, str]:
        """The columns of the newest files; of a preset, the templates that they are filled from."""
        if self._preset is not None:
            return dict(self._preset.columns)
        with self._opened(next(self._usage.newest_first())) as (connection, paths):
            found = [self._columns(table, connection) for table in self._tables(connection, paths)]
        return {name: theirs for columns in reversed(found) for name, theirs in columns.items()}

    def keys(self) -> pd.DataFrame:
        """The register, from a file in any of the formats."""
        keys = self._keys
        if self._config.keys is None:
            return empty(REGISTER)
        files = Locations(self._config.keys, self._config.name).everything()
        with self._opened(files) as (connection, paths):
            found = tables(paths, self._config.name, connection)
            parts = [register_rows(self._config, table, connection, keys) for table in found]
            broken = [*(seen for part in parts for seen in part[1]), *rejected(connection, found, keys.sample)]
        rows = pd.concat([part[0] for part in parts], ignore_index=True) if parts else empty(REGISTER)
        register, faults = clean_register(rows)
        self._faults.register = tuple(undated(broken, "register: ")) + keys.faults(faults)
        return register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """Records of every day, by one scan of the files per window of days."""
        for window in windows(first, last, self._timezone):
            yield from self._window(window)

    def faults(self, day: date) -> tuple[Fault, ...]:
        """What could not be used of the day, of the files as a whole, and of the register."""
        return self._faults.of(day)

    def watermark(self) -> datetime | None:
        """The latest instant that a usable row states; a daily row without one states its day's start."""
        found = (self._latest(files) for files in self._usage.newest_first())
        day, at = next((latest for latest in found if latest != (None, None)), (None, None))
        reached = at and at.replace(tzinfo=UTC)
        return reached if self._config.shape == "events" else reach_of_days(day, reached, self._timezone)

    def activity_before(self, day: date) -> pd.DataFrame:
        """First and last use of every key before the day, from all the files."""
        bound = Day(day, self._timezone)
        parts = [self._activity(files, bound) for files in portions(self._usage.until(day))]
        rows = pd.concat(parts, ignore_index=True)
        if len(parts) > 1:
            extremes = {"first_day": "min", "last_day": "max", "first_used": "min", "last_used": "max"}
            rows = rows.groupby("key_id", sort=True).agg(extremes).reset_index()
        rows = rows.assign(key_id=self._keys.of_usage(rows["key_id"]))
        return activity_of_events(rows, bound) if self._config.shape == "events" else activity_of_days(rows, bound)

    def _activity(self, files: Sequence[Located], bound: Day) -> pd.DataFrame:
        """Per key of some files: first and last day with requests, first and last instant of use."""
        before = f"used_at < {moment(bound.start)}"
        daily = f"day < DATE '{bound.date}' AND (requests > 0 OR {before})"
        with self._opened(files) as (connection, paths):
            return frame(
                connection,
                f"""SELECT key_id,
                    min(day) FILTER (WHERE requests > 0) AS first_day,
                    max(day) FILTER (WHERE requests > 0) AS last_day,
                    min(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS first_used,
                    max(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS last_used
                FROM ({self._rows(connection, paths).sql}) WHERE problem IS NULL
                    AND {before if self._config.shape == "events" else daily} GROUP BY key_id""",
            )

    def _window(self, window: Window) -> Iterator[tuple[date, pd.DataFrame]]:
        """Where its counts need more memory than they may have, the days not yet given are halved."""
        left = list(window.days)
        try:
            for day, answer in self._scan(window):
                left.pop(0)
                yield day.date, answer
        except OutOfMemoryError:
            if len(window.days) == 1:
                raise
            middle = len(left) // 2
            for half in filter(None, (left[:middle], left[middle:])):
                yield from self._window(Window(tuple(half)))

    def _scan(self, window: Window) -> Iterator[tuple[Day, pd.DataFrame]]:
        keys = self._keys
        files, missing = self._usage.between(window.days[0].date, window.days[-1].date)
        with self._opened(files) as (connection, paths):
            rows = self._rows(connection, paths, window)
            connection.execute(f"CREATE TEMP TABLE cells AS {cells(rows, self._config.shape, window, keys)}")
            lost = rejected(connection, rows.tables, keys.sample)
            self._faults.record(window, [*observed(connection, keys.sample), *lost, *map(_absent, missing)])
            for day in window.days:
                yield day, records(connection, day, rows.has_clients, keys)

    def _latest(self, files: Sequence[Located]) -> tuple[date | None, datetime | None]:
        """The latest day with usable rows, which events do not state, and its latest instant."""
        with self._opened(files) as (connection, paths):
            latest = connection.execute(
                f"""SELECT day, max(used_at)::TIMESTAMP FROM ({self._rows(connection, paths).sql})
                WHERE problem IS NULL GROUP BY day ORDER BY day DESC NULLS LAST LIMIT 1"""
            ).fetchone()
        return latest or (None, None)

    def _rows(self, connection: Connection, paths: tuple[str, ...], window: Window | None = None) -> Rows:
        found = self._tables(connection, paths)
        columns = [self._columns(table, connection) for table in found]
        parts = [
            self._readings(connection, table, names, number, window)
            for number, (table, names) in enumerate(zip(found, columns, strict=True))
        ]
        return Rows(
            sql=" UNION ALL BY NAME ".join(parts) or NO_READINGS,
            tables=found,
            has_clients=any("client" in names for names in columns),
            has_ids=any("event_id" in names for names in columns),
        )

    def _readings(
        self, connection: Connection, table: Table, columns: Mapping[str, str], number: int, window: Window | None
    ) -> str:
        """The readings of a table. Like requests of a window are counted into a table of their own first: in
        one statement with all the reading, the two groupings would share the memory and spill."""
        if self._config.shape == "daily":
            return daily_readings(table, columns, self._config.deployment)
        if window is None or not can_be_counted(table, columns):
            return event_readings(table, columns, self._config.deployment)
        counted = f"counted_{number}"
        connection.execute(f"CREATE TEMP TABLE {counted} AS {alike_requests(table, columns, window)}")
        return event_readings(table, columns, self._config.deployment, counted)

    def _tables(self, connection: Connection, paths: tuple[str, ...]) -> list[Table]:
        if self._preset is None:
            return tables(paths, self._config.name, connection)
        found = [preset_table(self._preset, paths)] if paths else []
        for table in found:
            table.attach(connection)
        return found

    @cached_property
    def _usage(self) -> Locations:
        return Locations(self._config.usage, self._config.name)

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
    def _opened(self, files: Sequence[Located]) -> Iterator[tuple[Connection, tuple[str, ...]]]:
        """A database of its own, in memory, and the files on disk; what it spills and what was copied from
        elsewhere lies in a private folder that goes with it."""
        with scratch_folder() as folder, _connect(folder) as connection:
            try:
                yield connection, brought(files, folder, self._config.name)
            except duckdb.Error as error:
                problem = self._keys.problem(error)
                kind = OutOfMemoryError if isinstance(error, duckdb.OutOfMemoryException) else SourceError
                raise kind(
                    f"source {self._config.name}: the files could not be read: {problem}; check them and rerun"
                ) from None


def _absent(missing: Missing) -> Observation:
    return Observation(missing.day, NO_FILE, 1, tail(missing.pattern))


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
