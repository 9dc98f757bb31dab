"""The history: days stored whole, and what was known before each."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from detector.config.config import Config
from detector.config.load import load
from detector.model.day import each_day
from detector.model.errors import HistoryError
from detector.model.usage import MISSING_FILE, Fault
from detector.sources import pull as pulling
from detector.usage.history import History, Notes
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


def test_a_stored_day_holds_what_was_known_before_it(config: Config, history: History) -> None:
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


def test_a_file_that_was_missing_in_version_1_is_missing_still() -> None:
    """So its day stays incomplete after an upgrade."""
    fault = {"reason": "no file of the night", "count": 1, "samples": ["usage.csv"], "dated": True}
    stored = {"version": 1, "pulled_at": None, "watermark": None, "last_use": None, "faults": [fault]}
    notes = Notes.from_json(json.dumps(stored))
    assert notes.faults == (Fault(MISSING_FILE, 1, ("usage.csv",)),)


def test_the_error_names_a_damaged_day(config: Config, history: History) -> None:
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
