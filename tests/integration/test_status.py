"""Whether the installation is well: what `status` says, and what the dead-man's switch hears."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detector.config.config import Config
from detector.model.errors import ConfigError, NotReadyError, SourceError
from detector.operations.schedule.health import trouble
from detector.operations.schedule.nightly import nightly
from detector.operations.schedule.scheduler import Service
from detector.state.database import State
from detector.state.runs import begin, only_run
from detector.state.sightings import days_judged
from detector.usage.history import History
from tests.fakes import FakeScheduler
from tests.installation import as_of, configured, cut_off
from tests.receiver import Receiver, receiver

LAST = date(2026, 3, 17)
MORNING = datetime(2026, 3, 18, 2, 30, tzinfo=UTC)
DEADLINE = datetime(2026, 3, 18, 9, 0, tzinfo=UTC)
A_DAY = timedelta(days=1)


@pytest.fixture
def switch() -> Iterator[Receiver]:
    """A dead-man's switch on loopback."""
    with receiver() as kept:
        yield kept


@pytest.fixture
def config(tmp_path: Path, switch: Receiver) -> Config:
    """A small installation whose data end with the last day."""
    return configured(tmp_path, LAST, f'ping_url: "{switch.url}/secret"')


def told(switch: Receiver) -> list[str]:
    """What the switch was told, in order."""
    return [request.path.split("?")[0].removeprefix("/secret") for request in switch.requests]


def says(config: Config, now: datetime) -> str | None:
    """Why `status` ends with 1; None where it ends with 0."""
    with closing(State.of(config)) as state:
        return trouble(config, state, now)


def run(config: Config, now: datetime) -> None:
    """The nightly run at an instant, over the requests until then."""
    with as_of(config, now):
        nightly(config, now=now)


def test_an_installation_that_never_judged_is_not_well_once_its_deadline_has_passed(config: Config) -> None:
    """Before it nothing is due yet."""
    assert says(config, DEADLINE - timedelta(minutes=1)) is None
    text = says(config, DEADLINE)
    assert text is not None
    assert "no day was ever judged, and 2026-03-17 is due" in text


def test_a_first_run_that_failed_is_told_at_once(config: Config, tmp_path: Path) -> None:
    """With its exit code and its reason."""
    (tmp_path / "usage.csv").write_bytes(b"\x1f\x8b\x08\x00cut off")
    with pytest.raises(SourceError):
        nightly(config, now=MORNING)
    text = says(config, MORNING + timedelta(minutes=1))
    assert text is not None
    assert text.startswith(
        "the day 2026-03-17 is not judged: its run ended with exit code 1: the day 2026-03-17 was"
    )


def test_a_judged_day_is_well_until_the_next_hour(config: Config) -> None:
    """Between midnight and the hour of the run too. From then on the next day is due."""
    run(config, MORNING)
    assert says(config, MORNING + timedelta(hours=23)) is None
    text = says(config, MORNING + A_DAY)
    assert text is not None
    assert "the last judged day is 2026-03-17, and 2026-03-18 is due; is `detector schedule`" in text
    assert says(config, MORNING + 2 * A_DAY - timedelta(hours=1)) is not None


def test_a_day_with_late_data_is_due_from_its_deadline_on(config: Config) -> None:
    """Until then the run waits for them."""
    run(config, MORNING - A_DAY)
    cut_off(config, LAST)
    with pytest.raises(NotReadyError):
        run(config, MORNING)
    assert says(config, DEADLINE - timedelta(minutes=1)) is None
    text = says(config, DEADLINE)
    assert text is not None
    assert "2026-03-17 is due; its run ended with exit code 75" in text


def test_a_day_that_could_not_be_judged_is_not_well(config: Config, tmp_path: Path, switch: Receiver) -> None:
    """Nobody hears of a success, neither at the run nor at the hour at which there is nothing left to do."""
    run(config, MORNING - A_DAY)
    (tmp_path / "usage.csv").write_text("timestamp,key_id,endpoint,status\n")
    run(config, DEADLINE)
    text = says(config, DEADLINE)
    assert text is not None
    assert "its run ended with exit code 4" in text
    Service(lambda: config, FakeScheduler(), lambda: DEADLINE + timedelta(minutes=1)).run()
    assert told(switch) == ["/start", "", "/start", "/4", "/start", "/4"]


def test_what_a_partial_run_left_is_no_success_at_the_next_hour(config: Config, switch: Receiver) -> None:
    """The day is judged on complete data, so nothing is left to do, and the switch hears of the failed part."""
    directory = Path(config.report.directory)
    directory.mkdir(parents=True)
    (directory / str(LAST)).write_text("in the way")
    run(config, MORNING)
    Service(lambda: config, FakeScheduler(), lambda: MORNING).run()
    assert told(switch) == ["/start", "/4", "/4"]
    assert "exit code 4" in str(says(config, MORNING))


def test_a_run_at_work_is_told_from_one_that_was_killed(config: Config) -> None:
    """Both have no end in the log; the lock tells which."""
    with closing(State.of(config)) as state:
        begin(state, LAST, MORNING)
        with only_run(state):
            assert says(config, DEADLINE) is None
    text = says(config, DEADLINE)
    assert text is not None
    assert text.endswith("its run did not finish")


def test_a_source_that_is_away_after_the_deadline_is_tried_again(config: Config, tmp_path: Path) -> None:
    """The report says that nothing was read; the scheduler does not leave it at that until tomorrow."""
    whole = (tmp_path / "usage.csv").read_bytes()
    (tmp_path / "usage.csv").write_bytes(b"\x1f\x8b\x08\x00cut off")
    scheduler = FakeScheduler()
    times = iter(DEADLINE + timedelta(minutes=minute) for minute in range(100))
    service = Service(lambda: config, scheduler, lambda: next(times))
    service.run()
    assert scheduler.jobs["retry"]["run_date"] > DEADLINE + timedelta(minutes=30)
    assert "exit code 1" in str(says(config, DEADLINE))
    (tmp_path / "usage.csv").write_bytes(whole)
    service.run()
    assert says(config, DEADLINE) is None


def test_the_statement_waits_for_the_run_of_its_own_process(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was refused, and said that another run is at work. The run writes it at its end."""
    service = Service(lambda: config, FakeScheduler(), lambda: MORNING)
    begun = threading.Event()
    charged = threading.Event()
    order: list[str] = []

    def judge(config: Config, now: datetime) -> list[object]:
        begun.set()
        assert charged.wait(10)
        order.append("judged")
        return []

    monkeypatch.setattr("detector.operations.schedule.scheduler.nightly", judge)
    monkeypatch.setattr(
        "detector.operations.schedule.scheduler.is_statement_due", lambda *_: order.append("charge")
    )
    thread = threading.Thread(target=service.run)
    thread.start()
    assert begun.wait(10)
    service.charge()
    charged.set()
    thread.join(10)
    assert order == ["judged", "charge"]
    assert "another run is at work" not in caplog.text


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2020, 1, 1), "lies before all data: the first use of a key is on 2026-02-"),
        (LAST + timedelta(days=400), "has not begun yet"),
    ],
)
def test_a_day_without_any_data_around_it_is_refused(config: Config, day: date, reason: str) -> None:
    """Nothing is pulled, stored or judged, so that no later run catches up with the days after it."""
    with pytest.raises(ConfigError, match=reason) as caught:
        nightly(config, now=MORNING, day=day)
    assert caught.value.exit_code == 2
    assert History(Path(config.history.path), config.zone).days() == []
    with closing(State.of(config)) as state:
        assert days_judged(state) == {}
    assert not Path(config.report.directory).exists()


def test_the_first_day_with_data_may_be_judged_by_hand(config: Config) -> None:
    """It is the first day that the error names."""
    with suppress(ConfigError):
        nightly(config, now=MORNING, day=date(2020, 1, 1))
    with pytest.raises(ConfigError) as caught:
        nightly(config, now=MORNING, day=date(2020, 1, 1))
    first = date.fromisoformat(str(caught.value)[-10:])
    (result,) = nightly(config, now=MORNING, day=first)
    assert result.report.day.date == first
    with pytest.raises(ConfigError):
        nightly(config, now=MORNING, day=first - A_DAY - timedelta(days=config.history.first_pull_days))
