"""Usage from log and export files: CSV, JSON lines, Parquet, and the log formats of the presets.

DuckDB parses and counts the rows in bounded memory; what does not fit spills to a private folder. Python gets one
row per day, key, endpoint, deployment and client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd

from detector.boundary.disk import scratch_folder
from detector.boundary.instants import Clock, utc_now
from detector.config.source import USAGE_FIELDS, FilesSource
from detector.model.day import Day
from detector.model.errors import MisconfiguredSourceError, SourceError
from detector.model.usage import REGISTER, Accounting, Fault
from detector.sources.columns import usage_columns
from detector.sources.faults import NO_FILE, REGISTER_PREFIX, FaultLog, Observation, tail, undated
from detector.sources.files.compression import format_suffix
from detector.sources.files.counts import (
    Connection,
    UsageRows,
    counting_statement,
    day_reading,
    frame,
    records,
    rejected,
    undated_rows,
)
from detector.sources.files.formats import JSON_LINES, JsonTable, Table, available, pointer, table_name, tables
from detector.sources.files.locations import MARGIN, Locations, MissingDay, SourceFile, download_batches
from detector.sources.files.parsed_rows import (
    NO_ROWS,
    daily_rows,
    event_rows,
    instants,
    prepare,
    texts_of,
    timestamp_literal,
)
from detector.sources.files.plain import PlainFiles, plain_files
from detector.sources.files.preset_tables import preset_table, with_columns
from detector.sources.files.protection import Keys, keys_of
from detector.sources.files.registers import register_rows
from detector.sources.presets import Preset, preset_named
from detector.sources.reading import each
from detector.sources.timeline import QUARTER, TOLERANCE, Timeline, timeline_of
from detector.sources.values import ValueRules
from detector.sources.windows import Window, activity_of_days, activity_of_events, watermark_of_day, windows
from detector.usage.aggregation import clean_register, empty

SHARE_OF_ONE_DAY = 0.8
"""A file with at least this share of its rows on one day is a file of the day, as a log is that rotates daily."""

MEMORY_LIMIT = "1200MB"


class OutOfMemoryError(SourceError):
    """A statement over the files needs more memory than ``MEMORY_LIMIT``."""


class FilesReader:
    """The ``files`` source. Every call reads the files anew; ``faults`` returns the input that was not used."""

    def __init__(self, config: FilesSource, timezone: ZoneInfo, clock: Clock = utc_now) -> None:
        self._config = config
        self._timezone = timezone
        self._clock = clock
        self._daily = config.shape == "daily"
        self._learned: dict[SourceFile, date] = {}
        self._rules = ValueRules.of(config, timezone)
        self._faults = FaultLog()

    def columns(self) -> dict[str, str]:
        """Our name and the files' name of every column of the newest files; with a preset, its templates."""
        if self._preset is not None:
            return dict(self._preset.columns)
        names: dict[str, str] = {}
        with self._database(next(self._usage.newest_first())) as (connection, plain):
            for table in self._tables(connection, plain.paths):
                columns = self._columns(table, connection)
                if isinstance(table, JsonTable):
                    # An optional member that no line has can be asked for, and is no column.
                    absent = {our for our, theirs in columns.items() if not table.has_member(theirs, connection)}
                    columns = {our: theirs for our, theirs in columns.items() if our not in absent}
                # The names of the first table win.
                names = columns | names
        return names

    def keys(self) -> pd.DataFrame:
        """The register, from files of any format."""
        keys = self._keys
        if self._config.keys is None:
            return empty(REGISTER)
        files = Locations(self._config.keys, self._config.name).all_files()
        frames: list[pd.DataFrame] = []
        observations: list[Observation] = []
        with self._database(files, is_register=True) as (connection, plain):
            found = tables(plain.paths, self._config.name, connection)
            for table in found:
                rows, broken = register_rows(self._config, table, connection, keys, self._rules)
                frames.append(rows)
                observations += broken
            observations += rejected(connection, found, keys.sample)
            observations += plain.observations()
        all_rows = pd.concat(frames, ignore_index=True) if frames else empty(REGISTER)
        register, faults = clean_register(all_rows)
        self._faults.register = tuple(undated(observations, REGISTER_PREFIX)) + keys.faults(faults)
        return register

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """The records of every day. Each window of days is one scan of the files."""
        for window in windows(first, last, self._timezone):
            yield from self._window(window)

    def faults(self, day: date) -> tuple[Fault, ...]:
        """The faults of the day, of the files as a whole, and of the register."""
        return self._faults.of(day)

    def accounting(self, day: date) -> Accounting:
        """What became of the records of a day that ``usage`` has yielded."""
        return self._faults.accounting(day)

    def watermark(self) -> datetime | None:
        """The latest instant of a row up to now. A daily row without a last activity counts as its day's start."""
        for files in self._usage.newest_first():
            latest = self._latest_activity(files) if self._daily else self._timeline_of(files).latest
            if latest is not None:
                return latest
        return None

    def timeline(self, first: date, last: date) -> Timeline:
        """When the rows lie: those of all files, or with names that tell the day, of the files of these days."""
        files, _ = self._usage.between(first, last)
        timeline = self._timeline_of(files)
        if self._daily or self._usage.are_dated:
            timeline = replace(timeline, latest=self.watermark())
        return replace(timeline, covers_all=not self._usage.are_dated)

    def activity_before(self, day: date) -> pd.DataFrame:
        """First and last use of every key before the day, from the files of all days before it."""
        bound = Day(day, self._timezone)
        batches = download_batches(self._usage.until(day))
        rows = pd.concat([self._activity(files, bound) for files in batches], ignore_index=True)
        rows = rows.assign(key_id=each(rows["key_id"], self._rules.key_of))
        # One key may be written in several ways, and its files may be read in several batches.
        extremes = {"first_day": "min", "last_day": "max", "first_used": "min", "last_used": "max"}
        rows = rows.groupby("key_id", sort=True).agg(extremes).reset_index()
        rows = rows.assign(key_id=self._keys.of_usage(rows["key_id"]))
        if self._config.shape == "events":
            return activity_of_events(rows, bound)
        return activity_of_days(rows, bound)

    def _activity(self, files: Sequence[SourceFile], bound: Day) -> pd.DataFrame:
        """Per key, as it is written in some files: first and last day with requests, first and last use."""
        before = f"used_at < {timestamp_literal(bound.start)}"
        with self._database(files) as (connection, plain):
            rows = self._rows(connection, plain.paths)
            has_requests = "true"
            wanted = before
            if self._daily:
                if "request_count" in rows.texts:
                    has_requests = "has_requests(request_count)"
                wanted = f"day < DATE '{bound.date}' AND ({has_requests} OR {before})"
            return frame(
                connection,
                f"""SELECT key_id,
                    min(day) FILTER (WHERE {has_requests}) AS first_day,
                    max(day) FILTER (WHERE {has_requests}) AS last_day,
                    min(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS first_used,
                    max(used_at::TIMESTAMPTZ) FILTER (WHERE {before}) AS last_used
                FROM ({rows.sql}) WHERE problem IS NULL AND {wanted} GROUP BY key_id""",
            )

    def _window(self, window: Window) -> Iterator[tuple[date, pd.DataFrame]]:
        """The records of a window. Where its counts do not fit into memory, its remaining days are halved."""
        remaining = list(window.days)
        try:
            for day, measured in self._scan(window):
                remaining.pop(0)
                yield day.date, measured
        except OutOfMemoryError:
            if len(window.days) == 1:
                raise
            middle = len(remaining) // 2
            for half in (remaining[:middle], remaining[middle:]):
                if half:
                    yield from self._window(Window(tuple(half)))

    def _scan(self, window: Window) -> Iterator[tuple[Day, pd.DataFrame]]:
        keys = self._keys
        files, missing = self._usage.between(window.days[0].date, window.days[-1].date)
        with self._database(files) as (connection, plain):
            rows = self._rows(connection, plain.paths, window)
            statement = counting_statement(rows, self._config.shape, window)
            plain.start_counting()
            connection.execute(f"CREATE TEMP TABLE counts AS {statement}")
            without_day = [*undated_rows(connection, keys.sample, self._days_of(plain))]
            without_day += rejected(connection, rows.tables, keys.sample)
            without_day += plain.observations()
            without_day += map(_missing_file, missing)
            for day in window.days:
                reading = day_reading(connection, rows, day, self._rules, self._config.deployment, keys)
                self._faults.record(day, reading.counted, [*reading.observations, *without_day])
                yield day, records(connection, rows, day, reading, self._rules, keys)

    def _timeline_of(self, files: Sequence[SourceFile]) -> Timeline:
        """The timeline of some files, with the rows that lie far from the day of their file."""
        with self._database(files) as (connection, plain):
            days = self._named_days(plain)
            parts = []
            for table in self._tables(connection, plain.paths):
                parts.append(instants(table, self._columns(table, connection), self._config.shape))
            if not parts:
                return Timeline({}, None, tells_hours=not self._daily)
            now = self._clock()
            found = connection.execute(
                f"""SELECT file, epoch_us(used_at) // {QUARTER // timedelta(microseconds=1)},
                used_at < {timestamp_literal((now + TOLERANCE).astimezone(UTC))}, count(*)::BIGINT,
                min(used_at), max(used_at) FROM ({" UNION ALL ".join(parts)}) GROUP BY ALL"""
            ).fetchall()
            self._learn_days(plain, [(path, first, count) for path, _, _, count, first, _ in found])
        rows = []
        strays: dict[date, int] = {}
        for path, _, _, count, first, last in found:
            instant = first.replace(tzinfo=UTC)
            day = days.get(path)
            is_stray = day is not None and abs(first.date() - day) > MARGIN
            if day is not None and is_stray:
                strays[day] = strays.get(day, 0) + count
            else:
                rows.append((self._moved(instant), count, self._moved(last.replace(tzinfo=UTC))))
        return replace(timeline_of(rows, now), strays=strays, tells_hours=not self._daily)

    def _named_days(self, plain: PlainFiles) -> dict[str, date]:
        """The days of the files whose names tell one."""
        days = {path: self._usage.day_of(file) for path, file in plain.origins.items()}
        return {path: day for path, day in days.items() if day is not None}

    def _days_of(self, plain: PlainFiles) -> dict[str, date]:
        """The days of the files whose names tell one, or whose rows were nearly all of one day."""
        learned = {path: self._learned.get(file) for path, file in plain.origins.items()}
        known = {path: day for path, day in learned.items() if day is not None}
        return known | self._named_days(plain)

    def _learn_days(self, plain: PlainFiles, rows: Iterable[tuple[str, datetime, int]]) -> None:
        """Remember the day of each file whose rows are nearly all of one day. A row is a path, an instant and a
        count."""
        counts: dict[str, Counter[date]] = {}
        for path, instant, count in rows:
            day = self._moved(instant.replace(tzinfo=UTC)).astimezone(self._timezone).date()
            counts.setdefault(path, Counter())[day] += count
        for path, days in counts.items():
            ((day, most),) = days.most_common(1)
            if most >= SHARE_OF_ONE_DAY * days.total():
                self._learned[plain.origins[path]] = day

    def _moved(self, instant: datetime) -> datetime:
        """The instant of a row; the start of the local day for the date of a daily row."""
        return Day(instant.date(), self._timezone).start if self._daily else instant

    def _latest_activity(self, files: Sequence[SourceFile]) -> datetime | None:
        """The latest activity on the latest day of daily rows that has begun; None without such a row."""
        now = self._clock()
        today = now.astimezone(self._timezone).date()
        with self._database(files) as (connection, plain):
            latest = connection.execute(
                f"""SELECT day, max(used_at)::TIMESTAMP FROM ({self._rows(connection, plain.paths).sql})
                WHERE problem IS NULL AND day <= DATE '{today}' GROUP BY day ORDER BY day DESC LIMIT 1"""
            ).fetchone()
        if latest is None:
            return None
        day, instant = latest
        reached = watermark_of_day(day, instant and instant.replace(tzinfo=UTC), self._timezone)
        return min(reached, now)

    def _rows(self, connection: Connection, paths: tuple[str, ...], window: Window | None = None) -> UsageRows:
        found = self._tables(connection, paths)
        names: set[str] = set()
        parts = []
        for table in found:
            columns = self._columns(table, connection)
            names |= columns.keys()
            if self._daily:
                parts.append(daily_rows(table, columns))
            else:
                parts.append(event_rows(table, columns, self._rules, window))
        return UsageRows(
            sql=" UNION ALL BY NAME ".join(parts) or NO_ROWS,
            tables=found,
            texts=texts_of(names, self._config.shape),
            has_ids="event_id" in names,
        )

    def _tables(self, connection: Connection, paths: tuple[str, ...]) -> list[Table]:
        if self._preset is None:
            return tables(paths, self._config.name, connection)
        if not paths:
            return []
        if self._config.preset is None:
            no_json = [path for path in paths if format_suffix(path) not in JSON_LINES]
            if no_json:
                raise MisconfiguredSourceError(
                    f"source {self._config.name}: a template in source.columns reads JSON lines, and "
                    f"{no_json[0]} is of another format; write the names of its columns"
                )
        table = preset_table(self._preset, paths)
        table.attach(connection)
        return [table]

    @cached_property
    def _usage(self) -> Locations:
        return Locations(self._config.usage, self._config.name)

    @cached_property
    def _preset(self) -> Preset | None:
        """The preset, with the templates of the configuration in place of its own; without a preset, the templates
        alone."""
        if self._config.preset is None:
            return self._own_format
        if self._config.shape != "events":
            raise MisconfiguredSourceError(
                f"source {self._config.name}: a preset reads events; remove shape: daily"
            )
        return with_columns(preset_named(self._config.preset), self._templates, self._config.name)

    @property
    def _own_format(self) -> Preset | None:
        """The format of JSON lines that configured templates describe; None where no column is a template."""
        configured = {
            name: theirs for name, theirs in self._config.columns.items() if name in USAGE_FIELDS["events"]
        }
        if self._daily or not any(_means_template(theirs) for theirs in configured.values()):
            return None
        columns = {"timestamp": "timestamp", "key_id": "key_id", **configured}
        templates = {}
        for name, theirs in columns.items():
            # Beside templates a plain name is a member of the record.
            templates[name] = theirs if _means_template(theirs) else "{" + pointer(theirs) + "}"
        # Whether such a log holds keys in clear is known to the user alone: source.protect_keys says so.
        return with_columns(Preset(columns={}, clear_keys=False), templates, self._config.name)

    @cached_property
    def _templates(self) -> dict[str, str]:
        """The configured usage columns, which are templates beside a preset."""
        templates = {}
        for name, theirs in self._config.columns.items():
            # A key_id without a placeholder names the column of the register, not a template.
            is_register_column = name == "key_id" and "{" not in theirs
            if name in USAGE_FIELDS["events"] and not is_register_column:
                templates[name] = theirs
        return templates

    @cached_property
    def _keys(self) -> Keys:
        return keys_of(self._config, self._preset, "key_id" in self._templates)

    def _columns(self, table: Table, connection: Connection) -> dict[str, str]:
        """Our name and the table's name of each usage column."""
        if self._preset is not None:
            return {name: name for name in table.columns}
        fields = USAGE_FIELDS[self._config.shape]
        mapped = {name: theirs for name, theirs in self._config.columns.items() if name in fields}
        found = available(table, mapped, fields, connection)
        listed = () if self._keys.hidden else table.columns
        return usage_columns(self._config, found, table_name(table), listed)

    @contextmanager
    def _database(
        self, files: Sequence[SourceFile], *, is_register: bool = False
    ) -> Iterator[tuple[Connection, PlainFiles]]:
        """A new DuckDB database in memory, and the files on disk in a form that it reads.

        A private folder holds what DuckDB spills, what was downloaded and what was written anew. It is removed at
        the end.
        """
        preset = None if is_register else self._preset
        with scratch_folder() as folder, _connect(folder, self._rules) as connection:
            try:
                plain = plain_files(files, folder, self._config.name, preset)
                plain.attach(connection)
                yield connection, plain
            except duckdb.Error as error:
                problem = self._keys.problem(error)
                kind = OutOfMemoryError if isinstance(error, duckdb.OutOfMemoryException) else SourceError
                raise kind(
                    f"source {self._config.name}: the files could not be read: {problem}; check them and run again"
                ) from None


def _missing_file(missing: MissingDay) -> Observation:
    return Observation(missing.day, NO_FILE, 1, tail(missing.pattern), "note")


def _connect(folder: str, rules: ValueRules) -> Connection:
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
            # The order of the rows does not matter to counts, and keeping it costs memory.
            "preserve_insertion_order": False,
            # The job must not download code.
            "autoinstall_known_extensions": False,
        }
    )
    # Casts of text without a zone use the zone of the session.
    connection.execute("SET TimeZone = 'UTC'")
    prepare(connection, rules)
    return connection


def _means_template(theirs: str) -> bool:
    """Whether a configured column is meant as a template, perhaps a wrong one. A name may hold braces too."""
    return theirs.startswith("{") or "{/" in theirs
