"""Repair what an examination found: days from the source, reports from the history.

A day is pulled beside the history first, so that a source which has lost part of the day changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from detector.boundary.disk import scratch_folder
from detector.boundary.words import counted
from detector.model.errors import DetectorError, SourceError
from detector.operations.upkeep.examination import Defect, DefectKind
from detector.operations.upkeep.leftovers import remove
from detector.pipeline import Job, build_report, judge_day
from detector.reports import reporter
from detector.reports.page import index
from detector.sources.pull import pull
from detector.state.ledger import NotedDay, StateLedger
from detector.usage.history import History


@dataclass(frozen=True)
class Repair:
    """What became of a problem, in words, or of several ``problems`` that are mended together."""

    mended: bool
    text: str
    problems: int = 1


def repair(job: Job, problems: Iterable[Defect]) -> Iterator[Repair]:
    """Mend what can be mended: days first, oldest first, then reports from the mended history."""
    of = {kind: [problem for problem in problems if problem.kind is kind] for kind in DefectKind}
    yield from (
        Repair(False, problem.text) for kind in (DefectKind.STATE, DefectKind.NEWER) for problem in of[kind]
    )
    yield from (_adopt(job, problem) for kind in (DefectKind.EARLIER, DefectKind.UNNOTED) for problem in of[kind])
    yield from _pull_anew(job, of[DefectKind.DAMAGED], of[DefectKind.GONE])
    yield from _write_anew(job, of[DefectKind.REPORT])
    yield from (_sweep(Path(problem.subject)) for problem in of[DefectKind.LEFTOVER])


def _adopt(job: Job, problem: Defect) -> Repair:
    day = problem.day
    assert day is not None
    stored = job.history.examine(day)
    StateLedger(job.state).note(day, stored, None)
    return Repair(
        True, f"day {day}: noted, {counted(stored.keys, 'key')} and {counted(stored.requests, 'request')}"
    )


def _pull_anew(job: Job, damaged: list[Defect], gone: list[Defect]) -> Iterator[Repair]:
    """All damaged files are out of the way before the first day is pulled, as pulling reads other days."""
    entries = StateLedger(job.state).noted()
    aside = {problem.day: put_aside(job.history.path(problem.day)) for problem in damaged if problem.day}
    days = {problem.day for problem in (*damaged, *gone) if problem.day}
    for day in sorted(days):
        yield _pull_day(job, day, entries.get(day), aside.get(day))


def put_aside(path: Path) -> Path:
    """Give a damaged file another name in its folder, one that none has yet."""
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    free = next(place for name in names if not (place := path.with_name(f"{path.name}.damaged{name}")).exists())
    return path.rename(free)


def _pull_day(job: Job, day: date, entry: NotedDay | None, aside: Path | None) -> Repair:
    """Pull a day, unless the source tells less of it than was stored: a part would pass for a drop."""
    kept = f"; the damaged file stays as {aside}" if aside else ""
    try:
        offered = _requests_in_source(job, day)
        if entry is not None and offered < entry.stored.requests:
            stored = counted(entry.stored.requests, "request was stored", "requests were stored")
            noted = f"{stored}, the source tells {offered:,} now"
            return Repair(False, f"day {day}: {noted}: not taken, the day stays a gap{kept}")
        pull(job.config, job.source, job.history, day, day, now=job.now)
    except SourceError as error:
        return Repair(False, f"day {day}: the source does not tell of it: {error}{kept}")
    if aside is not None and entry is not None and offered == entry.stored.requests:
        aside.unlink()
        kept = ""
    return Repair(True, f"day {day}: pulled anew, {counted(offered, 'request')}{kept}")


def _requests_in_source(job: Job, day: date) -> int:
    """How many requests the source tells of a day, found beside the history."""
    with scratch_folder() as folder:
        trial = History(Path(folder), job.config.zone)
        pull(job.config, job.source, trial, day, day, now=job.now)
        return int(trial.read(day)["request_count"].sum())


def _write_anew(job: Job, problems: list[Defect]) -> Iterator[Repair]:
    for day, of_day in itertools.groupby(problems, lambda problem: problem.day):
        assert day is not None
        forms = [problem.subject for problem in of_day]
        directory = Path(job.config.report.directory)
        shared = job.config.report.shared
        try:
            report = build_report(job, judge_day(job, day), run_id="doctor")
            for form in forms:
                reporter(form).write(report, directory / day.isoformat(), shared=shared)
            index.update(directory, report, shared=shared)
        except (DetectorError, OSError) as error:
            yield Repair(False, f"day {day}: its reports could not be made: {error}", len(forms))
            continue
        yield Repair(True, f"day {day}: made again from the history: {', '.join(forms)}", len(forms))


def _sweep(leftover: Path) -> Repair:
    try:
        remove(leftover)
    except OSError as error:
        return Repair(False, f"{leftover}: cannot be removed: {error.strerror}")
    return Repair(True, f"{leftover}: removed")
