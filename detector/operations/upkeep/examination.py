"""What is wrong with what is stored: state, history, reports, and scraps of processes that were killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path

from sqlalchemy import Connection, inspect, select

from detector.boundary.disk import checksum
from detector.model.errors import HistoryError, NewerHistoryError, StateError
from detector.operations.upkeep.scraps import scraps
from detector.pipeline import Job, kept_from
from detector.reports import reporter
from detector.sources.pull import Progress, unwatched
from detector.state.database import State
from detector.state.ledger import Entry, StateLedger
from detector.state.tables import MIGRATIONS, TABLES, migrations
from detector.usage.history import Stored


class Kind(Enum):
    """What kind of problem it is, which says what can be done."""

    STATE = "state"
    NEWER = "newer"
    DAMAGED = "damaged"
    GONE = "gone"
    UNNOTED = "unnoted"
    REPORT = "report"
    SCRAP = "scrap"


@dataclass(frozen=True)
class Problem:
    """Something wrong, in words. ``night`` is None for the state and scraps, ``subject`` a path or a format."""

    kind: Kind
    text: str
    night: date | None = None
    subject: str = ""


def examine(job: Job, progress: Progress = unwatched) -> Iterator[Problem]:
    """Every problem, found one night at a time."""
    yield from _of_state(job.state)
    yield from _of_history(job, progress)
    yield from _of_reports(job)
    for scrap in scraps(job.config):
        yield Problem(Kind.SCRAP, f"left over from a process that was killed: {scrap}", subject=str(scrap))


def _of_state(state: State) -> Iterator[Problem]:
    try:
        with state.transaction() as connection:
            faults = list(_faults(connection))
    except StateError as error:
        faults = [str(error)]
    for fault in faults:
        yield Problem(Kind.STATE, f"state: {fault}; restore a backup (`restore`)")


def _faults(connection: Connection) -> Iterator[str]:
    """What the database says of itself, and what it lacks."""
    if connection.dialect.name == "sqlite":
        told = connection.exec_driver_sql("PRAGMA integrity_check(10)").scalars()
        yield from (str(line) for line in told if line != "ok")
    there = set(inspect(connection).get_table_names())
    yield from (f"the table {name} is missing" for name in (migrations.name, *TABLES) if name not in there)
    if migrations.name in there:
        done = set(connection.execute(select(migrations.c.name)).scalars())
        yield from (f"the migration {name} is not noted" for name in MIGRATIONS if name not in done)


def _of_history(job: Job, progress: Progress) -> Iterator[Problem]:
    entries, there = StateLedger(job.state).entries(), set(job.history.nights())
    nights = sorted(there | set(entries))
    for done, night in enumerate(nights, start=1):
        if night not in there:
            text = f"night {night}: noted in the state, but its file is not there"
            yield Problem(Kind.GONE, text, night)
        elif (problem := of_night(job, night, entries.get(night))) is not None:
            yield problem
        progress(night, done, len(nights))


def of_night(job: Job, night: date, entry: Entry | None) -> Problem | None:
    """What is wrong with the file of a night. One whose checksum is wrong is not read: it may hold anything."""
    try:
        found = checksum(job.history.path(night))
        if entry is not None and found not in (entry.stored.checksum, entry.former):
            return Problem(Kind.DAMAGED, f"night {night}: its file is not the one that was stored", night)
        stored = job.history.examine(night)
    except NewerHistoryError as error:
        return Problem(Kind.NEWER, f"night {night}: {error}", night)
    except HistoryError as error:
        return Problem(Kind.DAMAGED, f"night {night}: {error}", night)
    except OSError as error:
        return Problem(Kind.DAMAGED, f"night {night}: cannot read its file: {error.strerror}", night)
    if entry is None:
        return Problem(Kind.UNNOTED, f"night {night}: in the history, but not noted in the state", night)
    return _miscounted(night, stored, entry.stored) if found == entry.stored.checksum else None


def _miscounted(night: date, found: Stored, noted: Stored) -> Problem | None:
    if found == noted:
        return None
    counts = (
        f"{found.keys:,} keys and {found.requests:,} requests, noted were {noted.keys:,} and {noted.requests:,}"
    )
    return Problem(Kind.DAMAGED, f"night {night}: holds {counts}", night)


def _of_reports(job: Job) -> Iterator[Problem]:
    """Reports of judged nights that can still be made, and are not there or cannot be read."""
    before, there = kept_from(job.config, job.now), set(job.history.nights())
    for night in (night for night in sorted(job.state.judged()) if night >= before and night in there):
        for form in job.config.report.formats:
            path = Path(job.config.report.directory) / night.isoformat() / reporter(form).filename
            if (fault := _fault_of_report(path)) is not None:
                advice = f"`report {night} --format {form} --out {path}` makes it again"
                yield Problem(Kind.REPORT, f"night {night}: its {form} report {fault}; {advice}", night, form)


def _fault_of_report(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            json.loads(text)
    except FileNotFoundError:
        return "is not there"
    except (OSError, ValueError):
        return "cannot be read"
    return None if text else "is empty"
