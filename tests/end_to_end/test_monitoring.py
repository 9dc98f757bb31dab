"""Runs as processes: what they log on stderr, and that no secret is in anything they leave behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.boundary.text import UNSEEN
from detector.state.database import State
from detector.state.runs import only_run
from detector.state.sightings import record_day
from tests.fakes import OWNER, WHOLE
from tests.installation import installation
from tests.receiver import Receiver, receiver

SECRET = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
STAGES = ["pulled", "judged", "reported", "recorded", "sent", "ended"]
AT_ANY_HOUR = "schedule: {deadline: '00:00'}"


@pytest.fixture
def switch() -> Iterator[Receiver]:
    """A dead-man's switch on loopback."""
    with receiver() as kept:
        yield kept


def yesterday() -> date:
    """The day that ended last for a process started now."""
    return datetime.now(UTC).date() - timedelta(days=1)


def monitored(log_format: str = "json") -> str:
    """A configuration that pings, measures and logs."""
    return f"monitoring: {{ping_url: '${{PING}}', metrics_file: detector.prom, log_format: {log_format}}}"


def run(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process."""
    command = [sys.executable, "-m", "detector", "run", "--config", str(path), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=os.environ | environment
    )


def lines(stderr: str) -> list[dict[str, Any]]:
    """Every line of stderr, each a document."""
    return [json.loads(line) for line in stderr.splitlines()]


def test_a_run_logs_its_stages_as_json(tmp_path: Path, switch: Receiver) -> None:
    """Each line carries the run and the day; values are fields; the progress is logged too."""
    path = installation(tmp_path, yesterday(), f"{monitored()}\n{AT_ANY_HOUR}")
    done = run(path, PING=f"{switch.url}/{SECRET}")
    assert done.returncode == 0, done.stderr
    logged = lines(done.stderr)
    assert [line["event"] for line in logged if line["event"] in STAGES] == STAGES
    assert {line["day"] for line in logged} == {str(yesterday())}
    (run_id,) = {line["run_id"] for line in logged}
    report = json.loads((tmp_path / "var/reports" / str(yesterday()) / "report.json").read_text())
    assert run_id == report["run"]["run_id"]
    by_event = {line["event"]: line for line in logged}
    assert by_event["pulled"]["days"] == 21
    assert (by_event["judged"]["keys_judged"], by_event["judged"]["findings"]) == (4, 0)
    assert by_event["reported"]["files"] == 2
    assert by_event["ended"]["exit_code"] == 0
    assert any(line["event"].startswith("Pulling: 21 of 21 days") for line in logged)
    assert len(switch.requests) == 2


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("status", [200, 404])
def test_the_secret_of_the_switch_is_in_no_output(
    tmp_path: Path, switch: Receiver, log_format: str, status: int
) -> None:
    """Not on stdout, not on stderr and in no file, whether the ping arrives or is refused."""
    path = installation(tmp_path, yesterday(), f"{monitored(log_format)}\n{AT_ANY_HOUR}")
    for _ in range(2):
        switch.answer(status, SECRET.encode())
    done = run(path, PING=f"{switch.url}/{SECRET}")
    assert [SECRET in request.path for request in switch.requests] == [True, True]
    assert done.returncode == 0
    assert done.stderr.count("HTTP 404") == (2 if status == 404 else 0)
    assert SECRET not in done.stdout + done.stderr
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"detector.prom", "state.db", "report.json"} <= {file.name for file in files}
    assert not any(SECRET.encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_part_that_fails_is_said_once(tmp_path: Path, log_format: str) -> None:
    """As a warning of the run, in either format."""
    path = installation(tmp_path, yesterday(), f"monitoring: {{log_format: {log_format}}}\n{AT_ANY_HOUR}")
    (tmp_path / "usage.csv").unlink()
    done = run(path)
    assert done.returncode == 2
    (said,) = [line for line in done.stderr.splitlines() if "no file matches" in line]
    assert "warning" in said
    assert "run_id" in said


def test_an_error_is_a_line_of_json_too(tmp_path: Path) -> None:
    """The last word of a run that another one keeps from working."""
    path = installation(tmp_path, yesterday(), f"monitoring: {{log_format: json}}\n{AT_ANY_HOUR}")
    with closing(State(f"sqlite:///{tmp_path}/var/state.db", OWNER)) as state, only_run(state):
        done = run(path)
    assert done.returncode == 75
    (line,) = lines(done.stderr)
    assert (line["level"], line["exit_code"]) == ("error", 75)
    assert "another run is at work" in line["event"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_hostile_name_in_a_failure_forges_nothing(tmp_path: Path, log_format: str) -> None:
    """It cannot move the cursor, turn text around or begin a line."""
    path = installation(tmp_path, yesterday(), f"monitoring: {{log_format: {log_format}}}\n{AT_ANY_HOUR}")
    path.write_text(path.read_text().replace("usage.csv", '"missing\\x1b[2J\\u202e\\n.csv"'))
    done = run(path)
    assert done.returncode == 2
    assert "missing[U+001B][2J[U+202E][U+000A].csv" in done.stderr
    assert not UNSEEN.search(done.stderr)
    assert all(line.startswith(("{", "20")) for line in done.stderr.splitlines())


def test_schedule_logs_json_until_its_end(tmp_path: Path, switch: Receiver) -> None:
    """From the first line to the last, and its run tells the switch."""
    path = installation(tmp_path, yesterday(), f"{monitored()}\n{AT_ANY_HOUR}")
    with closing(State(f"sqlite:///{tmp_path}/var/state.db", OWNER)) as state:
        record_day(state, yesterday() - timedelta(days=1), WHOLE, [])
    command = [sys.executable, "-m", "detector", "schedule", "--config", str(path)]
    command += ["--set", "schedule.nightly=0 0 * * *"]
    environment = os.environ | {"PING": f"{switch.url}/{SECRET}"}
    said = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if '"event": "ended"' in line:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 0
    logged = lines("".join(said))
    assert [line["event"] for line in logged if line["event"] in STAGES] == STAGES
    assert logged[-1]["event"] == "stopped"
    assert "run_id" not in logged[-1]
    assert SECRET not in "".join(said)
    assert [request.path.split("?")[0] for request in switch.requests] == [f"/{SECRET}/start", f"/{SECRET}"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_on_a_terminal_people_see_bars_and_warnings(tmp_path: Path, log_format: str) -> None:
    """Lines for people make room for the bars there; JSON is JSON wherever it goes."""
    path = installation(tmp_path, yesterday(), f"monitoring: {{log_format: {log_format}}}\n{AT_ANY_HOUR}")
    path.write_text(
        path.read_text() + "report: {directory: usage.csv}\n"
    )  # a file, so that no report can be written
    said = on_a_terminal([sys.executable, "-m", "detector", "run", "--config", str(path)])
    assert said.count("the html report could not be written") == 1
    if log_format == "console":
        assert not any(f" {stage} " in said for stage in STAGES)
    else:
        assert [line["event"] for line in lines(said) if line["event"] in STAGES] == STAGES


def on_a_terminal(command: list[str]) -> str:
    """What a process writes on stderr where that is a terminal."""
    ours, theirs = os.openpty()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs):
        os.close(theirs)
        said = b""
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while part := os.read(ours, 4096):
                said += part
    os.close(ours)
    return said.decode()


def test_help_needs_no_logging_library() -> None:
    """It answers at once."""
    question = (
        "import sys, detector.cli.main; print({'structlog', 'prometheus_client', 'httpx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
