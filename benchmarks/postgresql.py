"""Measure the sql source on PostgreSQL: against the bare statement with the same answer, and what it fetches.

    python benchmarks/postgresql.py URL [--events 5000000] [--days 31]

URL names a database to make a table ``detector_benchmark`` in, such as
``postgresql+psycopg://postgres@127.0.0.1/postgres``. Prints seconds, their ratio, the statements the server was
asked and the rows it sent.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, create_engine, event, text

from detector.config.source import SqlSource
from detector.sources.sql.reader import SqlReader

FIRST = date(2026, 1, 1)
TABLE = "detector_benchmark"
BARE = f"""
    SELECT CAST(timestamp AT TIME ZONE 'UTC' AS DATE), key_id, endpoint, deployment, count(*),
           sum(CASE WHEN status >= 400 THEN 1 ELSE 0 END), max(timestamp)
    FROM {TABLE} WHERE timestamp >= :start AND timestamp < :end GROUP BY 1, 2, 3, 4 ORDER BY 1"""


def fill(engine: Engine, events: int, days: int) -> None:
    """The events, in order of time as logs are."""
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE IF EXISTS {TABLE}"))
        connection.execute(
            text(
                f"""CREATE TABLE {TABLE} AS
                SELECT timestamptz '2026-01-01 00:00Z' + n * interval '1 day' * {days} / {events} AS timestamp,
                       'key_' || (hashint8(n) & 1023) AS key_id,
                       'GET /v1/resource' || (hashint8(n * 7) & 7) AS endpoint,
                       CASE WHEN hashint8(n * 11) % 50 = 0 THEN 503 ELSE 200 END AS status,
                       CASE WHEN hashint8(n * 13) % 9 = 0 THEN 'staging' ELSE 'production' END AS deployment
                FROM generate_series(0, {events} - 1) AS n"""
            )
        )
        connection.execute(text(f"ALTER TABLE {TABLE} ALTER timestamp SET NOT NULL"))
        connection.execute(text(f"ALTER TABLE {TABLE} ALTER key_id SET NOT NULL"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM ANALYZE {TABLE}"))


def bare(engine: Engine, days: int) -> tuple[int, int]:
    """Groups and requests of the plain statement, fetched through a server-side cursor as the source does."""
    bounds = {"start": f"{FIRST} 00:00Z", "end": f"{FIRST + timedelta(days=days)} 00:00Z"}
    with engine.connect() as connection:
        rows = connection.execute(text(BARE), bounds, execution_options={"yield_per": 10_000})
        counts = [row[4] for row in rows]
    return len(counts), sum(counts)


def source(url: str, days: int) -> int:
    """The requests that the source counts."""
    reader = SqlReader(SqlSource(url=url, usage=TABLE), ZoneInfo("UTC"))
    return sum(
        int(frame["request_count"].sum()) for _, frame in reader.usage(FIRST, FIRST + timedelta(days=days - 1))
    )


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    started = time.perf_counter()
    answer = work()
    return time.perf_counter() - started, answer


def main() -> None:
    """Fill, run both, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    engine = create_engine(options.url)
    fill(engine, options.events, options.days)
    asked: list[str] = []
    event.listen(
        Engine, "before_cursor_execute", lambda *call: asked.append(call[2]) if TABLE in call[2] else None
    )
    plain, ours = [], []
    for _ in range(options.repeat):
        plain.append(timed(lambda: bare(engine, options.days)))
        asked.clear()
        ours.append(timed(lambda: source(options.url, options.days)))
    groups, requests = plain[0][1]
    assert all(counted == requests for _, counted in ours)
    best = min(seconds for seconds, _ in plain), min(seconds for seconds, _ in ours)
    print(f"{options.events:,} events, {options.days} days: {requests:,} requests in {groups:,} groups")
    print(f"bare statement {best[0]:.2f} s, sql source {best[1]:.2f} s: {best[1] / best[0]:.2f} times")
    print(f"statements of the source that read the table: {sum('GROUP BY' in statement for statement in asked)}")
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {TABLE}"))


if __name__ == "__main__":
    main()
