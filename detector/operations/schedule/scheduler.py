"""The scheduler: a process that runs the nightly job every day at its hour, and tries again when a run fails.

The scheduler decides when a job runs; the job decides what is due. APScheduler is the clock. One run is active
at a time. A run that comes late still runs, however late. After a signal to stop, the running day may finish.
Between the runs the scheduler sends what waits in the outbox. Where prices are configured, it writes the
statement of each month, and again after each day until no late row can change it.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Lock, Thread, Timer
from types import FrameType
from typing import Any, NoReturn, Protocol

from apscheduler.events import EVENT_JOB_MISSED, EVENT_SCHEDULER_STARTED, JobExecutionEvent, SchedulerEvent
from apscheduler.schedulers.blocking import BlockingScheduler

from detector.config.config import Config
from detector.delivery import open_channels
from detector.delivery.outbox import Outbox
from detector.model.day import Day
from detector.model.errors import FAILURE, TRY_LATER, ConfigError, DetectorError, worst
from detector.operations.schedule.health import hour_of, nightly_trigger
from detector.operations.schedule.monthly import Written, last_month, monthly, written
from detector.operations.schedule.nightly import nightly
from detector.operations.schedule.retention import remove_old
from detector.operations.schedule.trigger import CronLineTrigger
from detector.operations.schedule.watching import nothing_to_do
from detector.state.database import State
from detector.state.sightings import days_judged
from detector.usage.history import History

NIGHTLY = "nightly"
RETRY = "retry"
DELIVERY = "delivery"
CHARGEBACK = "chargeback"
DELIVERY_PAUSE = timedelta(minutes=5)
"""Between two looks into the outbox, which knows itself when each message is to be tried again."""

log = logging.getLogger("detector.schedule")

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present instant."""
    return datetime.now(UTC)


class Planner(Protocol):
    """What the service needs of a scheduler."""

    def add_listener(self, callback: Any, mask: Any) -> Any:
        """Call on events."""

    def add_job(self, func: Any, trigger: Any, **options: Any) -> Any:
        """Run when triggered."""


class Service:
    """The nightly job on a scheduler, with the configuration read anew at every start, reload and run."""

    def __init__(self, read: Callable[[], Config], scheduler: Planner, clock: Clock = utc_now) -> None:
        self._read = read
        self._scheduler = scheduler
        self._clock = clock
        self._turn = Lock()
        self._config = read()
        scheduler.add_listener(_tell_missed, EVENT_JOB_MISSED)
        self._plan()
        if is_behind(self._config, clock()) or is_statement_due(self._config, clock()):
            self._soon(timedelta(0))

    def reload(self) -> None:
        """Take the configuration as it is now; one that is wrong is reported, and the old one stays."""
        try:
            config = self._read()
        except ConfigError as error:
            log.error("the configuration was not taken over: %s", error)
            return
        self._config = config
        self._plan()

    @property
    def grace(self) -> timedelta:
        """How long a running day may take once the process is told to stop."""
        return timedelta(minutes=self._config.schedule.grace_minutes)

    def run(self) -> None:
        """Judge the days that are due, then charge the month that is due. A run at work is waited for."""
        with self._turn:
            self._attempt("the nightly run", self._judge)
            self._attempt("the statement of last month", self._charge)

    def charge(self) -> None:
        """Write the statement of the month that ended last, where one is due. A run at work does so at its end."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            self._attempt("the statement of last month", self._charge)
        finally:
            self._turn.release()

    def _attempt(self, name: str, task: Callable[[], None]) -> None:
        """What fails is logged and not left until tomorrow: whatever was in the way may be gone by then."""
        try:
            task()
            return
        except DetectorError as error:
            log.warning("%s: %s", name, error)
        except Exception:  # the one place where anything may go wrong and the process must live on
            log.exception("%s failed", name)
        self._soon(timedelta(minutes=self._config.schedule.retry_minutes))

    def _judge(self) -> None:
        """Judge days once each: an hour that the clocks repeat comes twice. Ask a source that is away again."""
        if not has_work(self._config, self._clock()):
            log.info("the last day was judged already")
            nothing_to_do(self._config, self._clock())
            return
        log.info("judging what is due")
        results = nightly(self._config, now=self._clock())
        if worst(result.exit_code for result in results) == FAILURE:
            self._soon(timedelta(minutes=self._config.schedule.retry_minutes))
        old = remove_old(self._config, self._clock())
        if old.days or old.reports:
            log.info("%d days, %d reports before %s taken away", len(old.days), len(old.reports), old.before)

    def _charge(self) -> None:
        """Days that the source does not give are asked for again with the next run, not soon."""
        if not is_statement_due(self._config, self._clock()):
            return
        made, paths = monthly(self._config, self._clock())
        state = "final" if made.final else "not final"
        log.info("statement of %s (%s) written to %s", made.month, state, paths[0].parent)

    def deliver(self) -> None:
        """Send what is due in the outbox: what a run could not deliver is tried again before the next one."""
        try:
            with closing(State.of(self._config)) as state:
                done = Outbox(state, open_channels(self._config)).drain(self._clock())
        except DetectorError as error:
            log.warning("nothing was sent: %s", error)
            return
        for failure in done.failures:
            log.warning("%s", failure)
        if done.sent:
            log.info("%d messages sent, %d waiting", done.sent, done.waiting)

    def _plan(self) -> None:
        trigger = nightly_trigger(self._config)
        self._scheduler.add_job(self.run, trigger, id=NIGHTLY, replace_existing=True, **_patient())
        self._scheduler.add_job(
            self.deliver,
            "interval",
            seconds=DELIVERY_PAUSE.seconds,
            id=DELIVERY,
            replace_existing=True,
            **_patient(),
        )
        log.info("nightly at %s (%s)", self._config.schedule.nightly, self._config.timezone)
        billing = chargeback_trigger(self._config)
        self._scheduler.add_job(self.charge, billing, id=CHARGEBACK, replace_existing=True, **_patient())

    def _soon(self, pause: timedelta) -> None:
        at = self._clock() + pause
        log.info("running again at %s", at.isoformat(timespec="seconds"))
        self._scheduler.add_job(self.run, "date", run_date=at, id=RETRY, replace_existing=True, **_patient())


def run_scheduler(read: Callable[[], Config]) -> None:
    """Run until told to stop by SIGTERM or SIGINT; SIGHUP rereads the configuration.

    A day that is not finished within ``schedule.grace_minutes``, or when told to stop again, is left as a kill
    would leave it, and the process ends with 75.
    """
    scheduler = BlockingScheduler(timezone=read().zone)
    service = Service(read, scheduler)
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping:
            _leave("told to stop again")
        stopping.append(number)
        log.info("stopping; a running day is finished first")
        Thread(target=end).start()

    def end() -> None:
        patience = Timer(service.grace.total_seconds(), _leave, [f"not finished within {service.grace}"])
        patience.daemon = True
        patience.start()
        scheduler.pause()
        scheduler.get_jobs()  # waits for jobs that are being started: to be stopped amidst that is an error
        scheduler.shutdown(wait=True)
        patience.cancel()

    def listen(_event: SchedulerEvent) -> None:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGHUP, lambda _signal, _frame: service.reload())

    scheduler.add_listener(listen, EVENT_SCHEDULER_STARTED)  # what has not begun cannot be stopped in order
    scheduler.start()
    log.info("stopped")


def _leave(reason: str) -> NoReturn:
    """End now. What a run wrote is whole at any time, and the lock goes with the process."""
    log.warning("%s: the running day is left, and the next start makes up for it", reason)
    os._exit(TRY_LATER)


def chargeback_trigger(config: Config) -> CronLineTrigger:
    """When last month's statement is written, in the configured time zone."""
    return CronLineTrigger(config.schedule.chargeback, config.zone)


def has_work(config: Config, now: datetime) -> bool:
    """Whether the day that ended last is still to be judged on complete data."""
    return not _judged(config).get(Day.last_complete(now, config.zone).date, False)


def is_behind(config: Config, now: datetime) -> bool:
    """Whether a day whose hour has come was not judged, as after a day without power."""
    day = Day.last_complete(now, config.zone).date
    judged = _judged(config)
    planned = hour_of(config, day)
    came = planned is not None and planned <= now
    return came and bool(judged) and day not in judged


def is_statement_due(config: Config, now: datetime) -> bool:
    """Whether there are prices, the hour of last month's statement has come, and it is not final yet. A month of
    which the history has nothing is not due by itself."""
    if not config.chargeback.wanted:
        return False
    month = last_month(config, now)
    planned = chargeback_trigger(config).get_next_fire_time(None, Day(month.last, config.zone).end)
    if planned is None or planned > now or written(config, month) is Written.FINAL:
        return False
    return any(month.first <= day <= month.last for day in History(Path(config.history.path), config.zone).days())


def _judged(config: Config) -> dict[date, bool]:
    with closing(State.of(config)) as state:
        return days_judged(state)


def _patient() -> dict[str, object]:
    """One run at a time, several missed ones as one, and late rather than never."""
    return {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}


def _tell_missed(event: JobExecutionEvent) -> None:
    log.warning("the run planned for %s did not start in time", event.scheduled_run_time)
