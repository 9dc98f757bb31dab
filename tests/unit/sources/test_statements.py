"""The statements for databases that no test can run: compiled, and compared with the approved text.

``UPDATE_GOLDEN=1 python -m pytest tests/unit/sources/test_statements.py`` writes the texts anew.
Read the difference before you approve it.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import TIMESTAMP, Column, Date, DateTime, Dialect, Integer, MetaData, Select, String, Table
from sqlalchemy.engine import make_url

from detector.model.day import Day
from detector.sources.sql.dialects import dialect_named
from detector.sources.sql.statements import (
    UsageRows,
    client_counts,
    counts,
    daily_rows,
    days,
    event_rows,
    first_and_last,
    latest_use,
    quarters,
    unread,
    unread_times,
)
from detector.sources.values import ValueRules
from detector.sources.windows import Window, windows

GOLDEN = Path(__file__).parents[2] / "golden"
URLS = {
    "trino": "trino://user@localhost/catalogue",
    "snowflake": "snowflake://user@account/database/schema",
    "bigquery": "bigquery://project/dataset",
    "mysql": "mysql+pymysql://localhost/database",
}
INSTANT = {"bigquery": TIMESTAMP(), "mysql": DateTime()}
"""Dialect to the type that its reflection gives an instant; elsewhere a timestamp with time zone."""

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 31, 2, 30, tzinfo=UTC)


def window() -> Window:
    """Three days. The second has 23 hours."""
    (window,) = windows(date(2026, 3, 28), date(2026, 3, 30), BERLIN)
    return window


def events(name: str, *, with_ids: bool = False) -> UsageRows:
    """Requests in a table of another schema."""
    texts = [Column(column, String(100)) for column in ("api key", "path", "host", "ip", "id")]
    at = Column("ts", INSTANT.get(name, DateTime(timezone=True)))
    table = Table("events", MetaData(), at, *texts, Column("status", Integer), schema="logs")
    columns = {
        "timestamp": table.c.ts,
        "key_id": table.c["api key"],
        "endpoint": table.c.path,
        "deployment": table.c.host,
        "client": table.c.ip,
        "status": table.c.status,
    } | ({"event_id": table.c.id} if with_ids else {})
    return event_rows(table, columns, dialect_named(name), ValueRules(BERLIN))


def rollup(name: str) -> UsageRows:
    """Daily rows whose counts may be missing."""
    texts = [Column(column, String(100)) for column in ("key_id", "endpoint", "deployment")]
    numbers = [Column(column, Integer) for column in ("request_count", "error_count")]
    table = Table("daily", MetaData(), Column("day", Date), *texts, *numbers)
    return daily_rows(table, dict(table.c.items()), dialect_named(name))


def statements(name: str) -> dict[str, Select[tuple[object, ...]]]:
    """Every statement that a source runs."""
    return {
        "requests of a window": counts(events(name), window()),
        "clients of a window": client_counts(events(name), window()),
        "requests that carry ids": counts(events(name, with_ids=True), window()),
        "latest request": latest_use(events(name), NOW),
        "quarters of an hour": quarters(events(name), Day(date(2026, 3, 28), BERLIN), NOW),
        "days of a rollup": days(rollup(name)),
        "use before a day": first_and_last(events(name), Day(date(2026, 3, 29), BERLIN)),
        "times that the database cannot read": unread(events(name)),
        "their numbers": unread_times(events(name)),
        "rollup of a window": counts(rollup(name), window()),
    }


def compiled(statement: Select[tuple[object, ...]], dialect: Dialect) -> str:
    """The text with one clause a line, and the bound values."""
    query = statement.compile(dialect=dialect)
    text = re.sub(r"\s+", " ", str(query)).strip()
    lines = re.sub(r" (FROM|WHERE|GROUP BY|ORDER BY|CASE|UNION)\b", r"\n\1", text)
    bound = "\n".join(f"-- {key} = {value!r}" for key, value in sorted(query.params.items()))
    return f"{lines}\n{bound}\n"


@pytest.mark.parametrize("name", URLS)
def test_the_statements_are_the_approved_ones(name: str) -> None:
    """Each database gets one aggregation for a window of days. All values are bound, none is part of the text."""
    dialect = make_url(URLS[name]).get_dialect()()
    found = "\n".join(
        f"-- {title}\n{compiled(statement, dialect)}" for title, statement in statements(name).items()
    )
    path = GOLDEN / f"statements-{name}.sql"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")
