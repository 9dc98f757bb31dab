"""Every engine reads every value of ``tests/conformance/values.toml`` as the table says.

``python -m pytest tests/integration/test_conformance.py -s`` prints which engine reads how many values.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from detector.config.source import FilesSource, HttpSource, SqlSource
from detector.sources import Source, open_source
from detector.sources.faults import BAD_STATUS, NO_KEY
from detector.sources.http.by_key_answer import read_answer
from detector.sources.http.paging import Endpoint
from detector.usage.aggregation import map_of
from tests.conformance.table import Batch, batches
from tests.endpoint_server import TOKEN, Response, endpoint

CLICKHOUSE = "clickhousedb:///default?interface=chdb"
BATCHES = batches()
DAY = date(2026, 1, 2)
NOON = "2026-01-02T12:00:00Z"
WORDS = ("ok", "failed", "404", "odd")
"""The words of a column of an enumeration."""

VALUE = {
    "instant": "timestamp",
    "day": "day",
    "count": "request_count",
    "status": "status",
    "error": "error",
    "key": "key_id",
}
"""Kind of value: our name of its column."""

ROW = {"key": "deployment"}
"""Kind of value: the column that tells the rows apart, elsewhere key_id."""

OTHERS: dict[str, dict[str, str]] = {
    "instant": {},
    "day": {"request_count": "1"},
    "count": {"day": str(DAY)},
    "status": {"timestamp": NOON},
    "error": {"timestamp": NOON},
    "key": {"timestamp": NOON},
}
"""The other columns of a kind's table, with the same value in every row."""

TYPES: dict[str, dict[str, tuple[str, ...]]] = {
    "text": {
        "sqlite": ("", "TEXT", "VARCHAR(10)"),
        "postgresql": ("text", "varchar(600)", "char(600)", "wording"),
        "duckdb": ("VARCHAR",),
        "clickhouse": ("String", "Nullable(String)", "LowCardinality(String)", "LowCardinality(Nullable(String))"),
        "mariadb": ("VARCHAR(600)", "LONGTEXT"),
    },
    "json": {
        "sqlite": ("",),
        "postgresql": ("jsonb", "json"),
        "duckdb": ("JSON",),
        "mariadb": ("JSON",),
    },
    "instant": {
        "postgresql": ("timestamptz", "timestamptz(6)"),
        "duckdb": ("TIMESTAMPTZ",),
        "clickhouse": ("DateTime64(6, 'UTC')", "DateTime64(6, 'Asia/Kolkata')", "Nullable(DateTime64(6, 'UTC'))"),
        "mariadb": ("TIMESTAMP(6) NULL",),
    },
    "datetime": {
        "postgresql": ("timestamp",),
        "duckdb": ("TIMESTAMP",),
        "clickhouse": ("DateTime64(6)", "Nullable(DateTime64(6))"),
        "mariadb": ("DATETIME(6)",),
    },
    "date": {
        "postgresql": ("date",),
        "duckdb": ("DATE",),
        "clickhouse": ("Date32", "Nullable(Date32)"),
        "mariadb": ("DATE",),
    },
    "integer": {
        "sqlite": ("INTEGER", "BIGINT"),
        "postgresql": ("bigint", "integer", "numeric"),
        "duckdb": ("BIGINT", "HUGEINT", "UBIGINT", "INTEGER"),
        "clickhouse": ("Int64", "Nullable(Int64)", "UInt64", "Int128"),
        "mariadb": ("BIGINT", "BIGINT UNSIGNED", "INT"),
    },
    "decimal": {
        "sqlite": ("NUMERIC",),
        "postgresql": ("numeric", "numeric(40, 9)"),
        "duckdb": ("DECIMAL(38, 9)",),
        "clickhouse": ("Decimal(38, 9)", "Nullable(Decimal(38, 9))"),
        "mariadb": ("DECIMAL(38, 9)",),
    },
    "double": {
        "sqlite": ("REAL",),
        "postgresql": ("double precision",),
        "duckdb": ("DOUBLE",),
        "clickhouse": ("Float64", "Nullable(Float64)"),
        "mariadb": ("DOUBLE",),
    },
    "boolean": {"postgresql": ("boolean",), "duckdb": ("BOOLEAN",), "clickhouse": ("Bool",)},
    "enum": {
        "postgresql": ("word",),
        "duckdb": ("ENUM('ok', 'failed', '404', 'odd')",),
        "clickhouse": ("Enum8('ok' = 1, 'failed' = 2, '404' = 3, 'odd' = 4)",),
        "mariadb": ("ENUM('ok', 'failed', '404', 'odd')",),
    },
    "uuid": {
        "sqlite": ("UUID",),
        "postgresql": ("uuid",),
        "duckdb": ("UUID",),
        "clickhouse": ("UUID", "Nullable(UUID)"),
        "mariadb": ("UUID",),
    },
    "padded": {"postgresql": ("char(20)",), "clickhouse": ("FixedString(20)",), "mariadb": ("CHAR(20)",)},
    "insensitive": {"postgresql": ("citext",)},
    "bytes": {
        "sqlite": ("BLOB",),
        "postgresql": ("bytea",),
        "duckdb": ("BLOB",),
        "mariadb": ("VARBINARY(100)", "BLOB"),
    },
}
"""Type of a column in the table of values: the types of each database that may hold such values."""

ARROW = {
    "text": pa.string(),
    "instant": pa.timestamp("us", "UTC"),
    "datetime": pa.timestamp("us"),
    "date": pa.date32(),
    "integer": pa.int64(),
    "decimal": pa.decimal128(38, 9),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "bytes": pa.binary(),
}
"""Type of a column in the table of values: the type in a Parquet file."""

Row = tuple[str, Any]
"""The name of a row, and its value."""
Held = tuple[Source, list[str]]
"""A source over the rows that it can hold, and their names."""


@dataclass(frozen=True)
class Sheet:
    """The table of a batch: the names of its columns and its rows."""

    batch: Batch

    @property
    def names(self) -> list[str]:
        """Our names of the columns: the value, the name of the row, and the others."""
        return [VALUE[self.batch.kind], ROW.get(self.batch.kind, "key_id"), *OTHERS[self.batch.kind]]

    @property
    def rest(self) -> list[str]:
        """The values of the other columns."""
        return [*OTHERS[self.batch.kind].values()]

    @property
    def rows(self) -> list[Row]:
        """Names such as ``r007``, and values as Python has them."""
        return [(f"r{number:03}", value) for number, value in enumerate(self.batch.values)]

    @property
    def options(self) -> dict[str, Any]:
        """The settings of the source."""
        shape = "daily" if self.batch.kind in ("day", "count") else "events"
        return {"shape": shape, **self.batch.options}

    def files(self, path: Path) -> Source:
        """A source over a file."""
        return open_source(FilesSource(usage=str(path), **self.options), self.batch.timezone)

    def table(self, url: str) -> Source:
        """A source over the table ``held``."""
        return open_source(SqlSource(url=url, usage="held", **self.options), self.batch.timezone)


def answers(source: Source, batch: Batch) -> dict[str, str]:
    """What a source says of each row of a batch that it used, by the name of the row."""
    shown: dict[str, str] = {}
    for first, last in _spans(batch):
        for day, frame in source.usage(first, last):
            for record in frame.to_dict("records"):
                if batch.kind == "key":
                    (name,) = map_of(record["deployments"])
                    shown[name] = record["key_id"]
                else:
                    shown[record["key_id"]] = _meaning(batch.kind, day, record)
    return shown


def _spans(batch: Batch) -> list[tuple[date, date]]:
    """The first and last days of runs of days in which all usable values of a batch lie."""
    days = {DAY}
    if batch.kind in ("instant", "day"):
        days |= {date.fromisoformat(meaning[:10]) for meaning in batch.rows.values() if meaning != "unusable"}
    spans: list[tuple[date, date]] = []
    for day in sorted(days):
        if spans and day - spans[-1][1] < timedelta(days=7):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def _meaning(kind: str, day: date, record: Mapping[str, Any]) -> str:
    if kind == "instant":
        return _written(record["last_used"].to_pydatetime())
    if kind == "day":
        return day.isoformat()
    if kind == "count":
        return str(record["request_count"])
    return "error" if record["error_count"] else "success"


def _written(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def expected(batch: Batch, names: Sequence[str]) -> dict[str, str]:
    """What ``answers`` gives where all is right."""
    wanted = {}
    for (name, _), meaning in zip(Sheet(batch).rows, batch.rows.values(), strict=True):
        if name not in names or meaning in ("unusable", "missing"):
            continue
        if batch.kind == "count" and meaning == "0":
            continue  # a key without requests has no record
        if batch.kind in ("status", "error"):
            wanted[name] = "error" if meaning in ("error", "unreadable") else "success"
        else:
            wanted[name] = meaning
    return wanted


HELD: dict[str, Counter[str]] = {}
"""Kind of value and type of column: how many values of the table each engine has read."""


@pytest.fixture(scope="module", autouse=True)
def summary() -> Iterator[None]:
    """Print at the end how many values each engine has read."""
    yield
    engines = sorted({engine for counts in HELD.values() for engine in counts})
    print("\n| values |", " | ".join(engines), "|")
    for name, counts in sorted(HELD.items()):
        print("|", " | ".join([name, *(str(counts[engine] or "") for engine in engines)]), "|")


def check(source: Source, batch: Batch, names: Sequence[str], engine: str) -> None:
    """Compare the answers of a source with the table: the values, the accounting and the past."""
    HELD.setdefault(f"{batch.kind} as {batch.column}", Counter())[engine.split(maxsplit=1)[0]] += len(names)
    writings = {name: writing for (name, _), writing in zip(Sheet(batch).rows, batch.rows, strict=True)}
    wanted = expected(batch, names)
    found = answers(source, batch)
    wrong = {
        f"{engine}: {writings[name]!r}": (found.get(name, "unusable"), wanted.get(name, "unusable"))
        for name in names
        if found.get(name) != wanted.get(name)
    }
    assert not wrong, f"(found, wanted) {wrong}"
    meanings = [
        meaning for (name, _), meaning in zip(Sheet(batch).rows, batch.rows.values(), strict=True) if name in names
    ]
    found_faults = Counter({fault.reason: fault.count for fault in source.faults(DAY)})
    if batch.kind == "status":
        assert found_faults[BAD_STATUS] == meanings.count("unreadable"), engine
    if batch.kind == "key":
        assert found_faults[NO_KEY] == meanings.count("missing"), engine
    if batch.kind in ("instant", "day", "count"):
        assert sum(found_faults.values()) == meanings.count("unusable"), engine
    if batch.kind in ("instant", "day"):
        past = source.activity_before(DAY + timedelta(days=3650))
        assert set(past["key_id"]) == set(wanted), engine
        if batch.kind == "instant":
            last = {
                key: _written(instant.to_pydatetime())
                for key, instant in zip(past["key_id"], past["last_seen"], strict=True)
            }
            assert last == wanted, engine
            assert source.watermark() == max(map(_instant, wanted.values()), default=None), engine


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _write_csv(sheet: Sheet, path: Path) -> list[str]:
    # A record is a line, and a text file holds no control characters but tabs: a blank replaces them.
    rows = [(name, value) for name, value in sheet.rows if not set(map(chr, range(32))) - {"\t"} & set(value)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerow(sheet.names)
        writer.writerows([value, name, *sheet.rest] for name, value in rows)
    return [name for name, _ in rows]


def _write_jsonl(sheet: Sheet, path: Path) -> list[str]:
    with path.open("w", encoding="utf-8") as stream:
        for (name, value), writing in zip(sheet.rows, sheet.batch.rows, strict=True):
            members = [json.dumps(text) for text in (value, name, *sheet.rest)]
            if sheet.batch.column == "json":
                members[0] = writing
            texts = zip(sheet.names, members, strict=True)
            stream.write("{" + ", ".join(f'"{member}": {text}' for member, text in texts) + "}\n")
    return [name for name, _ in sheet.rows]


def _write_parquet(sheet: Sheet, path: Path) -> list[str]:
    held = []
    for name, value in sheet.rows:
        try:
            held.append((name, pa.scalar(_python(value, sheet.batch.column), ARROW[sheet.batch.column])))
        except (ValueError, ArithmeticError, pa.ArrowInvalid):
            continue
    values = pa.array([value.as_py() for _, value in held], ARROW[sheet.batch.column])
    names = pa.array([name for name, _ in held], pa.string())
    rest = [pa.array([text] * len(held), pa.string()) for text in sheet.rest]
    pq.write_table(pa.table([values, names, *rest], names=sheet.names), path)
    return [name for name, _ in held]


def _python(text: str, column: str) -> Any:
    """A writing as the value of a type; ValueError where the type cannot hold it."""
    read: dict[str, Callable[[str], Any]] = {
        "instant": datetime.fromisoformat,
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "integer": int,
        "decimal": Decimal,
        "double": float,
        "boolean": lambda word: word == "true",
        "bytes": str.encode,
    }
    return read.get(column, str)(text)


FILES = {"csv": _write_csv, "jsonl": _write_jsonl, "parquet": _write_parquet}
COLUMNS_OF_FILES = {"csv": ("text",), "jsonl": ("text", "json"), "parquet": tuple(ARROW)}


@pytest.mark.parametrize(
    ("kind", "batch"),
    [
        pytest.param(kind, batch, id=f"{kind}: {batch.name}")
        for kind in FILES
        for batch in BATCHES
        if batch.column in COLUMNS_OF_FILES[kind]
    ],
)
def test_files(batch: Batch, kind: str, tmp_path: Path) -> None:
    """Files of every format agree with the table."""
    sheet = Sheet(batch)
    path = tmp_path / f"held.{kind}"
    names = FILES[kind](sheet, path)
    assert names
    check(sheet.files(path), batch, names, kind)


class Databases:
    """Writes the rows of a batch to the table ``held`` of each database."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.urls = urls
        self._embedded = create_engine(CLICKHOUSE)  # it deletes its tables with the last connection
        self._setup()

    def _setup(self) -> None:
        with self._connection("postgresql") as connection:
            for statement in (
                "DROP SCHEMA public CASCADE",
                "CREATE SCHEMA public",
                "CREATE EXTENSION citext",
                "CREATE DOMAIN wording AS text",
                f"CREATE TYPE word AS ENUM ({', '.join(map(repr, WORDS))})",
            ):
                connection.execute(text(statement))

    def _connection(self, database: str) -> Any:
        if database == "clickhouse":
            return self._embedded.begin()
        return create_engine(self.urls[database], poolclass=NullPool, isolation_level="AUTOCOMMIT").begin()

    def hold(self, database: str, kind: str, sheet: Sheet) -> list[str]:
        """Write the rows that a column of this type can hold, and return their names."""
        with self._connection(database) as connection:
            connection.execute(text("DROP TABLE IF EXISTS held"))
            plain = {"clickhouse": "String", "mariadb": "VARCHAR(100)"}.get(database, "VARCHAR")
            columns = [f"{sheet.names[0]} {kind}", *(f"{name} {plain}" for name in sheet.names[1:])]
            end = " ENGINE = MergeTree ORDER BY tuple()" if database == "clickhouse" else ""
            connection.execute(text(f"CREATE TABLE held ({', '.join(columns)}){end}"))
            return [
                name for name, value in sheet.rows if self._insert(connection, database, kind, sheet, name, value)
            ]

    def _insert(
        self, connection: Connection, database: str, kind: str, sheet: Sheet, name: str, value: Any
    ) -> bool:
        marks = [f":v{number}" for number in range(len(sheet.names))]
        if database in ("postgresql", "duckdb"):
            marks[0] = f"CAST(:v0 AS {kind})"
        if database == "clickhouse" and sheet.batch.column == "instant":
            marks[0] = "toDateTime64(:v0, 6, 'UTC')"
        values = [_stored(value, sheet.batch.column, database), name, *sheet.rest]
        parameters = {f"v{number}": value for number, value in enumerate(values)}
        if database == "sqlite" and isinstance(value, bool):
            return False  # the driver writes a number
        try:
            connection.execute(text(f"INSERT INTO held VALUES ({', '.join(marks)})"), parameters)
        except (DBAPIError, UnicodeEncodeError):
            return False
        return True


def _stored(value: Any, column: str, database: str) -> Any:
    """A value as the driver of a database takes it."""
    if column == "bytes":
        return value.encode()
    if column == "instant" and database in ("clickhouse", "mariadb"):
        return value.removesuffix("+00")
    if column == "json" and (database != "sqlite" or isinstance(value, dict | list)):
        return json.dumps(value)
    return value


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, mariadb_url: str) -> Databases:
    """The databases."""
    folder = tmp_path_factory.mktemp("databases")
    return Databases(
        {
            "sqlite": f"sqlite:///{folder}/held.db",
            "postgresql": postgres_url,
            "duckdb": f"duckdb:///{folder}/held.duckdb",
            "clickhouse": CLICKHOUSE,
            "mariadb": mariadb_url,
        }
    )


@pytest.mark.parametrize(
    ("database", "batch", "kind"),
    [
        pytest.param(database, batch, kind, id=f"{database} {kind}: {batch.name}")
        for batch in BATCHES
        for database, kinds in TYPES[batch.column].items()
        for kind in kinds
    ],
)
def test_databases(databases: Databases, database: str, batch: Batch, kind: str) -> None:
    """Columns of every type of every database agree with the table."""
    sheet = Sheet(batch)
    names = databases.hold(database, kind, sheet)
    assert names
    check(sheet.table(databases.urls[database]), batch, names, f"{database} {kind}")


@pytest.mark.parametrize("kind", ["key", "instant"])
def test_by_key_answers(kind: str) -> None:
    """The ids and last uses that an endpoint states agree with the table."""
    (batch,) = (batch for batch in BATCHES if batch.name == f"{kind} as text")
    members = {"request_count": 1, "endpoint_distribution": {}, "error_count": 0}
    keys = []
    for number, writing in enumerate(batch.rows):
        told = {"key_id": writing} if kind == "key" else {"key_id": f"r{number:03}", "last_activity": writing}
        keys.append({**members, **told, "name": f"r{number:03}"})
    body = json.dumps({"keys": keys, "total_keys": len(keys)}).encode()
    with endpoint(lambda _: Response(body)) as served, Endpoint(HttpSource(url=served.url, token=TOKEN)) as source:
        answer = read_answer(source, {})
    found = {key.name: key.key_id if kind == "key" else _used(key.last_used) for key in answer.keys}
    for number, (writing, meaning) in enumerate(batch.rows.items()):
        assert found.get(f"r{number:03}", "missing") == meaning, writing


def _used(instant: datetime | None) -> str:
    return "unusable" if instant is None else _written(instant)
