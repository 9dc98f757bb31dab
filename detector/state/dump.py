"""The state as lines of JSON, one line per row.

The lines are the same whichever database they come from, so a dump of SQLite can be loaded into PostgreSQL and
back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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
from detector.state.database import State
from detector.state.migrations import MIGRATIONS, RENAMED_TABLES
from detector.state.tables import TABLES, migrations
from detector.state.upgrade import applied, prepare

ROWS_AT_ONCE = 50
KNOWN_MIGRATIONS = frozenset(MIGRATIONS)
KNOWN_TABLES = (*TABLES, *RENAMED_TABLES)
"""Names of the tables that a dump of this version or of an earlier one can hold."""


class StateDump:
    """The state as of one instant: the names of its tables, their rows, and the migrations that made them."""

    table_names = tuple(TABLES)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.migrations = applied(connection)

    def write(self, name: str, file: IO[bytes]) -> None:
        """Write the rows of a table, ordered by its key."""
        table = TABLES[name]
        statement = select(table).order_by(*table.primary_key.columns)
        rows = self._connection.execute(statement, execution_options={"yield_per": ROWS_AT_ONCE}).mappings()
        for row in rows:
            values = {column.name: _to_json(row[column]) for column in table.c}
            file.write(json.dumps(values, allow_nan=False).encode() + b"\n")


@contextmanager
def open_dump(state: State) -> Iterator[StateDump]:
    """The state as of one instant, for as long as the block lasts."""
    with state.transaction() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield StateDump(connection)


def count_rows(state: State) -> int:
    """How many rows all tables hold together."""
    with state.reading() as connection:
        counts = [connection.execute(select(func.count()).select_from(table)) for table in TABLES.values()]
        return sum(int(count.scalar_one()) for count in counts)


@contextmanager
def replaced(state: State, applied: list[str], tables: Mapping[str, Iterable[bytes]]) -> Iterator[None]:
    """Dumped tables in place of those that are there, migrated forward; where the block fails, nothing changed.

    ``applied`` are the migrations of the database that was dumped.
    """
    with state.transaction() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # as tables are dropped in this transaction
        _replace(connection, applied, tables)
        yield


def _replace(connection: Connection, applied: list[str], tables: Mapping[str, Iterable[bytes]]) -> None:
    """The rows go in before later migrations run, so that these change old rows too."""
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
