"""The history: days stored whole, and what was known before each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.model.day import Day, each_day
from detector.model.errors import ConfigError, HistoryError, SourceError
from detector.model.usage import Fault, Revision
from detector.sources import pull as pulling
from detector.usage.history import History
from detector.usage.panel import load_panel
from tests.fakes import FakeSource, groups

UTC_ZONE = ZoneInfo("UTC")
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "config.yaml").write_text("source: {kind: files, usage: none.csv}\n")
    return load(tmp_path / "config.yaml")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", UTC_ZONE)


def day(number: int) -> date:
    """The n-th day, from zero."""
    return FIRST + timedelta(days=number)


def pull(
    config: Config, source: FakeSource, history: History, first: int, last: int, now: datetime = NOW
) -> list[date]:
    """Pull days by number."""
    return pulling.pull(config, source, history, day(first), day(last), now=now)


def contents(history: History) -> dict[date, pd.DataFrame]:
    """Every stored day."""
    return {day: history.read(day) for day in history.days()}


def known(history: History, number: int, key: str) -> pd.Series:
    """What was frozen of a key into a day."""
    frame = history.read(day(number)).set_index("key_id")
    return frame.loc[key, ["first_seen", "last_seen", "longest_silence"]]


def test_a_day_comes_back_as_it_was_stored(config: Config, history: History) -> None:
    """Counts, maps, register and notes."""
    fault = Fault("broken line", 2, ("line 7",), dated=False)
    register = [
        {"key_id": "a", "environment": "live", "team": "payments"},
        {"key_id": "idle", "environment": "test"},
    ]
    source = FakeSource({day(0): groups(a=5, stranger=2)}, register, faults=(fault,), watermark=NOW)
    pull(config, source, history, 0, 0)
    records = history.read(day(0)).set_index("key_id")
    assert records["request_count"].to_dict() == {"a": 5, "idle": 0, "stranger": 2}
    assert records.loc["a", "endpoint_distribution"] == [("GET /v1/things", 5)]
    assert records["registered"].to_dict() == {"a": True, "idle": True, "stranger": False}
    assert history.notes(day(0)).faults == (fault,)
    assert history.notes(day(0)).watermark == NOW


def test_only_missing_days_are_pulled(config: Config, history: History) -> None:
    """Each stretch of missing days is one question to the source."""
    source = FakeSource({day(number): groups(a=1) for number in range(10)})
    pull(config, source, history, 3, 4)
    source.asked.clear()
    pull(config, source, history, 0, 9)
    assert source.asked == [(day(0), day(2)), (day(5), day(9))]
    assert history.days() == [day(number) for number in range(10)]


def test_an_empty_last_day_is_looked_at_again(config: Config, history: History) -> None:
    """Its data may have come since."""
    source = FakeSource({day(0): groups(a=1)})
    pull(config, source, history, 0, 1)
    source.days[day(1)] = groups(a=9)
    assert pull(config, source, history, 0, 1) == [day(1)]
    assert history.read(day(1))["request_count"].sum() == 9
    assert pull(config, source, history, 0, 1) == []


def test_what_was_known_before_a_day_is_frozen_into_it(config: Config, history: History) -> None:
    """First use, last use and longest silence, as of the start of the day."""
    source = FakeSource({day(0): groups(a=1), day(4): groups(a=1), day(6): groups(a=1)})
    pull(config, source, history, 0, 7)
    assert known(history, 0, "a").isna().tolist() == [True, True, False]
    assert known(history, 4, "a")["longest_silence"] == 0
    assert known(history, 5, "a")["longest_silence"] == 3
    assert known(history, 7, "a")["first_seen"] == day(0)
    assert known(history, 7, "a")["last_seen"].date() == day(6)


def test_older_days_pulled_later_leave_the_same_history(config: Config, tmp_path: Path) -> None:
    """The order of pulling does not matter."""
    usage = {day(number): groups(a=1, **({"b": 2} if number in (1, 8) else {})) for number in range(10)}
    in_order, out_of_order = History(tmp_path / "one", UTC_ZONE), History(tmp_path / "two", UTC_ZONE)
    pull(config, FakeSource(usage), in_order, 0, 9)
    pull(config, FakeSource(usage), out_of_order, 5, 9)
    pull(config, FakeSource(usage), out_of_order, 0, 4)
    expected, found = contents(in_order), contents(out_of_order)
    assert list(expected) == list(found)
    for stored, frame in expected.items():
        pd.testing.assert_frame_equal(frame, found[stored])


def test_the_source_is_asked_what_happened_before_the_first_day(config: Config, history: History) -> None:
    """So that a key asleep for longer than the history is known to be."""
    before = pd.DataFrame(
        {"key_id": ["old"], "first_seen": [date(2025, 1, 1)], "last_seen": [datetime(2025, 6, 1, tzinfo=UTC)]}
    )
    pull(config, FakeSource({day(0): groups(a=1)}, before=before), history, 0, 0)
    assert known(history, 0, "old")["last_seen"].date() == date(2025, 6, 1)


def test_a_source_that_fails_leaves_whole_days(config: Config, history: History) -> None:
    """What was stored before stays, nothing of the failing day is there, and the next pull goes on."""
    source = FakeSource({day(number): groups(a=1) for number in range(5)})
    source.broken_from = day(3)
    with pytest.raises(SourceError):
        pull(config, source, history, 0, 4)
    assert history.days() == [day(0), day(1), day(2)]
    source.broken_from = None
    pull(config, source, history, 0, 4)
    assert history.days() == [day(number) for number in range(5)]


def test_only_the_organizations_own_keys_are_visible(tmp_path: Path, history: History) -> None:
    """Other organizations' keys are not stored; requests of unregistered ones are counted, their ids are not."""
    (tmp_path / "config.yaml").write_text("organization: acme\nsource: {kind: files, usage: none.csv}\n")
    config = load(tmp_path / "config.yaml")
    register = [{"key_id": "mine", "organization": "acme"}, {"key_id": "theirs", "organization": "other"}]
    pull(config, FakeSource({day(0): groups(mine=1, theirs=5, nobody=7)}, register), history, 0, 0)
    assert history.read(day(0))["key_id"].tolist() == ["mine"]
    (fault,) = history.notes(day(0)).faults
    assert fault.count == 7
    assert "nobody" not in str(fault)


def test_an_organization_needs_a_register_that_names_it(tmp_path: Path, history: History) -> None:
    """Showing everything instead would be a leak."""
    (tmp_path / "config.yaml").write_text("organization: acme\nsource: {kind: files, usage: none.csv}\n")
    with pytest.raises(ConfigError, match="names no organization"):
        pull(load(tmp_path / "config.yaml"), FakeSource({}), history, 0, 0)


def test_a_damaged_day_is_named(config: Config, history: History) -> None:
    """The message says which file and what to do."""
    pull(config, FakeSource({day(0): groups(a=1)}), history, 0, 0)
    (history.root / "day=2026-01-01" / "usage.parquet").write_bytes(b"not parquet")
    with pytest.raises(HistoryError, match=r"day=2026-01-01.*doctor --repair"):
        History(history.root, UTC_ZONE).read(day(0))


def test_no_temporary_file_stays_behind(config: Config, history: History) -> None:
    """Only the days are there."""
    pull(config, FakeSource({day(0): groups(a=1)}), history, 0, 3)
    assert {path.name for path in history.root.rglob("*") if path.is_file()} == {"usage.parquet"}


def test_days_are_both_included() -> None:
    """First and last."""
    assert list(each_day(day(0), day(2))) == [day(0), day(1), day(2)]


def test_late_rows_are_fetched_and_what_they_changed_is_noted(config: Config, history: History) -> None:
    """The two days before the last are pulled again; a day before them has settled."""
    source = FakeSource({day(number): groups(a=5) for number in range(6)})
    pull(config, source, history, 0, 4, now=Day(day(5), UTC_ZONE).start)
    for late in (1, 3):
        source.days[day(late)] = groups(a=5, b=2)
    pull(config, source, history, 0, 5, now=Day(day(6), UTC_ZONE).start)
    assert history.read(day(3))["request_count"].tolist() == [5, 2]
    assert history.read(day(1))["request_count"].tolist() == [5]
    assert load_panel(history, day(5), 5).revisions == (Revision(day(3), day(5), 5, 7, 1),)
    assert load_panel(history, day(4), 4).revisions == ()


def test_looking_again_at_unchanged_days_writes_nothing(config: Config, history: History) -> None:
    """The file of a day that stayed the same keeps its time, and no revision is noted."""
    source = FakeSource({day(number): groups(a=5) for number in range(6)})
    pull(config, source, history, 0, 4, now=Day(day(5), UTC_ZONE).start)
    before = {path: path.stat().st_mtime_ns for path in history.root.rglob("*.parquet")}
    pull(config, source, history, 0, 5, now=Day(day(6), UTC_ZONE).start)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert load_panel(history, day(5), 5).revisions == ()


def test_a_run_again_tells_the_same_revisions(config: Config, history: History) -> None:
    """So that the report of a day stays the same bytes."""
    source = FakeSource({day(number): groups(a=5) for number in range(3)})
    pull(config, source, history, 0, 1, now=Day(day(2), UTC_ZONE).start)
    source.days[day(1)] = groups(a=6)
    for hour in (1, 9):
        pull(config, source, history, 0, 2, now=Day(day(3), UTC_ZONE).start + timedelta(hours=hour))
        assert load_panel(history, day(2), 2).revisions == (Revision(day(1), day(2), 5, 6, 1),)


def test_a_source_that_no_longer_holds_a_day_takes_nothing_away(config: Config, history: History) -> None:
    """Retention at the source is no reason to forget."""
    source = FakeSource({day(number): groups(a=5) for number in range(3)})
    pull(config, source, history, 0, 1, now=Day(day(2), UTC_ZONE).start)
    del source.days[day(1)]
    pull(config, source, history, 0, 2, now=Day(day(3), UTC_ZONE).start)
    assert history.read(day(1))["request_count"].tolist() == [5]


def test_late_rows_reach_what_later_days_know(config: Config, history: History) -> None:
    """A key first seen in late rows is known on the days after."""
    source = FakeSource({day(number): groups(a=5) for number in range(4)})
    pull(config, source, history, 0, 2, now=Day(day(3), UTC_ZONE).start)
    source.days[day(1)] = groups(a=5, late=1)
    pull(config, source, history, 0, 3, now=Day(day(4), UTC_ZONE).start)
    assert known(history, 2, "late")["first_seen"] == day(1)
