"""The nightly job: judge one night and write its reports. Run alone: ``python -m jobs.nightly [CONFIG]``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from detector.config import Config, load
from detector.errors import ConfigError, DetectorError
from detector.history import days
from detector.logs import logging_to_stderr
from detector.model import Night
from detector.monitoring_config import Monitoring
from detector.pipeline import Job, Outcome, Sending, run_night, send_digest
from detector.pull import Progress, unwatched
from detector.state import State
from jobs.watching import watched_run


def nightly(
    config: Config,
    *,
    now: datetime,
    night: date | None = None,
    progress: Progress = unwatched,
    sending: Sending = Sending.NOW,
) -> list[Outcome]:
    """Judge ``night``, or all nights that are due: missed ones oldest first, then the one that ended last.

    Several nights are told of in one digest. Raises LockedError while another run is at work on the same
    state, and NotReadyError where no night is named and the last one's data are incomplete before the deadline.
    """
    if night is not None and Night(night, config.zone).start > now:
        raise ConfigError(f"the night {night} has not begun yet")
    # A night judged by hand tells nobody: it says nothing of those that are due.
    told = config.monitoring if night is None else Monitoring()
    with (
        watched_run(config, told, now) as watch,
        closing(State(config.state.url)) as state,
        state.only_run(),
    ):
        watch.begin()

        def job() -> Job:
            return Job.assemble(config, now, progress, state)

        if night is not None:
            return [run_night(job(), night, sending)]
        return _catch_up(job, due_nights(config, state.last_night(), now), sending, watch.outcomes)


def due_nights(config: Config, judged: date | None, now: datetime) -> list[date]:
    """The nights after the last judged one up to the one that ended last, at most ``catch_up_nights`` of them;
    the latter alone at first, or once more where it was judged before."""
    last = Night.last_complete(now, config.zone).day
    if judged is None or judged >= last:
        return [last]
    first = max(judged + timedelta(days=1), last - timedelta(days=config.schedule.catch_up_nights - 1))
    return list(days(first, last))


def _catch_up(job: Callable[[], Job], due: list[date], sending: Sending, outcomes: list[Outcome]) -> list[Outcome]:
    """Judge what is due; ``outcomes`` has what was judged by then, also where a night fails."""
    *missed, last = due
    digest = bool(missed) and sending is Sending.NOW
    each = Sending.LATER if digest else sending
    for night in missed:
        outcomes.append(run_night(job(), night, each))
    final = job()
    outcomes.append(run_night(final, last, each, _deadline(final.config, last)))
    if digest:
        send_digest(job(), [outcome.report for outcome in outcomes])
    return outcomes


def _deadline(config: Config, night: date) -> datetime:
    """The instant from which a night is judged as it is: a time of day on the day after it."""
    at = time.fromisoformat(config.schedule.deadline)
    return datetime.combine(night + timedelta(days=1), at, config.zone)


def main() -> None:
    """Judge last night with the configuration named on the command line, and exit with the run's code."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "config.yaml")
    try:
        config = load(path)
        with logging_to_stderr(config.monitoring.log_format, logging.INFO):
            outcomes = nightly(config, now=datetime.now(UTC))
    except DetectorError as error:
        print(f"detector: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    for outcome in outcomes:
        print(f"{outcome.report.night.day}: {outcome.report.summary.verdict}")
    sys.exit(max(outcome.exit_code for outcome in outcomes))


if __name__ == "__main__":
    main()
