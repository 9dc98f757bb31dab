"""The statements as databases get them that no test can run: compiled and compared with what is kept.

``UPDATE_GOLDEN=1 python -m pytest tests/unit/sources/test_statements.py`` writes them anew; read the difference.
"""

from __future__ import annotations

import os
import re
from datetime import date
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
    dated,
    event_rows,
    first_and_last,
    latest_use,
)
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


def window() -> Window:
    """Three days around a day of 23 hours."""
    (only,) = windows(date(2026, 3, 28), date(2026, 3, 30), BERLIN)
    return only


def events(name: str, days: Window | None = None, *, with_ids: bool = False) -> UsageRows:
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
    return event_rows(table, columns, None, dialect_named(name), days)


def rollup(name: str) -> UsageRows:
    """Daily rows whose counts may be missing."""
    texts = [Column(column, String(100)) for column in ("key_id", "endpoint", "deployment")]
    numbers = [Column(column, Integer) for column in ("request_count", "error_count")]
    table = Table("daily", MetaData(), Column("day", Date), *texts, *numbers)
    return daily_rows(table, dict(table.c.items()), "production", dialect_named(name))


def statements(name: str) -> dict[str, Select[tuple[object, ...]]]:
    """Every question that a source asks."""
    asked = dated(events(name, window()), window())
    return {
        "requests of a window": counts(asked),
        "clients of a window": client_counts(asked),
        "requests that carry ids": counts(dated(events(name, window(), with_ids=True), window())),
        "latest request": latest_use(events(name)),
        "use before a day": first_and_last(events(name), Day(date(2026, 3, 29), BERLIN)),
        "rollup of a window": counts(dated(rollup(name), window())),
    }


def compiled(statement: Select[tuple[object, ...]], dialect: Dialect) -> str:
    """One clause a line, with the values that are bound."""
    made = statement.compile(dialect=dialect)
    text = re.sub(r"\s+", " ", str(made)).strip()
    lines = re.sub(r" (FROM|WHERE|GROUP BY|ORDER BY|CASE|UNION)\b", r"\n\1", text)
    bound = "\n".join(f"-- {key} = {value!r}" for key, value in sorted(made.params.items()))
    return f"{lines}\n{bound}\n"


@pytest.mark.parametrize("name", URLS)
def test_the_statements_stay_what_was_read_and_approved(name: str) -> None:
    """Trino, Snowflake, BigQuery and MySQL get one aggregation a window, without a value pasted into it."""
    dialect = make_url(URLS[name]).get_dialect()()
    found = "\n".join(
        f"-- {title}\n{compiled(statement, dialect)}" for title, statement in statements(name).items()
    )
    path = GOLDEN / f"statements-{name}.sql"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")
