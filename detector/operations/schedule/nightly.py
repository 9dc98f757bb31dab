"""The nightly job: judge one night and write its reports. Run alone: ``python jobs/nightly.py [CONFIG]``."""

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
from detector.model.day import Night, days
from detector.model.errors import ConfigError, DetectorError, NotReadyError
from detector.operations.monitoring.logs import logging_to_stderr
from detector.operations.schedule.watching import watched_run
from detector.operations.upkeep.scraps import remove, scraps
from detector.pipeline import Job, Outcome, Sending, run_night, send_digest
from detector.sources.pull import Progress, unwatched
from detector.state.database import State

NEVER = datetime.max.replace(tzinfo=UTC)


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

        sweep(config)
        if night is not None:
            return [run_night(job(), night, sending)]
        return _catch_up(job, due_nights(config, state.judged(), now), sending, watch.outcomes)


def due_nights(config: Config, judged: Mapping[date, bool], now: datetime) -> list[date]:
    """The nights to judge, oldest first: of the last ``catch_up_nights`` those that were missed or whose data
    were incomplete (``judged`` says which), and always the one that ended last; at first that one alone."""
    last = Night.last_complete(now, config.zone).day
    window = days(last - timedelta(days=config.schedule.catch_up_nights - 1), last - timedelta(days=1))
    began = min(judged, default=last)
    return [night for night in window if night > began and not judged.get(night, False)] + [last]


def sweep(config: Config) -> None:
    """Take away what killed writers left half-written. What cannot be removed does no harm; `doctor` tells it."""
    for scrap in scraps(config):
        with suppress(OSError):
            remove(scrap)


def _catch_up(job: Callable[[], Job], due: list[date], sending: Sending, outcomes: list[Outcome]) -> list[Outcome]:
    """Judge nights one after the other and tell of them together, also where the last one is not ready yet.

    ``outcomes`` has what was judged by then, also where a night fails.
    """
    *earlier, last = due
    final = job()
    digest = bool(earlier) and sending is Sending.NOW
    each = Sending.LATER if digest else sending
    is_news = not final.state.judged().get(last, False)  # otherwise it was told, and does so itself if need be

    def tell() -> None:
        news = [outcome for outcome in outcomes if is_news or outcome.report.night.day != last]
        if digest and news and (failures := send_digest(job(), news)):
            outcomes[-1] = outcomes[-1].with_failures(failures)

    try:
        for night in earlier:
            outcomes += _made_up_for(job(), night, each)
        outcomes.append(run_night(final, last, each if is_news else sending, _deadline(final.config, last)))
    except DetectorError:  # what is known is not held back for what is not
        tell()
        raise
    tell()
    return outcomes


def _made_up_for(job: Job, night: date, sending: Sending) -> list[Outcome]:
    """The outcome of a night that was missed; none for one that was judged on incomplete data and still is."""
    interim = night in job.state.judged()
    try:
        return [run_night(job, night, sending, NEVER if interim else None)]
    except NotReadyError:
        return []


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
