"""DuckDB files and ClickHouse: rollups, read-only sessions, what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from detector.config.source import SqlSource
from detector.model.errors import SourceError
from detector.sources.sql.reader import SqlReader
from detector.usage.aggregation import map_of

DAY = date(2026, 1, 2)
CLICKHOUSE = "clickhousedb:///default?interface=chdb"
ROLLUP = """
    INSERT INTO daily VALUES
    ('2026-01-01', 'a', '/x', 'production', 5, 1), ('2026-01-02', 'a', '/x', 'production', 7, 0),
    ('2026-01-02', 'a', '/y', 'staging', 3, 2), ('2026-01-02', 'b', NULL, NULL, 1, NULL),
    ('2026-01-03', 'b', '/x', 'staging', 9, 9)"""


def source(url: str, **options: Any) -> SqlReader:
    """A source over the rollup."""
    return SqlReader(SqlSource(url=url, shape="daily", usage="daily", **options), ZoneInfo("America/New_York"))


@pytest.fixture
def duckdb_url(tmp_path: Path) -> str:
    """A DuckDB file with the rollup."""
    url = f"duckdb:///{tmp_path}/usage.duckdb"
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE daily (day DATE, key_id VARCHAR, endpoint VARCHAR, deployment VARCHAR, "
                "request_count UBIGINT, error_count INTEGER)"
            )
        )
        connection.execute(text(ROLLUP))
    return url


@pytest.fixture
def clickhouse_url() -> Any:
    """An embedded ClickHouse with the rollup, in ClickHouse's own types."""
    engine = create_engine(CLICKHOUSE)
    with engine.connect() as connection:  # the tables live as long as one connection does
        connection.execute(text("DROP TABLE IF EXISTS daily"))
        connection.execute(
            text(
                "CREATE TABLE daily (day Date, key_id LowCardinality(String), endpoint Nullable(String), "
                "deployment LowCardinality(Nullable(String)), request_count UInt64, error_count Nullable(Int32)) "
                "ENGINE = MergeTree ORDER BY day"
            )
        )
        connection.execute(text(ROLLUP))
        yield CLICKHOUSE
    engine.dispose()


@pytest.mark.parametrize("fixture", ["duckdb_url", "clickhouse_url"])
def test_rollups_are_read_from_warehouses(fixture: str, request: pytest.FixtureRequest) -> None:
    """Days, counts and maps as they are stored; a missing count of errors is none."""
    reader = source(request.getfixturevalue(fixture))
    ((day, records),) = reader.usage(DAY, DAY)
    rows = records.set_index("key_id")
    assert day == DAY
    assert rows["request_count"].to_dict() == {"a": 10, "b": 1}
    assert rows["error_count"].to_dict() == {"a": 2, "b": 0}
    assert map_of(rows.loc["a", "endpoint_distribution"]) == {"/x": 7, "/y": 3}
    assert map_of(rows.loc["a", "deployments"]) == {"production": 7, "staging": 3}
    assert reader.watermark() == datetime(2026, 1, 3, 5, tzinfo=UTC)
    assert reader.activity_before(DAY)["key_id"].tolist() == ["a"]


@pytest.mark.parametrize("fixture", ["duckdb_url", "clickhouse_url"])
def test_a_warehouse_cannot_be_written_to(fixture: str, request: pytest.FixtureRequest) -> None:
    """The session itself refuses."""
    reader = source(request.getfixturevalue(fixture))
    with pytest.raises(SourceError, match=r"(?i)read.?only"), reader._connected() as connection:
        connection.execute(text("INSERT INTO daily (day, key_id) VALUES ('2026-01-01', 'x')"))


def test_a_missing_duckdb_file_is_an_error_and_is_not_made(tmp_path: Path) -> None:
    """Opening a database that is not there would hide a wrong path."""
    path = tmp_path / "nowhere.duckdb"
    with pytest.raises(SourceError, match="there is no database"):
        source(f"duckdb:///{path}").watermark()
    assert not path.exists()
