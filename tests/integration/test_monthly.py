"""The statement of a month: from the history, by the command line, and by itself every month."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from detector.chargeback.statement import Month
from detector.cli.main import main
from detector.config.config import Config
from detector.config.load import load
from detector.model.errors import ConfigError, HistoryError, LockedError
from detector.operations.schedule import monthly
from detector.operations.schedule.monthly import Written, folder_of, written
from detector.operations.schedule.scheduler import Service, is_statement_due
from detector.pipeline import Job
from detector.sources.pull import pull
from detector.state.database import State
from detector.state.runs import only_run
from detector.usage.history import History
from tests.fakes import FakeScheduler, FakeSource, groups

LAST = date(2026, 3, 4)
FEBRUARY = Month(2026, 2)
IN_TIME = datetime(2026, 3, 1, 6, tzinfo=UTC)
SETTLED = datetime(2026, 3, 3, 2, 30, tzinfo=UTC)
CHARGES = """
chargeback:
  currency: EUR
  prices: [{name: Requests, price: 0.01}]
  shared: [{name: Gateway, amount: 100, split: evenly}]
"""
KEYS = "key_id,name,environment,team\nk1,shop,live,a\nk2,jobs,live,b\nk3,lab,test,b\n"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Two keys with a request an hour each, from the last day of January to the first days of March."""
    hours = [datetime(2026, 1, 31, tzinfo=UTC) + timedelta(hours=hour) for hour in range(33 * 24)]
    lines = [f"{hour.isoformat()},{key},/x,200" for hour in hours for key in ("k1", "k2")]
    (tmp_path / "usage.csv").write_text("timestamp,key_id,endpoint,status\n" + "\n".join(lines) + "\n")
    (tmp_path / "keys.csv").write_text(KEYS)
    (tmp_path / "config.yaml").write_text("source: {kind: files, usage: usage.csv, keys: keys.csv}\n" + CHARGES)
    return load(tmp_path / "config.yaml", ["history.first_pull_days=3"])


def stored(config: Config, first: date, last: date, now: datetime = SETTLED) -> None:
    """Have these days in the history."""
    job = Job.assemble(config, now)
    with closing(job.state):
        pull(config, job.source, job.history, first, last, now=now)


def total(config: Config) -> str:
    """What the written statement of February comes to."""
    document = json.loads((folder_of(config, FEBRUARY) / "statement.json").read_text())
    return str(document["total"])


def test_a_statement_is_written_in_every_format_and_linked(config: Config) -> None:
    """672 requests a key at a cent, and the gateway; all files whole, the index page leads there."""
    made, paths = monthly.monthly(config, SETTLED)
    assert made.final
    assert made.money(made.total) == Decimal("113.44")
    folder = folder_of(config, FEBRUARY)
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths}
    assert total(config) == "113.44"
    rows = list(csv.DictReader(io.StringIO((folder / "focus.csv").read_text())))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal("113.44")
    assert 'href="chargeback/2026-02/statement.html"' in (folder.parent.parent / "index.html").read_text()


def test_days_that_the_history_lacks_are_pulled(config: Config, tmp_path: Path) -> None:
    """And those it has are not asked for again."""
    stored(config, *FEBRUARY.days()[:2])
    monthly.monthly(config, SETTLED)
    history = History(Path(config.history.path), config.zone)
    assert not history.missing(FEBRUARY.first, FEBRUARY.last)
    (tmp_path / "usage.csv").unlink()
    made, _ = monthly.monthly(config, SETTLED)
    assert (made.failures, total(config)) == ((), "113.44")


def test_what_the_source_does_not_give_is_told_and_not_charged(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The statement of what is there is written, is not final, and the exit code is 4."""
    stored(config, FEBRUARY.first, date(2026, 2, 5))
    (tmp_path / "usage.csv").unlink()
    made, _ = monthly.monthly(config, SETTLED)
    assert made.failures
    assert len(made.days.missing) == 23
    assert written(config, FEBRUARY) is Written.PROVISIONAL
    with pytest.raises(SystemExit) as end:
        main(["chargeback", "--config", str(tmp_path / "config.yaml"), "--month", "2026-02"])
    assert end.value.code == 4
    assert "23 of 28 days are missing and not charged" in capsys.readouterr().out


class Forgetful(FakeSource):
    """Leaves a day out without a word, as a source may that never saw it."""

    def usage(self, first: date, last: date) -> Iterator[tuple[date, pd.DataFrame]]:
        """Every day but the tenth of February."""
        return ((day, measured) for day, measured in super().usage(first, last) if day.day != 10)


def test_days_that_are_missing_without_a_word_are_partial_too(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No error of the source, and yet not all is charged: exit code 4, and said beside every format."""
    source = Forgetful({day: groups(k1=5) for day in FEBRUARY.days()})
    monkeypatch.setattr("detector.pipeline.open_source", lambda source_config, zone, clock: source)
    with pytest.raises(SystemExit) as end:
        main(["chargeback", "--config", str(tmp_path / "config.yaml"), "--month", "2026-02", "--format", "csv"])
    assert end.value.code == 4
    assert "1 of 28 days is missing and not charged: 2026-02-10" in capsys.readouterr().err


def test_a_month_of_which_nothing_is_known_is_an_error(config: Config, tmp_path: Path) -> None:
    """One that has not begun, and one that the source knows nothing of."""
    with pytest.raises(ConfigError, match="no day of 2026-04 is over yet"):
        monthly.statement(config, Month(2026, 4), SETTLED)
    (tmp_path / "usage.csv").unlink()
    with pytest.raises(HistoryError, match="no day of 2026-02 is in the history"):
        monthly.statement(config, FEBRUARY, SETTLED)


def test_a_month_that_runs_is_charged_as_far_as_it_is(config: Config) -> None:
    """On demand; what is still to come is said."""
    made = monthly.statement(config, FEBRUARY, datetime(2026, 2, 11, 12, tzinfo=UTC))
    assert len(made.days.stored) == 10
    assert len(made.days.ahead) == 18
    assert not made.final


@pytest.mark.parametrize("last", [date(2026, 2, 10), FEBRUARY.last])
def test_nothing_is_pulled_or_written_beside_a_run_at_work(config: Config, last: date) -> None:
    """Exit code 75, and no statement of half a month; on demand one of a whole month is told all the same."""
    stored(config, FEBRUARY.first, last)
    with closing(State.of(config)) as state, only_run(state):
        with pytest.raises(LockedError):
            monthly.monthly(config, SETTLED)
        if last == FEBRUARY.last:
            assert monthly.statement(config, FEBRUARY, SETTLED).final
    assert not folder_of(config, FEBRUARY).exists()


def test_a_statement_is_due_from_its_hour_until_it_is_final(config: Config) -> None:
    """Where there are prices and the month is in the history."""
    assert not is_statement_due(config, SETTLED)
    stored(config, FEBRUARY.last, FEBRUARY.last, IN_TIME)
    assert not is_statement_due(config, IN_TIME - timedelta(minutes=1))
    assert is_statement_due(config, IN_TIME)
    monthly.monthly(config, IN_TIME)
    assert written(config, FEBRUARY) is Written.PROVISIONAL
    assert is_statement_due(config, IN_TIME)
    monthly.monthly(config, SETTLED)
    assert written(config, FEBRUARY) is Written.FINAL
    assert not is_statement_due(config, SETTLED)
    assert not is_statement_due(config.model_copy(update={"chargeback": type(config.chargeback)()}), IN_TIME)


def test_the_scheduler_writes_it_and_again_until_it_is_final(config: Config, tmp_path: Path) -> None:
    """At its hour, and after the days that follow: rows that came late are charged."""
    now = [datetime(2026, 2, 28, 2, 30, tzinfo=UTC)]
    service = Service(lambda: config, FakeScheduler(), lambda: now[0])
    service.run()
    usage = tmp_path / "usage.csv"
    now[0] = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    service.run()
    assert written(config, FEBRUARY) is Written.NOTHING
    now[0] = IN_TIME
    service.charge()
    assert (written(config, FEBRUARY), total(config)) == (Written.PROVISIONAL, "113.44")
    with usage.open("a") as file:
        file.write("2026-02-28T23:59:00Z,k1,/x,200\n")
    for day in (2, 3):
        now[0] = datetime(2026, 3, day, 2, 30, tzinfo=UTC)
        service.run()
    assert (written(config, FEBRUARY), total(config)) == (Written.FINAL, "113.45")


def test_a_statement_that_was_missed_is_written_at_the_next_start(config: Config) -> None:
    """As after a first of the month without power."""
    now = datetime(2026, 3, 5, 12, tzinfo=UTC)
    stored(config, FEBRUARY.first, LAST, now)
    scheduler = FakeScheduler()
    service = Service(lambda: config, scheduler, lambda: now)
    assert scheduler.jobs["retry"]["run_date"] == now
    service.run()
    assert written(config, FEBRUARY) is Written.FINAL


def test_a_statement_that_cannot_be_written_is_tried_again_soon(config: Config, tmp_path: Path) -> None:
    """And the days go on."""
    stored(config, FEBRUARY.first, FEBRUARY.last)
    in_the_way = tmp_path / "var/reports/chargeback"
    in_the_way.parent.mkdir()
    in_the_way.write_text("in the way")
    scheduler, now = FakeScheduler(), SETTLED
    service = Service(lambda: config, scheduler, lambda: now)
    service.run()
    assert scheduler.jobs["retry"]["run_date"] == now + timedelta(minutes=30)
    in_the_way.unlink()
    service.run()
    assert written(config, FEBRUARY) is Written.FINAL


@pytest.fixture
def command(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``chargeback``: exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["chargeback", "--config", str(tmp_path / "config.yaml"), *arguments])
        assert isinstance(end.value.code, int)
        return end.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("form", ["text", "html", "json", "csv", "focus"])
def test_the_command_prints_every_format(command: Callable[..., tuple[int, str, str]], form: str) -> None:
    """To standard output, and nothing else there."""
    code, out, _ = command("--month", "2026-02", "--format", form)
    assert code == 0
    if form == "json":
        assert json.loads(out)["total"] == "113.44"
    elif form in ("csv", "focus"):
        assert len(list(csv.DictReader(io.StringIO(out)))) == 4
    else:
        assert "113.44" in out


def test_the_command_writes_a_file_whole(command: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    """And says where."""
    code, out, _ = command("--month", "2026-02", "--format", "html", "--out", str(tmp_path / "bill.html"))
    assert (code, out) == (0, f"{tmp_path / 'bill.html'}\n")
    assert (tmp_path / "bill.html").read_text().rstrip().endswith("</html>")


def test_a_file_that_cannot_be_written_is_an_error_in_one_line(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    """Which one, and why."""
    (tmp_path / "file").write_text("not a folder")
    code, out, error = command("--month", "2026-02", "--out", str(tmp_path / "file" / "deep" / "bill"))
    assert (code, out) == (1, "")
    assert error.splitlines()[-1] == f"detector: Not a directory: {tmp_path / 'file' / 'deep'}"


@pytest.mark.parametrize("month", ["2026-2", "02-2026", "February", "2999-01"])
def test_a_month_that_makes_no_sense_is_bad_usage(
    command: Callable[..., tuple[int, str, str]], month: str
) -> None:
    """Exit code 2."""
    code, out, error = command("--month", month)
    assert (code, out) == (2, "")
    assert month in error
