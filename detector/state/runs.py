"""The log of runs in the state: the beginning, the reached stages and the end of each run."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import func
from structlog.contextvars import bound_contextvars

from detector.boundary.instants import in_utc
from detector.model.errors import FAILURE, DetectorError, LockedError, StateError
from detector.state.database import State
from detector.state.tables import LONGEST_MESSAGE, run_stages, runs

log = logging.getLogger("detector.run")


class Stage(StrEnum):
    """The completed stages of a run. A run logs a stage after its results are written."""

    PULLED = "pulled"
    JUDGED = "judged"
    REPORTED = "reported"
    RECORDED = "recorded"
    SENT = "sent"


@dataclass(frozen=True)
class PastRun:
    """A run as the log has it, with the last ``stage`` it reached.

    ``exit_code`` and ``message`` are None until it ended.
    """

    day: date
    started_at: datetime
    exit_code: int | None
    message: str | None
    stage: str | None


@dataclass(frozen=True)
class Run:
    """A run that is active."""

    run_id: str
    state: State
    started_at: datetime
    begun: float = field(default_factory=time.monotonic)

    def reach(self, stage: Stage, **done: object) -> None:
        """Log a stage and its results. Raises StateError if the run has lost its lock and must stop."""
        self.state.run_lock.confirm()
        row = {"run_id": self.run_id, "stage": stage.value, "reached_at": self.now()}
        with self.state.transaction() as rows:
            rows.insert(run_stages, [row])
        log.info(stage.value, extra=done)

    def end(self, exit_code: int, message: str) -> None:
        """Log the end of the run."""
        done = {"finished_at": self.now(), "exit_code": exit_code, "message": message[:LONGEST_MESSAGE]}
        with self.state.transaction() as rows:
            rows.update(runs, runs.c.run_id == self.run_id, done)
        seconds = round(time.monotonic() - self.begun, 3)
        log.info("ended", extra={"exit_code": exit_code, "seconds": seconds})

    def now(self) -> datetime:
        """The current instant: the beginning of the run plus the time since then."""
        return self.started_at + timedelta(seconds=time.monotonic() - self.begun)


@contextmanager
def only_run(state: State) -> Iterator[None]:
    """Hold the lock of a run for the duration of the block. Raises LockedError if another run holds it."""
    with state.exclusively("run") as lock:
        if not lock.held:
            last = last_run(state)
            since = f" since {last.started_at:%Y-%m-%d %H:%M:%S} UTC" if last else ""
            raise LockedError(f"another run is at work on this state{since}; try again later")
        state.run_lock = lock
        yield


def begin(state: State, day: date, started_at: datetime) -> Run:
    """Log the beginning of a run."""
    run = Run(str(uuid.uuid4()), state, started_at)
    with state.transaction() as rows:
        rows.insert(runs, [{"run_id": run.run_id, "day": day, "started_at": started_at}])
    return run


@contextmanager
def logged_run(state: State, day: date, started_at: datetime) -> Iterator[Run]:
    """A run that the block works on and ends; one that fails is ended here, with why.

    Whatever is logged within the block carries the run's id and day.
    """
    run = begin(state, day, started_at)
    with bound_contextvars(run_id=run.run_id, day=day.isoformat()):
        try:
            yield run
        except Exception as error:
            expected = isinstance(error, DetectorError)
            message = str(error) if expected else f"{type(error).__name__}, a fault of the program"
            with suppress(StateError):  # the database may be what failed
                run.end(error.exit_code if isinstance(error, DetectorError) else FAILURE, message)
            raise


def is_at_work(state: State) -> bool:
    """Whether a run holds the lock. To look takes the lock for an instant, so look only where a run has no end."""
    with state.exclusively("run") as lock:
        return not lock.held


def last_run(state: State, day: date | None = None) -> PastRun | None:
    """The run that started last, of one day or of any; None before the first."""
    with state.reading() as rows:
        chosen = rows.query(runs) if day is None else rows.query(runs).where(runs.c.day == day)
        newest = chosen.order_by(runs.c.started_at.desc(), runs.c.day.desc()).limit(1)
        row = rows.execute(newest).mappings().first()
        if row is None:
            return None
        of_run = rows.query(run_stages, run_stages.c.stage).where(run_stages.c.run_id == row["run_id"])
        stage = rows.execute(of_run.order_by(run_stages.c.reached_at.desc()).limit(1)).scalar()
    return PastRun(
        day=row["day"],
        started_at=in_utc(row["started_at"]),
        exit_code=row["exit_code"],
        message=row["message"],
        stage=stage,
    )


def last_success(state: State) -> datetime | None:
    """The instant at which a run last ended with exit code 0; None without such a run."""
    with state.reading() as rows:
        ended = rows.execute(rows.query(runs, func.max(runs.c.finished_at)).where(runs.c.exit_code == 0)).scalar()
    return ended and in_utc(ended)
