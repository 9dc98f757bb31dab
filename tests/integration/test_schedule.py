"""Every day by itself: which days are due, which wait, and the process that judges them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.model.errors import DeliveryError, NotReadyError
from detector.operations.schedule import nightly as job
from detector.operations.schedule.nightly import due_days
from detector.operations.schedule.scheduler import Service, has_work, is_behind, nightly_trigger
from detector.pipeline import RunResult
from detector.state.database import State
from detector.state.sightings import days_judged, record_day
from detector.usage.history import History
from tests.fakes import WHOLE, FakeChannel, FakeScheduler
from tests.installation import as_of

LAST = date(2026, 3, 17)
MORNING = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Thirty days of four keys, one request an hour each, ending with the last day."""
    start = datetime(2026, 2, 16, tzinfo=UTC)
    hours = [start + timedelta(hours=hour) for hour in range(30 * 24)]
    lines = [f"{hour.isoformat()},key-{key},/x,200" for hour in hours for key in range(4)]
    (tmp_path / "usage.csv").write_text("timestamp,key_id,endpoint,status\n" + "\n".join(lines) + "\n")
    (tmp_path / "config.yaml").write_text("source: {kind: files, usage: usage.csv}\n")
    return load(tmp_path / "config.yaml", ["history.first_pull_days=20"])


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> FakeChannel:
    """The only channel there is."""
    channel = FakeChannel()
    monkeypatch.setattr("detector.pipeline.open_channels", lambda config, edition="": [channel])
    monkeypatch.setattr("detector.operations.schedule.scheduler.open_channels", lambda config: [channel])
    return channel


def nightly(config: Config, *, now: datetime) -> list[RunResult]:
    """The run at an instant, over the requests until then."""
    with as_of(config, now):
        return job.nightly(config, now=now)


def cut_off(config: Config, hour: str) -> None:
    """Take away what the last day holds from an hour on, as where an export is still running."""
    path = Path(config.source.usage[0])  # type: ignore[union-attr]
    kept = [
        line for line in path.read_text().splitlines() if not line.startswith("2026-03-17") or line[11:13] < hour
    ]
    path.write_text("\n".join(kept) + "\n")


def move(config: Config, last: date) -> None:
    """Let what the files tell end with another day, for processes that read the clock themselves."""
    path = Path(config.source.usage[0])  # type: ignore[union-attr]
    header, *lines = path.read_text().splitlines()
    moved = [f"{date.fromisoformat(line[:10]) + (last - LAST)}{line[10:]}" for line in lines]
    path.write_text("\n".join([header, *moved]) + "\n")


def judged(config: Config) -> date | None:
    """The last day in the state."""
    with closing(State.of(config)) as state:
        return max(days_judged(state), default=None)


def test_at_first_only_the_last_day_is_due(config: Config) -> None:
    """A new installation does not judge its whole past."""
    assert due_days(config, {}, MORNING) == [LAST]


def test_missed_days_are_due_oldest_first_within_a_bound(config: Config) -> None:
    """After a weekend three days, after a month the last seven."""
    assert due_days(config, {LAST - timedelta(days=3): True}, MORNING) == [
        LAST - timedelta(days=ago) for ago in (2, 1, 0)
    ]
    assert due_days(config, {LAST - timedelta(days=30): True}, MORNING)[0] == LAST - timedelta(days=6)
    assert due_days(config, {LAST: True}, MORNING) == [LAST]


def test_missed_days_are_judged_one_after_the_other(config: Config) -> None:
    """Each leaves its report, as if it had been judged on its own morning."""
    nightly(config, now=MORNING - timedelta(days=3))
    outcomes = nightly(config, now=MORNING)
    assert [outcome.report.day.date for outcome in outcomes] == [LAST - timedelta(days=ago) for ago in (2, 1, 0)]
    assert all((Path(config.report.directory) / str(LAST - timedelta(days=ago))).is_dir() for ago in range(4))


def test_an_incomplete_day_waits_until_the_deadline(config: Config) -> None:
    """Before it exit code 75 and nothing judged; from then on it is judged, and the report says so."""
    nightly(config, now=MORNING - timedelta(days=1))
    cut_off(config, "15")
    with pytest.raises(NotReadyError, match="2026-03-17 is not ready") as caught:
        nightly(config, now=MORNING)
    assert caught.value.exit_code == 75
    assert judged(config) == LAST - timedelta(days=1)
    (outcome,) = nightly(config, now=datetime(2026, 3, 18, 9, 0, tzinfo=UTC))
    assert not outcome.report.coverage.complete
    assert judged(config) == LAST


def test_rows_that_came_meanwhile_make_the_day_ready(config: Config) -> None:
    """The next try pulls the day again and judges it whole."""
    whole = Path(config.source.usage[0]).read_text()  # type: ignore[union-attr]
    nightly(config, now=MORNING - timedelta(days=1))
    cut_off(config, "15")
    with pytest.raises(NotReadyError):
        nightly(config, now=MORNING)
    Path(config.source.usage[0]).write_text(whole)  # type: ignore[union-attr]
    (outcome,) = nightly(config, now=MORNING + timedelta(minutes=30))
    assert outcome.report.coverage.complete
    assert History(Path(config.history.path), config.zone).read(LAST)["request_count"].sum() == 96


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", date(2026, 3, 29)),
        ("Europe/Berlin", date(2026, 10, 25)),
        ("America/New_York", date(2026, 3, 8)),
        ("America/New_York", date(2026, 11, 1)),
        ("Australia/Lord_Howe", date(2026, 4, 5)),
        ("Australia/Lord_Howe", date(2026, 10, 4)),
    ],
)
def test_every_day_around_a_clock_change_is_judged_once(config: Config, zone: str, change: date) -> None:
    """Whether the hour of the run is repeated or left out, at each of its times exactly the next day is due."""
    config = config.model_copy(update={"timezone": zone})
    trigger, first = nightly_trigger(config), change - timedelta(days=3)
    now = datetime(first.year, first.month, first.day, 12, tzinfo=config.zone)
    runs: list[date] = []
    with closing(State.of(config)) as state:
        while len(runs) < 7:
            now = trigger.get_next_fire_time(None, now + timedelta(seconds=1)).astimezone(UTC)
            if has_work(config, now):
                for day in due_days(config, days_judged(state), now):
                    record_day(state, day, WHOLE, [])
                    runs.append(day)
    assert runs == [first + timedelta(days=number) for number in range(7)]


def test_a_day_whose_hour_has_passed_is_overdue(config: Config) -> None:
    """Before its hour it is not; on a new installation nothing is."""
    assert not is_behind(config, MORNING)
    with closing(State.of(config)) as state:
        record_day(state, LAST - timedelta(days=1), WHOLE, [])
    assert not is_behind(config, MORNING - timedelta(minutes=1))
    assert is_behind(config, MORNING)


def test_a_day_judged_without_its_data_is_judged_again_once_they_are_there(
    config: Config, channel: FakeChannel
) -> None:
    """Told as interim on its own morning, and again, whole, with the next day."""
    path = Path(config.source.usage[0])  # type: ignore[union-attr]
    whole = path.read_text()
    nightly(config, now=MORNING - timedelta(days=2))
    path.write_text("\n".join(line for line in whole.splitlines() if not line.startswith("2026-03-16")) + "\n")
    nightly(config, now=datetime(2026, 3, 17, 9, tzinfo=UTC))
    with closing(State.of(config)) as state:
        assert days_judged(state)[LAST - timedelta(days=1)] is False
    path.write_text(whole)
    outcomes = nightly(config, now=MORNING)
    assert [outcome.report.day.date for outcome in outcomes] == [LAST - timedelta(days=1), LAST]
    assert all(outcome.report.coverage.complete for outcome in outcomes)
    assert [message.day for message in channel.sent] == [LAST - timedelta(days=ago) for ago in (2, 1, 0)]
    assert [outcome.report.day.date for outcome in nightly(config, now=MORNING)] == [LAST]


def test_an_interim_day_whose_data_never_come_is_told_once(config: Config, channel: FakeChannel) -> None:
    """It is looked at again with every run, and nothing is said while nothing is new."""
    path = Path(config.source.usage[0])  # type: ignore[union-attr]
    kept = [line for line in path.read_text().splitlines() if not line.startswith("2026-03-16")]
    path.write_text("\n".join(kept) + "\n")
    nightly(config, now=MORNING - timedelta(days=2))
    nightly(config, now=datetime(2026, 3, 17, 9, tzinfo=UTC))
    assert [outcome.report.day.date for outcome in nightly(config, now=MORNING)] == [LAST]
    assert [message.day for message in channel.sent] == [LAST - timedelta(days=ago) for ago in (2, 1, 0)]


def test_missed_days_are_told_even_if_the_last_one_is_not_ready(config: Config, channel: FakeChannel) -> None:
    """What is known is not held back for what is not."""
    nightly(config, now=MORNING - timedelta(days=3))
    cut_off(config, "15")
    with pytest.raises(NotReadyError):
        nightly(config, now=MORNING)
    assert channel.sent[-1].day == LAST - timedelta(days=1)


def test_a_digest_that_is_refused_is_in_the_exit_code(config: Config, channel: FakeChannel) -> None:
    """The days were judged, and somebody did not hear of them."""
    nightly(config, now=MORNING - timedelta(days=2))
    channel.answers["a@example.com"] = [DeliveryError("550 no such user", permanent=True)]
    *earlier, last = nightly(config, now=MORNING)
    assert [outcome.exit_code for outcome in earlier] == [0]
    assert last.exit_code == 4
    assert "550 no such user" in last.failures[0]


def test_a_day_begins_by_taking_away_what_killed_runs_left(config: Config) -> None:
    """In and beside history, reports and state; what is not ours stays."""
    nightly(config, now=MORNING - timedelta(days=1))
    var = Path(config.history.path).parent
    day = Path(config.report.directory) / "2026-03-16"
    leftovers = [
        var / "history" / ".keys.parquet.x1.detector.tmp",
        day / ".report.html.x2.detector.tmp",
        var / ".state.db.x3.detector.tmp",
        var / ".history.x4.detector.tmp" / "half",
    ]
    foreign = [var / ".notes.tmp", day / "notes.detector.tmp"]
    for path in [*leftovers, *foreign]:
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    nightly(config, now=MORNING)
    left = {path for path in var.rglob("*") if path.name.endswith(".tmp")}
    assert left == set(foreign)


def test_a_clock_that_ran_ahead_does_not_hide_the_days_that_follow(config: Config) -> None:
    """A day of next month, judged by mistake, leaves the days before it due."""
    ahead = MORNING + timedelta(days=30, hours=9)
    nightly(config, now=MORNING - timedelta(days=1))
    nightly(config, now=ahead)
    assert has_work(config, MORNING)
    assert [outcome.report.day.date for outcome in nightly(config, now=MORNING)] == [LAST]


def test_a_run_that_fails_is_tried_again_soon(config: Config, tmp_path: Path) -> None:
    """Whatever was in the way may be gone before the next day."""
    with closing(State.of(config)) as state:
        record_day(state, LAST - timedelta(days=1), WHOLE, [])
    (tmp_path / "var" / "history").write_text("in the way")
    scheduler = FakeScheduler()
    service = Service(lambda: config, scheduler, lambda: MORNING)
    assert scheduler.jobs["retry"]["run_date"] == MORNING
    service.run()
    assert scheduler.jobs["retry"]["run_date"] == MORNING + timedelta(minutes=30)
    assert judged(config) == LAST - timedelta(days=1)
    (tmp_path / "var" / "history").unlink()
    service.run()
    assert judged(config) == LAST


def test_what_waits_is_sent_between_runs(config: Config, channel: FakeChannel) -> None:
    """A mail that was refused for now goes out without waiting for the next day."""
    channel.answers["a@example.com"] = [DeliveryError("try later", permanent=False)]
    nightly(config, now=MORNING)
    assert channel.sent == []
    scheduler = FakeScheduler()
    service = Service(lambda: config, scheduler, lambda: MORNING + timedelta(minutes=5))
    assert scheduler.jobs["delivery"]["trigger"] == "interval"
    service.deliver()
    assert [message.day for message in channel.sent] == [LAST]


def test_a_configuration_with_a_mistake_is_not_taken_over(config: Config) -> None:
    """The running process keeps the one it has, and the day comes."""
    path = Path(config.history.path).parent.parent / "config.yaml"
    overrides = ["history.first_pull_days=20"]
    scheduler = FakeScheduler()
    service = Service(lambda: load(path, overrides), scheduler, lambda: MORNING)
    planned = dict(scheduler.jobs)
    overrides.append("schedule.nightly=half past two")
    service.reload()
    assert scheduler.jobs == planned
    service.run()
    assert judged(config) == LAST


SERVE = """
import sys, threading
from pathlib import Path
from detector.config.load import load
from detector.operations.monitoring.logs import logging_to_stderr
from detector.state.runs import Run
from detector.operations.schedule.scheduler import run_scheduler

reach = Run.reach

def reach_and_hang(run, stage, **done):
    reach(run, stage, **done)
    print("hanging", file=sys.stderr, flush=True)
    threading.Event().wait()

if sys.argv[2] == "hang":
    Run.reach = reach_and_hang
path, changes = Path(sys.argv[1]), sys.argv[3:]
with logging_to_stderr("console", 20):
    run_scheduler(lambda: load(path, changes))
"""
"""The process of ``schedule``, whose run may be made to hang at its first stage."""


@pytest.fixture
def serving(config: Config) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the process on files that end with yesterday, which is overdue; kills what still runs in the end."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    move(config, yesterday)
    with closing(State.of(config)) as state:
        record_day(state, yesterday - timedelta(days=1), WHOLE, [])
    path = Path(config.history.path).parent.parent / "config.yaml"
    changes = ["schedule.nightly=0 0 * * *", "history.first_pull_days=20"]
    processes: list[subprocess.Popen[str]] = []

    def start(ending: str, *further: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SERVE, str(path), ending, *changes, *further]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def read_until(words: str, process: subprocess.Popen[str]) -> None:
    """Read what a process logs up to a line that says so."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"the process ended without saying {words!r}")


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and the rest of its log."""
    _, rest = process.communicate(timeout=120)
    return process.returncode, rest


def test_a_stopped_process_finishes_its_day(serving: Callable[..., subprocess.Popen[str]], config: Config) -> None:
    """A process that comes up late judges at once; SIGTERM in the middle lets it finish, and it exits with 0."""
    process = serving("end")
    read_until("judging what is due", process)
    process.send_signal(signal.SIGTERM)
    code, rest = ended(process)
    assert code == 0, rest
    assert "stopped" in rest
    assert has_judged_yesterday(config)


def test_a_day_that_hangs_is_left_after_the_grace(
    serving: Callable[..., subprocess.Popen[str]], config: Config
) -> None:
    """Exit code 75, and the next start judges it."""
    process = serving("hang", "schedule.grace_minutes=0.01")
    read_until("hanging", process)
    process.send_signal(signal.SIGTERM)
    code, rest = ended(process)
    assert (code, "not finished within 0:00:00.6" in rest) == (75, True), rest
    assert not has_judged_yesterday(config)
    following = serving("end")
    read_until("ended", following)
    assert has_judged_yesterday(config)


def test_a_process_that_is_told_to_stop_twice_stops_at_once(serving: Callable[..., subprocess.Popen[str]]) -> None:
    """As by pressing Ctrl-C again."""
    process = serving("hang")
    read_until("hanging", process)
    process.send_signal(signal.SIGINT)
    read_until("stopping", process)
    process.send_signal(signal.SIGINT)
    code, rest = ended(process)
    assert (code, "told to stop again" in rest) == (75, True), rest


def has_judged_yesterday(config: Config) -> bool:
    """Whether the state has the day that the files of ``serving`` end with."""
    last = Path(config.source.usage[0]).read_text().splitlines()[-1][:10]  # type: ignore[union-attr]
    with closing(State.of(config)) as state:
        return date.fromisoformat(last) in days_judged(state)
