"""The state as lines of JSON, one line per row.

The lines are the same whichever database they come from, so a dump of SQLite can be loaded into PostgreSQL and
back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from typing import IO, Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    func,
    insert,
    select,
)

from detector.boundary.instants import rfc_3339
from detector.model.errors import BackupError
from detector.state.migrations import MIGRATIONS, RENAMED_TABLES
from detector.state.tables import TABLES, migrations
from detector.state.upgrade import prepare

ROWS_AT_ONCE = 50


def freeze(connection: Connection) -> None:
    """Let everything that is read in this transaction be of one instant; to be called before the first read."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def dump(connection: Connection, table: Table, file: IO[bytes]) -> None:
    """Write the rows of a table, ordered by its key."""
    statement = select(table).order_by(*table.primary_key.columns)
    rows = connection.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE}).mappings()
    for row in rows:
        values = {column.name: _to_json(row[column]) for column in table.c}
        file.write(json.dumps(values, allow_nan=False).encode() + b"\n")


def replace(connection: Connection, applied: list[str], tables: Mapping[str, Iterable[bytes]]) -> None:
    """Put the dumped tables in place of those that are there, then migrate them forward.

    ``applied`` are the migrations of the database that was dumped. The rows go in before later migrations run,
    so that these change old rows too. On SQLite this begins the transaction, as tables are dropped in it.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    for name in (*TABLES, *RENAMED_TABLES, migrations.name):
        Table(name, MetaData()).drop(connection, checkfirst=True)
    prepare(connection, [name for name in MIGRATIONS if name in applied])
    for name, lines in tables.items():
        _load(connection, Table(name, MetaData(), autoload_with=connection), lines)
    prepare(connection, [name for name in MIGRATIONS if name not in applied])


def _load(connection: Connection, table: Table, lines: Iterable[bytes]) -> None:
    rows = _rows(table, lines)
    while some := list(islice(rows, ROWS_AT_ONCE)):
        connection.execute(insert(table), some)
    key = next(iter(table.primary_key.columns))
    if connection.dialect.name == "postgresql" and isinstance(key.type, Integer):
        sequence = func.pg_get_serial_sequence(table.name, key.name)
        following = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
        connection.execute(select(func.setval(sequence, following, False)))


def _rows(table: Table, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            yield {name: _from_json(table.c[name], value) for name, value in row.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            problem = f"{type(error).__name__}: {error}"
            raise BackupError(f"the backup's state/{table.name}.ndjson, line {number}: {problem}") from None


def _to_json(value: object) -> object:
    if isinstance(value, datetime):
        return rfc_3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes | memoryview) else value


def _from_json(column: Column[Any], value: Any) -> object:
    if value is None:
        return None
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(value)
    if isinstance(column.type, Date):
        return date.fromisoformat(value)
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(value, validate=True)
    if isinstance(value, str):
        value.encode()  # raises UnicodeEncodeError for what no database takes
    elif not isinstance(value, float) and not (isinstance(value, int) and abs(value) < 2**63):
        raise ValueError(f"{column.name} is neither text nor a number")
    return value
