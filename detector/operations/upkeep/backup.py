"""A backup: one file with all that cannot be made again (state, history, snapshots of running totals).

A backup holds rows and files, not a copy of a database. Tables are dumped as lines of JSON in one transaction,
so they fit SQLite and PostgreSQL. A restore applies the migrations of the backup's time, inserts the rows, and
then runs the later migrations over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryFile

from detector.boundary.disk import whole_file
from detector.boundary.instants import rfc_3339
from detector.config.config import Config
from detector.config.source import HttpSource
from detector.model.errors import BackupError, HistoryError, NewerHistoryError
from detector.operations.upkeep.archive import Manifest, Member, Writer
from detector.sources.pull import Progress, no_progress
from detector.state.database import State
from detector.state.dump import open_dump
from detector.state.ledger import StateLedger
from detector.state.runs import only_run
from detector.usage.history import History


@dataclass(frozen=True)
class Backup:
    """What was put into a backup, and which days were damaged already when they were."""

    days: int
    damaged: tuple[date, ...]


def back_up(config: Config, state: State, out: Path, now: datetime, progress: Progress = no_progress) -> Backup:
    """Write a backup to ``out``, whole or not at all, readable by its owner alone.

    Raises LockedError while a run is at work.
    """
    history = History(Path(config.history.path), config.zone)
    with only_run(state):
        _refuse_newer(history)
        try:
            with whole_file(out) as file:
                writer = Writer(file, now.timestamp())
                migrations = _add_state(writer, state, out.parent)
                stored = dict(_add_history(writer, history, progress))
                _add_snapshots(writer, config)
                instant = rfc_3339(now, "seconds")
                place = (config.timezone, config.organization, config.source.name)
                writer.finish(Manifest(instant, version("key-usage-detector"), migrations, *place, writer.members))
        except OSError as error:
            raise BackupError(f"cannot write the backup {out}: {error.strerror or error}") from error
        entries = StateLedger(state).noted()
    known = {day: (entry.stored.checksum, entry.former) for day, entry in entries.items()}
    damaged = [day for day, member in stored.items() if day in known and member.sha256 not in known[day]]
    return Backup(len(stored), tuple(damaged))


def snapshots_of(config: Config) -> Path | None:
    """The folder of running totals, which no source can tell a second time; None where there is none."""
    source = config.source
    return Path(source.snapshots) if isinstance(source, HttpSource) and source.snapshots else None


def _refuse_newer(history: History) -> None:
    """Days of a newer version go with a state that is not at hand; damaged ones are no reason to stop."""
    latest = history.latest()
    with suppress(HistoryError):
        try:
            if latest is not None:
                history.notes(latest)
        except NewerHistoryError as error:
            raise BackupError(f"no backup was made: {error}") from None


def _add_state(writer: Writer, state: State, folder: Path) -> list[str]:
    """Every table as of one instant; the migrations that made them."""
    with open_dump(state) as dump:
        for name in dump.table_names:
            with TemporaryFile(dir=folder) as file:
                dump.write(name, file)
                writer.add(f"state/{name}.ndjson", file)
        return dump.migrations


def _add_history(writer: Writer, history: History, progress: Progress) -> Iterator[tuple[date, Member]]:
    days = history.days()
    for done, day in enumerate(days, start=1):
        with history.path(day).open("rb") as file:
            yield day, writer.add(f"history/day={day.isoformat()}/usage.parquet", file)
        progress(day, done, len(days))


def _add_snapshots(writer: Writer, config: Config) -> None:
    folder = snapshots_of(config)
    for path in sorted(folder.glob("*/day=*.json.gz")) if folder is not None else ():
        with path.open("rb") as file:
            writer.add(f"snapshots/{path.parent.name}/{path.name}", file)
