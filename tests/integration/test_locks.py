"""One run at a time, whatever becomes of the one that holds the lock."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.model.errors import LockedError
from detector.state.database import State
from detector.state.runs import only_run
from tests.fakes import OWNER

HOLD = """
import sys
from detector.state.database import State
from detector.model.owner import Owner
from detector.state.runs import only_run
with only_run(State(sys.argv[1], Owner(None, "main"))):
    print("held", flush=True)
    sys.stdin.read()
"""
RACE = """
import sys
from detector.model.errors import LockedError
from detector.model.owner import Owner
from detector.state.database import State
from detector.state.runs import only_run
for line in iter(sys.stdin.readline, ""):
    try:
        with only_run(State(sys.argv[1], Owner(None, "main"))):
            print("ran", flush=True)
            sys.stdin.readline()
    except LockedError as error:
        print(error.exit_code, flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def url(state_url: str) -> str:
    """Where the state is; its folder is made by whoever opens it first."""
    return state_url


def started(script: str, url: str) -> subprocess.Popen[str]:
    """A process of its own that runs the script on the state."""
    return subprocess.Popen(
        [sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def holder(url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = started(HOLD, url)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_told_to_come_back_later(url: str, holder: subprocess.Popen[str]) -> None:
    """Exit code 75, and nothing done."""
    with pytest.raises(LockedError, match="try again later") as caught, only_run(State(url, OWNER)):
        pass
    assert caught.value.exit_code == 75


def test_the_lock_is_free_once_its_run_has_ended(url: str, holder: subprocess.Popen[str]) -> None:
    """The next run goes ahead."""
    holder.communicate("")
    with only_run(State(url, OWNER)), pytest.raises(LockedError), only_run(State(url, OWNER)):
        pass


def test_a_lock_left_by_a_killed_process_is_taken_over(url: str, holder: subprocess.Popen[str]) -> None:
    """Nobody has to clear it by hand."""
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    state = State(url, OWNER)
    for _ in range(50):  # PostgreSQL needs a moment to see that the connection is gone
        try:
            with only_run(state):
                return
        except LockedError:
            subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("the lock of a dead process was never given up")


@pytest.fixture
def pair(url: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Two other processes that ask for the lock whenever they are told to."""
    processes = [started(RACE, url) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def test_of_runs_started_together_one_runs(pair: list[subprocess.Popen[str]]) -> None:
    """Twenty times two processes at the same instant, the first time on a state that is new to both."""
    for _ in range(20):
        say(pair, "go")
        assert sorted(process.stdout.readline().strip() for process in pair if process.stdout) == ["75", "ran"]
        say(pair, "end")


def test_who_only_looks_at_the_lock_does_not_keep_others_from_it(tmp_path: Path) -> None:
    """Of two processes at the same instant each reads the file first: neither may turn the other away by that."""
    state = State(f"sqlite:///{tmp_path}/state.db", OWNER)
    with closing(sqlite3.connect(tmp_path / f"state.db.run-{OWNER.digest}", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        with only_run(state), pytest.raises(LockedError), only_run(state):
            pass


def test_a_killed_holder_leaves_no_journal_behind(tmp_path: Path) -> None:
    """What a lock needs besides its file is in memory."""
    process = started(HOLD, f"sqlite:///{tmp_path}/state.db")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    assert {path.name for path in tmp_path.iterdir()} == {"state.db", f"state.db.run-{OWNER.digest}"}


def say(processes: list[subprocess.Popen[str]], word: str) -> None:
    """Write a line to all, one right after the other."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
