"""What is wrong with what is stored: state, history, reports, and temporary files of killed processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path

from detector.boundary.disk import checksum
from detector.boundary.words import counted
from detector.model.errors import HistoryError, NewerHistoryError
from detector.operations.upkeep.leftovers import leftovers
from detector.pipeline import Job, kept_from
from detector.reports import reporter
from detector.sources.pull import Progress, no_progress
from detector.state.database import State
from detector.state.integrity import faults
from detector.state.ledger import NotedDay, StateLedger
from detector.state.sightings import days_judged
from detector.usage.history import StoredDay


class DefectKind(Enum):
    """The kind of a defect, on which its repair depends.

    EARLIER is no damage: the day lies before all days that the state knows of. Such days exist where the state is
    new to the installation.
    """

    STATE = "state"
    NEWER = "newer"
    DAMAGED = "damaged"
    GONE = "gone"
    UNNOTED = "unnoted"
    EARLIER = "earlier"
    REPORT = "report"
    LEFTOVER = "leftover"


@dataclass(frozen=True)
class Defect:
    """A defect in words. ``day`` is None for the state and leftovers, ``subject`` is a path or a format."""

    kind: DefectKind
    text: str
    day: date | None = None
    subject: str = ""


def examine(job: Job, progress: Progress = no_progress) -> Iterator[Defect]:
    """Every problem, found one day at a time."""
    yield from _of_state(job.state)
    yield from _of_history(job, progress)
    yield from _of_reports(job)
    for leftover in leftovers(job.config):
        yield Defect(
            DefectKind.LEFTOVER, f"left over from a process that was killed: {leftover}", subject=str(leftover)
        )


def _of_state(state: State) -> Iterator[Defect]:
    for fault in faults(state):
        yield Defect(DefectKind.STATE, f"state: {fault}; restore a backup (`restore`)")


def _of_history(job: Job, progress: Progress) -> Iterator[Defect]:
    entries = StateLedger(job.state).noted()
    there = set(job.history.days())
    days = sorted(there | set(entries))
    for done, day in enumerate(days, start=1):
        if day not in there:
            text = f"day {day}: noted in the state, but its file is not there"
            yield Defect(DefectKind.GONE, text, day)
        elif (problem := of_day(job, day, entries.get(day))) is not None:
            is_earlier = problem.kind is DefectKind.UNNOTED and day < min(entries, default=date.max)
            yield replace(problem, kind=DefectKind.EARLIER) if is_earlier else problem
        progress(day, done, len(days))


def of_day(job: Job, day: date, entry: NotedDay | None) -> Defect | None:
    """What is wrong with the file of a day. One whose checksum is wrong is not read: it may hold anything."""
    try:
        found = checksum(job.history.path(day))
        if entry is not None and found not in (entry.stored.checksum, entry.former):
            return Defect(DefectKind.DAMAGED, f"day {day}: its file is not the one that was stored", day)
        stored = job.history.examine(day)
    except NewerHistoryError as error:
        return Defect(DefectKind.NEWER, f"day {day}: {error}", day)
    except HistoryError as error:
        return Defect(DefectKind.DAMAGED, f"day {day}: {error}", day)
    except OSError as error:
        return Defect(DefectKind.DAMAGED, f"day {day}: cannot read its file: {error.strerror}", day)
    if entry is None:
        return Defect(DefectKind.UNNOTED, f"day {day}: in the history, but not noted in the state", day)
    return _miscounted(day, stored, entry.stored) if found == entry.stored.checksum else None


def _miscounted(day: date, found: StoredDay, noted: StoredDay) -> Defect | None:
    if found == noted:
        return None
    counts = f"{counted(found.keys, 'key')} and {counted(found.requests, 'request')}"
    notes = f"noted were {noted.keys:,} and {noted.requests:,}"
    return Defect(DefectKind.DAMAGED, f"day {day}: holds {counts}, {notes}", day)


def _of_reports(job: Job) -> Iterator[Defect]:
    """Reports of judged days that can still be made, and are not there or cannot be read."""
    before = kept_from(job.config, job.now)
    there = set(job.history.days())
    for day in (day for day in sorted(days_judged(job.state)) if day >= before and day in there):
        for form in job.config.report.formats:
            path = Path(job.config.report.directory) / day.isoformat() / reporter(form).filename
            if (fault := _fault_of_report(path)) is not None:
                advice = f"`report {day} --format {form} --out {path}` makes it again"
                yield Defect(DefectKind.REPORT, f"day {day}: its {form} report {fault}; {advice}", day, form)


def _fault_of_report(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            json.loads(text)
    except FileNotFoundError:
        return "is not there"
    except (OSError, ValueError):
        return "cannot be read"
    if not text and path.suffix != ".ndjson":  # one line per finding, and a day may have none
        return "is empty"
    return None
