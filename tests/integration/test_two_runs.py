"""Two whole runs of the command line at once: one judges, the other one comes back later."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.state.database import State
from detector.state.sightings import days_judged
from tests.fakes import OWNER
from tests.killed_runs import DAY, prepare

ROUNDS = 20
RUN = """
import sys
from contextlib import redirect_stdout
from detector.cli.main import main
from detector.state.runs import Run

answers, reach, arguments = sys.stdout, Run.reach, sys.argv[1:]

def reach_and_wait(run, stage, **done):
    reach(run, stage, **done)
    if stage == "pulled":
        print("at work", file=answers, flush=True)
        sys.stdin.readline()

Run.reach = reach_and_wait
for line in iter(sys.stdin.readline, ""):
    sys.argv[1:] = arguments
    try:
        with redirect_stdout(sys.stderr):
            main()
    except SystemExit as end:
        print(end.code, file=answers, flush=True)
"""
"""Runs at the word of the test, from a process that has imported everything, so that two of them really meet; the
one that goes ahead is held at its work until the other has answered."""


@pytest.fixture
def pair(tmp_path: Path, state_url: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that run ``detector run`` on one installation for every line they are given."""
    prepare(tmp_path, keys=20, days=12)
    settings = ["--config", str(tmp_path / "config.yaml"), "--set", f"state.url={state_url}"]
    command = [sys.executable, "-c", RUN, "run", "--day", str(DAY), *settings]
    with (tmp_path / "log").open("a") as log:
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
            for _ in range(2)
        ]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def say(process: subprocess.Popen[str], word: str) -> None:
    """Give a process a line."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_of_two_runs_one_judges_and_one_exits_75(
    pair: list[subprocess.Popen[str]], tmp_path: Path, state_url: str
) -> None:
    """Twenty times, the first time on an installation that is new to both; the one turned away changes nothing."""
    log = tmp_path / "log"
    for _ in range(ROUNDS):
        for process in pair:
            say(process, "run")
        answers = {answer(process): process for process in pair}
        assert set(answers) == {"at work", "75"}, log.read_text()
        say(answers["at work"], "go on")
        assert answer(answers["at work"]) == "0", log.read_text()
    assert log.read_text().count("another run is at work") == ROUNDS
    with closing(State(state_url, OWNER)) as state:
        assert days_judged(state) == {DAY: True}
    report = json.loads((tmp_path / "var/reports" / str(DAY) / "report.json").read_text())
    assert report["usage"]["total_keys"] == 20
