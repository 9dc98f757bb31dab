"""What is older than it is to be kept goes, and nothing else."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.operations.schedule.retention import remove_old
from detector.sources.pull import pull
from detector.state.database import State
from detector.state.ledger import StateLedger
from detector.state.messages import Message, Outgoing
from detector.state.outbox import failed, mark_failed, mark_sent, queue, waiting
from detector.state.pruning import PrunedState
from detector.state.runs import Stage, begin, last_run
from detector.state.sightings import days_judged, earlier_sightings, record_day
from detector.usage.history import History, StoredDay
from tests.fakes import WHOLE, FakeSource, finding, groups

NOW = datetime(2026, 3, 18, 3, tzinfo=UTC)
LAST = date(2026, 3, 17)
AGO = (199, 150, 131, 130, 129, 121, 120, 61, 59, 1, 0)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Some days of the last two hundred with their reports, of which those of the last 130 are kept."""
    (tmp_path / "config.yaml").write_text("source: {kind: files, usage: none.csv}\nhistory: {keep_days: 130}\n")
    config = load(tmp_path / "config.yaml")
    days = {LAST - timedelta(days=ago): groups(a=1) for ago in AGO}
    history = History(Path(config.history.path), config.zone)
    for day in sorted(days):
        pull(config, FakeSource(days), history, day, day, now=NOW)
        folder = Path(config.report.directory) / str(day)
        folder.mkdir(parents=True)
        (folder / "report.json").write_text("{}")
    (Path(config.report.directory) / "9999-99-99").mkdir()
    (Path(config.report.directory) / "index.html").write_text("all days")
    return config


def stored(config: Config) -> list[date]:
    """The days of the history."""
    return History(Path(config.history.path), config.zone).days()


def test_old_days_and_reports_go_and_the_others_stay(config: Config) -> None:
    """The bound counts from the last day; what is no report of a day is left alone."""
    old = remove_old(config, NOW)
    assert len(old.days) == len(old.reports) == 3
    assert stored(config)[0] == LAST - timedelta(days=130)
    left = sorted(path.name for path in Path(config.report.directory).iterdir())
    assert left[0] == str(LAST - timedelta(days=130))
    assert left[-2:] == ["9999-99-99", "index.html"]


def test_pretending_takes_nothing_away(config: Config) -> None:
    """It only says what would go."""
    assert len(remove_old(config, NOW, pretend=True).days) == 3
    assert len(stored(config)) == len(AGO)


def test_what_judging_reads_is_never_taken_away(config: Config) -> None:
    """However few days are to be kept: they would be pulled again every day."""
    history = config.history.model_copy(update={"keep_days": 60})
    remove_old(config.model_copy(update={"history": history}), NOW)
    assert stored(config)[0] <= LAST - timedelta(days=config.history.first_pull_days)


def test_pruning_twice_takes_nothing_more(config: Config) -> None:
    """The second time everything old is gone."""
    remove_old(config, NOW)
    assert remove_old(config, NOW).days == ()


@pytest.fixture(params=["sqlite", "postgresql"])
def lived(request: pytest.FixtureRequest, config: Config) -> Config:
    """Two hundred days of runs, messages and sightings, on each kind of database."""
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgres")
        config = config.model_copy(update={"state": config.state.model_copy(update={"url": url})})
    with closing(State.of(config)) as state:
        for ago in range(199, -1, -1):
            live(state, LAST - timedelta(days=ago), ago)
    return config


def live(state: State, day: date, ago: int) -> None:
    """One day: a run, messages of every fate, a steady finding, one of long ago, one that comes and goes."""
    at = datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1)
    begin(state, day, at).reach(Stage.PULLED)
    seen = [finding(day, finding_id="steady")]
    seen += [finding(day, finding_id="once", episode=3)] if ago in (198, 197) else []
    seen += [finding(day, finding_id="returns", episode=150 - ago)] if ago in (199, 140, 100, 20) else []
    told = ("sent", "failed", "named", "waits")
    messages = [Message(f"{ago}{part}", day, "mail", "a@example.com", "s", b"x", part) for part in told]
    record_day(state, day, WHOLE, seen, Outgoing(messages, at))
    numbers = {stored.message.part: stored.id for stored in waiting(state) if stored.message.day == day}
    mark_sent(state, numbers["sent"], at)
    mark_failed(state, numbers["failed"], at, "550")
    mark_failed(state, numbers["named"], at, "550")
    queue(state, [], Outgoing([], at, reported=[numbers["named"]]))
    stored = StoredDay("0" * 64, 1, 1)
    StateLedger(state).note(day, stored, None)


def test_rows_of_the_state_that_nobody_needs_go(lived: Config) -> None:
    """Runs, settled messages and sightings before the bound; pretending counts the same and keeps them."""
    would = remove_old(lived, NOW, pretend=True).state
    assert remove_old(lived, NOW).state == would
    assert (would.runs, would.messages) == (68, 138)
    assert would.sightings == 68 + 1 + 1
    with closing(State.of(lived)) as state:
        assert len(waiting(state)) == 200
        assert len(failed(state, unreported=True)) == 200
        assert len(failed(state)) == 200 + 131
    assert remove_old(lived, NOW).state == PrunedState(0, 0, 0)


def test_any_day_that_is_kept_is_judged_as_before(lived: Config) -> None:
    """The earlier sightings of each are the same, so a recurrence knows its episode."""
    kept = [LAST - timedelta(days=ago) for ago in (130, 129, 101, 100, 99, 20, 0, -1)]
    with closing(State.of(lived)) as state:
        before = [earlier_sightings(state, day) for day in kept]
        remove_old(lived, NOW)
        assert [earlier_sightings(state, day) for day in kept] == before
        assert earlier_sightings(state, kept[0])["once"].episode == 3
        assert max(days_judged(state)) == LAST
        assert min(StateLedger(state).noted()) == LAST - timedelta(days=130)


def test_the_latest_run_stays_however_old(config: Config) -> None:
    """What was last done is told after years too."""
    with closing(State.of(config)) as state:
        for ago in (900, 800):
            begin(state, LAST - timedelta(days=ago), NOW - timedelta(days=ago))
        assert remove_old(config, NOW).state.runs == 1
        last = last_run(state)
        assert last is not None
        assert last.day == LAST - timedelta(days=800)


def test_a_clock_that_runs_ahead_takes_nothing_away(config: Config) -> None:
    """A year later by the clock and not by the data: what is old is told by the days that have requests."""
    before = len(remove_old(config, NOW, pretend=True).days)
    assert len(remove_old(config, NOW + timedelta(days=365), pretend=True).days) == before
