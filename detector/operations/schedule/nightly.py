"""The nightly job: evaluate the days that are due and write their reports.

Run alone: ``python jobs/nightly.py [CONFIG]``. Which days are due follows from the state alone. So a process
that stays, cron and a Kubernetes job do the same, and an hour that the clocks repeat evaluates nothing twice. A
day whose data are incomplete waits until the deadline; a day that is asked for by name is evaluated as it is.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd

from detector.config.config import Config
from detector.config.load import load
from detector.config.monitoring import MonitoringSettings
from detector.model.day import Day, each_day
from detector.model.errors import ConfigError, DetectorError, NotReadyError, SourceError, worst
from detector.operations.monitoring.logs import logging_to_stderr
from detector.operations.schedule.health import deadline_of
from detector.operations.schedule.watching import Watch, watched_run
from detector.operations.upkeep.leftovers import leftovers, remove
from detector.pipeline import Job, RunResult, Sending, run_day, send_digest
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
) -> list[RunResult]:
    """Judge ``day``, or all days that are due: missed ones oldest first, then the one that ended last.

    Raises ConfigError for a ``day`` that has not begun, or that lies before all data.

    Several days are told of in one digest. Raises LockedError while another run is at work on the same
    state. Where no day is named and the last one's data are incomplete before the deadline, raises NotReadyError,
    or SourceError where the source could not be read.
    """
    # A day judged by hand tells nobody: it says nothing of those that are due.
    monitoring = config.monitoring if day is None else MonitoringSettings()
    with (
        watched_run(config, monitoring, now) as watch,
        closing(State.of(config)) as state,
        only_run(state),
    ):
        watch.begin()

        def job() -> Job:
            return Job.assemble(config, now, progress, state)

        sweep(config)
        if day is not None:
            by_hand = job()
            require_possible(by_hand, day)
            return [run_day(by_hand, day, sending)]
        judged = days_judged(state)
        _judge_all(job, sendings(due_days(config, judged, now), sending, judged), watch)
    return watch.results


def due_days(config: Config, judged: Mapping[date, bool], now: datetime) -> list[date]:
    """The days to judge, oldest first: of the last ``catch_up_days`` those that were missed or whose data
    were incomplete (``judged`` says which), and always the one that ended last; at first that one alone."""
    last = Day.last_complete(now, config.zone).date
    window = each_day(last - timedelta(days=config.schedule.catch_up_days - 1), last - timedelta(days=1))
    began = min(judged, default=last)
    return [day for day in window if day > began and not judged.get(day, False)] + [last]


def require_possible(job: Job, day: date) -> None:
    """Raise ConfigError for a day that has not begun, or that lies before the first use that anybody knows.

    Such a day would be stored as an empty one, and the run would catch up with the days after it. A source that
    cannot be read is no reason to refuse: the run says so.
    """
    if Day(day, job.config.zone).start > job.now:
        raise ConfigError(f"the day {day} has not begun yet")
    stored = job.history.days()
    if stored and stored[0] <= day:
        return
    try:
        if len(job.source.activity_before(day + timedelta(days=1))):
            return
        reach = job.source.watermark()
        if reach is None:
            return
        last = reach.astimezone(job.config.zone).date()
        uses = job.source.activity_before(last + timedelta(days=1))["first_seen"].dropna()
    except SourceError:
        return
    first = min((pd.Timestamp(use).date() for use in uses), default=last)
    raise ConfigError(f"the day {day} lies before all data: the first use of a key is on {min([first, *stored])}")


def sweep(config: Config) -> None:
    """Take away what killed writers left half-written. What cannot be removed does no harm; `doctor` tells it."""
    for leftover in leftovers(config):
        with suppress(OSError):
            remove(leftover)


def sendings(due: Sequence[date], sending: Sending, judged: Mapping[date, bool]) -> dict[date, Sending]:
    """How each due day sends its messages, in the order of the days.

    Several days hold theirs back for one digest. The last day does not, where it was judged on complete data
    before: then it was reported, and sends by itself what that left to send.
    """
    if len(due) == 1 or sending is not Sending.NOW:
        return dict.fromkeys(due, sending)
    by_day = dict.fromkeys(due, Sending.LATER)
    last = due[-1]
    if judged.get(last, False):
        by_day[last] = sending
    return by_day


def _judge_all(job: Callable[[], Job], days: Mapping[date, Sending], watch: Watch) -> None:
    """Judge days one after the other, then send the digest of those that held their messages back.

    The digest is sent also where a day fails or is not ready: what is known does not wait for what is not.
    """
    *missed, last = days
    try:
        for day in missed:
            _make_up_for(job(), day, days[day], watch)
        final = job()
        watch.add(run_day(final, last, days[last], deadline_of(final.config, last)))
    except DetectorError:
        _send_digest(job, days, watch)
        raise
    _send_digest(job, days, watch)


def _make_up_for(job: Job, day: date, sending: Sending, watch: Watch) -> None:
    """Judge a day that was missed; nothing for one that was judged on incomplete data and still is.

    Where the source cannot be read, the last day says so.
    """
    interim = day in days_judged(job.state)
    with suppress(NotReadyError, SourceError):
        watch.add(run_day(job, day, sending, NEVER if interim else None))


def _send_digest(job: Callable[[], Job], days: Mapping[date, Sending], watch: Watch) -> None:
    """Send one digest of the judged days that held their messages back, where there are any."""
    held_back = [result for result in watch.results if days[result.report.day.date] is Sending.LATER]
    if held_back:
        watch.fail(send_digest(job(), held_back))


def main() -> None:
    """Judge last day with the configuration named on the command line, and exit with the run's code."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "config.yaml")
    try:
        config = load(path)
        with logging_to_stderr(config.monitoring.log_format, logging.INFO):
            results = nightly(config, now=datetime.now(UTC))
    except DetectorError as error:
        print(f"detector: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    for result in results:
        print(f"{result.report.day.date}: {result.report.summary.verdict}")
    sys.exit(worst(result.exit_code for result in results))
