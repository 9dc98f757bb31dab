"""The nightly job: evaluate the days that are due and write their reports.

Run alone: ``python jobs/nightly.py [CONFIG]``. Which days are due follows from the state alone. So a process
that stays, cron and a Kubernetes job do the same, and an hour that the clocks repeat evaluates nothing twice. A
day whose data are incomplete waits until the deadline; a day that is asked for by name is evaluated as it is.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from detector.config.config import Config
from detector.config.load import load
from detector.config.monitoring import Monitoring
from detector.model.day import Day, each_day
from detector.model.errors import ConfigError, DetectorError, NotReadyError
from detector.operations.monitoring.logs import logging_to_stderr
from detector.operations.schedule.watching import watched_run
from detector.operations.upkeep.scraps import remove, scraps
from detector.pipeline import Job, Outcome, Sending, run_day, send_digest
from detector.sources.pull import Progress, no_progress
from detector.state.database import State
from detector.state.runs import only_run
from detector.state.sightings import days_judged

NEVER = datetime.max.replace(tzinfo=UTC)


def nightly(
    config: Config,
    *,
    now: datetime,
    day: date | None = None,
    progress: Progress = no_progress,
    sending: Sending = Sending.NOW,
) -> list[Outcome]:
    """Judge ``day``, or all days that are due: missed ones oldest first, then the one that ended last.

    Several days are told of in one digest. Raises LockedError while another run is at work on the same
    state, and NotReadyError where no day is named and the last one's data are incomplete before the deadline.
    """
    if day is not None and Day(day, config.zone).start > now:
        raise ConfigError(f"the day {day} has not begun yet")
    # A day judged by hand tells nobody: it says nothing of those that are due.
    told = config.monitoring if day is None else Monitoring()
    with (
        watched_run(config, told, now) as watch,
        closing(State(config.state.url)) as state,
        only_run(state),
    ):
        watch.begin()

        def job() -> Job:
            return Job.assemble(config, now, progress, state)

        sweep(config)
        if day is not None:
            return [run_day(job(), day, sending)]
        return _catch_up(job, due_days(config, days_judged(state), now), sending, watch.outcomes)


def due_days(config: Config, judged: Mapping[date, bool], now: datetime) -> list[date]:
    """The days to judge, oldest first: of the last ``catch_up_days`` those that were missed or whose data
    were incomplete (``judged`` says which), and always the one that ended last; at first that one alone."""
    last = Day.last_complete(now, config.zone).date
    window = each_day(last - timedelta(days=config.schedule.catch_up_days - 1), last - timedelta(days=1))
    began = min(judged, default=last)
    return [day for day in window if day > began and not judged.get(day, False)] + [last]


def sweep(config: Config) -> None:
    """Take away what killed writers left half-written. What cannot be removed does no harm; `doctor` tells it."""
    for scrap in scraps(config):
        with suppress(OSError):
            remove(scrap)


def _catch_up(job: Callable[[], Job], due: list[date], sending: Sending, outcomes: list[Outcome]) -> list[Outcome]:
    """Judge days one after the other and tell of them together, also where the last one is not ready yet.

    ``outcomes`` has what was judged by then, also where a day fails.
    """
    *earlier, last = due
    final = job()
    digest = bool(earlier) and sending is Sending.NOW
    each = Sending.LATER if digest else sending
    is_news = not days_judged(final.state).get(last, False)  # otherwise it was told, and does so itself if need be

    def tell() -> None:
        news = [outcome for outcome in outcomes if is_news or outcome.report.day.date != last]
        if digest and news and (failures := send_digest(job(), news)):
            outcomes[-1] = outcomes[-1].with_failures(failures)

    try:
        for day in earlier:
            outcomes += _made_up_for(job(), day, each)
        outcomes.append(run_day(final, last, each if is_news else sending, _deadline(final.config, last)))
    except DetectorError:  # what is known is not held back for what is not
        tell()
        raise
    tell()
    return outcomes


def _made_up_for(job: Job, day: date, sending: Sending) -> list[Outcome]:
    """The outcome of a day that was missed; none for one that was judged on incomplete data and still is."""
    interim = day in days_judged(job.state)
    try:
        return [run_day(job, day, sending, NEVER if interim else None)]
    except NotReadyError:
        return []


def _deadline(config: Config, day: date) -> datetime:
    """The instant from which a day is judged as it is: a time of day on the day after it."""
    at = time.fromisoformat(config.schedule.deadline)
    return datetime.combine(day + timedelta(days=1), at, config.zone)


def main() -> None:
    """Judge last day with the configuration named on the command line, and exit with the run's code."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "config.yaml")
    try:
        config = load(path)
        with logging_to_stderr(config.monitoring.log_format, logging.INFO):
            outcomes = nightly(config, now=datetime.now(UTC))
    except DetectorError as error:
        print(f"detector: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    for outcome in outcomes:
        print(f"{outcome.report.day.date}: {outcome.report.summary.verdict}")
    sys.exit(max(outcome.exit_code for outcome in outcomes))
