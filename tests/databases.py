"""The sql source over the table ``usage`` of a database, and SQLite databases for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from detector.config.source import SqlSource
from detector.sources.sql.reader import SqlReader

UTC_ZONE = ZoneInfo("UTC")
DAY = date(2026, 1, 2)
EVENTS = "timestamp, key_id, endpoint, status, client"
"""The columns of a table of requests."""


def sqlite(folder: Path, columns: str, rows: Sequence[Sequence[Any]], table: str = "usage") -> str:
    """The URL of a SQLite database with one table, whose columns have no type."""
    path = folder / "usage.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {table} ({columns})")
        marks = ", ".join("?" * (columns.count(",") + 1))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    connection.close()
    return f"sqlite:///{path}"


def reader(url: str, zone: ZoneInfo = UTC_ZONE, **options: Any) -> SqlReader:
    """A source over the table ``usage``."""
    return SqlReader(SqlSource(url=url, **{"usage": "usage", **options}), zone)


def counted(source: SqlReader, day: date = DAY) -> dict[str, tuple[int, int]]:
    """Requests and errors by key on one day."""
    ((_, frame),) = source.usage(day, day)
    return {key: (requests, errors) for key, requests, errors in frame.iloc[:, :3].itertuples(index=False)}


def faults(source: SqlReader, day: date = DAY) -> dict[str, int]:
    """Faults of one day, which is pulled: reason to count."""
    list(source.usage(day, day))
    return {fault.reason: fault.count for fault in source.faults(day)}
