"""The flights log through every engine and format: are the by-key answers equal?

    python benchmarks/engines.py EVENTS.csv.gz [--postgresql URL] [--windows 10]

Loads the log into CSV, JSON lines, Parquet, SQLite, DuckDB, an embedded ClickHouse and, with a URL, PostgreSQL,
and asks each for random windows of days in two time zones, the days on which their clocks change among them.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, String, Table, create_engine, text
from sqlalchemy.pool import NullPool

from detector.config.source import FilesSource, SourceBase, SqlSource
from detector.sources import Source, open_source

CLOCK_CHANGES = {
    "Europe/Berlin": (date(2011, 3, 27), date(2011, 10, 30)),
    "America/New_York": (date(2011, 3, 13), date(2011, 11, 6)),
}
FIRST, LAST = date(2011, 1, 2), date(2011, 12, 30)
COLUMNS = {"key_id": "api_key", "deployment": "host"}
CLICKHOUSE = "clickhousedb:///default?interface=chdb"
CLICKHOUSE_TABLE = """
    CREATE TABLE events
    (timestamp DateTime64(6, 'UTC'), api_key String, endpoint String, status Int32, host String)
    ENGINE = MergeTree ORDER BY timestamp"""


def files(log: Path, folder: Path) -> Iterator[tuple[str, SourceBase]]:
    """The log in every file format."""
    read = f"read_csv('{log}', header=true, all_varchar=true)"
    typed = f"SELECT * REPLACE (timestamp::TIMESTAMPTZ AS timestamp, status::INTEGER AS status) FROM {read}"
    for name, options, rows in (
        ("csv", "FORMAT csv, HEADER", f"SELECT * FROM {read}"),
        ("jsonl", "FORMAT json", f"SELECT * FROM {read}"),
        ("parquet", "FORMAT parquet", typed),
    ):
        path = folder / f"events.{name}"
        duckdb.execute(f"COPY ({rows}) TO '{path}' ({options})")
        yield name, FilesSource(usage=str(path), columns=COLUMNS)


def databases(log: Path, folder: Path, postgresql: str | None) -> Iterator[tuple[str, SourceBase]]:
    """The log in every database."""
    frame = pd.read_csv(log, parse_dates=["timestamp"])
    rows = frame.assign(timestamp=frame["timestamp"].dt.to_pydatetime()).to_dict("records")
    urls = {"sqlite": f"sqlite:///{folder}/events.db", "duckdb": f"duckdb:///{folder}/events.duckdb"}
    if postgresql:
        urls["postgresql"] = postgresql
    for name, url in urls.items():
        fill(create_engine(url, poolclass=NullPool), rows)
        yield name, SqlSource(url=url, usage="events", columns=COLUMNS)
    fill(create_engine(CLICKHOUSE), rows, CLICKHOUSE_TABLE)
    yield "clickhouse", SqlSource(url=CLICKHOUSE, usage="events", columns=COLUMNS)


def fill(engine: Engine, rows: list[dict[str, object]], create: str | None = None) -> None:
    """Make the table ``events`` anew. SQLite has no type for an instant: there it is text."""
    sqlite = engine.dialect.name == "sqlite"
    names = [Column(name, String()) for name in ("api_key", "endpoint", "host")]
    time = Column("timestamp", String() if sqlite else DateTime(timezone=True))
    table = Table("events", MetaData(), time, *names, Column("status", Integer()))
    if sqlite:
        rows = [{**row, "timestamp": str(row["timestamp"])} for row in rows]
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS events"))
        if create:
            connection.execute(text(create))
            table = Table("events", MetaData(), autoload_with=connection)
        else:
            table.create(connection)
        if engine.dialect.name == "duckdb":
            connection.connection.driver_connection.register("loaded", pd.DataFrame(rows))
            connection.execute(text("INSERT INTO events BY NAME SELECT * FROM loaded"))
        else:
            connection.execute(table.insert(), rows)


def asked(count: int, zone: str) -> list[tuple[date, date]]:
    """Random windows of one to nine days, the first two around the days on which clocks change."""
    chance = random.Random(2011)
    starts = [day - timedelta(days=chance.randint(0, 3)) for day in CLOCK_CHANGES[zone]]
    span = (LAST - FIRST).days - 9
    starts += [FIRST + timedelta(days=chance.randint(0, span)) for _ in range(count - len(starts))]
    return [
        (start, start + timedelta(days=chance.randint(3 if number < 2 else 0, 8)))
        for number, start in enumerate(starts)
    ]


def answers(source: Source, windows: list[tuple[date, date]]) -> list[list[tuple[date, str]]]:
    """Per window every day's records as text, which compares all columns at once."""
    return [
        [(day, records.to_csv(index=False)) for day, records in source.usage(first, last)]
        for first, last in windows
    ]


def main() -> None:
    """Ask all, compare each with the first, say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=Path)
    parser.add_argument("--postgresql", metavar="URL")
    parser.add_argument("--windows", type=int, default=10)
    options = parser.parse_args()
    expected: dict[str, list[list[tuple[date, str]]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for made in (files(options.events, folder), databases(options.events, folder, options.postgresql)):
            for engine, config in made:
                for zone in CLOCK_CHANGES:
                    found = answers(open_source(config, ZoneInfo(zone)), asked(options.windows, zone))
                    same = found == expected.setdefault(zone, found)
                    days = sum(len(window) for window in found)
                    verdict = "equal" if same else "DIFFERENT"
                    print(f"{engine:10} {zone:16} {days} days in {len(found)} windows: {verdict}")


if __name__ == "__main__":
    main()
