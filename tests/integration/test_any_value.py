"""No value of a table ends a run: whatever texts a database stores, each record is counted or is a fault."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from detector.config.source import FilesSource
from detector.sources import Source, open_source
from detector.sources.faults import NO_DAY, NO_TIME
from tests.databases import DAY, UTC_ZONE, counted, faults, reader, sqlite

EVENTS = ("timestamp", "key_id", "endpoint", "status", "error", "deployment", "client", "event_id")
DAILY = ("day", "key_id", "endpoint", "deployment", "request_count", "error_count", "last_activity")
REGISTER = ("key_id", "name", "environment", "team", "application", "organization", "created_at", "revoked_at")
GOOD = {"timestamp": "2026-01-02T10:00:00Z", "day": "2026-01-02", "key_id": "good", "request_count": "1"}

NEARLY = st.sampled_from(
    [
        "2026-01-02T10:00:00",
        "2026-02-30 10:00:00",
        "2026-01-02T10:00:00+99:99",
        "9999-12-31 23:59:59.999999",
        "0000-00-00",
        "292278994-08-17",
        "-infinity",
        "1e999",
        "9" * 40,
        "-9223372036854775809",
        "0x7fffffff",
        "{",
        '"\\ud800"',
        '"\\u0000"',
        "NaN",
        "now",
        "%",
        "\\",
        "'; --",
    ]
)
"""Texts at which casts fail."""

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
"""What every one of the databases stores."""

VALUES = st.none() | NEARLY | st.text(CHARACTERS, max_size=20)


def records(names: Sequence[str]) -> st.SearchStrategy[list[tuple[str | None, ...]]]:
    """Rows with any text in any column."""
    row = st.tuples(*[VALUES | st.just(GOOD.get(name)) for name in names])
    return st.lists(row, min_size=1, max_size=12)


class Stores:
    """Writes rows of texts for a source of each kind."""

    def __init__(self, folder: Path, urls: dict[str, str]) -> None:
        self.kinds = ("parquet", *urls)
        self._folder = folder
        self._urls = urls

    def source(self, kind: str, usage: Sequence[Any], shape: str, register: Sequence[Any]) -> Source:
        """A source over these rows, and one good row of the day."""
        names = EVENTS if shape == "events" else DAILY
        tables = {
            "usage": (names, [*usage, tuple(GOOD.get(name) for name in names)]),
            "keys": (REGISTER, register),
        }
        options: dict[str, Any] = {"shape": shape}
        if shape == "events":
            options["columns"] = {"event_id": "event_id"}
        if kind == "parquet":
            return self._files(tables, options)
        engine = create_engine(self._urls[kind], poolclass=NullPool)
        width = "VARCHAR(100)"
        with engine.begin() as connection:
            for table, (columns, rows) in tables.items():
                connection.execute(
                    text(
                        f"DROP TABLE IF EXISTS `{table}`" if kind == "mariadb" else f"DROP TABLE IF EXISTS {table}"
                    )
                )
                quoted = f"`{table}`" if kind == "mariadb" else table
                connection.execute(
                    text(f"CREATE TABLE {quoted} ({', '.join(f'{name} {width}' for name in columns)})")
                )
                marks = ", ".join(f":{name}" for name in columns)
                values = [dict(zip(columns, row, strict=True)) for row in rows]
                if values:
                    connection.execute(text(f"INSERT INTO {quoted} VALUES ({marks})"), values)
        engine.dispose()
        return reader(self._urls[kind], keys="keys", **options)

    def _files(self, tables: dict[str, tuple[Sequence[str], Sequence[Any]]], options: dict[str, Any]) -> Source:
        for table, (columns, rows) in tables.items():
            values = [pa.array([row[number] for row in rows], pa.string()) for number in range(len(columns))]
            pq.write_table(pa.table(values, names=list(columns)), self._folder / f"{table}.parquet")
        usage = str(self._folder / "usage.parquet")
        keys = str(self._folder / "keys.parquet")
        return open_source(FilesSource(usage=usage, keys=keys, **options), UTC_ZONE)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, mariadb_url: str) -> Stores:
    """Stores for files and databases."""
    folder = tmp_path_factory.mktemp("stores")
    urls = {
        "sqlite": f"sqlite:///{folder}/usage.db",
        "duckdb": f"duckdb:///{folder}/usage.duckdb",
        "postgresql": postgres_url,
        "mariadb": mariadb_url,
    }
    return Stores(folder, urls)


few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(usage=records(EVENTS), register=records(REGISTER))
def test_any_texts_of_requests(stores: Stores, usage: Any, register: Any) -> None:
    """Every source gives the same records, register and numbers of faults."""
    assert _is_same_everywhere(stores, usage, "events", register)


@few
@given(usage=records(DAILY), register=records(REGISTER))
def test_any_texts_of_daily_rows(stores: Stores, usage: Any, register: Any) -> None:
    """Every source gives the same records, register and numbers of faults."""
    assert _is_same_everywhere(stores, usage, "daily", register)


def _is_same_everywhere(stores: Stores, usage: Any, shape: str, register: Any) -> bool:
    answers = {kind: _answer(stores.source(kind, usage, shape, register)) for kind in stores.kinds}
    first = answers["sqlite"]
    assert "good" in first["usage"]
    for kind, answer in answers.items():
        for part, value in answer.items():
            assert value == first[part], f"{part} of {kind}"
    return True


def _answer(source: Source) -> dict[str, Any]:
    ((_, frame),) = source.usage(DAY, DAY)
    source.watermark()
    register = source.keys()
    return {
        "usage": frame.set_index("key_id")[["request_count", "error_count"]].to_dict("index"),
        "register": register.astype(object)
        .where(register.notna(), None)
        .sort_values("key_id")
        .to_numpy()
        .tolist(),
        "faults": {fault.reason: (fault.count, fault.kind) for fault in source.faults(DAY)},
        "past": source.activity_before(DAY)["key_id"].tolist(),
    }


def test_one_bad_value_among_many_is_one_fault(stores: Stores) -> None:
    """A hundred thousand good rows are counted."""
    good = ("2026-01-02T10:00:00Z", "a", *[None] * 6)
    bad = ("2026-02-30T99:00:00Z", "a", *[None] * 6)
    rows = [good] * 50_000 + [bad] + [good] * 50_000
    for kind in ("parquet", "sqlite", "postgresql"):
        source = stores.source(kind, rows, "events", [])
        assert counted(source) == {"a": (100_000, 0), "good": (1, 0)}, kind  # type: ignore[arg-type]
        assert {fault.reason: fault.count for fault in source.faults(DAY)} == {NO_TIME: 1}, kind


def test_bytes_that_are_no_text_are_keys_of_their_own(tmp_path: Path) -> None:
    """A BLOB of SQLite may hold any bytes, also beside texts."""
    rows: list[tuple[Any, Any]] = [("2026-01-02T10:00:00Z", key) for key in (b"a", "a", b"\xff", b"b\x00")]
    source = reader(sqlite(tmp_path, "timestamp, key_id", [*rows, (b"2026-01-02T10:00:00Z", "c"), (b"\xff", "c")]))
    assert counted(source) == {"a": (2, 0), "b\ufffd": (1, 0), "c": (1, 0), "\ufffd": (1, 0)}
    assert faults(source) == {NO_TIME: 1}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("date", ["infinity", "-infinity", "0001-01-01", "9999-12-31", "4713-01-01 BC", "5874897-12-31"]),
        ("timestamptz", ["infinity", "-infinity", "0001-01-01", "9999-12-31", "4713-01-01 BC", "294276-12-31"]),
        ("timestamp", ["infinity", "-infinity", "0001-01-01", "9999-12-31", "4713-01-01 BC", "294276-12-31"]),
        ("numeric", ["NaN", "infinity", "-infinity", "1e400", "-1e-400"]),
        ("double precision", ["NaN", "infinity", "-infinity", "1e300", "-1e-300"]),
        ("bigint", ["9223372036854775807", "-9223372036854775808"]),
        ("jsonb", ["{}", "[]", "null", '"x"', "1e400"]),
        ("bytea", ["\\x00ff", "\\x", "abc"]),
        ("interval", ["1 day", "-1 year"]),
        ("uuid", ["550e8400-e29b-41d4-a716-446655440000"]),
        ("inet", ["10.0.0.1"]),
        ("text[]", ["{a,b}", "{}"]),
    ],
)
@pytest.mark.parametrize("shape", ["events", "daily"])
def test_odd_values_of_typed_columns_are_faults(
    empty_postgres: str, kind: str, values: list[str], shape: str
) -> None:
    """Whatever a column of PostgreSQL holds in place of a time or day, each row is a fault and ends nothing."""
    name = "timestamp" if shape == "events" else "day"
    engine = create_engine(empty_postgres, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE usage ({name} {kind}, key_id text)"))
        connection.execute(text(f"CREATE TABLE keys (key_id text, created_at {kind}, revoked_at {kind})"))
        for value in values:
            stored = {"value": value}
            connection.execute(
                text(f"INSERT INTO usage VALUES (CAST(CAST(:value AS text) AS {kind}), 'a')"), stored
            )
            connection.execute(
                text(f"INSERT INTO keys VALUES ('k', CAST(CAST(:value AS text) AS {kind}), NULL)"), stored
            )
    engine.dispose()
    source = reader(empty_postgres, shape=shape, keys="keys")
    assert source.watermark() is None
    assert len(source.activity_before(DAY)) == 0
    assert faults(source) == {NO_TIME if shape == "events" else NO_DAY: len(values)}
    assert source.keys()["key_id"].tolist() == ["k"]
