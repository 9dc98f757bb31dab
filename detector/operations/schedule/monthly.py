"""The monthly job: what a month's usage costs, by team and key. Run alone: ``python jobs/monthly.py [CONFIG]``.

A statement is final by the clock and the history: it is written again until every day of the month is stored and
older than ``settle_days``. So no job has to remember that it ran, and the written JSON tells how far the
statement is. The job pulls only missing days, so most statements need no source. It writes under the lock of a
run, because runs write in the folder of the reports too.
"""

from __future__ import annotations

import json
import logging
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path

import pandas as pd

from detector.boundary.disk import write_atomically
from detector.chargeback.statement import Month, Statement, charge, days_of, measure, totals
from detector.config.chargeback import ChargebackSettings
from detector.config.config import Config
from detector.config.load import load
from detector.config.plugins import STATEMENT_FORMATS
from detector.model.day import Day
from detector.model.errors import DONE, PARTIAL, ConfigError, DetectorError, HistoryError, SourceError
from detector.operations.monitoring.logs import logging_to_stderr
from detector.pipeline import Job
from detector.reports.page import index
from detector.reports.statement import statement_format
from detector.reports.statement.json import JsonStatement
from detector.sources.pull import Progress, no_progress, pull
from detector.state.database import State
from detector.state.runs import only_run
from detector.usage.history import History

log = logging.getLogger("detector.monthly")


def monthly(config: Config, now: datetime, progress: Progress = no_progress) -> tuple[Statement, list[Path]]:
    """Write the statement of the month that ended last in every format, the JSON last: it tells that it is done.

    Raises LockedError while a run is at work: both write in the folder of the reports.
    """
    made = statement(config, last_month(config, now), now, progress)
    formats = [statement_format(name) for name in STATEMENT_FORMATS if name != "json"]
    paths = []
    with closing(State.of(config)) as state, only_run(state):
        for chosen in (*formats, JsonStatement()):
            if chosen.filename is None:
                continue
            path = folder_of(config, made.month) / chosen.filename
            write_atomically(path, chosen.render(made).encode(), shared=config.report.shared)
            paths.append(path)
        index.refresh(Path(config.report.directory), shared=config.report.shared)
    return made, paths


def statement(config: Config, month: Month, now: datetime, progress: Progress = no_progress) -> Statement:
    """A month's charges from its days in the history; those that it lacks are pulled first.

    What the source cannot tell is missing, and where it says why a failure of the statement. Raises ConfigError
    for a month of which no day is over, HistoryError where no day of it is known.
    """
    last = min(month.last, Day.last_complete(now, config.zone).date)
    if last < month.first:
        raise ConfigError(f"no day of {month} is over yet")
    with closing(State.of(config)) as state:
        job = Job.assemble(config, now, progress, state)
        failures = _pull(job, month.first, last)
    stored = [day for day in job.history.days() if month.first <= day <= month.last]
    if not stored:
        raise HistoryError(f"no day of {month} is in the history{': ' if failures else ''}{'; '.join(failures)}")
    notes = {day: job.history.notes(day) for day in stored}
    known = {day: (noted.pulled_at, noted.last_use is not None) for day, noted in notes.items()}
    charges = config.chargeback.of(str(month))
    lines, owners = _lines(charges, job.history, stored)
    return Statement(
        month=month,
        timezone=config.zone,
        organization=config.organization,
        source=config.source.name,
        currency=charges.currency,
        prices=charges.prices,
        shared=charges.shared,
        lines=lines,
        owners=owners,
        teams=totals(lines, owners, _lines_before(config.chargeback, job.history, month.before)),
        days=days_of(month, config.zone, known, config.history.settle_days, now),
        failures=failures,
        generated_at=now,
    )


def last_month(config: Config, now: datetime) -> Month:
    """The month that ended last."""
    return Month.of(now.astimezone(config.zone).date()).before


def folder_of(config: Config, month: Month) -> Path:
    """Where the files of a statement lie."""
    return Path(config.report.directory) / "chargeback" / str(month)


class Written(StrEnum):
    """How far the statement of a month is; a final one changes by nothing but new prices."""

    NOTHING = "not written"
    PROVISIONAL = "not final"
    FINAL = "final"


def written(config: Config, month: Month) -> Written:
    """How far the statement of a month is."""
    try:
        document = json.loads((folder_of(config, month) / JsonStatement.filename).read_text(encoding="utf-8"))
        return Written.FINAL if document["final"] else Written.PROVISIONAL
    except (OSError, ValueError, KeyError, TypeError):
        return Written.NOTHING


def _pull(job: Job, first: date, last: date) -> tuple[str, ...]:
    """Pull what the history lacks, and say what failed. Late rows come with the nightly pull."""
    if not job.history.missing(first, last):
        return ()
    try:
        with only_run(job.state):
            pull(job.config, job.source, job.history, first, last, now=job.now, progress=job.progress)
    except SourceError as error:
        log.warning("%s", error)
        return (str(error),)
    return ()


def _lines(charges: ChargebackSettings, history: History, days: list[date]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The lines of days, and who owns what."""
    usage = measure((history.read(day) for day in days), charges.prices)
    return charge(usage, charges.prices, charges.shared, charges.currency), usage.owners


def _lines_before(charges: ChargebackSettings, history: History, month: Month) -> pd.DataFrame | None:
    """The lines of a month; None where a day of it is not stored."""
    if history.missing(month.first, month.last):
        return None
    return _lines(charges.of(str(month)), history, month.days())[0]


def main() -> None:
    """Write last month's statement with the configuration named on the command line."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "config.yaml")
    try:
        config = load(path)
        with logging_to_stderr(config.monitoring.log_format, logging.INFO):
            made, files = monthly(config, datetime.now(UTC))
    except DetectorError as error:
        print(f"detector: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    for file in files:
        print(file)
    sys.exit(PARTIAL if made.days.missing else DONE)
