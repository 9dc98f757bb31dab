"""A large day of awkward records is counted exactly as its generator knows it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from detector.config.load import load
from detector.model.usage import Accounting
from detector.sources import open_source
from detector.sources.pull import pull
from detector.usage.history import History, Notes
from tests.awkward_day import (
    BAD_STATUS,
    COLUMNS,
    COUNTED,
    DAY,
    KEYLESS,
    KINDS,
    NOW,
    REPEATED,
    REPLACED,
    ROOMS,
    AwkwardDay,
    Count,
    Texts,
    awkward_day,
)

LINES = 400_000
CREATE = f"CREATE TABLE usage ({', '.join(f'{name} text' for name in COLUMNS)})"


@pytest.fixture(scope="module")
def day() -> AwkwardDay:
    """The large day."""
    return awkward_day(LINES)


class Pulled:
    """What the history holds of the day after a pull."""

    def __init__(self, folder: Path, source: str) -> None:
        path = folder / "config.yaml"
        path.write_text(f"source: {{{source}, columns: {{event_id: event_id}}}}\n")
        config = load(path)
        history = History(folder / "history", config.zone)
        opened = open_source(config.source, config.zone, lambda: NOW)
        pull(config, opened, history, DAY, DAY, now=NOW)
        self.notes: Notes = history.notes(DAY)
        records = history.read(DAY)
        used = records[records["request_count"] > 0]
        self.requests = dict(zip(used["key_id"], used["request_count"], strict=True))
        self.errors = dict(zip(used["key_id"], used["error_count"], strict=True))

    @property
    def accounting(self) -> Accounting:
        """What became of the records."""
        assert self.notes.accounting is not None
        return self.notes.accounting

    def noted(self, reason: str) -> int:
        """The records that a note tells of."""
        return sum(fault.count for fault in self.notes.faults if fault.reason == reason)


def assert_equal(pulled: Pulled, count: Count) -> None:
    """Requests and errors by key, and the whole accounting, are the right ones."""
    accounting = pulled.accounting
    unusable = {reason: (amount.records, amount.bytes) for reason, amount in accounting.unusable.items()}
    assert unusable == count.unusable
    assert pulled.requests == dict(count.requests)
    assert pulled.errors == dict(count.errors)
    assert accounting.counted == count.records[COUNTED]
    assert accounting.keyless == count.records[KEYLESS]
    assert accounting.repeated == count.records[REPEATED]
    assert pulled.noted(BAD_STATUS) == count.odd_statuses


def from_file(folder: Path, day: AwkwardDay) -> Pulled:
    """The day as a file of JSON lines."""
    folder.mkdir(exist_ok=True)
    (folder / "usage.jsonl").write_bytes(b"\n".join(day.lines) + b"\n")
    return Pulled(folder, "kind: files, usage: usage.jsonl")


def from_sqlite(folder: Path, rows: Iterable[Texts]) -> Pulled:
    """The day as a table of SQLite."""
    path = folder / "usage.db"
    marks = ", ".join("?" * len(COLUMNS))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(CREATE)
        connection.executemany(f"INSERT INTO usage VALUES ({marks})", rows)
    return Pulled(folder, f'kind: sql, url: "sqlite:///{path}", usage: usage')


def from_postgresql(folder: Path, url: str, rows: Iterable[Texts]) -> Pulled:
    """The day as a table of PostgreSQL."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
        cursor.execute(CREATE)
        with cursor.copy(f"COPY usage ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    return Pulled(folder, f'kind: sql, url: "{url}", usage: usage')


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_of_kinds_is_counted_as_it_should_be(tmp_path: Path, room: str) -> None:
    """A difference in the large day is easier to find in a small one."""
    day = awkward_day(2_000, room)
    pulled = from_file(tmp_path, day)
    assert_equal(pulled, day.count())
    assert pulled.noted(REPLACED) == day.count().replaced


def test_400_000_awkward_lines_are_accounted_for(tmp_path: Path, day: AwkwardDay) -> None:
    """Nothing is lost and nothing is counted twice among all the others."""
    pulled = from_file(tmp_path, day)
    count = day.count()
    assert_equal(pulled, count)
    assert pulled.noted(REPLACED) == count.replaced
    assert pulled.accounting.read == sum(count.records.values()) - count.records["elsewhere"]


def test_sqlite_counts_the_same(tmp_path: Path, day: AwkwardDay) -> None:
    """The records that a table can hold."""
    assert_equal(from_sqlite(tmp_path, day.rows()), day.count_of_rows())


def test_postgresql_counts_the_same(tmp_path: Path, empty_postgres: str, day: AwkwardDay) -> None:
    """The records that a table can hold."""
    assert_equal(from_postgresql(tmp_path, empty_postgres, day.rows()), day.count_of_rows())


def test_the_kinds_are_many() -> None:
    """A day without awkward lines would prove nothing."""
    assert len(KINDS) > 80
