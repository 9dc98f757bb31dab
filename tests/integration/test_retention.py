"""What is older than it is to be kept goes, and nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from detector.config import Config, load
from detector.history import History
from detector.pull import pull
from jobs.retention import prune
from tests.fakes import FakeSource, groups

NOW = datetime(2026, 3, 18, 3, tzinfo=UTC)
LAST = date(2026, 3, 17)
AGO = (199, 150, 131, 130, 129, 121, 120, 61, 59, 1, 0)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Some nights of the last two hundred with their reports, of which those of the last 130 are kept."""
    (tmp_path / "config.yaml").write_text("source: {kind: files, usage: none.csv}\nhistory: {keep_nights: 130}\n")
    config = load(tmp_path / "config.yaml")
    nights = {LAST - timedelta(days=ago): groups(a=1) for ago in AGO}
    history = History(Path(config.history.path), config.zone)
    for night in sorted(nights):
        pull(config, FakeSource(nights), history, night, night, now=NOW)
        folder = Path(config.report.directory) / str(night)
        folder.mkdir(parents=True)
        (folder / "report.json").write_text("{}")
    (Path(config.report.directory) / "9999-99-99").mkdir()
    (Path(config.report.directory) / "index.html").write_text("all nights")
    return config


def stored(config: Config) -> list[date]:
    """The nights of the history."""
    return History(Path(config.history.path), config.zone).nights()


def test_old_nights_and_reports_go_and_the_others_stay(config: Config) -> None:
    """The bound counts from the last night; what is no report of a night is left alone."""
    old = prune(config, NOW)
    assert len(old.nights) == len(old.reports) == 3
    assert stored(config)[0] == LAST - timedelta(days=130)
    left = sorted(path.name for path in Path(config.report.directory).iterdir())
    assert left[0] == str(LAST - timedelta(days=130))
    assert left[-2:] == ["9999-99-99", "index.html"]


def test_pretending_takes_nothing_away(config: Config) -> None:
    """It only says what would go."""
    assert len(prune(config, NOW, pretend=True).nights) == 3
    assert len(stored(config)) == len(AGO)


def test_what_judging_reads_is_never_taken_away(config: Config) -> None:
    """However few nights are to be kept: they would be pulled again every night."""
    history = config.history.model_copy(update={"keep_nights": 60})
    prune(config.model_copy(update={"history": history}), NOW)
    assert stored(config)[0] <= LAST - timedelta(days=config.history.first_pull_nights)


def test_pruning_twice_takes_nothing_more(config: Config) -> None:
    """The second time everything old is gone."""
    prune(config, NOW)
    assert prune(config, NOW).nights == ()
