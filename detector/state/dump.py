"""The state as lines of JSON, one line per row.

The lines are the same whichever database they come from, so a dump of SQLite can be loaded into PostgreSQL and
back.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date, datetime
from itertools import islice
from typing import IO, Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    RowMapping,
    Table,
    create_engine,
    func,
    insert,
    true,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from detector.boundary.disk import scratch_folder
from detector.boundary.instants import in_utc, rfc_3339
from detector.model.errors import BackupError
from detector.model.owner import Owner
from detector.state.database import State, first_line
from detector.state.migrations import MIGRATIONS, RENAMED_TABLES
from detector.state.rows import OwnRows
from detector.state.tables import TABLES, metadata
from detector.state.upgrade import applied, prepare

ROWS_AT_ONCE = 50
KNOWN_MIGRATIONS = frozenset(MIGRATIONS)
KNOWN_TABLES = (*TABLES, *RENAMED_TABLES)
"""Names of the tables that a dump of this version or of an earlier one can hold."""


class StateDump:
    """The own rows of the state as of one instant, the names of their tables, and the migrations behind these."""

    table_names = tuple(TABLES)

    def __init__(self, rows: OwnRows) -> None:
        self._rows = rows
        self.migrations = applied(rows.connection)

    def rows(self, name: str) -> Iterator[RowMapping]:
        """The rows of a table, ordered by its key. The owner is not among their columns."""
        table = TABLES[name]
        query = self._rows.query(table).order_by(*table.primary_key.columns)
        yield from self._rows.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).mappings()

    def write(self, name: str, file: IO[bytes]) -> None:
        """Write the rows of a table as lines of JSON."""
        for row in self.rows(name):
            values = {column: _to_json(value) for column, value in row.items()}
            file.write(json.dumps(values, allow_nan=False).encode() + b"\n")


@contextmanager
def open_dump(state: State) -> Iterator[StateDump]:
    """The own rows of the state as of one instant, for as long as the block lasts."""
    with state.transaction() as rows:
        if rows.connection.dialect.name == "sqlite":
            rows.connection.exec_driver_sql("BEGIN")
        else:
            rows.connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield StateDump(rows)


def count_rows(state: State) -> int:
    """How many own rows all tables hold together."""
    with state.reading() as rows:
        counts = [rows.execute(rows.query(table, func.count())) for table in TABLES.values()]
        return sum(int(count.scalar_one()) for count in counts)


@contextmanager
def replaced(state: State, applied: list[str], tables: Mapping[str, Iterable[bytes]]) -> Iterator[None]:
    """Dumped tables in place of the own rows, migrated forward; where the block fails, nothing changed.

    ``applied`` are the migrations of the database that was dumped. The dump is loaded and migrated in a database
    of its own, because the rows of other installations stay where they are. Numbers of rows are assigned anew.
    """
    with scratch_folder() as folder:
        url = f"sqlite:///{folder}/state.db"
        _load_old(url, state.owner, applied, tables)
        with closing(State(url, state.owner)) as loaded, open_dump(loaded) as dump, state.transaction() as rows:
            _replace(rows, dump)
            yield


def _load_old(url: str, owner: Owner, applied: list[str], tables: Mapping[str, Iterable[bytes]]) -> None:
    """Load dumped tables. They go in before later migrations run, so that these change old rows too."""
    try:
        with create_engine(url, poolclass=NullPool).begin() as connection:
            prepare(connection, [name for name in MIGRATIONS if name in applied], owner)
            for name, lines in tables.items():
                _load(connection, Table(name, MetaData(), autoload_with=connection), lines, owner)
            prepare(connection, [name for name in MIGRATIONS if name not in applied], owner)
    except SQLAlchemyError as error:
        raise BackupError(f"the backup's state cannot be loaded: {first_line(error)}") from error


def _replace(rows: OwnRows, dump: StateDump) -> None:
    if rows.connection.dialect.name == "sqlite":
        rows.connection.exec_driver_sql("BEGIN IMMEDIATE")  # another process that writes is waited for here
    metadata.create_all(rows.connection)  # a restore also mends a state that has lost a table
    for name, table in TABLES.items():
        rows.delete(table, true())
        stored = (_restored(table, row) for row in dump.rows(name))
        while some := list(islice(stored, ROWS_AT_ONCE)):
            rows.insert(table, some)


def _restored(table: Table, row: RowMapping) -> dict[str, Any]:
    """A row to insert. The database assigns a number anew, as another installation may have the stored one."""
    values = dict(row)
    if table.autoincrement_column is not None:
        del values[table.autoincrement_column.name]
    return {name: in_utc(value) if isinstance(value, datetime) else value for name, value in values.items()}


def _load(connection: Connection, table: Table, lines: Iterable[bytes], owner: Owner) -> None:
    """Insert dumped rows. They become rows of ``owner``, where the table has owners, whatever they say."""
    key = owner.key if "source" in table.c else {}
    rows = ({**row, **key} for row in _rows(table, lines))
    while some := list(islice(rows, ROWS_AT_ONCE)):
        connection.execute(insert(table), some)


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
