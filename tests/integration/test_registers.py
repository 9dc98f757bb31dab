"""Registers of every source: texts, times and keys that are listed twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from detector.config.source import FilesSource
from detector.model.errors import SourceError
from detector.sources import Source, open_source
from detector.usage.aggregation import LISTED_TWICE
from tests.databases import UTC_ZONE, reader

DAY = date(2026, 1, 2)
NAMES = ["key_id", "name", "environment", "created_at", "revoked_at"]
ROWS: list[list[Any]] = [
    ["a", "was revoked", "live", "2025-01-01", "2025-02-01"],
    ["a", "is used", "live", "2024-01-01", None],
    ["b", "older", "test", "1735689600", None],
    ["b", "newer", "test", "1767225600000", "never"],
    [" c ", "  padded  ", " Live ", "01/Jan/2026:00:00:00 +0000", "9999-12-31"],
    ["\\N", "no key", None, None, None],
    ["d", "-", "null", "soon", "infinity"],
]
READ = {
    "a": ("is used", "live", "2024-01-01T00:00:00Z"),
    "b": ("newer", "test", "2026-01-01T00:00:00Z"),
    "c": ("padded", "live", "2026-01-01T00:00:00Z"),
    "d": (None, "unknown", None),
}
FAULTS = {
    f"register: {LISTED_TWICE}": 2,
    "register: row without a key id": 1,
    "register: created_at is not a time": 1,
}


class Stores:
    """Writes rows of a register for a source, with a usage of one request."""

    def __init__(self, folder: Path, urls: dict[str, str]) -> None:
        self._folder = folder
        self._urls = urls

    def source(self, kind: str, rows: list[list[Any]]) -> Source:
        """A source over the rows."""
        if kind in self._urls:
            return self._table(self._urls[kind], rows)
        path = self._folder / f"keys.{kind}"
        frame = pd.DataFrame(rows, columns=NAMES)
        write: dict[str, Callable[[], object]] = {
            "csv": lambda: frame.to_csv(path, index=False),
            "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
            "parquet": lambda: frame.astype("string").to_parquet(path),
        }
        write[kind]()
        usage = self._folder / "usage.csv"
        usage.write_text("timestamp,key_id\n2026-01-02T10:00:00Z,a\n")
        return open_source(FilesSource(usage=str(usage), keys=str(path)), UTC_ZONE)

    def _table(self, url: str, rows: list[list[Any]]) -> Source:
        engine = create_engine(url, poolclass=NullPool)
        padded = "VARCHAR(40)" if url.startswith(("sqlite", "duckdb")) else "CHAR(40)"
        with engine.begin() as connection:
            for table, columns in (("usage_log", ["timestamp", "key_id"]), ("tokens", NAMES)):
                connection.execute(text(f"DROP TABLE IF EXISTS {table}"))
                connection.execute(
                    text(f"CREATE TABLE {table} ({', '.join(f'{name} {padded}' for name in columns)})")
                )
            connection.execute(text("INSERT INTO usage_log VALUES ('2026-01-02T10:00:00Z', 'a')"))
            marks = ", ".join(f":{name}" for name in NAMES)
            for row in rows:
                connection.execute(
                    text(f"INSERT INTO tokens VALUES ({marks})"), dict(zip(NAMES, row, strict=True))
                )
        engine.dispose()
        return reader(url, usage="usage_log", keys="tokens")


@pytest.fixture
def stores(tmp_path: Path, empty_postgres: str, mariadb_url: str) -> Stores:
    """Stores for files and databases."""
    urls = {
        "sqlite": f"sqlite:///{tmp_path}/usage.db",
        "duckdb": f"duckdb:///{tmp_path}/usage.duckdb",
        "postgresql": empty_postgres,
        "mariadb": mariadb_url,
    }
    return Stores(tmp_path, urls)


@pytest.mark.parametrize("rows", [ROWS, ROWS[::-1]], ids=["forwards", "backwards"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "sqlite", "duckdb", "postgresql", "mariadb"])
def test_a_register_is_read_alike_from_every_source(stores: Stores, kind: str, rows: list[list[Any]]) -> None:
    """Padding, missing words and times mean the same, and the order of the rows decides nothing."""
    source = stores.source(kind, rows)
    register = source.keys()
    found = {
        row["key_id"]: (_value(row["name"]), row["environment"], _written(row["created_at"]))
        for row in register.to_dict("records")
    }
    assert found == READ
    assert register["revoked_at"].isna().all()
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["key_id"].tolist() == ["a"]
    assert {fault.reason: fault.count for fault in source.faults(DAY)} == FAULTS


def _value(value: Any) -> Any:
    return None if pd.isna(value) else value


def _written(instant: Any) -> str | None:
    return None if pd.isna(instant) else f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def test_the_register_may_have_its_own_names_of_columns(tmp_path: Path) -> None:
    """The usage calls the key api_key and the register calls it token."""
    usage = tmp_path / "usage.csv"
    usage.write_text("timestamp,api_key\n2026-01-02T10:00:00Z,a\n")
    keys = tmp_path / "keys.csv"
    keys.write_text("token,api_key,label\na,wrong,shop\n")
    options = {"usage": str(usage), "keys": str(keys), "columns": {"key_id": "api_key"}}
    source = open_source(FilesSource(**options, key_columns={"key_id": "token", "name": "label"}), UTC_ZONE)
    assert source.keys()[["key_id", "name"]].to_numpy().tolist() == [["a", "shop"]]
    ((_, frame),) = source.usage(DAY, DAY)
    assert frame["key_id"].tolist() == ["a"]
    with pytest.raises(
        SourceError, match=r"no column 'tokn' for key_id, did you mean token.*source.key_columns.key_id"
    ):
        open_source(FilesSource(**options, key_columns={"key_id": "tokn"}), UTC_ZONE).keys()


def test_a_table_of_a_database_may_have_its_own_names_of_columns(stores: Stores) -> None:
    """A register of tokens beside a usage of keys."""
    stores.source("postgresql", [["a", "b", "live", None, None]])
    url = stores._urls["postgresql"]
    source = reader(url, usage="usage_log", keys="tokens", key_columns={"key_id": "name"})
    assert source.keys()["key_id"].tolist() == ["b"]


def test_an_unknown_column_of_the_register_is_an_error() -> None:
    """A typing error does not become a register without names."""
    with pytest.raises(
        ValidationError, match=r"key_columns\.nmae is not a column of the register, did you mean name"
    ):
        FilesSource(usage="x", key_columns={"nmae": "label"})
    with pytest.raises(ValidationError, match=r"key_columns\.timestamp is not a column of the register"):
        FilesSource(usage="x", key_columns={"timestamp": "ts"})
