"""A panel read from stored days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from detector.model.day import Day
from detector.model.panel import DailyCounts
from detector.model.usage import KNOWN, TEXT, Revision
from detector.usage.aggregation import by_key, clean_register, complete_day, empty
from detector.usage.history import History, Notes
from detector.usage.panel import load_panel
from tests.fakes import groups

UTC_ZONE = ZoneInfo("UTC")
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history", UTC_ZONE)


def day(number: int) -> date:
    """The n-th day, from zero."""
    return FIRST + timedelta(days=number)


def store(
    history: History,
    number: int,
    counts: Mapping[str, int],
    *,
    registered: tuple[str, ...] = (),
    revisions: tuple[Revision, ...] = (),
    endpoint: str = "GET /v1/things",
) -> None:
    """Store a day with requests by key, of keys known from the days stored before."""
    register, _ = clean_register(pd.DataFrame({"key_id": list(registered)}, dtype=object))
    used = by_key(groups(**counts).assign(endpoint=endpoint))
    known = history.known_before(day(number))
    if known is None:
        known = empty({"key_id": TEXT, **KNOWN})
    records = complete_day(used, register, known, Day(day(number), UTC_ZONE))
    history.write(day(number), records, Notes(NOW, NOW, (), revisions=revisions))


def requests(daily: DailyCounts) -> list[dict[str, int]]:
    """By day the requests of each entry over all keys, where there are any."""
    totals = []
    for matrix in daily.days:
        counts = np.asarray(matrix.sum(axis=0)).ravel().tolist()
        totals.append({name: count for name, count in zip(daily.names, counts, strict=True) if count})
    return totals


def test_a_panel_has_every_day_and_says_which_are_missing(history: History) -> None:
    """A day that is not stored is a gap, whatever its place."""
    for number in (0, 1, 2, 3, 5, 6, 7, 8):
        store(history, number, {"a": number + 1})
    panel = load_panel(history, day(8), depth=9)
    assert panel.requests[0].tolist() == [0, 1, 2, 3, 4, 0, 6, 7, 8, 9]
    assert np.flatnonzero(panel.missing).tolist() == [0, 5]
    assert (panel.watermark, panel.pulled_at) == (NOW, NOW)


def test_a_panel_of_a_day_that_was_never_pulled_knows_the_keys(history: History) -> None:
    """The report must be able to say that nobody could be judged."""
    store(history, 0, {"a": 1}, registered=("a",))
    panel = load_panel(history, day(2), depth=5)
    assert panel.keys.tolist() == ["a"]
    assert panel.missing[-1]
    assert panel.records["registered"].tolist() == [True]
    assert panel.pulled_at is None


def test_a_panel_of_an_empty_history_is_empty(history: History) -> None:
    """Nothing known, nothing claimed."""
    panel = load_panel(history, day(0), depth=5)
    assert len(panel.keys) == 0
    assert panel.missing.all()


def test_a_key_is_known_from_the_first_day_that_stores_it(history: History) -> None:
    """Before that, a zero is no silence."""
    store(history, 0, {"a": 1})
    store(history, 1, {"a": 1, "b": 2})
    panel = load_panel(history, day(1), depth=1)
    assert panel.keys.tolist() == ["a", "b"]
    assert panel.known.tolist() == [[True, True], [False, True]]
    assert panel.requests.tolist() == [[1, 1], [0, 2]]


def test_a_panel_reads_no_later_day(history: History) -> None:
    """What is stored after the judged day changes nothing of it."""
    store(history, 0, {"a": 1})
    store(history, 1, {"a": 2})
    before = load_panel(history, day(1), depth=1)
    store(history, 2, {"a": 3, "late": 9})
    after = load_panel(history, day(1), depth=1)
    assert before.keys.equals(after.keys)
    assert np.array_equal(before.requests, after.requests)
    pd.testing.assert_frame_equal(before.records, after.records)


def test_maps_are_read_for_the_keys_that_are_asked_for(history: History) -> None:
    """Of the days before the judged one; a day that is not stored has none."""
    store(history, 0, {"a": 1, "b": 5})
    store(history, 2, {"a": 3})
    panel = load_panel(history, day(2), depth=2)
    assert panel.maps("endpoint_distribution", ["b"]) == [{"b": {"GET /v1/things": 5}}, {}]


def test_endpoint_counts_hold_every_entry_of_their_days(history: History) -> None:
    """One matrix a day over one vocabulary; a day that is not stored is empty."""
    store(history, 0, {"a": 1}, endpoint="GET /old")
    store(history, 1, {"a": 2, "b": 2})
    store(history, 3, {"b": 4}, endpoint="GET /new")
    panel = load_panel(history, day(3), depth=3)
    assert requests(panel.endpoint_counts(3)) == [{"GET /v1/things": 4}, {}, {"GET /new": 4}]
    assert {matrix.shape for matrix in panel.endpoint_counts(3).days} == {(len(panel.keys), 2)}
    assert len(panel.deployment_counts(9).days) == 4


def test_a_panel_has_the_revisions_that_came_with_its_day(history: History) -> None:
    """Those of earlier pulls were reported with earlier days."""
    earlier = Revision(day(0), day(1), 5, 7, 1)
    with_day = Revision(day(0), day(2), 7, 8, 1)
    store(history, 0, {"a": 8}, revisions=(earlier, with_day))
    store(history, 2, {"a": 1})
    assert load_panel(history, day(2), depth=2).revisions == (with_day,)


def test_a_damaged_day_is_missing_and_named(history: History) -> None:
    """The other days are read, and the damage of the evaluated day leaves its keys known."""
    for number in range(4):
        store(history, number, {"a": 5})
    history.path(day(1)).write_bytes(b"no Parquet")
    panel = load_panel(history, day(3), 3)
    assert panel.missing.tolist() == [False, True, False, False]
    assert list(panel.unreadable()) == [day(1)]
    history.path(day(3)).write_bytes(b"no Parquet")
    evaluated = load_panel(history, day(3), 3)
    assert evaluated.missing[-1]
    assert list(evaluated.keys) == ["a"]
    assert day(3) in evaluated.unreadable()


def test_damage_that_only_a_map_has_is_named_once_the_map_is_read(history: History) -> None:
    """The counts of the day stay."""
    for number in range(4):
        store(history, number, {"a": 5})
    path = history.path(day(1))
    pages = pq.ParquetFile(path).metadata.row_group(0)
    maps = next(
        pages.column(index)
        for index in range(pages.num_columns)
        if pages.column(index).path_in_schema.startswith("endpoint_distribution")
    )
    content = bytearray(path.read_bytes())
    content[maps.data_page_offset + maps.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    panel = load_panel(History(history.root, UTC_ZONE), day(3), 3)
    assert panel.unreadable() == {}
    assert requests(panel.endpoint_counts(4))[1] == {}
    assert list(panel.unreadable()) == [day(1)]
    assert panel.requests[0].tolist() == [5, 5, 5, 5]


def test_the_file_of_another_day_is_refused(history: History) -> None:
    """It would be judged under a wrong date."""
    for number in range(3):
        store(history, number, {"a": 5 + number})
    history.path(day(2)).write_bytes(history.path(day(0)).read_bytes())
    panel = load_panel(History(history.root, UTC_ZONE), day(2), 2)
    assert panel.missing[-1]
    assert "it is of another day: 2026-01-01" in panel.unreadable()[day(2)]


def test_the_keys_of_an_earlier_day_are_those_active_on_it(history: History) -> None:
    """A day that is not stored has none."""
    store(history, 0, {"a": 5, "b": 1})
    store(history, 1, {"a": 5})
    panel = load_panel(history, day(1), 1)
    assert panel.trusted_before(day(0)) == {"a", "b"}
    assert panel.trusted_before(day(9)) == frozenset()


def test_a_register_that_loses_keys_is_told(history: History) -> None:
    """Against the register of a week ago, and an empty one against any of the last four weeks."""
    for number in range(12):
        store(history, number, {"a": 5}, registered=("a", "b", "c") if number < 10 else ("a",))
    lost = load_panel(history, day(11), 11).lost_keys
    assert (lost.keys, lost.of) == (2, 3)
    assert load_panel(history, day(9), 9).lost_keys.keys == 0
    for number in range(12, 15):
        store(history, number, {"a": 5})
    emptied = load_panel(history, day(14), 14).lost_keys
    assert (emptied.keys, emptied.of) == (3, 3)
