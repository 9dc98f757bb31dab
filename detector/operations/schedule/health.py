"""Whether the installation is well: the last day that is due was judged, by a run that succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from detector.config.config import Config
from detector.model.day import Day
from detector.model.errors import DONE, TRY_LATER
from detector.operations.schedule.trigger import CronLineTrigger
from detector.state.database import State
from detector.state.runs import PastRun, is_at_work, last_run
from detector.state.sightings import days_judged


def nightly_trigger(config: Config) -> CronLineTrigger:
    """When the nightly job runs, in the configured time zone."""
    return CronLineTrigger(config.schedule.nightly, config.zone)


def hour_of(config: Config, day: date) -> datetime | None:
    """The instant at which the nightly job is planned to judge a day; None where its line never comes."""
    return nightly_trigger(config).get_next_fire_time(None, Day(day, config.zone).end)


def deadline_of(config: Config, day: date) -> datetime:
    """The instant from which a day is judged as it is: a time of day on the day after it."""
    at = time.fromisoformat(config.schedule.deadline)
    return datetime.combine(day + timedelta(days=1), at, config.zone)


def trouble(config: Config, state: State, now: datetime) -> str | None:
    """Why the installation is not well, as a sentence; None where it is.

    A day is due at its hour. Until its deadline it may wait for late data. An installation without any run has no
    hour before the first deadline.
    """
    judged = days_judged(state)
    day = _last_due(config, now)
    is_new = not judged and last_run(state) is None
    if is_new:
        day = Day.last_complete(now, config.zone).date
    run = last_run(state, day)
    if run is not None and run.exit_code is None and is_at_work(state):
        return None
    if day in judged:
        return _trouble_of_judged(day, judged, run)
    if run is not None and run.exit_code not in (DONE, TRY_LATER):
        return f"the day {day} is not judged: {_end_of(run)}"
    # The nightly job may come after the deadline.
    last_call = max(deadline_of(config, day), hour_of(config, day) or now)
    if now < last_call and (is_new or run is not None):
        return None
    latest = f"the last judged day is {max(judged)}" if judged else "no day was ever judged"
    waited = f"; {_end_of(run)}" if run is not None else "; is `detector schedule` or cron running?"
    return f"behind: {latest}, and {day} is due{waited}"


def _last_due(config: Config, now: datetime) -> date:
    """The last day whose hour has come."""
    day = Day.last_complete(now, config.zone).date
    hour = hour_of(config, day)
    return day if hour is not None and hour <= now else day - timedelta(days=1)


def _trouble_of_judged(day: date, judged: Mapping[date, bool], run: PastRun | None) -> str | None:
    """Why the run that judged a day was no success; None where it was, or where it is not known any more."""
    if run is not None and run.exit_code != DONE:
        return f"the day {day} is judged, but {_end_of(run)}"
    if not judged[day]:
        return f"the day {day} was judged on incomplete data"
    return None


def _end_of(run: PastRun) -> str:
    """How a run ended."""
    if run.exit_code is None:
        return "its run did not finish"
    return f"its run ended with exit code {run.exit_code}: {run.message}"
