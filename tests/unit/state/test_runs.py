"""The log of runs: how each ended, and one run at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detector.model.errors import FAILURE, PARTIAL, LockedError, SourceError, StateError
from detector.state.database import State
from detector.state.locks import Lock
from detector.state.runs import Run, Stage, begin, last_run, last_success, logged_run, only_run
from detector.state.tables import LONGEST_MESSAGE
from tests.fakes import OWNER

DAY = date(2026, 3, 17)
NOW = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)


@pytest.fixture
def state() -> State:
    """An empty state."""
    return State("sqlite://", OWNER)


def test_a_run_that_has_begun_has_no_stage_and_no_end(state: State) -> None:
    """As one that was killed leaves it."""
    begin(state, DAY, NOW)
    last = last_run(state)
    assert last is not None
    assert (last.day, last.started_at) == (DAY, NOW)
    assert (last.stage, last.exit_code, last.message) == (None, None, None)


def test_the_last_stage_is_the_one_reached_last(state: State) -> None:
    """Of the run itself and of no other."""
    with logged_run(state, DAY, NOW) as run:
        for stage in (Stage.PULLED, Stage.JUDGED):
            run.reach(stage)
        begin(state, DAY, NOW - timedelta(hours=1)).reach(Stage.SENT)
        run.end(0, "Nothing to look at")
    last = last_run(state)
    assert last is not None
    assert (last.stage, last.exit_code, last.message) == ("judged", 0, "Nothing to look at")


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (SourceError("the source is closed"), SourceError.exit_code, "the source is closed"),
        (ZeroDivisionError("a secret"), FAILURE, "ZeroDivisionError, a fault of the program"),
    ],
)
def test_a_run_that_fails_is_ended_with_the_reason(
    state: State, error: Exception, exit_code: int, message: str
) -> None:
    """The text of a fault of the program is left out: it may hold a secret."""
    with pytest.raises(type(error)), logged_run(state, DAY, NOW):
        raise error
    last = last_run(state)
    assert last is not None
    assert (last.exit_code, last.message) == (exit_code, message)


def test_a_long_message_is_cut(state: State) -> None:
    """As long as the column is."""
    begin(state, DAY, NOW).end(0, "x" * 3000)
    last = last_run(state)
    assert last is not None
    assert last.message == "x" * LONGEST_MESSAGE


def test_the_last_success_is_the_last_run_without_a_failure(state: State) -> None:
    """None before the first."""
    begin(state, DAY, NOW).end(PARTIAL, "A part failed")
    assert last_success(state) is None
    begin(state, DAY, NOW - timedelta(days=1)).end(0, "Nothing to look at")
    ended = last_success(state)
    assert ended is not None
    assert timedelta(0) <= ended - (NOW - timedelta(days=1)) < timedelta(minutes=1)


def test_a_second_run_learns_since_when_the_first_is_at_work(tmp_path: Path) -> None:
    """Its lock is free once the first has ended."""
    url = f"sqlite:///{tmp_path}/state.db"
    first = State(url, OWNER)
    second = State(url, OWNER)
    with only_run(first):
        begin(first, DAY, NOW)
        with pytest.raises(LockedError, match="since 2026-03-18 02:30:00 UTC"), only_run(second):
            pass
    with only_run(second):
        assert second.run_lock.held


class LostLock(Lock):
    """A lock whose connection broke off."""

    def confirm(self) -> None:
        raise StateError("the lock is lost")


def test_a_run_that_lost_its_lock_reaches_no_stage(state: State) -> None:
    """Another run may be at work by now."""
    run: Run = begin(state, DAY, NOW)
    state.run_lock = LostLock(held=True)
    with pytest.raises(StateError, match="the lock is lost"):
        run.reach(Stage.JUDGED)
    last = last_run(state)
    assert last is not None
    assert last.stage is None
