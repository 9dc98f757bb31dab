"""A run in the log of the state: when it began, which stages it reached, and how it ended."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from structlog.contextvars import bound_contextvars

from detector.model.errors import FAILURE, DetectorError, StateError
from detector.state.database import State

log = logging.getLogger("detector.run")


class Stage(StrEnum):
    """What a run has behind it: written whole before it is logged, so that the next run goes on from there."""

    PULLED = "pulled"
    JUDGED = "judged"
    REPORTED = "reported"
    RECORDED = "recorded"
    SENT = "sent"


@dataclass(frozen=True)
class Run:
    """One run that has begun."""

    run_id: str
    state: State
    started_at: datetime
    begun: float = field(default_factory=time.monotonic)

    def reach(self, stage: Stage, **done: object) -> None:
        """Log a stage and what was done. Raises StateError where the run may not go on, as its lock is lost."""
        self.state.reach(self.run_id, stage.value, self.now())
        log.info(stage.value, extra=done)

    def end(self, exit_code: int, message: str) -> None:
        """Log the end."""
        self.state.end_run(self.run_id, self.now(), exit_code, message)
        seconds = round(time.monotonic() - self.begun, 3)
        log.info("ended", extra={"exit_code": exit_code, "seconds": seconds})

    def now(self) -> datetime:
        """The instant at which it began and the time that has passed since."""
        return self.started_at + timedelta(seconds=time.monotonic() - self.begun)


@contextmanager
def logged_run(state: State, day: date, started_at: datetime) -> Iterator[Run]:
    """A run that the block works on and ends; one that fails is ended here, with why.

    Whatever is logged within the block carries the run's id and day.
    """
    run = Run(str(uuid.uuid4()), state, started_at)
    state.begin_run(run.run_id, day, started_at)
    with bound_contextvars(run_id=run.run_id, day=day.isoformat()):
        try:
            yield run
        except Exception as error:
            expected = isinstance(error, DetectorError)
            message = str(error) if expected else f"{type(error).__name__}, a fault of the program"
            with suppress(StateError):  # the database may be what failed
                run.end(error.exit_code if isinstance(error, DetectorError) else FAILURE, message)
            raise
